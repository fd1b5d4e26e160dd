/**
 * Hardware task switches through 16- and 32-bit TSSs. Source: SDM volume 3, section 8.3; volume 2, JMP, CALL, IRET.
 * @module
 */
import { NT, VM } from "../flags.ts";
import { GuestFault, type Machine } from "../machine.ts";
import { CR0, CR3, CR4, CS, DS, ES, FS, GPR, GS, LDTR, RFLAGS, RIP, SEG_ATTR, SS, TR } from "../state.ts";
import { attributesOf, baseOf, GP, gpr, limitOf, linearAt, NP, put32, segment } from "./access.ts";
import { selectorOf, SS as SS_FAULT, TS } from "./access.ts";
import { CR0_TS } from "./control.ts";
import { clearLocalBreakpoints, DR6_BT } from "./debug_registers.ts";
import * as D from "./descriptors.ts";
import { loadPdptes } from "./paging.ts";
import { getFlags, setFlags } from "./rflags.ts";
import { putDescriptor, putNull, putSegment, putV86 } from "./segments.ts";
import { push } from "./stack.ts";

/** What makes the processor switch. */
export type SwitchCause = "jump" | "call" | "iret" | "event";

/** A fault of the new task: the switch is done, so the state must not be rolled back. */
export class CommittedFault extends GuestFault {}

const CR0_PG = 0x8000_0000 | 0, CR4_PAE = 0x20;

/** Where things lie in a TSS. */
interface TssLayout {
  readonly size: 2 | 4;
  readonly minimum: number;
  readonly ip: number;
  readonly flags: number;
  readonly registers: number;
  readonly segments: number;
  readonly count: number;
  readonly ldt: number;
}

const LAYOUT16: TssLayout = {
  size: 2,
  minimum: 0x2b,
  ip: 14,
  flags: 16,
  registers: 18,
  segments: 34,
  count: 4,
  ldt: 42,
};
const LAYOUT32: TssLayout = {
  size: 4,
  minimum: 0x67,
  ip: 32,
  flags: 36,
  registers: 40,
  segments: 72,
  count: 6,
  ldt: 96,
};
const TSS32_CR3 = 28, TSS32_TRAP = 100;

function layoutOf(attr: number): TssLayout {
  return attr & 8 ? LAYOUT32 : LAYOUT16;
}

/** What a switch is told. */
export interface SwitchRequest {
  /** Descriptor of the new TSS, checked by the caller for type, presence and privilege. */
  readonly tss: D.Descriptor;
  /** Why. */
  readonly cause: SwitchCause;
  /** RIP to save in the old task. */
  readonly rip: number;
  /** 1 while an event that is not the program's own is delivered. */
  readonly ext?: number;
  /** Error code to push in the new task, or −1. */
  readonly errorCode?: number;
  /** Flags to add to the saved ones: RF for faults. */
  readonly extraFlags?: number;
}

/**
 * Switches tasks. Faults before the switch is committed are thrown as {@linkcode GuestFault}, those of the new task as
 * {@linkcode CommittedFault}.
 */
export function switchTask(m: Machine, request: SwitchRequest): void {
  const { tss, cause } = request, ext = request.ext ?? 0;
  const next = layoutOf(tss.attr), old = layoutOf(attributesOf(m, TR));
  const nested = cause === "call" || cause === "event";
  if (tss.limit < next.minimum) m.fault(TS, tss.selector & 0xfffc | ext);
  const oldBase = baseOf(m, TR), oldSelector = selectorOf(m, TR);
  // Whatever can fault in the TSSs faults before anything is changed.
  m.probeWrite(linearAt(m, oldBase, old.ip), old.minimum - old.ip, false);
  m.read(tss.base, 1, false);
  m.read(linearAt(m, tss.base, next.minimum), 1, false);
  if (nested) m.probeWrite(tss.base, 2, false);

  let flags = getFlags(m) | (request.extraFlags ?? 0);
  if (cause === "iret") flags &= ~NT;
  if (!nested) markOldBusy(m, oldSelector);
  saveTask(m, old, oldBase, request.rip, flags);
  const image = readTask(m, next, tss.base);
  if (nested) {
    m.write(tss.base, 2, oldSelector, false);
    image.flags |= NT;
  }
  if (cause !== "iret") D.markBusy(m, tss, true);
  else tss.attr |= 2;
  putSegment(m, TR, tss.selector, tss.base, tss.limit, tss.attr);
  m.i32[CR0 >> 2] |= CR0_TS;
  const trap = next === LAYOUT32 && (m.read(linearAt(m, tss.base, TSS32_TRAP), 2, false) & 1) !== 0;
  try {
    enterTask(m, next, image);
    if (request.errorCode !== undefined && request.errorCode >= 0) push(m, next.size, request.errorCode, 0, ext);
    const limit = limitOf(m, CS);
    if (m.u32[RIP >> 2] > limit) m.fault(GP, 0);
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    const { vector, errorCode } = e;
    throw new CommittedFault(vector, vector === 14 || errorCode < 0 ? errorCode : errorCode | ext);
  }
  if (trap) m.debugTrap(DR6_BT);
}

/** JMP and IRET leave the old task: it is not busy any more. */
function markOldBusy(m: Machine, selector: number): void {
  const d = D.probeDescriptor(m, selector);
  if (d) D.markBusy(m, d, false);
}

function saveTask(m: Machine, l: TssLayout, base: number, rip: number, flags: number): void {
  const put = (offset: number, size: number, value: number) => {
    m.write(linearAt(m, base, offset), size, size === 2 ? value & 0xffff : value >>> 0, false);
  };
  put(l.ip, l.size, rip);
  put(l.flags, l.size, flags);
  for (let n = 0; n < 8; n++) put(l.registers + n * l.size, l.size, m.u32[(GPR + n * 8) >> 2]);
  for (let n = 0; n < l.count; n++) put(l.segments + n * l.size, 2, selectorOf(m, n));
}

/** What a TSS holds of a task. */
interface TaskImage {
  cr3: number;
  ip: number;
  flags: number;
  registers: number[];
  selectors: number[];
  ldt: number;
}

function readTask(m: Machine, l: TssLayout, base: number): TaskImage {
  const get = (offset: number, size: number) => m.read(linearAt(m, base, offset), size, false);
  const range = (count: number, at: number, size: number) =>
    Array.from({ length: count }, (_, n) => get(at + n * l.size, size));
  // In a 16-bit TSS FS and GS do not exist: they become null.
  const selectors = range(l.count, l.segments, 2);
  while (selectors.length < 6) selectors.push(0);
  // A 16-bit TSS has no upper halves: they become all ones, as on the 386 and later.
  const upper = l.size === 2 ? 0xffff_0000 : 0;
  return {
    cr3: l.size === 4 ? get(TSS32_CR3, 4) : 0,
    ip: get(l.ip, l.size),
    flags: get(l.flags, l.size),
    registers: range(8, l.registers, l.size).map((v) => (v | upper) >>> 0),
    selectors,
    ldt: get(l.ldt, 2),
  };
}

function enterTask(m: Machine, l: TssLayout, t: TaskImage): void {
  const { i32 } = m, paging = (i32[CR0 >> 2] & CR0_PG) !== 0;
  if (l.size === 4 && paging) {
    if (i32[CR4 >> 2] & CR4_PAE && !loadPdptes(m, t.cr3)) m.fault(GP, 0);
    if (i32[CR3 >> 2] !== (t.cr3 | 0)) {
      put32(m, CR3, t.cr3);
      m.flushTlb(false);
    }
  }
  put32(m, RIP, t.ip);
  for (let n = 0; n < 8; n++) put32(m, gpr(n), t.registers[n]);
  setFlags(m, t.flags);
  clearLocalBreakpoints(m);
  // Selectors first, all invalid, with the privilege level of the new task: that is what a fault from here on saves.
  const v86 = (m.i32[RFLAGS >> 2] & VM) !== 0, level = v86 ? 3 : t.selectors[CS] & 3;
  for (let n = ES; n <= GS; n++) putSegment(m, n, t.selectors[n], 0, 0, D.UNUSABLE);
  m.u32[(segment(SS) + SEG_ATTR) >> 2] = D.UNUSABLE | level << 5;
  putSegment(m, LDTR, t.ldt, 0, 0, D.UNUSABLE);
  loadTaskLdt(m, t.ldt);
  if (v86) {
    for (let n = ES; n <= GS; n++) putV86(m, n, t.selectors[n]);
    return;
  }
  loadTaskCode(m, t.selectors[CS], level);
  loadTaskStack(m, t.selectors[SS], level);
  for (const n of [DS, ES, FS, GS]) loadTaskData(m, n, t.selectors[n], level);
}

function loadTaskLdt(m: Machine, selector: number): void {
  if ((selector & 0xfffc) === 0) return;
  const error = selector & 0xfffc;
  if (selector & 4) m.fault(TS, error);
  const d = D.readDescriptor(m, selector, TS);
  if (D.systemType(d.attr) !== D.LDT || !(d.attr & D.PRESENT)) m.fault(TS, error);
  putDescriptor(m, LDTR, selector, d);
}

function loadTaskCode(m: Machine, selector: number, level: number): void {
  const error = selector & 0xfffc;
  if (error === 0) m.fault(TS, 0);
  const d = D.readDescriptor(m, selector, TS), dpl = D.dplOf(d.attr);
  if (!D.isCode(d.attr) || (D.isConforming(d.attr) ? dpl > level : dpl !== level)) m.fault(TS, error);
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  D.markAccessed(m, d);
  putDescriptor(m, CS, selector, d);
}

function loadTaskStack(m: Machine, selector: number, level: number): void {
  const error = selector & 0xfffc;
  if (error === 0) m.fault(TS, 0);
  const d = D.readDescriptor(m, selector, TS);
  if (!D.isWritable(d.attr) || D.dplOf(d.attr) !== level || (selector & 3) !== level) m.fault(TS, error);
  if (!(d.attr & D.PRESENT)) m.fault(SS_FAULT, error);
  D.markAccessed(m, d);
  putDescriptor(m, SS, selector, d);
}

function loadTaskData(m: Machine, n: number, selector: number, level: number): void {
  const error = selector & 0xfffc;
  if (error === 0) return putNull(m, n, selector);
  const d = D.readDescriptor(m, selector, TS);
  if (!D.isReadable(d.attr) || (!D.isConforming(d.attr) && Math.max(level, selector & 3) > D.dplOf(d.attr))) {
    m.fault(TS, error);
  }
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  D.markAccessed(m, d);
  putDescriptor(m, n, selector, d);
}

/**
 * The TSS descriptor that a selector names, for JMP, CALL, a task gate or an event: it must be in the GDT, available
 * and present, else `vector`(selector) or #NP(selector).
 */
export function availableTss(m: Machine, selector: number, vector: number, ext: number = 0): D.Descriptor {
  const error = selector & 0xfffc | ext;
  if (selector & 4 || (selector & 0xfffc) === 0) m.fault(vector, error);
  const d = D.readDescriptor(m, selector, vector, ext), type = D.systemType(d.attr);
  if (type !== D.TSS16 && type !== D.TSS32) m.fault(vector, error);
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  return d;
}

/** IRET with NT set: back to the task that the link in the current TSS names. */
export function returnFromTask(m: Machine, rip: number): void {
  const link = m.read(baseOf(m, TR), 2, false), error = link & 0xfffc;
  if (link & 4 || error === 0) m.fault(TS, error);
  const d = D.readDescriptor(m, link, TS), type = D.systemType(d.attr);
  if (type !== D.TSS16_BUSY && type !== D.TSS32_BUSY) m.fault(TS, error);
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  switchTask(m, { tss: d, cause: "iret", rip });
}
