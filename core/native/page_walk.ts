/**
 * Page-table walk for KVM_TRANSLATE. Today's kernel answers with the address only and sets accessed bits on the way;
 * this one also finds what the tables allow, and changes nothing.
 * @module
 */

import type { KvmSregs } from "../abi/regs.ts";

/** Where a linear address leads. */
export interface Translation {
  /** Guest-physical address. */
  readonly physical: bigint;
  /** Whether the tables allow writing. */
  readonly writeable: boolean;
  /** Whether the tables allow user mode. */
  readonly usermode: boolean;
}

/** Reads an integer of guest memory at an address that is a multiple of its size; null where there is no memory. */
export type ReadPhysical = (gpa: bigint, size: 4 | 8) => bigint | null;

const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_LA57 = 1n << 12n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;

const PRESENT = 1n;
const WRITEABLE = 1n << 1n;
const USER = 1n << 2n;
const LARGE = 1n << 7n;
const NO_EXECUTE = 1n << 63n;
/** Bits 51 to 12. */
const FRAME = 0x000f_ffff_ffff_f000n;

/** One level of tables: which bits of the linear address choose the entry, and what the entry may do. */
interface Level {
  /** Lowest bit of the index. */
  readonly shift: bigint;
  /** Bits of the index. */
  readonly bits: bigint;
  /** Whether an entry may show a large page. */
  readonly large: boolean;
  /** Whether an entry says what is allowed; the four page-directory pointers of PAE do not. */
  readonly rights: boolean;
}

/** How the processor walks in its present state, outermost level first. */
interface Scheme {
  readonly entrySize: 4 | 8;
  readonly root: bigint;
  readonly levels: readonly Level[];
}

function level(shift: bigint, bits: bigint, large: boolean = false, rights: boolean = true): Level {
  return { shift, bits, large, rights };
}

function scheme({ cr3, cr4, efer }: KvmSregs): Scheme {
  if (efer & EFER_LMA) {
    const four = [level(39n, 9n), level(30n, 9n, true), level(21n, 9n, true), level(12n, 9n)];
    return { entrySize: 8, root: cr3 & FRAME, levels: cr4 & CR4_LA57 ? [level(48n, 9n), ...four] : four };
  }
  if (cr4 & CR4_PAE) {
    const levels = [level(30n, 2n, false, false), level(21n, 9n, true), level(12n, 9n)];
    return { entrySize: 8, root: cr3 & 0xffff_ffe0n, levels };
  }
  const levels = [level(22n, 10n, (cr4 & CR4_PSE) !== 0n), level(12n, 10n)];
  return { entrySize: 4, root: cr3 & 0xffff_f000n, levels };
}

/** Whether all bits from the highest translated one up are alike. */
function isCanonical(linear: bigint, highest: bigint): boolean {
  const above = BigInt.asIntN(64, linear) >> highest;
  return above === 0n || above === -1n;
}

/**
 * Translates a linear address.
 * @param sregs Control registers.
 * @param linear Linear address; outside long mode its lower 32 bits count.
 * @param read Guest memory.
 * @returns Where it leads, or null where no mapping is present. Without paging every address leads to itself and
 * everything is allowed.
 */
export function translate(sregs: KvmSregs, linear: bigint, read: ReadPhysical): Translation | null {
  const long = (sregs.efer & EFER_LMA) !== 0n;
  const address = long ? linear : linear & 0xffff_ffffn;
  if (!(sregs.cr0 & CR0_PG)) return { physical: address, writeable: true, usermode: true };
  const { entrySize, root, levels } = scheme(sregs);
  if (long && !isCanonical(address, levels[0].shift + 8n)) return null;
  let table = root;
  let rights = WRITEABLE | USER;
  for (const { shift, bits, large, rights: hasRights } of levels) {
    const index = (address >> shift) & ((1n << bits) - 1n);
    const entry = read(table + index * BigInt(entrySize), entrySize);
    if (entry === null || !(entry & PRESENT)) return null;
    if (entrySize === 8 && entry & NO_EXECUTE && !(sregs.efer & EFER_NXE)) return null;
    if (hasRights) rights &= entry;
    const isLarge = large && (entry & LARGE) !== 0n;
    if (isLarge || shift === 12n) {
      const inPage = (1n << shift) - 1n;
      const frame = isLarge && entrySize === 4
        // Bits 39 to 32 of a 4 MB page are in bits 20 to 13.
        ? (entry & 0xffc0_0000n) | ((entry >> 13n & 0xffn) << 32n)
        : entry & FRAME & ~inPage;
      return {
        physical: frame | (address & inPage),
        writeable: (rights & WRITEABLE) !== 0n,
        usermode: (rights & USER) !== 0n,
      };
    }
    table = entry & (entrySize === 4 ? 0xffff_f000n : FRAME);
  }
  return null;
}
