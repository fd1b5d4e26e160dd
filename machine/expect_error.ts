/**
 * What a test of a guest is told.
 * @module
 */

/**
 * What was waited for did not come. The message says what was there instead.
 *
 * @example
 * ```ts
 * import { boot, ExpectError } from "@kvm12/kvm12";
 *
 * await using guest = await boot({ image: Uint8Array.of(0xf4), format: "flat" }); // hlt
 * try {
 *   await guest.serial.expect("login:", { timeoutMs: 1000 });
 * } catch (error) {
 *   error instanceof ExpectError; // true
 * }
 * ```
 */
export class ExpectError extends Error {
  /** `"ExpectError"`. */
  override readonly name: string = "ExpectError";
}
