/**
 * x87 arithmetic: basic operations, remainders, scaling, rounding, signs, transcendental functions. Source: SDM volume
 * 2, and volume 1, 8.3.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { C0, C1, C2, C3, NO_RESULT } from "../softfloat/format.ts";
import { FSW } from "../state.ts";
import { floatBits, widen } from "./x87_float.ts";
import { Fpu, k32, type Register, SF, SLOT } from "./x87_stack.ts";

/** The operation with an X, a register or in memory: "sub" is ST(0) − X, "subr" X − ST(0), wherever the result goes. */
type Operation = "add" | "mul" | "sub" | "subr" | "div" | "divr";

function operate(fpu: Fpu, operation: Operation, x: I32, to: I32, fcw: I32 = fpu.fcw): I32 {
  const reversed = operation.endsWith("r"), st0 = fpu.st(0).at;
  const [a, b] = reversed ? [x, st0] : [st0, x];
  return fpu.c.support<I32>(`f80_${reversed ? operation.slice(0, -1) : operation}`, a, b, to, fcw);
}

/** FADD ST(0),ST(i) and the like. */
const toTop = (operation: Operation) => (c: Ctx): void => {
  const fpu = new Fpu(c), x = fpu.operand(), st0 = fpu.st(0);
  fpu.finish(fpu.unlessEmpty([st0, x], [st0], () => operate(fpu, operation, x.at, st0.at)));
};

/** FADD ST(i),ST(0) and FADDP. */
const toOperand = (operation: Operation, pops = false) => (c: Ctx): void => {
  const fpu = new Fpu(c), x = fpu.operand();
  const flags = fpu.unlessEmpty([fpu.st(0), x], [x], () => operate(fpu, operation, x.at, x.at));
  fpu.finish(flags);
  if (pops) fpu.pop(flags);
};

/** FADD m32 and m64: a denormal operand is an exception of the operation, not of a load. */
const withFloat = (operation: Operation) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0), bits = floatBits(c);
  fpu.finish(fpu.unlessEmpty([st0], [st0], () => {
    return operate(fpu, operation, k32(SLOT), st0.at, withOperand(fpu, bits));
  }));
};

/** Converts an m32 or m64 to the scratch slot; the control word of the operation tells whether it is a denormal. */
export function withOperand(fpu: Fpu, bits: I64): I32 {
  return fpu.f.let(i32.or(fpu.fcw, widen(fpu.c, bits, k32(SLOT), "_operand")));
}

/** FIADD and the like. */
const withInteger = (operation: Operation) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0), value = integerOperand(c);
  fpu.finish(fpu.unlessEmpty([st0], [st0], () => {
    c.support<I32>("f80_from_i64", value, k32(SLOT));
    return operate(fpu, operation, k32(SLOT), st0.at);
  }));
};

/** Loads a signed integer. */
export function integerOperand(c: Ctx): I64 {
  const { width } = c.dst;
  return c.f.let(c.dst.access(width / 8, "read").load<I64>(width === 64 ? "i64.load" : `i64.load${width}_s`));
}

/** FSQRT and FRNDINT. */
const unary = (name: "sqrt" | "round") => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0);
  fpu.finish(fpu.unlessEmpty([st0], [st0], () => c.support<I32>(`f80_${name}`, st0.at, st0.at, fpu.fcw)));
};

/** FPREM, FPREM1, FSCALE: ST(0) by ST(1), the flags. */
function byNext(fpu: Fpu, name: "prem" | "prem1" | "scale"): I32 {
  const st0 = fpu.st(0), st1 = fpu.st(1);
  return fpu.unlessEmpty([st0, st1], [st0], () => {
    return fpu.c.support<I32>(`f80_${name}`, st0.at, st1.at, st0.at, fpu.fcw);
  });
}

/** FPREM and FPREM1: C0 and C3 stay where there is no quotient, which the manual leaves open. */
const remainder = (name: "prem" | "prem1") => (c: Ctx): void => {
  const fpu = new Fpu(c), flags = byNext(fpu, name);
  const exponent = i32.and(i32.load16_u(fpu.st(0).at, { offset: 8 }), k32(0x7fff));
  const none = i32.or(i32.and(flags, k32(SF | NO_RESULT)), i32.eq(exponent, k32(0x7fff)));
  const old = i32.load(k32(0), { offset: FSW });
  const kept = select(none, i32.and(old, k32(C0 | C3)), k32(0));
  fpu.finish(fpu.f.let(i32.or(flags, kept)), C0 | C1 | C2 | C3);
};

function scale(c: Ctx): void {
  const fpu = new Fpu(c);
  fpu.finish(byNext(fpu, "scale"));
}

/** FCHS and FABS: of any encoding. */
const sign = (change: (signExponent: I32) => I32) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0);
  fpu.finish(fpu.unlessEmpty([st0], [st0], () => {
    fpu.f.store("i32.store16", st0.at, change(i32.load16_u(st0.at, { offset: 8 })), { offset: 8 });
    return k32(0);
  }));
};

/** What replaces ST(0) and is pushed: two results. Underflow comes before overflow. */
function pushing(c: Ctx, codes: number, compute: (fpu: Fpu, st0: Register, pushed: Register) => I32): void {
  const fpu = new Fpu(c), st0 = fpu.st(0), pushed = fpu.st(7), both = [st0, pushed];
  const flags = fpu.unlessEmpty([st0], both, () => fpu.unlessFull(both, () => compute(fpu, st0, pushed)));
  fpu.finish(flags, codes);
  fpu.push(flags);
}

function extract(c: Ctx): void {
  pushing(c, C1, (fpu, st0, pushed) => c.support<I32>("f80_extract", st0.at, st0.at, pushed.at, fpu.fcw));
}

/** The result of a helper of x87_helpers.ts: the flags. */
function transcendental(fpu: Fpu, name: string, ...args: I32[]): I32 {
  fpu.c.helper(name, ...[...args, fpu.fcw].map((a) => i64.extend_i32_u(a)));
  return i32.wrap_i64(fpu.c.result(0));
}

/** FSIN, FCOS, F2XM1. */
const replacing = (name: string, codes: number) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0);
  fpu.finish(fpu.unlessEmpty([st0], [st0], () => transcendental(fpu, name, st0.at)), codes);
};

/** FSINCOS and FPTAN. */
const twofold = (name: string) => (c: Ctx): void => {
  pushing(c, C1 | C2, (fpu, st0, pushed) => transcendental(fpu, name, st0.at, pushed.at));
};

/** FYL2X, FYL2XP1, FPATAN: of ST(1) and ST(0), to ST(1), and a pop. */
const popping = (name: string) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0), st1 = fpu.st(1);
  const flags = fpu.unlessEmpty([st0, st1], [st1], () => transcendental(fpu, name, st1.at, st0.at));
  fpu.finish(flags);
  fpu.pop(flags);
};

const FPU = { cpuid: "fpu" } as const;

/** Arithmetic. */
// deno-fmt-ignore
export const X87_ARITHMETIC: readonly Row[] = [
  insn("FADD", "D8 /0 STi", FPU, toTop("add")),
  insn("FMUL", "D8 /1 STi", FPU, toTop("mul")),
  insn("FSUB", "D8 /4 STi", FPU, toTop("sub")),
  insn("FSUBR", "D8 /5 STi", FPU, toTop("subr")),
  insn("FDIV", "D8 /6 STi", FPU, toTop("div")),
  insn("FDIVR", "D8 /7 STi", FPU, toTop("divr")),
  insn("FADD", "D8 /0 Md|DC /0 Mq", FPU, withFloat("add")),
  insn("FMUL", "D8 /1 Md|DC /1 Mq", FPU, withFloat("mul")),
  insn("FSUB", "D8 /4 Md|DC /4 Mq", FPU, withFloat("sub")),
  insn("FSUBR", "D8 /5 Md|DC /5 Mq", FPU, withFloat("subr")),
  insn("FDIV", "D8 /6 Md|DC /6 Mq", FPU, withFloat("div")),
  insn("FDIVR", "D8 /7 Md|DC /7 Mq", FPU, withFloat("divr")),
  insn("FCHS", "D9 /E0", FPU, sign((se) => i32.xor(se, k32(0x8000)))),
  insn("FABS", "D9 /E1", FPU, sign((se) => i32.and(se, k32(0x7fff)))),
  insn("F2XM1", "D9 /F0", FPU, replacing("f2xm1", C1)),
  insn("FYL2X", "D9 /F1", FPU, popping("fyl2x")),
  insn("FPTAN", "D9 /F2", FPU, twofold("fptan")),
  insn("FPATAN", "D9 /F3", FPU, popping("fpatan")),
  insn("FXTRACT", "D9 /F4", FPU, extract),
  insn("FPREM1", "D9 /F5", FPU, remainder("prem1")),
  insn("FPREM", "D9 /F8", FPU, remainder("prem")),
  insn("FYL2XP1", "D9 /F9", FPU, popping("fyl2xp1")),
  insn("FSQRT", "D9 /FA", FPU, unary("sqrt")),
  insn("FSINCOS", "D9 /FB", FPU, twofold("fsincos")),
  insn("FRNDINT", "D9 /FC", FPU, unary("round")),
  insn("FSCALE", "D9 /FD", FPU, scale),
  insn("FSIN", "D9 /FE", FPU, replacing("fsin", C1 | C2)),
  insn("FCOS", "D9 /FF", FPU, replacing("fcos", C1 | C2)),
  insn("FIADD", "DA /0 Md|DE /0 Mw", FPU, withInteger("add")),
  insn("FIMUL", "DA /1 Md|DE /1 Mw", FPU, withInteger("mul")),
  insn("FISUB", "DA /4 Md|DE /4 Mw", FPU, withInteger("sub")),
  insn("FISUBR", "DA /5 Md|DE /5 Mw", FPU, withInteger("subr")),
  insn("FIDIV", "DA /6 Md|DE /6 Mw", FPU, withInteger("div")),
  insn("FIDIVR", "DA /7 Md|DE /7 Mw", FPU, withInteger("divr")),
  insn("FADD", "DC /0 STi", FPU, toOperand("add")),
  insn("FMUL", "DC /1 STi", FPU, toOperand("mul")),
  insn("FSUBR", "DC /4 STi", FPU, toOperand("sub")),
  insn("FSUB", "DC /5 STi", FPU, toOperand("subr")),
  insn("FDIVR", "DC /6 STi", FPU, toOperand("div")),
  insn("FDIV", "DC /7 STi", FPU, toOperand("divr")),
  insn("FADDP", "DE /0 STi", FPU, toOperand("add", true)),
  insn("FMULP", "DE /1 STi", FPU, toOperand("mul", true)),
  insn("FSUBRP", "DE /4 STi", FPU, toOperand("sub", true)),
  insn("FSUBP", "DE /5 STi", FPU, toOperand("subr", true)),
  insn("FDIVRP", "DE /6 STi", FPU, toOperand("div", true)),
  insn("FDIVP", "DE /7 STi", FPU, toOperand("divr", true)),
];
