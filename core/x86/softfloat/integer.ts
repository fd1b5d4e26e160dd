/** Between floating point and integers, rounding to integral values, packed BCD. @module */
import { type Expr, type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import { C1, F80, IE, PE } from "./format.ts";
import { type Kit, type Pair, parameters, roundsUp, split, wide } from "./kit.ts";
import type { Operand, Operation } from "./operation.ts";
import { SseOperation } from "./sse.ts";
import { storeSlot, X87Operation, x87Return } from "./x87.ts";

/** 3, toward zero: the rounding of the truncating conversions. */
const TRUNCATE = i32.const(3);

/** A finite operand rounded to an integer magnitude. */
interface Integral {
  /** The magnitude. */
  readonly value: I64;
  /** The operand split at the integer point. */
  readonly parts: Pair;
  /** 1 if the magnitude grew. */
  readonly up: I32;
  /** 1 if a fraction was lost. */
  readonly inexact: I32;
}

/** Rounds an operand below 2^64 in magnitude. */
function integral(op: Operation, a: Operand, rc: I32): Integral {
  const { f, format } = op;
  const parts = split(f, op.sig(a), f.let(i32.sub(i32.const(format.bias + 63), op.exp(a))));
  const up = f.let(roundsUp(rc, a.sign, parts));
  const inexact = f.let(i64.ne(parts.lo, i64.const(0)));
  return { value: f.let(i64.add(parts.hi, wide(up))), parts, up, inexact };
}

/** Emits `refuse` for what no 64-bit magnitude holds: infinities, NaNs, unsupported encodings, 2^64 and above. */
function limit(op: Operation, a: Operand, refuse: () => void): void {
  op.f.if(i32.or(i32.gt_s(op.exp(a), i32.const(op.format.bias + 63)), op.isUnsupported(a)), refuse);
}

/** Conversion of f32 or f64 to a signed integer; the integer indefinite where it does not fit. */
export function toInteger(op: SseOperation, type: "i32" | "i64", truncate: boolean): void {
  const { f, operands: [a] } = op;
  const width = type === "i32" ? 32n : 64n;
  const typed = (v: I64): Expr => type === "i32" ? i32.wrap_i64(v) : v;
  const refuse = (): void => {
    op.raise(i32.const(IE));
    op.answer(typed(i64.const(-1n << (width - 1n))));
  };
  op.denormalsAreZero();
  limit(op, a, refuse);
  const n = integral(op, a, truncate ? TRUNCATE : op.rc);
  const most = i64.add(i64.const((1n << (width - 1n)) - 1n), i64.extend_i32_u(a.sign));
  f.if(i64.gt_u(n.value, most), refuse);
  f.if(n.inexact, () => op.raise(i32.const(PE)));
  op.answer(typed(select(a.sign, i64.sub(i64.const(0), n.value), n.value)));
}

/** FIST, FISTP and FISTTP: conversion of a slot to an integer of 16, 32 or 64 bits in memory. */
export function storeInteger(op: X87Operation, width: 16 | 32 | 64, truncate: boolean): void {
  const { f, kit, to, operands: [a] } = op;
  const store = (value: I64): void => {
    f.store(width === 64 ? "i64.store" : `i64.store${width}`, to, value, { memory: kit.memory });
  };
  const refuse = (): void => {
    op.raise(i32.const(IE));
    f.if(i32.eqz(op.masked(IE)), () => op.stop());
    store(i64.const(-1n << BigInt(width - 1)));
    op.done();
  };
  limit(op, a, refuse);
  const n = integral(op, a, truncate ? TRUNCATE : op.rc);
  f.if(i64.gt_u(n.value, i64.add(i64.const((1n << BigInt(width - 1)) - 1n), i64.extend_i32_u(a.sign))), refuse);
  store(select(a.sign, i64.sub(i64.const(0), n.value), n.value));
  inexactX87(op, n);
}

function inexactX87(op: X87Operation, n: Integral): void {
  op.f.if(n.inexact, () => op.raise(i32.const(PE)));
  op.done(select(n.up, i32.const(C1), i32.const(0)));
}

/** FBSTP: conversion of a slot to 18 packed decimal digits and a sign in 10 bytes of memory. */
export function storeDecimal(op: X87Operation): void {
  const { f, kit: { memory }, to, operands: [a] } = op;
  const refuse = (): void => {
    op.raise(i32.const(IE));
    f.if(i32.eqz(op.masked(IE)), () => op.stop());
    f.store("i64.store", to, i64.const(0xc000n << 48n), { memory });
    f.store("i32.store16", to, i32.const(0xffff), { offset: 8, memory });
    op.done();
  };
  limit(op, a, refuse);
  const n = integral(op, a, op.rc);
  f.if(i64.gt_u(n.value, i64.const(999_999_999_999_999_999n)), refuse);
  const rest = f.local("i64"), i = f.local("i32");
  f.set(rest, n.value);
  f.loop((again) => {
    const next = f.let(i64.div_u(f.get(rest), i64.const(100)));
    const two = f.let(i32.wrap_i64(i64.sub(f.get(rest), i64.mul(next, i64.const(100)))));
    // Tens in the upper nibble: n + 6 × (n / 10).
    const packed = i32.add(two, i32.mul(i32.div_u(two, i32.const(10)), i32.const(6)));
    f.store("i32.store8", i32.add(to, f.get(i)), packed, { memory });
    f.set(rest, next);
    f.set(i, i32.add(f.get(i), i32.const(1)));
    f.brIf(again, i32.lt_u(f.get(i), i32.const(9)));
  });
  f.store("i32.store8", to, i32.shl(a.sign, i32.const(7)), { offset: 9, memory });
  inexactX87(op, n);
}

/** Rounding of a significand that is an integer magnitude: sign, significand and exponent of the value. */
function normalised(f: FunctionBuilder, bias: number, magnitude: I64): { exp: I32; sig: I64 } {
  const n = f.let(i64.clz(magnitude));
  return { exp: i32.sub(i32.const(bias + 63), i32.wrap_i64(n)), sig: i64.shl(magnitude, n) };
}

/** ROUNDSS and ROUNDSD: the second parameter is the immediate (bits 0-1 rounding, 2 use MXCSR, 3 no precision). */
export function roundSse(op: SseOperation, immediate: I32): void {
  const { f } = op;
  const bit = (n: number): I32 => i32.and(immediate, i32.const(n));
  const rc = f.let(select(bit(4), op.rc, bit(3)));
  round(op, rc, i32.eqz(bit(8)));
}

/** FRNDINT. */
export function roundX87(op: X87Operation): void {
  round(op, op.rc, i32.const(1));
}

function round(op: Operation, rc: I32, reports: I32): void {
  const { f, format, operands: [a] } = op;
  op.prologue({
    special: () => {
      f.if(op.isTop(a), () => op.infinity(a.sign));
      f.if(op.isZero(a), () => op.zero(a.sign));
    },
    denormalQuiet: op instanceof SseOperation,
  });
  f.if(i32.ge_s(op.exp(a), i32.const(format.bias + format.sigBits - 1)), () => op.exact(a.sign, op.exp(a), op.sig(a)));
  const n = integral(op, a, rc);
  f.if(i32.and(n.inexact, reports), () => op.raise(i32.const(PE)));
  if (op instanceof X87Operation) f.if(n.up, () => op.raise(i32.const(C1)));
  f.if(i64.eqz(n.value), () => op.zero(a.sign));
  const { exp, sig } = normalised(f, format.bias, n.value);
  op.exact(a.sign, exp, sig);
}

/** Conversion of a signed integer parameter to f32 or f64. */
export function fromInteger(op: SseOperation, value: I64): void {
  const { f } = op;
  f.if(i64.eqz(value), () => op.zero(i32.const(0)));
  const sign = f.let(i64.lt_s(value, i64.const(0)));
  const { exp, sig } = normalised(f, op.result.bias, f.let(select(sign, i64.sub(i64.const(0), value), value)));
  op.round(sign, exp, sig, i64.const(0));
}

/** FILD: an i64 parameter to a slot; always exact. */
export function loadInteger(kit: Kit, f: FunctionBuilder): void {
  const [value, to] = parameters(f) as [I64, I32];
  const sign = f.let(i64.lt_s(value, i64.const(0)));
  const { exp, sig } = normalised(f, F80.bias, f.let(select(sign, i64.sub(i64.const(0), value), value)));
  storeSlot(kit, f, to, sign, select(i64.eqz(value), i32.const(0), exp), sig);
  x87Return(kit, f, i32.const(0));
}

/** FBLD: 10 bytes of packed decimal at an address to a slot; always exact. */
export function loadDecimal(kit: Kit, f: FunctionBuilder): void {
  const [from, to] = parameters(f) as [I32, I32];
  const { memory } = kit;
  const total = f.local("i64"), i = f.local("i32");
  f.set(i, i32.const(8));
  f.loop((again) => {
    const two = f.let(i32.load8_u(i32.add(from, f.get(i)), { memory }));
    // The value of two decimal nibbles: n - 6 × (n / 16).
    const value = i32.sub(two, i32.mul(i32.shr_u(two, i32.const(4)), i32.const(6)));
    f.set(total, i64.add(i64.mul(f.get(total), i64.const(100)), i64.extend_i32_u(value)));
    f.set(i, i32.sub(f.get(i), i32.const(1)));
    f.brIf(again, i32.ge_s(f.get(i), i32.const(0)));
  });
  const sign = f.let(i32.shr_u(i32.load8_u(from, { offset: 9, memory }), i32.const(7)));
  const { exp, sig } = normalised(f, F80.bias, f.get(total));
  storeSlot(kit, f, to, sign, select(i64.eqz(f.get(total)), i32.const(0), exp), sig);
  x87Return(kit, f, i32.const(0));
}
