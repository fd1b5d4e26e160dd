/**
 * The map of guest-physical memory that a firmware would tell, in the numbers of ACPI's address range types (INT 15h, E820).
 * @module
 */

import type { MemoryRange } from "./image.ts";

/** What a range of addresses is for. */
export const RANGE_TYPES: {
  readonly RAM: 1;
  readonly RESERVED: 2;
  readonly ACPI: 3;
  readonly NVS: 4;
} = { RAM: 1, RESERVED: 2, ACPI: 3, NVS: 4 };

/** A range of addresses and what it is for. */
export interface MapEntry extends MemoryRange {
  /** 1: free to use; other numbers are not. See {@linkcode RANGE_TYPES}. */
  readonly type: number;
}

/** Where what a PC has below the first MiB begins: screen, adapters, firmware. */
const LOW_MEMORY_END = 0xa0000;
const HIGH_MEMORY = 0x100000;
const FOUR_GIB = 2 ** 32;

/**
 * The map of a machine whose firmware keeps nothing for itself: all memory is free but for 0xa0000 to 0xfffff.
 * @param memory The memory of the machine, in any order.
 * @returns The map in the order of addresses.
 */
export function memoryMap(memory: readonly MemoryRange[]): MapEntry[] {
  const map: MapEntry[] = [];
  for (const { base, size } of memory.toSorted((a, b) => a.base - b.base)) {
    const end = base + size;
    const parts = [
      { base, end: Math.min(end, LOW_MEMORY_END), type: RANGE_TYPES.RAM },
      { base: Math.max(base, LOW_MEMORY_END), end: Math.min(end, HIGH_MEMORY), type: RANGE_TYPES.RESERVED },
      { base: Math.max(base, HIGH_MEMORY), end, type: RANGE_TYPES.RAM },
    ];
    for (const part of parts) {
      if (part.base < part.end) map.push({ base: part.base, size: part.end - part.base, type: part.type });
    }
  }
  return map;
}

/**
 * How many bytes below 4 GiB are free from an address on without a gap.
 * @param map A map in the order of addresses.
 * @param start The address.
 */
export function freeFrom(map: readonly MapEntry[], start: number): number {
  let end = start;
  for (const { base, size, type } of map) {
    if (type === RANGE_TYPES.RAM && base <= end && base + size > end) end = base + size;
  }
  return Math.min(end, FOUR_GIB) - start;
}

/**
 * The highest place for some bytes in free memory.
 * @param map The map.
 * @param size Bytes.
 * @param limits `above`: no byte lies below this address; `below`: none at or above this one; `align`: the place is a
 * multiple of it.
 * @returns The address, or `undefined` if there is no such place.
 */
export function highestPlace(
  map: readonly MapEntry[],
  size: number,
  limits: { readonly above: number; readonly below: number; readonly align: number },
): number | undefined {
  const { above, below, align } = limits;
  let best: number | undefined;
  for (const { base, size: length, type } of map) {
    if (type !== RANGE_TYPES.RAM) continue;
    const place = Math.floor((Math.min(base + length, below) - size) / align) * align;
    if (place >= Math.max(base, above) && (best === undefined || place > best)) best = place;
  }
  return best;
}

/**
 * The lowest place for some bytes in free memory.
 * @param map The map.
 * @param size Bytes.
 * @param limits As for {@linkcode highestPlace}.
 * @returns The address, or `undefined` if there is no such place.
 */
export function lowestPlace(
  map: readonly MapEntry[],
  size: number,
  limits: { readonly above: number; readonly below: number; readonly align: number },
): number | undefined {
  const { above, below, align } = limits;
  let best: number | undefined;
  for (const { base, size: length, type } of map) {
    if (type !== RANGE_TYPES.RAM) continue;
    const place = Math.ceil(Math.max(base, above) / align) * align;
    if (place + size <= Math.min(base + length, below) && (best === undefined || place < best)) best = place;
  }
  return best;
}
