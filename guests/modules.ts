/**
 * Modules: files that a boot loader puts into memory beside a kernel.
 * @module
 */

import { ImageError, type MemoryPiece } from "./image.ts";
import { lowestPlace, type MapEntry } from "./memory_map.ts";

/** A module. */
export interface BootModule {
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** What the kernel is told about it: by convention its name and arguments. */
  readonly text: string;
}

const PAGE = 4096;
const HIGH_MEMORY = 0x100000;
const FOUR_GIB = 2 ** 32;

/**
 * Finds places for modules: behind the kernel, from 1 MiB on, each on pages of its own.
 * @param modules The modules.
 * @param map The memory map.
 * @param kernel What of the kernel is in memory.
 * @returns A piece for each module.
 * @throws ImageError There is no room.
 */
export function placeModules(
  modules: readonly BootModule[],
  map: readonly MapEntry[],
  kernel: readonly MemoryPiece[],
): MemoryPiece[] {
  let above = kernel.reduce((end, { base, bytes }) => Math.max(end, base + bytes.length), HIGH_MEMORY);
  return modules.map(({ bytes, text }, n) => {
    const name = `module ${n} (${text})`;
    const base = lowestPlace(map, bytes.length, { above, below: FOUR_GIB, align: PAGE });
    if (base === undefined) throw new ImageError(`there is no room for ${name} of ${bytes.length} bytes`);
    above = base + bytes.length;
    return { name, base, bytes };
  });
}
