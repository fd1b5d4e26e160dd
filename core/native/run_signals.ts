/**
 * Signals that end KVM_RUN. A signal meant for it is blocked in the thread, so that it stays pending and never reaches a
 * handler (or kills the program), and is open inside KVM_RUN by way of KVM_SET_SIGNAL_MASK; afterwards it is taken away.
 * @module
 */

import { KvmError } from "../kvm/kvm_error.ts";
import { type Libc, SYS } from "./libc.ts";
import { bit, members, type ThreadSignals, threadSignals } from "./thread_signals.ts";

/** Bytes of the kernel's set of signals. */
const SET_SIZE = 8n;
const CLOCK_MONOTONIC = 1n;
/** `struct sigevent`. */
const SIGEVENT = { size: 64, signo: 8, notify: 12, thread: 16 } as const;
const SIGEV_THREAD_ID = 4;

/** The signal of the alarm clock, the highest that there is. */
const ALARM = 64;

/**
 * Signals that cannot be blocked (9, 19) or that the processor raises in this very thread when it faults (4, 5, 7, 8, 11,
 * 31): blocking one would end the program at the next fault.
 */
const UNTOUCHABLE: bigint = [4, 5, 7, 8, 9, 11, 19, 31].reduce((set, n) => set | bit(n), 0n);

/** The signals of one processor; to be used in the thread that runs it. */
export class RunSignals {
  readonly #libc: Libc;
  readonly #apply: (set: bigint | null) => void;
  readonly #shared: ThreadSignals;
  readonly #changed = (): void => this.#update();
  /** What KVM_SET_SIGNAL_MASK asked for. */
  #asked: bigint | null = null;
  /** Signals made pending here and not taken away yet. */
  #raised = 0n;
  /** Signals that this processor holds back in the thread. */
  #held = 0n;
  /** What is blocked inside KVM_RUN; null while that is what is blocked outside. */
  #inside: bigint | null = null;
  #timer: number | null = null;
  #rang = false;

  /**
   * @param apply Sets what the kernel blocks inside KVM_RUN; null for what is blocked outside.
   */
  constructor(libc: Libc, apply: (set: bigint | null) => void) {
    this.#libc = libc;
    this.#apply = apply;
    this.#shared = threadSignals(libc);
    this.#shared.listen(this.#changed);
  }

  /** Sets which signals are blocked inside KVM_RUN; null for those that the thread blocks. */
  setMask(set: bigint | null): void {
    this.#asked = set;
    this.#update();
  }

  /**
   * Makes signal `n` (1 to 64) pending for this thread.
   * @throws KvmError EINVAL for signals that cannot be held back.
   */
  raise(n: number): void {
    if (!Number.isInteger(n) || n < 1 || n > 64) throw new KvmError("EINVAL", `raise signal ${n}`, "they are 1 to 64");
    if (UNTOUCHABLE & bit(n)) throw new KvmError("EINVAL", `raise signal ${n}`, "it cannot be held back");
    this.#raised |= bit(n);
    this.#hold(bit(n));
    this.#update();
    const { symbols } = this.#libc;
    symbols.systemCall(SYS.tgkill, BigInt(symbols.getpid()), BigInt(this.#thread()), BigInt(n));
  }

  /**
   * Ends KVM_RUN once so much time has passed, once; if it passes between two runs, the second ends at its start.
   * @param milliseconds Above 0; or 0 for never, which also takes back an alarm that went off meanwhile.
   * @throws KvmError EAGAIN when the host has no timer left.
   */
  alarm(milliseconds: number): void {
    if (this.#timer === null) {
      if (milliseconds === 0) return;
      this.#timer = this.#createTimer();
    }
    const time = new BigInt64Array(4);
    if (milliseconds === 0) {
      this.#setTimer(this.#timer, time);
      this.#drain(bit(ALARM));
      return;
    }
    const nanoseconds = BigInt(Math.max(1, Math.round(milliseconds * 1e6)));
    time[2] = nanoseconds / 1_000_000_000n;
    time[3] = nanoseconds % 1_000_000_000n;
    this.#setTimer(this.#timer, time);
  }

  /** Whether a signal is pending that would end KVM_RUN at its start. */
  isPending(): boolean {
    return this.#ending() !== 0n;
  }

  /** Whether {@linkcode settle} last took the signal of the alarm away and no other. */
  get rang(): boolean {
    return this.#rang;
  }

  /** Takes the signals away that ended KVM_RUN. */
  settle(): void {
    const taken = this.#ending();
    this.#rang = this.#timer !== null && taken === bit(ALARM);
    if (taken === 0n) return;
    this.#drain(taken);
    this.#raised &= ~taken;
    const timer = this.#timer === null ? 0n : bit(ALARM);
    this.#letGo(taken & ~timer);
    this.#update();
  }

  /** Takes everything away that is still pending, and leaves the thread as it was. */
  dispose(): void {
    if (this.#timer !== null) {
      this.#libc.symbols.systemCall(SYS.timer_delete, BigInt(this.#timer), 0n, 0n);
      this.#timer = null;
    }
    this.#drain(this.#held);
    this.#shared.leave(this.#changed);
    this.#letGo(this.#held);
  }

  #thread(): number {
    return this.#libc.symbols.systemCall(SYS.gettid, 0n, 0n, 0n);
  }

  /** Tells the kernel what is blocked inside KVM_RUN, if that has changed. */
  #update(): void {
    const own = this.#timer === null ? 0n : bit(ALARM);
    let inside = this.#asked;
    if (inside !== null) {
      inside &= ~own;
    } else if ((this.#raised | own) !== 0n) {
      inside = this.#shared.blocked & ~(this.#held & this.#shared.ours);
    }
    if (inside === this.#inside) return;
    this.#inside = inside;
    this.#apply(inside);
  }

  /** The pending signals that are open inside KVM_RUN. */
  #ending(): bigint {
    if (this.#inside === null) return 0n;
    const set = new BigUint64Array(1);
    this.#libc.symbols.sigpending(SYS.rt_sigpending, set, SET_SIZE);
    return set[0] & ~this.#inside;
  }

  #hold(set: bigint): void {
    const fresh = set & ~this.#held;
    this.#held |= fresh;
    this.#shared.hold(fresh);
  }

  #letGo(set: bigint): void {
    const held = set & this.#held;
    this.#held &= ~held;
    this.#shared.letGo(held);
  }

  /** Takes every pending signal of `set` away, however often it is pending. */
  #drain(set: bigint): void {
    const now = new BigInt64Array(2);
    for (const n of members(set)) {
      const one = BigUint64Array.of(bit(n));
      while (this.#libc.symbols.sigtimedwait(SYS.rt_sigtimedwait, one, 0n, now, SET_SIZE) > 0);
    }
  }

  #createTimer(): number {
    const event = new DataView(new ArrayBuffer(SIGEVENT.size));
    event.setInt32(SIGEVENT.signo, ALARM, true);
    event.setInt32(SIGEVENT.notify, SIGEV_THREAD_ID, true);
    event.setInt32(SIGEVENT.thread, this.#thread(), true);
    const id = new Int32Array(1);
    this.#hold(bit(ALARM));
    const answer = this.#libc.symbols.timerCreate(
      SYS.timer_create,
      CLOCK_MONOTONIC,
      new Uint8Array(event.buffer),
      new Uint8Array(id.buffer),
    );
    if (answer < 0) this.#libc.fail("set an alarm");
    this.#timer = id[0];
    this.#update();
    return id[0];
  }

  #setTimer(timer: number, time: BigInt64Array<ArrayBuffer>): void {
    this.#libc.symbols.timerSettime(SYS.timer_settime, BigInt(timer), 0n, time, 0n);
  }
}
