/**
 * Debug registers, and the breakpoints that the system part itself must notice (ports, task switches).
 * Source: SDM volume 3, chapter 18.
 * @module
 */
import type { Machine } from "../machine.ts";
import { CR4, DR } from "../state.ts";
import { DB, get64, GP, UD } from "./access.ts";
import { CR4_DE } from "./control.ts";

/** DR6.BD, BS, BT. */
export const DR6_BD = 0x2000, DR6_BS = 0x4000, DR6_BT = 0x8000;
const DR6_ONES = 0xffff_0ff0 | 0, DR6_WRITABLE = 0xe00f;
const DR7_ONES = 0x400, DR7_WRITABLE = 0xffff_23ff | 0;
/** DR7.GD. */
export const DR7_GD = 0x2000;
const DR6_AT = DR + 48, DR7_AT = DR + 56;

/** The register that a number means now; faults with #UD or, for DR7.GD, with #DB. */
function resolve(m: Machine, n: number): number {
  if (n > 7) m.fault(UD);
  if (n === 4 || n === 5) {
    if (m.i32[CR4 >> 2] & CR4_DE) m.fault(UD);
    n += 2;
  }
  if (m.i32[DR7_AT >> 2] & DR7_GD) m.fault(DB, DR6_BD);
  return n;
}

/** State address of DRn for MOV; faults. */
export function debugAddress(m: Machine, n: number): number {
  return DR + resolve(m, n) * 8;
}

/** MOV to DRn. */
export function writeDebug(m: Machine, n: number, low: number, high: number): void {
  const r = resolve(m, n), at = DR + r * 8;
  if (r >= 6 && high !== 0) m.fault(GP, 0);
  if (r === 6) low = low & DR6_WRITABLE | DR6_ONES;
  if (r === 7) low = low & DR7_WRITABLE | DR7_ONES;
  m.i32[at >> 2] = low;
  m.i32[(at >> 2) + 1] = high;
  if (r === 6) return;
  // The engine keeps what is watched out of its translations.
  if (watchesData(m)) m.flushTlb(true);
  m.attention();
}

/** Whether a breakpoint on data is enabled: then every data access must be shown to {@linkcode watchData}. */
export function watchesData(m: Machine): boolean {
  const dr7 = m.i32[DR7_AT >> 2];
  if ((dr7 & 0xff) === 0) return false;
  for (let n = 0; n < 4; n++) if ((dr7 >> n * 2 & 3) !== 0 && (dr7 >> 16 + n * 4 & 1) !== 0) return true;
  return false;
}

/** After an access to `size` bytes at a linear address: a trap for each data breakpoint that it meets. */
export function watchData(m: Machine, linear: number, size: number, write: boolean): void {
  const dr7 = m.i32[DR7_AT >> 2];
  let hit = 0;
  for (let n = 0; n < 4; n++) {
    const kind = dr7 >> 16 + n * 4 & 3;
    if ((dr7 >> n * 2 & 3) === 0 || (kind & 1) === 0 || (kind === 1 && !write)) continue;
    // Length 2 means eight bytes; the address is aligned to the length.
    const code = dr7 >> 18 + n * 4 & 3, length = code === 2 ? 8 : code + 1, at = get64(m, DR + n * 8);
    const from = at - (at % length + length) % length;
    if (linear < from + length && linear + size > from) hit |= 1 << n;
  }
  if (hit) m.debugTrap(hit);
}

/** Adds causes to DR6. */
export function recordDebug(m: Machine, bits: number): void {
  m.i32[DR6_AT >> 2] |= bits & DR6_WRITABLE;
}

/** What entering a #DB handler does to DR7: GD is cleared. */
export function enterDebugHandler(m: Machine): void {
  m.i32[DR7_AT >> 2] &= ~DR7_GD;
}

/** What a task switch does to DR7: the local breakpoints are disabled. */
export function clearLocalBreakpoints(m: Machine): void {
  if ((m.i32[DR7_AT >> 2] & 0x155) === 0) return;
  m.i32[DR7_AT >> 2] &= ~0x155;
  m.attention();
}

/** After an access of `size` bytes to `port`: a trap for each I/O breakpoint that it meets. */
export function watchPort(m: Machine, port: number, size: number): void {
  const dr7 = m.i32[DR7_AT >> 2];
  if ((dr7 & 0xff) === 0 || !(m.i32[CR4 >> 2] & CR4_DE)) return;
  let hit = 0;
  for (let n = 0; n < 4; n++) {
    if ((dr7 >> n * 2 & 3) === 0 || (dr7 >> 16 + n * 4 & 3) !== 2) continue;
    const length = (dr7 >> 18 + n * 4 & 3) + 1, from = (m.i32[(DR + n * 8) >> 2] & ~(length - 1)) >>> 0;
    if (port < from + length && port + size > from) hit |= 1 << n;
  }
  if (hit) m.debugTrap(hit);
}
