/**
 * The words of the state block from MSR on: MSRs that are nothing but a value, and what the system part keeps besides.
 * @module
 */
import { MSR } from "../state.ts";

/** MSRs that hold a plain value, in this order from MSR on; slot n is at MSR + 8 n. */
export const MSR_SLOTS = {
  star: 0,
  lstar: 1,
  cstar: 2,
  sfmask: 3,
  kernelGsBase: 4,
  tscAux: 5,
  sysenterCs: 6,
  sysenterEsp: 7,
  sysenterEip: 8,
  pat: 9,
  miscEnable: 10,
  featureControl: 11,
  tscAdjust: 12,
  tscDeadline: 13,
  microcode: 14,
  mcgStatus: 15,
  mcgControl: 16,
  mtrrDefType: 17,
  /** Eight pairs of base and mask. */
  mtrrVariable: 18,
  /** Eleven fixed-range registers. */
  mtrrFixed: 34,
  debugControl: 45,
  /** Four banks of four registers. */
  machineCheck: 46,
  /** TSC minus ticks. */
  tscOffset: 62,
  specCtrl: 63,
} as const;

/** State address of a slot. */
export function slot(n: number): number {
  return MSR + n * 8;
}

/** The four PDPTEs of PAE paging, loaded with CR3. */
export const PDPTE: number = slot(64);
/** Derived from CPUID by cpuidChanged() of control.ts: bits of an address's upper half beyond MAXPHYADDR, i32. */
export const PHYSICAL_HIGH: number = slot(68);
/** Derived from CPUID: how many 4 GiB ranges PSE-36 reaches, i32; 1 without it. */
export const PSE36_LIMIT: number = slot(68) + 4;
/** Derived from CPUID: CR4 bits that may be set, i32. */
export const CR4_ALLOWED: number = slot(69);
/** Derived from CPUID: EFER bits that may be set, i32. */
export const EFER_ALLOWED: number = slot(69) + 4;
/** Derived from CPUID: XCR0 bits that may be set, i32. */
export const XCR0_ALLOWED: number = slot(70);
