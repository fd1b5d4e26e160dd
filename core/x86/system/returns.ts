/**
 * Far RET and IRET in every mode. Source: SDM volume 2, RET and IRET, operation sections.
 * @module
 */
import { AC, CF, DF, ID, IF, IOPL, NT, RF, STATUS_FLAGS, TF, VIF, VIP, VM } from "../flags.ts";
import type { Machine } from "../machine.ts";
import { CR0, CR4, CS, DS, ES, FS, GS, RFLAGS, SS } from "../state.ts";
import { GP, gpr, isCanonical, limitOf, nextRip, NP, put32, setRip, SS as SS_FAULT } from "./access.ts";
import { CR0_PE, CR4_VME } from "./control.ts";
import * as D from "./descriptors.ts";
import { cpl, is64, isLong, isV86 } from "./mode.ts";
import { getFlags, setFlags } from "./rflags.ts";
import { dropInnerSegments, putNull, putQuietly, putReal, putV86 } from "./segments.ts";
import { framePlace, peek, peekNumber, release, setStackPointer, stackPointer, type StackSize } from "./stack.ts";
import { returnFromTask } from "./tasks.ts";

/** Flags that IRET and POPF load from 16 bits, whatever the privilege. */
const PLAIN = STATUS_FLAGS | CF | TF | DF | NT;

/** Far RET with `size`-byte items, releasing `extra` bytes of arguments. */
export function returnFar(m: Machine, size: StackSize, extra: number): void {
  const rip = peekNumber(m, 0, size), selector = peek(m, size, size) & 0xffff;
  if (!(m.i32[CR0 >> 2] & CR0_PE) || isV86(m)) {
    if (rip > limitOf(m, CS)) m.fault(GP, 0);
    release(m, size * 2 + extra);
    return jumpReal(m, selector, rip);
  }
  const code = checkReturn(m, selector), level = selector & 3;
  if (level === cpl(m)) {
    checkRip(m, code, rip);
    release(m, size * 2 + extra);
    enterReturn(m, selector, code, rip);
    return m.modeChanged();
  }
  const at = size * 2 + extra;
  const low = peek(m, at, size), high = size === 8 ? peek(m, at + 4, 4) : 0;
  const stack = peek(m, at + size, size) & 0xffff;
  returnOuter(m, selector, code, rip, stack, low, high);
  release(m, extra);
}

function jumpReal(m: Machine, selector: number, rip: number): void {
  setRip(m, rip);
  if (isV86(m)) putV86(m, CS, selector);
  else putReal(m, CS, selector);
}

/** Checks the code segment of a return. */
function checkReturn(m: Machine, selector: number): D.Descriptor {
  const error = selector & 0xfffc, rpl = selector & 3;
  if (error === 0) m.fault(GP, 0);
  const d = D.readDescriptor(m, selector), dpl = D.dplOf(d.attr);
  if (!D.isCode(d.attr) || rpl < cpl(m) || (D.isConforming(d.attr) ? dpl > rpl : dpl !== rpl)) m.fault(GP, error);
  if (isLong(m) && (d.attr & (D.LONG | D.BIG)) === (D.LONG | D.BIG)) m.fault(GP, error);
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  return d;
}

function goes64(m: Machine, code: D.Descriptor): boolean {
  return isLong(m) && (code.attr & D.LONG) !== 0;
}

function checkRip(m: Machine, code: D.Descriptor, rip: number): void {
  if (goes64(m, code) ? !isCanonical(rip) : (isLong(m) ? rip % 0x1_0000_0000 >>> 0 : rip) > code.limit) m.fault(GP, 0);
}

/** Enters the code; the caller tells the engine that the mode has changed. */
function enterReturn(m: Machine, selector: number, code: D.Descriptor, rip: number): void {
  D.markAccessed(m, code);
  putQuietly(m, CS, selector, code);
  if (is64(m)) setRip(m, rip);
  else setRip(m, rip % 0x1_0000_0000 >>> 0);
}

/** Checks and loads what a return to an outer level, or any IRET of 64-bit mode, loads. */
function returnOuter(
  m: Machine,
  selector: number,
  code: D.Descriptor,
  rip: number,
  stack: number,
  low: number,
  high: number,
): void {
  const level = selector & 3, error = stack & 0xfffc;
  let d: D.Descriptor | null = null;
  if (error === 0) {
    if (!goes64(m, code) || level === 3 || (stack & 3) !== level) m.fault(GP, 0);
  } else {
    d = D.readDescriptor(m, stack);
    if ((stack & 3) !== level || !D.isWritable(d.attr) || D.dplOf(d.attr) !== level) m.fault(GP, error);
    if (!(d.attr & D.PRESENT)) m.fault(SS_FAULT, error);
  }
  checkRip(m, code, rip);
  enterReturn(m, selector, code, rip);
  if (d) {
    D.markAccessed(m, d);
    putQuietly(m, SS, stack, d);
  } else putNull(m, SS, stack);
  if (is64(m)) {
    m.i32[gpr(4) >> 2] = low;
    m.i32[(gpr(4) >> 2) + 1] = high;
  } else setStackPointer(m, low);
  m.modeChanged();
  dropInnerSegments(m);
}

/** IRET with `size`-byte items. */
export function interruptReturn(m: Machine, size: StackSize): void {
  if (!(m.i32[CR0 >> 2] & CR0_PE)) return returnReal(m, size);
  if (isV86(m)) return returnInV86(m, size);
  if (m.i32[RFLAGS >> 2] & NT) {
    if (isLong(m)) m.fault(GP, 0);
    return returnFromTask(m, nextRip(m));
  }
  const at = size === 2 ? -1 : framePlace(m, stackPointer(m), size * 5, false), step = size >> 2, { words } = m;
  const rip = at < 0
    ? peekNumber(m, 0, size)
    : size === 4
    ? words[at]
    : (words[at + 1] | 0) * 0x1_0000_0000 + words[at];
  const selector = (at < 0 ? peek(m, size, size) : words[at + step]) & 0xffff;
  const image = at < 0 ? peek(m, size * 2, size) : words[at + 2 * step], level = cpl(m);
  if (size === 4 && image & VM && level === 0 && !isLong(m)) return returnToV86(m, rip, selector, image);
  const code = checkReturn(m, selector), flags = mergeFlags(m, size, image, level);
  if ((selector & 3) === level && !is64(m)) {
    checkRip(m, code, rip);
    release(m, size * 3);
    enterReturn(m, selector, code, rip);
    m.modeChanged();
  } else {
    const low = at < 0 ? peek(m, size * 3, size) : words[at + 3 * step];
    const high = size !== 8 ? 0 : at < 0 ? peek(m, size * 3 + 4, 4) : words[at + 7];
    const stack = (at < 0 ? peek(m, size * 4, size) : words[at + 4 * step]) & 0xffff;
    returnOuter(m, selector, code, rip, stack, low, high);
  }
  setFlags(m, flags);
}

/** The flags that IRET makes of an image, by operand size and privilege. */
function mergeFlags(m: Machine, size: StackSize, image: number, level: number): number {
  const old = getFlags(m);
  let mask = PLAIN;
  if (size !== 2) mask |= RF | AC | ID;
  if (level <= (old >> 12 & 3)) mask |= IF;
  if (level === 0) mask |= IOPL | (size !== 2 ? VIF | VIP : 0);
  return old & ~mask | image & mask;
}

function returnReal(m: Machine, size: StackSize): void {
  const rip = peekNumber(m, 0, size), selector = peek(m, size, size) & 0xffff, image = peek(m, size * 2, size);
  if (rip > limitOf(m, CS)) m.fault(GP, 0);
  const mask = PLAIN | IF | IOPL | (size === 2 ? 0 : RF | AC | ID);
  release(m, size * 3);
  jumpReal(m, selector, rip);
  setFlags(m, getFlags(m) & ~mask | image & mask);
}

function returnInV86(m: Machine, size: StackSize): void {
  const old = getFlags(m), trusted = (old & IOPL) === IOPL;
  if (!trusted && (size !== 2 || !(m.i32[CR4 >> 2] & CR4_VME))) m.fault(GP, 0);
  const rip = peekNumber(m, 0, size), selector = peek(m, size, size) & 0xffff, image = peek(m, size * 2, size);
  if (rip > limitOf(m, CS)) m.fault(GP, 0);
  let flags: number;
  if (trusted) {
    const mask = PLAIN | IF | (size === 2 ? 0 : RF | AC | ID);
    flags = old & ~mask | image & mask;
  } else {
    if (image & TF || (image & IF && old & VIP)) m.fault(GP, 0);
    flags = old & ~(PLAIN | VIF) | image & PLAIN | (image & IF ? VIF : 0);
  }
  release(m, size * 3);
  jumpReal(m, selector, rip);
  setFlags(m, flags);
}

/** IRETD at CPL 0 with VM in the image: nine doublewords. */
function returnToV86(m: Machine, rip: number, selector: number, image: number): void {
  const word = (n: number) => peek(m, n * 4, 4);
  const esp = word(3), ss = word(4), es = word(5), ds = word(6), fs = word(7), gs = word(8);
  if (rip > 0xffff) m.fault(GP, 0);
  setFlags(m, image);
  setRip(m, rip);
  put32(m, gpr(4), esp);
  const selectors = new Map([[CS, selector], [SS, ss], [ES, es], [DS, ds], [FS, fs], [GS, gs]]);
  for (const [n, value] of selectors) putV86(m, n, value & 0xffff);
}

/** POPF: the image is popped already. Source: SDM volume 2, POPF, table of flags by mode. */
export function popFlags(m: Machine, image: number, size: StackSize): void {
  const old = getFlags(m), level = cpl(m), iopl = old >> 12 & 3;
  let mask = PLAIN;
  if (size !== 2) mask |= AC | ID;
  if (isV86(m)) {
    if (iopl < 3) {
      if (size !== 2 || !(m.i32[CR4 >> 2] & CR4_VME) || image & TF || (image & IF && old & VIP)) m.fault(GP, 0);
      return setFlags(m, old & ~(PLAIN | VIF | RF) | image & PLAIN | (image & IF ? VIF : 0));
    }
    mask |= IF;
  } else {
    if (level <= iopl) mask |= IF;
    if (level === 0) mask |= IOPL;
  }
  setFlags(m, old & ~(mask | RF) | image & mask);
}

/** The image that PUSHF pushes. */
export function pushedFlags(m: Machine, size: StackSize): number {
  const flags = getFlags(m) & ~(VM | RF);
  if (!isV86(m) || (flags & IOPL) === IOPL) return flags;
  if (size !== 2 || !(m.i32[CR4 >> 2] & CR4_VME)) m.fault(GP, 0);
  return flags & ~IF | IOPL | (flags & VIF ? IF : 0);
}
