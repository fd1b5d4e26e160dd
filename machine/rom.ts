/**
 * A firmware image in the place where a processor begins.
 * @module
 */

import { KVM_MEMORY_SLOTS, type Vm } from "../mod.ts";
import type { MemoryRegion } from "./memory_layout.ts";

/** The last one, out of the way of all others. */
const ROM_SLOT = KVM_MEMORY_SLOTS - 1;
const FOUR_GIB = 2 ** 32, MIB = 2 ** 20;
/** How much of an image is to be seen below 1 MiB too. */
const SHADOW_MOST = 0x20000;

/** The largest image, in bytes: what is between the I/O APIC's place and 4 GiB. */
export const ROM_MOST: number = 16 * MIB;
/** Images are a multiple of this, in bytes. */
export const ROM_UNIT: number = 0x10000;

/**
 * The memory that an image takes: the last bytes below 4 GiB. The API of version 12 has no read-only memory, so the guest can
 * write there.
 * @param image The image: a multiple of 64 KiB, at most 16 MiB.
 */
export function romRegion(image: Uint8Array): MemoryRegion {
  return { slot: ROM_SLOT, base: FOUR_GIB - image.length, size: image.length };
}

/**
 * Puts an image where it belongs: below 4 GiB, and its last 128 KiB below 1 MiB too, as a chip set does at power-up.
 * @param vm The memory, with a {@linkcode romRegion} and memory below 1 MiB.
 * @param image The image.
 */
export function loadRom(vm: Vm, image: Uint8Array): void {
  vm.write(FOUR_GIB - image.length, image);
  const shadow = image.subarray(-SHADOW_MOST);
  vm.write(MIB - shadow.length, shadow);
}
