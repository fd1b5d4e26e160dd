import { assert, assertEquals } from "@std/assert";
import { APIC_BASE, FS } from "../state.ts";
import { baseOf } from "./access.ts";
import { FakeMachine } from "./fake_machine_test_util.ts";
import { MSR_INDEX_LIST, readMsr, restoreMsr, writeMsr } from "./msr.ts";

Deno.test("MSR_INDEX_LIST is ascending, and what it lists can be read and written back", () => {
  const m = new FakeMachine();
  assertEquals([...MSR_INDEX_LIST].sort((a, b) => a - b), MSR_INDEX_LIST);
  for (const index of MSR_INDEX_LIST) {
    const value = readMsr(m, index) ?? -1n;
    assert(writeMsr(m, index, value), `MSR ${index.toString(16)}`);
    if (index !== 0x3b) assertEquals(readMsr(m, index), value, `MSR ${index.toString(16)}`);
  }
});

Deno.test("readMsr() and writeMsr() know no other MSRs", () => {
  const m = new FakeMachine();
  for (const index of [0, 0x47, 0x1234_5678, 0xffff_ffff]) {
    assertEquals(readMsr(m, index), undefined);
    assertEquals(writeMsr(m, index, 0n), false);
  }
});

Deno.test("writeMsr() refuses addresses that are not canonical, reserved bits and bad memory types", () => {
  const m = new FakeMachine();
  const bad: [index: number, value: bigint][] = [
    [0xc000_0100, 0x8000_0000_0000n],
    [0xc000_0082, 1n << 63n],
    [0xc000_0084, 1n << 32n],
    [0x277, 2n],
    [0x2ff, 2n],
    [0x250, 0x0200n],
    [0x1b, 0x400n],
    [0xc000_0080, 2n],
    [0xfe, 0n],
  ];
  for (const [index, value] of bad) assertEquals(writeMsr(m, index, value), false, index.toString(16));
  assert(writeMsr(m, 0xc000_0100, 0xffff_8000_0000_0000n));
  assertEquals(baseOf(m, FS), -0x8000_0000_0000);
});

Deno.test("TSC counts instructions from what was written, and TSC_ADJUST moves with it", () => {
  const m = new FakeMachine();
  m.clock = 1000;
  assertEquals(readMsr(m, 0x10), 1000n);
  writeMsr(m, 0x10, 5n);
  assertEquals(readMsr(m, 0x3b), BigInt.asUintN(64, -995n));
  m.clock = 1010;
  assertEquals(readMsr(m, 0x10), 15n);
  writeMsr(m, 0x3b, 0n);
  assertEquals(readMsr(m, 0x10), 1010n);
});

Deno.test("IA32_ARCH_CAPABILITIES and what goes with it are there if CPUID says so", () => {
  const m = new FakeMachine();
  assertEquals(readMsr(m, 0x10a)! & 0x63n, 0x63n); // RDCL_NO, IBRS_ALL, MDS_NO, IF_PSCHANGE_MC_NO
  assertEquals([writeMsr(m, 0x10a, 0n), writeMsr(m, 0x48, 7n), writeMsr(m, 0x48, 8n)], [false, true, false]);
  assertEquals([writeMsr(m, 0x49, 1n), writeMsr(m, 0x49, 2n), readMsr(m, 0x49)], [true, false, undefined]);
  m.has = () => false;
  assertEquals([readMsr(m, 0x10a), writeMsr(m, 0x48, 1n), writeMsr(m, 0x48, 0n), writeMsr(m, 0x49, 1n)], [
    undefined,
    false,
    true,
    false,
  ]);
});

Deno.test("restoreMsr() puts TSC and TSC_ADJUST back, in any order", () => {
  for (const order of [[0x10, 0x3b], [0x3b, 0x10]]) {
    const m = new FakeMachine();
    m.clock = 1000;
    writeMsr(m, 0x3b, 77n);
    const saved = new Map(order.map((index) => [index, readMsr(m, index)!]));
    const other = new FakeMachine();
    other.clock = 5;
    for (const [index, value] of saved) restoreMsr(other, index, value);
    assertEquals(order.map((index) => readMsr(other, index)), [...saved.values()]);
  }
});

Deno.test("IA32_FEATURE_CONTROL cannot be changed once it is locked", () => {
  const m = new FakeMachine();
  assert(writeMsr(m, 0x3a, 5n));
  assert(!writeMsr(m, 0x3a, 1n));
  assert(writeMsr(m, 0x3a, 5n));
});

Deno.test("IA32_APIC_BASE is the state's", () => {
  const m = new FakeMachine();
  assertEquals(readMsr(m, 0x1b), 0xfee0_0900n);
  assertEquals(m.u32[APIC_BASE >> 2], 0xfee0_0900);
});
