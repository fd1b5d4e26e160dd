/**
 * Far JMP and CALL: to code segments, through call and task gates, to tasks, in every mode.
 * Source: SDM volume 2, JMP and CALL, operation sections.
 * @module
 */
import type { Machine } from "../machine.ts";
import { CR0, CS, SS } from "../state.ts";
import { GP, gpr, isCanonical, limitOf, nextRip, NP, put32, put64, selectorOf, setRip } from "./access.ts";
import { SS as SS_FAULT } from "./access.ts";
import { CR0_PE } from "./control.ts";
import * as D from "./descriptors.ts";
import { innerStack, loadInnerStack, stackFromTss64 } from "./inner_stack.ts";
import { cpl, isLong, isV86 } from "./mode.ts";
import { putNull, putReal, putSegment, putV86 } from "./segments.ts";
import { peek, push, pushNumber, reserve, type StackSize } from "./stack.ts";
import { availableTss, switchTask } from "./tasks.ts";

/**
 * Far JMP, or far CALL, to `selector:offset`.
 * @param size Operand size in bytes.
 */
export function farTransfer(m: Machine, call: boolean, selector: number, offset: number, size: StackSize): void {
  if (!(m.i32[CR0 >> 2] & CR0_PE) || isV86(m)) return transferReal(m, call, selector, offset, size);
  if ((selector & 0xfffc) === 0) m.fault(GP, 0);
  const d = D.readDescriptor(m, selector), error = selector & 0xfffc, level = cpl(m);
  if (d.attr & D.CODE_DATA) return transferCode(m, call, selector, d, offset, size);
  const type = D.systemType(d.attr), long = isLong(m), dpl = D.dplOf(d.attr);
  const gate = type === D.CALL32 || (!long && (type === D.CALL16 || type === D.TASK_GATE));
  const task = !long && (type === D.TSS16 || type === D.TSS32);
  if ((!gate && !task) || dpl < level || dpl < (selector & 3)) m.fault(GP, error);
  if (!(d.attr & D.PRESENT)) m.fault(NP, error);
  const cause = call ? "call" : "jump";
  if (type === D.TASK_GATE) {
    const tss = availableTss(m, d.low >>> 16, GP);
    return switchTask(m, { tss, cause, rip: nextRip(m) });
  }
  if (task) return switchTask(m, { tss: availableTss(m, selector, GP), cause, rip: nextRip(m) });
  transferGate(m, call, d);
}

function transferReal(m: Machine, call: boolean, selector: number, offset: number, size: StackSize): void {
  if (call) {
    reserve(m, size * 2, 0);
    if (offset > limitOf(m, CS)) m.fault(GP, 0);
    push(m, size, selectorOf(m, CS));
    push(m, size, nextRip(m));
  } else if (offset > limitOf(m, CS)) m.fault(GP, 0);
  setRip(m, offset);
  if (isV86(m)) putV86(m, CS, selector);
  else putReal(m, CS, selector);
}

/** Checks a target offset. */
function checkTarget(m: Machine, code: D.Descriptor, offset: number): void {
  if (isLong(m) && code.attr & D.LONG ? !isCanonical(offset) : offset > code.limit) m.fault(GP, 0);
}

function enter(m: Machine, selector: number, code: D.Descriptor, offset: number): void {
  D.markAccessed(m, code);
  putSegment(m, CS, selector & 0xfffc | cpl(m), code.base, code.limit, code.attr);
  setRip(m, offset);
}

function transferCode(
  m: Machine,
  call: boolean,
  selector: number,
  code: D.Descriptor,
  offset: number,
  size: StackSize,
): void {
  const level = cpl(m), dpl = D.dplOf(code.attr), error = selector & 0xfffc;
  if (!D.isCode(code.attr)) m.fault(GP, error);
  if (isLong(m) && (code.attr & (D.LONG | D.BIG)) === (D.LONG | D.BIG)) m.fault(GP, error);
  if (D.isConforming(code.attr) ? dpl > level : (selector & 3) > level || dpl !== level) m.fault(GP, error);
  if (!(code.attr & D.PRESENT)) m.fault(NP, error);
  if (call) {
    reserve(m, size * 2, 0);
    checkTarget(m, code, offset);
    push(m, size, selectorOf(m, CS));
    pushNumber(m, size, nextRip(m));
  } else checkTarget(m, code, offset);
  enter(m, selector, code, offset);
}

/** Through a call gate. */
function transferGate(m: Machine, call: boolean, gate: D.Descriptor): void {
  const long = isLong(m), level = cpl(m), selector = gate.low >>> 16, error = selector & 0xfffc;
  const size: StackSize = long ? 8 : D.systemType(gate.attr) === D.CALL32 ? 4 : 2;
  let offset = gate.low & 0xffff;
  if (size > 2) offset = (offset | gate.high & 0xffff_0000) >>> 0;
  if (long) {
    if (m.read(gate.address + 12, 4, false) & 0x1f00) m.fault(GP, gate.selector & 0xfffc);
    offset += (m.read(gate.address + 8, 4, false) | 0) * 0x1_0000_0000;
  }
  if (error === 0) m.fault(GP, 0);
  const code = D.readDescriptor(m, selector), dpl = D.dplOf(code.attr), conforming = D.isConforming(code.attr);
  if (!D.isCode(code.attr) || (conforming || call ? dpl > level : dpl !== level)) m.fault(GP, error);
  if (long && (code.attr & (D.LONG | D.BIG)) !== D.LONG) m.fault(GP, error);
  if (!(code.attr & D.PRESENT)) m.fault(NP, error);
  const from = selectorOf(m, CS), next = nextRip(m);
  if (!call) {
    checkTarget(m, code, offset);
    return enter(m, selector, code, offset);
  }
  if (!conforming && dpl < level) {
    if (long) switchStack64(m, dpl, code, offset);
    else switchStack(m, dpl, size, gate.high & 31, code, offset);
    enter(m, selector, code, offset);
    if (long) pushOuter64(m);
  } else {
    // In long mode the gate pushes as 64-bit code does, even if it was called from compatibility mode.
    if (!long) reserve(m, size * 2, 0);
    checkTarget(m, code, offset);
    enter(m, selector, code, offset);
  }
  push(m, size, from);
  pushNumber(m, size, next);
}

/** The stack of the caller through a 64-bit call gate, pushed when the new code segment is in force. */
const outer = { ss: 0, low: 0, high: 0 };

function switchStack64(m: Machine, level: number, code: D.Descriptor, offset: number): void {
  const sp = stackFromTss64(m, level * 8 + 4, 0), rsp = gpr(4) >> 2;
  outer.ss = selectorOf(m, SS);
  outer.low = m.i32[rsp];
  outer.high = m.i32[rsp + 1];
  if (!isCanonical(sp)) m.fault(SS_FAULT, 0);
  checkTarget(m, code, offset);
  putNull(m, SS, level);
  put64(m, gpr(4), sp);
}

function pushOuter64(m: Machine): void {
  push(m, 8, outer.ss);
  push(m, 8, outer.low, outer.high);
}

/** Switches to the stack of an inner level and copies the arguments. */
function switchStack(
  m: Machine,
  level: number,
  size: StackSize,
  count: number,
  code: D.Descriptor,
  offset: number,
): void {
  const stack = innerStack(m, level, 0), ss = selectorOf(m, SS), esp = m.u32[gpr(4) >> 2];
  const values: number[] = [];
  for (let n = 0; n < count; n++) values.push(peek(m, n * size, size));
  loadInnerStack(m, stack.selector, level, 0);
  put32(m, gpr(4), stack.pointer);
  const error = stack.selector & 0xfffc;
  reserve(m, (count + 4) * size, error);
  checkTarget(m, code, offset);
  push(m, size, ss, 0, error);
  push(m, size, esp, 0, error);
  for (let n = count - 1; n >= 0; n--) push(m, size, values[n], 0, error);
}
