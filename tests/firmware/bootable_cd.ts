/**
 * The smallest CDs that can be booted from, for tests: no files, but a boot image.
 * @module
 */

import { MemoryDisk } from "./memory_disk.ts";

const SECTOR = 2048;
const BOOT_RECORD = 17, CATALOG = 19, IMAGE = 20;

/** What is on it. */
export interface BootableCd {
  /** The boot image. */
  readonly image: Uint8Array;
  /** 0 no emulation, 1 to 3 floppy, 4 hard disk; 0 unless told. */
  readonly media?: number;
  /** Sectors of 512 bytes to load; 4 unless told. */
  readonly count?: number;
  /** Segment to load to; 0 unless told: the usual one. */
  readonly segment?: number;
}

/**
 * Makes a CD.
 * @param contents What is on it.
 */
export function bootableCd({ image, media = 0, count = 4, segment = 0 }: BootableCd): MemoryDisk {
  const cd = new MemoryDisk((IMAGE + Math.ceil(image.length / SECTOR)) * SECTOR, undefined, true);
  const { bytes } = cd;
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("\0CD001\x01EL TORITO SPECIFICATION"), BOOT_RECORD * SECTOR);
  view.setUint32(BOOT_RECORD * SECTOR + 0x47, CATALOG, true);
  const catalog = CATALOG * SECTOR;
  bytes.set([1, 0], catalog);
  bytes.set([0x55, 0xaa], catalog + 30);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += view.getUint16(catalog + at, true);
  view.setUint16(catalog + 28, -sum, true);
  bytes.set([0x88, media], catalog + 32);
  view.setUint16(catalog + 34, segment, true);
  view.setUint16(catalog + 38, count, true);
  view.setUint32(catalog + 40, IMAGE, true);
  bytes.set(image, IMAGE * SECTOR);
  return cd;
}
