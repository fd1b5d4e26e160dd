/**
 * Where the measurements were made, and with which versions.
 * @module
 */

import type { ExecutorName } from "./executors.ts";
import { type ProcessLimits, runProgram } from "./process.ts";
import { V86_VERSION } from "./v86_peer.ts";

/** The machine and the programs. */
export interface Machine {
  /** The processor's name. */
  readonly processor: string;
  /** How many processors there are. */
  readonly processors: number;
  /** Name and version of each program that took part. */
  readonly versions: readonly string[];
}

/**
 * Asks.
 * @param executors Who takes part.
 * @param limits For the programs that are asked for their versions.
 */
export async function describeMachine(executors: readonly ExecutorName[], limits: ProcessLimits): Promise<Machine> {
  const versions = [`Deno ${Deno.version.deno} (V8 ${Deno.version.v8})`];
  const ask = async (name: string, program: string): Promise<void> => {
    const outcome = await runProgram({ program, args: ["--version"] }, limits);
    if (typeof outcome !== "string") versions.push(`${name} ${versionIn(outcome.stdout)}`);
  };
  if (executors.includes("tcg")) await ask("QEMU", "qemu-system-x86_64");
  if (executors.includes("v86")) versions.push(`v86 ${V86_VERSION}`);
  if (executors.includes("native")) await ask("gcc", "gcc");
  return { processor: await processorName(limits), processors: navigator.hardwareConcurrency, versions };
}

/** A machine in one line. */
export function machineLine({ processor, processors, versions }: Machine): string {
  return [`${processor}, ${processors} ${processors === 1 ? "processor" : "processors"}`, ...versions].join("; ");
}

/**
 * The version in what a program answers to `--version`: behind "version", or else the last word of the first line.
 * @param text What it answers.
 */
export function versionIn(text: string): string {
  const line = text.split("\n")[0].trim();
  return /version (\S+)/.exec(line)?.[1] ?? line.split(" ").at(-1)!;
}

/** Deno itself may read what is in /proc only with all permissions. */
async function processorName(limits: ProcessLimits): Promise<string> {
  const outcome = await runProgram({ program: "grep", args: ["-m1", "model name", "/proc/cpuinfo"] }, limits);
  const name = typeof outcome === "string" ? undefined : /: (.+)/.exec(outcome.stdout)?.[1].trim();
  return name ?? `${Deno.build.arch} on ${Deno.build.os}`;
}
