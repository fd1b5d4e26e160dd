/**
 * Linux kernels as distributions ship them (`bzImage`, `zImage`; the x86 boot protocol, versions 2.00 to 2.15): looking at their
 * setup header, and planning how they are loaded and entered.
 *
 * There are three ways in. A 64-bit kernel is entered in long mode, which skips its own way there; any other one from version
 * 2.02 on in 32-bit protected mode. Both need no firmware: what the kernel wants to know is in its `boot_params`. The
 * 16-bit way runs the kernel's own real-mode code, which calls a BIOS, so it is taken only when asked for and for what has no
 * other way: `zImage` and kernels before 2.02.
 *
 * | at | 32- and 64-bit | real mode |
 * | --- | --- | --- |
 * | 0x1000 | the tables of `low_tables.ts` | |
 * | 0x10000 | `boot_params`, the command line, the setup data | the real-mode code and the command line |
 * | `pref_address`, or from 0x100000 on | the kernel | the kernel |
 * | 0x90000 | | a `zImage`'s real-mode code; its kernel is at 0x10000 |
 * | as high as the kernel reaches | the initial ramdisk | the initial ramdisk |
 * @module
 */

import { type BootPlan, containing, hex, ImageError, type MemoryPiece, type MemoryRange } from "./image.ts";
import { BOOT_PARAMS, buildBootParams, type SetupData } from "./linux_boot_params.ts";
import { LINUX_DESCRIPTORS, LOW_TABLES, lowTables } from "./low_tables.ts";
import { highestPlace, lowestPlace, type MapEntry, memoryMap } from "./memory_map.ts";

/** How much of a file must be there to recognise it, bytes. */
export const LINUX_SEARCH = 0x270;

/** `"HdrS"`, what the setup header is known by. */
const HEADER_MAGIC = 0x53726448;
/** `"LToP"`, what `kernel_info` is known by. */
const KERNEL_INFO_MAGIC = 0x506f544c;

/** Fields of the setup header: offsets in the file, and in `boot_params` too. */
const FIELD = {
  SETUP_SECTS: 0x1f1,
  SYSSIZE: 0x1f4,
  VID_MODE: 0x1fa,
  BOOT_FLAG: 0x1fe,
  HEADER_LENGTH: 0x201,
  MAGIC: 0x202,
  VERSION: 0x206,
  KERNEL_VERSION: 0x20e,
  TYPE_OF_LOADER: 0x210,
  LOADFLAGS: 0x211,
  SETUP_MOVE_SIZE: 0x212,
  CODE32_START: 0x214,
  RAMDISK_IMAGE: 0x218,
  RAMDISK_SIZE: 0x21c,
  HEAP_END_PTR: 0x224,
  CMD_LINE_PTR: 0x228,
  INITRD_ADDR_MAX: 0x22c,
  KERNEL_ALIGNMENT: 0x230,
  RELOCATABLE_KERNEL: 0x234,
  XLOADFLAGS: 0x236,
  CMDLINE_SIZE: 0x238,
  PREF_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
  KERNEL_INFO_OFFSET: 0x268,
} as const;

/** What the loader of version 2.01 and before is told by at the beginning of the real-mode code. */
const OLD = { COMMAND_LINE_MAGIC: 0x20, COMMAND_LINE_OFFSET: 0x22, MAGIC: 0xa33f } as const;

const LOADED_HIGH = 0x01;
const CAN_USE_HEAP = 0x80;
const XLF_KERNEL_64 = 0x01;
const LOADER_UNDEFINED = 0xff;
const VIDEO_NORMAL = 0xffff;

const SECTOR = 512;
const HIGH_MEMORY = 0x100000;
const ENTRY_64 = 0x200;
const FOUR_GIB = 2 ** 32;
/** What kernels that do not say can reach. */
const OLD_INITRD_MAX = 0x37ffffff;
const OLD_COMMAND_LINE = 255;
const PAGE = 4096;
/** How many bytes real-mode code may take with heap, stack and command line. */
const REAL = { HIGH_BASE: 0x10000, LOW_BASE: 0x90000, HIGH_HEAP: 0xe000, LOW_HEAP: 0x9800 } as const;

/** How a kernel is entered. */
export type LinuxEntry = "real" | "32" | "64";

/** What a kernel's setup header says. */
export interface LinuxHeader {
  /** The protocol's version: 0x20c is 2.12. */
  readonly protocol: number;
  /** The kernel's own version text; none: it has none. */
  readonly version?: string;
  /** Offset of the protected-mode code in the file. */
  readonly codeOffset: number;
  /** Its bytes. */
  readonly codeSize: number;
  /** Whether it is loaded at or above 1 MiB. */
  readonly high: boolean;
  /** Where it wants to be, if it can choose. */
  readonly preferred: number;
  /** Whether it can be elsewhere. */
  readonly relocatable: boolean;
  /** What its place must be a multiple of. */
  readonly alignment: number;
  /** Bytes of memory that it needs from its place on until it knows the memory map. */
  readonly initSize: number;
  /** The highest address that a byte of the initial ramdisk may have. */
  readonly initrdMax: number;
  /** The most bytes of a command line, without the 0. */
  readonly commandLineMax: number;
  /** The ways in. */
  readonly entries: readonly LinuxEntry[];
  /** The highest type of setup data that it knows, from `kernel_info`; none: it does not say. */
  readonly setupTypeMax?: number;
}

/** What a kernel is told. */
export interface LinuxOptions {
  /** The command line; none: an empty one. */
  readonly commandLine?: string;
  /** The initial ramdisk. */
  readonly initrd?: Uint8Array;
  /** The way in; none: 64-bit if the kernel has that, else 32-bit, else real mode. */
  readonly entry?: LinuxEntry;
  /** The memory map; none: all memory is free but for 0xa0000 to 0xfffff. */
  readonly map?: readonly MapEntry[];
  /** Guest-physical address of ACPI's RSDP; none: the kernel looks for it. */
  readonly rsdp?: number;
  /** What else it is told. */
  readonly setupData?: readonly SetupData[];
  /** Whether there is a VGA in text mode 3. */
  readonly textScreen?: boolean;
}

/**
 * Says whether a file is a Linux kernel that has a setup header.
 * @param image The file, at least its first {@linkcode LINUX_SEARCH} bytes if it has so many.
 */
export function isLinux(image: Uint8Array): boolean {
  return image.length >= FIELD.VERSION + 2 && viewOf(image).getUint32(FIELD.MAGIC, true) === HEADER_MAGIC;
}

/**
 * Reads a kernel's setup header and checks it.
 * @param image The whole file.
 * @throws ImageError It is no Linux kernel, or is damaged or cut off.
 */
export function readLinuxHeader(image: Uint8Array): LinuxHeader {
  if (!isLinux(image)) throw new ImageError("it is no Linux kernel: HdrS is not at 0x202");
  const view = viewOf(image);
  const protocol = view.getUint16(FIELD.VERSION, true);
  if (protocol < 0x200) throw new ImageError(`its boot protocol ${hex(protocol)} is older than 2.00`);
  if (view.getUint16(FIELD.BOOT_FLAG, true) !== 0xaa55) {
    throw new ImageError("its setup header is damaged: 55 aa is not at 0x1fe");
  }
  const codeOffset = ((image[FIELD.SETUP_SECTS] || 4) + 1) * SECTOR;
  if (image.length <= codeOffset) throw new ImageError(`it is cut off: its kernel begins at byte ${codeOffset}`);
  const codeSize = image.length - codeOffset;
  if (protocol >= 0x204) {
    const told = view.getUint32(FIELD.SYSSIZE, true) * 16;
    if (codeSize + 15 < told) {
      throw new ImageError(`it is cut off: ${codeSize} of the kernel's ${told} bytes are there`);
    }
  }
  const high = (image[FIELD.LOADFLAGS] & LOADED_HIGH) !== 0;
  const long = protocol >= 0x20c && (view.getUint16(FIELD.XLOADFLAGS, true) & XLF_KERNEL_64) !== 0;
  const entries: LinuxEntry[] = ["real"];
  if (high && protocol >= 0x202) entries.unshift("32");
  if (high && long) entries.unshift("64");
  const relocatable = high && protocol >= 0x205 && image[FIELD.RELOCATABLE_KERNEL] !== 0;
  const alignment = relocatable ? view.getUint32(FIELD.KERNEL_ALIGNMENT, true) : PAGE;
  const preferred = protocol >= 0x20a ? Number(view.getBigUint64(FIELD.PREF_ADDRESS, true)) : HIGH_MEMORY;
  if (alignment === 0 || (alignment & (alignment - 1)) !== 0) {
    throw new ImageError(`its setup header is damaged: the alignment ${hex(alignment)} is no power of two`);
  }
  return {
    protocol,
    version: versionText(image, view),
    codeOffset,
    codeSize,
    high,
    preferred: high ? preferred : REAL.HIGH_BASE,
    relocatable,
    alignment,
    initSize: Math.max(codeSize, protocol >= 0x20a ? view.getUint32(FIELD.INIT_SIZE, true) : 0),
    initrdMax: protocol >= 0x203 ? view.getUint32(FIELD.INITRD_ADDR_MAX, true) : OLD_INITRD_MAX,
    commandLineMax: protocol >= 0x206 ? view.getUint32(FIELD.CMDLINE_SIZE, true) : OLD_COMMAND_LINE,
    entries,
    setupTypeMax: protocol >= 0x20f ? setupTypeMax(image, view, codeOffset) : undefined,
  };
}

/**
 * Plans how a Linux kernel is loaded and entered.
 * @param image The file.
 * @param memory The memory of the machine.
 * @param options What the kernel is told.
 * @throws ImageError It is no Linux kernel, cannot be entered so, or has no room.
 */
export function planLinux(image: Uint8Array, memory: readonly MemoryRange[], options: LinuxOptions = {}): BootPlan {
  const header = readLinuxHeader(image);
  const entry = options.entry ?? header.entries[0];
  if (!header.entries.includes(entry)) {
    throw new ImageError(`it has no ${entry === "real" ? "real-mode" : `${entry}-bit`} entry`);
  }
  const map = options.map ?? memoryMap(memory);
  const text = new TextEncoder().encode(options.commandLine ?? "");
  if (text.length > header.commandLineMax) {
    throw new ImageError(`its command line may have ${header.commandLineMax} bytes, not ${text.length}`);
  }
  const load = placeKernel(header, map);
  const code = { name: "the kernel", base: load, bytes: image.subarray(header.codeOffset) };
  const initrd = placeInitrd(header, map, load, options.initrd);
  const plan = entry === "real"
    ? planReal(image, header, text, load, initrd)
    : planFlatEntry(image, header, entry, text, load, initrd, map, options);
  const pieces = [...plan.pieces, code, ...(initrd === undefined ? [] : [initrd])];
  for (const { name, base, bytes } of pieces) containing(memory, name, base, bytes.length);
  return { ...plan, pieces };
}

/** Where the protected-mode code goes. */
function placeKernel(header: LinuxHeader, map: readonly MapEntry[]): number {
  const { initSize, preferred, relocatable, alignment, high } = header;
  const fixed = lowestPlace(map, initSize, { above: preferred, below: preferred + initSize, align: 1 });
  if (fixed !== undefined) return fixed;
  const place = relocatable
    ? lowestPlace(map, initSize, { above: HIGH_MEMORY, below: FOUR_GIB, align: alignment })
    : undefined;
  if (place === undefined) {
    const where = relocatable ? "from 1 MiB on" : `at ${hex(preferred)}`;
    throw new ImageError(
      `it needs ${initSize} bytes of memory ${where}, which are not there${high ? "" : " (zImage)"}`,
    );
  }
  return place;
}

/** The initial ramdisk, as high as may be, behind the kernel. */
function placeInitrd(
  header: LinuxHeader,
  map: readonly MapEntry[],
  load: number,
  initrd: Uint8Array | undefined,
): MemoryPiece | undefined {
  if (initrd === undefined || initrd.length === 0) return undefined;
  const above = Math.max(HIGH_MEMORY, load + header.initSize);
  const below = Math.min(header.initrdMax + 1, FOUR_GIB);
  const base = highestPlace(map, initrd.length, { above, below, align: PAGE });
  if (base === undefined) {
    throw new ImageError(
      `there is no room for its initial ramdisk of ${initrd.length} bytes from ${hex(above)} to ${hex(below - 1)}`,
    );
  }
  return { name: "the initial ramdisk", base, bytes: initrd };
}

/** Entry with `boot_params`. */
function planFlatEntry(
  image: Uint8Array,
  header: LinuxHeader,
  entry: "32" | "64",
  text: Uint8Array,
  load: number,
  initrd: MemoryPiece | undefined,
  map: readonly MapEntry[],
  options: LinuxOptions,
): BootPlan {
  for (const { type } of options.setupData ?? []) {
    if (header.setupTypeMax !== undefined && type > header.setupTypeMax) {
      throw new ImageError(`it knows setup data up to type ${header.setupTypeMax}, not ${type}`);
    }
  }
  const params = buildBootParams({
    header: headerBytes(image),
    map,
    commandLine: text,
    load,
    initrd,
    rsdp: options.rsdp,
    setupData: header.protocol >= 0x209 ? options.setupData : undefined,
    textScreen: options.textScreen,
  });
  const mode = entry === "64" ? "long" : "protected";
  const own: MemoryPiece[] = [
    { name: "the descriptors and page tables", base: LOW_TABLES, bytes: lowTables(mode, LINUX_DESCRIPTORS) },
    { name: "the boot parameters", base: BOOT_PARAMS, bytes: params },
  ];
  return {
    mode,
    pieces: own,
    descriptors: LINUX_DESCRIPTORS,
    cs: LINUX_DESCRIPTORS.code,
    ip: entry === "64" ? load + ENTRY_64 : load,
    sp: BOOT_PARAMS,
    dl: 0,
    esi: BOOT_PARAMS,
  };
}

/** Entry into the kernel's real-mode code. */
function planReal(
  image: Uint8Array,
  header: LinuxHeader,
  text: Uint8Array,
  load: number,
  initrd: MemoryPiece | undefined,
): BootPlan {
  const { protocol, high } = header;
  const base = high ? REAL.HIGH_BASE : REAL.LOW_BASE;
  const heapEnd = high ? REAL.HIGH_HEAP : REAL.LOW_HEAP;
  const bytes = new Uint8Array(heapEnd + text.length + 1);
  if (header.codeOffset > heapEnd - 0x1000) {
    throw new ImageError(`its real-mode code has ${header.codeOffset} bytes, too many`);
  }
  bytes.set(image.subarray(0, header.codeOffset));
  bytes.set(text, heapEnd);
  const view = viewOf(bytes);
  view.setUint16(FIELD.VID_MODE, VIDEO_NORMAL, true);
  bytes[FIELD.TYPE_OF_LOADER] = LOADER_UNDEFINED;
  if (protocol >= 0x201) {
    view.setUint16(FIELD.HEAP_END_PTR, heapEnd - 0x200, true);
    bytes[FIELD.LOADFLAGS] |= CAN_USE_HEAP;
  }
  if (protocol >= 0x202) {
    view.setUint32(FIELD.CMD_LINE_PTR, base + heapEnd, true);
  } else {
    view.setUint16(OLD.COMMAND_LINE_MAGIC, OLD.MAGIC, true);
    view.setUint16(OLD.COMMAND_LINE_OFFSET, heapEnd, true);
    view.setUint16(FIELD.SETUP_MOVE_SIZE, bytes.length, true);
  }
  if (high) view.setUint32(FIELD.CODE32_START, load, true);
  if (initrd !== undefined) {
    view.setUint32(FIELD.RAMDISK_IMAGE, initrd.base, true);
    view.setUint32(FIELD.RAMDISK_SIZE, initrd.bytes.length, true);
  }
  const data = base >> 4;
  return {
    mode: "real",
    pieces: [{ name: "the real-mode code", base, bytes }],
    cs: data + 0x20,
    ip: 0,
    sp: heapEnd,
    data,
    dl: 0,
  };
}

/** The setup header, from 0x1f1 on. */
function headerBytes(image: Uint8Array): Uint8Array {
  return image.subarray(FIELD.SETUP_SECTS, FIELD.MAGIC + image[FIELD.HEADER_LENGTH]);
}

function versionText(image: Uint8Array, view: DataView): string | undefined {
  const offset = view.getUint16(FIELD.KERNEL_VERSION, true);
  if (offset === 0) return undefined;
  const start = offset + SECTOR, end = image.indexOf(0, start);
  if (end < 0 || end - start > SECTOR) return undefined;
  return new TextDecoder("latin1").decode(image.subarray(start, end));
}

/** Looks into `kernel_info`. */
function setupTypeMax(image: Uint8Array, view: DataView, codeOffset: number): number | undefined {
  const at = codeOffset + view.getUint32(FIELD.KERNEL_INFO_OFFSET, true);
  if (at === codeOffset) return undefined;
  if (at + 16 > image.length || view.getUint32(at, true) !== KERNEL_INFO_MAGIC) {
    throw new ImageError("its kernel_info is damaged");
  }
  const size = view.getUint32(at + 4, true);
  return size >= 16 ? view.getUint32(at + 12, true) : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
