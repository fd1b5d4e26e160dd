/**
 * The page walker: 32-bit paging with PSE and PSE-36, PAE, and 4-level paging with 1 GB pages.
 *
 * Accessed and dirty bits are set when the translation is complete and permitted, as the kernel's walker does.
 * Source: SDM volume 3, chapter 4.
 * @module
 */
import { AC } from "../flags.ts";
import { type Machine, WALK_EXECUTE, WALK_PROBE, WALK_USER, WALK_WRITE } from "../machine.ts";
import { CR0, CR3, CR4, EFER, RFLAGS } from "../state.ts";
import { cpl } from "./mode.ts";
import { PDPTE, PHYSICAL_HIGH, PSE36_LIMIT } from "./slots.ts";

/** What a walk tells besides the address: plain object of the caller, so that walks of several machines do not mix. */
export interface WalkResult {
  /** Page-fault error code if the walk failed. */
  error: number;
  /** WALKED_… bits if it succeeded. */
  flags: number;
}

/** The page may be written by who asked, without a further walk: permitted, and its dirty bit is set. */
export const WALKED_WRITABLE = 1;
/** User mode may access the page. */
export const WALKED_USER = 2;
/** The page is marked global, and CR4.PGE makes that count. */
export const WALKED_GLOBAL = 4;
/** Who asked may fetch instructions from the page. */
export const WALKED_EXECUTABLE = 8;
/** The page has 2 or 4 MB. */
export const WALKED_LARGE = 16;
/** The page has 1 GB. */
export const WALKED_HUGE = 32;

// Page table entry bits.
const P = 1, RW = 2, US = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100;
/** Bit 63 in the upper half. */
const XD = 0x8000_0000 | 0;
// Error code bits beyond P, W and U, which are those of the entries.
const RSVD = 8, FETCH = 16;

const CR0_WP = 0x1_0000, CR0_PG = 0x8000_0000 | 0;
const CR4_PSE = 0x10, CR4_PAE = 0x20, CR4_PGE = 0x80, CR4_SMEP = 0x10_0000, CR4_SMAP = 0x20_0000;
const EFER_LMA = 0x400, EFER_NXE = 0x800;
const TWO32 = 0x1_0000_0000;

/** Permissions gathered on the way down; only used within one walk, which cannot be interrupted by another. */
let rights = 0, noExecute = 0;
/** WALKED_LARGE, WALKED_HUGE or 0. */
let size = 0;
/** Where the entries read lie, and their low halves, to set accessed bits at the end. */
const entryAt = new Float64Array(4), entryLow = new Int32Array(4);
let entries = 0, leafLow = 0, leafHigh = 0;

/**
 * Walks the page tables for a linear address.
 * @param access WALK_WRITE, WALK_USER, WALK_EXECUTE, WALK_PROBE. With WALK_PROBE nothing is written and permissions are
 * not checked for the access, only reported.
 * @param result Receives error code or flags.
 * @returns Physical address of the 4 KiB page; −1 for a page fault.
 */
export function walk(m: Machine, linear: number, access: number, result: WalkResult): number {
  const { i32 } = m, cr4 = i32[CR4 >> 2], efer = i32[EFER >> 2];
  if ((i32[CR0 >> 2] & CR0_PG) === 0) {
    result.flags = WALKED_WRITABLE | WALKED_USER | WALKED_EXECUTABLE;
    return linear - (linear % TWO32 & 4095);
  }
  const base = access & (WALK_WRITE | WALK_USER) |
    (access & WALK_EXECUTE && (cr4 & CR4_SMEP || (efer & EFER_NXE && cr4 & CR4_PAE)) ? FETCH : 0);
  rights = RW | US;
  noExecute = 0;
  entries = 0;
  size = 0;
  const page = cr4 & CR4_PAE ? walkWide(m, linear, efer) : walk32(m, linear, cr4);
  if (page < 0) {
    result.error = base | (page === -2 ? P | RSVD : 0);
    return -1;
  }
  const allowed = permitted(m, access, efer);
  if (!allowed && !(access & WALK_PROBE)) {
    result.error = base | P;
    return -1;
  }
  if (!(access & WALK_PROBE)) setAccessed(m, (access & WALK_WRITE) !== 0);
  const writable = permitted(m, access & WALK_USER | WALK_WRITE, efer);
  result.flags = (writable && leafLow & D ? WALKED_WRITABLE : 0) | (rights & US ? WALKED_USER : 0) |
    (leafLow & G && cr4 & CR4_PGE ? WALKED_GLOBAL : 0) |
    (permitted(m, access & WALK_USER | WALK_EXECUTE, efer) ? WALKED_EXECUTABLE : 0) | size;
  if (access & WALK_PROBE) result.flags = result.flags & ~WALKED_WRITABLE | (rights & RW ? WALKED_WRITABLE : 0);
  return page;
}

/** Whether the rights gathered permit an access. Source: SDM volume 3, section 4.6. */
function permitted(m: Machine, access: number, efer: number): boolean {
  const { i32 } = m, cr4 = i32[CR4 >> 2];
  if (access & WALK_EXECUTE) {
    if (noExecute && efer & EFER_NXE) return false;
    if (access & WALK_USER) return (rights & US) !== 0;
    return !(rights & US && cr4 & CR4_SMEP);
  }
  if (access & WALK_USER) return (rights & US) !== 0 && (!(access & WALK_WRITE) || (rights & RW) !== 0);
  // An access of the processor itself on behalf of CPL 3 is implicit: AC does not lift SMAP for it.
  if (rights & US && cr4 & CR4_SMAP && !(i32[RFLAGS >> 2] & AC && cpl(m) < 3)) return false;
  return !(access & WALK_WRITE) || (rights & RW) !== 0 || (i32[CR0 >> 2] & CR0_WP) === 0;
}

function setAccessed(m: Machine, write: boolean): void {
  const last = entries - 1;
  for (let i = 0; i <= last; i++) {
    const old = entryLow[i], next = old | A | (i === last && write ? D : 0);
    if (next !== old) m.writePhysical(entryAt[i], next >>> 0);
    if (i === last) leafLow = next;
  }
}

/** Reads a 32-bit entry; false if it is not present. */
function entry32(m: Machine, address: number): boolean {
  leafLow = m.readPhysical(address) | 0;
  if (!(leafLow & P)) return false;
  entryAt[entries] = address;
  entryLow[entries++] = leafLow;
  rights &= leafLow;
  return true;
}

/** 32-bit paging: −1 not present, −2 reserved bit. */
function walk32(m: Machine, linear: number, cr4: number): number {
  const low = linear | 0;
  if (!entry32(m, (m.i32[CR3 >> 2] & ~0xfff) + (low >>> 22) * 4 >>> 0)) return -1;
  if (leafLow & PS && cr4 & CR4_PSE) {
    const high = leafLow >>> 13 & 0x1ff;
    if (high >= m.i32[PSE36_LIMIT >> 2]) return -2;
    size = WALKED_LARGE;
    return high * TWO32 + ((leafLow & 0xffc0_0000 | low & 0x3f_f000) >>> 0);
  }
  if (!entry32(m, ((leafLow & ~0xfff) >>> 0) + (low >>> 12 & 0x3ff) * 4)) return -1;
  return (leafLow & ~0xfff) >>> 0;
}

/** Reads a 64-bit entry: 0 present, −1 not present, −2 a reserved bit is set. */
function entry64(m: Machine, address: number, reservedHigh: number): number {
  leafLow = m.readPhysical(address) | 0;
  if (!(leafLow & P)) return -1;
  leafHigh = m.readPhysical(address + 4) | 0;
  if (leafHigh & reservedHigh) return -2;
  entryAt[entries] = address;
  entryLow[entries++] = leafLow;
  rights &= leafLow;
  noExecute |= leafHigh & XD;
  return 0;
}

/** The address in the entry just read, with `bits` low bits clear. */
function addressIn(mask: number): number {
  return (leafHigh & 0xf_ffff) * TWO32 + ((leafLow & mask) >>> 0);
}

/** PAE and 4-level paging. */
function walkWide(m: Machine, linear: number, efer: number): number {
  const { i32 } = m, low = linear % TWO32 | 0, high = Math.floor(linear / TWO32) | 0;
  const long = (efer & EFER_LMA) !== 0;
  // Bits that must be zero in every upper half: the address beyond MAXPHYADDR, XD without NXE, all ignored ones in PAE.
  const reserved = i32[PHYSICAL_HIGH >> 2] | (efer & EFER_NXE ? 0 : XD) | (long ? 0 : 0x7ff0_0000);
  let table: number;
  if (long) {
    const cr3 = (i32[(CR3 >> 2) + 1] & 0xf_ffff) * TWO32 + ((i32[CR3 >> 2] & ~0xfff) >>> 0);
    let r = entry64(m, cr3 + (high >>> 7 & 0x1ff) * 8, reserved);
    if (r < 0) return r;
    if (leafLow & PS) return -2;
    r = entry64(m, addressIn(~0xfff) + ((high << 2 | low >>> 30) & 0x1ff) * 8, reserved);
    if (r < 0) return r;
    if (leafLow & PS) {
      if (leafLow & 0x3fff_e000) return -2;
      size = WALKED_HUGE;
      return addressIn(0xc000_0000) + ((low & 0x3fff_f000) >>> 0);
    }
    table = addressIn(~0xfff);
  } else {
    const at = (PDPTE >> 2) + (low >>> 30) * 2;
    if (!(i32[at] & P)) return -1;
    table = (i32[at + 1] & 0xf_ffff) * TWO32 + ((i32[at] & ~0xfff) >>> 0);
  }
  let r = entry64(m, table + (low >>> 21 & 0x1ff) * 8, reserved);
  if (r < 0) return r;
  if (leafLow & PS) {
    if (leafLow & 0x1f_e000) return -2;
    size = WALKED_LARGE;
    return addressIn(0xffe0_0000) + (low & 0x1f_f000);
  }
  r = entry64(m, addressIn(~0xfff) + (low >>> 12 & 0x1ff) * 8, reserved);
  return r < 0 ? r : addressIn(~0xfff);
}

/**
 * Loads the four page-directory-pointer registers of PAE paging from the table that `cr3` (its low 32 bits) names.
 * @returns false, and loads nothing, if a reserved bit is set in a present one: #GP(0).
 */
export function loadPdptes(m: Machine, cr3: number): boolean {
  const { i32 } = m, table = (cr3 & ~31) >>> 0, words = new Int32Array(8);
  for (let i = 0; i < 8; i++) words[i] = m.readPhysical(table + i * 4);
  for (let i = 0; i < 8; i += 2) {
    if (!(words[i] & P)) continue;
    if (words[i] & 0x1e6 || words[i + 1] & (i32[PHYSICAL_HIGH >> 2] | 0xfff0_0000)) return false;
  }
  i32.set(words, PDPTE >> 2);
  return true;
}
