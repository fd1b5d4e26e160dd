import { assertEquals } from "@std/assert";
import { type Registers, ServiceBench } from "../../../tests/firmware/service_call.ts";
import { VBE_MODES } from "./vbe_modes.ts";

const OK = 0x4f;

function vbe(bench: ServiceBench, al: number, registers: Registers = {}) {
  return bench.call(0x10, { ...registers, eax: 0x4f00 | al });
}

Deno.test("INT 10h AX=4F00h, 4F01h: the controller and its modes", () => {
  const bench = new ServiceBench();
  const { view } = bench;
  bench.put(0x3000, "VBE2");
  assertEquals(vbe(bench, 0x00, { es: 0x300 }).eax, OK);
  assertEquals([bench.text(0x3000).slice(0, 4), view.getUint16(0x3004, true)], ["VESA", 0x0200]);
  const list = (view.getUint16(0x3010, true) << 4) + view.getUint16(0x300e, true);
  const numbers: number[] = [];
  for (let at = list; view.getUint16(at, true) !== 0xffff; at += 2) numbers.push(view.getUint16(at, true));
  assertEquals(numbers, VBE_MODES.map(({ number }) => number));
  for (const { number, width, height, bits } of VBE_MODES) {
    assertEquals(vbe(bench, 0x01, { ecx: number, es: 0x400 }).eax, OK);
    const found = [view.getUint16(0x4012, true), view.getUint16(0x4014, true), bench.memory[0x4019]];
    assertEquals([...found, view.getUint32(0x4028, true)], [width, height, bits, 0xe0000000]);
  }
  assertEquals(vbe(bench, 0x01, { ecx: 0x1ff, es: 0x400 }).eax, 0x014f);
});

Deno.test("INT 10h AX=4F02h sets modes, and standard ones again", () => {
  const bench = new ServiceBench();
  for (const { number, width, height, bits } of VBE_MODES) {
    assertEquals(vbe(bench, 0x02, { ebx: number | 0x4000 }).eax, OK);
    const mode = bench.vga.dispi.mode;
    assertEquals([mode?.width, mode?.height, mode?.bits], [width, height, bits]);
    assertEquals(vbe(bench, 0x03).ebx, number | 0x4000);
  }
  assertEquals(vbe(bench, 0x02, { ebx: 0x03 }).eax, OK);
  assertEquals([bench.vga.dispi.mode, vbe(bench, 0x03).ebx], [undefined, 3]);
  assertEquals(vbe(bench, 0x02, { ebx: 0x1fe }).eax, 0x014f);
});

Deno.test("INT 10h AX=4F04h to 4F09h: state, window, lines, start, colours", () => {
  const bench = new ServiceBench();
  assertEquals(vbe(bench, 0x05, { ebx: 0x0100 }).eax, 0x024f);
  vbe(bench, 0x02, { ebx: 0x101 });
  assertEquals([vbe(bench, 0x05, { edx: 3 }).eax, vbe(bench, 0x05, { ebx: 0x0100 }).edx], [OK, 3]);
  const { ebx, ecx } = vbe(bench, 0x06, { ebx: 0, ecx: 1024 });
  assertEquals([ebx, ecx], [1024, 1024]);
  assertEquals(vbe(bench, 0x07, { ecx: 16, edx: 32 }).eax, OK);
  const start = vbe(bench, 0x07, { ebx: 1 });
  assertEquals([start.ecx, start.edx], [16, 32]);
  assertEquals(vbe(bench, 0x08, { ebx: 0x0800 }).ebx >> 8, 8);
  assertEquals(vbe(bench, 0x08, { ebx: 1 }).ebx >> 8, 8);
  bench.put(0x3000, [3, 2, 1, 0, 30, 20, 10, 0]);
  assertEquals(vbe(bench, 0x09, { ecx: 2, edx: 7, es: 0x300 }).eax, OK);
  assertEquals(vbe(bench, 0x09, { ebx: 1, ecx: 2, edx: 7, es: 0x310 }).eax, OK);
  assertEquals([...bench.memory.subarray(0x3100, 0x3108)], [3, 2, 1, 0, 30, 20, 10, 0]);
  assertEquals(vbe(bench, 0x04, { edx: 0 }).ebx, 2);
  assertEquals(vbe(bench, 0x04, { edx: 1, es: 0x320 }).eax, OK);
  vbe(bench, 0x02, { ebx: 3 });
  assertEquals(vbe(bench, 0x04, { edx: 2, es: 0x320 }).eax, OK);
  assertEquals([bench.vga.dispi.mode?.width, vbe(bench, 0x03).ebx], [640, 0x101]);
});
