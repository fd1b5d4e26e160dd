/**
 * Where a PC has its memory.
 * @module
 */

/** Memory to be made: a slot. */
export interface MemoryRegion {
  /** Its slot. */
  readonly slot: number;
  /** Guest-physical address, a multiple of 4096. */
  readonly base: number;
  /** Bytes, a multiple of 4096. */
  readonly size: number;
  /** Whether the guest's writes are recorded; no unless told. */
  readonly logDirty?: boolean;
}

/** An alias to be made. */
export interface MemoryAlias {
  /** Its slot. */
  readonly slot: number;
  /** Guest-physical address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** Guest-physical address of the memory shown. */
  readonly target: number;
}

/** The screen's addresses, which are no memory. */
const SCREEN = 0xa0000, SCREEN_END = 0xc0000;
const MIB = 0x100000;
/** Where memory ends for the sake of devices, and goes on. */
const HOLE = 0xc000_0000, HOLE_END = 2 ** 32;
/** The slots of a PC's memory. */
const LOW_SLOT = 0, SHADOW_SLOT = 1, MAIN_SLOT = 2, HIGH_SLOT = 3;

/**
 * The memory of a PC: all but the screen's addresses 0xa0000 to 0xbffff below 3 GiB, what goes beyond from 4 GiB on. The addresses
 * of adapters and firmware, 0xc0000 to 0xfffff, are memory that can be written.
 * @param size Bytes, a multiple of 4096.
 * @returns Slots 0 to 3, those that are needed.
 */
export function pcMemory(size: number): MemoryRegion[] {
  const regions = [
    { slot: LOW_SLOT, base: 0, size: Math.min(size, SCREEN) },
    { slot: SHADOW_SLOT, base: SCREEN_END, size: MIB - SCREEN_END },
    { slot: MAIN_SLOT, base: MIB, size: Math.min(size, HOLE) - MIB },
    { slot: HIGH_SLOT, base: HOLE_END, size: size - HOLE },
  ];
  return regions.filter(({ size }) => size > 0);
}

/**
 * How much memory there is without a gap from 0 on, but for the screen, and from 4 GiB on: what a firmware would find.
 * @param regions The memory, in any order.
 */
export function memorySizes(
  regions: readonly Pick<MemoryRegion, "base" | "size">[],
): { readonly memory: number; readonly memoryAbove4G: number } {
  let memory = 0, above = HOLE_END;
  for (const { base, size } of regions.toSorted((a, b) => a.base - b.base)) {
    const gap = memory === SCREEN && base === SCREEN_END;
    if (base <= memory || gap) memory = Math.max(memory, Math.min(base + size, HOLE_END));
    if (base <= above) above = Math.max(above, base + size);
  }
  return { memory, memoryAbove4G: above - HOLE_END };
}
