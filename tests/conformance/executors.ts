/**
 * Who can run a case: the software engine's interpreter and its translator, each alone, and the real device.
 * @module
 */

import { createSoftBackend } from "../../core/engine/soft.ts";
import type { Backend } from "../../core/kvm/backend.ts";
import { Kvm } from "../../core/kvm/kvm.ts";
import { KvmError, openKvm } from "../../mod.ts";
import type { Case, Need } from "./harness.ts";
import { reusing } from "./machine_pool.ts";
import { findLimits } from "./probes.ts";

/** The executors. The translator translates whatever can be before it first runs. */
export const EXECUTORS = ["soft-interpreter", "soft-translator", "kvm"] as const;

/** The name of an executor. */
export type ExecutorName = typeof EXECUTORS[number];

/** What an executor cannot do. */
export interface Limits {
  /** Why it cannot be used at all, or null. */
  readonly unusable: string | null;
  /** The reason for each need that it does not meet. */
  readonly unmet: ReadonlyMap<Need, string>;
}

/** How a case went. */
export type Outcome =
  | { readonly result: "passed" }
  | { readonly result: "skipped"; readonly reason: string }
  | { readonly result: "failed"; readonly message: string };

const SOFT: Readonly<Record<Exclude<ExecutorName, "kvm">, Backend>> = {
  "soft-interpreter": reusing(createSoftBackend({ engine: "interpreter" })),
  "soft-translator": reusing(createSoftBackend({ engine: "translator" })),
};

/** KVM as the executor has it. */
export function openExecutor(name: ExecutorName): Kvm {
  return name === "kvm" ? openKvm({ backend: "kvm" }) : new Kvm(SOFT[name]);
}

/** Finds out what an executor cannot do: the real device by trying. */
export function examine(name: ExecutorName): Limits {
  if (name !== "kvm") return { unusable: null, unmet: new Map() };
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { unusable: "it needs --allow-ffi", unmet: new Map() };
  }
  try {
    using kvm = openExecutor(name);
    return { unusable: null, unmet: findLimits(kvm) };
  } catch (error) {
    if (!(error instanceof KvmError)) throw error;
    return { unusable: error.message, unmet: new Map() };
  }
}

/** Why an executor with such limits cannot run a case, or null. */
export function skipReason({ unusable, unmet }: Limits, { needs = [] }: Case): string | null {
  return unusable ?? needs.map((need) => unmet.get(need)).find((limit) => limit !== undefined) ?? null;
}

/**
 * Runs a case.
 * @throws What the case throws: the executor is wrong.
 */
export function runCase(name: ExecutorName, { run }: Case): void {
  using kvm = openExecutor(name);
  run(kvm);
}
