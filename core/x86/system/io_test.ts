import { assertEquals } from "@std/assert";
import { ARG, CR0, CR4, DR, DS, ES, RIP, SEG_ATTR, SS, TR } from "../state.ts";
import { gpr, put32, segment } from "./access.ts";
import { FakeMachine, faultOf } from "./fake_machine_test_util.ts";
import { checkPort, input, inputString, outputString } from "./io.ts";
import { setFlags } from "./rflags.ts";
import { putSegment } from "./segments.ts";

/** CPL 3 with IOPL 0 and a TSS at 1000 whose bitmap, at 68, permits ports 0 to 7. */
function user(): FakeMachine {
  const m = new FakeMachine();
  put32(m, CR0, 0x11);
  m.u32[(segment(SS) + SEG_ATTR) >> 2] = 0xf3;
  putSegment(m, TR, 0x28, 0x1000, 103 + 33, 0x8b);
  m.memory.setUint16(0x1000 + 102, 104, true);
  for (let n = 1; n < 40; n++) m.memory.setUint8(0x1000 + 104 + n, 0xff);
  return m;
}

Deno.test("checkPort() asks IOPL, then the bitmap, of which two bytes must be within the TSS", () => {
  const cases: [port: number, size: number, outcome: [number, number] | null][] = [
    [0, 4, null],
    [4, 4, null],
    [5, 4, [13, 0]],
    [7, 1, null],
    [7, 2, [13, 0]],
    [8, 1, [13, 0]],
    [0x200, 1, [13, 0]],
  ];
  for (const [port, size, outcome] of cases) {
    assertEquals(faultOf(() => checkPort(user(), port, size)), outcome, `${port}`);
  }
  const privileged = user();
  setFlags(privileged, 0x3002);
  assertEquals(faultOf(() => checkPort(privileged, 8, 1)), null);
  const short = user();
  putSegment(short, TR, 0x28, 0x1000, 103, 0x8b);
  assertEquals(faultOf(() => checkPort(short, 0, 1)), [13, 0]);
  const old = user();
  putSegment(old, TR, 0x28, 0x1000, 200, 0x83);
  assertEquals(faultOf(() => checkPort(old, 0, 1)), [13, 0]);
});

/** Sets the operands of a string instruction. */
function strings(m: FakeMachine, size: number, asize: number, repeated: boolean, count: number, index: number): void {
  [size, asize, repeated ? 1 : 0].forEach((v, i) => put32(m, ARG + i * 8, v));
  put32(m, gpr(1), count);
  put32(m, gpr(6), index);
  put32(m, gpr(7), index);
  put32(m, gpr(2), 0x60);
  put32(m, RIP, 0x100);
  m.length = 2;
}

Deno.test("inputString() moves pointer, count and RIP by what was transferred", () => {
  const m = new FakeMachine();
  strings(m, 2, 16, true, 0x1_0003, 0x200);
  inputString(m);
  assertEquals([m.u32[gpr(1) >> 2], m.u32[gpr(7) >> 2], m.u32[RIP >> 2]], [0x1_0000, 0x206, 0x102]);
  assertEquals(m.memory.getUint16(0x204, true), 2);
});

Deno.test("inputString() stops at the segment's end and goes on from there", () => {
  const m = new FakeMachine(0x2_0000);
  strings(m, 1, 16, true, 4, 0xfffe);
  inputString(m);
  assertEquals([m.u32[gpr(1) >> 2], m.u16[gpr(7) >> 1], m.u32[RIP >> 2]], [2, 0, 0x100]);
  strings(m, 2, 16, false, 0, 0xffff);
  assertEquals(faultOf(() => inputString(m)), [13, 0]);
});

Deno.test("outputString() goes backward with DF, and does nothing for a count of 0", () => {
  const m = new FakeMachine();
  m.segment = segment(DS);
  strings(m, 1, 32, true, 3, 0x202);
  [1, 2, 3].forEach((v, i) => m.memory.setUint8(0x200 + i, v));
  setFlags(m, 0x402);
  outputString(m);
  assertEquals(m.ports, [[0x60, 1, 3], [0x60, 1, 2], [0x60, 1, 1]]);
  assertEquals(m.u32[gpr(6) >> 2], 0x1ff);
  strings(m, 1, 32, true, 0, 0x202);
  outputString(m);
  assertEquals([m.ports.length, m.u32[RIP >> 2]], [3, 0x102]);
});

Deno.test("inputString() needs a writable segment", () => {
  const m = new FakeMachine();
  put32(m, CR0, 0x11);
  putSegment(m, ES, 8, 0, 0xffff, 0x91);
  strings(m, 1, 32, false, 0, 0x200);
  assertEquals(faultOf(() => inputString(m)), [13, 0]);
});

Deno.test("input() traps by an I/O breakpoint, if CR4.DE is set", () => {
  const m = new FakeMachine();
  put32(m, DR, 0x60);
  put32(m, DR + 56, 0x2_0402);
  input(m, 0x60, 1);
  assertEquals(m.traps, 0);
  put32(m, CR4, 8);
  input(m, 0x5f, 1);
  assertEquals(m.traps, 0);
  input(m, 0x5f, 2);
  assertEquals(m.traps, 1);
});
