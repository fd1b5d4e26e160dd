/**
 * The one error that the KVM objects throw.
 * @module
 */

import { ERRNO, type ErrnoName, errnoName } from "../abi/errno.ts";

/**
 * A call that failed, as the kernel would have reported it. The call changed nothing.
 *
 * @example
 * ```ts
 * import { KvmError, openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * try {
 *   vm.createVcpu(1000);
 * } catch (error) {
 *   if (!(error instanceof KvmError)) throw error;
 *   console.log(error.code, error.errno); // EINVAL 22
 * }
 * ```
 */
export class KvmError extends Error {
  /** `"KvmError"`. */
  override readonly name: string = "KvmError";
  /** The error number, positive: 22 for EINVAL. */
  readonly errno: number;
  /** The name of the error number: `"EINVAL"`. */
  readonly code: string;

  /**
   * Makes the error with the text `Cannot <action>: <state>`.
   * @param error The error's name, or its positive number.
   * @param action What was attempted, such as `set memory region 3`.
   * @param state What stood in the way, such as `it overlaps region 1`.
   */
  constructor(error: ErrnoName | number, action: string, state: string) {
    super(`Cannot ${action}: ${state}`);
    this.errno = typeof error === "number" ? error : ERRNO[error];
    this.code = typeof error === "number" ? errnoName(error) : error;
  }
}
