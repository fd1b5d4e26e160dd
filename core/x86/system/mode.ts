/**
 * What decoding and memory access depend on, derived from the state block.
 * @module
 */
import type { Machine } from "../machine.ts";
import { MODE_FLAT, MODE_PROTECTED, MODE_STACK32, MODE_USER } from "../mode.ts";
import { AC, VM } from "../flags.ts";
import { CR0, CR4, CS, DS, EFER, ES, RFLAGS, SEG, SEG_ATTR, SEG_BASE, SEG_SIZE, SEG_WRITE, SS } from "../state.ts";
import { SEG_READ } from "../state.ts";

/** EFER.LMA: long mode is active. */
export const EFER_LMA = 0x400;
/** Segment attribute bit L. */
export const ATTR_L = 0x2000;
/** Segment attribute bit D/B. */
export const ATTR_DB = 0x4000;
/** CR0.PE. */
export const CR0_PE = 1;
const CR0_AM = 0x4_0000;
const CR0_PG = 0x8000_0000 | 0;
const CR4_SMAP = 0x20_0000;

/** Whether long mode is active (64-bit or compatibility mode). */
export function isLong(m: Machine): boolean {
  return (m.i32[EFER >> 2] & EFER_LMA) !== 0;
}

/** Whether the processor runs 64-bit code. */
export function is64(m: Machine): boolean {
  return (m.i32[EFER >> 2] & EFER_LMA) !== 0 && (m.i32[(SEG + CS * SEG_SIZE + SEG_ATTR) >> 2] & ATTR_L) !== 0;
}

/** Whether CR0.PE is set and RFLAGS.VM clear. */
export function isProtected(m: Machine): boolean {
  return (m.i32[CR0 >> 2] & CR0_PE) !== 0 && (m.i32[RFLAGS >> 2] & VM) === 0;
}

/** Whether the processor is in virtual-8086 mode. */
export function isV86(m: Machine): boolean {
  return (m.i32[CR0 >> 2] & CR0_PE) !== 0 && (m.i32[RFLAGS >> 2] & VM) !== 0;
}

/** Current privilege level: 0 in real mode, 3 in virtual-8086 mode, else the DPL of SS. */
export function cpl(m: Machine): number {
  if ((m.i32[CR0 >> 2] & CR0_PE) === 0) return 0;
  if (m.i32[RFLAGS >> 2] & VM) return 3;
  return m.i32[(SEG + SS * SEG_SIZE + SEG_ATTR) >> 2] >> 5 & 3;
}

function isFlat(m: Machine, n: number): boolean {
  const { i32 } = m, at = (SEG + n * SEG_SIZE) >> 2;
  return (i32[at + (SEG_BASE >> 2)] | i32[at + (SEG_BASE >> 2) + 1]) === 0 && i32[at + (SEG_READ >> 2) + 1] === 2 &&
    i32[at + (SEG_WRITE >> 2) + 1] === 2;
}

/** The key bits of ../mode.ts for the state as it is. */
export function modeOf(m: Machine): number {
  const { i32 } = m;
  if (i32[EFER >> 2] & EFER_LMA && i32[(SEG + CS * SEG_SIZE + SEG_ATTR) >> 2] & ATTR_L) {
    const outer = (i32[(SEG + SS * SEG_SIZE + SEG_ATTR) >> 2] & 0x60) === 0x60;
    return 2 | MODE_FLAT | MODE_PROTECTED | (outer ? MODE_USER : 0);
  }
  const protectedBit = isProtected(m) ? MODE_PROTECTED : 0;
  const user = cpl(m) === 3 ? MODE_USER : 0;
  const code = i32[(SEG + CS * SEG_SIZE + SEG_ATTR) >> 2] & ATTR_DB ? 1 : 0;
  const stack = i32[(SEG + SS * SEG_SIZE + SEG_ATTR) >> 2] & ATTR_DB ? MODE_STACK32 : 0;
  const flat = isFlat(m, DS) && isFlat(m, ES) && isFlat(m, SS) ? MODE_FLAT : 0;
  return code | stack | flat | user | protectedBit;
}

/**
 * The TLB view in force: 0 supervisor, 1 supervisor under SMAP (CR4.SMAP set and AC clear), 2 user, 3 user whose accesses
 * have to be aligned (CR0.AM and AC set).
 */
export function viewOf(m: Machine): number {
  if (cpl(m) === 3) return m.i32[CR0 >> 2] & CR0_AM && m.i32[RFLAGS >> 2] & AC ? 3 : 2;
  if ((m.i32[CR4 >> 2] & CR4_SMAP) === 0 || (m.i32[CR0 >> 2] & CR0_PG) === 0) return 0;
  return m.i32[RFLAGS >> 2] & AC ? 0 : 1;
}
