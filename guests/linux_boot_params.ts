/**
 * Linux's `boot_params` (the "zero page"), with what it points to: the command line and the setup data, one behind the other.
 * @module
 */

import { hex, ImageError, type MemoryPiece } from "./image.ts";
import { freeFrom, type MapEntry } from "./memory_map.ts";

/** Guest-physical address of `boot_params`. */
export const BOOT_PARAMS = 0x10000;
/** Nothing of it may lie here or above: an EBDA may. */
const BOOT_PARAMS_END = 0x90000;

const PAGE = 4096;

/** Fields of `boot_params`. */
const FIELD = {
  EXT_MEM_K: 0x02,
  ORIG_VIDEO_MODE: 0x06,
  ORIG_VIDEO_COLS: 0x07,
  ORIG_VIDEO_LINES: 0x0e,
  ORIG_VIDEO_IS_VGA: 0x0f,
  ORIG_VIDEO_POINTS: 0x10,
  ACPI_RSDP: 0x70,
  ALT_MEM_K: 0x1e0,
  E820_ENTRIES: 0x1e8,
  HEADER: 0x1f1,
  VID_MODE: 0x1fa,
  TYPE_OF_LOADER: 0x210,
  CODE32_START: 0x214,
  RAMDISK_IMAGE: 0x218,
  RAMDISK_SIZE: 0x21c,
  CMD_LINE_PTR: 0x228,
  SETUP_DATA: 0x250,
  E820_TABLE: 0x2d0,
} as const;

const E820_ENTRY = 20;
/** How many entries of the map have a place in `boot_params`. */
const E820_MOST = 128;
/** Type of setup data with more entries of the map. */
const SETUP_E820_EXT = 1;
const SETUP_HEADER = 16;

const HIGH_MEMORY = 0x100000;
const LOADER_UNDEFINED = 0xff;
const VIDEO_NORMAL = 0xffff;

/** One item of setup data. */
export interface SetupData {
  /** What it is: `SETUP_*` of Linux's `bootparam.h`. */
  readonly type: number;
  /** The data. */
  readonly bytes: Uint8Array;
}

/** What {@linkcode buildBootParams} puts together. */
export interface BootParamsOptions {
  /** The kernel's setup header, from 0x1f1 on. */
  readonly header: Uint8Array;
  /** The memory map in the order of addresses. */
  readonly map: readonly MapEntry[];
  /** The command line without its 0. */
  readonly commandLine: Uint8Array;
  /** Where the kernel is. */
  readonly load: number;
  /** The initial ramdisk. */
  readonly initrd?: MemoryPiece;
  /** Address of ACPI's RSDP; none: 0. */
  readonly rsdp?: number;
  /** What else the kernel is told. */
  readonly setupData?: readonly SetupData[];
  /** Whether there is a VGA in text mode 3. */
  readonly textScreen?: boolean;
}

/**
 * Makes `boot_params` and what it points to.
 * @param options What goes in.
 * @returns The bytes for {@linkcode BOOT_PARAMS}.
 * @throws ImageError It is too much.
 */
export function buildBootParams(options: BootParamsOptions): Uint8Array {
  const { header, map, commandLine, load, initrd, rsdp = 0, textScreen = false } = options;
  const data = [...options.setupData ?? []];
  if (map.length > E820_MOST) data.push({ type: SETUP_E820_EXT, bytes: e820(map.slice(E820_MOST)) });
  const dataAt = align(PAGE + commandLine.length + 1);
  const size = data.reduce((end, { bytes }) => align(end + SETUP_HEADER + bytes.length), dataAt);
  if (BOOT_PARAMS + size > BOOT_PARAMS_END) {
    throw new ImageError(`its command line and setup data would end at ${hex(BOOT_PARAMS + size)}, too high`);
  }
  const params = new Uint8Array(size);
  const view = new DataView(params.buffer);
  params.set(header, FIELD.HEADER);
  view.setUint16(FIELD.VID_MODE, VIDEO_NORMAL, true);
  params[FIELD.TYPE_OF_LOADER] = LOADER_UNDEFINED;
  view.setUint32(FIELD.CODE32_START, load, true);
  view.setUint32(FIELD.CMD_LINE_PTR, BOOT_PARAMS + PAGE, true);
  params.set(commandLine, PAGE);
  if (initrd !== undefined) {
    view.setUint32(FIELD.RAMDISK_IMAGE, initrd.base, true);
    view.setUint32(FIELD.RAMDISK_SIZE, initrd.bytes.length, true);
  }
  if (textScreen) {
    params[FIELD.ORIG_VIDEO_MODE] = 3;
    params[FIELD.ORIG_VIDEO_COLS] = 80;
    params[FIELD.ORIG_VIDEO_LINES] = 25;
    params[FIELD.ORIG_VIDEO_IS_VGA] = 1;
    view.setUint16(FIELD.ORIG_VIDEO_POINTS, 16, true);
  }
  const extended = freeFrom(map, HIGH_MEMORY) / 1024;
  view.setUint16(FIELD.EXT_MEM_K, Math.min(extended, 0xffff), true);
  view.setUint32(FIELD.ALT_MEM_K, extended, true);
  view.setBigUint64(FIELD.ACPI_RSDP, BigInt(rsdp), true);
  params[FIELD.E820_ENTRIES] = Math.min(map.length, E820_MOST);
  params.set(e820(map.slice(0, E820_MOST)), FIELD.E820_TABLE);
  let link: number = FIELD.SETUP_DATA, at = dataAt;
  for (const { type, bytes } of data) {
    view.setBigUint64(link, BigInt(BOOT_PARAMS + at), true);
    view.setUint32(at + 8, type, true);
    view.setUint32(at + 12, bytes.length, true);
    params.set(bytes, at + SETUP_HEADER);
    link = at;
    at = align(at + SETUP_HEADER + bytes.length);
  }
  return params;
}

/** Entries of the map as a BIOS tells them. */
function e820(map: readonly MapEntry[]): Uint8Array {
  const bytes = new Uint8Array(E820_ENTRY * map.length);
  const view = new DataView(bytes.buffer);
  for (const [n, { base, size, type }] of map.entries()) {
    view.setBigUint64(E820_ENTRY * n, BigInt(base), true);
    view.setBigUint64(E820_ENTRY * n + 8, BigInt(size), true);
    view.setUint32(E820_ENTRY * n + 16, type, true);
  }
  return bytes;
}

function align(value: number): number {
  return Math.ceil(value / 16) * 16;
}
