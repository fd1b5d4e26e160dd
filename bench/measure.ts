/**
 * Measuring guests on executors, in turns, so that a busy host hits all alike.
 * @module
 */

import type { BenchGuest } from "../guests/bench/list.ts";
import type { Executor, ExecutorName } from "./executors.ts";
import { runGuest, type RunResult } from "./process.ts";
import { median } from "./statistics.ts";

/** A guest on an executor: median and all values of the work's milliseconds, or why there are none. */
export type Cell = { readonly median: number; readonly all: readonly number[] } | { readonly reason: string };

/** A guest on all executors. */
export interface GuestResult {
  /** Its name. */
  readonly name: string;
  /** Its size. */
  readonly bits: 32 | 64;
  /** What it does. */
  readonly work: string;
  /** What was measured. */
  readonly cells: Readonly<Partial<Record<ExecutorName, Cell>>>;
}

/** How to measure. */
export interface MeasureOptions {
  /** How many runs of each guest on each executor. */
  readonly rounds: number;
  /** When a run is killed, milliseconds. */
  readonly deadlineMs: number;
  /** Whether guests do their short form. */
  readonly quick: boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Runs a guest; the default starts a process. */
  readonly run?: typeof runGuest;
}

/** How much longer than its short form a guest's work is, about. */
const SHORT_FORM = 40;
/** A short form has time for what does not shrink with it. */
const SHORT_FORM_EXTRA_MS = 2000;

/** What was seen of one executor so far. */
interface Progress {
  readonly executor: Executor;
  readonly times: number[];
  reason?: string;
}

/** Measures guests, and remembers what is not about one guest alone. */
export class Measurement {
  /** Wrong checksums, a line each. */
  readonly errors: string[] = [];
  readonly #options: MeasureOptions;
  readonly #starts = new Map<ExecutorName, number[]>();

  /**
   * Makes a measurement.
   * @param options How to measure.
   */
  constructor(options: MeasureOptions) {
    this.#options = options;
  }

  /**
   * Runs a guest on each executor in turn, so many times; who failed once is not asked again.
   * @param guest The guest.
   * @param executors Who runs it.
   * @throws The reason of the options' `signal`, if that is aborted.
   */
  async guest(guest: BenchGuest, executors: readonly Executor[]): Promise<GuestResult> {
    const all = executors.map((executor): Progress => ({ executor, times: [] }));
    for (const each of all) if (each.executor.tryShortForm) each.reason = await this.#forecast(each.executor, guest);
    for (let round = 0; round < this.#options.rounds; round++) {
      for (const each of all) {
        if (each.reason === undefined) await this.#round(each, guest);
      }
    }
    const cells = all.map(({ executor, times, reason }): [ExecutorName, Cell] => [
      executor.name,
      reason === undefined ? { median: median(times), all: times } : { reason },
    ]);
    const { name, bits, work } = guest;
    return { name, bits, work, cells: Object.fromEntries(cells) };
  }

  /** Median milliseconds from the start of a process to the guest's first byte, over all runs. */
  starts(): Partial<Record<ExecutorName, number>> {
    return Object.fromEntries([...this.#starts].map(([name, times]) => [name, median(times)]));
  }

  async #round(progress: Progress, guest: BenchGuest): Promise<void> {
    const { executor, times } = progress;
    const { quick, deadlineMs } = this.#options;
    const result = await this.#run(executor, guest, quick, deadlineMs);
    if (!result.ok) {
      progress.reason = result.reason;
      return;
    }
    times.push(result.workMs);
    const starts = this.#starts.get(executor.name) ?? [];
    this.#starts.set(executor.name, starts);
    starts.push(result.startMs);
  }

  /** Why a guest is not worth trying on an executor, by its short form. */
  async #forecast(executor: Executor, guest: BenchGuest): Promise<string | undefined> {
    const { quick, deadlineMs } = this.#options;
    if (quick) return undefined;
    const limit = deadlineMs / SHORT_FORM + SHORT_FORM_EXTRA_MS;
    const result = await this.#run(executor, guest, true, limit);
    if (!result.ok) return result.reason.startsWith("not ready") ? `its short form is ${result.reason}` : result.reason;
    const forecast = result.workMs * SHORT_FORM;
    return forecast <= deadlineMs ? undefined : `about ${Math.round(forecast / 1000)} s by its short form`;
  }

  async #run(executor: Executor, guest: BenchGuest, quick: boolean, deadlineMs: number): Promise<RunResult> {
    const call = await executor.prepare(guest, quick);
    if (typeof call === "string") return { ok: false, reason: call };
    const { signal, run = runGuest } = this.#options;
    const result = await run(call, guest.name, { deadlineMs, signal });
    const expected = quick ? guest.quickChecksum : guest.checksum;
    if (!result.ok || result.checksum === expected) return result;
    const reason = `checksum ${result.checksum} instead of ${expected}`;
    this.errors.push(`${guest.name}${guest.bits} on ${executor.name}: ${reason}`);
    return { ok: false, reason };
  }
}
