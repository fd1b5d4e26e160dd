/**
 * Kernels with a PVH entry (Xen's x86/HVM direct boot ABI): ELF files with a note that names a 32-bit entry. Linux's `vmlinux`
 * is one.
 *
 * | at | what |
 * | --- | --- |
 * | 0x1000 | the descriptors of `low_tables.ts` |
 * | 0x10000 | `hvm_start_info`, the module list, the memory map, the command lines |
 * @module
 */

import { type ElfFile, readElf } from "./elf.ts";
import { type BootPlan, containing, hex, ImageError, type MemoryPiece, type MemoryRange } from "./image.ts";
import { DESCRIPTORS, LOW_TABLES, lowTables } from "./low_tables.ts";
import { type MapEntry, memoryMap } from "./memory_map.ts";
import { type BootModule, placeModules } from "./modules.ts";

/** What `hvm_start_info` begins with. */
const START_MAGIC = 0x336ec578;
const START_VERSION = 1;
/** Note that holds the entry, of `"Xen"`. */
const NOTE_NAME = "Xen";
const NOTE_PHYS32_ENTRY = 18;

const START_INFO = 0x10000;
const START_SIZE = 56;
const MODULE_SIZE = 32;
const ENTRY_SIZE = 24;

/** What a kernel is told. */
export interface PvhOptions {
  /** The command line; none: an empty one. */
  readonly commandLine?: string;
  /** The modules; the first one is Linux's initial ramdisk. */
  readonly modules?: readonly BootModule[];
  /** The memory map; none: all memory is free but for 0xa0000 to 0xfffff. */
  readonly map?: readonly MapEntry[];
  /** Guest-physical address of ACPI's RSDP; none: 0. */
  readonly rsdp?: number;
}

/**
 * Looks for a PVH entry.
 * @param file The file.
 * @returns Its guest-physical address, or `undefined` if there is none.
 */
export function findPvhEntry(file: ElfFile): number | undefined {
  const note = file.notes.find(({ name, type }) => name === NOTE_NAME && type === NOTE_PHYS32_ENTRY);
  if (note === undefined || note.data.length < 4) return undefined;
  return new DataView(note.data.buffer, note.data.byteOffset).getUint32(0, true);
}

/**
 * Plans how a kernel is loaded and entered: in flat 32-bit protected mode without paging, EBX the address of
 * `hvm_start_info`.
 * @param image The file.
 * @param memory The memory of the machine.
 * @param options What the kernel is told.
 * @throws ImageError There is no such entry, or no room.
 */
export function planPvh(image: Uint8Array, memory: readonly MemoryRange[], options: PvhOptions = {}): BootPlan {
  const file = readElf(image);
  const entry = findPvhEntry(file);
  if (entry === undefined) throw new ImageError("it has no PVH entry: no note of Xen of type 18");
  if (!file.segments.some(({ physical, size }) => entry >= physical && entry < physical + size)) {
    throw new ImageError(`its PVH entry ${hex(entry)} lies outside of what is loaded`);
  }
  const map = options.map ?? memoryMap(memory);
  const modules = placeModules(options.modules ?? [], map, file.pieces);
  const info = startInfo(map, modules, options);
  const own: MemoryPiece[] = [
    { name: "the descriptors", base: LOW_TABLES, bytes: lowTables("protected") },
    { name: "the start information", base: START_INFO, bytes: info },
  ];
  const pieces = [...own, ...file.pieces, ...modules];
  for (const { name, base, bytes } of pieces) containing(memory, name, base, bytes.length);
  for (const { name, base, bytes } of file.pieces) {
    if (base < START_INFO + info.length && LOW_TABLES < base + bytes.length) {
      throw new ImageError(`${name} would lie on the start information at ${hex(START_INFO)}`);
    }
  }
  return { mode: "protected", pieces, cs: DESCRIPTORS.code, ip: entry, sp: LOW_TABLES, dl: 0, ebx: START_INFO };
}

function startInfo(map: readonly MapEntry[], modules: readonly MemoryPiece[], options: PvhOptions): Uint8Array {
  const encoder = new TextEncoder();
  const texts = [options.commandLine ?? "", ...(options.modules ?? []).map(({ text }) => text)]
    .map((text) => encoder.encode(`${text}\0`));
  const modulesAt = START_SIZE, mapAt = modulesAt + MODULE_SIZE * modules.length;
  const textsAt = mapAt + ENTRY_SIZE * map.length;
  const bytes = new Uint8Array(texts.reduce((size, text) => size + text.length, textsAt));
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  const textAddresses: number[] = [];
  let at = textsAt;
  for (const text of texts) {
    textAddresses.push(START_INFO + at);
    bytes.set(text, at);
    at += text.length;
  }
  view.setUint32(0, START_MAGIC, true);
  view.setUint32(4, START_VERSION, true);
  view.setUint32(12, modules.length, true);
  put(16, modules.length === 0 ? 0 : START_INFO + modulesAt);
  put(24, textAddresses[0]);
  put(32, options.rsdp ?? 0);
  put(40, START_INFO + mapAt);
  view.setUint32(48, map.length, true);
  for (const [n, module] of modules.entries()) {
    put(modulesAt + MODULE_SIZE * n, module.base);
    put(modulesAt + MODULE_SIZE * n + 8, module.bytes.length);
    put(modulesAt + MODULE_SIZE * n + 16, textAddresses[n + 1]);
  }
  for (const [n, { base, size, type }] of map.entries()) {
    put(mapAt + ENTRY_SIZE * n, base);
    put(mapAt + ENTRY_SIZE * n + 8, size);
    view.setUint32(mapAt + ENTRY_SIZE * n + 16, type, true);
  }
  return bytes;
}
