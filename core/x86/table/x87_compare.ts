/**
 * x87 comparison and classification. Source: SDM volume 2.
 * @module
 */
import { type I32, i32, i64, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { wordsOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { C0, C1, C2, C3, DE, IE, NO_RESULT } from "../softfloat/format.ts";
import { integerOperand, withOperand } from "./x87_arith.ts";
import { floatBits } from "./x87_float.ts";
import { Fpu, k32, SF, SLOT, storeSlot } from "./x87_stack.ts";

/** An unordered result. */
const UNORDERED = C0 | C2 | C3;
const CODES = C0 | C1 | C2 | C3;
type Comparison = "f80_compare" | "f80_compare_quiet";

/** What an unmasked exception of a comparison holds back: the pop. */
function pop(fpu: Fpu, flags: I32, count: number): void {
  if (!count) return;
  const unmasked = i32.and(i32.and(flags, k32(IE | DE)), i32.xor(fpu.fcw, k32(-1)));
  fpu.pop(fpu.f.let(select(unmasked, k32(NO_RESULT), k32(0))), count);
}

/** Comparison of ST(0) with a slot, the result in the condition bits. */
function compareTop(
  fpu: Fpu,
  name: Comparison,
  pops: number,
  other: () => { at: I32; fcw?: I32 },
  also = fpu.st(0),
): void {
  const st0 = fpu.st(0);
  const flags = fpu.unlessEmpty([st0, also], [], () => {
    const { at, fcw = fpu.fcw } = other();
    return fpu.c.support<I32>(name, st0.at, at, fcw);
  });
  const all = fpu.f.let(i32.or(flags, select(i32.and(flags, k32(SF)), k32(UNORDERED), k32(0))));
  fpu.finish(all, CODES);
  pop(fpu, all, pops);
}

const withRegister = (name: Comparison, pops: number) => (c: Ctx): void => {
  const fpu = new Fpu(c), x = c.form.operands.length ? fpu.operand() : fpu.st(1);
  compareTop(fpu, name, pops, () => x, x);
};

const withFloat = (pops: number) => (c: Ctx): void => {
  const fpu = new Fpu(c), bits = floatBits(c);
  compareTop(fpu, "f80_compare", pops, () => ({ fcw: withOperand(fpu, bits), at: k32(SLOT) }));
};

const withInteger = (pops: number) => (c: Ctx): void => {
  const fpu = new Fpu(c), value = integerOperand(c);
  compareTop(fpu, "f80_compare", pops, () => {
    c.support<I32>("f80_from_i64", value, k32(SLOT));
    return { at: k32(SLOT) };
  });
};

function withZero(c: Ctx): void {
  compareTop(new Fpu(c), "f80_compare", 0, () => {
    storeSlot(c.f, k32(SLOT), i64.const(0), k32(0));
    return { at: k32(SLOT) };
  });
}

/** FCOMI and its kin: the result in ZF, PF and CF; OF, SF and AF are cleared, which the manual leaves open. */
const toFlags = (name: Comparison, pops: number) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0), x = fpu.operand();
  const flags = fpu.unlessEmpty([st0, x], [], () => i32.or(c.support<I32>(name, st0.at, x.at, fpu.fcw), fpu.c1()));
  const codes = c.f.let(select(i32.and(flags, k32(SF)), k32(UNORDERED), flags));
  const bit = (code: number): I32 => i32.ne(i32.and(codes, k32(code)), k32(0));
  const none = k32(0);
  c.setFlags(wordsOf({ zf: bit(C3), pf: bit(C2), cf: bit(C0), of: none, sf: none, af: none }));
  fpu.finish(flags);
  pop(fpu, flags, pops);
};

/** FXAM: never an exception; C1 is the sign, even of an empty register. */
function examine(c: Ctx): void {
  const fpu = new Fpu(c), st0 = fpu.st(0), { f } = c;
  const se = f.let(i32.load16_u(st0.at, { offset: 8 })), sig = f.let(i64.load(st0.at));
  const exponent = f.let(i32.and(se, k32(0x7fff))), integer = i64.lt_s(sig, i64.const(0));
  const zero = i64.eqz(sig), infinity = i64.eqz(i64.shl(sig, i64.const(1)));
  const low = select(zero, k32(C3), k32(C2 | C3));
  const high = select(i32.eq(exponent, k32(0x7fff)), select(infinity, k32(C0 | C2), k32(C0)), k32(C2));
  const full = select(exponent, select(integer, high, k32(0)), low);
  const kind = select(fpu.isEmpty(st0), k32(C0 | C3), full);
  fpu.finish(f.let(i32.or(kind, i32.shl(i32.shr_u(se, k32(15)), k32(9)))), CODES);
}

const FPU = { cpuid: "fpu" } as const;
const P6 = { cpuid: "cmov", writes: "OSZAPC" } as const;
const SIGNALING = "f80_compare", QUIET = "f80_compare_quiet";

/** Comparison. */
// deno-fmt-ignore
export const X87_COMPARISON: readonly Row[] = [
  insn("FCOM", "D8 /2 Md|DC /2 Mq", FPU, withFloat(0)),
  insn("FCOMP", "D8 /3 Md|DC /3 Mq", FPU, withFloat(1)),
  insn("FCOM", "D8 /2 STi|DC /2 STi", FPU, withRegister(SIGNALING, 0)),
  insn("FCOMP", "D8 /3 STi|DC /3 STi|DE /2 STi", FPU, withRegister(SIGNALING, 1)),
  insn("FTST", "D9 /E4", FPU, withZero),
  insn("FXAM", "D9 /E5", FPU, examine),
  insn("FICOM", "DA /2 Md|DE /2 Mw", FPU, withInteger(0)),
  insn("FICOMP", "DA /3 Md|DE /3 Mw", FPU, withInteger(1)),
  insn("FUCOMPP", "DA /E9", FPU, withRegister(QUIET, 2)),
  insn("FUCOMI", "DB /5 STi", P6, toFlags(QUIET, 0)),
  insn("FCOMI", "DB /6 STi", P6, toFlags(SIGNALING, 0)),
  insn("FUCOM", "DD /4 STi", FPU, withRegister(QUIET, 0)),
  insn("FUCOMP", "DD /5 STi", FPU, withRegister(QUIET, 1)),
  insn("FCOMPP", "DE /D9", FPU, withRegister(SIGNALING, 2)),
  insn("FUCOMIP", "DF /5 STi", P6, toFlags(QUIET, 1)),
  insn("FCOMIP", "DF /6 STi", P6, toFlags(SIGNALING, 1)),
];
