/**
 * Descriptors as they lie in the descriptor tables. Source: SDM volume 3, sections 3.4 and 3.5.
 * @module
 */
import type { Machine } from "../machine.ts";
import { GDTR, LDTR } from "../state.ts";
import { attributesOf, baseOf, get64, GP, isCanonicalPair, limitOf, linearAt } from "./access.ts";

/** A segment or system descriptor (of a gate, only `low`, `high` and `attr` mean something). */
export interface Descriptor {
  /** The selector that led here. */
  readonly selector: number;
  /** First doubleword. */
  readonly low: number;
  /** Second doubleword. */
  readonly high: number;
  /** Attributes as in the state's SEG_ATTR. */
  attr: number;
  /** Base; of a system descriptor in long mode the low 32 bits until {@linkcode widen}. */
  base: number;
  /** Limit in bytes. */
  readonly limit: number;
  /** Linear address of the descriptor. */
  readonly address: number;
}

/** Attribute bits: accessed, write (data) or read (code), conforming or expand-down, code, S, P, L, D/B, G. */
export const ACCESSED = 1, READ_WRITE = 2, CONFORMING = 4, EXPAND_DOWN = 4, CODE = 8, CODE_DATA = 0x10, PRESENT = 0x80;
/** The upper attribute bits; UNUSABLE is ours. */
export const LONG = 0x2000, BIG = 0x4000, GRANULAR = 0x8000, UNUSABLE = 0x1_0000;

/** System descriptor types. */
export const TSS16 = 1, LDT = 2, TSS16_BUSY = 3, CALL16 = 4, TASK_GATE = 5, INT16 = 6, TRAP16 = 7;
/** 32-bit ones; 64-bit ones in long mode. */
export const TSS32 = 9, TSS32_BUSY = 11, CALL32 = 12, INT32 = 14, TRAP32 = 15;

/** Whether attributes are those of a code segment. */
export const isCode = (attr: number): boolean => (attr & (CODE_DATA | CODE)) === (CODE_DATA | CODE);
/** Whether attributes are those of a conforming code segment. */
export const isConforming = (attr: number): boolean => (attr & 0x1c) === 0x1c;
/** Whether attributes are those of a writable data segment. */
export const isWritable = (attr: number): boolean => (attr & 0x1a) === 0x12;
/** Whether attributes are those of a data or readable code segment. */
export const isReadable = (attr: number): boolean => (attr & 0x10) !== 0 && (attr & (CODE | READ_WRITE)) !== CODE;
/** DPL. */
export const dplOf = (attr: number): number => attr >> 5 & 3;
/** Type of a system descriptor, or −1 of a code or data segment. */
export const systemType = (attr: number): number => attr & CODE_DATA ? -1 : attr & 15;

/** The descriptor of eight bytes at a linear address. */
export function readDescriptorAt(m: Machine, address: number, selector: number): Descriptor {
  const place = m.place(address, 8, false, false), { words } = m;
  const low = place < 0 ? m.read(address, 4, false) : words[place];
  const high = place < 0 ? m.read(address + 4, 4, false) : words[place + 1];
  const raw = (low & 0xffff) | (high & 0xf_0000);
  return {
    selector,
    low,
    high,
    attr: high >>> 8 & 0xf0ff,
    base: ((low >>> 16) | (high & 0xff) << 16 | (high & 0xff00_0000)) >>> 0,
    limit: high & 0x80_0000 ? (raw << 12 | 0xfff) >>> 0 : raw,
    address,
  };
}

/** The descriptor that a selector names; null if it is outside its table. Null selectors are the caller's. */
export function probeDescriptor(m: Machine, selector: number): Descriptor | null {
  const local = (selector & 4) !== 0;
  if (local && attributesOf(m, LDTR) & UNUSABLE) return null;
  const limit = local ? limitOf(m, LDTR) : m.u32[(GDTR + 8) >> 2];
  if ((selector | 7) > limit) return null;
  const base = local ? baseOf(m, LDTR) : get64(m, GDTR);
  return readDescriptorAt(m, linearAt(m, base, selector & 0xfff8), selector);
}

/**
 * The descriptor that a selector names; outside the table raises `vector` with the selector as error code.
 * @param ext 1 while an event is delivered that is not the program's own.
 */
export function readDescriptor(m: Machine, selector: number, vector: number = GP, ext: number = 0): Descriptor {
  return probeDescriptor(m, selector) ?? m.fault(vector, selector & 0xfffc | ext);
}

/** Completes the base of a 16-byte system descriptor in long mode; false if it does not fit the table or is malformed. */
export function widen(m: Machine, d: Descriptor): boolean {
  if ((d.selector & 0xfff8) + 15 > m.u32[(GDTR + 8) >> 2]) return false;
  const upper = m.read(d.address + 8, 4, false) | 0;
  if (m.read(d.address + 12, 4, false) & 0x1f00) return false;
  d.base += upper * 0x1_0000_0000;
  return isCanonicalPair(upper);
}

/** Sets the accessed bit of a code or data segment, in memory and in `d`. */
export function markAccessed(m: Machine, d: Descriptor): void {
  if (d.attr & ACCESSED) return;
  d.attr |= ACCESSED;
  m.write(d.address + 5, 1, d.attr & 0xff, false);
}

/** Sets or clears the busy bit of a TSS descriptor, in memory and in `d`. */
export function markBusy(m: Machine, d: Descriptor, busy: boolean): void {
  d.attr = busy ? d.attr | 2 : d.attr & ~2;
  m.write(d.address + 5, 1, d.attr & 0xff, false);
}
