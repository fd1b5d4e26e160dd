/**
 * An IN, INS or read of an address without memory that the host program has yet to answer.
 *
 * KVM_SET_REGS makes the emulator of today's kernel forget where the answer goes, and it sets RIP as it would have been
 * otherwise. So registers that are set at such an exit are kept here until KVM_RUN has completed the access with the old
 * ones, and what the completion changed is then merged into them.
 * @module
 */

import { KVM_EXIT_IO, KVM_EXIT_IO_IN, KVM_EXIT_MMIO } from "../abi/constants.ts";
import { LAYOUTS } from "../abi/layout.ts";

const REASON = LAYOUTS.kvm_run.fields.exit_reason.offset;
/** The data of the exit. */
const UNION = LAYOUTS.kvm_run.fields.hw.offset;
const IO = LAYOUTS["kvm_run.io"].fields;
const IS_WRITE = LAYOUTS["kvm_run.mmio"].fields.is_write.offset;

const { rax: RAX, rdi: RDI, rip: RIP, rflags: RFLAGS } = LAYOUTS.kvm_regs.fields;
const { size: SIZE } = LAYOUTS.kvm_regs;

/** The answer of an access, as `kvm_run` has it before the access is completed. */
export interface Answer {
  /** Bytes that IN, which changes RAX alone, puts there; null for what is no port input of one item. */
  readonly data: Uint8Array | null;
}

/**
 * Whether the last exit waits for an answer.
 * @param shared `kvm_run` and what follows it.
 */
export function awaitsAnswer(shared: Uint8Array): boolean {
  switch (shared[REASON]) {
    case KVM_EXIT_IO:
      return shared[UNION + IO.direction.offset] === KVM_EXIT_IO_IN;
    case KVM_EXIT_MMIO:
      return shared[UNION + IS_WRITE] === 0;
    default:
      return false;
  }
}

/**
 * The answer that the host program has given.
 * @param shared `kvm_run` and what follows it, at an exit that {@linkcode awaitsAnswer}.
 */
export function answerOf(shared: Uint8Array): Answer {
  const view = new DataView(shared.buffer, shared.byteOffset, shared.byteLength);
  if (shared[REASON] !== KVM_EXIT_IO || view.getUint32(UNION + IO.count.offset, true) !== 1) return { data: null };
  const at = view.getUint32(UNION + IO.data_offset.offset, true);
  return { data: shared.slice(at, at + shared[UNION + IO.size.offset]) };
}

/**
 * Lets a completed access change registers that were set meanwhile. Of an access other than IN it is not known which
 * registers it wrote, so only what it changed counts: a read of what its register held already leaves that as it was set.
 * @param set `kvm_regs` as set meanwhile; changed in place.
 * @param before `kvm_regs` with which the access was completed.
 * @param after `kvm_regs` afterwards.
 * @param answer What the access was answered.
 */
export function mergeCompleted(set: Uint8Array, before: Uint8Array, after: Uint8Array, { data }: Answer): void {
  for (let at = 0; at < SIZE; at += 8) {
    if (at === RFLAGS.offset) mergeFlags(set, before, after);
    else mergeRegister(set, before, after, at);
  }
  if (data !== null && same(before, after, RDI.offset, 8) && !same(before, after, RIP.offset, 8)) {
    set.set(data, RAX.offset);
    if (data.length === 4) set.fill(0, RAX.offset + 4, RAX.offset + 8);
  }
}

/** Flags count one by one. */
function mergeFlags(set: Uint8Array, before: Uint8Array, after: Uint8Array): void {
  for (let n = RFLAGS.offset; n < RFLAGS.offset + 8; n++) {
    const changed = before[n] ^ after[n];
    set[n] = set[n] & ~changed | after[n] & changed;
  }
}

/** A register of which more than the lower 16 bits changed was written as a whole. */
function mergeRegister(set: Uint8Array, before: Uint8Array, after: Uint8Array, at: number): void {
  const whole = !same(before, after, at + 2, 6);
  for (let n = at; n < at + 8; n++) if (whole || before[n] !== after[n]) set[n] = after[n];
}

function same(a: Uint8Array, b: Uint8Array, at: number, length: number): boolean {
  for (let n = at; n < at + length; n++) if (a[n] !== b[n]) return false;
  return true;
}
