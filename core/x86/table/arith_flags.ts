/**
 * What the meanings of integer instructions share: sign extension, flag words of results, names of loads and stores.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx, Width } from "../context.ts";
import type { FlagWords } from "../flags.ts";

/** An i64 constant. */
export const k = (value: number | bigint): I64 => i64.const(value);

/** Bits 63 and 62 of FAUX: carry, and carry into the top bit. */
const CARRIES = 3n << 62n;

/** A bit of FRES that clears ZF and has no part in SF and PF. */
export const NONZERO: bigint = 1n << 32n;

/** Mask of the low `width` bits. */
export function lowMask(width: number): I64 {
  return k(width === 64 ? -1n : (1n << BigInt(width)) - 1n);
}

/** The low `width` bits, zero-extended. */
export function zeroExtend(v: I64, width: number): I64 {
  return i64.and(v, lowMask(width));
}

/** The low `width` bits, sign-extended. */
export function signExtend(v: I64, width: number): I64 {
  switch (width) {
    case 8:
      return i64.extend8_s(v);
    case 16:
      return i64.extend16_s(v);
    case 32:
      return i64.extend32_s(v);
    default:
      return v;
  }
}

/** Bit `n` of `v`, as i64 0 or 1. */
export function bitAt(v: I64, n: number): I64 {
  return i64.and(i64.shr_u(v, k(n)), k(1));
}

/** A condition as i64 0 or 1. */
export function wide(condition: I32): I64 {
  return i64.extend_i32_u(condition);
}

/** Load of an unsigned integer of `width` bits. */
export function loadName(width: Width): string {
  return width === 64 ? "i64.load" : `i64.load${width}_u`;
}

/** Store of an integer of `width` bits. */
export function storeName(width: Width): string {
  return width === 64 ? "i64.store" : `i64.store${width}`;
}

/** Words of a result with a vector of the carries out of each bit. */
function carryVector(c: Ctx, v: I64, r: I64, width: Width): FlagWords {
  const cv = c.share(v);
  return {
    res: signExtend(r, width),
    aux: i64.or(i64.and(i64.shl(cv, k(64 - width)), k(CARRIES)), i64.and(cv, k(8))),
  };
}

/** Words of `r` = `a` + `b`, or `a` + `b` + 1. */
export function addFlags(c: Ctx, a: I64, b: I64, r: I64, width: Width): FlagWords {
  return carryVector(c, i64.or(i64.and(a, b), i64.and(i64.or(a, b), i64.xor(r, k(-1)))), r, width);
}

/** Words of `r` = `a` − `b`, or `a` − `b` − 1. */
export function subFlags(c: Ctx, a: I64, b: I64, r: I64, width: Width): FlagWords {
  const na = c.share(i64.xor(a, k(-1)));
  return carryVector(c, i64.or(i64.and(na, b), i64.and(i64.or(na, b), r)), r, width);
}

/** Words of `r` = `a` − `b` without a borrow. */
export function compareFlags(c: Ctx, a: I64, b: I64, r: I64, width: Width): FlagWords {
  return { ...subFlags(c, a, b, r, width), difference: [signExtend(a, width), signExtend(b, width)] };
}

/** Words of a logical result: CF, OF and AF are clear. */
export function logicFlags(r: I64, width: Width): FlagWords {
  return { res: signExtend(r, width), aux: k(0) };
}

/** Words of `r` with PF clear, whatever its low byte. */
export function oddFlags(c: Ctx, r: I64, cf: I64, width: Width): FlagWords {
  const even = i64.and(i64.xor(i64.popcnt(i64.and(r, k(0xff))), k(1)), k(1));
  return { res: signExtend(r, width), aux: c.share(i64.or(carries(cf, k(0)), i64.shl(even, k(8)))) };
}

/** FAUX for CF in bit 0 of `cf` and OF in bit 0 of `of`; AF is clear. */
export function carries(cf: I64, of: I64): I64 {
  return i64.or(i64.shl(cf, k(63)), i64.shl(i64.and(i64.xor(cf, of), k(1)), k(62)));
}

/** `words` with other CF and OF. */
export function withCarries(words: FlagWords, cf: I64, of: I64): FlagWords {
  return { res: words.res, aux: i64.or(i64.and(words.aux, k(~CARRIES)), carries(cf, of)) };
}

/** `words` with CF from bit 0 of `cf`. */
export function withCf(words: FlagWords, cf: I64): FlagWords {
  const of = i64.and(i64.xor(words.aux, i64.shl(words.aux, k(1))), k(1n << 63n));
  return withCarries(words, cf, i64.shr_u(of, k(63)));
}

/** `words` with other ZF; the corrections in FAUX keep SF and PF as they are. */
export function withZf(c: Ctx, words: FlagWords, zf: I32): FlagWords {
  const { res, aux } = words;
  const sign = i64.and(i64.xor(i64.shr_u(res, k(63)), aux), k(1));
  const parity = i64.and(i64.popcnt(i64.and(i64.xor(res, i64.shr_u(aux, k(8))), k(0xff))), k(1));
  const now = c.share(wide(i32.eqz(zf)));
  const corrections = i64.or(sign, i64.shl(i64.xor(parity, now), k(8)));
  return { res: now, aux: i64.or(i64.and(aux, k(CARRIES | 8n)), corrections) };
}

/** `a` if `condition` is not zero, else `b`, bound to a local. */
export function pick(c: Ctx, condition: I32, a: I64, b: I64): I64 {
  return c.f.let(select(condition, a, b));
}
