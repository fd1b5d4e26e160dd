/**
 * One line for each exit of a guest.
 * @module
 */

import {
  KVM_EXIT_EXCEPTION,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_IO,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_MMIO,
  KVM_EXIT_NAMES,
  KVM_EXIT_UNKNOWN,
  type VcpuExit,
} from "../mod.ts";
import { hex, hexBytes, quoted } from "./format.ts";

/** The names of the exits, by number. */
export { KVM_EXIT_NAMES as EXIT_NAMES } from "../mod.ts";

const MOST_BYTES = 32;

/**
 * The line for an exit, once it was served, so that what the guest is going to read can be seen too.
 * @param exit The exit.
 * @param rip RIP at the exit.
 * @returns The line without its end.
 */
export function traceLine(exit: VcpuExit, rip: bigint): string {
  const details = describe(exit);
  return `KVM_RUN = ${KVM_EXIT_NAMES[exit.reason]}${details === "" ? "" : ` {${details}}`} rip=${hex(rip)}`;
}

function describe(exit: VcpuExit): string {
  switch (exit.reason) {
    case KVM_EXIT_IO: {
      const direction = exit.direction === KVM_EXIT_IO_OUT ? "out" : "in";
      return `${direction}, port=${hex(exit.port)}, size=${exit.size}, count=${exit.count}, data=${data(exit.data)}`;
    }
    case KVM_EXIT_MMIO:
      return `${exit.is_write ? "write" : "read"}, addr=${hex(exit.address)}, len=${exit.len}, data=${data(exit.data)}`;
    case KVM_EXIT_HYPERCALL:
      return `args=[${[...exit.args].map(hex).join(", ")}], longmode=${exit.longmode ? 1 : 0}`;
    case KVM_EXIT_UNKNOWN:
      return `hardware_exit_reason=${hex(exit.hardware_exit_reason)}`;
    case KVM_EXIT_FAIL_ENTRY:
      return `hardware_entry_failure_reason=${hex(exit.hardware_entry_failure_reason)}`;
    case KVM_EXIT_EXCEPTION:
      return `exception=${exit.exception}, error_code=${hex(exit.error_code)}`;
    default:
      return "";
  }
}

function data(bytes: Uint8Array): string {
  const shown = bytes.subarray(0, MOST_BYTES);
  return `${hexBytes(shown)} ${quoted(shown)}${bytes.length > MOST_BYTES ? "..." : ""}`;
}
