/**
 * The x87 transcendental instructions as pure functions over f80 values. Results are the correctly rounded ones from
 * some 240 bits, in the rounding mode of the control word, always to 64 bits; Intel's are within one ulp of them and
 * mostly (85 to 99 of 100) the same.
 *
 * Deviations from mathematics that are the processor's own, confirmed on one:
 * - arguments of the trigonometric functions are reduced by pi to 66 bits;
 * - below 2^-68 the sine and tangent are the argument and the cosine is 1 in every rounding mode, below 2^-40 the inverse
 *   tangent is its argument, and below 2^-33 the tangent rounds as if it were a little less than its argument;
 * - a negative logarithm of a power of two rounds as if it were a little nearer to zero;
 * - every result but zeros and infinities is inexact.
 *
 * C1 tells the rounding of the correct result, while the processor's follows its own approximation.
 * Source: Intel SDM volume 1, 8.3.8 to 8.3.10, and the instruction pages.
 * @module
 */
import { C2, PE, ZE } from "./format.ts";
import { bitLength, f80, type F80Bits, type F80Value, type Outcome, Response, unpackF80 } from "./f80_value.ts";
import {
  arctangent,
  exponentialLess1,
  FRACTION,
  LN2,
  logarithm,
  ONE,
  over,
  PI,
  scaled,
  sinCos,
  times,
} from "./fixed_point.ts";

/** Half of pi to 66 bits, in fixed point. */
const HALF_PI66 = (PI >> BigInt(FRACTION - 64)) << BigInt(FRACTION - 65);
/** Significand of 1, 2, 4 … */
const UNIT = 1n << 63n;
/** Significand of the square root of 2, truncated. */
const SQRT2 = 0xb504f333f9de6484n;

/** The exponent of a finite value: it is in [2^size, 2^(size + 1)). */
function size(v: F80Value): number {
  return v.power + 63;
}

function fixed(v: F80Value): bigint {
  return scaled(v.sig, v.power + FRACTION);
}

/** Rounds a signed fixed-point number. */
function rounded(r: Response, n: bigint, sign: number = 0): F80Bits {
  return n < 0n ? r.round(1 ^ sign, -n, -FRACTION) : r.round(sign, n, -FRACTION);
}

/** Sine and cosine of a positive value. */
function reduced(v: F80Value): { readonly sin: bigint; readonly cos: bigint } {
  const x = fixed(v);
  const quarters = (2n * x + HALF_PI66) / (2n * HALF_PI66);
  const { sin, cos } = sinCos(x - quarters * HALF_PI66);
  const turned = quarters & 1n ? { sin: cos, cos: -sin } : { sin, cos };
  return quarters & 2n ? { sin: -turned.sin, cos: -turned.cos } : turned;
}

/** What the trigonometric functions share: the results for `v` as made from rounded sine and cosine. */
function trigonometric(
  x: F80Bits,
  fcw: number,
  results: (sine: () => F80Bits, cosine: () => F80Bits, tangent: () => F80Bits) => F80Bits[],
): Outcome {
  const v = unpackF80(x), r = new Response(fcw);
  const special = r.operands(v) ?? (v.kind === "infinity" ? r.invalid() : undefined);
  if (special) {
    const { values: [nan], flags } = special;
    return nan ? { values: results(() => nan, () => nan, () => nan).map(() => nan), flags } : special;
  }
  if (v.kind === "zero") return r.exact(...results(() => x, f80.one, () => x));
  if (size(v) >= 63) return { values: [], flags: C2 };
  const denormal = r.denormals(v);
  if (denormal) return denormal;
  const near = (below: boolean) => (): F80Bits => r.round(v.sign, (v.sig << 80n) - (below ? 1n : 0n), v.power - 80);
  if (size(v) <= -69) return r.exact(...results(near(false), () => r.round(0, ONE, -FRACTION), near(false)));
  if (size(v) <= -34) return r.exact(...results(near(true), () => r.round(0, ONE - 1n, -FRACTION), near(true)));
  const { sin, cos } = reduced(v);
  const tangent = (): F80Bits => rounded(r, over(sin, cos), v.sign);
  return r.exact(...results(() => rounded(r, sin, v.sign), () => rounded(r, cos), tangent));
}

/**
 * FSIN. C2 and no value: the argument is 2^63 or more in magnitude, ST(0) stays.
 * @param x ST(0)
 * @param fcw the control word
 */
export function fsin(x: F80Bits, fcw: number): Outcome {
  return trigonometric(x, fcw, (sine) => [sine()]);
}

/** FCOS; see {@linkcode fsin}. */
export function fcos(x: F80Bits, fcw: number): Outcome {
  return trigonometric(x, fcw, (_, cosine) => [cosine()]);
}

/** FSINCOS: the cosine for the new ST(0), then the sine for ST(1); see {@linkcode fsin}. */
export function fsincos(x: F80Bits, fcw: number): Outcome {
  return trigonometric(x, fcw, (sine, cosine) => {
    const second = sine();
    return [cosine(), second];
  });
}

/** FPTAN: 1 for the new ST(0), then the tangent for ST(1); see {@linkcode fsin}. */
export function fptan(x: F80Bits, fcw: number): Outcome {
  return trigonometric(x, fcw, (_sine, _cosine, tangent) => [f80.one(), tangent()]);
}

/**
 * F2XM1: 2^x - 1. Outside -1..1, where the manual leaves it open, the result is x, as on the processor.
 * @param x ST(0)
 * @param fcw the control word
 */
export function f2xm1(x: F80Bits, fcw: number): Outcome {
  const v = unpackF80(x), r = new Response(fcw);
  const special = r.operands(v);
  if (special) return special;
  if (v.kind === "zero") return r.exact(x);
  if (v.kind === "infinity") return r.exact(v.sign ? { sig: UNIT, se: 0xbfff } : x);
  const denormal = r.denormals(v);
  if (denormal) return denormal;
  if (size(v) >= 0) {
    r.raise(PE);
    return r.exact(v.sign && size(v) === 0 && v.sig === UNIT ? { sig: UNIT, se: 0xbffe } : x);
  }
  if (size(v) < -100) return r.exact(r.round(v.sign, v.sig * LN2, v.power - FRACTION));
  const t = times(fixed(v), LN2);
  return r.exact(rounded(r, exponentialLess1(v.sign ? -t : t)));
}

/**
 * FPATAN: the angle of the point (x, y), in -pi..pi.
 * @param y ST(1), which the result replaces
 * @param x ST(0), which is popped
 * @param fcw the control word
 */
export function fpatan(y: F80Bits, x: F80Bits, fcw: number): Outcome {
  const a = unpackF80(y), b = unpackF80(x), r = new Response(fcw);
  const special = r.operands(b, a) ?? r.denormals(a, b);
  if (special) return special;
  const pi = (quarters: bigint): Outcome => r.exact(r.round(a.sign, PI * quarters, -FRACTION - 2));
  if (a.kind === "infinity") return b.kind === "infinity" ? pi(b.sign ? 3n : 1n) : pi(2n);
  if (a.kind === "zero" || b.kind === "infinity") return b.sign ? pi(4n) : r.exact(f80.zero(a.sign));
  const distance = size(a) - size(b);
  if (b.kind === "zero" || distance > 120) return pi(2n);
  if (distance < -120 && b.sign) return pi(4n);
  if (distance <= -41 && !b.sign) {
    const quotient = (a.sig << 192n) / b.sig;
    return r.exact(r.round(a.sign, quotient, a.power - b.power - 192));
  }
  const steep = distance > 0 || distance === 0 && a.sig > b.sig;
  const [top, bottom] = steep ? [b, a] : [a, b];
  const flat = arctangent(scaled(top.sig, FRACTION + top.power - bottom.power) / bottom.sig);
  const angle = steep ? (PI >> 1n) - flat : flat;
  return r.exact(r.round(a.sign, b.sign ? PI - angle : angle, -FRACTION));
}

/** Rounds y times a logarithm to base e, given in fixed point, as one to base 2. */
function timesLog2(r: Response, y: F80Value, log: bigint): F80Bits {
  const base2 = over(log, LN2);
  return r.round(y.sign ^ Number(base2 < 0n), y.sig * (base2 < 0n ? -base2 : base2), y.power - FRACTION);
}

/** Rounds y times the logarithm of a power of two: like the processor, a negative one as if a little nearer to zero. */
function timesInteger(r: Response, y: F80Value, log2: number): F80Bits {
  const negative = Number(log2 < 0);
  return r.round(y.sign ^ negative, (y.sig * BigInt(Math.abs(log2)) << 80n) - BigInt(negative), y.power - 80);
}

/** The natural logarithm of a positive number in fixed point, any size. */
function logarithmOf(sig: bigint, power: number): bigint {
  // Split so that the fraction is within a factor of the square root of 2 from 1.
  const up = sig > SQRT2 ? 1 : 0;
  return BigInt(power + 63 + up) * LN2 + logarithm(scaled(sig, FRACTION - 63 - up));
}

/**
 * FYL2X: y times the base-2 logarithm of x.
 * @param y ST(1), which the result replaces
 * @param x ST(0), which is popped
 * @param fcw the control word
 */
export function fyl2x(y: F80Bits, x: F80Bits, fcw: number): Outcome {
  const a = unpackF80(y), b = unpackF80(x), r = new Response(fcw);
  const special = r.operands(b, a);
  if (special) return special;
  const one = b.kind === "finite" && size(b) === 0 && b.sig === UNIT;
  const never = a.kind === "zero" ? b.kind === "zero" || b.kind === "infinity" : a.kind === "infinity" && one;
  if (never || b.sign && b.kind !== "zero") return r.invalid();
  if (b.kind === "zero") {
    if (a.kind !== "infinity" && !r.raise(ZE)) return r.stop();
    return r.exact(f80.infinity(1 ^ a.sign));
  }
  const denormal = r.denormals(a, b);
  if (denormal) return denormal;
  const sign = a.sign ^ Number(b.kind === "finite" && size(b) < 0);
  if (a.kind === "infinity" || b.kind === "infinity") return r.exact(f80.infinity(sign));
  if (a.kind === "zero" || one) return r.exact(f80.zero(sign));
  return r.exact(b.sig === UNIT ? timesInteger(r, a, size(b)) : timesLog2(r, a, logarithmOf(b.sig, b.power)));
}

/**
 * FYL2XP1: y times the base-2 logarithm of x + 1. For x of -1 and below, where the manual leaves it open, the
 * result is x, as on the processor.
 * @param y ST(1), which the result replaces
 * @param x ST(0), which is popped
 * @param fcw the control word
 */
export function fyl2xp1(y: F80Bits, x: F80Bits, fcw: number): Outcome {
  const a = unpackF80(y), b = unpackF80(x), r = new Response(fcw);
  const special = r.operands(b, a);
  if (special) return special;
  if (b.kind === "infinity" && (b.sign || a.kind === "zero")) return r.invalid();
  if (b.kind === "zero" && a.kind === "infinity") return r.invalid();
  const denormal = r.denormals(a, b);
  if (denormal) return denormal;
  const sign = a.sign ^ b.sign;
  if (a.kind === "infinity" || b.kind === "infinity") return r.exact(f80.infinity(sign));
  if (a.kind === "zero" || b.kind === "zero") return r.exact(f80.zero(sign));
  if (size(b) < -100) return r.exact(r.round(sign, a.sig * over(b.sig << 64n, LN2), a.power + b.power - 64));
  if (b.sign && size(b) >= 0) {
    r.raise(PE);
    return r.exact(x);
  }
  if (size(b) > 120) return r.exact(timesLog2(r, a, logarithmOf(b.sig, b.power)));
  const sum = b.sign ? ONE - fixed(b) : ONE + fixed(b);
  if (size(b) < -2) return r.exact(timesLog2(r, a, logarithm(sum)));
  // All bits of the sum are there, so a power of two shows.
  const power = bitLength(sum) - 64, sig = scaled(sum, -power);
  if (scaled(sig, power) === sum && sig === UNIT) return r.exact(timesInteger(r, a, power + 63 - FRACTION));
  const up = sig > SQRT2 ? 1 : 0;
  const log = BigInt(power + 63 - FRACTION + up) * LN2 + logarithm(scaled(sum, FRACTION - 63 - power - up));
  return r.exact(timesLog2(r, a, log));
}
