import { assertEquals } from "@std/assert";
import { KvmCpuid, KvmCpuidEntry } from "../abi/cpuid.ts";
import { LAYOUTS } from "../abi/layout.ts";
import { fillCpuid } from "./cpuid.ts";

/** EAX of each leaf after filling up what is given as leaf and EAX. */
function fill(leaves: [number, number][]): Map<number, number> {
  const given = new KvmCpuid(leaves.map(([leaf, eax]) => ({ function: leaf, eax })));
  const size = LAYOUTS.kvm_cpuid_entry.size;
  const filled = fillCpuid(given.bytes.subarray(8));
  const found = new Map<number, number>();
  for (let at = 0; at < filled.length; at += size) {
    const entry = new KvmCpuidEntry(filled, at);
    if (!found.has(entry.function)) found.set(entry.function, entry.eax);
  }
  return found;
}

Deno.test("fillCpuid() answers a missing leaf as the highest of its half", () => {
  const leaves = fill([[0, 4], [1, 11], [4, 44], [0x80000000, 0x80000004], [0x80000001, 81], [1, 12]]);
  assertEquals([0, 1, 2, 3, 4, 5, 0x1f].map((leaf) => leaves.get(leaf)), [4, 11, 44, 44, 44, 44, 44]);
  assertEquals([0, 1, 2, 0x1f].map((leaf) => leaves.get(0x80000000 + leaf)), [0x80000004, 81, 81, 81]);
});

Deno.test("fillCpuid() answers an empty half with zeros", () => {
  const leaves = fill([[0, 1], [1, 5]]);
  assertEquals(leaves.get(0x80000000), 0);
  assertEquals(leaves.get(0x80000001), 0);
});

Deno.test("fillCpuid() leaves alone what the kernel itself reads", () => {
  const leaves = fill([[0, 1], [0x80000000, 0x80000008]]);
  for (const leaf of [0xd, 0x12, 0x14, 0x80000008]) assertEquals(leaves.has(leaf), false);
});
