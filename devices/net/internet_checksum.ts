/**
 * The checksum of the Internet protocols (RFC 1071): sums of big-endian words of 16 bits in ones' complement.
 * @module
 */

/**
 * Adds up bytes.
 * @param bytes What is added up, as big-endian words of 16 bits; an odd last byte is the upper half of a word.
 * @param sum What there is already.
 * @returns The sum, not yet folded: below 2^53 for all that memory can hold.
 */
export function sumWords(bytes: Uint8Array, sum = 0): number {
  const even = bytes.length & ~1;
  for (let n = 0; n < even; n += 2) sum += bytes[n] << 8 | bytes[n + 1];
  return even < bytes.length ? sum + (bytes[even] << 8) : sum;
}

/**
 * Folds a sum.
 * @param sum What {@linkcode sumWords} gave.
 * @returns 16 bits.
 */
export function foldSum(sum: number): number {
  while (sum > 0xffff) sum = Math.floor(sum / 0x10000) + (sum & 0xffff);
  return sum;
}

/**
 * The checksum of bytes: over a message that has its own checksum in it, it is 0.
 * @param bytes What is summed up.
 * @param sum What there is already, as {@linkcode sumWords} gives.
 * @returns 16 bits.
 */
export function internetChecksum(bytes: Uint8Array, sum = 0): number {
  return foldSum(sumWords(bytes, sum)) ^ 0xffff;
}

/**
 * The sum of the pseudo header of UDP and TCP.
 * @param packet Addresses, protocol, and the bytes of header and payload.
 * @returns The sum, not folded.
 */
export function pseudoHeaderSum(
  packet: {
    readonly source: number;
    readonly destination: number;
    readonly protocol: number;
    readonly length: number;
  },
): number {
  const { source, destination, protocol, length } = packet;
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}
