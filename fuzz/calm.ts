/**
 * Randomness for streams.
 * @module
 */
import { Prng } from "../tests/differential/prng.ts";

/** From here on, `once(n)` is for what ends a stream: LOCK where it is #UD, bad addresses. */
const RARE = 24;
/** How much rarer it is than in tests of a single instruction. */
const RARER = 8;

/** A source that makes rare choices rarer, so that a stream does not end at its first instructions. */
export class CalmPrng extends Prng {
  override once(n: number): boolean {
    return super.once(n >= RARE ? n * RARER : n);
  }
}

/** The number of case `n` of a run with a seed; a mixture, so that neighbours have nothing in common. */
export function caseNumber(seed: number, n: number): number {
  let x = (Math.imul(seed, 0x9e37_79b1) + Math.imul(n + 1, 0x85eb_ca6b)) | 0;
  x = Math.imul(x ^ x >>> 16, 0x7feb_352d);
  x = Math.imul(x ^ x >>> 15, 0x846c_a68b);
  return (x ^ x >>> 16) >>> 0;
}
