/**
 * ELF files for x86, 32- and 64-bit: the segments that a boot loader puts into memory, the entry, and notes.
 * @module
 */

import { hex, ImageError, type MemoryPiece } from "./image.ts";

/** `7f "ELF"`. */
const MAGIC = 0x464c457f;
const CLASS_32 = 1;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const MACHINE_386 = 3;
const MACHINE_X86_64 = 62;
const TYPE_LOAD = 1;
const TYPE_NOTE = 4;
/** Nothing that is entered without a firmware is loaded beyond. */
const FOUR_GIB = 2 ** 32;

/** Bytes of the file header and of a program header. */
const SIZES = { [CLASS_32]: { header: 52, program: 32 }, [CLASS_64]: { header: 64, program: 56 } } as const;

/** A note. */
export interface ElfNote {
  /** Whose it is. */
  readonly name: string;
  /** What it is. */
  readonly type: number;
  /** The contents. */
  readonly data: Uint8Array;
}

/** What a file is made of. */
export interface ElfFile {
  /** 32 or 64. */
  readonly bits: 32 | 64;
  /** What goes into memory: the loadable segments at their physical addresses, zeros behind them. */
  readonly pieces: readonly MemoryPiece[];
  /** The entry as the header has it. */
  readonly entry: number;
  /** The entry as a physical address, if it lies in a segment by its virtual address; none: it does not. */
  readonly physicalEntry?: number;
  /** The notes of all note segments. */
  readonly notes: readonly ElfNote[];
  /** The segments, for those who look for an address. */
  readonly segments: readonly ElfSegment[];
}

/** Where a loadable segment goes. */
export interface ElfSegment {
  /** Virtual address; above 2^53 without its lowest bits. */
  readonly virtual: number;
  /** Physical address. */
  readonly physical: number;
  /** Bytes in memory. */
  readonly size: number;
}

/**
 * Says whether a file is an ELF file for x86.
 * @param image The file, at least its first 20 bytes.
 */
export function isElf(image: Uint8Array): boolean {
  if (image.length < 20) return false;
  const view = viewOf(image);
  if (view.getUint32(0, true) !== MAGIC || image[5] !== LITTLE_ENDIAN) return false;
  const machine = view.getUint16(18, true);
  return image[4] === CLASS_32 && machine === MACHINE_386 || image[4] === CLASS_64 && machine === MACHINE_X86_64;
}

/**
 * Reads an ELF file.
 * @param image The whole file.
 * @throws ImageError It is none for x86, is cut off, or has nothing to load below 4 GiB.
 */
export function readElf(image: Uint8Array): ElfFile {
  if (!isElf(image)) throw new ImageError("it is no x86 ELF file");
  const long = image[4] === CLASS_64;
  const sizes = SIZES[long ? CLASS_64 : CLASS_32];
  const view = viewOf(image);
  if (image.length < sizes.header) throw new ImageError("its ELF header is cut off");
  const word = (at: number): number => view.getUint32(at, true);
  const address = (at: number): bigint => long ? view.getBigUint64(at, true) : BigInt(word(at));
  const entry = address(24), table = Number(long ? address(32) : address(28));
  const size = view.getUint16(long ? 54 : 42, true), count = view.getUint16(long ? 56 : 44, true);
  if (size < sizes.program || table + size * count > image.length) {
    throw new ImageError("its ELF program headers are cut off");
  }
  const pieces: MemoryPiece[] = [], notes: ElfNote[] = [], segments: ElfSegment[] = [];
  let physicalEntry: number | undefined;
  for (let n = 0; n < count; n++) {
    const at = table + n * size;
    const type = word(at);
    if (type !== TYPE_LOAD && type !== TYPE_NOTE) continue;
    const [offset, virtual, physical, inFile, inMemory] = (long ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20])
      .map((each) => address(at + each));
    if (offset + inFile > BigInt(image.length)) {
      throw new ImageError(`its ELF segment ${n} wants bytes ${offset} to ${offset + inFile - 1n} of ${image.length}`);
    }
    const bytes = image.subarray(Number(offset), Number(offset + inFile));
    if (type === TYPE_NOTE) {
      notes.push(...readNotes(bytes));
      continue;
    }
    if (inFile > inMemory) throw new ImageError(`its ELF segment ${n} has more bytes in the file than in memory`);
    if (physical + inMemory > FOUR_GIB) throw new ImageError(`its ELF segment ${n} reaches beyond 4 GiB`);
    const base = Number(physical), length = Number(inMemory);
    if (bytes.length > 0) pieces.push({ name: `ELF segment ${n}`, base, bytes });
    if (length > bytes.length) pieces.push(zeros(base + bytes.length, length - bytes.length));
    segments.push({ virtual: Number(virtual), physical: base, size: length });
    if (physicalEntry === undefined && entry >= virtual && entry < virtual + inMemory) {
      physicalEntry = Number(entry - virtual) + base;
    }
  }
  if (pieces.length === 0) throw new ImageError("it is an ELF file with nothing to load");
  return { bits: long ? 64 : 32, pieces, entry: Number(entry), physicalEntry, notes, segments };
}

/**
 * The entry as a physical address.
 * @param file The file.
 * @throws ImageError It lies outside of what is loaded.
 */
export function elfEntry(file: ElfFile): number {
  const { entry, physicalEntry, segments } = file;
  if (physicalEntry !== undefined) return physicalEntry;
  if (segments.some(({ physical, size }) => entry >= physical && entry < physical + size)) return entry;
  throw new ImageError(`its entry ${hex(entry)} lies outside of what is loaded`);
}

/** What is behind the bytes of a file; memory may hold something already. */
export function zeros(base: number, size: number): MemoryPiece {
  return { name: "the kernel's bss", base, bytes: new Uint8Array(size) };
}

function readNotes(bytes: Uint8Array): ElfNote[] {
  const view = viewOf(bytes);
  const notes: ElfNote[] = [];
  for (let at = 0; at + 12 <= bytes.length;) {
    const nameSize = view.getUint32(at, true), dataSize = view.getUint32(at + 4, true);
    const dataAt = at + 12 + align(nameSize);
    if (dataAt + dataSize > bytes.length) break;
    const name = new TextDecoder("latin1").decode(bytes.subarray(at + 12, at + 12 + nameSize)).replace(/\0+$/, "");
    notes.push({ name, type: view.getUint32(at + 8, true), data: bytes.subarray(dataAt, dataAt + dataSize) });
    at = dataAt + align(dataSize);
  }
  return notes;
}

function align(size: number): number {
  return (size + 3) & ~3;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
