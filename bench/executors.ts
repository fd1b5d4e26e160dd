/**
 * Who runs the benchmark guests, each in a process of its own: this project in its variants, native programs, and the peers.
 * @module
 */

import { type BenchGuest, nativeArguments } from "../guests/bench/list.ts";
import { type ProcessCall, type ProcessLimits, reasonOf, runProgram } from "./process.ts";

/** All names, in the order of the table's columns. */
export const EXECUTOR_NAMES = ["soft", "interpreter", "translator", "kvm", "native", "tcg", "v86"] as const;

/** A column of the table. */
export type ExecutorName = typeof EXECUTOR_NAMES[number];

/** What each column is. */
export const EXECUTOR_ABOUT: Readonly<Record<ExecutorName, string>> = {
  soft: "the software engine as users get it",
  interpreter: "the software engine with --engine interpreter",
  translator: "the software engine with --engine translator: all is translated before it first runs",
  kvm: "this project on /dev/kvm",
  native: "the same C as a program of the host, gcc -O2",
  tcg: "qemu-system-x86_64 -accel tcg -cpu max",
  v86: "the npm package v86 under Deno",
};

/** A way to run guests. */
export interface Executor {
  /** Its name. */
  readonly name: ExecutorName;
  /**
   * How a guest is run.
   * @param guest The guest.
   * @param quick Whether it is to do its short form.
   * @returns The call, or why there is none.
   */
  prepare(guest: BenchGuest, quick: boolean): Promise<ProcessCall | string> | ProcessCall | string;
  /** Whether it may be so slow that the short form is to be tried first. */
  readonly tryShortForm: boolean;
}

/** What executors need of their surroundings. */
export interface Surroundings extends ProcessLimits {
  /** A folder for native programs. */
  readonly folder: string;
}

/** What was found. */
export interface FoundExecutors {
  /** Those that are here, in the order of {@linkcode EXECUTOR_NAMES}. */
  readonly executors: readonly Executor[];
  /** Why the others are missing. */
  readonly missing: readonly { readonly executor: ExecutorName; readonly reason: string }[];
}

const ROOT = new URL("..", import.meta.url);
const MEMORY_MIB = 128;
/** The port to which guests write when they are done. */
const DEBUG_EXIT = "0xf4";
const QEMU = "qemu-system-x86_64";
const GCC = "gcc";

/**
 * Looks for executors.
 * @param names Which are wanted.
 * @param surroundings What they need.
 */
export async function findExecutors(
  names: readonly ExecutorName[],
  surroundings: Surroundings,
): Promise<FoundExecutors> {
  const executors: Executor[] = [], missing: { executor: ExecutorName; reason: string }[] = [];
  for (const name of EXECUTOR_NAMES.filter((each) => names.includes(each))) {
    const reason = await lack(name, surroundings);
    if (reason !== undefined) missing.push({ executor: name, reason });
    else executors.push(create(name, surroundings));
  }
  return { executors, missing };
}

/** What an executor lacks here. */
async function lack(name: ExecutorName, limits: ProcessLimits): Promise<string | undefined> {
  const call = probe(name);
  const outcome = await runProgram(call, limits);
  if (typeof outcome === "string") return outcome;
  return outcome.success ? undefined : reasonOf(outcome.stderr) ?? `${call.program} cannot be run`;
}

/** A call that succeeds if an executor is here. */
function probe(name: ExecutorName): ProcessCall {
  if (name === "tcg") return { program: QEMU, args: ["--version"] };
  if (name === "native") return { program: GCC, args: ["--version"] };
  if (name === "v86") return { program: Deno.execPath(), args: v86Arguments("--version") };
  const args = name === "kvm" ? ["info", "--backend", "kvm"] : ["--version"];
  return { program: Deno.execPath(), args: cliArguments(name, args) };
}

function create(name: ExecutorName, surroundings: Surroundings): Executor {
  const plain = (prepare: Executor["prepare"]): Executor => ({ name, prepare, tryShortForm: name === "kvm" });
  if (name === "native") return plain(nativePrograms(surroundings));
  return plain((guest, quick) => guestCall(name, guest, quick));
}

/**
 * How an executor runs the image of a guest.
 * @param name The executor.
 * @param guest The guest.
 * @param quick Whether it is to do its short form.
 * @returns The call, or why there is none.
 */
export function guestCall(
  name: Exclude<ExecutorName, "native">,
  guest: BenchGuest,
  quick: boolean,
): ProcessCall | string {
  const image = pathOf(guest.image);
  if (name === "v86") {
    if (guest.bits === 64) return "it has no 64-bit mode";
    return { program: Deno.execPath(), args: v86Arguments(image, ...(quick ? ["quick"] : [])) };
  }
  const append = quick ? ["--append", "quick"] : [];
  if (name === "tcg") return { program: QEMU, args: qemuArguments(image, quick) };
  const engine = name === "kvm" ? ["--backend", "kvm"] : name === "soft" ? [] : ["--engine", name];
  const args = ["run", ...engine, "--memory", `${MEMORY_MIB}M`, "--debug-exit", DEBUG_EXIT, ...append, image];
  return { program: Deno.execPath(), args: cliArguments(name, args) };
}

function cliArguments(name: ExecutorName, args: readonly string[]): string[] {
  const permissions = name === "kvm" ? ["--allow-read", "--allow-ffi"] : ["--allow-read"];
  return ["run", "--no-prompt", ...permissions, pathOf("cli.ts"), ...args];
}

function v86Arguments(...args: readonly string[]): string[] {
  return ["run", "--no-prompt", "--allow-read", pathOf("bench/v86_peer.ts"), ...args];
}

function qemuArguments(image: string, quick: boolean): string[] {
  return [
    ...[
      "-accel",
      "tcg",
      "-cpu",
      "max",
      "-m",
      String(MEMORY_MIB),
      "-nodefaults",
      "-monitor",
      "none",
      "-display",
      "none",
    ],
    ...["-serial", "stdio", "-no-reboot", "-device", `isa-debug-exit,iobase=${DEBUG_EXIT},iosize=1`],
    ...["-kernel", image, ...(quick ? ["-append", "quick"] : [])],
  ];
}

/** Builds each guest's program when it is first asked for. */
function nativePrograms({ folder, ...limits }: Surroundings): Executor["prepare"] {
  const built = new Map<string, Promise<string | undefined>>();
  return async (guest, quick) => {
    if (!guest.native) return "it is no program of the host";
    const program = `${folder}/${guest.name}${guest.bits}`;
    const building = built.get(program) ?? compile(nativeBuild(guest, program), limits);
    built.set(program, building);
    const reason = await building;
    return reason ?? { program, args: quick ? ["quick"] : [] };
  };
}

async function compile(args: readonly string[], limits: ProcessLimits): Promise<string | undefined> {
  const outcome = await runProgram({ program: GCC, args }, limits);
  if (typeof outcome === "string") return outcome;
  if (outcome.success) return undefined;
  const error = /(fatal )?error: .*/.exec(outcome.stderr)?.[0];
  return `gcc${args.includes("-m32") ? " -m32" : ""}: ${error ?? reasonOf(outcome.stderr) ?? "it fails"}`;
}

/**
 * The arguments with which gcc makes a program of the host that has the guest's size.
 * @param guest The guest, with `native` set.
 * @param output Path of the program.
 */
export function nativeBuild(guest: BenchGuest, output: string): string[] {
  const args = nativeArguments(guest, output).map((each) => each.startsWith("guests/") ? pathOf(each) : each);
  // the last -march counts, while -mfpmath of the guest's own flags is to win
  return guest.bits === 64 ? args : ["-mfpmath=sse", ...args, "-m32", "-march=pentium4"];
}

function pathOf(file: string): string {
  return decodeURIComponent(new URL(file, ROOT).pathname);
}
