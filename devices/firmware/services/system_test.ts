import { assertEquals } from "@std/assert";
import { ServiceBench } from "../../../tests/firmware/service_call.ts";

Deno.test("INT 11h, 12h: what there is", () => {
  const bench = new ServiceBench();
  assertEquals(bench.call(0x11).eax, 0x0226); // coprocessor, mouse, 80 columns in colour, one COM
  assertEquals(bench.call(0x12).eax, 639);
  assertEquals([bench.view.getUint16(0x40e, true), bench.memory[0x9fc00]], [0x9fc0, 1]);
});

Deno.test("INT 14h: COM1", () => {
  const bench = new ServiceBench();
  assertEquals(bench.call(0x14, { eax: 0x00e3 }).eax >> 8 & 0x60, 0x60);
  for (const character of "serial") bench.call(0x14, { eax: 0x0100 | character.charCodeAt(0) });
  assertEquals(bench.sent, "serial");
  assertEquals(bench.call(0x14, { eax: 0x0200 }).answer, 1);
  bench.view.setUint32(0x46c, bench.view.getUint32(0x46c, true) + 40, true);
  assertEquals(bench.call(0x14, { eax: 0x0200 }).eax >> 8 & 0x80, 0x80);
  assertEquals(bench.call(0x14, { eax: 0x0300, edx: 2 }).eax, 0x0300); // there is no COM3
});

Deno.test("INT 15h AH=87h moves memory, by descriptors", () => {
  const bench = new ServiceBench();
  bench.put(0x12345, "moved");
  bench.put(0x3010, [0xff, 0xff, 0x45, 0x23, 0x01, 0x93, 0, 0]);
  bench.put(0x3018, [0xff, 0xff, 0x00, 0x00, 0x11, 0x93, 0, 0]);
  assertEquals(bench.call(0x15, { eax: 0x8700, ecx: 3, es: 0x300 }).carry, false);
  assertEquals(bench.text(0x110000), "moved");
  assertEquals(bench.call(0x15, { eax: 0x8700, ecx: 0x8001, es: 0x300 }).carry, true);
});

Deno.test("INT 15h: configuration, areas, A20, and what is not there", () => {
  const bench = new ServiceBench();
  const table = bench.call(0x15, { eax: 0xc000 });
  assertEquals(bench.view.getUint16((table.es << 4) + table.ebx, true), 8);
  assertEquals(bench.call(0x15, { eax: 0xc100 }).es, 0x9fc0);
  assertEquals([bench.call(0x15, { eax: 0x2402 }).eax, bench.call(0x15, { eax: 0x2403 }).ebx], [1, 3]);
  const { eax, carry } = bench.call(0x15, { eax: 0xd800 });
  assertEquals([eax >> 8, carry], [0x86, true]);
  assertEquals(bench.call(0x15, { eax: 0x4f1e, carry: true }).carry, true);
});

Deno.test("INT 15h AH=86h waits by the clock's periodic interrupt", () => {
  const bench = new ServiceBench();
  assertEquals(bench.call(0x15, { eax: 0x8600, edx: 5000 }).answer, 1);
  assertEquals([bench.view.getUint32(0x49c, true), bench.memory[0x4a0]], [5000, 1]);
  bench.memory[0x4a0] = 0x80; // as IRQ 8 leaves it
  const { answer, carry } = bench.call(0x15, { eax: 0x8600, edx: 5000 });
  assertEquals([answer, carry, bench.memory[0x4a0]], [0, false, 0]);
});

Deno.test("INT 15h AH=53h: APM switches off by the power management port", () => {
  const bench = new ServiceBench();
  let written = 0;
  bench.ports.attach({ name: "power", base: 0x604, length: 2 }, {
    width: 2,
    read: () => 0,
    write: (_, value) => written = value,
  });
  assertEquals(bench.call(0x15, { eax: 0x5300 }).ebx, 0x504d);
  assertEquals(bench.call(0x15, { eax: 0x5301 }).carry, false);
  assertEquals(bench.call(0x15, { eax: 0x5303 }).carry, true);
  assertEquals(bench.call(0x15, { eax: 0x5305 }).answer, 2);
  bench.call(0x15, { eax: 0x5307, ebx: 1, ecx: 3 });
  assertEquals(written, 0x2000);
});

Deno.test("INT 15h AH=C2h drives the mouse", () => {
  const bench = new ServiceBench();
  const mouse = (al: number, ebx = 0) => bench.call(0x15, { eax: 0xc200 | al, ebx, es: 0x1234 });
  assertEquals(mouse(0x00, 0x0100).eax >> 8 & 0xff, 5);
  assertEquals([mouse(0x05, 0x0300).carry, mouse(0x01).ebx], [false, 0x00aa]);
  assertEquals([mouse(0x07, 0x5678).carry, mouse(0x00, 0x0100).carry, mouse(0x04).ebx >> 8], [false, false, 0]);
  assertEquals([mouse(0x02, 0x0600).carry, mouse(0x03, 0x0300).carry, mouse(0x02, 0x0700).carry], [false, false, true]);
  const status = mouse(0x06);
  assertEquals([status.ebx & 0xff, status.ecx, status.edx], [0x20, 3, 200]);
  const send = (value: number) => {
    bench.ports.out(0x64, 1, 0xd3);
    bench.ports.out(0x60, 1, value);
    return bench.call(0x174);
  };
  assertEquals([send(0x09).eax & 0xff, send(5).eax & 0xff], [0, 0]);
  const packet = send(0xfb);
  assertEquals([packet.eax & 0xff, packet.esi, packet.ebx, packet.ecx, packet.edx], [1, 0x12345678, 9, 5, 0xfb]);
});

Deno.test("INT 19h: nothing to boot from is said once, on screen and COM1, and waited", () => {
  const bench = new ServiceBench();
  const first = bench.call(0x19);
  assertEquals([first.answer, bench.sent, bench.vga.lines()[0]], [1, "No bootable device\r\n", "No bootable device"]);
});
