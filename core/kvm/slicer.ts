/**
 * Runs of bounded time: by a number of instructions where the engine can count them, by the alarm clock of the engine where
 * it cannot. Made for `Vcpu.runAsync`.
 * @module
 */

import type { BackendVcpu } from "./backend.ts";

/** Instructions of the first slice, and the bounds of the others. */
const FIRST = 50_000, LEAST = 1_000, MOST = 200_000_000;

/** The slices of one processor. */
export class Slicer {
  readonly #backend: BackendVcpu;
  #instructions = FIRST;
  /** When the alarm that is set goes off, on the clock of `performance.now()`; 0 if none is. */
  #due = 0;
  /** What the last slice was given. */
  #given = 0;

  /** The slices of `backend`. */
  constructor(backend: BackendVcpu) {
    this.#backend = backend;
  }

  /** Instructions that the last slice was given; with {@linkcode hasAlarm} they say nothing. */
  get given(): number {
    return this.#given;
  }

  /** Whether slices are bounded by time, and no number of instructions is. */
  get hasAlarm(): boolean {
    return this.#backend.alarm !== undefined;
  }

  /**
   * Whether nothing but the bound ended the last slice, if it ended with KVM_EXIT_INTR; where instructions are counted, the
   * signals are the caller's to know.
   */
  get endedByItself(): boolean {
    return this.#backend.rang ?? true;
  }

  /**
   * KVM_RUN for about `milliseconds`.
   * @param most Instructions at most, where they are counted.
   * @param milliseconds Above 0.
   * @param now `performance.now()`.
   * @returns What the engine returns.
   */
  run(most: number, milliseconds: number, now: number): number {
    const backend = this.#backend;
    if (backend.alarm !== undefined) {
      // An alarm that is still to come will do: setting it costs as much as a short run. One that is over may have been
      // taken away by another processor of this thread.
      if (now >= this.#due || this.#due - now > milliseconds) {
        backend.alarm(milliseconds);
        this.#due = now + milliseconds;
      }
      return backend.run(most);
    }
    this.#given = Math.min(most, this.#instructions);
    return backend.run(this.#given);
  }

  /**
   * To be told how long a slice took that ended by itself, so that the next is as long as it should be. It grows to twice
   * the length at most: the next instructions may be slower.
   * @param took Milliseconds.
   * @param milliseconds What was wanted.
   */
  adapt(took: number, milliseconds: number): void {
    if (this.#given !== this.#instructions) return;
    const factor = Math.min(2, Math.max(0.25, milliseconds / Math.max(took, 0.01)));
    this.#instructions = Math.min(MOST, Math.max(LEAST, Math.round(this.#given * factor)));
  }

  /** Takes the alarm back, so that it does not end a run that is none of ours. */
  disarm(): void {
    if (this.#due === 0) return;
    this.#due = 0;
    this.#backend.alarm?.(0);
  }

  /** The alarm is somebody else's now. */
  forget(): void {
    this.#due = 0;
  }
}
