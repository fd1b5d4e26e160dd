/**
 * LAR, LSL, VERR, VERW, ARPL. Source: SDM volume 2.
 * @module
 */
import { ZF } from "../flags.ts";
import type { Machine } from "../machine.ts";
import * as D from "./descriptors.ts";
import { cpl, isLong } from "./mode.ts";
import { getFlags, setStatus } from "./rflags.ts";

/** System descriptor types that LAR and LSL know, as bit sets: outside and in long mode. */
const LAR_TYPES = 0x1a3e, LAR_TYPES_LONG = 0x1a04, LSL_TYPES = 0x0a0e, LSL_TYPES_LONG = 0x0a04;

/** Sets ZF and leaves the other flags. */
export function setZero(m: Machine, zero: boolean): void {
  setStatus(m, getFlags(m) & ~ZF | (zero ? ZF : 0));
}

/** The descriptor if the program may see it: not null, in its table, of a known type, privileged enough. */
function visible(m: Machine, selector: number, types: number): D.Descriptor | null {
  if ((selector & 0xfffc) === 0) return null;
  const d = D.probeDescriptor(m, selector);
  if (d === null) return null;
  const type = D.systemType(d.attr);
  if (type >= 0 && !(types >> type & 1)) return null;
  if (D.isConforming(d.attr)) return d;
  return Math.max(cpl(m), selector & 3) > D.dplOf(d.attr) ? null : d;
}

/** LAR: the access rights, or −1. Bits 16 to 19, undefined by the manual, are those of the limit, as on processors. */
export function accessRights(m: Machine, selector: number): number {
  const d = visible(m, selector, isLong(m) ? LAR_TYPES_LONG : LAR_TYPES);
  return d === null ? -1 : d.high & 0xff_ff00;
}

/** LSL: the limit in bytes, or −1. */
export function segmentLimit(m: Machine, selector: number): number {
  const d = visible(m, selector, isLong(m) ? LSL_TYPES_LONG : LSL_TYPES);
  return d === null ? -1 : d.limit;
}

/** VERR, or VERW. */
export function verify(m: Machine, selector: number, write: boolean): boolean {
  const d = visible(m, selector, 0);
  return d !== null && (write ? D.isWritable(d.attr) : D.isReadable(d.attr));
}
