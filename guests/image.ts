/**
 * Raw images: where their bytes go in guest memory, and in which state the processor enters them. Nothing here touches a machine;
 * {@linkcode planBootSector} and {@linkcode planFlat} make a {@linkcode BootPlan} that a caller carries out, as `planMultiboot` in
 * `multiboot.ts` does.
 * @module
 */

import { DESCRIPTORS, type Descriptors, LOW_TABLES, lowTables } from "./low_tables.ts";

/** The mode in which a guest is entered. */
export type GuestMode = "real" | "protected" | "long";

/** A run of guest-physical memory. */
export interface MemoryRange {
  /** Address of the first byte. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** Bytes to be put into guest memory. */
export interface MemoryPiece {
  /** What they are, for messages. */
  readonly name: string;
  /** Guest-physical address of the first byte. */
  readonly base: number;
  /** The bytes. */
  readonly bytes: Uint8Array;
}

/** What is needed to enter a guest. */
export interface BootPlan {
  /** The mode. */
  readonly mode: GuestMode;
  /** What goes into memory. */
  readonly pieces: readonly MemoryPiece[];
  /** Real mode: the selector of CS; its base is 16 times that. Otherwise 0x08. */
  readonly cs: number;
  /** The first instruction, as an offset in CS. */
  readonly ip: number;
  /** The stack pointer. */
  readonly sp: number;
  /** DL at entry: the BIOS's number of the boot disk. */
  readonly dl: number;
  /** EAX at entry, none: 0. */
  readonly eax?: number;
  /** EBX at entry, none: 0. */
  readonly ebx?: number;
  /** ESI at entry, none: 0. */
  readonly esi?: number;
  /** Real mode: the selector of all segments but CS, none: 0. */
  readonly data?: number;
  /**
   * Protected and long mode: the selectors and the limit of the descriptor table at the beginning of the tables, none: those of
   * `low_tables.ts`.
   */
  readonly descriptors?: Descriptors;
}

/** An image that cannot be loaded. */
export class ImageError extends Error {
  /** `"ImageError"`. */
  override readonly name: string = "ImageError";
}

const BOOT_ADDRESS = 0x7c00;
const SECTOR = 512;
const FIRST_DISK = 0x80;
const REAL_MODE_END = 0x100000;
const FOUR_GIB = 2 ** 32;

/**
 * A boot sector, as a BIOS enters it: the first 512 bytes at 0:7C00, real mode, DL = 0x80, the stack below.
 * @param image The image; bytes behind the first 512 stay on the disk, which does not exist yet.
 * @param memory The memory of the machine.
 * @throws ImageError The image is no boot sector, or there is no memory for it.
 */
export function planBootSector(image: Uint8Array, memory: readonly MemoryRange[]): BootPlan {
  if (image.length < SECTOR) {
    throw new ImageError(`it has ${image.length} bytes, a boot sector has ${SECTOR}; for a flat binary give --load`);
  }
  if (image[510] !== 0x55 || image[511] !== 0xaa) {
    throw new ImageError("bytes 510 and 511 are not the boot signature 55 aa; for a flat binary give --load");
  }
  const piece = { name: "the boot sector", base: BOOT_ADDRESS, bytes: image.subarray(0, SECTOR) };
  containing(memory, piece.name, piece.base, SECTOR);
  return { mode: "real", pieces: [piece], cs: 0, ip: BOOT_ADDRESS, sp: BOOT_ADDRESS, dl: FIRST_DISK };
}

/** Where a flat binary goes and how it is entered. */
export interface FlatOptions {
  /** The mode. */
  readonly mode: GuestMode;
  /** Guest-physical address of the first byte; none: 0x1000 in real mode, 0x100000 otherwise. */
  readonly load?: number;
  /** Address of the first instruction; none: the first byte. */
  readonly entry?: number;
}

/**
 * A flat binary. The stack begins at the end of the memory into which the image is loaded (in real mode not above 0x10000); in
 * protected and long mode the descriptors and page tables of {@linkcode LOW_TABLES} come along, and paging is on in long mode only.
 * @param image The image.
 * @param memory The memory of the machine.
 * @param options Where it goes.
 * @throws ImageError The image is empty, has no room, cannot be entered, or lies on the tables.
 */
export function planFlat(image: Uint8Array, memory: readonly MemoryRange[], options: FlatOptions): BootPlan {
  const { mode } = options;
  const load = options.load ?? (mode === "real" ? 0x1000 : REAL_MODE_END);
  const entry = options.entry ?? load;
  if (image.length === 0) throw new ImageError("it is empty");
  const piece: MemoryPiece = { name: "the image", base: load, bytes: image };
  const home = containing(memory, piece.name, load, image.length);
  if (mode === "real") {
    if (entry >= REAL_MODE_END) throw new ImageError(`real mode cannot enter at ${hex(entry)}, only below 0x100000`);
    const stack = memory.find(({ base }) => base === 0)?.size ?? 0x10000;
    const cs = (entry & 0xf0000) >> 4;
    return { mode, pieces: [piece], cs, ip: entry & 0xffff, sp: (Math.min(stack, 0x10000) - 16) & 0xfff0, dl: 0 };
  }
  if (entry >= FOUR_GIB || load >= FOUR_GIB) throw new ImageError("the entry state reaches only the first 4 GiB");
  const tables = { name: "the descriptors and page tables", base: LOW_TABLES, bytes: lowTables(mode) };
  const tablesEnd = tables.base + tables.bytes.length;
  if (load < tablesEnd && LOW_TABLES < load + image.length) {
    throw new ImageError(`it would lie on ${tables.name} at ${hex(LOW_TABLES)} to ${hex(tablesEnd - 1)}`);
  }
  containing(memory, tables.name, tables.base, tables.bytes.length);
  const sp = Math.min(home.base + home.size, FOUR_GIB) - 16;
  return { mode, pieces: [tables, piece], cs: DESCRIPTORS.code, ip: entry, sp, dl: 0 };
}

/**
 * The memory in which a piece lies whole.
 * @param memory The memory of the machine.
 * @param name What the piece is, for the message.
 * @param base Guest-physical address of its first byte.
 * @param size Bytes.
 * @throws ImageError There is no memory, or it ends too early.
 */
export function containing(memory: readonly MemoryRange[], name: string, base: number, size: number): MemoryRange {
  const home = memory.find((each) => base >= each.base && base < each.base + each.size);
  if (home === undefined) throw new ImageError(`there is no memory at ${hex(base)} for ${name}`);
  if (base + size > home.base + home.size) {
    throw new ImageError(
      `${name} takes ${size} bytes at ${hex(base)}, the memory there ends at ${hex(home.base + home.size)}`,
    );
  }
  return home;
}

/** An address for a message. */
export function hex(value: number): string {
  return "0x" + value.toString(16);
}
