/**
 * A disk in memory, gone when nobody holds it any more.
 * @module
 */

import type { Disk } from "./disk.ts";
import { checkDiskRange, DiskError } from "./disk_error.ts";

/** How a {@linkcode MemoryDisk} behaves. */
export interface MemoryDiskOptions {
  /** Whether it cannot be written; unless told, it can. */
  readonly readonly?: boolean;
}

/**
 * A disk in memory.
 *
 * @example
 * ```ts
 * import { MemoryDisk } from "./memory_disk.ts";
 *
 * using disk = new MemoryDisk(1440 * 1024);
 * disk.write(510, Uint8Array.of(0x55, 0xaa));
 * ```
 */
export class MemoryDisk implements Disk {
  /** How many bytes there are. */
  readonly size: number;
  /** Whether it cannot be written. */
  readonly readonly: boolean;
  readonly #bytes: Uint8Array;

  /**
   * Makes a disk.
   * @param contents Its contents, which the disk takes over, or how many bytes of zeros.
   * @param options How it behaves.
   */
  constructor(contents: Uint8Array | number, options: MemoryDiskOptions = {}) {
    this.#bytes = typeof contents === "number" ? new Uint8Array(contents) : contents;
    this.size = this.#bytes.length;
    this.readonly = options.readonly ?? false;
  }

  /**
   * Reads.
   * @param offset The first byte.
   * @param into Filled whole.
   * @throws RangeError It leaves the disk.
   */
  read(offset: number, into: Uint8Array): void {
    checkDiskRange(this, offset, into.length);
    into.set(this.#bytes.subarray(offset, offset + into.length));
  }

  /**
   * Writes.
   * @param offset The first byte.
   * @param bytes What is written.
   * @throws RangeError It leaves the disk.
   * @throws DiskError The disk is read-only.
   */
  write(offset: number, bytes: Uint8Array): void {
    checkDiskRange(this, offset, bytes.length);
    if (this.readonly) throw new DiskError("Cannot write the disk: it is read-only");
    this.#bytes.set(bytes, offset);
  }

  /** Nothing to do. */
  flush(): void {}

  /** Nothing to do. */
  [Symbol.dispose](): void {}
}
