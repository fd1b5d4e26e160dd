/**
 * Event delivery through the IDT in protected, virtual-8086 and long mode.
 * Source: SDM volume 2, INT n, operation; volume 3, chapter 7.
 * @module
 */
import { IF, NT, RF, TF, VM } from "../flags.ts";
import type { Machine } from "../machine.ts";
import { CS, DS, ES, FS, GS, IDTR, RFLAGS, SS } from "../state.ts";
import {
  get64,
  GP,
  gpr,
  isCanonical,
  linearAt,
  NP,
  put32,
  put64,
  selectorOf,
  setRip,
  SS as SS_FAULT,
} from "./access.ts";
import * as D from "./descriptors.ts";
import { innerStack, loadInnerStack, stackFromTss64 } from "./inner_stack.ts";
import { cpl, isLong } from "./mode.ts";
import { getFlags, setFlags } from "./rflags.ts";
import { putNull, putQuietly } from "./segments.ts";
import { FRAME, pushFrame, reserve, type StackSize } from "./stack.ts";
import { availableTss, switchTask } from "./tasks.ts";

/** What is delivered. */
export interface Delivery {
  /** Vector. */
  readonly vector: number;
  /** INT n, INT3, INTO: the gate's DPL counts. */
  readonly software: boolean;
  /** Error code, −1 for none. */
  readonly errorCode: number;
  /** RIP to save. */
  readonly rip: number;
  /** Flags to add to the saved ones: RF for faults. */
  readonly extraFlags: number;
}

/** An IDT entry. */
interface Gate {
  readonly type: number;
  readonly selector: number;
  readonly offset: number;
  readonly ist: number;
}

/** Delivers through the IDT; faults as the manual says, with the EXT bit for what is not the program's own. */
export function deliverGate(m: Machine, d: Delivery): void {
  const gate = readGate(m, d);
  if (gate.type === D.TASK_GATE) return deliverTask(m, d, gate.selector);
  const ext = d.software ? 0 : 1, long = isLong(m), level = cpl(m);
  const v86 = (m.i32[RFLAGS >> 2] & VM) !== 0;
  const error = gate.selector & 0xfffc | ext;
  if ((gate.selector & 0xfffc) === 0) m.fault(GP, ext);
  const code = D.readDescriptor(m, gate.selector, GP, ext), dpl = D.dplOf(code.attr);
  if (!D.isCode(code.attr) || dpl > level) m.fault(GP, error);
  if (long && (code.attr & (D.LONG | D.BIG)) !== D.LONG) m.fault(GP, error);
  if (!(code.attr & D.PRESENT)) m.fault(NP, error);
  const inner = !D.isConforming(code.attr) && dpl < level;
  if (v86 && (!inner || dpl !== 0)) m.fault(GP, error);
  if (long) deliver64(m, d, gate, code, inner ? dpl : level, ext);
  else deliver32(m, d, gate, code, inner ? dpl : level, ext);
}

/** Reads and checks the IDT entry. */
function readGate(m: Machine, d: Delivery): Gate {
  const long = isLong(m), size = long ? 16 : 8, ext = d.software ? 0 : 1;
  const error = d.vector << 3 | 2 | ext, at = d.vector * size;
  if (at + size - 1 > m.u32[(IDTR + 8) >> 2]) m.fault(GP, error);
  const linear = linearAt(m, get64(m, IDTR), at), place = m.place(linear, size, false, false), { words } = m;
  const low = place < 0 ? m.read(linear, 4, false) : words[place];
  const high = place < 0 ? m.read(linear + 4, 4, false) : words[place + 1], type = high >>> 8 & 0x1f;
  const known = type === D.INT32 || type === D.TRAP32 ||
    (!long && (type === D.TASK_GATE || type === D.INT16 || type === D.TRAP16));
  if (!known) m.fault(GP, error);
  if (d.software && (high >>> 13 & 3) < cpl(m)) m.fault(GP, error);
  if (!(high & 0x8000)) m.fault(NP, error);
  let offset = low & 0xffff;
  if (type & 8) offset = (offset | high & 0xffff_0000) >>> 0;
  if (long) offset += ((place < 0 ? m.read(linear + 8, 4, false) : words[place + 2]) | 0) * 0x1_0000_0000;
  return { type, selector: low >>> 16, offset, ist: high & 7 };
}

function deliverTask(m: Machine, d: Delivery, selector: number): void {
  const ext = d.software ? 0 : 1;
  const tss = availableTss(m, selector, GP, ext);
  switchTask(m, { tss, cause: "event", rip: d.rip, ext, errorCode: d.errorCode, extraFlags: d.extraFlags });
}

/** What the interrupted program had, pushed on the handler's stack. */
interface Interrupted {
  readonly ss: number;
  readonly espLow: number;
  readonly espHigh: number;
  readonly cs: number;
  readonly flags: number;
}

function interrupted(m: Machine, extraFlags: number): Interrupted {
  const sp = gpr(4) >> 2;
  return {
    ss: selectorOf(m, SS),
    espLow: m.i32[sp],
    espHigh: m.i32[sp + 1],
    cs: selectorOf(m, CS),
    flags: getFlags(m) | extraFlags,
  };
}

function enterCode(m: Machine, gate: Gate, code: D.Descriptor, level: number, flags: number): void {
  D.markAccessed(m, code);
  putQuietly(m, CS, gate.selector & 0xfffc | level, code);
  setRip(m, gate.offset);
  // Interrupt gates, of even type, clear IF.
  setFlags(m, flags & ~(TF | NT | RF | VM | (gate.type & 1 ? 0 : IF)));
  m.modeChanged();
}

function deliver32(m: Machine, d: Delivery, gate: Gate, code: D.Descriptor, level: number, ext: number): void {
  const size: StackSize = gate.type & 8 ? 4 : 2;
  const was = interrupted(m, d.extraFlags), v86 = (was.flags & VM) !== 0, change = level !== cpl(m);
  let error = ext;
  if (change) {
    const stack = innerStack(m, level, ext);
    // The handler's level must be in force before its stack is: in virtual-8086 mode the level is always 3.
    if (v86) setFlags(m, was.flags & ~VM);
    loadInnerStack(m, stack.selector, level, ext);
    put32(m, gpr(4), stack.pointer);
    error = stack.selector & 0xfffc | ext;
  }
  const items = 3 + (change ? 2 : 0) + (v86 ? 4 : 0) + (d.errorCode >= 0 ? 1 : 0);
  reserve(m, items * size, error);
  if (gate.offset > code.limit) m.fault(GP, ext);
  let n = 0;
  const item = (value: number): void => {
    FRAME[n++] = value;
    FRAME[n++] = 0;
  };
  if (v86) { for (const data of [GS, FS, DS, ES]) item(selectorOf(m, data)); }
  if (change) {
    item(was.ss);
    item(was.espLow);
  }
  item(was.flags);
  item(was.cs);
  item(d.rip);
  if (d.errorCode >= 0) item(d.errorCode);
  pushFrame(m, size, items, error);
  if (v86) { for (const n of [GS, FS, DS, ES]) putNull(m, n, 0); }
  enterCode(m, gate, code, level, was.flags);
}

function deliver64(m: Machine, d: Delivery, gate: Gate, code: D.Descriptor, level: number, ext: number): void {
  const was = interrupted(m, d.extraFlags), change = level !== cpl(m);
  let sp = was.espHigh * 0x1_0000_0000 + (was.espLow >>> 0);
  if (gate.ist) sp = stackFromTss64(m, gate.ist * 8 + 28, ext);
  else if (change) sp = stackFromTss64(m, level * 8 + 4, ext);
  if (!isCanonical(sp)) m.fault(SS_FAULT, ext);
  if (!isCanonical(gate.offset)) m.fault(GP, ext);
  if (change) putNull(m, SS, level);
  enterCode(m, gate, code, level, was.flags);
  put64(m, gpr(4), sp - (sp % 16 + 16) % 16);
  FRAME[0] = was.ss;
  FRAME[2] = was.espLow;
  FRAME[3] = was.espHigh;
  FRAME[4] = was.flags;
  FRAME[6] = was.cs;
  FRAME[8] = d.rip;
  FRAME[9] = Math.floor(d.rip / 0x1_0000_0000);
  FRAME[10] = d.errorCode;
  FRAME[1] =
    FRAME[5] =
    FRAME[7] =
    FRAME[11] =
      0;
  pushFrame(m, 8, d.errorCode >= 0 ? 6 : 5, ext);
}
