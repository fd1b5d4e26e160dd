/**
 * x87 control: control and status word, environment, stack pointer, initialisation. These do not wait for a pending
 * exception unless said, and do not count as the last x87 instruction. Source: SDM volume 2.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import * as S from "../state.ts";
import { checkFpu, EXCEPTIONS, Fpu, k32, PENDING, wait } from "./x87_stack.ts";

/** Bits of the control word that can be set, and the one that always is. */
const FCW_BITS = 0x1f3f, FCW_FIXED = 0x40;
const FCW_INITIAL = 0x37f;

const state = (at: number): I32 => i32.load(k32(0), { offset: at });

/** FLDCW: unmasks what is raised already, or masks what is pending. */
function loadControl(c: Ctx): void {
  checkFpu(c, true);
  const word = i32.wrap_i64(c.dst.read());
  const fcw = c.f.let(i32.or(i32.and(word, k32(FCW_BITS)), k32(FCW_FIXED)));
  const fsw = c.f.let(i32.and(state(S.FSW), k32(~PENDING)));
  const unmasked = i32.and(i32.and(fsw, k32(EXCEPTIONS)), i32.xor(fcw, k32(-1)));
  c.setState("i32.store", S.FCW, fcw);
  c.setState("i32.store", S.FSW, i32.or(fsw, select(unmasked, k32(PENDING), k32(0))));
}

function storeControl(c: Ctx): void {
  checkFpu(c, false);
  c.dst.write(c.state<I64>("i64.load16_u", S.FCW));
}

function storeStatus(c: Ctx): void {
  checkFpu(c, false);
  const top = i64.shl(i64.load32_u(k32(0), { offset: S.FTOP }), i64.const(11));
  c.dst.write(c.f.let(i64.or(i64.load16_u(k32(0), { offset: S.FSW }), top)));
}

function clearExceptions(c: Ctx): void {
  checkFpu(c, false);
  c.setState("i32.store", S.FSW, i32.and(state(S.FSW), k32(0x4700)));
}

function initialise(c: Ctx): void {
  checkFpu(c, false);
  c.setState("i32.store", S.FCW, k32(FCW_INITIAL));
  for (const at of [S.FSW, S.FTOP, S.FOP, S.FSEL]) c.setState("i32.store", at, k32(0));
  for (const at of [S.FIP, S.FDP]) c.setState("i64.store", at, i64.const(0));
  c.setState("i32.store", S.FEMPTY, k32(0xff));
}

/** FNSTENV, FNSAVE, FLDENV, FRSTOR: by helpers of x87_helpers.ts, which take the offset and 1 for the 16-bit layout. */
const environment = (name: "fnstenv" | "fnsave" | "fldenv" | "frstor") => (c: Ctx): void => {
  const loads = name === "fldenv" || name === "frstor", small = c.opsize === 16;
  checkFpu(c, loads);
  const bytes = (small ? 14 : 28) + (name === "fnsave" || name === "frstor" ? 80 : 0);
  // Checks the limit of the segment for all of it.
  c.dst.access(bytes, loads ? "read" : "write");
  c.helper(name, c.dst.offset(), i64.const(small ? 1 : 0));
};

/** FINCSTP, FDECSTP. */
const rotate = (by: number) => (c: Ctx): void => {
  const fpu = new Fpu(c);
  fpu.finish(k32(0));
  fpu.rotate(by);
};

/** FFREE, and FFREEP, which pops too. */
const free = (pops: boolean) => (c: Ctx): void => {
  const fpu = new Fpu(c);
  fpu.finish(k32(0));
  fpu.free(fpu.operand());
  if (pops) fpu.pop(k32(0));
};

function nothing(c: Ctx): void {
  const fpu = new Fpu(c);
  fpu.finish(fpu.f.let(fpu.c1()));
}

const FPU = { cpuid: "fpu" } as const;

/** Control. */
// deno-fmt-ignore
export const X87_CONTROL: readonly Row[] = [
  insn("FWAIT", "9B", {}, wait),
  insn("FLDENV", "D9 /4 M", FPU, environment("fldenv")),
  insn("FLDCW", "D9 /5 Mw", FPU, loadControl),
  insn("FNSTENV", "D9 /6 M", FPU, environment("fnstenv")),
  insn("FNSTCW", "D9 /7 Mw", FPU, storeControl),
  insn("FNOP", "D9 /D0", FPU, nothing),
  insn("FDECSTP", "D9 /F6", FPU, rotate(7)),
  insn("FINCSTP", "D9 /F7", FPU, rotate(1)),
  insn("FNENI", "DB /E0", FPU, (c) => checkFpu(c, false)),
  insn("FNDISI", "DB /E1", FPU, (c) => checkFpu(c, false)),
  insn("FNCLEX", "DB /E2", FPU, clearExceptions),
  insn("FNINIT", "DB /E3", FPU, initialise),
  insn("FNSETPM", "DB /E4", FPU, (c) => checkFpu(c, false)),
  insn("FRSTOR", "DD /4 M", FPU, environment("frstor")),
  insn("FNSAVE", "DD /6 M", FPU, environment("fnsave")),
  insn("FNSTSW", "DD /7 Mw", FPU, storeStatus),
  insn("FFREE", "DD /0 STi", FPU, free(false)),
  insn("FFREEP", "DF /0 STi", FPU, free(true)),
  insn("FNSTSW", "DF /E0 AX", FPU, storeStatus),
];
