/**
 * m32 and m64 to register format and back, inline for normal numbers (and rounding to nearest); all others go to
 * soft-float.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { C1, F32, F64, F80, type Format, PE, TOP } from "../softfloat/format.ts";
import { type Fpu, k32, type Register, SLOT, storeSlot } from "./x87_stack.ts";

const formatOf = (c: Ctx): Format => c.dst.width === 64 ? F64 : F32;

/** Loads the bits of a memory operand. */
export function floatBits(c: Ctx): I64 {
  const { width } = c.dst;
  return c.f.let(c.dst.access(width / 8, "read").load<I64>(width === 64 ? "i64.load" : "i64.load32_u"));
}

/** Converts bits to a slot; what is not a normal number by `f80_from_f64` with `suffix`, which takes `more`. */
export function widen(c: Ctx, bits: I64, to: I32, suffix: string, ...more: I32[]): I32 {
  const { f } = c, { name, sigBits, maxExp, bias, type } = formatOf(c);
  const fraction = sigBits - 1;
  const exponent = f.let(i32.and(i32.wrap_i64(i64.shr_u(bits, i64.const(fraction))), k32(maxExp)));
  return f.choose(i32.lt_u(i32.sub(exponent, k32(1)), k32(maxExp - 1)), () => {
    const significand = i64.or(i64.shl(bits, i64.const(63 - fraction)), i64.const(TOP));
    const sign = i32.and(i32.wrap_i64(i64.shr_u(bits, i64.const(c.dst.width - 16))), k32(0x8000));
    storeSlot(f, to, significand, i32.or(sign, i32.add(exponent, k32(F80.bias - bias))));
    return k32(0);
  }, () => c.support<I32>(`f80_from_${name}${suffix}`, type === "i32" ? i32.wrap_i64(bits) : bits, to, ...more));
}

/** Converts a register to bits in the scratch slot; gives the flags. */
export function narrow(fpu: Fpu, from: Register): I32 {
  const { f, c } = fpu, { name, sigBits, maxExp, bias } = formatOf(c);
  const fraction = sigBits - 1, lost = i64.const(64 - sigBits);
  const significand = f.let(i64.load(from.at)), signExponent = f.let(i32.load16_u(from.at, { offset: 8 }));
  const exponent = f.let(i32.sub(i32.and(signExponent, k32(0x7fff)), k32(F80.bias - bias)));
  // One below the largest exponent, so that a carry stays finite.
  const normal = i32.and(
    i32.lt_u(i32.sub(exponent, k32(1)), k32(maxExp - 2)),
    i32.and(i64.lt_s(significand, i64.const(0)), i32.eqz(i32.and(fpu.fcw, k32(0xc00)))),
  );
  return f.choose(normal, () => {
    const rest = f.let(i64.and(significand, i64.const((1n << BigInt(64 - sigBits)) - 1n)));
    const kept = f.let(i64.shr_u(significand, lost)), odd = i64.and(kept, i64.const(1));
    const up = f.let(i64.gt_u(i64.add(rest, odd), i64.const(1n << BigInt(63 - sigBits))));
    const magnitude = i64.add(
      i64.add(i64.shl(i64.extend_i32_u(exponent), i64.const(fraction)), i64.extend_i32_u(up)),
      i64.and(kept, i64.const((1n << BigInt(fraction)) - 1n)),
    );
    const sign = i64.shl(i64.extend_i32_u(i32.shr_u(signExponent, k32(15))), i64.const(c.dst.width - 1));
    f.store("i64.store", k32(SLOT), i64.or(magnitude, sign));
    return select(i64.eqz(rest), k32(0), select(up, k32(PE | C1), k32(PE)));
  }, () => c.support<I32>(`f80_to_${name}`, from.at, k32(SLOT), fpu.fcw));
}
