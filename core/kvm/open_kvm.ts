/**
 * The way in: which engine to use.
 * @module
 */

import { createLockstepBackend } from "../engine/lockstep.ts";
import { createSoftBackend, type Timestamp } from "../engine/soft.ts";
import { createNativeBackend } from "../native/native.ts";
import type { Backend, BackendName } from "./backend.ts";
import { Kvm } from "./kvm.ts";
import { KvmError } from "./kvm_error.ts";

/**
 * How the software engine runs the guest. `"auto"`: interprets, and translates what is hot. `"interpreter"`: never
 * translates. `"translator"`: translates whatever can be before it first runs. `"both"`: interpreter and translator in
 * lockstep; `Vcpu.run` throws a `LockstepError` when they differ.
 */
export type EngineChoice = "auto" | "interpreter" | "translator" | "both";

const ENGINES: readonly EngineChoice[] = ["auto", "interpreter", "translator", "both"];

/** Which engine {@linkcode openKvm} is to use. */
export interface OpenKvmOptions {
  /**
   * `"soft"`: the software engine; needs no permission. `"kvm"`: the real `/dev/kvm`; needs `--allow-ffi`. `"auto"`: the
   * real device where it is permitted and usable, else the software engine.
   * @default "auto"
   */
  readonly backend?: BackendName | "auto";
  /**
   * How the software engine runs the guest; not for the real device. Unless this is left out, the backend `"auto"` is the
   * software engine.
   * @default "auto"
   */
  readonly engine?: EngineChoice;
  /**
   * What the guest's time-stamp counters count; ignored by the real device, which has its own. With the engine `"both"` it
   * must depend on the number of instructions alone.
   * @default the instructions themselves
   */
  readonly timestamp?: Timestamp;
  /**
   * Told in one line why `"auto"` fell back to the software engine. Without it, `console.error` is, once in a process.
   */
  readonly onFallback?: (reason: string) => void;
}

let saidFallback = false;

/** Says once in a process why the software engine is used. */
function sayFallback(reason: string): void {
  if (saidFallback) return;
  saidFallback = true;
  console.error(reason);
}

/** The software engine. */
function soft(engine: EngineChoice, timestamp: Timestamp | undefined): Backend {
  return engine === "both" ? createLockstepBackend({ timestamp }) : createSoftBackend({ engine, timestamp });
}

/** The real device; with no permission for it, an error rather than a question to the user. */
function nativeIfPermitted(): Backend {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    throw new KvmError("EPERM", "use /dev/kvm", "it needs --allow-ffi");
  }
  return createNativeBackend();
}

/**
 * Opens KVM.
 * @param options Which engine; the real device if possible, when left out.
 * @returns KVM, to be closed by `using` or `[Symbol.dispose]()`.
 * @throws KvmError if the real device was asked for and is not permitted, not there, or not usable; EINVAL for options that
 * do not exist or do not go together.
 *
 * @example
 * ```ts
 * import { openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * console.log(kvm.getApiVersion()); // 12
 * ```
 */
export function openKvm(options: OpenKvmOptions = {}): Kvm {
  const { backend = "auto", engine, timestamp, onFallback = sayFallback } = options;
  if (engine !== undefined && !ENGINES.includes(engine)) {
    throw new KvmError("EINVAL", "open KVM", `there is no engine "${engine as string}"; use ${ENGINES.join(", ")}`);
  }
  switch (backend) {
    case "soft":
      return new Kvm(soft(engine ?? "auto", timestamp));
    case "kvm":
      if (engine !== undefined) {
        throw new KvmError(
          "EINVAL",
          "open KVM",
          `the engine "${engine}" is a way of the software engine, not of /dev/kvm`,
        );
      }
      return new Kvm(createNativeBackend());
    case "auto":
      if (engine !== undefined) return new Kvm(soft(engine, timestamp));
      try {
        return new Kvm(nativeIfPermitted());
      } catch (error) {
        if (!(error instanceof KvmError)) throw error;
        onFallback(`${error.message}; using the software engine`);
        return new Kvm(soft("auto", timestamp));
      }
    default:
      throw new KvmError("EINVAL", "open KVM", `there is no backend "${backend as string}"; use soft, kvm or auto`);
  }
}
