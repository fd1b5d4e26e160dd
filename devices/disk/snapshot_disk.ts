/**
 * A disk whose changes are forgotten: what is written stays in memory, and the disk under it never changes.
 * @module
 */

import type { Disk } from "./disk.ts";
import { checkDiskRange } from "./disk_error.ts";

/** Bytes of a block: the first write into one takes so much memory. */
export const SNAPSHOT_BLOCK = 0x10000;

/** A disk with changes in memory. */
export class SnapshotDisk implements Disk {
  /** How many bytes there are. */
  readonly size: number;
  /** It can be written. */
  readonly readonly = false;
  readonly #base: Disk;
  readonly #blocks = new Map<number, Uint8Array>();

  /**
   * Puts changes in memory over a disk.
   * @param base The disk; it is closed together with this one.
   */
  constructor(base: Disk) {
    this.#base = base;
    this.size = base.size;
  }

  /** Bytes of memory that the changes take. */
  get changed(): number {
    return this.#blocks.size * SNAPSHOT_BLOCK;
  }

  /**
   * Reads.
   * @param offset The first byte.
   * @param into Filled whole.
   * @throws RangeError It leaves the disk.
   * @throws DiskError The host cannot read it.
   */
  read(offset: number, into: Uint8Array): void {
    checkDiskRange(this, offset, into.length);
    if (this.#blocks.size === 0) return this.#base.read(offset, into);
    for (let done = 0; done < into.length;) {
      const at = offset + done;
      const block = this.#blocks.get(Math.floor(at / SNAPSHOT_BLOCK));
      const within = at % SNAPSHOT_BLOCK;
      const part = into.subarray(done, done + SNAPSHOT_BLOCK - within);
      if (block !== undefined) part.set(block.subarray(within, within + part.length));
      else this.#base.read(at, part);
      done += part.length;
    }
  }

  /**
   * Writes, into memory.
   * @param offset The first byte.
   * @param bytes What is written.
   * @throws RangeError It leaves the disk.
   * @throws DiskError The host cannot read the rest of a block.
   */
  write(offset: number, bytes: Uint8Array): void {
    checkDiskRange(this, offset, bytes.length);
    for (let done = 0; done < bytes.length;) {
      const at = offset + done;
      const within = at % SNAPSHOT_BLOCK;
      const part = bytes.subarray(done, done + SNAPSHOT_BLOCK - within);
      this.#block(Math.floor(at / SNAPSHOT_BLOCK), part.length === SNAPSHOT_BLOCK).set(part, within);
      done += part.length;
    }
  }

  /** Nothing to do: the changes are not kept. */
  flush(): void {}

  /** Forgets the changes and closes the disk under them. */
  [Symbol.dispose](): void {
    this.#blocks.clear();
    this.#base[Symbol.dispose]();
  }

  /** A block in memory, with the contents of the disk unless all of it will be written. */
  #block(number: number, whole: boolean): Uint8Array {
    const known = this.#blocks.get(number);
    if (known !== undefined) return known;
    const block = new Uint8Array(SNAPSHOT_BLOCK);
    const start = number * SNAPSHOT_BLOCK;
    if (!whole) this.#base.read(start, block.subarray(0, Math.min(SNAPSHOT_BLOCK, this.size - start)));
    this.#blocks.set(number, block);
    return block;
  }
}
