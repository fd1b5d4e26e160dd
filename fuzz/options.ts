/**
 * The command line of the fuzzer.
 * @module
 */
import { parseArgs } from "@std/cli";

/** What is to be done. */
export interface FuzzOptions {
  /** Names of the kinds; all if none is named. */
  readonly kinds: readonly string[];
  /** How long, in minutes, all kinds together. */
  readonly minutes: number;
  /** Where the numbers of cases begin, 0 to 2^32 − 1. */
  readonly seed: number;
  /** The only case to run, if there is one. */
  readonly only: number | undefined;
}

/** What `--help` prints. */
export const HELP = `Usage: deno task fuzz [--kind NAME]... [--minutes N] [--seed N]
       deno task fuzz --kind NAME --case N

Random programs on the engine, kind by kind in turns, until the time is over or something differs.

  --kind NAME    only this kind; may be repeated
  --minutes N    how long; 10
  --seed N       the number of the first case of each kind; by the clock, and printed
  --case N       one case of one kind, as a report asks for

Ends with 0 if nothing differs, 1 if something does, 2 for wrong usage.
`;

/** Wrong usage, with a line for the user. */
export class UsageError extends Error {}

/**
 * Reads the command line.
 * @param args The arguments.
 * @param known The names of the kinds.
 * @returns Null where help is asked for.
 * @throws UsageError It cannot be understood.
 */
export function readOptions(args: readonly string[], known: readonly string[]): FuzzOptions | null {
  const options = parseArgs([...args], {
    string: ["kind", "minutes", "seed", "case"],
    collect: ["kind"],
    boolean: ["help"],
    unknown: (argument: string) => {
      throw new UsageError(`Unknown argument ${argument}: see --help`);
    },
  });
  if (options.help) return null;
  const kinds = options.kind as string[];
  for (const kind of kinds) {
    if (!known.includes(kind)) throw new UsageError(`There is no kind ${kind}: there are ${known.join(", ")}`);
  }
  const number = (name: "seed" | "case"): number | undefined => {
    const text = options[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text === "" || !Number.isInteger(value) || value < 0 || value >= 2 ** 32) {
      throw new UsageError(`--${name} is a whole number from 0 to 2^32 − 1, not ${text}`);
    }
    return value;
  };
  const minutes = Number(options.minutes ?? 10);
  if (!(minutes > 0) || options.minutes === "") {
    throw new UsageError(`--minutes is a number above 0, not ${options.minutes}`);
  }
  const only = number("case");
  if (only !== undefined && kinds.length !== 1) throw new UsageError("--case needs one --kind");
  return { kinds, minutes, seed: number("seed") ?? Date.now() >>> 0, only };
}
