/**
 * The timer of a local APIC: a 32-bit counter that counts down from a value, once or again and again, or a time of the
 * time-stamp counter.
 * @module
 */

import type { CancelTimer, Clock } from "./clock.ts";
import type { SavedReader, SavedState } from "./device.ts";

/** How the timer runs; the numbers are those of the LVT's mode field. */
export const TIMER_MODE: { readonly ONE_SHOT: 0; readonly PERIODIC: 1; readonly TSC_DEADLINE: 2 } = {
  ONE_SHOT: 0,
  PERIODIC: 1,
  TSC_DEADLINE: 2,
};

/** Nanoseconds of one clock of the timer before it is divided: 1 GHz. */
export const APIC_TIMER_NS = 1;

/** The shortest period that is kept; shorter ones would leave the guest no time between interrupts. */
const SHORTEST_NS = 500;

const DIVIDERS: readonly number[] = [2, 4, 8, 16, 32, 64, 128, 1];
const MODES = 3;
const COUNT_MAX = 0xffffffff;

/** How the time-stamp counter and the clock go together. */
export interface TscTime {
  /** The clock's time, in nanoseconds, at which the counter has a value. */
  atNs(tsc: number): number;
}

/** The timer. */
export class LocalApicTimer {
  readonly #clock: Clock;
  readonly #tsc: TscTime | undefined;
  readonly #expired: () => void;
  #mode: number = TIMER_MODE.ONE_SHOT;
  #initial = 0;
  /** The divide configuration register. */
  #divide = 0;
  /** When the counter was or will be 0, in nanoseconds; none: it stands at 0. */
  #end: number | undefined;
  #deadline = 0;
  #cancel: CancelTimer = () => {};

  /**
   * Makes a timer that stands.
   * @param clock The time.
   * @param expired Called each time that the counter reaches 0.
   * @param tsc The time-stamp counter; none: there is no such mode.
   */
  constructor(clock: Clock, expired: () => void, tsc?: TscTime) {
    this.#clock = clock;
    this.#expired = expired;
    this.#tsc = tsc;
  }

  /** As after power-up. */
  reset(): void {
    this.#mode = TIMER_MODE.ONE_SHOT;
    this.#initial = this.#divide = this.#deadline = 0;
    this.#stop();
  }

  /** The mode; a change to or from TSC deadline stops the timer. */
  get mode(): number {
    return this.#mode;
  }

  set mode(mode: number) {
    if (mode === this.#mode) return;
    const other = (mode === TIMER_MODE.TSC_DEADLINE) !== (this.#mode === TIMER_MODE.TSC_DEADLINE);
    this.#mode = mode;
    if (other) {
      this.#initial = this.#deadline = 0;
      this.#stop();
    }
  }

  /** The initial count; writing it starts the timer, and 0 stops it. */
  get initial(): number {
    return this.#initial;
  }

  set initial(count: number) {
    if (this.#mode === TIMER_MODE.TSC_DEADLINE) return;
    this.#initial = count;
    this.#start(count);
  }

  /** What the counter shows. */
  get current(): number {
    if (this.#end === undefined || this.#mode === TIMER_MODE.TSC_DEADLINE) return 0;
    const left = this.#end - this.#clock.now();
    return left <= 0 ? 0 : Math.min(Math.ceil(left / this.#tick()), this.#initial);
  }

  /** The divide configuration register; a timer that runs goes on with the new divider. */
  get divide(): number {
    return this.#divide;
  }

  set divide(value: number) {
    const left = this.current;
    this.#divide = value & 0x0b;
    if (this.#end !== undefined && this.#mode !== TIMER_MODE.TSC_DEADLINE) this.#start(left);
  }

  /** MSR IA32_TSC_DEADLINE; writing it in its mode arms the timer, and 0 disarms it. */
  get deadline(): number {
    return this.#deadline;
  }

  set deadline(tsc: number) {
    if (this.#mode !== TIMER_MODE.TSC_DEADLINE || this.#tsc === undefined) return;
    this.#deadline = tsc;
    this.#stop();
    if (tsc === 0) return;
    this.#wait(this.#tsc.atNs(tsc));
  }

  /** All that the timer remembers, to be kept. */
  save(): SavedState {
    const { deadline } = this;
    return { mode: this.#mode, initial: this.#initial, divide: this.#divide, end: this.#end ?? -1, deadline };
  }

  /**
   * Checks a kept state.
   * @param reader The state.
   * @returns Goes back to it.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(reader: SavedReader): () => void {
    const mode = reader.integer("mode", { max: MODES - 1 });
    const initial = reader.integer("initial", { max: COUNT_MAX });
    const divide = reader.integer("divide", { max: 0x0b });
    const end = reader.integer("end", { min: -1, max: Number.MAX_SAFE_INTEGER });
    const deadline = reader.integer("deadline", { max: Number.MAX_SAFE_INTEGER });
    return () => {
      this.#stop();
      this.#mode = mode;
      this.#initial = initial;
      this.#divide = divide & 0x0b;
      this.#deadline = deadline;
      if (end >= 0) this.#wait(end);
    };
  }

  /** Nanoseconds of one count. */
  #tick(): number {
    return APIC_TIMER_NS * DIVIDERS[(this.#divide & 3) | (this.#divide >> 1 & 4)];
  }

  #start(count: number): void {
    this.#stop();
    if (count > 0) this.#wait(this.#clock.now() + count * this.#tick());
  }

  #stop(): void {
    this.#cancel();
    this.#cancel = () => {};
    this.#end = undefined;
  }

  #wait(end: number): void {
    this.#end = end;
    this.#cancel = this.#clock.schedule(end, () => this.#expire(end));
  }

  #expire(end: number): void {
    this.#end = undefined;
    this.#cancel = () => {};
    this.#deadline = 0;
    if (this.#mode === TIMER_MODE.PERIODIC && this.#initial > 0) {
      this.#wait(end + Math.max(this.#initial * this.#tick(), SHORTEST_NS));
    }
    this.#expired();
  }
}
