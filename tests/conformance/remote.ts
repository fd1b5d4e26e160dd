/**
 * Cases that run in a worker, see `case_worker.ts`.
 * @module
 */

import type { ExecutorName } from "./executors.ts";
import type { Listing } from "./harness.ts";

/** What a worker is asked. */
export interface Request {
  /** Who is to run the case. */
  readonly executor: ExecutorName;
  /** The name of the case. */
  readonly name: string;
}

/** What it answers. */
export interface Response {
  /** The name of the case. */
  readonly name: string;
  /** Why it failed, or null. */
  readonly failure: string | null;
  /** The guest code that was new to the worker. */
  readonly listings: readonly Listing[];
}

/** A worker for cases, started when first used. */
export class Remote {
  /** Guest code of the cases that have run. */
  readonly listings: Listing[] = [];
  readonly #executor: ExecutorName;
  #worker: Worker | null = null;

  /** A worker for one executor. */
  constructor(executor: ExecutorName) {
    this.#executor = executor;
  }

  /**
   * Runs a case; one at a time.
   * @param name Its name.
   * @throws Error with the text of what the case threw.
   */
  async run(name: string): Promise<void> {
    const worker = this.#worker ??= new Worker(new URL("case_worker.ts", import.meta.url), { type: "module" });
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    worker.onmessage = ({ data }: MessageEvent<Response>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage({ executor: this.#executor, name } satisfies Request);
    const { failure, listings } = await promise;
    this.listings.push(...listings);
    if (failure !== null) throw new Error(failure);
  }

  /** Ends the worker. */
  stop(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }
}
