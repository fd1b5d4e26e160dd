/**
 * The signals that this thread blocks for the sake of its processors. Several of them may want the same one, such as that
 * of the alarm clock: it stays blocked until the last has let it go, or it would end the program.
 * @module
 */

import { type Libc, SYS } from "./libc.ts";

const SIG_BLOCK = 0n;
const SIG_UNBLOCK = 1n;
/** Bytes of the kernel's set of signals. */
const SET_SIZE = 8n;

/** The set that holds signal `n` (1 to 64) only. */
export function bit(n: number): bigint {
  return 1n << BigInt(n - 1);
}

/** The signals of a set. */
export function members(set: bigint): number[] {
  return Array.from({ length: 64 }, (_, index) => index + 1).filter((n) => set & bit(n));
}

/** Who is to be told when the set of blocked signals changes. */
export type Listener = () => void;

/** The signals of a thread; one object for each. */
export class ThreadSignals {
  readonly #libc: Libc;
  /** By signal: how many hold it. */
  readonly #holders: number[] = new Array<number>(65).fill(0);
  readonly #listeners: Set<Listener> = new Set();
  #ours = 0n;

  /** Those of the calling thread. */
  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Signals that are blocked only because somebody holds them. */
  get ours(): bigint {
    return this.#ours;
  }

  /** All signals that are blocked now. */
  get blocked(): bigint {
    return this.#mask(SIG_BLOCK, 0n);
  }

  /** Tells `listener` of changes from now on. */
  listen(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Tells `listener` no more. */
  leave(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** Blocks the signals of `set` that are not blocked yet. Each is to be let go as often as it was held. */
  hold(set: bigint): void {
    const fresh = members(set).filter((n) => this.#holders[n]++ === 0).reduce((sum, n) => sum | bit(n), 0n);
    if (fresh === 0n) return;
    this.#ours |= fresh & ~this.#mask(SIG_BLOCK, fresh);
    this.#tell();
  }

  /** Lets signals go; those that nobody holds any more are blocked no longer, unless they were before. */
  letGo(set: bigint): void {
    const free = members(set).filter((n) => --this.#holders[n] === 0).reduce((sum, n) => sum | bit(n), 0n) & this.#ours;
    if (free === 0n) return;
    this.#mask(SIG_UNBLOCK, free);
    this.#ours &= ~free;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Changes what the thread blocks; answers what it blocked before. */
  #mask(how: bigint, set: bigint): bigint {
    const old = new BigUint64Array(1);
    this.#libc.symbols.sigprocmask(SYS.rt_sigprocmask, how, BigUint64Array.of(set), old, SET_SIZE);
    return old[0];
  }
}

const threads: WeakMap<Libc, ThreadSignals> = new WeakMap();

/** The signals of the thread that opened `libc`. */
export function threadSignals(libc: Libc): ThreadSignals {
  let signals = threads.get(libc);
  if (signals === undefined) threads.set(libc, signals = new ThreadSignals(libc));
  return signals;
}
