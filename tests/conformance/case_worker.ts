/**
 * Runs cases in a worker: each module that the software engine makes sets the collector going, and a worker's heap is a
 * tenth of the test runner's.
 * @module
 */

import { type ExecutorName, runCase } from "./executors.ts";
import { LISTINGS } from "./harness.ts";
import type { Request, Response } from "./remote.ts";
import { CASES } from "./suite.ts";

/** What a worker has of its global object here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Response): void;
}

const scope = self as unknown as WorkerScope;
const BY_NAME = new Map(CASES.map((each) => [each.name, each]));

/** Why a case fails, or null. */
function failure(executor: ExecutorName, name: string): string | null {
  try {
    runCase(executor, BY_NAME.get(name)!);
    return null;
  } catch (error) {
    return error instanceof Error ? error.stack ?? error.message : String(error);
  }
}

scope.onmessage = ({ data: { executor, name } }) => {
  const message = failure(executor, name);
  scope.postMessage({ name, failure: message, listings: LISTINGS.splice(0) });
};
