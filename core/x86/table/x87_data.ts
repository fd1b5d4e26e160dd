/**
 * x87 data movement: loads, stores, constants, moves between registers. Source: SDM volume 2.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx, Width } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { NO_RESULT } from "../softfloat/format.ts";
import { storeName } from "./arith_flags.ts";
import { integerOperand } from "./x87_arith.ts";
import { floatBits, narrow, widen } from "./x87_float.ts";
import { Fpu, indefinite, k32, type Register, SLOT, storeSlot } from "./x87_stack.ts";

/** Pushes what `compute` puts into a register. */
function pushed(fpu: Fpu, compute: (to: Register) => I32): void {
  const to = fpu.st(7);
  const flags = fpu.unlessFull([to], () => compute(to));
  fpu.finish(flags);
  fpu.push(flags);
}

function loadFloat(c: Ctx): void {
  const fpu = new Fpu(c), bits = floatBits(c);
  pushed(fpu, (to) => widen(c, bits, to.at, "", fpu.fcw));
}

function loadInteger(c: Ctx): void {
  const fpu = new Fpu(c), value = integerOperand(c);
  pushed(fpu, (to) => c.support<I32>("f80_from_i64", value, to.at));
}

/** The ten bytes of an m80. */
function loadTen(c: Ctx): [low: I64, high: I32] {
  const access = c.dst.access(10, "read");
  return [c.f.let(access.load<I64>("i64.load")), c.f.let(access.load<I32>("i32.load16_u", 8))];
}

/** FLD m80: any encoding, without an exception. */
function loadExtended(c: Ctx): void {
  const fpu = new Fpu(c), [significand, signExponent] = loadTen(c);
  pushed(fpu, (to) => {
    storeSlot(c.f, to.at, significand, signExponent);
    return k32(0);
  });
}

function loadDecimal(c: Ctx): void {
  const fpu = new Fpu(c), [low, high] = loadTen(c);
  pushed(fpu, (to) => {
    storeSlot(c.f, k32(SLOT), low, high);
    return c.support<I32>("f80_from_bcd", k32(SLOT), to.at);
  });
}

function loadRegister(c: Ctx): void {
  const fpu = new Fpu(c), from = fpu.operand(), to = fpu.st(7);
  const flags = fpu.unlessEmpty([from], [to], () =>
    fpu.unlessFull([to], () => {
      fpu.copy(to, from);
      return k32(0);
    }));
  fpu.finish(flags);
  fpu.push(flags);
}

/** FLDPI and the like: a significand and exponent, and for each rounding control what is added to the significand. */
const constant =
  (significand: bigint, exponent: number, adjust: readonly [0 | 1 | -1, 0 | 1 | -1, 0 | 1 | -1] = [0, 0, 0]) =>
  (c: Ctx): void => {
    const fpu = new Fpu(c);
    pushed(fpu, (to) => {
      const [down, up, zero] = adjust;
      const rc = c.f.let(i32.and(i32.shr_u(fpu.fcw, k32(10)), k32(3)));
      const is = (n: number, by: number): I64 =>
        by ? select(i32.eq(rc, k32(n)), i64.const(by), i64.const(0)) : i64.const(0);
      const sum = i64.add(i64.add(i64.const(significand), is(1, down)), i64.add(is(2, up), is(3, zero)));
      storeSlot(c.f, to.at, sum, k32(exponent));
      return k32(0);
    });
  };

/**
 * Stores ST(0) to memory: `convert` leaves the bytes in a scratch slot, as `empty` does for an empty ST(0). An unmasked
 * exception other than inexactness leaves memory as it is, and does not look whether it could be written.
 */
function store(
  c: Ctx,
  bytes: number,
  pops: boolean,
  empty: () => void,
  convert: (fpu: Fpu, st0: Register) => I32,
): void {
  const fpu = new Fpu(c), st0 = fpu.st(0), { f } = c;
  c.dst.offset();
  const flags = fpu.unlessEmpty([st0], empty, () => convert(fpu, st0));
  f.if(i32.eqz(i32.and(flags, k32(NO_RESULT))), () => {
    const access = c.dst.access(bytes, "write");
    if (bytes === 10) access.store("i32.store16", i32.load16_u(k32(SLOT), { offset: 8 }), 8);
    access.store(bytes === 10 ? "i64.store" : storeName(bytes * 8 as Width), i64.load(k32(SLOT)));
  });
  fpu.finish(flags);
  if (pops) fpu.pop(flags);
}

/** FST m32 and m64: the bits stand for an empty register. */
const storeFloat = (emptyBits: bigint, pops: boolean) => (c: Ctx): void => {
  store(c, c.dst.width / 8, pops, () => c.f.store("i64.store", k32(SLOT), i64.const(emptyBits)), narrow);
};

/** FIST and FISTTP: the soft-float function that converts, and the bits that stand for an empty register. */
const storeInteger = (name: string, emptyBits: bigint, pops: boolean) => (c: Ctx): void => {
  const empty = () => c.f.store("i64.store", k32(SLOT), i64.const(emptyBits));
  store(c, c.dst.width / 8, pops, empty, (fpu, st0) => c.support<I32>(`f80_to_${name}`, st0.at, k32(SLOT), fpu.fcw));
};

/** FSTP m80: any encoding, without an exception. */
function storeExtended(c: Ctx): void {
  store(c, 10, true, () => indefinite(c.f, k32(SLOT)), (_, st0) => {
    storeSlot(c.f, k32(SLOT), i64.load(st0.at), i32.load16_u(st0.at, { offset: 8 }));
    return k32(0);
  });
}

function storeDecimal(c: Ctx): void {
  const empty = () => storeSlot(c.f, k32(SLOT), i64.const(0xc000n << 48n), k32(0xffff));
  store(c, 10, true, empty, (fpu, st0) => c.support<I32>("f80_to_bcd", st0.at, k32(SLOT), fpu.fcw));
}

/** FST and FSTP ST(i). */
const storeRegister = (pops: boolean) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0), to = fpu.operand();
  const flags = fpu.unlessEmpty([st0], [to], () => {
    fpu.copy(to, st0);
    fpu.fill(to);
    return k32(0);
  });
  fpu.finish(flags);
  if (pops) fpu.pop(flags);
};

/** FSTP1, an encoding that no manual names any more: an empty ST(0) is no fault, and leaves the other register. */
function storeAlias(c: Ctx): void {
  const fpu = new Fpu(c), st0 = fpu.st(0), to = fpu.operand();
  c.f.if(i32.eqz(fpu.isEmpty(st0)), () => {
    fpu.copy(to, st0);
    fpu.fill(to);
  });
  fpu.finish(k32(0));
  fpu.pop(k32(0));
}

/** FXCH: the masked response makes empty registers indefinite before the exchange. */
function exchange(c: Ctx): void {
  const fpu = new Fpu(c), st0 = fpu.st(0), other = fpu.operand();
  const response = () => {
    for (const r of [st0, other]) c.f.if(fpu.isEmpty(r), () => fpu.setIndefinite(r));
    fpu.exchange(st0, other);
  };
  fpu.finish(fpu.unlessEmpty([st0, other], response, () => {
    fpu.exchange(st0, other);
    return k32(0);
  }));
}

/** FCMOVcc: an empty register is a fault whatever the condition. */
const moveIf = (cc: number) => (c: Ctx): void => {
  const fpu = new Fpu(c), st0 = fpu.st(0), from = fpu.operand(), taken = c.condition(cc);
  const flags = fpu.unlessEmpty([st0, from], [st0], () => {
    c.f.if(taken, () => fpu.copy(st0, from));
    return fpu.c1();
  });
  fpu.finish(flags);
};

const FPU = { cpuid: "fpu" } as const;
const CMOV = { cpuid: "cmov", reads: "ZPC" } as const;
const SSE3 = { cpuid: "sse3" } as const;
const I16 = 0x8000n, I32_MIN = 0x8000_0000n, I64_MIN = 1n << 63n;
const F32_NAN = 0xffc0_0000n, F64_NAN = 0xfff8n << 48n;

/** Data movement. */
// deno-fmt-ignore
export const X87_DATA: readonly Row[] = [
  insn("FLD", "D9 /0 Md|DD /0 Mq", FPU, loadFloat),
  insn("FST", "D9 /2 Md", FPU, storeFloat(F32_NAN, false)),
  insn("FSTP", "D9 /3 Md", FPU, storeFloat(F32_NAN, true)),
  insn("FLD", "D9 /0 STi", FPU, loadRegister),
  insn("FXCH", "D9 /1 STi|DD /1 STi|DF /1 STi", FPU, exchange),
  insn("FLD1", "D9 /E8", FPU, constant(0x8000_0000_0000_0000n, 0x3fff)),
  insn("FLDL2T", "D9 /E9", FPU, constant(0xd49a_784b_cd1b_8afen, 0x4000, [0, 1, 0])),
  insn("FLDL2E", "D9 /EA", FPU, constant(0xb8aa_3b29_5c17_f0bcn, 0x3fff, [-1, 0, -1])),
  insn("FLDPI", "D9 /EB", FPU, constant(0xc90f_daa2_2168_c235n, 0x4000, [-1, 0, -1])),
  insn("FLDLG2", "D9 /EC", FPU, constant(0x9a20_9a84_fbcf_f799n, 0x3ffd, [-1, 0, -1])),
  insn("FLDLN2", "D9 /ED", FPU, constant(0xb172_17f7_d1cf_79acn, 0x3ffe, [-1, 0, -1])),
  insn("FLDZ", "D9 /EE", FPU, constant(0n, 0)),
  insn("FCMOVB", "DA /0 STi", CMOV, moveIf(2)),
  insn("FCMOVE", "DA /1 STi", CMOV, moveIf(4)),
  insn("FCMOVBE", "DA /2 STi", CMOV, moveIf(6)),
  insn("FCMOVU", "DA /3 STi", CMOV, moveIf(10)),
  insn("FCMOVNB", "DB /0 STi", CMOV, moveIf(3)),
  insn("FCMOVNE", "DB /1 STi", CMOV, moveIf(5)),
  insn("FCMOVNBE", "DB /2 STi", CMOV, moveIf(7)),
  insn("FCMOVNU", "DB /3 STi", CMOV, moveIf(11)),
  insn("FILD", "DB /0 Md|DF /0 Mw|DF /5 Mq", FPU, loadInteger),
  insn("FIST", "DB /2 Md", FPU, storeInteger("i32", I32_MIN, false)),
  insn("FISTP", "DB /3 Md", FPU, storeInteger("i32", I32_MIN, true)),
  insn("FISTTP", "DB /1 Md", SSE3, storeInteger("i32_trunc", I32_MIN, true)),
  insn("FLD", "DB /5 Mt", FPU, loadExtended),
  insn("FSTP", "DB /7 Mt", FPU, storeExtended),
  insn("FISTTP", "DD /1 Mq", SSE3, storeInteger("i64_trunc", I64_MIN, true)),
  insn("FST", "DD /2 Mq", FPU, storeFloat(F64_NAN, false)),
  insn("FSTP", "DD /3 Mq", FPU, storeFloat(F64_NAN, true)),
  insn("FST", "DD /2 STi", FPU, storeRegister(false)),
  insn("FSTP", "D9 /3 STi", FPU, storeAlias),
  insn("FSTP", "DD /3 STi|DF /2 STi|DF /3 STi", FPU, storeRegister(true)),
  insn("FISTTP", "DF /1 Mw", SSE3, storeInteger("i16_trunc", I16, true)),
  insn("FIST", "DF /2 Mw", FPU, storeInteger("i16", I16, false)),
  insn("FISTP", "DF /3 Mw", FPU, storeInteger("i16", I16, true)),
  insn("FBLD", "DF /4 Mt", FPU, loadDecimal),
  insn("FBSTP", "DF /6 Mt", FPU, storeDecimal),
  insn("FISTP", "DF /7 Mq", FPU, storeInteger("i64", I64_MIN, true)),
];
