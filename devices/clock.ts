/**
 * Time for devices. They never ask the host: a board gives all of them one clock.
 *
 * Times are whole nanoseconds since the machine was switched on; they stay exact for 104 days.
 * @module
 */

/** Takes a scheduled callback back; without effect once it has run. */
export type CancelTimer = () => void;

/** What a device sees of time. */
export interface Clock {
  /** The time, in whole nanoseconds since the machine was switched on. While a callback runs: the time it was due at. */
  now(): number;
  /**
   * Asks to be called.
   * @param atNs When, as {@linkcode now} counts; what is past already is due at once, but never called from within here.
   * @param callback Called once. Callbacks run in the order of their times, and of two at one time the one asked for first.
   * @returns Takes it back.
   */
  schedule(atNs: number, callback: () => void): CancelTimer;
}

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Callbacks that wait, in the order in which they will run. */
class TimerQueue {
  readonly #timers: Timer[] = [];

  get next(): number | undefined {
    return this.#timers[0]?.at;
  }

  add(timer: Timer): CancelTimer {
    const timers = this.#timers;
    let place = timers.length;
    while (place > 0 && timers[place - 1].at > timer.at) place--;
    timers.splice(place, 0, timer);
    return () => {
      const index = timers.indexOf(timer);
      if (index >= 0) timers.splice(index, 1);
    };
  }

  /** Takes the first timer away if it is due. */
  take(until: number): Timer | undefined {
    return this.#timers.length > 0 && this.#timers[0].at <= until ? this.#timers.shift() : undefined;
  }
}

/**
 * A clock that stands still unless it is moved: with the same moves a run is the same to the nanosecond.
 *
 * @example
 * ```ts
 * import { VirtualClock } from "./clock.ts";
 *
 * const clock = new VirtualClock();
 * clock.schedule(150, () => console.log(clock.now())); // 150
 * clock.advance(200);
 * ```
 */
export class VirtualClock implements Clock {
  readonly #queue = new TimerQueue();
  #now = 0;

  /**
   * The time, in nanoseconds.
   * @returns The sum of all moves so far.
   */
  now(): number {
    return this.#now;
  }

  /** When the next callback is due; none: nothing waits. */
  get next(): number | undefined {
    return this.#queue.next;
  }

  /**
   * Asks to be called by {@linkcode advance}.
   * @param atNs When; what is past already is due at the next move, even by 0.
   * @param callback Called once.
   * @returns Takes it back.
   */
  schedule(atNs: number, callback: () => void): CancelTimer {
    return this.#queue.add({ at: Math.max(atNs, this.#now), callback });
  }

  /**
   * Moves the clock and calls what has become due, each at its own time.
   * @param ns By how much, 0 or more; fractions are cut off.
   * @throws RangeError The clock cannot go back.
   */
  advance(ns: number): void {
    if (!(ns >= 0)) throw new RangeError(`Cannot advance the clock: ${ns} is not a number of nanoseconds`);
    const until = this.#now + Math.floor(ns);
    for (let timer = this.#queue.take(until); timer !== undefined; timer = this.#queue.take(until)) {
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
    }
    this.#now = until;
  }

  /**
   * Puts the clock to a kept time, before the devices are restored. What waits keeps its time.
   * @param now What {@linkcode now} gave, in nanoseconds.
   */
  restore(now: number): void {
    this.#now = now;
  }
}

/** What a {@linkcode RealClock} is made from. */
export interface RealClockOptions {
  /** The host's time in milliseconds, never going back; `performance.now` unless told. */
  readonly milliseconds?: () => number;
}

/**
 * The host's clock. It calls nobody by itself: the board polls it between slices of the guest, and while the guest sleeps waits
 * until {@linkcode next}. A board that was late gets each callback at the time it was due, so no period is left out.
 */
export class RealClock implements Clock {
  readonly #queue = new TimerQueue();
  readonly #milliseconds: () => number;
  /** The host's time, in nanoseconds, at which this clock showed 0. */
  #origin: number;
  /** The time at which the clock was stopped, or at which the callback that runs now was due. */
  #held: number | undefined;
  #stopped = false;

  /**
   * Makes a clock that runs.
   * @param options Where the time comes from.
   */
  constructor(options: RealClockOptions = {}) {
    this.#milliseconds = options.milliseconds ?? (() => performance.now());
    this.#origin = this.#host();
  }

  /**
   * The time, in nanoseconds.
   * @returns The host's time since the clock was made, without those in which it was stopped.
   */
  now(): number {
    return this.#held ?? this.#host() - this.#origin;
  }

  /** When the next callback is due; none: nothing waits. */
  get next(): number | undefined {
    return this.#queue.next;
  }

  /**
   * Asks to be called by {@linkcode poll}.
   * @param atNs When; what is past already is due at the next poll.
   * @param callback Called once.
   * @returns Takes it back.
   */
  schedule(atNs: number, callback: () => void): CancelTimer {
    return this.#queue.add({ at: Math.max(atNs, 0), callback });
  }

  /** Calls what is due. Nothing is while the clock is stopped, or from within a callback. */
  poll(): void {
    if (this.#held !== undefined) return;
    const until = this.now();
    try {
      for (let timer = this.#queue.take(until); timer !== undefined; timer = this.#queue.take(until)) {
        this.#held = timer.at;
        timer.callback();
        if (this.#stopped) return;
      }
    } finally {
      if (!this.#stopped) this.#held = undefined;
    }
  }

  /** Stops the clock where it is, as for a machine that pauses. */
  stop(): void {
    this.#held = this.now();
    this.#stopped = true;
  }

  /** Lets a stopped clock go on from where it was. */
  start(): void {
    if (!this.#stopped || this.#held === undefined) return;
    this.#origin = this.#host() - this.#held;
    this.#held = undefined;
    this.#stopped = false;
  }

  /**
   * Puts the clock to a kept time, before the devices are restored. What waits keeps its time.
   * @param now What {@linkcode now} gave, in nanoseconds.
   */
  restore(now: number): void {
    this.#origin = this.#host() - now;
    if (this.#stopped) this.#held = now;
  }

  #host(): number {
    return Math.floor(this.#milliseconds() * 1e6);
  }
}
