/**
 * Kernels that ask for a multiboot-1 boot loader (Multiboot Specification 0.6.96): finding their header, and planning how they are
 * loaded and entered. Both forms are understood: addresses in the header, and 32-bit ELF. Modules and video modes are not.
 *
 * | at | what |
 * | --- | --- |
 * | 0x1000 | the descriptors of `low_tables.ts` |
 * | 0x2000 | the information structure, the memory map, the loader's name and the command line |
 * @module
 */

import { type BootPlan, containing, hex, ImageError, type MemoryPiece, type MemoryRange } from "./image.ts";
import { DESCRIPTORS, LOW_TABLES, lowTables, PROTECTED_END } from "./low_tables.ts";

/** How much of a file may hold the header, bytes. */
export const MULTIBOOT_SEARCH = 8192;

/** What the header begins with. */
export const MULTIBOOT_HEADER_MAGIC = 0x1badb002;

/** EAX at entry. */
export const MULTIBOOT_LOADER_MAGIC = 0x2badb002;

/** Flags of the header; those of the low 16 bits must be obeyed. */
const HEADER = { PAGE_ALIGN: 1, MEMORY_INFO: 2, VIDEO_MODE: 4, MANDATORY: 0xffff, ADDRESSES: 0x10000 } as const;

/** Flags of the information structure. */
const INFO = { MEMORY: 1, COMMAND_LINE: 4, MEMORY_MAP: 0x40, LOADER_NAME: 0x200 } as const;

/** Bytes of the information structure to the end of `boot_loader_name` and the two fields behind it. */
const INFO_SIZE = 0x58;

const ELF_MAGIC = 0x464c457f;
const ELF_CLASS_32 = 1;
const ELF_LITTLE_ENDIAN = 1;
const ELF_386 = 3;
const ELF_LOAD = 1;
const ELF_HEADER_SIZE = 52;
const ELF_PROGRAM_HEADER_SIZE = 32;

const LOW_MEMORY_END = 0xa0000;
const HIGH_MEMORY = 0x100000;
const FOUR_GIB = 2 ** 32;
const AVAILABLE = 1;
const RESERVED = 2;
const LOADER_NAME = "kvm12";

/** A header that was found. */
export interface MultibootHeader {
  /** Where it begins in the file. */
  readonly offset: number;
  /** Its flags. */
  readonly flags: number;
}

/** What a kernel is told. */
export interface MultibootOptions {
  /** The command line; none: an empty one. */
  readonly commandLine?: string;
}

/**
 * Looks for a multiboot-1 header.
 * @param image The file, at least its first {@linkcode MULTIBOOT_SEARCH} bytes if it has so many.
 * @returns The header, or `undefined` if there is none.
 */
export function findMultibootHeader(image: Uint8Array): MultibootHeader | undefined {
  const view = viewOf(image);
  const end = Math.min(image.length, MULTIBOOT_SEARCH);
  for (let offset = 0; offset + 12 <= end; offset += 4) {
    if (view.getUint32(offset, true) !== MULTIBOOT_HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    const checksum = view.getUint32(offset + 8, true);
    if (((MULTIBOOT_HEADER_MAGIC + flags + checksum) >>> 0) === 0) return { offset, flags };
  }
  return undefined;
}

/**
 * A multiboot kernel: entered in flat 32-bit protected mode without paging and with interrupts off, EAX =
 * {@linkcode MULTIBOOT_LOADER_MAGIC}, EBX the address of the information structure.
 * @param image The file.
 * @param memory The memory of the machine; it is also what the kernel's memory map says.
 * @param options What the kernel is told.
 * @throws ImageError There is no header, it asks for what is not there, or the kernel has no room.
 */
export function planMultiboot(
  image: Uint8Array,
  memory: readonly MemoryRange[],
  options: MultibootOptions = {},
): BootPlan {
  const header = findMultibootHeader(image);
  if (header === undefined) throw new ImageError(`there is no multiboot header in its first ${MULTIBOOT_SEARCH} bytes`);
  refuseFlags(header.flags);
  const isElf = image.length >= 4 && viewOf(image).getUint32(0, true) === ELF_MAGIC;
  if (!isElf && (header.flags & HEADER.ADDRESSES) === 0) {
    throw new ImageError("its multiboot header has no addresses, and it is no ELF file");
  }
  const kernel = (header.flags & HEADER.ADDRESSES) !== 0 ? byAddresses(image, header) : byElf(image);
  const info = information(memory, options.commandLine ?? "");
  const own: MemoryPiece[] = [
    { name: "the descriptors", base: LOW_TABLES, bytes: lowTables("protected") },
    { name: "the multiboot information", base: PROTECTED_END, bytes: info },
  ];
  const ownEnd = PROTECTED_END + info.length;
  for (const { name, base, bytes } of [...own, ...kernel.pieces]) containing(memory, name, base, bytes.length);
  for (const { name, base, bytes } of kernel.pieces) {
    if (base < ownEnd && LOW_TABLES < base + bytes.length) {
      throw new ImageError(
        `${name} would lie on the multiboot information at ${hex(LOW_TABLES)} to ${hex(ownEnd - 1)}`,
      );
    }
  }
  return {
    mode: "protected",
    pieces: [...own, ...kernel.pieces],
    cs: DESCRIPTORS.code,
    ip: kernel.entry,
    sp: LOW_TABLES,
    dl: 0,
    eax: MULTIBOOT_LOADER_MAGIC,
    ebx: PROTECTED_END,
  };
}

/** A kernel's bytes and its first instruction. */
interface Kernel {
  readonly pieces: readonly MemoryPiece[];
  readonly entry: number;
}

function refuseFlags(flags: number): void {
  if ((flags & HEADER.VIDEO_MODE) !== 0) throw new ImageError("it asks for a video mode, and there is no screen");
  const unknown = flags & HEADER.MANDATORY & ~(HEADER.PAGE_ALIGN | HEADER.MEMORY_INFO);
  if (unknown !== 0) throw new ImageError(`its multiboot header has unknown flags, ${hex(unknown)}`);
}

/** The form with addresses in the header: one piece of the file, and zeros behind it. */
function byAddresses(image: Uint8Array, { offset }: MultibootHeader): Kernel {
  if (offset + 32 > image.length) throw new ImageError("its multiboot header is cut off");
  const view = viewOf(image);
  const [header, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((at) => view.getUint32(offset + at, true));
  const start = offset - (header - load);
  if (header < load || start < 0) {
    throw new ImageError(`its multiboot header at ${hex(header)} does not fit to the load address ${hex(load)}`);
  }
  const end = loadEnd === 0 ? image.length : start + (loadEnd - load);
  if (end < start || end > image.length) {
    throw new ImageError(
      `its multiboot header wants bytes ${start} to ${end - 1} of the file, which has ${image.length}`,
    );
  }
  const pieces = [{ name: "the kernel", base: load, bytes: image.subarray(start, end) }];
  const behind = load + (end - start);
  if (bssEnd !== 0 && bssEnd < behind) {
    throw new ImageError(`its multiboot header ends the bss at ${hex(bssEnd)}, inside of what is loaded`);
  }
  pieces.push(...zeros(behind, bssEnd - behind));
  if (entry < load || entry >= Math.max(behind, bssEnd)) {
    throw new ImageError(`its entry ${hex(entry)} lies outside of what is loaded`);
  }
  return { pieces, entry };
}

/** The form of a 32-bit ELF file: its loadable segments at their physical addresses. */
function byElf(image: Uint8Array): Kernel {
  const view = viewOf(image);
  if (image.length < ELF_HEADER_SIZE) throw new ImageError("its ELF header is cut off");
  if (image[4] !== ELF_CLASS_32 || image[5] !== ELF_LITTLE_ENDIAN || view.getUint16(18, true) !== ELF_386) {
    throw new ImageError("it is no 32-bit x86 ELF file, and its multiboot header has no addresses");
  }
  const virtual = view.getUint32(24, true), table = view.getUint32(28, true);
  const size = view.getUint16(42, true), count = view.getUint16(44, true);
  if (size < ELF_PROGRAM_HEADER_SIZE || table + size * count > image.length) {
    throw new ImageError("its ELF program headers are cut off");
  }
  const pieces: MemoryPiece[] = [];
  let entry: number | undefined;
  for (let n = 0; n < count; n++) {
    const at = table + n * size;
    if (view.getUint32(at, true) !== ELF_LOAD) continue;
    const [offset, address, base, inFile, inMemory] = [4, 8, 12, 16, 20].map((each) => view.getUint32(at + each, true));
    if (inFile > inMemory || offset + inFile > image.length) {
      throw new ImageError(`its ELF segment ${n} wants bytes ${offset} to ${offset + inFile - 1} of ${image.length}`);
    }
    if (base + inMemory > FOUR_GIB) throw new ImageError(`its ELF segment ${n} reaches beyond 4 GiB`);
    if (inFile > 0) pieces.push({ name: `ELF segment ${n}`, base, bytes: image.subarray(offset, offset + inFile) });
    pieces.push(...zeros(base + inFile, inMemory - inFile));
    if (entry === undefined && virtual >= address && virtual < address + inMemory) entry = virtual - address + base;
  }
  if (pieces.length === 0) throw new ImageError("it is an ELF file with nothing to load");
  if (entry === undefined) throw new ImageError(`its entry ${hex(virtual)} lies outside of what is loaded`);
  return { pieces, entry };
}

/** What is behind the bytes of a file; memory may hold something already. */
function zeros(base: number, size: number): MemoryPiece[] {
  return size <= 0 ? [] : [{ name: "the kernel's bss", base, bytes: new Uint8Array(size) }];
}

/** The information structure with all that it points to, for {@linkcode PROTECTED_END}. */
function information(memory: readonly MemoryRange[], commandLine: string): Uint8Array {
  const map = memoryMap(memory);
  const texts = new TextEncoder().encode(`${LOADER_NAME}\0${commandLine}\0`);
  const mapAt = INFO_SIZE, textsAt = mapAt + 24 * map.length;
  const bytes = new Uint8Array(textsAt + texts.length);
  const view = viewOf(bytes);
  const put = (at: number, value: number): void => view.setUint32(at, value, true);
  put(0, INFO.MEMORY | INFO.COMMAND_LINE | INFO.MEMORY_MAP | INFO.LOADER_NAME);
  put(4, sizeFrom(map, 0) / 1024);
  put(8, sizeFrom(map, HIGH_MEMORY) / 1024);
  put(16, PROTECTED_END + textsAt + LOADER_NAME.length + 1);
  put(44, 24 * map.length);
  put(48, PROTECTED_END + mapAt);
  put(64, PROTECTED_END + textsAt);
  for (const [n, { base, size, type }] of map.entries()) {
    const at = mapAt + 24 * n;
    put(at, 20);
    view.setBigUint64(at + 4, BigInt(base), true);
    view.setBigUint64(at + 12, BigInt(size), true);
    put(at + 20, type);
  }
  bytes.set(texts, textsAt);
  return bytes;
}

interface MapEntry extends MemoryRange {
  readonly type: typeof AVAILABLE | typeof RESERVED;
}

/** The memory by address; what a PC has at 0xa0000 to 0xfffff is not for kernels. */
function memoryMap(memory: readonly MemoryRange[]): MapEntry[] {
  const map: MapEntry[] = [];
  for (const { base, size } of memory.toSorted((a, b) => a.base - b.base)) {
    const end = base + size;
    const parts = [
      { base, end: Math.min(end, LOW_MEMORY_END), type: AVAILABLE },
      { base: Math.max(base, LOW_MEMORY_END), end: Math.min(end, HIGH_MEMORY), type: RESERVED },
      { base: Math.max(base, HIGH_MEMORY), end, type: AVAILABLE },
    ] as const;
    for (const part of parts) {
      if (part.base < part.end) map.push({ base: part.base, size: part.end - part.base, type: part.type });
    }
  }
  return map;
}

/** How many bytes below 4 GiB are available from an address on without a gap. */
function sizeFrom(map: readonly MapEntry[], start: number): number {
  let end = start;
  for (const { base, size, type } of map) if (type === AVAILABLE && base === end) end += size;
  return Math.min(end, FOUR_GIB) - start;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
