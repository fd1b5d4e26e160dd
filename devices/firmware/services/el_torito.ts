/**
 * Booting from CDs: the "El Torito" bootable CD-ROM format specification 1.0, and the part of INT 13h that belongs to it (AH=4Bh).
 *
 * An emulation is kept in the extended BIOS data area: a byte that says that there is one, then the fields of {@linkcode Emulation}.
 * @module
 */

import { EBDA_AT } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import type { LinearMemory } from "../linear_memory.ts";
import { linear, type ServiceFrame } from "../service_frame.ts";
import type { Disk } from "../../disk/disk.ts";

const CD_SECTOR = 2048, SECTOR = 512;
const BOOT_RECORD = 17 * CD_SECTOR;
const CATALOG_POINTER = 0x47;
const VALIDATION = 1, BOOTABLE = 0x88;
const MEDIA = { NONE: 0, FLOPPY_1200: 1, FLOPPY_1440: 2, FLOPPY_2880: 3, DISK: 4 } as const;
const FLOPPY_KIB: readonly number[] = [0, 1200, 1440, 2880];
const DEFAULT_SEGMENT = 0x7c0;
const PACKET_SIZE = 0x13;
const FIRST_DISK = 0x80, FIRST_CD = 0xe0;

/** What a CD's boot image is taken for. */
export interface Emulation {
  /** The number that programs know it by. */
  readonly number: number;
  /** Its kind; a CD emulates nothing. */
  readonly kind: "floppy" | "disk" | "cdrom";
  /** The media byte of the catalog. */
  readonly media: number;
  /** The CD, by its number among CDs. */
  readonly device: number;
  /** First sector of the image, of 2048 bytes. */
  readonly lba: number;
  /** Segment that it was loaded to. */
  readonly segment: number;
  /** Sectors of 512 bytes that were loaded. */
  readonly count: number;
  /** KiB of an emulated floppy. */
  readonly floppyKib: number;
}

/** What booting from a CD takes. */
export interface CdBoot extends Emulation {
  /** The code: the first sectors of the image. */
  readonly code: Uint8Array;
}

/**
 * Looks for a boot image.
 * @param disk The CD.
 * @param device Its number among CDs.
 * @returns What to load; none: it cannot be booted from.
 * @throws Error The host cannot read it.
 */
export function findBootImage(disk: Disk, device: number): CdBoot | undefined {
  const sector = readSector(disk, BOOT_RECORD);
  const text = new TextDecoder("latin1").decode(sector.subarray(0, 0x27)).replaceAll("\0", " ");
  if (sector[0] !== 0 || !text.startsWith("CD001\x01EL TORITO SPECIFICATION", 1)) return undefined;
  const catalog = readSector(disk, new DataView(sector.buffer).getUint32(CATALOG_POINTER, true) * CD_SECTOR);
  const view = new DataView(catalog.buffer);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += view.getUint16(at, true);
  if (catalog[0] !== VALIDATION || catalog[30] !== 0x55 || catalog[31] !== 0xaa || (sum & 0xffff) !== 0) {
    return undefined;
  }
  if (catalog[32] !== BOOTABLE) return undefined;
  const media = catalog[33] & 0x0f;
  if (media > MEDIA.DISK) return undefined;
  const lba = view.getUint32(40, true);
  const count = view.getUint16(38, true) || 1;
  const kind = media === MEDIA.NONE ? "cdrom" : media === MEDIA.DISK ? "disk" : "floppy";
  // An emulated drive boots by its first sector, whatever the catalog says.
  const code = new Uint8Array((kind === "cdrom" ? count : 1) * SECTOR);
  readPart(disk, lba * CD_SECTOR, code);
  const number = { cdrom: FIRST_CD + device, disk: FIRST_DISK, floppy: 0 }[kind];
  const segment = view.getUint16(34, true) || DEFAULT_SEGMENT;
  return { number, kind, media, device, lba, segment, count, floppyKib: FLOPPY_KIB[media] ?? 0, code };
}

/**
 * Keeps an emulation.
 * @param memory The memory with the extended data area.
 * @param emulation It; none: there is no more.
 */
export function storeEmulation(memory: LinearMemory, emulation: Emulation | undefined): void {
  const bytes = new Uint8Array(16);
  if (emulation !== undefined) {
    const { number, media, device, lba, segment, count } = emulation;
    const view = new DataView(bytes.buffer);
    bytes.set([1, number, media, device]);
    view.setUint32(4, lba, true);
    view.setUint16(8, segment, true);
    view.setUint16(10, count, true);
  }
  memory.write(EBDA_AT.EMULATION, bytes);
}

/**
 * The emulation that is kept.
 * @param memory The memory with the extended data area.
 */
export function loadEmulation(memory: LinearMemory): Emulation | undefined {
  const bytes = new Uint8Array(16);
  memory.read(EBDA_AT.EMULATION, bytes);
  if (bytes[0] !== 1) return undefined;
  const view = new DataView(bytes.buffer);
  const media = bytes[2];
  return {
    number: bytes[1],
    media,
    kind: media === MEDIA.NONE ? "cdrom" : media === MEDIA.DISK ? "disk" : "floppy",
    device: bytes[3],
    lba: view.getUint32(4, true),
    segment: view.getUint16(8, true),
    count: view.getUint16(10, true),
    floppyKib: FLOPPY_KIB[media] ?? 0,
  };
}

/**
 * INT 13h AH=4Bh: tells about the emulation (AL=1), and ends it first (AL=0).
 * @returns The status for AH: 0 or 1.
 */
export function emulationService(frame: ServiceFrame, board: FirmwareBoard): number {
  const { memory } = board;
  const emulation = loadEmulation(memory);
  if (emulation === undefined || frame.al > 1 || (frame.dl !== emulation.number && frame.dl !== 0x7f)) return 1;
  const bytes = new Uint8Array(PACKET_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set([PACKET_SIZE, emulation.media, emulation.number, emulation.device]);
  view.setUint32(4, emulation.lba, true);
  view.setUint16(12, emulation.segment, true);
  view.setUint16(14, emulation.count, true);
  if (emulation.kind !== "cdrom") {
    const drive = board.drives.get(emulation.number);
    const { cylinders, heads, sectors } = drive?.geometry ?? { cylinders: 1, heads: 1, sectors: 1 };
    bytes.set([cylinders - 1 & 0xff, sectors | (cylinders - 1 & 0x300) >> 2, heads - 1], 16);
  }
  memory.write(linear(frame.ds, frame.si), bytes);
  if (frame.al === 0) {
    storeEmulation(memory, undefined);
    board.drives.tell();
  }
  return 0;
}

function readSector(disk: Disk, offset: number): Uint8Array<ArrayBuffer> {
  const sector = new Uint8Array(CD_SECTOR);
  readPart(disk, offset, sector);
  return sector;
}

/** Reads as far as the disk goes. */
function readPart(disk: Disk, offset: number, into: Uint8Array): void {
  const length = Math.min(into.length, disk.size - offset);
  if (length > 0) disk.read(offset, into.subarray(0, length));
}
