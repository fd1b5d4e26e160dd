/**
 * Where a guest's random bytes come from.
 * @module
 */

import type { ClockKind } from "../machine/time.ts";

/** Where the bytes begin in virtual time. */
const SEED = 0x2545_f491;

/**
 * The source of random bytes: the host's; with virtual time always the same ones, so that all runs are the same.
 * @param clock How the guest's time goes by.
 * @returns Fills bytes.
 */
export function entropySource(clock: ClockKind): (bytes: Uint8Array<ArrayBuffer>) => void {
  if (clock === "real") return (bytes) => void crypto.getRandomValues(bytes);
  let state = SEED;
  return (bytes) => {
    for (let n = 0; n < bytes.length; n++) {
      // xorshift32 (Marsaglia 2003).
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      bytes[n] = state >>> 24;
    }
  };
}
