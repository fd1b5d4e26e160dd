/**
 * The rules of memory slots and aliases: what KVM_SET_MEMORY_REGION and KVM_SET_MEMORY_ALIAS accept, and what the guest
 * then sees at each address. A map never changes: each accepted call gives a new one, so a refused call changes nothing.
 *
 * Page frame numbers (address / 4096) are used throughout: they fit a JavaScript number for all 64-bit addresses.
 * @module
 */

import { KVM_MEM_LOG_DIRTY_PAGES } from "../abi/constants.ts";
import type { KvmMemoryAlias, KvmMemoryRegion } from "../abi/memory.ts";
import type { BackendMemory, MappedRange } from "./backend.ts";
import { KvmError } from "./kvm_error.ts";

/** Bytes of a page. */
export const PAGE_SIZE = 4096 as const;
/** Number of memory slots of a VM. */
export const KVM_MEMORY_SLOTS = 32 as const;
/** Number of aliases of a VM. */
export const KVM_ALIAS_SLOTS = 8 as const;

/** Pages that a processor with 52 physical address bits can reach. */
const REACHABLE_PAGES = 2 ** 40;
/** More pages than this no host can give: their bytes are not even countable exactly. */
const MOST_PAGES = 2 ** 41;

/** A memory slot in use. */
export interface MemorySlot {
  /** Page frame number of the first page. */
  readonly gfn: number;
  /** Number of pages, at least 1. */
  readonly pages: number;
  /** Whether guest writes are recorded. */
  readonly log: boolean;
  /** The memory itself. */
  readonly memory: BackendMemory;
}

/** An alias in use. */
export interface MemoryAlias {
  /** Page frame number of the first page at which the memory is seen too. */
  readonly gfn: number;
  /** Number of pages, at least 1. */
  readonly pages: number;
  /** Page frame number of the first page of the memory. */
  readonly target: number;
}

/** A run of guest-physical pages and what is behind it. */
export interface MapPiece {
  /** Page frame number of the first page. */
  readonly gfn: number;
  /** Number of pages, at least 1. */
  readonly pages: number;
  /** The slot that owns the memory. */
  readonly slot: number;
  /** The page of the slot with which the run begins. */
  readonly page: number;
}

/** Where a stretch of guest memory is. */
export interface Stretch {
  /** The memory it is in. */
  readonly memory: BackendMemory;
  /** Where in the memory it begins, in bytes. */
  readonly offset: number;
  /** How many bytes from there on are contiguous, at most as many as asked for. */
  readonly length: number;
}

/** A half-open run of pages. */
interface Run {
  readonly gfn: number;
  readonly end: number;
}

/** The parts of `run` that none of `holes` covers, in order. */
function subtract(run: Run, holes: readonly Run[]): Run[] {
  let parts: Run[] = [run];
  for (const hole of holes) {
    parts = parts.flatMap((part) => {
      if (hole.end <= part.gfn || hole.gfn >= part.end) return [part];
      const left = { gfn: part.gfn, end: hole.gfn };
      const right = { gfn: hole.end, end: part.end };
      return [left, right].filter(({ gfn, end }) => gfn < end);
    });
  }
  return parts;
}

/** Page frame number of an aligned address, or count of pages of an aligned size. */
function pageNumber(bytes: bigint): number {
  return Number(bytes >> 12n);
}

/** Refuses what is no multiple of the page size. */
function checkAligned(action: string, what: string, value: bigint): void {
  if (value & 0xfffn) {
    throw new KvmError("EINVAL", action, `the ${what} 0x${value.toString(16)} is not a multiple of ${PAGE_SIZE}`);
  }
}

/** Refuses a range that reaches the end of the 64-bit addresses. */
function checkWrap(action: string, what: string, address: bigint, size: bigint): void {
  if (address + size >= 1n << 64n && size > 0n) {
    throw new KvmError(
      "EINVAL",
      action,
      `the ${what} 0x${address.toString(16)} plus 0x${size.toString(16)} wraps around`,
    );
  }
}

/** Slots and aliases of a VM, and the guest-physical map that follows from them. */
export class MemoryMap {
  /** The slots by number; null where unused. */
  readonly slots: readonly (MemorySlot | null)[];
  /** The aliases by number; null where unused. */
  readonly aliases: readonly (MemoryAlias | null)[];
  /** What the guest sees: disjoint, in address order, as few pieces as possible. */
  readonly pieces: readonly MapPiece[];

  /** A map of the given slots and aliases; without arguments, one without memory. */
  constructor(
    slots: readonly (MemorySlot | null)[] = new Array(KVM_MEMORY_SLOTS).fill(null),
    aliases: readonly (MemoryAlias | null)[] = new Array(KVM_ALIAS_SLOTS).fill(null),
  ) {
    this.slots = slots;
    this.aliases = aliases;
    this.pieces = flatten(slots, aliases);
  }

  /**
   * The map after KVM_SET_MEMORY_REGION.
   * @param region What the caller asks for.
   * @param allocate Gives zeroed memory of so many bytes; called last, so nothing is refused after it.
   * @returns The new map.
   * @throws KvmError EINVAL, EEXIST, or what `allocate` throws.
   */
  withRegion(region: KvmMemoryRegion, allocate: (bytes: number) => BackendMemory): MemoryMap {
    const { slot, flags, guest_phys_addr, memory_size } = region;
    const action = `set memory region ${slot}`;
    checkAligned(action, "size", memory_size);
    checkAligned(action, "address", guest_phys_addr);
    if (slot >= KVM_MEMORY_SLOTS) {
      throw new KvmError("EINVAL", action, `the slots are 0 to ${KVM_MEMORY_SLOTS - 1}`);
    }
    if (flags & ~KVM_MEM_LOG_DIRTY_PAGES) {
      throw new KvmError("EINVAL", action, `the flags 0x${flags.toString(16)} are not all known`);
    }
    checkWrap(action, "address", guest_phys_addr, memory_size);
    const gfn = pageNumber(guest_phys_addr);
    const pages = pageNumber(memory_size);
    const log = (flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0;
    const old = this.slots[slot];
    if (pages === 0) return new MemoryMap(this.slots.with(slot, null), this.aliases);
    if (old !== null && old.pages !== pages) {
      throw new KvmError("EINVAL", action, "the size of a slot in use cannot change; delete it with size 0 first");
    }
    const other = this.slots.findIndex((s, n) =>
      s !== null && n !== slot && gfn < s.gfn + s.pages && s.gfn < gfn + pages
    );
    if (other >= 0) throw new KvmError("EEXIST", action, `it overlaps region ${other}`);
    if (pages > MOST_PAGES) throw new KvmError("ENOMEM", action, `the host has no ${memory_size} bytes`);
    const memory = old?.memory ?? allocate(pages * PAGE_SIZE);
    return new MemoryMap(this.slots.with(slot, { gfn, pages, log, memory }), this.aliases);
  }

  /**
   * The map after KVM_SET_MEMORY_ALIAS.
   * @param alias What the caller asks for.
   * @returns The new map.
   * @throws KvmError EINVAL.
   */
  withAlias(alias: KvmMemoryAlias): MemoryMap {
    const { slot, guest_phys_addr, memory_size, target_phys_addr } = alias;
    const action = `set memory alias ${slot}`;
    checkAligned(action, "size", memory_size);
    checkAligned(action, "address", guest_phys_addr);
    checkAligned(action, "target", target_phys_addr);
    if (slot >= KVM_ALIAS_SLOTS) {
      throw new KvmError("EINVAL", action, `the aliases are 0 to ${KVM_ALIAS_SLOTS - 1}`);
    }
    checkWrap(action, "address", guest_phys_addr, memory_size);
    checkWrap(action, "target", target_phys_addr, memory_size);
    const pages = pageNumber(memory_size);
    const value = pages === 0
      ? null
      : { gfn: pageNumber(guest_phys_addr), pages, target: pageNumber(target_phys_addr) };
    return new MemoryMap(this.slots, this.aliases.with(slot, value));
  }

  /** What a backend is to map: {@linkcode pieces} without what lies beyond 52 address bits. */
  ranges(): MappedRange[] {
    return this.pieces.filter(({ gfn }) => gfn < REACHABLE_PAGES).map(({ gfn, pages, slot, page }) => {
      const { memory, log } = this.slots[slot]!;
      const size = (Math.min(gfn + pages, REACHABLE_PAGES) - gfn) * PAGE_SIZE;
      return { gpa: gfn * PAGE_SIZE, size, memory, offset: page * PAGE_SIZE, log };
    });
  }

  /**
   * Where the guest's memory at an address is.
   * @param address Guest-physical address.
   * @param length How many bytes are wanted.
   * @returns The stretch that begins there, of `length` bytes or as many as are contiguous; null where there is no memory.
   */
  find(address: bigint, length: number): Stretch | null {
    const gfn = pageNumber(address);
    let low = 0;
    let high = this.pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const { gfn: first, pages, slot, page } = this.pieces[middle];
      if (gfn < first) high = middle - 1;
      else if (gfn >= first + pages) low = middle + 1;
      else {
        const inPage = Number(address & 0xfffn);
        const offset = (page + gfn - first) * PAGE_SIZE + inPage;
        const room = (first + pages - gfn) * PAGE_SIZE - inPage;
        return { memory: this.slots[slot]!.memory, offset, length: Math.min(length, room) };
      }
    }
    return null;
  }
}

/** What the guest sees of slots and aliases. */
function flatten(slots: readonly (MemorySlot | null)[], aliases: readonly (MemoryAlias | null)[]): MapPiece[] {
  const pieces: MapPiece[] = [];
  const aliased: Run[] = [];
  for (const alias of aliases) {
    if (alias === null) continue;
    const run = { gfn: alias.gfn, end: alias.gfn + alias.pages };
    // Of two aliases of one page, the lower numbered one counts, as in the kernel's search.
    for (const { gfn, end } of subtract(run, aliased)) {
      const target = alias.target + gfn - alias.gfn;
      slots.forEach((slot, number) => {
        if (slot === null) return;
        const first = Math.max(target, slot.gfn);
        const last = Math.min(target + end - gfn, slot.gfn + slot.pages);
        if (first >= last) return;
        pieces.push({ gfn: gfn + first - target, pages: last - first, slot: number, page: first - slot.gfn });
      });
    }
    aliased.push(run);
  }
  slots.forEach((slot, number) => {
    if (slot === null) return;
    for (const { gfn, end } of subtract({ gfn: slot.gfn, end: slot.gfn + slot.pages }, aliased)) {
      pieces.push({ gfn, pages: end - gfn, slot: number, page: gfn - slot.gfn });
    }
  });
  pieces.sort((a, b) => a.gfn - b.gfn);
  return merge(pieces);
}

/** Joins neighbours that continue each other in one slot. */
function merge(pieces: readonly MapPiece[]): MapPiece[] {
  const merged: MapPiece[] = [];
  for (const piece of pieces) {
    const last = merged.at(-1);
    if (
      last !== undefined && last.slot === piece.slot && last.gfn + last.pages === piece.gfn &&
      last.page + last.pages === piece.page
    ) {
      merged[merged.length - 1] = { ...last, pages: last.pages + piece.pages };
    } else {
      merged.push(piece);
    }
  }
  return merged;
}
