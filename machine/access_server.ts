/**
 * Port and memory-mapped accesses that the board answers in the middle of a run: those to plain devices, and to nothing. All
 * others, and those at which a timer becomes due, are exits. What the guest sees is the same, to the instruction.
 * @module
 */

import type { Pc } from "../devices/pc.ts";
import { type AccessServer, KVM_EXIT_IO, KVM_EXIT_MMIO } from "../mod.ts";
import type { Processors } from "./processors.ts";
import type { RealTime, VirtualTime } from "./time.ts";

/** The host's clock is looked at every so many accesses. */
const ACCESSES_BETWEEN_LOOKS = 512;

/** What the answers depend on. */
export interface AccessServerOptions {
  /** The processors; the current one makes the access. */
  readonly processors: Processors;
  /** The board. */
  readonly pc: Pc;
  /** The board's time. */
  readonly time: RealTime | VirtualTime;
  /** How many exits of each kind there were; accesses are counted as the exits that they would have been. */
  readonly exits: number[];
}

/** Answers for a board. */
export class BoardServer implements AccessServer {
  /** Whether the run was told that an interrupt waits. */
  window = false;
  /** The timer that the run is bounded by, in real time; Infinity: none. */
  plannedNext = Infinity;
  /** When the run is to end, by the host's clock in milliseconds. */
  sliceEnd = Infinity;
  readonly #options: AccessServerOptions;
  #accesses = 0;

  /**
   * Makes the answers.
   * @param options What they depend on.
   */
  constructor(options: AccessServerOptions) {
    this.#options = options;
  }

  /** IN. */
  in(port: number, size: number): number {
    const { ports } = this.#options.pc;
    if (!ports.isPlain(port, size) || !this.#begin(KVM_EXIT_IO)) return -1;
    const value = ports.in(port, size);
    this.#end();
    return value;
  }

  /** OUT. */
  out(port: number, size: number, value: number): boolean {
    const { ports } = this.#options.pc;
    if (!ports.isPlain(port, size) || !this.#begin(KVM_EXIT_IO)) return false;
    ports.out(port, size, value);
    this.#end();
    return true;
  }

  /** A read of no memory. */
  read(address: number, size: number): number {
    const { mmio } = this.#options.pc;
    if (!mmio.isPlain(address, size) || !this.#begin(KVM_EXIT_MMIO)) return -1;
    const value = mmio.in(address, size);
    this.#end();
    return value;
  }

  /** A write to no memory. */
  write(address: number, size: number, value: number): boolean {
    const { mmio } = this.#options.pc;
    if (!mmio.isPlain(address, size) || !this.#begin(KVM_EXIT_MMIO)) return false;
    mmio.out(address, size, value);
    this.#end();
    return true;
  }

  /** Time goes by; not if that calls a device, which may do anything. */
  #begin(kind: number): boolean {
    const { processors, time, exits } = this.#options;
    if (time.kind === "virtual" && !time.accessQuietly(processors.current.vcpu.instructions!)) return false;
    exits[kind]++;
    return true;
  }

  /** The run ends where an exit would have changed its course. */
  #end(): void {
    const { processors, pc, time } = this.#options;
    const { vcpu, interrupts } = processors.current;
    const late = ++this.#accesses % ACCESSES_BETWEEN_LOOKS === 0 && performance.now() >= this.sliceEnd;
    const { next } = time;
    if (late || interrupts.pending !== this.window || processors.disturbed || pc.exitCode !== undefined) vcpu.endBy(0);
    else if (time.kind === "real") {
      if (next !== undefined && next < this.plannedNext) vcpu.endBy(0);
    } else if (next !== undefined) vcpu.endBy(vcpu.instructions! + next - time.clock.now());
  }
}
