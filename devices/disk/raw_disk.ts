/**
 * A disk in a file of the host that holds its bytes and nothing else. Where the file does not end with a whole sector, the rest of
 * that sector reads as zeros, and the sector cannot be written whole: the file never changes its length.
 * @module
 */

import type { Disk } from "./disk.ts";
import { checkDiskRange, DiskError } from "./disk_error.ts";

/** The length of a file is rounded up to this many bytes. */
export const RAW_DISK_SECTOR = 512;

/** How a {@linkcode RawDisk} behaves. */
export interface RawDiskOptions {
  /** What the file is called in messages. */
  readonly name: string;
  /** Whether it cannot be written; unless told, it can, and the file must be open for that. */
  readonly readonly?: boolean;
}

/** A disk in a file. */
export class RawDisk implements Disk {
  /** How many bytes there are: the length of the file, rounded up to whole sectors. */
  readonly size: number;
  /** Whether it cannot be written. */
  readonly readonly: boolean;
  readonly #file: Deno.FsFile;
  readonly #name: string;
  readonly #length: number;
  #open = true;

  /**
   * Makes a disk of an open file.
   * @param file The file, which the disk closes.
   * @param options Its name and how it behaves.
   * @throws Error The host cannot tell its length.
   */
  constructor(file: Deno.FsFile, options: RawDiskOptions) {
    this.#file = file;
    this.#name = options.name;
    this.readonly = options.readonly ?? false;
    this.#length = file.seekSync(0, Deno.SeekMode.End);
    this.size = Math.ceil(this.#length / RAW_DISK_SECTOR) * RAW_DISK_SECTOR;
  }

  /**
   * Reads.
   * @param offset The first byte.
   * @param into Filled whole.
   * @throws RangeError It leaves the disk.
   * @throws DiskError The host cannot read the file, or somebody has shortened it.
   */
  read(offset: number, into: Uint8Array): void {
    checkDiskRange(this, offset, into.length);
    const there = Math.max(0, Math.min(into.length, this.#length - offset));
    this.#try("read", () => {
      if (there > 0) this.#file.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < there;) {
        const count = this.#file.readSync(into.subarray(done, there));
        if (count === null) throw new DiskError(`Cannot read ${this.#name}: it has become shorter`);
        done += count;
      }
    });
    into.fill(0, there);
  }

  /**
   * Writes.
   * @param offset The first byte.
   * @param bytes What is written.
   * @throws RangeError It leaves the disk.
   * @throws DiskError The disk is read-only, the write passes the end of the file, or the host cannot write it (the first part may
   * be written then).
   */
  write(offset: number, bytes: Uint8Array): void {
    checkDiskRange(this, offset, bytes.length);
    if (this.readonly) throw new DiskError(`Cannot write ${this.#name}: it is read-only`);
    if (offset + bytes.length > this.#length) {
      throw new DiskError(`Cannot write ${this.#name}: it ends in the middle of a sector`);
    }
    this.#try("write", () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
    });
  }

  /**
   * Returns once all that was written is on the host's storage.
   * @throws DiskError The host cannot do that.
   */
  flush(): void {
    if (!this.readonly) this.#try("write", () => this.#file.syncDataSync());
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#file.close();
  }

  #try(action: string, doIt: () => void): void {
    try {
      doIt();
    } catch (error) {
      if (error instanceof DiskError || !(error instanceof Error)) throw error;
      throw new DiskError(`Cannot ${action} ${this.#name}: ${error.message}`, { cause: error });
    }
  }
}
