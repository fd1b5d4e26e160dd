/**
 * Delivery of interrupts and exceptions in every mode, and what happens when delivery itself faults.
 * Source: SDM volume 3, chapter 7; volume 2, INT n.
 * @module
 */
import { AC, IF, IOPL, RF, TF, VIF, VM } from "../flags.ts";
import { GuestFault, type Machine } from "../machine.ts";
import { CR0, CR2, CR4, CS, GPR, IDTR, RFLAGS, STATE_SIZE, TR } from "../state.ts";
import { attributesOf, baseOf, CP, DB, DE, DF, get64, getRip, GP, limitOf, linearAt, nextRip, PF } from "./access.ts";
import { selectorOf, setRip, TS } from "./access.ts";
import { CR0_PE, CR4_VME } from "./control.ts";
import { enterDebugHandler, recordDebug } from "./debug_registers.ts";
import { deliverGate } from "./gates.ts";
import { isV86 } from "./mode.ts";
import { getFlags, setFlags } from "./rflags.ts";
import { putReal, putV86 } from "./segments.ts";
import { push } from "./stack.ts";
import { CommittedFault } from "./tasks.ts";

/** What is delivered: an external interrupt, INT n, INT3 or INTO, an exception, INT1, or an NMI. */
export type EventKind = "external" | "software" | "exception" | "int1" | "nmi";

/**
 * Delivers an event: all state changes, or a {@linkcode GuestFault} and the caller undoes what was changed. A fault of a
 * task that a task gate has switched to is delivered in that task.
 * @param errorCode Error code to push, −1 for none.
 * @param next RIP to save instead of RIP, or instead of the next instruction for software interrupts and INT1.
 */
export function deliver(m: Machine, vector: number, kind: EventKind, errorCode: number, next?: number): void {
  afterSwitch(m, () => deliverOnce(m, vector, kind, errorCode, next));
}

/** Runs what may switch tasks: a fault of the new task is raised there. */
export function afterSwitch(m: Machine, action: () => void): void {
  try {
    action();
  } catch (e) {
    if (!(e instanceof CommittedFault)) throw e;
    raise(m, e.vector, e.errorCode);
  }
}

function deliverOnce(m: Machine, vector: number, kind: EventKind, errorCode: number, next?: number): void {
  m.delivering?.(vector, kind, errorCode);
  const software = kind === "software";
  const rip = next ?? (software || kind === "int1" ? nextRip(m) : getRip(m));
  if (!(m.i32[CR0 >> 2] & CR0_PE)) deliverReal(m, vector, rip);
  else {
    const extraFlags = kind === "exception" && vector !== DB ? RF : 0;
    deliverGate(m, { vector, software, errorCode, rip, extraFlags });
  }
  if (vector === DB) enterDebugHandler(m);
}

/** Delivery through the interrupt vector table of real mode; no error code is pushed. */
function deliverReal(m: Machine, vector: number, rip: number): void {
  if (vector * 4 + 3 > m.u32[(IDTR + 8) >> 2]) m.fault(GP, 0);
  const linear = linearAt(m, get64(m, IDTR), vector * 4), flags = getFlags(m);
  push(m, 2, flags);
  push(m, 2, selectorOf(m, CS));
  push(m, 2, rip);
  setRip(m, m.read(linear, 2, false));
  putReal(m, CS, m.read(linear + 2, 2, false));
  setFlags(m, flags & ~(IF | TF | AC | RF));
}

/** How exceptions combine. Source: SDM volume 3, table 7-5. */
function isContributory(vector: number): boolean {
  return vector === DE || (vector >= TS && vector <= GP) || vector === CP;
}

/** A copy of the state for the delivery that runs, which is never interrupted by another of this or another machine. */
const saved = new Uint8Array(STATE_SIZE);
const CR2_WORD = CR2 >> 2;

/** Puts back the state of before; CR2 stays, as page faults set it for good. */
function rollBack(m: Machine): void {
  const { i32 } = m, low = i32[CR2_WORD], high = i32[CR2_WORD + 1];
  m.u8.set(saved.subarray(GPR, STATE_SIZE), GPR);
  i32[CR2_WORD] = low;
  i32[CR2_WORD + 1] = high;
  m.modeChanged();
}

/**
 * Delivers an exception. A fault on the way is combined with it: delivered in its place, as #DF, or the processor shuts
 * down.
 * @param errorCode Error code, −1 for none; of #DB the DR6 bits to set, or −1.
 */
export function raise(m: Machine, vector: number, errorCode: number): void {
  for (;;) {
    if (vector === DB && errorCode >= 0) {
      recordDebug(m, errorCode);
      errorCode = -1;
    }
    saved.set(m.u8.subarray(GPR, STATE_SIZE), GPR);
    let fault: GuestFault;
    try {
      return deliverOnce(m, vector, "exception", errorCode);
    } catch (e) {
      if (!(e instanceof CommittedFault)) rollBack(m);
      if (!(e instanceof GuestFault)) throw e;
      fault = e;
    }
    if (vector === DF) m.shutdown();
    const double = isContributory(fault.vector) && (isContributory(vector) || vector === PF) ||
      fault.vector === PF && vector === PF;
    vector = double ? DF : fault.vector;
    errorCode = double ? 0 : fault.errorCode;
  }
}

/** INT n: in virtual-8086 mode by IOPL and, with VME, the redirection bitmap. Source: SDM volume 3, table 22-2. */
export function softwareInterrupt(m: Machine, vector: number): void {
  if (!isV86(m)) return deliver(m, vector, "software", -1);
  const trusted = (m.i32[RFLAGS >> 2] & IOPL) === IOPL;
  if (m.i32[CR4 >> 2] & CR4_VME && !redirected(m, vector)) return deliverV86(m, vector, trusted);
  if (!trusted) m.fault(GP, 0);
  deliver(m, vector, "software", -1);
}

/** Whether the redirection bitmap sends an interrupt to the protected-mode handler: its bit is set. */
function redirected(m: Machine, vector: number): boolean {
  const limit = limitOf(m, TR), base = baseOf(m, TR);
  if (!(attributesOf(m, TR) & 8) || limit < 103) m.fault(GP, 0);
  const at = m.read(linearAt(m, base, 102), 2, false) - 32 + (vector >> 3);
  if (at < 0 || at > limit) m.fault(GP, 0);
  return (m.read(linearAt(m, base, at), 1, false) >> (vector & 7) & 1) !== 0;
}

/** An interrupt that virtual-8086 mode handles itself, through its own vector table at address 0. */
function deliverV86(m: Machine, vector: number, trusted: boolean): void {
  const flags = getFlags(m), rip = nextRip(m);
  let image = flags;
  if (!trusted) image = image & ~IF | IOPL | (flags & VIF ? IF : 0);
  push(m, 2, image);
  push(m, 2, selectorOf(m, CS));
  push(m, 2, rip);
  setRip(m, m.read(vector * 4, 2, true));
  putV86(m, CS, m.read(vector * 4 + 2, 2, true));
  setFlags(m, flags & ~(TF | RF | (trusted ? IF : VIF)) | VM);
}
