/**
 * Port exits a second: what an exit, and nothing else, costs a program that uses the library.
 * @module
 */

import { KVM_EXIT_IO, KvmError, KvmRegs, openKvm, type Vcpu } from "../mod.ts";
import { type ProcessCall, type ProcessLimits, reasonOf, runProgram } from "./process.ts";
import { median } from "./statistics.ts";

/** Who makes exits. */
export type ExitsName = "soft" | "kvm" | "kvm from C";

/** A rate, or why there is none. */
export type ExitRate =
  & {
    /** Who makes exits. */
    readonly name: ExitsName;
  }
  & (
    | { readonly perSecond: number; readonly all: readonly number[] }
    | { readonly reason: string }
  );

/** How to measure. */
export interface ExitsOptions extends ProcessLimits {
  /** How often. */
  readonly rounds: number;
  /** Milliseconds of each measurement. */
  readonly milliseconds: number;
  /** A folder for the C program. */
  readonly folder: string;
}

// again: out 0x80, al; jmp again
const GUEST = Uint8Array.of(0xe6, 0x80, 0xeb, 0xfc);
const BASE = 0x1000;
const PORT = 0x80;
const EXITS_BETWEEN_LOOKS = 256;
const SOURCE = decodeURIComponent(new URL("kvm_exits.c", import.meta.url).pathname);

/**
 * Measures all in turns.
 * @param options How.
 * @throws The reason of the options' `signal`, if that is aborted.
 */
export async function measureExits(options: ExitsOptions): Promise<ExitRate[]> {
  const program: ProcessCall = { program: `${options.folder}/kvm_exits`, args: [String(options.milliseconds)] };
  const built = await runProgram({ program: "gcc", args: ["-O2", "-o", program.program, SOURCE] }, options);
  const run = (name: ExitsName): number | string | Promise<number | string> => {
    if (name !== "kvm from C") return exitsOf(name, options.milliseconds);
    if (typeof built === "string") return built;
    return built.success ? exitsOfC(program, options) : reasonOf(built.stderr) ?? "gcc fails";
  };
  const all = (["soft", "kvm", "kvm from C"] as const).map((name) => ({ name, rates: [] as number[], reason: "" }));
  for (let round = 0; round < options.rounds; round++) {
    for (const each of all.filter(({ reason }) => reason === "")) {
      options.signal.throwIfAborted();
      const rate = await run(each.name);
      if (typeof rate === "number") each.rates.push(rate);
      else each.reason = rate;
      await new Promise((resolve) => setTimeout(resolve)); // signals arrive by the event loop
    }
  }
  return all.map(({ name, rates, reason }) =>
    reason === "" ? { name, perSecond: median(rates), all: rates } : { name, reason }
  );
}

/**
 * Exits a second of a backend, or why there are none.
 * @param backend Which.
 * @param milliseconds For how long.
 */
export function exitsOf(backend: "soft" | "kvm", milliseconds: number): number | string {
  try {
    using kvm = openKvm({ backend });
    using vm = kvm.createVm();
    vm.setMemoryRegion({ slot: 0, guest_phys_addr: BASE, memory_size: 0x1000 });
    vm.write(BASE, GUEST);
    using vcpu = vm.createVcpu(0);
    const sregs = vcpu.getSregs();
    sregs.cs.base = 0n;
    sregs.cs.selector = 0;
    vcpu.setSregs(sregs);
    vcpu.setRegs(new KvmRegs({ rip: BASE, rflags: 2 }));
    return count(vcpu, milliseconds);
  } catch (error) {
    if (error instanceof KvmError) return error.message;
    throw error;
  }
}

function count(vcpu: Vcpu, milliseconds: number): number | string {
  const begin = performance.now();
  for (let exits = 1;; exits++) {
    const exit = vcpu.run();
    if (exit.reason !== KVM_EXIT_IO || exit.port !== PORT) return `an exit with reason ${exit.reason}`;
    if (exits % EXITS_BETWEEN_LOOKS !== 0) continue;
    const took = performance.now() - begin;
    if (took >= milliseconds) return exits / took * 1000;
  }
}

async function exitsOfC(program: ProcessCall, limits: ProcessLimits): Promise<number | string> {
  const outcome = await runProgram(program, limits);
  if (typeof outcome === "string") return outcome;
  return outcome.success ? Number(outcome.stdout) : reasonOf(outcome.stderr) ?? "it fails";
}
