/**
 * Kernels that ask for a multiboot-2 boot loader (Multiboot2 Specification 2.0): finding their header, and planning how they are
 * loaded and entered, in 32-bit protected mode. Addresses in the header and ELF files, relocation of neither; modules. Frame
 * buffers and EFI are not offered.
 *
 * | at | what |
 * | --- | --- |
 * | 0x1000 | the descriptors of `low_tables.ts` |
 * | 0x2000 | the boot information: a list of tags |
 * @module
 */

import { elfEntry, isElf, readElf, zeros } from "./elf.ts";
import { type BootPlan, containing, hex, ImageError, type MemoryPiece, type MemoryRange } from "./image.ts";
import { DESCRIPTORS, LOW_TABLES, lowTables, PROTECTED_END } from "./low_tables.ts";
import { freeFrom, type MapEntry, memoryMap } from "./memory_map.ts";
import { type BootModule, placeModules } from "./modules.ts";

/** How much of a file may hold the header, bytes. */
export const MULTIBOOT2_SEARCH = 32768;
/** What the header begins with. */
export const MULTIBOOT2_HEADER_MAGIC = 0xe85250d6;
/** EAX at entry. */
export const MULTIBOOT2_LOADER_MAGIC = 0x36d76289;

const ARCHITECTURE_I386 = 0;
const HEADER_SIZE = 16;
const ALIGN = 8;

/** Tags of the header. */
const HEADER_TAG = { END: 0, INFORMATION: 1, ADDRESS: 2, ENTRY: 3, CONSOLE: 4, MODULE_ALIGN: 6 } as const;
const TAG_OPTIONAL = 1;
/** A console tag wants one, or can use EGA text. */
const CONSOLE_REQUIRED = 1;

/** Tags of the boot information. */
const TAG = {
  END: 0,
  COMMAND_LINE: 1,
  LOADER_NAME: 2,
  MODULE: 3,
  BASIC_MEMORY: 4,
  MEMORY_MAP: 6,
  ACPI_OLD: 14,
  ACPI_NEW: 15,
  LOAD_BASE: 21,
} as const;
/** Those that may be asked for. */
const OFFERED: readonly number[] = [1, 2, 3, 4, 6, 14, 15, 21];

const HIGH_MEMORY = 0x100000;
const LOADER_NAME = "kvm12";
const RSDP_OLD_SIZE = 20;

/** A header that was found. */
export interface Multiboot2Header {
  /** Where it begins in the file. */
  readonly offset: number;
  /** Its bytes. */
  readonly length: number;
}

/** What a kernel is told. */
export interface Multiboot2Options {
  /** The command line; none: an empty one. */
  readonly commandLine?: string;
  /** The modules, loaded on pages of their own. */
  readonly modules?: readonly BootModule[];
  /** The memory map; none: all memory is free but for 0xa0000 to 0xfffff. */
  readonly map?: readonly MapEntry[];
  /** The bytes of ACPI's RSDP; none: there is no ACPI. */
  readonly rsdp?: Uint8Array;
}

/**
 * Looks for a multiboot-2 header.
 * @param image The file, at least its first {@linkcode MULTIBOOT2_SEARCH} bytes if it has so many.
 * @returns The header, or `undefined` if there is none.
 */
export function findMultiboot2Header(image: Uint8Array): Multiboot2Header | undefined {
  const view = viewOf(image);
  const end = Math.min(image.length, MULTIBOOT2_SEARCH);
  for (let offset = 0; offset + HEADER_SIZE <= end; offset += ALIGN) {
    if (view.getUint32(offset, true) !== MULTIBOOT2_HEADER_MAGIC) continue;
    const [architecture, length, checksum] = [4, 8, 12].map((at) => view.getUint32(offset + at, true));
    if (((MULTIBOOT2_HEADER_MAGIC + architecture + length + checksum) >>> 0) === 0) return { offset, length };
  }
  return undefined;
}

/**
 * Plans how a multiboot-2 kernel is loaded and entered: in flat 32-bit protected mode without paging, EAX =
 * {@linkcode MULTIBOOT2_LOADER_MAGIC}, EBX the address of the boot information.
 * @param image The file.
 * @param memory The memory of the machine.
 * @param options What the kernel is told.
 * @throws ImageError There is no header, it asks for what is not there, or the kernel has no room.
 */
export function planMultiboot2(
  image: Uint8Array,
  memory: readonly MemoryRange[],
  options: Multiboot2Options = {},
): BootPlan {
  const header = findMultiboot2Header(image);
  if (header === undefined) {
    throw new ImageError(`there is no multiboot-2 header in its first ${MULTIBOOT2_SEARCH} bytes`);
  }
  const wishes = readWishes(image, header);
  const kernel = load(image, header, wishes);
  const map = options.map ?? memoryMap(memory);
  const modules = placeModules(options.modules ?? [], map, kernel.pieces);
  const info = information(map, modules, kernel.pieces, options);
  const own: MemoryPiece[] = [
    { name: "the descriptors", base: LOW_TABLES, bytes: lowTables("protected") },
    { name: "the multiboot information", base: PROTECTED_END, bytes: info },
  ];
  const ownEnd = PROTECTED_END + info.length;
  for (const { name, base, bytes } of kernel.pieces) {
    if (base < ownEnd && LOW_TABLES < base + bytes.length) {
      throw new ImageError(
        `${name} would lie on the multiboot information at ${hex(LOW_TABLES)} to ${hex(ownEnd - 1)}`,
      );
    }
  }
  const pieces = [...own, ...kernel.pieces, ...modules];
  for (const { name, base, bytes } of pieces) containing(memory, name, base, bytes.length);
  return {
    mode: "protected",
    pieces,
    cs: DESCRIPTORS.code,
    ip: kernel.entry,
    sp: LOW_TABLES,
    dl: 0,
    eax: MULTIBOOT2_LOADER_MAGIC,
    ebx: PROTECTED_END,
  };
}

/** What the header's tags say. */
interface Wishes {
  /** Header address, load address, end of load, end of bss. */
  readonly addresses?: readonly number[];
  readonly entry?: number;
}

function readWishes(image: Uint8Array, { offset, length }: Multiboot2Header): Wishes {
  const view = viewOf(image);
  if (view.getUint32(offset + 4, true) !== ARCHITECTURE_I386) {
    throw new ImageError("it is a kernel for another processor");
  }
  const end = offset + length;
  if (end > image.length) throw new ImageError("its multiboot header is cut off");
  let addresses: number[] | undefined, entry: number | undefined;
  for (let at = offset + HEADER_SIZE; at + 8 <= end;) {
    const type = view.getUint16(at, true), optional = (view.getUint16(at + 2, true) & TAG_OPTIONAL) !== 0;
    const size = view.getUint32(at + 4, true);
    if (size < 8 || at + size > end) throw new ImageError("its multiboot header has a damaged tag");
    const words = Array.from({ length: (size - 8) >> 2 }, (_, n) => view.getUint32(at + 8 + 4 * n, true));
    if (type === HEADER_TAG.END) break;
    if (type === HEADER_TAG.ADDRESS) addresses = words;
    else if (type === HEADER_TAG.ENTRY) entry = words[0];
    else if (!optional) refuse(type, words);
    at += Math.ceil(size / ALIGN) * ALIGN;
  }
  if (addresses !== undefined && addresses.length < 4) throw new ImageError("its multiboot header has a damaged tag");
  return { addresses, entry };
}

/** What the kernel cannot do without must be there. */
function refuse(type: number, words: readonly number[]): void {
  if (type === HEADER_TAG.MODULE_ALIGN) return;
  if (type === HEADER_TAG.CONSOLE) {
    if ((words[0] & CONSOLE_REQUIRED) !== 0) throw new ImageError("it asks for a console, which is not offered");
    return;
  }
  if (type !== HEADER_TAG.INFORMATION) {
    throw new ImageError(`its multiboot header asks for what is not offered, tag ${type}`);
  }
  const missing = words.find((each) => !OFFERED.includes(each));
  if (missing !== undefined) {
    throw new ImageError(`it asks for boot information of type ${missing}, which is not offered`);
  }
}

interface Kernel {
  readonly pieces: readonly MemoryPiece[];
  readonly entry: number;
}

function load(image: Uint8Array, { offset }: Multiboot2Header, { addresses, entry }: Wishes): Kernel {
  if (addresses === undefined) {
    if (!isElf(image)) throw new ImageError("its multiboot header has no addresses, and it is no x86 ELF file");
    const file = readElf(image);
    return { pieces: file.pieces, entry: entry ?? elfEntry(file) };
  }
  if (entry === undefined) throw new ImageError("its multiboot header has addresses and no entry");
  const [headerAt, loadAt, loadEnd, bssEnd] = addresses;
  const base = loadAt === 0xffffffff ? headerAt - offset : loadAt;
  const start = offset - (headerAt - base);
  const end = loadEnd === 0 ? image.length : start + (loadEnd - base);
  if (start < 0 || start > offset || end < start || end > image.length) {
    throw new ImageError(
      `its multiboot header wants bytes ${start} to ${end - 1} of the file, which has ${image.length}`,
    );
  }
  const pieces = [{ name: "the kernel", base, bytes: image.subarray(start, end) }];
  const behind = base + (end - start);
  if (bssEnd > behind) pieces.push(zeros(behind, bssEnd - behind));
  return { pieces, entry };
}

/** The boot information for {@linkcode PROTECTED_END}. */
function information(
  map: readonly MapEntry[],
  modules: readonly MemoryPiece[],
  kernel: readonly MemoryPiece[],
  options: Multiboot2Options,
): Uint8Array {
  const tags: Uint8Array[] = [
    tag(TAG.COMMAND_LINE, text(options.commandLine ?? "")),
    tag(TAG.LOADER_NAME, text(LOADER_NAME)),
    tag(TAG.BASIC_MEMORY, words(freeFrom(map, 0) / 1024, freeFrom(map, HIGH_MEMORY) / 1024)),
    ...modules.map(({ base, bytes }, n) =>
      tag(TAG.MODULE, words(base, base + bytes.length), text(options.modules?.[n].text ?? ""))
    ),
    tag(TAG.MEMORY_MAP, words(24, 0), ...map.map(mapEntry)),
    tag(TAG.LOAD_BASE, words(Math.min(...kernel.map(({ base }) => base)))),
  ];
  const { rsdp } = options;
  if (rsdp !== undefined) {
    tags.push(tag(TAG.ACPI_OLD, rsdp.subarray(0, RSDP_OLD_SIZE)));
    if (rsdp.length > RSDP_OLD_SIZE) tags.push(tag(TAG.ACPI_NEW, rsdp));
  }
  tags.push(tag(TAG.END));
  const size = tags.reduce((sum, { length }) => sum + length, 8);
  return concat(words(size, 0), ...tags);
}

function mapEntry({ base, size, type }: MapEntry): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(base), true);
  view.setBigUint64(8, BigInt(size), true);
  view.setUint32(16, type, true);
  return bytes;
}

/** A tag with what makes its size a multiple of 8. */
function tag(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concat(...parts);
  const bytes = new Uint8Array(Math.ceil((8 + body.length) / ALIGN) * ALIGN);
  bytes.set(words(type, 8 + body.length));
  bytes.set(body, 8);
  return bytes;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

function words(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
