/**
 * Running a benchmark guest in a process of its own, with its times taken from the arrival of what it prints.
 * @module
 */

import { GuestOutput } from "./guest_output.ts";

/** A program and its arguments. */
export interface ProcessCall {
  /** The program. */
  readonly program: string;
  /** Its arguments. */
  readonly args: readonly string[];
}

/** What one run gave: times in milliseconds, or why there are none. */
export type RunResult =
  | { readonly ok: true; readonly startMs: number; readonly workMs: number; readonly checksum: string }
  | { readonly ok: false; readonly reason: string };

/** What holds a process in bounds. */
export interface ProcessLimits {
  /** When it is killed, milliseconds from its start. */
  readonly deadlineMs: number;
  /** Kills it at once. */
  readonly signal: AbortSignal;
}

/** What a program that ran to its end gave. */
export interface ProgramOutput {
  /** Whether its exit code was 0. */
  readonly success: boolean;
  /** What it printed. */
  readonly stdout: string;
  /** What it complained of. */
  readonly stderr: string;
}

/** How long a program that has given its checksum may take to end. */
const FAREWELL_MS = 3000;
/** How much of standard error is kept, characters. */
const KEPT = 4096;
/** The longest reason, characters. */
const REASON = 120;

/**
 * Runs a guest.
 * @param call The program that runs it.
 * @param name What the guest calls itself.
 * @param limits When it is killed.
 * @returns Its times and checksum. What goes wrong with the process is a reason, not an error.
 * @throws The reason of `limits.signal`, if that is aborted; the process is killed then.
 */
export async function runGuest(call: ProcessCall, name: string, limits: ProcessLimits): Promise<RunResult> {
  const output = new GuestOutput(name);
  const begin = performance.now();
  const outcome = await runProcess(call, limits, (bytes, kill) => {
    output.take(bytes, performance.now());
    if (output.endedAt !== undefined) kill(FAREWELL_MS);
  });
  if (typeof outcome === "string") return { ok: false, reason: outcome };
  const { firstByteAt, startedAt, endedAt, checksum } = output;
  if (firstByteAt !== undefined && startedAt !== undefined && endedAt !== undefined && checksum !== undefined) {
    return { ok: true, startMs: firstByteAt - begin, workMs: endedAt - startedAt, checksum };
  }
  const seconds = limits.deadlineMs / 1000;
  if (outcome.killed) return { ok: false, reason: `not ready after ${seconds} s` };
  return { ok: false, reason: reasonOf(outcome.stderr) ?? `it ended with code ${outcome.code} and gave no checksum` };
}

/**
 * Runs a program that ends by itself.
 * @param call The program.
 * @param limits When it is killed.
 * @returns What it gave, or why it could not be run.
 * @throws The reason of `limits.signal`, if that is aborted.
 */
export async function runProgram(call: ProcessCall, limits: ProcessLimits): Promise<ProgramOutput | string> {
  const decoder = new TextDecoder();
  let stdout = "";
  const outcome = await runProcess(call, limits, (bytes) => stdout += decoder.decode(bytes, { stream: true }));
  if (typeof outcome === "string") return outcome;
  if (outcome.killed) return `not ready after ${limits.deadlineMs / 1000} s`;
  return { success: outcome.code === 0, stdout, stderr: outcome.stderr };
}

/** The first line of a complaint, shortened, without colours and the name of this project's command. */
export function reasonOf(stderr: string): string | undefined {
  // deno-lint-ignore no-control-regex
  const plain = stderr.replace(/\x1b\[[0-9;]*m|^kvm12: /g, "");
  const line = plain.split("\n").map((each) => each.trim()).find((each) => each !== "");
  if (line === undefined) return undefined;
  return line.length <= REASON ? line : `${line.slice(0, REASON - 3)}...`;
}

interface Outcome {
  readonly code: number;
  /** Whether it was killed for being late. */
  readonly killed: boolean;
  readonly stderr: string;
}

type Taker = (bytes: Uint8Array, kill: (afterMs: number) => void) => void;

/** Runs a program to its end or to a limit; no process is left behind. */
async function runProcess(
  { program, args }: ProcessCall,
  limits: ProcessLimits,
  take: Taker,
): Promise<Outcome | string> {
  const { signal, deadlineMs } = limits;
  signal.throwIfAborted();
  const options: Deno.CommandOptions = { args: [...args], stdin: "null", stdout: "piped", stderr: "piped" };
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, { ...options, env: { NO_COLOR: "1" } }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return `there is no ${program} here`;
    return error instanceof Error ? reasonOf(error.message) ?? error.name : String(error);
  }
  let late = false, killed = false;
  const kill = (): void => {
    if (killed) return;
    killed = true;
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended by itself
    }
  };
  const expire = (): void => {
    late = true;
    kill();
  };
  const timers = [setTimeout(expire, deadlineMs)];
  signal.addEventListener("abort", kill);
  try {
    const complaint = collect(child.stderr);
    for await (const bytes of child.stdout) take(bytes, (afterMs) => timers.push(setTimeout(expire, afterMs)));
    const { code } = await child.status;
    const stderr = await complaint;
    signal.throwIfAborted();
    return { code, killed: late, stderr };
  } finally {
    timers.forEach(clearTimeout);
    signal.removeEventListener("abort", kill);
    kill();
    await child.status;
  }
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) if (text.length < KEPT) text += decoder.decode(bytes, { stream: true });
  return text;
}
