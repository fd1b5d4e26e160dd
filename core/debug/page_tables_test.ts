import { assertEquals } from "@std/assert";
import { KvmSregs, openKvm, type Vm } from "../../mod.ts";
import { GuestMemory } from "./guest_memory.ts";
import { mappings, mergedMappings, pagingMode } from "./page_tables.ts";

const P = 1n, RW = 2n, US = 4n, PS = 0x80n, NX = 1n << 63n;

function words(vm: Vm, gpa: number, values: Readonly<Record<number, bigint>>, size: 4 | 8): void {
  for (const [index, value] of Object.entries(values)) {
    const bytes = size === 8 ? BigUint64Array.of(value).buffer : Uint32Array.of(Number(value)).buffer;
    vm.write(gpa + Number(index) * size, new Uint8Array(bytes));
  }
}

/** The ranges that a machine with such tables maps: linear, physical, size, rights. */
function ranges(sregs: KvmSregs, fill: (vm: Vm) => void, merged: boolean = true): string[] {
  using kvm = openKvm({ backend: "soft" });
  using vm = kvm.createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x10000 });
  fill(vm);
  const memory = new GuestMemory(vm);
  return [...(merged ? mergedMappings : mappings)(sregs, memory)].map(({ linear, physical, size, ...rights }) => {
    const letters = `${rights.user ? "u" : "-"}${rights.writable ? "w" : "-"}${rights.noExecute ? "-" : "x"}`;
    return `${linear.toString(16)} ${physical.toString(16)} ${size.toString(16)} ${letters}`;
  });
}

Deno.test("pagingMode() tells the modes apart", () => {
  const mode = (cr0: bigint, cr4: bigint, efer: bigint) => pagingMode(new KvmSregs({ cr0, cr4, efer }));
  const PG = 1n << 31n;
  assertEquals(mode(1n, 0x20n, 0n), "off");
  assertEquals([mode(PG, 0n, 0n), mode(PG, 0x20n, 0n), mode(PG, 0x20n, 0x500n)], ["32-bit", "PAE", "4-level"]);
});

Deno.test("mergedMappings() walks 32-bit tables with large pages and PSE-36", () => {
  const sregs = new KvmSregs({ cr0: 1n << 31n, cr4: 0x10, cr3: 0x1000 });
  const found = ranges(sregs, (vm) => {
    words(
      vm,
      0x1000,
      { 0: 0x2000n | P | RW | US, 1: 0x400000n | P | PS, 1023: 0x80000000n | 0x2000n | P | RW | PS },
      4,
    );
    words(vm, 0x2000, { 1: 0x5000n | P | RW, 2: 0x6000n | P | RW, 3: 0x9000n | P | RW | US, 1023: 0x3ff000n | P }, 4);
  });
  assertEquals(found, [
    "1000 5000 2000 -wx",
    "3000 9000 1000 uwx",
    "3ff000 3ff000 401000 --x",
    "ffc00000 180000000 400000 -wx",
  ]);
});

Deno.test("mergedMappings() walks PAE tables, whose first level has no rights", () => {
  const sregs = new KvmSregs({ cr0: 1n << 31n, cr4: 0x20, cr3: 0x1020 });
  const found = ranges(sregs, (vm) => {
    words(vm, 0x1020, { 3: 0x2000n | P }, 8);
    words(vm, 0x2000, { 0: 0x3000n | P | RW | US, 511: 0x12_3420_0000n | P | RW | PS | NX }, 8);
    words(vm, 0x3000, { 0: 0x7000n | P | RW | US }, 8);
  });
  assertEquals(found, ["c0000000 7000 1000 uwx", "ffe00000 1234200000 200000 -w-"]);
});

Deno.test("mappings() walks four levels into the upper half, and skips tables without memory", () => {
  const sregs = new KvmSregs({ cr0: 1n << 31n, cr4: 0x20, efer: 0x500, cr3: 0x1000 });
  const fill = (vm: Vm): void => {
    words(vm, 0x1000, { 0: 0x2000n | P | RW | US, 1: 0x8000_0000n | P | RW, 511: 0x2000n | P | RW }, 8);
    words(vm, 0x2000, { 0: 0x3000n | P | RW | US, 1: 0x4000_0000n | P | RW | US | PS }, 8);
    words(vm, 0x3000, { 0: 0x20_0000n | P | RW | US | PS, 1: 0x40_0000n | P | RW | US | PS }, 8);
  };
  assertEquals(ranges(sregs, fill), [
    "0 200000 400000 uwx",
    "40000000 40000000 40000000 uwx",
    "ffffff8000000000 200000 400000 -wx",
    "ffffff8040000000 40000000 40000000 -wx",
  ]);
  assertEquals(ranges(sregs, fill, false).length, 6);
  assertEquals(ranges(new KvmSregs(), fill), []);
});
