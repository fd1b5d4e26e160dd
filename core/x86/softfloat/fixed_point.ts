/**
 * Elementary functions in BigInt fixed point with 256 fraction bits: the numbers behind the x87 transcendentals. Errors
 * stay below 2^-240.
 * @module
 */

/** Fraction bits. */
export const FRACTION = 256;
/** 1.0. */
export const ONE: bigint = 1n << BigInt(FRACTION);

const POINT = BigInt(FRACTION);

/** `n` times two to the power `by`, truncated. */
export function scaled(n: bigint, by: number): bigint {
  return by >= 0 ? n << BigInt(by) : n >> BigInt(-by);
}

/** Product of two fixed-point numbers. */
export function times(a: bigint, b: bigint): bigint {
  return (a * b) >> POINT;
}

/** Quotient of two fixed-point numbers. */
export function over(a: bigint, b: bigint): bigint {
  return (a << POINT) / b;
}

/** Sum of `terms` until they vanish; arithmetic shifts leave -1 where a negative term ends. */
function series(first: bigint, next: (term: bigint, k: bigint) => bigint, weight: (term: bigint, k: bigint) => bigint) {
  let sum = 0n;
  for (let k = 0n, term = first; term !== 0n && term !== -1n; term = next(term, ++k)) sum += weight(term, k);
  return sum;
}

/** Inverse tangent (or its hyperbolic sibling) of `t`, which should be small. */
function inverseTangent(t: bigint, hyperbolic: boolean): bigint {
  const square = times(t, t);
  return series(t, (term) => times(term, square), (term, k) => {
    const part = term / (2n * k + 1n);
    return k & 1n && !hyperbolic ? -part : part;
  });
}

const inverse = (n: bigint, hyperbolic: boolean): bigint => inverseTangent(ONE / n, hyperbolic);

/** Machin's formula. */
export const PI: bigint = 16n * inverse(5n, false) - 4n * inverse(239n, false);
/** The natural logarithm of two. */
export const LN2: bigint = 18n * inverse(26n, true) - 2n * inverse(4801n, true) + 8n * inverse(8749n, true);

/** Sine and cosine by their series; |r| at most about 1. */
export function sinCos(r: bigint): { readonly sin: bigint; readonly cos: bigint } {
  const square = times(r, r);
  const step = (k: bigint): bigint => -((k + 1n) * (k + 2n));
  return {
    sin: series(r, (term, k) => times(term, square) / step(2n * k - 1n), (term) => term),
    cos: series(ONE, (term, k) => times(term, square) / step(2n * k - 2n), (term) => term),
  };
}

/** e to the power `t`, minus 1; |t| at most about 1. */
export function exponentialLess1(t: bigint): bigint {
  return series(t, (term, k) => times(term, t) / (k + 1n), (term) => term);
}

/** A fixed-point number below 2^10 as a double, and the other way round to 50 bits. */
const toDouble = (n: bigint): number => Number(n >> (POINT - 60n)) / 2 ** 60;
const fromDouble = (x: number): bigint => BigInt(Math.round(x * 2 ** 50)) << (POINT - 50n);

/** Inverse tangent of 0 <= q <= 1: the host's guess, corrected by the series. */
export function arctangent(q: bigint): bigint {
  const guess = fromDouble(Math.atan(toDouble(q)));
  const { sin, cos } = sinCos(guess);
  return guess + inverseTangent(over(times(q, cos) - sin, cos + times(q, sin)), false);
}

/** Natural logarithm of .5 <= m <= 2: the host's guess, corrected by the series. */
export function logarithm(m: bigint): bigint {
  const guess = fromDouble(Math.log(toDouble(m)));
  const rest = times(m, ONE + exponentialLess1(-guess)) - ONE;
  const power = (term: bigint): bigint => times(term, rest);
  return guess + series(rest, power, (term, k) => (k & 1n ? -term : term) / (k + 1n));
}
