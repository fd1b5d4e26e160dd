/**
 * Disks in memory, for tests.
 * @module
 */

import type { Disk } from "../../devices/disk/disk.ts";

/** A disk in memory. */
export class MemoryDisk implements Disk {
  /** Its contents. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it cannot be written. */
  readonly readonly: boolean;
  /** How often it was flushed. */
  flushes = 0;

  /**
   * Makes it.
   * @param size Bytes.
   * @param contents Its first bytes.
   * @param readonly Whether it cannot be written.
   */
  constructor(size: number, contents: Uint8Array = new Uint8Array(0), readonly: boolean = false) {
    this.bytes = new Uint8Array(size);
    this.bytes.set(contents);
    this.readonly = readonly;
  }

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array): void {
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
  }

  flush(): void {
    this.flushes++;
  }

  [Symbol.dispose](): void {}
}
