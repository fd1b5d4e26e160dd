import { assertEquals, assertThrows } from "@std/assert";
import { boardCpuid, processorCpuid } from "./processor.ts";

function leaves(...args: Parameters<typeof boardCpuid>): Map<number, number[]> {
  return new Map(boardCpuid(...args).map(({ function: leaf, eax, ebx, ecx, edx }) => [leaf, [eax, ebx, ecx, edx]]));
}

const X2APIC = 1 << 21, TSC_DEADLINE = 1 << 24;

Deno.test("boardCpuid() tells of the board's clocks, and offers nothing of the APIC that would need an exit for MSRs", () => {
  const max = leaves();
  assertEquals(max.get(0x15), [1, 1, 1_000_000_000, 0]);
  assertEquals([max.get(0)![0], max.get(1)![2] & (X2APIC | TSC_DEADLINE)], [0x16, 0]);
  assertEquals([...max.keys()], [...max.keys()].toSorted((a, b) => a - b));
  assertEquals(leaves("max", { clocks: false }).has(0x15), false);
});

Deno.test("boardCpuid() leaves old models as they are, and obeys", () => {
  assertEquals([...leaves("386").keys()], [0, 1]);
  assertEquals(leaves("max,+tsc_deadline").get(1)![2] & TSC_DEADLINE, TSC_DEADLINE);
  assertThrows(() => boardCpuid("z80"), RangeError);
});

Deno.test("processorCpuid() tells each processor its number and how many cores the package has", () => {
  const entries = boardCpuid();
  assertEquals(processorCpuid(entries, 0, 1), entries);
  const [third] = processorCpuid(entries, 2, 3).filter(({ function: leaf }) => leaf === 1);
  assertEquals([third.ebx, third.edx >>> 28 & 1], [0x0203_0800, 1]);
  const [caches] = processorCpuid(entries, 2, 3).filter(({ function: leaf }) => leaf === 4);
  assertEquals([caches.eax >>> 26, caches.eax & 0x1f], [3, 1], "IDs for four cores; a data cache");
  const [old] = processorCpuid(boardCpuid("pentium"), 1, 2).filter(({ function: leaf }) => leaf === 1);
  assertEquals(old.ebx, 0x0102_0000);
});
