/**
 * Where the software TLB keeps a page: bits 12 to 22 of its linear address, changed by those above up to bit 31, so that
 * blocks a multiple of 8 MiB apart do not drive each other out. Neighbours never share a place, which the check of an access
 * that may reach into the next page relies on: it looks at the entry of the first byte for the page of the last.
 * @module
 */
import { type I32, i32, type I64, i64 } from "../wasm/expr.ts";
import * as S from "../x86/state.ts";

const MASK = S.TLB_ENTRIES - 1, BITS = Math.log2(S.TLB_ENTRIES), UPPER = 2 ** (20 - BITS) - 1;

/** The offset in its view of the entry for a linear address, in bytes. */
export function entryOf(linear: number): number {
  return ((linear >>> 12 ^ (linear >>> (12 + BITS) & UPPER)) & MASK) * 32;
}

/** The same for emitted code; `linear` is bound. */
export function entryExpr(linear: I64): I32 {
  const page = (shift: number): I32 => i32.wrap_i64(i64.shr_u(linear, i64.const(shift)));
  return i32.and(i32.xor(page(7), i32.and(page(7 + BITS), i32.const(UPPER * 32))), i32.const(MASK * 32));
}
