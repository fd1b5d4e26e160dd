import { assertEquals } from "@std/assert";
import { ServiceBench } from "../../../tests/firmware/service_call.ts";
import { extendedKib, memoryMap, splitExtended } from "./memory_map.ts";

const MIB = 0x100000;

Deno.test("memoryMap() cuts reserved addresses out of memory", () => {
  const machine = { memory: 64 * MIB, drives: [], reserved: [{ base: 63 * MIB, size: 0x10000, type: 3 }] };
  const map = memoryMap(machine).filter(({ base }) => base >= MIB && base < 128 * MIB);
  assertEquals(map, [
    { base: MIB, size: 62 * MIB, type: 1 },
    { base: 63 * MIB, size: 0x10000, type: 3 },
    { base: 63 * MIB + 0x10000, size: MIB - 0x10000, type: 1 },
  ]);
  assertEquals(extendedKib(machine), 62 * 1024);
});

Deno.test("memoryMap() is in order, nothing meets, and goes on from 4 GiB", () => {
  const map = memoryMap({ memory: 3072 * MIB, memoryAbove4G: 1024 * MIB, drives: [] });
  map.forEach(({ base }, n) => n > 0 && assertEquals(map[n - 1].base + map[n - 1].size <= base, true));
  assertEquals(map.at(-1), { base: 2 ** 32, size: 1024 * MIB, type: 1 });
});

Deno.test("splitExtended() has 15 MiB, and the rest in units of 64 KiB", () => {
  assertEquals(splitExtended({ memory: 8 * MIB, drives: [] }), { low: 7 * 1024, high: 0 });
  assertEquals(splitExtended({ memory: 64 * MIB, drives: [] }), { low: 15 * 1024, high: 48 * 16 });
});

Deno.test("INT 15h E820h gives one range after the other, E801h and 88h the same in KiB", () => {
  const bench = new ServiceBench({ memory: 64 * MIB });
  const found: bigint[][] = [];
  let ebx = 0;
  do {
    const result = bench.call(0x15, { eax: 0xe820, ebx, ecx: 24, edx: 0x534d4150, es: 0x100, edi: 0x20 });
    assertEquals([result.carry, result.eax, result.ecx], [false, 0x534d4150, 20]);
    const { view } = bench;
    found.push([
      view.getBigUint64(0x1020, true),
      view.getBigUint64(0x1028, true),
      BigInt(view.getUint32(0x1030, true)),
    ]);
    ebx = result.ebx;
  } while (ebx !== 0);
  const expected = memoryMap({ memory: 64 * MIB, drives: [] });
  assertEquals(found, expected.map(({ base, size, type }) => [BigInt(base), BigInt(size), BigInt(type)]));
  const e801 = bench.call(0x15, { eax: 0xe801 });
  assertEquals([e801.eax, e801.ebx, e801.ecx, e801.edx, e801.carry], [0x3c00, 0x300, 0x3c00, 0x300, false]);
  assertEquals(bench.call(0x15, { eax: 0x8800 }).eax, 63 * 1024);
  assertEquals(bench.call(0x15, { eax: 0xe820, ecx: 20, edx: 0 }).carry, true);
});
