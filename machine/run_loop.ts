/**
 * Running a guest on a board until one of them ends: the processors' exits are served, the board's interrupts injected, time goes
 * by, and a machine whose processors all halt sleeps. Several processors take turns (`processors.ts`).
 *
 * The guest runs in slices of about ten milliseconds, between which the event loop gets its turn, and never past the next timer
 * of the board: on the software engine by a number of instructions (exact with virtual time, and by the guest's speed so far
 * with real time), on an engine that cannot count them by its alarm.
 * @module
 */

import { setImmediate } from "node:timers";
import type { HostEnd } from "../devices/host_end.ts";
import type { Pc } from "../devices/pc.ts";
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
  type VcpuExit,
} from "../mod.ts";
import { BoardServer } from "./access_server.ts";
import type { Processor, Processors } from "./processors.ts";
import type { RealTime, VirtualTime } from "./time.ts";

/** What the kernel answers to a hypercall that it does not know: -KVM_ENOSYS. */
const NO_SUCH_HYPERCALL = BigInt.asUintN(64, -1000n);

/** How long the guest may run before the event loop gets its turn and output is shown, in milliseconds. */
const SLICE_MS = 10;
/** A slice that would go on for less than this is over. */
const SLICE_REST_MS = 2.5;
/** The longest turn of one of several processors with real time, in milliseconds. */
const TURN_MS = 2;
/** The host's clock is looked at every so many exits. */
const EXITS_BETWEEN_LOOKS = 32;
/** A run is not bounded to less than this by a timer, in milliseconds. */
const SHORTEST_RUN_MS = 0.05;
/** Instructions a millisecond that are assumed at first, and the bounds of a run. */
const FIRST_RATE = 5_000, LEAST_RUN = 200, LONGEST_RUN = 20_000_000;
/** A measured time below this says nothing about the guest's speed, in milliseconds. */
const MEASURABLE_MS = 0.02;
/** A sleep shorter than this is exact and keeps the event loop waiting, in milliseconds. */
const EXACT_SLEEP_MS = 2;
/** Under a debugger a sleep ends after so many milliseconds, for the debugger cannot wake anybody. */
const DEBUGGER_SLEEP_MS = 20;
/** The longest time that the host's timers take, in milliseconds. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;
/** An idle guest with virtual time looks at the host's clock every so many timers. */
const SKIPS_BETWEEN_LOOKS = 64;

/** How often the event loop goes round in its turn while there is a network. */
const ONLINE_ROUNDS = 3;

/** Where `kvm_run` has these fields; they are read and written there in each turn. */
const REQUEST_INTERRUPT_WINDOW = 0, READY_FOR_INTERRUPT_INJECTION = 12, IF_FLAG = 13, CR8 = 16, APIC_BASE = 24;

/** Who stands between the loop and the processor: a debugger or tracer. */
export interface RunControl {
  /** In place of `Vcpu.run` of the processor with this number. */
  run(options: RunOptions, processor: number): VcpuExit;
  /** While the guest must not run: a promise for its going on. */
  paused(): Promise<void> | undefined;
  /** Whether the guest is to end. */
  readonly killed: boolean;
  /** Told that the guest cannot go on; the loop ends when that is settled. */
  failed(kind: "crash" | "stuck", processor: number): Promise<void>;
}

/** What a guest runs on. */
export interface RunSetup {
  /** The processors. */
  readonly processors: Processors;
  /** The board. */
  readonly pc: Pc;
  /** The board's time; virtual time wants processors that count instructions. */
  readonly time: RealTime | VirtualTime;
  /** Whose output is shown in each turn of the event loop; the host's ends of the serial lines, as a rule. */
  readonly outputs: readonly Pick<HostEnd, "flush">[];
  /** Milliseconds until the end; none: no limit. */
  readonly timeoutMs?: number;
  /** Ends the run when it is aborted. */
  readonly signal?: AbortSignal;
  /** Who stands between the loop and the processor. */
  readonly control?: RunControl;
  /** Told of each exit once it was served, with the processor's number. */
  readonly trace?: (exit: VcpuExit, processor: number) => void;
  /** Does what INIT, startup messages and NMI have told a processor. */
  readonly settle: (processor: Processor) => void;
  /** Resets the machine when the guest or the board asks for it. Without it, such a wish ends the run. */
  readonly reset?: () => void;
  /** Whether a triple fault resets the machine too, rather than ending the run; no unless told. */
  readonly resetOnCrash?: boolean;
  /** Called in each turn of the event loop, after the board has been polled. */
  readonly onTurn?: () => void;
}

/** Why a run ended. */
export type RunEnd =
  | { readonly kind: "ended"; readonly code: number }
  | { readonly kind: "halted" | "timeout" | "reset" | "stopped" }
  | { readonly kind: "shutdown" | "stuck"; readonly exit: VcpuExit; readonly processor: number };

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
  return await new RunLoop(setup).run();
}

class RunLoop {
  readonly #setup: RunSetup;
  readonly #processors: Processors;
  /** Whether there are several of them. */
  readonly #several: boolean;
  readonly #pc: Pc;
  readonly #time: RealTime | VirtualTime;
  readonly #exits: number[] = new Array<number>(KVM_EXIT_INTR + 1).fill(0);
  readonly #limit: { maxInstructions: number } = { maxInstructions: LEAST_RUN };
  /** Whether instructions are counted. */
  readonly #counts: boolean;
  /** Answers what needs no exit. */
  readonly #server: BoardServer;
  readonly #alarm: ((milliseconds: number) => void) | undefined;
  #deadline: number;
  /** When the event loop is to get its turn. */
  #sliceEnd: number;
  /** Instructions a millisecond. */
  #rate = FIRST_RATE;
  /** What the speed is measured from. */
  #measuredAt: number;
  #measuredInstructions = 0;
  /** How many instructions may have been executed when the host's clock is to be looked at again. */
  #lookAt = 0;
  /** The timer that the present run is bounded by, and when the alarm rings. */
  #plannedNext = Infinity;
  #alarmAt = 0;
  #served = 0;
  #skips = 0;
  /** Whose turn it is. */
  #at: Processor;
  /** Whether a debugger has kept it from running. */
  #kept = false;
  #wake: () => void = () => {};

  constructor(setup: RunSetup) {
    const { processors, pc, time, timeoutMs = Infinity } = setup;
    const { vcpu } = this.#at = processors.current;
    this.#setup = setup;
    this.#processors = processors;
    this.#several = processors.several;
    this.#pc = pc;
    this.#time = time;
    this.#counts = vcpu.instructions !== undefined;
    this.#server = new BoardServer({ processors, pc, time, exits: this.#exits });
    this.#alarm = this.#counts ? undefined : vcpu.alarm;
    const now = performance.now();
    this.#deadline = now + timeoutMs;
    this.#sliceEnd = now + SLICE_MS;
    this.#measuredAt = now;
    this.#measuredInstructions = this.#instructions();
  }

  async run(): Promise<RunRecord> {
    const { signal, control, trace } = this.#setup;
    const { all } = this.#processors;
    const start = performance.now();
    // Who watches exits wants to see them all.
    if (control === undefined && trace === undefined) { for (const { vcpu } of all) vcpu.serve(this.#server); }
    const wake = (): void => this.#wake();
    signal?.addEventListener("abort", wake);
    this.#pc.onInput(wake);
    try {
      const end = await this.#untilEnd(start);
      this.#flush();
      return { end, exits: this.#exits, milliseconds: performance.now() - start };
    } finally {
      signal?.removeEventListener("abort", wake);
      this.#pc.onInput(() => {});
      for (const { vcpu } of all) vcpu.serve(null);
      this.#alarm?.(0);
    }
  }

  async #untilEnd(start: number): Promise<RunEnd> {
    const { control, signal, trace } = this.#setup;
    this.#plan(start);
    for (;;) {
      const paused = control?.paused();
      if (paused !== undefined) {
        await this.#pause(paused);
        continue;
      }
      if (control?.killed) return { kind: "ended", code: 0 };
      const wish = this.#boardsWish();
      if (wish !== undefined) return wish;
      if (!this.#at.runs && !this.#next()) {
        const end = await this.#idle();
        if (end !== undefined) return end;
        continue;
      }
      const exit = this.#enter();
      if (control !== undefined && exit.reason === KVM_EXIT_DEBUG) continue;
      const end = this.#serve(exit);
      const { reason } = exit;
      if (reason !== KVM_EXIT_INTR) {
        this.#exits[reason]++;
        trace?.(exit, this.#at.index);
      }
      if (end !== undefined) {
        if (end.kind === "shutdown" && this.#setup.resetOnCrash && this.#setup.reset !== undefined) {
          this.#pc.requestReset("machine");
          continue;
        }
        if (end.kind === "shutdown" || end.kind === "stuck") {
          this.#flush();
          await control?.failed(end.kind === "shutdown" ? "crash" : "stuck", end.processor);
        }
        return end;
      }
      if (this.#several) this.#takeTurns(reason);
      if (!this.#mustLook(reason)) continue;
      const now = performance.now();
      if (now >= this.#deadline) return { kind: "timeout" };
      if (signal?.aborted) return { kind: "stopped" };
      this.#measure(now);
      if (reason === KVM_EXIT_INTR) this.#alarmAt = 0;
      if (now >= this.#sliceEnd - SLICE_REST_MS) await this.#turn();
      else this.#plan(now);
    }
  }

  /** What the board wants of the processor; undefined: that it goes on. */
  #boardsWish(): RunEnd | undefined {
    const { exitCode, resetRequested } = this.#pc;
    if (exitCode !== undefined) return { kind: "ended", code: exitCode };
    if (resetRequested === undefined) return undefined;
    if (this.#setup.reset === undefined) return { kind: "reset" };
    this.#setup.reset();
    this.#at = this.#processors.current;
    return undefined;
  }

  /** Whether another processor than the present one, or this one after all, has its turn now. */
  #next(): boolean {
    if (!this.#several || !(this.#kept ? this.#processors.skip() : this.#processors.next())) return false;
    this.#kept = false;
    this.#at = this.#processors.current;
    return true;
  }

  /**
   * Another processor has its turn, if this one's is over. An access that an exit has left open comes to its end before: what it has
   * read must not be older than what others do.
   */
  #takeTurns(reason: VcpuExit["reason"]): void {
    if (reason === KVM_EXIT_IO || reason === KVM_EXIT_MMIO || reason === KVM_EXIT_HYPERCALL) return;
    if (this.#kept || this.#processors.over) this.#next();
  }

  /** Offers an interrupt that waits, and runs the processor. */
  #enter(): VcpuExit {
    const { control } = this.#setup;
    const at = this.#at;
    const { vcpu, shared, interrupts } = at;
    if (at.told) this.#setup.settle(at);
    let window = interrupts.pending;
    if (window && at.ready) {
      vcpu.interrupt(interrupts.acknowledge());
      window = interrupts.pending;
    }
    shared[REQUEST_INTERRUPT_WINDOW] = window ? 1 : 0;
    this.#server.window = window;
    if (interrupts.taskPriority !== undefined) shared[CR8] = interrupts.taskPriority;
    at.halted = false;
    const limit = this.#bound();
    const exit = control === undefined ? vcpu.run(limit) : this.#enterBy(control, limit);
    at.ready = shared[READY_FOR_INTERRUPT_INJECTION] !== 0;
    if (this.#time.kind === "virtual") this.#time.sync(vcpu.instructions ?? 0);
    if (interrupts.taskPriority !== undefined) interrupts.taskPriority = shared[CR8] & 0xf;
    if (shared[APIC_BASE + 1] !== at.apicSwitch) {
      at.apicSwitch = shared[APIC_BASE + 1];
      interrupts.apicBase?.(at.view.getUint32(APIC_BASE, true));
    }
    return exit;
  }

  #enterBy(control: RunControl, limit: RunOptions): VcpuExit {
    const before = this.#instructions();
    const exit = control.run(limit, this.#at.index);
    this.#kept = this.#instructions() === before;
    return exit;
  }

  /** How far the next run may go. */
  #bound(): RunOptions {
    let most = this.#lookAt - this.#instructions();
    if (this.#time.kind === "virtual" && this.#time.next !== undefined) {
      most = Math.min(most, this.#time.next - this.#time.clock.now());
    }
    if (this.#several) most = Math.min(most, this.#processors.bound());
    this.#limit.maxInstructions = Math.max(1, most);
    return this.#limit;
  }

  #instructions(): number {
    return this.#counts ? this.#processors.instructions : 0;
  }

  /** Whether it is time to look at the host's clock. */
  #mustLook(reason: number): boolean {
    if (reason === KVM_EXIT_INTR || !this.#counts) return true;
    if (++this.#served % EXITS_BETWEEN_LOOKS === 0) return true;
    return this.#time.kind === "real" && (this.#time.next ?? Infinity) < this.#plannedNext;
  }

  /** Finds out how fast the guest is. A measured speed counts at most twice what was assumed: the next may be slower. */
  #measure(now: number): void {
    if (!this.#counts) return;
    const took = now - this.#measuredAt;
    if (took < MEASURABLE_MS) return;
    const instructions = this.#instructions();
    const measured = (instructions - this.#measuredInstructions) / took;
    this.#rate = Math.min(this.#rate * 2, Math.max(this.#rate / 4, measured));
    this.#measuredAt = now;
    this.#measuredInstructions = instructions;
    if (this.#time.kind === "real") this.#processors.most = this.#rate * TURN_MS;
  }

  /** Calls the timers that are due, and decides how far the guest goes before the next look at the host's clock. */
  #plan(now: number): void {
    let left = this.#sliceEnd - now;
    if (this.#time.kind === "real") {
      this.#time.sync();
      const next = this.#plannedNext = this.#server.plannedNext = this.#time.next ?? Infinity;
      if (next !== Infinity) {
        left = Math.min(left, Math.max((next - this.#time.clock.now()) / 1e6, SHORTEST_RUN_MS));
      }
    }
    left = Math.max(left, SHORTEST_RUN_MS);
    this.#server.sliceEnd = this.#sliceEnd;
    if (this.#alarm !== undefined) this.#setAlarm(now, Math.min(left, Math.max(1, this.#deadline - now)));
    const run = Math.min(LONGEST_RUN, Math.max(LEAST_RUN, Math.round(this.#rate * left)));
    this.#lookAt = this.#instructions() + run;
  }

  /** An alarm that rings too early costs less than setting it anew. */
  #setAlarm(now: number, milliseconds: number): void {
    if (this.#alarmAt > now && this.#alarmAt <= now + milliseconds) return;
    this.#alarmAt = now + milliseconds;
    this.#alarm?.(milliseconds);
  }

  /** The event loop has its turn. */
  async #turn(): Promise<void> {
    this.#flush();
    // What the network reads comes in steps.
    for (let rounds = this.#pc.isOnline ? ONLINE_ROUNDS : 1; rounds > 0; rounds--) await nextRound();
    this.#begin();
  }

  /** The same for so many milliseconds, or until something has come. */
  async #turns(milliseconds: number): Promise<void> {
    const until = performance.now() + milliseconds;
    let woken = false;
    this.#wake = () => woken = true;
    do {
      await nextRound();
    } while (!woken && performance.now() < until);
    this.#wake = () => {};
    this.#begin();
  }

  /** A slice begins. */
  #begin(): void {
    const now = performance.now();
    this.#sliceEnd = now + SLICE_MS;
    this.#measuredAt = now;
    this.#measuredInstructions = this.#instructions();
    this.#pc.poll();
    this.#setup.onTurn?.();
    this.#plan(now);
  }

  /** Time in the debugger does not count. */
  async #pause(paused: Promise<void>): Promise<void> {
    this.#flush();
    const since = performance.now();
    this.#time.stop();
    await paused;
    this.#time.start();
    this.#deadline += performance.now() - since;
    this.#begin();
  }

  /** Waits for whatever may wake a halted processor, once; says so if nothing can. */
  async #idle(): Promise<RunEnd | undefined> {
    const { signal } = this.#setup;
    const time = this.#time;
    this.#pc.poll();
    if (this.#at.runs || this.#next()) return undefined;
    const { next } = time;
    if (this.#processors.deaf || (next === undefined && !this.#pc.awaitsInput)) return { kind: "halted" };
    const isOnline = this.#pc.isOnline;
    if (time.kind === "virtual" && next !== undefined && !isOnline) {
      time.skip();
      if (++this.#skips % SKIPS_BETWEEN_LOOKS !== 0) return undefined;
    }
    const now = performance.now();
    if (now >= this.#deadline) return { kind: "timeout" };
    if (signal?.aborted) return { kind: "stopped" };
    if (time.kind === "virtual" && next !== undefined && !isOnline) {
      if (now >= this.#sliceEnd) await this.#turn();
      return undefined;
    }
    await this.#sleep(now, next === undefined ? Infinity : (next - time.clock.now()) / 1e6);
    // While the network may bring something, virtual time goes by no faster than the host's.
    if (time.kind === "virtual" && !this.#at.runs && !this.#next()) time.skip();
    return undefined;
  }

  /** Sleeps for so many milliseconds, or until something comes from outside. */
  async #sleep(now: number, milliseconds: number): Promise<void> {
    const { control, onTurn } = this.#setup;
    const most = Math.min(this.#deadline - now, control === undefined ? LONGEST_SLEEP_MS : DEBUGGER_SLEEP_MS);
    const wait = Math.min(milliseconds, Math.max(0, most));
    if (wait < EXACT_SLEEP_MS && this.#pc.isOnline) {
      await this.#turns(wait);
      return;
    }
    if (wait < EXACT_SLEEP_MS && now + wait < this.#sliceEnd) {
      if (wait > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wait);
      this.#time.sync(this.#at.vcpu.instructions ?? 0);
      return;
    }
    this.#flush();
    onTurn?.();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, Math.floor(wait - EXACT_SLEEP_MS / 2)));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
    this.#begin();
  }

  #flush(): void {
    for (const output of this.#setup.outputs) output.flush();
  }

  /** Does what an exit asks for; says so if the guest cannot go on. */
  #serve(exit: VcpuExit): RunEnd | undefined {
    switch (exit.reason) {
      case KVM_EXIT_IO: {
        const { ports } = this.#pc;
        const { port, size, count } = exit;
        if (this.#time.kind === "virtual") this.#time.access(count);
        if (exit.direction === KVM_EXIT_IO_OUT) {
          for (let item = 0; item < count; item++) ports.out(port, size, exit.readUint(item));
        } else {
          for (let item = 0; item < count; item++) exit.writeUint(ports.in(port, size), item);
        }
        return undefined;
      }
      case KVM_EXIT_MMIO: {
        const { mmio } = this.#pc;
        const { address, len } = exit;
        if (this.#time.kind === "virtual") this.#time.access(1);
        if (len !== 1 && len !== 2 && len !== 4) {
          if (exit.is_write) mmio.write(address, exit.data);
          else mmio.read(address, exit.data);
        } else if (exit.is_write) {
          mmio.out(address, len, exit.readUint());
        } else {
          exit.writeUint(mmio.in(address, len));
        }
        return undefined;
      }
      case KVM_EXIT_HYPERCALL:
        exit.ret = NO_SUCH_HYPERCALL;
        return undefined;
      case KVM_EXIT_HLT:
        return this.#halt();
      case KVM_EXIT_INTR:
      case KVM_EXIT_IRQ_WINDOW_OPEN:
        return undefined;
      case KVM_EXIT_SHUTDOWN:
        return { kind: "shutdown", exit, processor: this.#at.index };
      default:
        return { kind: "stuck", exit, processor: this.#at.index };
    }
  }

  /** The processor is in HLT; with interrupts off for good, unless another one sends it INIT. */
  #halt(): RunEnd | undefined {
    const at = this.#at;
    at.halted = true;
    at.stopped = at.shared[IF_FLAG] === 0;
    return at.stopped && this.#processors.deaf ? { kind: "halted" } : undefined;
  }
}

/** Lets the event loop go round once. */
async function nextRound(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
