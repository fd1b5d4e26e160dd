/**
 * Kernels that ask for a multiboot-1 boot loader (Multiboot Specification 0.6.96): finding their header, and planning how they are
 * loaded and entered. Both forms are understood: addresses in the header, and ELF. Video modes are not.
 *
 * | at | what |
 * | --- | --- |
 * | 0x1000 | the descriptors of `low_tables.ts` |
 * | 0x2000 | the information structure, the memory map, the modules, the loader's name and the texts |
 * @module
 */

import { isElf, readElf, zeros } from "./elf.ts";
import { type BootPlan, containing, hex, ImageError, type MemoryPiece, type MemoryRange } from "./image.ts";
import { DESCRIPTORS, LOW_TABLES, lowTables, PROTECTED_END } from "./low_tables.ts";
import { freeFrom, type MapEntry, memoryMap } from "./memory_map.ts";
import { type BootModule, placeModules } from "./modules.ts";

/** How much of a file may hold the header, bytes. */
export const MULTIBOOT_SEARCH = 8192;

/** What the header begins with. */
export const MULTIBOOT_HEADER_MAGIC = 0x1badb002;

/** EAX at entry. */
export const MULTIBOOT_LOADER_MAGIC = 0x2badb002;

/** Flags of the header; those of the low 16 bits must be obeyed. */
const HEADER = { PAGE_ALIGN: 1, MEMORY_INFO: 2, VIDEO_MODE: 4, MANDATORY: 0xffff, ADDRESSES: 0x10000 } as const;

/** Flags of the information structure. */
const INFO = { MEMORY: 1, COMMAND_LINE: 4, MODULES: 8, MEMORY_MAP: 0x40, LOADER_NAME: 0x200 } as const;

/** Bytes of the information structure to the end of `boot_loader_name` and the two fields behind it. */
const INFO_SIZE = 0x58;

const HIGH_MEMORY = 0x100000;
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
  /** The modules, loaded on pages of their own. */
  readonly modules?: readonly BootModule[];
  /** The memory map; none: all memory is free but for 0xa0000 to 0xfffff. */
  readonly map?: readonly MapEntry[];
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
 * @param memory The memory of the machine.
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
  const elf = isElf(image);
  if (!elf && (header.flags & HEADER.ADDRESSES) === 0) {
    throw new ImageError("its multiboot header has no addresses, and it is no x86 ELF file");
  }
  const kernel = (header.flags & HEADER.ADDRESSES) !== 0 ? byAddresses(image, header) : byElf(image);
  const map = options.map ?? memoryMap(memory);
  const modules = placeModules(options.modules ?? [], map, kernel.pieces);
  const info = information(map, modules, options);
  const own: MemoryPiece[] = [
    { name: "the descriptors", base: LOW_TABLES, bytes: lowTables("protected") },
    { name: "the multiboot information", base: PROTECTED_END, bytes: info },
  ];
  const ownEnd = PROTECTED_END + info.length;
  for (const { name, base, bytes } of [...own, ...kernel.pieces, ...modules]) {
    containing(memory, name, base, bytes.length);
  }
  for (const { name, base, bytes } of kernel.pieces) {
    if (base < ownEnd && LOW_TABLES < base + bytes.length) {
      throw new ImageError(
        `${name} would lie on the multiboot information at ${hex(LOW_TABLES)} to ${hex(ownEnd - 1)}`,
      );
    }
  }
  return {
    mode: "protected",
    pieces: [...own, ...kernel.pieces, ...modules],
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
  if (bssEnd > behind) pieces.push(zeros(behind, bssEnd - behind));
  if (entry < load || entry >= Math.max(behind, bssEnd)) {
    throw new ImageError(`its entry ${hex(entry)} lies outside of what is loaded`);
  }
  return { pieces, entry };
}

/** The form of an ELF file: its loadable segments at their physical addresses. A 64-bit one is entered in 32-bit code as well. */
function byElf(image: Uint8Array): Kernel {
  const file = readElf(image);
  if (file.physicalEntry === undefined) {
    throw new ImageError(`its entry ${hex(file.entry)} lies outside of what is loaded`);
  }
  return { pieces: file.pieces, entry: file.physicalEntry };
}

/** The information structure with all that it points to, for {@linkcode PROTECTED_END}. */
function information(map: readonly MapEntry[], modules: readonly MemoryPiece[], options: MultibootOptions): Uint8Array {
  const encoder = new TextEncoder();
  const texts = [LOADER_NAME, options.commandLine ?? "", ...(options.modules ?? []).map(({ text }) => text)]
    .map((text) => encoder.encode(`${text}\0`));
  const mapAt = INFO_SIZE, modulesAt = mapAt + 24 * map.length, textsAt = modulesAt + 16 * modules.length;
  const bytes = new Uint8Array(texts.reduce((size, text) => size + text.length, textsAt));
  const view = viewOf(bytes);
  const put = (at: number, value: number): void => view.setUint32(at, value, true);
  const addresses: number[] = [];
  let end = textsAt;
  for (const text of texts) {
    addresses.push(PROTECTED_END + end);
    bytes.set(text, end);
    end += text.length;
  }
  const [loader, commandLine, ...moduleTexts] = addresses;
  put(
    0,
    INFO.MEMORY | INFO.COMMAND_LINE | (modules.length > 0 ? INFO.MODULES : 0) | INFO.MEMORY_MAP | INFO.LOADER_NAME,
  );
  put(4, freeFrom(map, 0) / 1024);
  put(8, freeFrom(map, HIGH_MEMORY) / 1024);
  put(16, commandLine);
  put(20, modules.length);
  put(24, modules.length === 0 ? 0 : PROTECTED_END + modulesAt);
  put(44, 24 * map.length);
  put(48, PROTECTED_END + mapAt);
  put(64, loader);
  for (const [n, { base, size, type }] of map.entries()) {
    const at = mapAt + 24 * n;
    put(at, 20);
    view.setBigUint64(at + 4, BigInt(base), true);
    view.setBigUint64(at + 12, BigInt(size), true);
    put(at + 20, type);
  }
  for (const [n, { base, bytes: { length } }] of modules.entries()) {
    const at = modulesAt + 16 * n;
    put(at, base);
    put(at + 4, base + length);
    put(at + 8, moduleTexts[n]);
  }
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
