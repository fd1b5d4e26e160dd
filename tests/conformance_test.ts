/**
 * One suite of small cases for every ioctl, on every backend. On the real device, cases that it cannot do are skipped with
 * the reason in their name; where there is no device, all of its cases are.
 */

import { assertEquals } from "@std/assert";
import { type BackendName, KvmError, openKvm } from "../mod.ts";
import { DEBUG_CASES } from "./conformance/debug_cases.ts";
import { GUEST_MEMORY_CASES } from "./conformance/guest_memory_cases.ts";
import { type Case, LISTINGS, type Need } from "./conformance/harness.ts";
import { INTERRUPT_CASES } from "./conformance/interrupt_cases.ts";
import { IO_CASES } from "./conformance/io_cases.ts";
import { MMIO_CASES } from "./conformance/mmio_cases.ts";
import { findLimits } from "./conformance/probes.ts";
import { RAW_CASES } from "./conformance/raw_cases.ts";
import { RUN_CASES } from "./conformance/run_cases.ts";
import { STATE_CASES } from "./conformance/state_cases.ts";
import { SYSTEM_CASES } from "./conformance/system_cases.ts";

const CASES: readonly Case[] = [
  ...SYSTEM_CASES,
  ...STATE_CASES,
  ...GUEST_MEMORY_CASES,
  ...IO_CASES,
  ...MMIO_CASES,
  ...RUN_CASES,
  ...INTERRUPT_CASES,
  ...DEBUG_CASES,
  ...RAW_CASES,
];

/** Why the backend cannot be used at all, or null; and what it cannot do. */
function examine(backend: BackendName): { reason: string | null; limits: ReadonlyMap<Need, string> } {
  if (backend === "soft") return { reason: null, limits: new Map() };
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { reason: "it needs --allow-ffi", limits: new Map() };
  }
  try {
    using kvm = openKvm({ backend });
    return { reason: null, limits: findLimits(kvm) };
  } catch (error) {
    if (!(error instanceof KvmError)) throw error;
    return { reason: error.message, limits: new Map() };
  }
}

for (const backend of ["soft", "kvm"] as const) {
  const { reason, limits } = examine(backend);
  for (const { name, needs = [], only, run } of CASES) {
    if (only !== undefined && only !== backend) continue;
    const why = reason ?? needs.map((need) => limits.get(need)).find((limit) => limit !== undefined);
    Deno.test({
      name: why === undefined ? `${backend}: ${name}` : `${backend}: ${name} (skipped: ${why})`,
      ignore: why !== undefined,
      fn: () => {
        using kvm = openKvm({ backend });
        run(kvm);
      },
    });
  }
}

const NASM_ALLOWED = Deno.permissions.querySync({ name: "run", command: "nasm" }).state === "granted" &&
  Deno.permissions.querySync({ name: "write" }).state === "granted";

/** The version of NASM, or null where there is none. */
function nasmVersion(): string | null {
  if (!NASM_ALLOWED) return null;
  try {
    return new TextDecoder().decode(new Deno.Command("nasm", { args: ["-v"] }).outputSync().stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

const NASM = nasmVersion();

Deno.test({
  name: `code() listings assemble to their bytes${NASM === null ? " (skipped: no NASM, or no --allow-run=nasm)" : ""}`,
  ignore: NASM === null,
  fn: () => {
    const folder = Deno.makeTempDirSync();
    try {
      for (const { source, bits, bytes } of LISTINGS) {
        Deno.writeTextFileSync(`${folder}/guest.asm`, `bits ${bits}\norg 0x1000\n${source}\n`);
        const args = ["-f", "bin", "-o", `${folder}/guest.bin`, `${folder}/guest.asm`];
        const { success, stderr } = new Deno.Command("nasm", { args }).outputSync();
        assertEquals([success, new TextDecoder().decode(stderr)], [true, ""], source);
        assertEquals(Deno.readFileSync(`${folder}/guest.bin`), bytes, source);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
