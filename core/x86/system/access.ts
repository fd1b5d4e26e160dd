/**
 * Short ways to the state block that the system part shares: 64-bit fields as numbers, registers, segment fields,
 * memory beyond four bytes, and the exceptions by name.
 * @module
 */
import type { Machine } from "../machine.ts";
import { is64 } from "./mode.ts";
import { EFER, GPR, RIP, SEG, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_SELECTOR, SEG_SIZE } from "../state.ts";

/** Exception vectors. */
export const DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, BR = 5, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11, SS = 12;
/** More of them. */
export const GP = 13, PF = 14, MF = 16, AC = 17, MC = 18, XM = 19, CP = 21;

const TWO32 = 0x1_0000_0000;
const EFER_LMA = 0x400;

/** A 64-bit field of the state as a signed number; exact for canonical addresses, never canonical if it was not. */
export function get64(m: Machine, at: number): number {
  return m.i32[(at >> 2) + 1] * TWO32 + m.u32[at >> 2];
}

/** Sets a 64-bit field of the state to a signed number. */
export function put64(m: Machine, at: number, value: number): void {
  m.i32[at >> 2] = value | 0;
  m.i32[(at >> 2) + 1] = Math.floor(value / TWO32);
}

/** Sets a 64-bit field of the state to 32 bits, zero-extended. */
export function put32(m: Machine, at: number, value: number): void {
  m.i32[at >> 2] = value;
  m.i32[(at >> 2) + 1] = 0;
}

/** Whether a signed number is a canonical 48-bit address. */
export function isCanonical(address: number): boolean {
  return address >= -0x8000_0000_0000 && address <= 0x7fff_ffff_ffff;
}

/** Whether the two halves make a canonical 48-bit address. */
export function isCanonicalPair(high: number): boolean {
  return ((high << 16) >> 16) === (high | 0);
}

/** The linear address `offset` bytes behind `base`, which wraps at 4 GiB outside long mode. */
export function linearAt(m: Machine, base: number, offset: number): number {
  const sum = base + offset;
  return m.i32[EFER >> 2] & EFER_LMA ? sum : sum >>> 0;
}

/** State address of general register `n`. */
export function gpr(n: number): number {
  return GPR + n * 8;
}

/** State address of segment `n`. */
export function segment(n: number): number {
  return SEG + n * SEG_SIZE;
}

/** Base of segment `n`. */
export function baseOf(m: Machine, n: number): number {
  return get64(m, SEG + n * SEG_SIZE + SEG_BASE);
}

/** Limit of segment `n` in bytes. */
export function limitOf(m: Machine, n: number): number {
  return m.u32[(SEG + n * SEG_SIZE + SEG_LIMIT) >> 2];
}

/** Selector in segment `n`. */
export function selectorOf(m: Machine, n: number): number {
  return m.u16[(SEG + n * SEG_SIZE + SEG_SELECTOR) >> 1];
}

/** Attributes of segment `n`. */
export function attributesOf(m: Machine, n: number): number {
  return m.u32[(SEG + n * SEG_SIZE + SEG_ATTR) >> 2];
}

/** RIP as a signed number. */
export function getRip(m: Machine): number {
  return get64(m, RIP);
}

/** Sets RIP. */
export function setRip(m: Machine, value: number): void {
  put64(m, RIP, value);
}

/** RIP behind the instruction that runs. */
export function nextRip(m: Machine): number {
  const next = get64(m, RIP) + m.length;
  return is64(m) ? next : next >>> 0;
}

/** Reads 8 bytes as supervisor, as a signed number. */
export function read64(m: Machine, linear: number): number {
  const low = m.read(linear, 4, false);
  return (m.read(linear + 4, 4, false) | 0) * TWO32 + low;
}
