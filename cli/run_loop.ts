/**
 * Running a guest on a board until one of them ends.
 * @module
 */

import { setImmediate } from "node:timers";
import type { Pc } from "../devices/pc.ts";
import type { HostEnd } from "../devices/host_end.ts";
import {
  KVM_EXIT_DEBUG,
  KVM_EXIT_HLT,
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_MMIO,
  KVM_EXIT_SHUTDOWN,
  type RunOptions,
  type Vcpu,
  type VcpuExit,
} from "../mod.ts";

/** What the kernel answers to a hypercall that it does not know: -KVM_ENOSYS. */
const NO_SUCH_HYPERCALL = BigInt.asUintN(64, -1000n);

/** How long the guest may run before the event loop gets its turn and output is shown, in milliseconds. */
const SLICE_MS = 10;
/** The clock is looked at every so many exits. */
const EXITS_BETWEEN_LOOKS = 32;
const FIRST_SLICE = 50_000;
const SMALLEST_SLICE = 1_000;
const LARGEST_SLICE = 20_000_000;

/** Who stands between the loop and the processor: a debugger or tracer. */
export interface RunControl {
  /** In place of `Vcpu.run`. */
  run(options: RunOptions): VcpuExit;
  /** While the guest must not run: a promise for its going on. */
  paused(): Promise<void> | undefined;
  /** Whether the guest is to end. */
  readonly killed: boolean;
  /** Told that the guest cannot go on; the loop ends when that is settled. */
  failed(kind: "crash" | "stuck"): Promise<void>;
}

/** What a guest runs on. */
export interface RunSetup {
  /** The processor. */
  readonly vcpu: Vcpu;
  /** The board. */
  readonly pc: Pc;
  /** The host's end of COM1. */
  readonly serial: HostEnd;
  /** Milliseconds until the end; none: no limit. */
  readonly timeoutMs?: number;
  /**
   * Makes the processor leave its run after so many milliseconds: for an engine that cannot count instructions. Without it,
   * such an engine lets the time limit wait for an exit.
   */
  readonly alarm?: (milliseconds: number) => void;
  /** Who stands between the loop and the processor. */
  readonly control?: RunControl;
  /** Told of each exit once it was served. */
  readonly trace?: (exit: VcpuExit) => void;
}

/** Why a run ended. */
export type RunEnd =
  | { readonly kind: "ended"; readonly code: number }
  | { readonly kind: "halted" | "timeout" }
  | { readonly kind: "shutdown" | "stuck"; readonly exit: VcpuExit };

/** What happened during a run. */
export interface RunRecord {
  /** Why it ended. */
  readonly end: RunEnd;
  /** How many exits of each kind there were, by number; turns of the event loop are not counted. */
  readonly exits: readonly number[];
  /** Milliseconds that it took. */
  readonly milliseconds: number;
}

/**
 * Runs a guest.
 * @param setup What it runs on.
 * @throws KvmError The engine refuses to run.
 * @throws Error The serial output cannot be written.
 */
export async function runLoop(setup: RunSetup): Promise<RunRecord> {
  const { vcpu, pc, serial, alarm, control, trace } = setup;
  const exits = new Array<number>(KVM_EXIT_INTR + 1).fill(0);
  const start = performance.now();
  let deadline = start + (setup.timeoutMs ?? Infinity);
  const limit = { maxInstructions: FIRST_SLICE };
  let sliceStart = start, served = 0;
  const finish = (end: RunEnd): RunRecord => {
    serial.flush();
    return { end, exits, milliseconds: performance.now() - start };
  };
  alarm?.(SLICE_MS);
  for (;;) {
    const paused = control?.paused();
    if (paused !== undefined) {
      serial.flush();
      const since = performance.now();
      await paused;
      sliceStart = performance.now();
      deadline += sliceStart - since; // time in the debugger does not count
      alarm?.(SLICE_MS);
      continue;
    }
    if (control?.killed) return finish({ kind: "ended", code: 0 });
    const exit = control === undefined ? vcpu.run(limit) : control.run(limit);
    if (control !== undefined && exit.reason === KVM_EXIT_DEBUG) continue;
    const end = serve(exit, pc);
    if (exit.reason !== KVM_EXIT_INTR) {
      exits[exit.reason]++;
      trace?.(exit);
    }
    if (end !== undefined) {
      if (end.kind === "shutdown" || end.kind === "stuck") {
        serial.flush();
        await control?.failed(end.kind === "shutdown" ? "crash" : "stuck");
      }
      return finish(end);
    }
    if (exit.reason !== KVM_EXIT_INTR && ++served % EXITS_BETWEEN_LOOKS !== 0) continue;
    const now = performance.now();
    if (now >= deadline) return finish({ kind: "timeout" });
    const took = now - sliceStart;
    if (exit.reason === KVM_EXIT_INTR) limit.maxInstructions = nextSlice(limit.maxInstructions, took);
    const rang = exit.reason === KVM_EXIT_INTR && alarm !== undefined;
    if (took < SLICE_MS / 2 && !rang) continue;
    serial.flush();
    await new Promise<void>((resolve) => setImmediate(resolve));
    sliceStart = performance.now();
    alarm?.(Math.min(SLICE_MS, Math.max(1, deadline - sliceStart)));
  }
}

/** Aims at slices of {@linkcode SLICE_MS}, at most doubling from one to the next: the next instructions may be slower. */
function nextSlice(instructions: number, took: number): number {
  const factor = Math.min(2, Math.max(0.25, SLICE_MS / Math.max(took, 0.01)));
  return Math.min(LARGEST_SLICE, Math.max(SMALLEST_SLICE, Math.round(instructions * factor)));
}

/** Does what an exit asks for; says so if the guest cannot go on. */
function serve(exit: VcpuExit, pc: Pc): RunEnd | undefined {
  switch (exit.reason) {
    case KVM_EXIT_IO: {
      const { port, size, count, data, direction } = exit;
      for (let item = 0; item < count; item++) {
        const piece = count === 1 ? data : data.subarray(item * size, item * size + size);
        if (direction === KVM_EXIT_IO_OUT) pc.ports.write(port, piece);
        else pc.ports.read(port, piece);
      }
      return pc.exitCode === undefined ? undefined : { kind: "ended", code: pc.exitCode };
    }
    case KVM_EXIT_MMIO:
      if (exit.is_write) pc.mmio.write(exit.address, exit.data);
      else pc.mmio.read(exit.address, exit.data);
      return undefined;
    case KVM_EXIT_HYPERCALL:
      exit.ret = NO_SUCH_HYPERCALL;
      return undefined;
    case KVM_EXIT_HLT:
      return { kind: "halted" }; // no device of the board raises interrupts, so nothing can wake the processor
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
      return undefined;
    case KVM_EXIT_SHUTDOWN:
      return { kind: "shutdown", exit };
    default:
      return { kind: "stuck", exit };
  }
}
