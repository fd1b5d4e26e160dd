/**
 * Stacks of inner privilege levels, from the current TSS. Source: SDM volume 3, sections 6.8.5 and 7.14.
 * @module
 */
import type { Machine } from "../machine.ts";
import { SS, TR } from "../state.ts";
import { attributesOf, baseOf, get64, limitOf, linearAt, segment, selectorOf, SS as SS_FAULT, TS } from "./access.ts";
import * as D from "./descriptors.ts";
import { putDescriptor } from "./segments.ts";

/** Stack of an inner level from the current TSS. Faults with #TS(TSS selector). */
export function innerStack(m: Machine, level: number, ext: number): { selector: number; pointer: number } {
  const wide = (attributesOf(m, TR) & 8) !== 0, at = wide ? level * 8 + 4 : level * 4 + 2;
  if (at + (wide ? 5 : 3) > limitOf(m, TR)) m.fault(TS, selectorOf(m, TR) & 0xfffc | ext);
  const base = baseOf(m, TR), size = wide ? 4 : 2;
  return {
    pointer: m.read(linearAt(m, base, at), size, false),
    selector: m.read(linearAt(m, base, at + size), 2, false),
  };
}

/** A stack pointer from the 64-bit TSS, at byte `at`. Faults with #TS(TSS selector). */
export function stackFromTss64(m: Machine, at: number, ext: number): number {
  if (at + 7 > limitOf(m, TR)) m.fault(TS, selectorOf(m, TR) & 0xfffc | ext);
  const linear = get64(m, segment(TR)) + at, place = m.place(linear, 8, false, false);
  if (place >= 0) return (m.words[place + 1] | 0) * 0x1_0000_0000 + m.words[place];
  return (m.read(linear + 4, 4, false) | 0) * 0x1_0000_0000 + m.read(linear, 4, false);
}

/** Loads SS for an inner level; faults as transfers through gates do, with #TS or #SS. */
export function loadInnerStack(m: Machine, selector: number, level: number, ext: number): void {
  const error = selector & 0xfffc | ext;
  if ((selector & 0xfffc) === 0) m.fault(TS, ext);
  const d = D.readDescriptor(m, selector, TS, ext);
  if ((selector & 3) !== level || D.dplOf(d.attr) !== level || !D.isWritable(d.attr)) m.fault(TS, error);
  if (!(d.attr & D.PRESENT)) m.fault(SS_FAULT, error);
  D.markAccessed(m, d);
  putDescriptor(m, SS, selector, d);
}
