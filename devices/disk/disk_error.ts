/**
 * What is wrong with a disk.
 * @module
 */

/** A disk image that cannot be opened, read or written; the message is one line for the user. */
export class DiskError extends Error {
  /** `"DiskError"`. */
  override readonly name: string = "DiskError";
}

/**
 * Checks that an access stays on the disk.
 * @param disk The disk.
 * @param offset The first byte of the access.
 * @param length How many bytes it has.
 * @throws RangeError It leaves the disk.
 */
export function checkDiskRange(disk: { readonly size: number }, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= disk.size) return;
  throw new RangeError(`Cannot reach bytes ${offset} to ${offset + length - 1} of a disk: it has ${disk.size}`);
}
