/**
 * The options of `deno task bench`.
 * @module
 */

import { type OptionRow, parseArguments } from "../cli/arguments.ts";
import { usageError } from "../cli/errors.ts";
import { parseNumber, parseSeconds } from "../cli/values.ts";
import { BENCH_GUESTS, type BenchGuest } from "../guests/bench/list.ts";
import { EXECUTOR_NAMES, type ExecutorName } from "./executors.ts";

/** What is to be measured, and how it is shown. */
export interface BenchOptions {
  /** Runs of each guest on each executor. */
  readonly rounds: number;
  /** Which guests. */
  readonly guests: readonly BenchGuest[];
  /** On which executors. */
  readonly executors: readonly ExecutorName[];
  /** When a run is killed, milliseconds. */
  readonly deadlineMs: number;
  /** Whether guests do their short form. */
  readonly quick: boolean;
  /** Whether exits are measured as well. */
  readonly exits: boolean;
  /** How the result is shown. */
  readonly format: "text" | "markdown" | "json";
}

const ROWS: readonly OptionRow[] = [
  { name: "rounds", value: "N", help: "" },
  { name: "guest", value: "NAME", repeat: true, help: "" },
  { name: "executor", value: "NAME", repeat: true, help: "" },
  { name: "deadline", value: "SECONDS", help: "" },
  { name: "quick", help: "" },
  { name: "json", help: "" },
  { name: "markdown", help: "" },
  { name: "help", short: "h", help: "" },
];

/** What `--help` prints. */
export const HELP: string = `deno task bench [OPTION]...

Runs the guests of guests/bench/ on this project and its peers, in turns, and
compares the times.

  --rounds N            runs of each guest on each executor; 3
  --guest NAME,...      only these guests, as sieve or sieve32; then exits are
                        not measured
  --executor NAME,...   only these: ${EXECUTOR_NAMES.slice(0, 4).join(", ")},
                        ${EXECUTOR_NAMES.slice(4).join(", ")}
  --deadline SECONDS    a run that takes longer is killed; 60
  --quick               about a fortieth of the work: to see that all runs, not
                        for times
  --json                the result for machines
  --markdown            the result for a document
  -h, --help            print this

--guest and --executor can be repeated. Exit codes: 0 all is measured or has a
reason not to be; 1 a checksum is wrong, or it could not be measured; 2 wrong
usage; 130 broken off by Ctrl-C, with what was measured until then.
`;

const DEFAULT_ROUNDS = 3, MOST_ROUNDS = 1000, DEFAULT_DEADLINE_MS = 60_000;

/**
 * Understands the options.
 * @param args The command line.
 * @returns The options, or `"help"`.
 * @throws CliError The call is wrong.
 */
export function parseBench(args: readonly string[]): BenchOptions | "help" {
  const { values, positional } = parseArguments(args, ROWS);
  if (values.has("help")) return "help";
  if (positional.length > 0) throw usageError(`Cannot use '${positional[0]}': --guest names guests; see --help`);
  if (values.has("json") && values.has("markdown")) throw usageError("Cannot use --json with --markdown");
  const one = (name: string): string | undefined => values.get(name)?.[0];
  const list = (name: string): string[] | undefined => values.get(name)?.flatMap((each) => each.split(","));
  const rounds = one("rounds"), deadline = one("deadline");
  const guests = list("guest"), executors = list("executor");
  return {
    rounds: rounds === undefined ? DEFAULT_ROUNDS : parseNumber("--rounds", rounds, { min: 1, max: MOST_ROUNDS }),
    guests: guests === undefined ? BENCH_GUESTS : guests.flatMap(guestsOf),
    executors: executors === undefined ? EXECUTOR_NAMES : executors.map(executorOf),
    deadlineMs: deadline === undefined ? DEFAULT_DEADLINE_MS : parseSeconds("--deadline", deadline) * 1000,
    quick: values.has("quick"),
    exits: guests === undefined,
    format: values.has("json") ? "json" : values.has("markdown") ? "markdown" : "text",
  };
}

function guestsOf(name: string): BenchGuest[] {
  const found = BENCH_GUESTS.filter((each) => each.name === name || `${each.name}${each.bits}` === name);
  if (found.length > 0) return found;
  const names = [...new Set(BENCH_GUESTS.map((each) => each.name))];
  throw usageError(`Cannot use '${name}' for --guest: it must be ${names.join(", ")}, with or without 32 or 64`);
}

function executorOf(name: string): ExecutorName {
  const found = EXECUTOR_NAMES.find((each) => each === name);
  if (found === undefined) {
    throw usageError(`Cannot use '${name}' for --executor: it must be ${EXECUTOR_NAMES.join(" or ")}`);
  }
  return found;
}
