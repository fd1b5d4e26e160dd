import { assertEquals, assertThrows } from "@std/assert";
import { CR0, CR2, CS, DR, GDTR, IDTR, RFLAGS, RIP, SS, TR } from "../state.ts";
import { get64, gpr, put32, put64, selectorOf } from "./access.ts";
import { FakeMachine, faultOf, Shutdown } from "./fake_machine_test_util.ts";
import { deliver, raise } from "./interrupts.ts";
import { getFlags, setFlags } from "./rflags.ts";
import { putSegment } from "./segments.ts";

const GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, STACK = 0x8000;

/** Flat 32-bit protected mode, CPL 0: code 8, data 10, TSS 28; an empty IDT. */
function machine(): FakeMachine {
  const m = new FakeMachine(0x2_0000);
  put32(m, CR0, 0x11);
  put32(m, GDTR, GDT);
  m.u32[(GDTR + 8) >> 2] = 0x7f;
  put32(m, IDTR, IDT);
  m.u32[(IDTR + 8) >> 2] = 0x7ff;
  m.memory.setBigUint64(GDT + 8, 0x00cf_9b00_0000_ffffn, true);
  m.memory.setBigUint64(GDT + 16, 0x00cf_9300_0000_ffffn, true);
  putSegment(m, CS, 8, 0, 0xffff_ffff, 0xc09b);
  putSegment(m, SS, 16, 0, 0xffff_ffff, 0xc093);
  putSegment(m, TR, 0x28, TSS, 103, 0x8b);
  put32(m, gpr(4), STACK);
  put32(m, RIP, 0x1234);
  return m;
}

/** A 32-bit interrupt gate for `vector` to 5000 + vector. */
function gate(m: FakeMachine, vector: number, attributes = 0x8e00, selector = 8): void {
  m.memory.setUint32(IDT + vector * 8, selector << 16 | 0x5000 + vector, true);
  m.memory.setUint32(IDT + vector * 8 + 4, attributes, true);
}

/** Which vector was delivered and with which error code, by RIP and stack. */
function delivered(m: FakeMachine): [vector: number, errorCode: number] {
  return [m.u32[RIP >> 2] - 0x5000, m.memory.getUint32(m.u32[gpr(4) >> 2], true)];
}

Deno.test("deliver() real mode: pushes 6 bytes, clears IF and TF, and takes the vector table", () => {
  const m = new FakeMachine();
  setFlags(m, 0x302);
  m.memory.setUint32(0x21 * 4, 0x1234_5678, true);
  put32(m, gpr(4), 0x100);
  deliver(m, 0x21, "external", -1);
  assertEquals(m.u32[RIP >> 2], 0x5678);
  assertEquals(selectorOf(m, CS), 0x1234);
  assertEquals(get64(m, gpr(4)), 0xfa);
  assertEquals(m.memory.getUint16(0xfa, true), 0xfff0);
  assertEquals(m.memory.getUint16(0xfc, true), 0xf000);
  assertEquals(m.memory.getUint16(0xfe, true), 0x302);
  assertEquals(getFlags(m), 2);
});

Deno.test("deliver() real mode: INT n saves the next IP, truncated to 16 bits; beyond the IDT limit is #GP", () => {
  const m = new FakeMachine();
  put32(m, RIP, 0xffff);
  put32(m, gpr(4), 0x100);
  deliver(m, 3, "software", -1);
  assertEquals(m.memory.getUint16(0xfa, true), 1);
  m.u32[(IDTR + 8) >> 2] = 3 * 4 + 2;
  assertEquals(faultOf(() => deliver(m, 3, "software", -1)), [13, 0]);
});

Deno.test("raise() combines exceptions as table 7-5 of the manual says", () => {
  // The gate of the first vector is not present, so that delivering it raises #NP(first * 8 + 2 + EXT), or with a page
  // table missing #PF.
  const cases: [first: number, outcome: [number, number]][] = [
    [0, [8, 0]],
    [6, [11, 6 * 8 + 3]],
    [7, [11, 7 * 8 + 3]],
    [10, [8, 0]],
    [12, [8, 0]],
    [13, [8, 0]],
    [14, [8, 0]],
    [17, [11, 17 * 8 + 3]],
  ];
  for (const [first, outcome] of cases) {
    const m = machine();
    gate(m, 8);
    gate(m, 11);
    gate(m, first, 0x0e00);
    raise(m, first, first === 6 || first === 7 || first === 0 ? -1 : 0);
    assertEquals(delivered(m), outcome, `vector ${first}`);
  }
});

Deno.test("raise() shuts down when the double fault cannot be delivered, and leaves the state as it was", () => {
  const m = machine();
  assertThrows(() => raise(m, 13, 0), Shutdown);
  assertEquals(m.u32[RIP >> 2], 0x1234);
  assertEquals(m.u32[gpr(4) >> 2], STACK);
});

Deno.test("raise() a page fault while another exception is delivered leaves its own CR2", () => {
  const m = machine();
  put32(m, CR0, 0x8000_0011);
  put64(m, CR2, 0x7777);
  // 32-bit tables at 0: the first 16 pages are there, but not page 7, where the stack is.
  m.memory.setUint32(0, 0x1_0003, true);
  for (let n = 0; n < 16; n++) m.memory.setUint32(0x1_0000 + n * 4, n === 7 ? 0 : n << 12 | 3, true);
  gate(m, 6);
  gate(m, 14);
  gate(m, 8);
  assertThrows(() => raise(m, 6, -1), Shutdown);
  assertEquals(get64(m, CR2), 0x7ffc);
});

Deno.test("raise() sets RF in what faults save, but not for #DB, whose DR6 bits it records", () => {
  const m = machine();
  gate(m, 6);
  raise(m, 6, -1);
  assertEquals(m.memory.getUint32(STACK - 4, true), 0x1_0002);
  const d = machine();
  gate(d, 1);
  put32(d, DR + 56, 0x2400);
  raise(d, 1, 0x2000);
  assertEquals(d.memory.getUint32(STACK - 4, true), 2);
  assertEquals(d.u32[(DR + 48) >> 2], 0xffff_2ff0);
  assertEquals(d.u32[(DR + 56) >> 2], 0x400);
});

Deno.test("deliver() protected mode: what is wrong with the gate, with EXT unless it is the program's own", () => {
  const cases: [name: string, attributes: number, selector: number, kind: "software" | "external", [number, number]][] =
    [
      ["no gate", 0x8900, 8, "software", [13, 0x182]],
      ["no gate, external", 0x8900, 8, "external", [13, 0x183]],
      ["not present", 0x0e00, 8, "software", [11, 0x182]],
      ["not present, external", 0x0e00, 8, "external", [11, 0x183]],
      ["null selector, external", 0x8e00, 0, "external", [13, 1]],
      ["data segment", 0x8e00, 16, "external", [13, 17]],
      ["beyond the GDT", 0x8e00, 0x80, "software", [13, 0x80]],
      ["task gate to no TSS", 0x8500, 16, "external", [13, 17]],
    ];
  for (const [name, attributes, selector, kind, outcome] of cases) {
    const m = machine();
    gate(m, 0x30, attributes, selector);
    assertEquals(faultOf(() => deliver(m, 0x30, kind, -1)), outcome, name);
  }
});

Deno.test("deliver() interrupt gates clear IF, trap gates keep it; NT, TF and RF go", () => {
  for (const [attributes, flags] of [[0x8e00, 2], [0x8f00, 0x202]]) {
    const m = machine();
    setFlags(m, 0x1_4302);
    gate(m, 0x30, attributes);
    deliver(m, 0x30, "external", -1);
    assertEquals(m.u32[RFLAGS >> 2], flags);
    assertEquals(m.memory.getUint32(STACK - 4, true), 0x1_4302);
  }
});
