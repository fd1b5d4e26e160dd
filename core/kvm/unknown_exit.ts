/**
 * KVM_EXIT_UNKNOWN in words.
 * @module
 */

import { LAYOUTS } from "../abi/layout.ts";
import { UNKNOWN_FETCH } from "../engine/cpu.ts";
import { describeUnknownExit as describeKernelExit } from "../native/exit_detail.ts";

const REASON = LAYOUTS.kvm_run.fields.padding.offset;

/** The numbers of the software engine; those of the kernel are far below. */
const SOFT: ReadonlyMap<bigint, string> = new Map([
  [BigInt(UNKNOWN_FETCH), "an instruction was fetched where there is no memory"],
]);

/**
 * What KVM_EXIT_UNKNOWN is about, on either engine.
 * @param run `struct kvm_run` after the exit: `Vcpu.shared`. Of the real device it holds more than the number.
 * @returns Some words for a message, such as `the kernel cannot emulate an instruction (0f ae 00)`.
 * @throws RangeError when the bytes are fewer than the structure has.
 *
 * @example
 * ```ts
 * import { describeUnknownExit, KVM_EXIT_UNKNOWN, type Vcpu } from "@kvm12/kvm12";
 *
 * export function step(vcpu: Vcpu): void {
 *   const exit = vcpu.run();
 *   if (exit.reason === KVM_EXIT_UNKNOWN) throw new Error(`Cannot go on: ${describeUnknownExit(vcpu.shared)}`);
 * }
 * ```
 */
export function describeUnknownExit(run: Uint8Array): string {
  const { size } = LAYOUTS.kvm_run;
  if (run.length < size) {
    throw new RangeError(`Cannot describe an exit: kvm_run has ${size} bytes, there are ${run.length}`);
  }
  const reason = new DataView(run.buffer, run.byteOffset, run.byteLength).getBigUint64(REASON, true);
  return SOFT.get(reason) ?? describeKernelExit(run);
}
