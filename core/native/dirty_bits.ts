/**
 * Dirty bitmaps: one bit a page, lowest bit first.
 * @module
 */

/**
 * Ors the first bits of one bitmap into another, displaced.
 * @param source The bitmap to read.
 * @param count How many bits of it count.
 * @param target The bitmap that is changed; what lies beyond its end is dropped.
 * @param first To which bit of `target` bit 0 of `source` belongs.
 */
export function orBits(source: Uint8Array, count: number, target: Uint8Array, first: number): void {
  const shift = first % 8;
  const base = (first - shift) / 8;
  const bytes = Math.ceil(count / 8);
  for (let n = 0; n < bytes; n++) {
    let byte = source[n];
    if (byte === 0) continue;
    if (n === bytes - 1 && count % 8 !== 0) byte &= (1 << count % 8) - 1;
    target[base + n] |= byte << shift;
    if (shift !== 0) target[base + n + 1] |= byte >> (8 - shift);
  }
}
