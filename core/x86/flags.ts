/**
 * The six status flags as two 64-bit words, so that an instruction stores them without knowing who will read them:
 *
 * - FRES is the result, sign-extended from the operand's width: ZF is FRES = 0.
 * - FAUX bit 63 is the carry out of the result, bit 62 the carry into its top bit (so OF = bit 63 ^ bit 62), bit 3 is AF;
 *   bit 0 is xored into SF = sign of FRES, bits 8-15 into the byte of FRES whose parity is PF: the two corrections that
 *   let POPF and SAHF make any combination.
 *
 * The idea of a carry vector beside the result is Bochs' (cpu/lazy_flags.h); this layout is our own.
 * @module
 */
import { type I32, i32, type I64, i64 } from "../wasm/expr.ts";

/** CF is bit 0 of RFLAGS. */
export const CF = 0x001;
/** PF is bit 2. */
export const PF = 0x004;
/** AF is bit 4. */
export const AF = 0x010;
/** ZF is bit 6. */
export const ZF = 0x040;
/** SF is bit 7. */
export const SF = 0x080;
/** TF is bit 8. */
export const TF = 0x100;
/** IF is bit 9. */
export const IF = 0x200;
/** DF is bit 10. */
export const DF = 0x400;
/** OF is bit 11. */
export const OF = 0x800;
/** IOPL is bits 12 and 13. */
export const IOPL = 0x3000;
/** NT is bit 14. */
export const NT = 0x4000;
/** RF is bit 16. */
export const RF = 0x1_0000;
/** VM is bit 17. */
export const VM = 0x2_0000;
/** AC is bit 18. */
export const AC = 0x4_0000;
/** VIF is bit 19. */
export const VIF = 0x8_0000;
/** VIP is bit 20. */
export const VIP = 0x10_0000;
/** ID is bit 21. */
export const ID = 0x20_0000;
/** The six status flags. */
export const STATUS_FLAGS: number = CF | PF | AF | ZF | SF | OF;

/** The two words. */
export interface FlagWords {
  /** FRES. */
  readonly res: I64;
  /** FAUX. */
  readonly aux: I64;
  /** For the words of `a` − `b`: both, sign-extended, so that a condition can compare them directly. */
  readonly difference?: readonly [a: I64, b: I64];
}

/** Single flags as i32 0 or 1. */
export interface FlagBits {
  /** Carry. */
  readonly cf: I32;
  /** Parity. */
  readonly pf: I32;
  /** Auxiliary carry. */
  readonly af: I32;
  /** Zero. */
  readonly zf: I32;
  /** Sign. */
  readonly sf: I32;
  /** Overflow. */
  readonly of: I32;
}

const bit = (v: I64, n: number): I32 => i32.wrap_i64(i64.and(i64.shr_u(v, i64.const(n)), i64.const(1)));

/** CF of the two words. */
export const cfOf = (w: FlagWords): I32 => i32.wrap_i64(i64.shr_u(w.aux, i64.const(63)));
/** OF. */
export const ofOf = (w: FlagWords): I32 =>
  i32.wrap_i64(i64.shr_u(i64.xor(w.aux, i64.shl(w.aux, i64.const(1))), i64.const(63)));
/** AF. */
export const afOf = (w: FlagWords): I32 => bit(w.aux, 3);
/** ZF. */
export const zfOf = (w: FlagWords): I32 => i64.eqz(w.res);
/** SF. */
export const sfOf = (w: FlagWords): I32 =>
  i32.wrap_i64(i64.xor(i64.shr_u(w.res, i64.const(63)), i64.and(w.aux, i64.const(1))));
/** PF. */
export const pfOf = (w: FlagWords): I32 =>
  i32.xor(
    i32.and(
      i32.popcnt(i32.and(i32.wrap_i64(i64.xor(w.res, i64.shr_u(w.aux, i64.const(8)))), i32.const(0xff))),
      i32.const(1),
    ),
    i32.const(1),
  );

/** All six as single bits. */
export function bitsOf(w: FlagWords): FlagBits {
  return { cf: cfOf(w), pf: pfOf(w), af: afOf(w), zf: zfOf(w), sf: sfOf(w), of: ofOf(w) };
}

/** The words for any combination of flags. */
export function wordsOf(b: FlagBits): FlagWords {
  const e = (v: I32) => i64.extend_i32_u(v);
  const at = (v: I32, n: number) => i64.shl(e(v), i64.const(n));
  const carry = i64.or(at(b.cf, 63), at(i32.xor(b.cf, b.of), 62));
  const rest = i64.or(i64.or(at(b.af, 3), e(b.sf)), at(i32.xor(b.pf, b.zf), 8));
  return { res: e(i32.xor(b.zf, i32.const(1))), aux: i64.or(carry, rest) };
}

/** The carry and overflow bits of FAUX for given CF and OF. */
export function carryBits(cf: I32, of: I32): I64 {
  return i64.or(
    i64.shl(i64.extend_i32_u(cf), i64.const(63)),
    i64.shl(i64.extend_i32_u(i32.xor(cf, of)), i64.const(62)),
  );
}

/** The same two conversions on plain numbers, for TypeScript: status flags as RFLAGS bits from the words' halves. */
export function statusFromWords(resLow: number, resHigh: number, auxLow: number, auxHigh: number): number {
  let p = (resLow ^ (auxLow >>> 8)) & 0xff;
  p ^= p >> 4;
  p ^= p >> 2;
  p ^= p >> 1;
  return (auxHigh >>> 31) | (p & 1 ? 0 : PF) | (auxLow & 8 ? AF : 0) | ((resLow | resHigh) === 0 ? ZF : 0) |
    ((resHigh >>> 31) ^ (auxLow & 1) ? SF : 0) | ((auxHigh ^ (auxHigh << 1)) < 0 ? OF : 0);
}

/** FRES's low half for RFLAGS bits (its high half is 0). */
export function resFromStatus(rflags: number): number {
  return rflags & ZF ? 0 : 1;
}

/** FAUX's low half for RFLAGS bits. */
export function auxLowFromStatus(rflags: number): number {
  return (rflags & AF ? 8 : 0) | (rflags & SF ? 1 : 0) | (!(rflags & PF) !== !(rflags & ZF) ? 0x100 : 0);
}

/** FAUX's high half for RFLAGS bits. */
export function auxHighFromStatus(rflags: number): number {
  const cf = rflags & CF, of = rflags & OF ? 1 : 0;
  return (cf << 31) | ((cf ^ of) << 30);
}
