/**
 * Running a machine under a debugger: it stands between the program's run loop and the processors, stops and steps them,
 * and is what the gdb server talks to. A tracer can look on.
 *
 * The loop calls {@linkcode Debugger.run} in place of `Vcpu.run`, and before that waits for {@linkcode Debugger.paused}.
 * @module
 */

import {
  KVM_EXIT_DEBUG,
  KVM_EXIT_HLT,
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_INTR,
  KvmError,
  KvmRegs,
  KvmSregs,
  type RunOptions,
  type Vcpu,
  type VcpuEventKind,
  type VcpuExit,
  type Vm,
} from "../../mod.ts";
import { CpuState, linearRip } from "./cpu_state.ts";
import type { GdbTarget, ResumeAction, StopPointKind, StopReason } from "./gdb_target.ts";
import { GuestMemory } from "./guest_memory.ts";
import { monitor } from "./monitor.ts";
import { type GdbArchitecture, readRegister, REGISTERS, writeRegister } from "./registers.ts";
import { StopPoints } from "./stop_points.ts";

/** After so many steps within one run, the caller gets its turn. */
const STEPS_AT_ONCE = 1000;

/** Who looks on while a machine runs. */
export interface StepTracer {
  /** Whether {@linkcode instruction} is to be called; the machine then runs instruction by instruction. */
  readonly instructions: boolean;
  /** Whether {@linkcode event} is to be called. */
  readonly events: boolean;
  /** Called before an instruction is executed; its registers can be read. An interrupt may still come before it. */
  instruction(thread: number): void;
  /** Called when the processor has left, behind that instruction or in the middle of it; `halted`: it is in HLT. */
  left(thread: number, halted: boolean): void;
  /** Called before an interrupt or exception is delivered (software engine only). */
  event(thread: number, kind: VcpuEventKind, vector: number, errorCode: number): void;
}

/** What a {@linkcode Debugger} is made from. */
export interface DebuggerOptions {
  /** The machine. */
  readonly vm: Vm;
  /** Its processors. */
  readonly vcpus: readonly Vcpu[];
  /** Which description gdb gets; x86-64. */
  readonly architecture?: GdbArchitecture;
  /** Whether the machine is stopped at the beginning. */
  readonly stopped?: boolean;
  /** Who looks on. */
  readonly tracer?: StepTracer;
}

/** One processor under the debugger. */
interface Thread {
  readonly vcpu: Vcpu;
  action: ResumeAction;
  /** What it is armed with now; -1 for nothing. */
  armed: number;
  /** The tracer has seen the instruction that is to come to its end. */
  seen: boolean;
  /** A step came to its end with another exit than KVM_EXIT_DEBUG, which the caller had to serve first. */
  done: boolean;
  /** RIP behind an HLT that a step has executed, while KVM_EXIT_HLT is still to come. */
  haltedAt: bigint | null;
  /** The access that met a watchpoint during the run. */
  touched: StopReason | null;
  /** How often it left for each reason. */
  readonly exits: number[];
}

const INTERRUPTED: VcpuExit = { reason: KVM_EXIT_INTR };
const STOPPED: VcpuExit = { reason: KVM_EXIT_DEBUG };
const HALTED: VcpuExit = { reason: KVM_EXIT_HLT };
const HLT = 0xf4;

/** A machine under a debugger. */
export class Debugger implements GdbTarget {
  /** The machine. */
  readonly vm: Vm;
  /** Its memory. */
  readonly memory: GuestMemory;
  architecture: GdbArchitecture;
  physicalMemory: boolean = false;
  /** Told when the machine stops: the gdb server. */
  onStop: ((reason: StopReason, thread: number) => void) | null = null;

  readonly #threads: readonly Thread[];
  readonly #points: StopPoints;
  readonly #tracer: StepTracer | undefined;
  readonly #regs: KvmRegs = new KvmRegs();
  readonly #sregs: KvmSregs = new KvmSregs();
  #resumed: PromiseWithResolvers<void> | null = null;
  #killed = false;

  /** Puts the processors under the debugger. */
  constructor({ vm, vcpus, architecture, stopped, tracer }: DebuggerOptions) {
    this.vm = vm;
    this.memory = new GuestMemory(vm);
    this.architecture = architecture ?? "i386:x86-64";
    this.#tracer = tracer;
    this.#threads = vcpus.map((vcpu) => ({
      vcpu,
      action: { kind: "continue" },
      armed: -1,
      seen: false,
      done: false,
      haltedAt: null,
      touched: null,
      exits: new Array<number>(KVM_EXIT_INTR + 1).fill(0),
    }));
    this.#points = new StopPoints(vcpus.every((vcpu) => vcpu.observe !== undefined));
    if (stopped) this.#resumed = Promise.withResolvers();
  }

  // What the run loop uses.

  /** While the machine is stopped: a promise for its going on. The machine must not be run before. */
  paused(): Promise<void> | undefined {
    return this.#resumed?.promise;
  }

  /** Whether the debugger has ended the machine. */
  get killed(): boolean {
    return this.#killed;
  }

  /**
   * `Vcpu.run` under the debugger. When the machine has been stopped, {@linkcode paused} says so afterwards.
   * @param options How far to go.
   * @param index Which processor.
   * @returns Its exit; KVM_EXIT_INTR where the debugger keeps it from running or lets the caller have its turn.
   * @throws KvmError What `Vcpu.run` throws.
   */
  run(options: RunOptions = {}, index: number = 0): VcpuExit {
    const thread = this.#threads[index];
    const { vcpu } = thread;
    for (let steps = 0; steps < STEPS_AT_ONCE; steps++) {
      if (this.#resumed !== null || thread.action.kind === "stay") return INTERRUPTED;
      const single = this.#arm(thread, index);
      if (this.#endsBy(thread, single, index)) return STOPPED;
      const before = single ? vcpu.getRegs(this.#regs).rip : 0n;
      const { haltedAt } = thread;
      thread.haltedAt = null;
      if (haltedAt !== null && haltedAt === vcpu.getRegs(this.#regs).rip) {
        thread.exits[KVM_EXIT_HLT]++;
        return HALTED;
      }
      const isHalt = single && vcpu.alarm !== undefined && this.#isHalt(vcpu);
      if (this.#tracer?.instructions && !thread.seen) {
        thread.seen = true;
        this.#tracer.instruction(index);
      }
      thread.touched = null;
      // On the software engine, delivering an interrupt or exception counts as an instruction: a step of its own.
      const exit = vcpu.run(single ? { maxInstructions: 1 } : options);
      const { reason } = exit;
      this.#tracer?.left(index, reason === KVM_EXIT_HLT);
      if (reason !== KVM_EXIT_INTR && reason !== KVM_EXIT_DEBUG) thread.exits[reason]++;
      const stepped = reason === KVM_EXIT_DEBUG || single && reason === KVM_EXIT_INTR && vcpu.alarm === undefined;
      if (stepped || reason === KVM_EXIT_HLT || reason === KVM_EXIT_HYPERCALL) thread.seen = false;
      if (!stepped) {
        // The real device may have left the instruction behind already; then another run would execute the next one.
        thread.done = single && vcpu.getRegs(this.#regs).rip !== before;
        if (thread.done) thread.seen = false;
        return exit;
      }
      // A kernel that emulates may forget HLT over a step.
      if (isHalt && vcpu.getRegs(this.#regs).rip === before + 1n) thread.haltedAt = before + 1n;
      thread.done = true;
      if (this.#endsBy(thread, single, index)) return exit;
    }
    return INTERRUPTED;
  }

  /** Whether the next instruction is HLT. */
  #isHalt(vcpu: Vcpu): boolean {
    const linear = linearRip(vcpu.getRegs(this.#regs), vcpu.getSregs(this.#sregs));
    return this.memory.read(vcpu, linear, 1)[0] === HLT;
  }

  /** Stops the machine if what was done asks for it. */
  #endsBy(thread: Thread, single: boolean, index: number): boolean {
    if (!thread.done) return false;
    thread.done = false;
    const stop = this.#stopOf(thread, single);
    if (stop !== null) this.#halt(stop, index);
    return stop !== null;
  }

  /**
   * Stops the machine for good: it crashed, or the engine cannot go on. The debugger can look at it until it resumes.
   * @param index Which processor.
   * @returns When the program may end; at once without a debugger.
   */
  async failed(kind: "crash" | "stuck", index: number = 0): Promise<void> {
    if (this.onStop === null) return;
    this.#halt({ kind }, index);
    await this.paused();
  }

  /** How often a processor left for each reason, by number. */
  exitsOf(index: number): readonly number[] {
    return this.#threads[index].exits;
  }

  /** A processor. */
  vcpu(index: number): Vcpu {
    return this.#threads[index].vcpu;
  }

  /** Arms a processor for what it is to do; returns whether that is a single instruction. */
  #arm(thread: Thread, index: number): boolean {
    const { kind } = thread.action;
    const tracer = this.#tracer;
    const single = kind !== "continue" || (tracer?.instructions ?? false);
    const wanted = this.#points.version * 2 + (single ? 1 : 0);
    if (wanted === thread.armed) return single;
    thread.armed = wanted;
    this.#points.arm(thread.vcpu, single, {
      touched: (address, length, write) => thread.touched ??= this.#points.watchpointAt(address, length, write),
      event: tracer?.events ? (event, vector, code) => tracer.event(index, event, vector, code) : undefined,
    });
    return single;
  }

  /** Why the machine is to stop after KVM_EXIT_DEBUG or a step; null: it goes on. */
  #stopOf(thread: Thread, single: boolean): StopReason | null {
    if (thread.touched !== null) return thread.touched;
    const { vcpu, action } = thread;
    const regs = vcpu.getRegs(this.#regs);
    const at = this.#points.breakpointAt(linearRip(regs, vcpu.getSregs(this.#sregs)));
    if (at !== null) return { kind: at };
    switch (action.kind) {
      case "step":
        return { kind: "step" };
      case "range":
        return regs.rip >= action.start && regs.rip < action.end ? null : { kind: "step" };
      default:
        // Only a tracer's step, or a breakpoint that is gone meanwhile, leads here.
        return single ? null : { kind: "interrupt" };
    }
  }

  #halt(reason: StopReason, thread: number): void {
    this.#resumed ??= Promise.withResolvers();
    this.onStop?.(reason, thread);
  }

  // What the gdb server uses.

  get threadCount(): number {
    return this.#threads.length;
  }

  get isStopped(): boolean {
    return this.#resumed !== null;
  }

  describe(thread: number): string {
    const state = new CpuState(this.vcpu(thread));
    return `vCPU ${this.vcpu(thread).id} [${state.mode}]`;
  }

  readRegisters(thread: number): Uint8Array {
    const state = new CpuState(this.vcpu(thread));
    return Uint8Array.from(REGISTERS[this.architecture].flatMap((row) => [...readRegister(row, state)]));
  }

  writeRegisters(thread: number, bytes: Uint8Array): boolean {
    const state = new CpuState(this.vcpu(thread));
    let at = 0;
    for (const row of REGISTERS[this.architecture]) {
      const size = row.bits / 8;
      if (at + size > bytes.length || !writeRegister(row, state, bytes.subarray(at, at + size))) return false;
      at += size;
    }
    return this.#put(thread, state);
  }

  readRegister(thread: number, number: number): Uint8Array | null {
    const row = REGISTERS[this.architecture][number];
    return row === undefined ? null : readRegister(row, new CpuState(this.vcpu(thread)));
  }

  writeRegister(thread: number, number: number, bytes: Uint8Array): boolean {
    const row = REGISTERS[this.architecture][number];
    const state = new CpuState(this.vcpu(thread));
    return row !== undefined && writeRegister(row, state, bytes) && this.#put(thread, state);
  }

  /** Writes registers back; false if the engine refuses them. */
  #put(index: number, state: CpuState): boolean {
    try {
      state.write();
      this.#threads[index].seen = false;
      return true;
    } catch (error) {
      if (error instanceof KvmError) return false;
      throw error;
    }
  }

  readMemory(thread: number, address: bigint, length: number): Uint8Array {
    return this.memory.read(this.physicalMemory ? null : this.vcpu(thread), address, length);
  }

  writeMemory(thread: number, address: bigint, bytes: Uint8Array): boolean {
    return this.memory.write(this.physicalMemory ? null : this.vcpu(thread), address, bytes);
  }

  insert(kind: StopPointKind, address: bigint, length: number): "done" | "unsupported" | "full" {
    return this.#points.insert(kind, address, length);
  }

  remove(kind: StopPointKind, address: bigint, length: number): "done" | "unsupported" {
    return this.#points.remove(kind, address, length);
  }

  resume(actions: readonly ResumeAction[]): void {
    this.#threads.forEach((thread, index) => {
      thread.action = actions[index];
      thread.done = false;
    });
    const resumed = this.#resumed;
    this.#resumed = null;
    resumed?.resolve();
  }

  interrupt(): void {
    if (this.#resumed === null) this.#halt({ kind: "interrupt" }, 0);
  }

  monitor(command: string): string {
    return monitor(this, command);
  }

  detach(): void {
    this.#points.clear();
    this.onStop = null;
    this.resume(this.#threads.map(() => ({ kind: "continue" })));
  }

  kill(): void {
    this.#killed = true;
    this.detach();
  }
}
