/**
 * LLDT, LTR, LGDT, LIDT, and what UMIP hides. Source: SDM volume 2.
 * @module
 */
import type { Machine } from "../machine.ts";
import { CR4, LDTR, TR } from "../state.ts";
import { GP, isCanonicalPair, NP } from "./access.ts";
import { CR4_UMIP } from "./control.ts";
import * as D from "./descriptors.ts";
import { cpl, is64, isLong } from "./mode.ts";
import { putDescriptor, putSegment } from "./segments.ts";

/** LLDT. */
export function loadLdt(m: Machine, selector: number): void {
  const error = selector & 0xfffc;
  if (error === 0) return putSegment(m, LDTR, selector, 0, 0, D.UNUSABLE);
  if (selector & 4) m.fault(GP, error);
  const d = D.readDescriptor(m, selector);
  if (D.systemType(d.attr) !== D.LDT || (isLong(m) && !D.widen(m, d))) m.fault(GP, error);
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  putDescriptor(m, LDTR, selector, d);
}

/** LTR. */
export function loadTask(m: Machine, selector: number): void {
  const error = selector & 0xfffc;
  if (error === 0) m.fault(GP, 0);
  if (selector & 4) m.fault(GP, error);
  const d = D.readDescriptor(m, selector), type = D.systemType(d.attr), long = isLong(m);
  if (type !== D.TSS32 && (long || type !== D.TSS16)) m.fault(GP, error);
  if (long && !D.widen(m, d)) m.fault(GP, error);
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  D.markBusy(m, d, true);
  putDescriptor(m, TR, selector, d);
}

/** LGDT and LIDT: `at` is the register's state address. */
export function loadTable(m: Machine, at: number, limit: number, low: number, high: number): void {
  if (is64(m) ? !isCanonicalPair(high) : false) m.fault(GP, 0);
  m.i32[at >> 2] = low;
  m.i32[(at >> 2) + 1] = high;
  m.u32[(at + 8) >> 2] = limit & 0xffff;
}

/** SGDT, SIDT, SLDT, STR and SMSW are #GP(0) for user programs under UMIP. */
export function checkUmip(m: Machine): void {
  if (m.i32[CR4 >> 2] & CR4_UMIP && cpl(m) > 0) m.fault(GP, 0);
}
