/**
 * Exits of today's kernel that version 12 does not have. They become KVM_EXIT_UNKNOWN with the kernel's number in
 * `hw.hardware_exit_reason`; what the kernel says about it follows in the union, 8 bytes later than the kernel put it.
 * @module
 */

import { KVM_EXIT_UNKNOWN } from "../abi/constants.ts";
import { LAYOUTS } from "../abi/layout.ts";
import { KVM_EXIT_INTERNAL_ERROR } from "./requests.ts";

const EXIT_REASON = LAYOUTS.kvm_run.fields.exit_reason.offset;
const UNION = LAYOUTS.kvm_run.fields.padding.offset;
const UNION_SIZE = LAYOUTS.kvm_run.fields.padding.size;
/** Where the kernel's words are after {@linkcode makeUnknown}. */
const DETAIL = UNION + 8;

/** `kvm_run.internal.suberror`. */
const SUBERRORS: readonly string[] = [
  "an internal error of the kernel",
  "the kernel cannot emulate an instruction",
  "two exceptions came together that cannot",
  "the processor left the guest while an event was delivered",
  "the processor left the guest for a reason that the kernel does not know",
];
const SUBERROR_EMULATION = 1;
/** Bit of `emulation_failure.flags`: the bytes of the instruction are given. */
const FLAG_INSTRUCTION_BYTES = 1;

/** Turns the exit of a kernel's `kvm_run` into KVM_EXIT_UNKNOWN. */
export function makeUnknown(run: Uint8Array): void {
  const view = new DataView(run.buffer, run.byteOffset, run.byteLength);
  const reason = view.getUint32(EXIT_REASON, true);
  run.copyWithin(DETAIL, UNION, UNION + UNION_SIZE - 8);
  view.setBigUint64(UNION, BigInt(reason), true);
  view.setUint32(EXIT_REASON, KVM_EXIT_UNKNOWN, true);
}

/**
 * What the real device's KVM_EXIT_UNKNOWN is about.
 * @param run `struct kvm_run` after the exit (what `mmap` of the vCPU gives).
 * @returns One line, such as `the kernel cannot emulate an instruction (0f ae 00)`.
 */
export function describeUnknownExit(run: Uint8Array): string {
  const view = new DataView(run.buffer, run.byteOffset, run.byteLength);
  const reason = view.getBigUint64(UNION, true);
  if (reason !== BigInt(KVM_EXIT_INTERNAL_ERROR)) return `the kernel gives exit ${reason}`;
  const suberror = view.getUint32(DETAIL, true);
  const count = Math.min(view.getUint32(DETAIL + 4, true), 16);
  const text = SUBERRORS[suberror] ?? `${SUBERRORS[0]}, number ${suberror}`;
  if (suberror === SUBERROR_EMULATION && count >= 3 && view.getUint8(DETAIL + 8) & FLAG_INSTRUCTION_BYTES) {
    const size = Math.min(view.getUint8(DETAIL + 16), 15);
    const bytes = [...run.subarray(DETAIL + 17, DETAIL + 17 + size)].map((byte) => byte.toString(16).padStart(2, "0"));
    return `${text} (${bytes.join(" ")})`;
  }
  const data = Array.from({ length: count }, (_, n) => view.getBigUint64(DETAIL + 8 + 8 * n, true).toString(16));
  return data.length === 0 ? text : `${text} (${data.join(" ")})`;
}
