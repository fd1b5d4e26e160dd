import { assertEquals } from "@std/assert";
import { CR0, CR3, CR4, CR8, CS, EFER, GDTR, RFLAGS, RIP, SEG_ATTR, TR, XCR0 } from "../state.ts";
import { put32, put64, segment } from "./access.ts";
import { checkState, IMPOSSIBLE, setCr0, setCr3, setCr4, setCr8, setEfer, setXcr0, writeControl } from "./control.ts";
import { FakeMachine, faultOf } from "./fake_machine_test_util.ts";

const PE = 1, PG = 0x8000_0000, PAE = 0x20, LME = 0x100, LMA = 0x400;

/** Long mode, 64-bit code. */
function long(): FakeMachine {
  const m = new FakeMachine();
  put32(m, CR0, PG | PE | 0x10);
  put32(m, CR4, PAE);
  put32(m, EFER, LME | LMA);
  m.u32[(segment(CS) + SEG_ATTR) >> 2] = 0xa09b;
  return m;
}

Deno.test("setCr0() refuses what cannot be, and keeps bits that do not exist clear", () => {
  const m = new FakeMachine();
  assertEquals(faultOf(() => setCr0(m, PG, 0)), [13, 0]);
  assertEquals(faultOf(() => setCr0(m, 0x2000_0000, 0)), [13, 0]);
  assertEquals(faultOf(() => setCr0(m, 0, 1)), [13, 0]);
  setCr0(m, 0x1fff_ffff, 0);
  assertEquals(m.u32[CR0 >> 2], 0x5_003f);
  setCr0(m, 0, 0);
  assertEquals(m.u32[CR0 >> 2], 0x10);
});

Deno.test("setCr0() PG with LME enters long mode if PAE is on, CS is not 64-bit and TR no 16-bit TSS", () => {
  const prepare = (cr4: number, cs: number, tr: number) => {
    const m = new FakeMachine();
    put32(m, EFER, LME);
    put32(m, CR4, cr4);
    m.u32[(segment(CS) + SEG_ATTR) >> 2] = cs;
    m.u32[(segment(TR) + SEG_ATTR) >> 2] = tr;
    return m;
  };
  for (const [cr4, cs, tr] of [[0, 0xc09b, 0x8b], [PAE, 0xa09b, 0x8b], [PAE, 0xc09b, 0x83]]) {
    const m = prepare(cr4, cs, tr);
    assertEquals(faultOf(() => setCr0(m, PG | PE, 0)), [13, 0]);
  }
  const m = prepare(PAE, 0xc09b, 0x8b);
  setCr0(m, PG | PE, 0);
  assertEquals(m.u32[EFER >> 2], LME | LMA);
  setCr0(m, PE, 0);
  assertEquals(m.u32[EFER >> 2], LME);
});

Deno.test("setCr4() takes what CPUID offers; long mode needs PAE, PCIDE long mode and a CR3 without PCID", () => {
  const old = new FakeMachine(0x1000, "pentium");
  assertEquals(faultOf(() => setCr4(old, PAE, 0)), [13, 0]);
  assertEquals(faultOf(() => setCr4(old, 0x10, 0)), null);
  const m = long();
  assertEquals(faultOf(() => setCr4(m, 0, 0)), [13, 0]);
  assertEquals(faultOf(() => setCr4(m, PAE | 1 << 31, 0)), [13, 0]);
  assertEquals(faultOf(() => setCr4(new FakeMachine(), 0x2_0000, 0)), [13, 0]);
  put32(m, CR3, 0x1001);
  assertEquals(faultOf(() => setCr4(m, PAE | 0x2_0000, 0)), [13, 0]);
  put32(m, CR3, 0x1000);
  assertEquals(faultOf(() => setCr4(m, PAE | 0x2_0000, 0)), null);
});

Deno.test("setCr3() checks the address against MAXPHYADDR, and takes bit 63 only with PCIDE", () => {
  const m = long();
  assertEquals(faultOf(() => setCr3(m, 0x1000, 0xff)), null);
  assertEquals(faultOf(() => setCr3(m, 0x1000, 0x100)), [13, 0]);
  assertEquals(faultOf(() => setCr3(m, 0x1000, 0x8000_0000 | 0)), [13, 0]);
  put32(m, CR4, PAE | 0x2_0000);
  assertEquals(faultOf(() => setCr3(m, 0x1005, 0x8000_0000 | 0)), null);
  assertEquals(m.i32[(CR3 >> 2) + 1], 0);
});

Deno.test("setCr8(), setXcr0() and setEfer() refuse reserved bits", () => {
  const m = long();
  assertEquals(faultOf(() => setCr8(m, 16, 0)), [13, 0]);
  setCr8(m, 15, 0);
  assertEquals(m.i32[CR8 >> 2], 15);
  for (const value of [0, 2, 4, 8]) assertEquals(faultOf(() => setXcr0(m, value, 0)), [13, 0]);
  setXcr0(m, 3, 0);
  assertEquals(m.i32[XCR0 >> 2], 3);
  assertEquals(setEfer(m, LME | 0x1000, 0), false);
  assertEquals(setEfer(m, 0, 0), false);
  assertEquals(setEfer(m, LME | 0x801, 0), true);
  assertEquals(m.i32[EFER >> 2], LME | LMA | 0x801);
});

Deno.test("writeControl() has no registers but 0, 2, 3, 4 and 8", () => {
  for (const n of [1, 5, 6, 7, 9, 15]) assertEquals(faultOf(() => writeControl(new FakeMachine(), n, 0, 0)), [6, -1]);
});

Deno.test("checkState() names the first impossible field", () => {
  const cases: [name: keyof typeof IMPOSSIBLE, spoil: (m: FakeMachine) => void][] = [
    ["cr0", (m) => put32(m, CR0, PG)],
    ["cr0", (m) => put32(m, CR0, 0x2000_0000)],
    ["cr0", (m) => put64(m, CR0, 0x1_0000_0010)],
    ["cr4", (m) => put32(m, CR4, 1 << 31)],
    ["cr4", (m) => put32(m, CR4, 0x2_0000)],
    ["cr4", (m) => (put32(m, CR0, PG | PE), put32(m, EFER, LME | LMA))],
    ["efer", (m) => put32(m, EFER, LMA)],
    ["efer", (m) => put32(m, EFER, 2)],
    ["cr3", (m) => put64(m, CR3, 0x100_0000_0000)],
    ["rflags", (m) => m.i32[RFLAGS >> 2] = 0x2_0002],
    ["rip", (m) => put64(m, RIP, 0x1_0000_0000)],
    ["table", (m) => put64(m, GDTR, 0x8000_0000_0000)],
  ];
  assertEquals(checkState(new FakeMachine()), 0);
  assertEquals(checkState(long()), 0);
  for (const [name, spoil] of cases) {
    const m = new FakeMachine();
    spoil(m);
    assertEquals(checkState(m), IMPOSSIBLE[name], name);
  }
  const m = long();
  m.u32[(segment(CS) + SEG_ATTR) >> 2] = 0xe09b;
  assertEquals(checkState(m), IMPOSSIBLE.cs);
  m.u32[(segment(CS) + SEG_ATTR) >> 2] = 0xa09b;
  put64(m, RIP, 0x8000_0000_0000);
  assertEquals(checkState(m), IMPOSSIBLE.rip);
  put64(m, RIP, -0x8000_0000_0000);
  assertEquals(checkState(m), 0);
});
