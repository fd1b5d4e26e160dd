/**
 * What a difference between two executors is told as.
 * @module
 */
import { KvmError } from "../kvm/kvm_error.ts";
import type { LockstepDifference } from "./lockstep_state.ts";

/** An instruction on the way to the difference. */
export interface LockstepStep {
  /** Its address, as RIP has it. */
  readonly rip: bigint;
  /** The instruction, disassembled. */
  readonly text: string;
  /** Whether, of the instructions shown, it is the last that changed on the primary something of what differs. */
  readonly suspect: boolean;
}

/** A difference, found. */
export interface LockstepFinding {
  /** The number of the processor. */
  readonly vcpu: number;
  /** Instructions, counted from the processor's creation, up to which both are alike; this is where it stands now. */
  readonly agreed: number;
  /** Instructions after which they differ. */
  readonly differed: number;
  /** The values. */
  readonly differences: readonly LockstepDifference[];
  /** The instructions between the two, the last ones if there are many. */
  readonly steps: readonly LockstepStep[];
  /** What else must be known: why it could not be found out more exactly. */
  readonly note?: string;
}

/**
 * Thrown by `Vcpu.run` with the engine `"both"` when the interpreter and the translator do not come to the same. The error
 * number is EIO. The processor and its memory are back where both agreed for the last time; RUN would lead to the same
 * difference again.
 *
 * @example
 * ```ts
 * import { LockstepError, openKvm } from "@kvm12/kvm12";
 *
 * // With the engine "both", Vcpu.run throws it where interpreter and translator differ; they do not here.
 * using kvm = openKvm({ backend: "soft", engine: "both" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
 * vm.write(0xfffffff0, Uint8Array.of(0xf4)); // hlt
 * using vcpu = vm.createVcpu(0);
 * try {
 *   vcpu.run();
 * } catch (error) {
 *   if (!(error instanceof LockstepError)) throw error;
 *   console.error(error.report);
 * }
 * ```
 */
export class LockstepError extends KvmError {
  /** What was found. */
  readonly finding: LockstepFinding;
  /** The same for people, several lines, the last one without its end. */
  readonly report: string;

  /**
   * Makes the error.
   * @param finding What was found.
   */
  constructor(finding: LockstepFinding) {
    const { vcpu, agreed, differed } = finding;
    const action = `run vCPU ${vcpu} on both executors`;
    super("EIO", action, `they agree after ${agreed} instructions and differ after ${differed}`);
    this.finding = finding;
    this.report = reportOf(finding);
  }
}

function reportOf({ agreed, differences, steps, note }: LockstepFinding): string {
  const name = Math.max(...differences.map((d) => d.name.length), 0);
  const value = Math.max(...differences.map((d) => d.primary.length), "interpreter".length);
  const row = (a: string, b: string, c: string) => `  ${a.padEnd(name)}  ${b.padStart(value)}  ${c.padStart(value)}`;
  const first = steps.length === 0 ? [] : [`instruction by instruction, from number ${agreed + 1} on:`];
  return [
    ...note === undefined ? [] : [note],
    row("", "interpreter", "translator"),
    ...differences.map((d) => row(d.name, d.primary, d.secondary)),
    ...first,
    ...steps.map(({ rip, text, suspect }) => `  ${suspect ? "->" : "  "} 0x${rip.toString(16)}  ${text}`),
    ...steps.some((s) => s.suspect)
      ? ["-> is the last that changes, on the interpreter, something of what differs"]
      : [],
  ].join("\n");
}
