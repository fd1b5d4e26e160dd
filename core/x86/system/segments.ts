/**
 * Segment registers: loading them in every mode, and the access bounds that emitted code checks against.
 * Source: SDM volume 3, chapters 3, 5 and 21; volume 2, MOV.
 * @module
 */
import type { Machine } from "../machine.ts";
import { CS, ES, FLAT, GS, SEG, SEG_ATTR, SEG_BASE, SEG_LIMIT, SEG_LOW, SEG_READ, SEG_SELECTOR } from "../state.ts";
import { LDTR, SEG_SIZE, SEG_WRITE, SS } from "../state.ts";
import { attributesOf, GP, limitOf, NP, put64, segment, SS as SS_FAULT } from "./access.ts";
import * as D from "./descriptors.ts";
import { cpl, is64, isProtected, isV86 } from "./mode.ts";

/** What a segment register holds. */
export interface SegmentValue {
  /** Selector. */
  readonly selector: number;
  /** Linear address of offset 0. */
  readonly base: number | bigint;
  /** Last offset by the descriptor, bytes. */
  readonly limit: number;
  /** Attributes as in the state's SEG_ATTR. */
  readonly attr: number;
}

/** Fields of `struct kvm_segment` that make up the attributes. */
export interface SegmentBits {
  /** Type, 0 … 15. */
  readonly type: number;
  /** P. */
  readonly present: number;
  /** DPL. */
  readonly dpl: number;
  /** D/B. */
  readonly db: number;
  /** S. */
  readonly s: number;
  /** L. */
  readonly l: number;
  /** G. */
  readonly g: number;
  /** AVL. */
  readonly avl: number;
  /** 1 for a null segment. */
  readonly unusable: number;
}

/** Attributes from the fields of `struct kvm_segment`. */
export function segmentAttributes(b: SegmentBits): number {
  return (b.type & 15) | b.s << 4 | (b.dpl & 3) << 5 | b.present << 7 | b.avl << 12 | b.l << 13 | b.db << 14 |
    b.g << 15 | b.unusable << 16;
}

/** The fields of `struct kvm_segment` from attributes. */
export function segmentBits(attr: number): SegmentBits {
  return {
    type: attr & 15,
    present: attr >> 7 & 1,
    dpl: attr >> 5 & 3,
    db: attr >> 14 & 1,
    s: attr >> 4 & 1,
    l: attr >> 13 & 1,
    g: attr >> 15 & 1,
    avl: attr >> 12 & 1,
    unusable: attr >> 16 & 1,
  };
}

/** Attributes of a segment in virtual-8086 mode: present writable data, DPL 3. */
export const V86_ATTR = 0xf3;
const REAL_ATTR = 0x93;
/** The bound of a 4 GiB segment: an access that wraps does not fault. */
const NO_LIMIT = 0x2_0000_0000;

/** Recomputes the access bounds of segment `n` from its limit and attributes and the mode. */
export function deriveSegment(m: Machine, n: number): void {
  const at = segment(n), attr = attributesOf(m, n), limit = limitOf(m, n);
  let low = 0, high = limit === 0xffff_ffff ? NO_LIMIT : limit;
  if ((attr & (D.CODE_DATA | D.CODE | D.EXPAND_DOWN)) === (D.CODE_DATA | D.EXPAND_DOWN)) {
    low = limit + 1;
    high = attr & D.BIG ? 0xffff_ffff : 0xffff;
  }
  let read = high, write = high;
  if (attr & D.UNUSABLE) read = write = -1;
  else if (isProtected(m)) {
    const there = (attr & D.PRESENT) !== 0;
    if (!there || !D.isReadable(attr)) read = -1;
    if (!there || !D.isWritable(attr)) write = -1;
  }
  put64(m, at + SEG_LOW, low);
  put64(m, at + SEG_READ, read);
  put64(m, at + SEG_WRITE, write);
}

/** Recomputes the bounds of all segments: CR0.PE or RFLAGS.VM changed. */
export function deriveAll(m: Machine): void {
  for (let n = ES; n <= GS; n++) deriveSegment(m, n);
  const flat = SEG + FLAT * SEG_SIZE;
  put64(m, flat + SEG_READ, NO_LIMIT);
  put64(m, flat + SEG_WRITE, NO_LIMIT);
}

/** Sets a segment register, LDTR and TR included, without any check. */
export function setSegment(m: Machine, n: number, value: SegmentValue): void {
  putSegment(m, n, value.selector, value.base, value.limit, value.attr);
}

/**
 * Sets CS and SS as the fast system calls do: flat segments of protected mode by their attributes alone, present, the code
 * readable, the stack writable.
 */
export function putFlatPair(m: Machine, code: number, codeAttr: number, stack: number, stackAttr: number): void {
  putFlat(m, CS, code, codeAttr, -1);
  putFlat(m, SS, stack, stackAttr, NO_LIMIT);
  m.modeChanged();
}

function putFlat(m: Machine, n: number, selector: number, attr: number, write: number): void {
  const { i32 } = m, at = segment(n) >> 2, high = NO_LIMIT / 0x1_0000_0000;
  i32[at + (SEG_BASE >> 2)] = i32[at + (SEG_BASE >> 2) + 1] = 0;
  i32[at + (SEG_LOW >> 2)] = i32[at + (SEG_LOW >> 2) + 1] = 0;
  i32[at + (SEG_READ >> 2)] = 0;
  i32[at + (SEG_READ >> 2) + 1] = high;
  i32[at + (SEG_WRITE >> 2)] = write < 0 ? -1 : 0;
  i32[at + (SEG_WRITE >> 2) + 1] = write < 0 ? -1 : high;
  i32[at + (SEG_LIMIT >> 2)] = -1;
  i32[at + (SEG_ATTR >> 2)] = attr;
  m.u16[(segment(n) + SEG_SELECTOR) >> 1] = selector;
}

/** {@linkcode setSegment} with single arguments. */
export function putSegment(
  m: Machine,
  n: number,
  selector: number,
  base: number | bigint,
  limit: number,
  attr: number,
): void {
  const at = segment(n);
  if (typeof base === "bigint") m.u64[(at + SEG_BASE) >> 3] = base;
  else put64(m, at + SEG_BASE, base);
  m.u16[(at + SEG_SELECTOR) >> 1] = selector;
  m.u32[(at + SEG_LIMIT) >> 2] = limit;
  m.u32[(at + SEG_ATTR) >> 2] = attr;
  if (n >= LDTR) return;
  deriveSegment(m, n);
  m.modeChanged();
}

/** Loads CS or SS from a descriptor in protected mode; the caller tells the engine that the mode has changed. */
export function putQuietly(m: Machine, n: number, selector: number, d: D.Descriptor): void {
  const { i32 } = m, at = segment(n) >> 2, { attr } = d;
  put64(m, segment(n) + SEG_BASE, d.base);
  m.u16[(segment(n) + SEG_SELECTOR) >> 1] = selector;
  i32[at + (SEG_LIMIT >> 2)] = d.limit;
  i32[at + (SEG_ATTR >> 2)] = attr;
  if (
    d.limit !== 0xffff_ffff || (attr & (D.CODE_DATA | D.PRESENT)) !== (D.CODE_DATA | D.PRESENT) || !D.isReadable(attr)
  ) {
    return deriveSegment(m, n);
  }
  if (!(attr & D.CODE) && attr & D.EXPAND_DOWN) return deriveSegment(m, n);
  const high = NO_LIMIT / 0x1_0000_0000, write = D.isWritable(attr);
  i32[at + (SEG_LOW >> 2)] = i32[at + (SEG_LOW >> 2) + 1] = i32[at + (SEG_READ >> 2)] = 0;
  i32[at + (SEG_READ >> 2) + 1] = high;
  i32[at + (SEG_WRITE >> 2)] = write ? 0 : -1;
  i32[at + (SEG_WRITE >> 2) + 1] = write ? high : -1;
}

/** Loads a segment register from a descriptor, with `selector` (whose RPL may differ from the descriptor's). */
export function putDescriptor(m: Machine, n: number, selector: number, d: D.Descriptor): void {
  putSegment(m, n, selector, d.base, d.limit, d.attr);
}

/** Loads a null selector into a data segment register; into SS (64-bit mode) it keeps the privilege level. */
export function putNull(m: Machine, n: number, selector: number): void {
  const attr = D.UNUSABLE | (n === SS ? (selector & 3) << 5 : 0);
  putSegment(m, n, selector, 0, limitOf(m, n), attr);
}

/** Loads a segment register as real mode does: the limit stays, and the attributes too. */
export function putReal(m: Machine, n: number, selector: number): void {
  const old = attributesOf(m, n), gone = (old & D.UNUSABLE) !== 0;
  putSegment(m, n, selector, selector << 4, gone ? 0xffff : limitOf(m, n), gone ? REAL_ATTR : old);
}

/** Loads a segment register as virtual-8086 mode does. */
export function putV86(m: Machine, n: number, selector: number): void {
  putSegment(m, n, selector, selector << 4, 0xffff, V86_ATTR);
}

/** MOV, POP and LDS … LGS to ES, SS, DS, FS or GS, in every mode, with all checks. */
export function loadSegment(m: Machine, n: number, selector: number): void {
  if (isV86(m)) return putV86(m, n, selector);
  if (!isProtected(m)) return putReal(m, n, selector);
  if (n === SS) return loadStackSegment(m, selector);
  if ((selector & 0xfffc) === 0) return putNull(m, n, selector);
  const d = D.readDescriptor(m, selector), level = Math.max(cpl(m), selector & 3);
  if (!D.isReadable(d.attr) || (!D.isConforming(d.attr) && level > D.dplOf(d.attr))) m.fault(GP, selector & 0xfffc);
  if (!(d.attr & D.PRESENT)) m.fault(NP, selector & 0xfffc);
  D.markAccessed(m, d);
  putDescriptor(m, n, selector, d);
}

function loadStackSegment(m: Machine, selector: number): void {
  const level = cpl(m);
  if ((selector & 0xfffc) === 0) {
    if (!is64(m) || level === 3 || selector !== level) m.fault(GP, 0);
    return putNull(m, SS, selector);
  }
  const d = D.readDescriptor(m, selector);
  if ((selector & 3) !== level || !D.isWritable(d.attr) || D.dplOf(d.attr) !== level) m.fault(GP, selector & 0xfffc);
  if (!(d.attr & D.PRESENT)) m.fault(SS_FAULT, selector & 0xfffc);
  D.markAccessed(m, d);
  putDescriptor(m, SS, selector, d);
}

/**
 * After a return to an outer level: data segments that the new level may not see become null.
 * Source: SDM volume 2, IRET, RETURN-TO-OUTER-PRIVILEGE-LEVEL.
 */
export function dropInnerSegments(m: Machine): void {
  const level = cpl(m);
  for (let n = ES; n <= GS; n++) {
    if (n === CS || n === SS) continue;
    const attr = attributesOf(m, n);
    if (attr & D.UNUSABLE || (attr & D.CODE_DATA) === 0) continue;
    if (!D.isConforming(attr) && D.dplOf(attr) < level) putNull(m, n, 0);
  }
}
