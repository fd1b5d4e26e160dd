import { assertEquals } from "@std/assert";
import { type Registers, ServiceBench } from "../../../tests/firmware/service_call.ts";

function clock(bench: ServiceBench, ah: number, registers: Registers = {}) {
  return bench.call(0x1a, { ...registers, eax: ah << 8 });
}

Deno.test("INT 1Ah AH=00h, 01h: ticks since midnight", () => {
  const bench = new ServiceBench();
  const { ecx, edx } = clock(bench, 0);
  assertEquals(ecx << 16 | edx, Math.floor((16 * 3600 + 5 * 60 + 6) * 0x1800b0 / 86_400));
  clock(bench, 1, { ecx: 0x12, edx: 0x3456 });
  bench.memory[0x470] = 1;
  assertEquals([clock(bench, 0).eax, clock(bench, 0).eax, clock(bench, 0).edx], [1, 0, 0x3456]);
});

Deno.test("INT 1Ah AH=02h to 05h: time and date of the clock", () => {
  const bench = new ServiceBench();
  const time = clock(bench, 2), date = clock(bench, 4);
  assertEquals([time.ecx, time.edx >> 8, time.carry], [0x1605, 0x06, false]);
  assertEquals([date.ecx, date.edx, date.carry], [0x2026, 0x0203, false]);
  clock(bench, 3, { ecx: 0x2359, edx: 0x3000 });
  clock(bench, 5, { ecx: 0x1999, edx: 0x1231 });
  assertEquals([clock(bench, 2).ecx, clock(bench, 4).ecx, clock(bench, 4).edx], [0x2359, 0x1999, 0x1231]);
});

Deno.test("INT 1Ah AH=06h, 07h: one alarm at a time", () => {
  const bench = new ServiceBench();
  assertEquals([clock(bench, 6).carry, clock(bench, 6).carry], [false, true]);
  clock(bench, 7);
  assertEquals([clock(bench, 6).carry, clock(bench, 8).carry], [false, true]);
});

/** Two functions: a bridge, and an adapter with a register for its line. */
function withPci(): ServiceBench {
  const bench = new ServiceBench();
  const spaces = new Map([0, 0x10].map((place) => [place, new Uint8Array(256)]));
  spaces.get(0)!.set([0x86, 0x80, 0x37, 0x12, 0, 0, 0, 0, 2, 0, 0, 6]);
  spaces.get(0x10)!.set([0x34, 0x12, 0x11, 0x11, 0, 0, 0, 0, 0, 0, 0, 3]);
  let address = 0;
  bench.ports.attach({ name: "address", base: 0xcf8, length: 4 }, {
    width: 4,
    read: () => address,
    write: (_, value) => address = value,
  });
  bench.ports.attach({ name: "data", base: 0xcfc, length: 4 }, {
    width: 1,
    read: (offset) => spaces.get(address >>> 8 & 0xffff)?.[(address & 0xfc) + offset] ?? 0xff,
    write(offset, value) {
      const space = spaces.get(address >>> 8 & 0xffff);
      if (space !== undefined) space[(address & 0xfc) + offset] = value;
    },
  });
  return bench;
}

Deno.test("INT 1Ah AH=B1h: the PCI BIOS", () => {
  const bench = withPci();
  const pci = (al: number, registers: Registers = {}) => bench.call(0x1a, { ...registers, eax: 0xb100 | al });
  const check = pci(1);
  assertEquals([check.edx, check.ebx, check.eax & 0xffff, check.carry], [0x20494350, 0x0210, 1, false]);
  assertEquals([pci(2, { ecx: 0x1111, edx: 0x1234 }).ebx, pci(2, { ecx: 0x1111, edx: 0x1235 }).carry], [0x10, true]);
  assertEquals([pci(3, { ecx: 0x060000 }).ebx, pci(3, { ecx: 0x030000 }).ebx], [0, 0x10]);
  assertEquals(pci(3, { ecx: 0x030000, esi: 1 }).eax >> 8 & 0xff, 0x86);
  pci(0x0b, { ebx: 0x10, edi: 0x3c, ecx: 0x5a });
  assertEquals(pci(0x08, { ebx: 0x10, edi: 0x3c }).ecx, 0x5a);
  assertEquals([pci(0x09, { edi: 2 }).ecx, pci(0x0a, { ebx: 0x10 }).ecx], [0x1237, 0x11111234]);
  assertEquals(pci(0x0a, { edi: 2 }).eax >> 8 & 0xff, 0x87);
});

Deno.test("INT 1Ah AH=B1h: without PCI it is not there", () => {
  assertEquals(new ServiceBench().call(0x1a, { eax: 0xb101 }).carry, true);
});
