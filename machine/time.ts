/**
 * The two ways in which time goes by in a machine, and what its time-stamp counter says: nanoseconds, so that the counter has
 * 1 GHz and agrees with all timers of the board.
 * @module
 */

import { type Clock, RealClock, VirtualClock } from "../devices/clock.ts";

/** The ways: the host's time, or one nanosecond for each instruction. */
export type ClockKind = "real" | "virtual";

/** The time of a machine. */
export interface MachineTime {
  /** Which way. */
  readonly kind: ClockKind;
  /** What the board's devices see. */
  readonly clock: Clock;
  /** When the next callback of a device is due, in nanoseconds; none: nothing waits. */
  readonly next: number | undefined;
  /** What the time-stamp counter says; to be given to `openKvm`. */
  readonly timestamp: (instructions: number) => number;
  /**
   * Brings the clock up to date and calls what has become due.
   * @param instructions How many instructions the processor has executed; only for virtual time.
   */
  sync(instructions: number): void;
  /** Time stands still, as in a debugger. */
  stop(): void;
  /** Time goes on. */
  start(): void;
}

/** The host's time. */
export class RealTime implements MachineTime {
  /** `"real"`. */
  readonly kind = "real";
  /** The host's clock. */
  readonly clock: RealClock = new RealClock();
  /** Nanoseconds of the clock. */
  readonly timestamp: (instructions: number) => number = () => this.clock.now();

  /** When the next callback of a device is due. */
  get next(): number | undefined {
    return this.clock.next;
  }

  /** Calls what has become due. */
  sync(): void {
    this.clock.poll();
  }

  /** Time stands still. */
  stop(): void {
    this.clock.stop();
  }

  /** Time goes on. */
  start(): void {
    this.clock.start();
  }
}

/**
 * How long an access to a device takes in virtual time, in nanoseconds: as on the buses of a PC, or loops that wait for a
 * device would go round a thousand times as often as there.
 */
const ACCESS_NS = 500;

/**
 * One nanosecond for each instruction, and {@linkcode ACCESS_NS} more for an access to a device; a processor that halts is
 * taken to the next timer. Repeatable to the instruction. Several processors share the time: what one executes passes for all.
 */
export class VirtualTime implements MachineTime {
  /** `"virtual"`. */
  readonly kind = "virtual";
  /** A clock that the run loop moves. */
  readonly clock: VirtualClock = new VirtualClock();
  /** Nanoseconds of the clock, right also between two of its moves. */
  readonly timestamp: (instructions: number) => number = (instructions) =>
    this.clock.now() + Math.max(0, this.elsewhere + instructions - this.#synced);
  /** How many instructions the processors have executed, all together, that are not running now. */
  elsewhere = 0;
  /** How many instructions the clock knows of. */
  #synced = 0;

  /** When the next callback of a device is due. */
  get next(): number | undefined {
    return this.clock.next;
  }

  /**
   * Moves the clock and calls what has become due.
   * @param instructions How many instructions the processor that runs has executed.
   */
  sync(instructions: number): void {
    const executed = this.elsewhere + instructions, passed = executed - this.#synced;
    this.#synced = executed;
    this.clock.advance(passed);
  }

  /**
   * Lets the time of accesses to devices go by.
   * @param count How many there are.
   */
  access(count: number): void {
    this.clock.advance(count * ACCESS_NS);
  }

  /**
   * Lets the time up to an access to a device, and that of the access, go by, unless something becomes due by then.
   * @param instructions How many instructions the processor that runs has executed.
   * @returns Whether that is done.
   */
  accessQuietly(instructions: number): boolean {
    const { clock } = this, executed = this.elsewhere + instructions;
    const passed = executed - this.#synced + ACCESS_NS;
    if (clock.now() + passed >= (clock.next ?? Infinity)) return false;
    this.#synced = executed;
    clock.advance(passed);
    return true;
  }

  /** Moves the clock to the next callback, if there is one, and calls it. */
  skip(): void {
    const { next } = this.clock;
    if (next !== undefined) this.clock.advance(next - this.clock.now());
  }

  /** It stands still anyhow. */
  stop(): void {}

  /** It goes on with the processor. */
  start(): void {}
}

/**
 * The time of a new machine.
 * @param kind Which way it goes by.
 */
export function machineTime(kind: ClockKind): RealTime | VirtualTime {
  return kind === "real" ? new RealTime() : new VirtualTime();
}
