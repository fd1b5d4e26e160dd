/**
 * Taking a command line apart by a table of options. The same table makes the help.
 * @module
 */

import { usageError } from "./errors.ts";

/** One option. */
export interface OptionRow {
  /** Its name, without the dashes. */
  readonly name: string;
  /** Its one-letter name, without the dash. */
  readonly short?: string;
  /** What its value is called; none: it takes no value. */
  readonly value?: string;
  /** Whether it may stand without its value; then only a number behind it is taken for one. */
  readonly optional?: boolean;
  /** Whether it may be given more than once. */
  readonly repeat?: boolean;
  /** What it does, for the help. */
  readonly help: string;
}

/** A command line taken apart. */
export interface Arguments {
  /** What is no option. */
  readonly positional: readonly string[];
  /** The values by option name; `""` where there is none. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/**
 * Takes a command line apart: `--name value`, `--name=value`, `-name value`, `-n value`, `-nvalue`; `--` ends the options.
 * @param args The command line.
 * @param rows The options there are.
 * @throws CliError An option is unknown, given twice, or without its value, or has one that it does not take.
 */
export function parseArguments(args: readonly string[], rows: readonly OptionRow[]): Arguments {
  const positional: string[] = [];
  const values = new Map<string, string[]>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") {
      positional.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      positional.push(arg);
      continue;
    }
    const { name, row, attached } = split(arg, rows);
    if (row === undefined) throw usageError(`Cannot use '${name}': there is no such option; see --help`);
    if (values.has(row.name) && !row.repeat) throw usageError(`Cannot use '${name}' twice: it has one value`);
    let value = attached;
    if (row.value === undefined) {
      if (value !== undefined) throw usageError(`Cannot use '${arg}': ${name} takes no value`);
    } else if (value === undefined) {
      const next = args[i + 1];
      if (row.optional ? /^[0-9]/.test(next ?? "") : next !== undefined && !/^-[^0-9]/.test(next)) {
        value = next;
        i++;
      }
    }
    if (row.value !== undefined && !row.optional && (value === undefined || value === "")) {
      throw usageError(`Cannot use '${name}' alone: it needs ${row.value}`);
    }
    values.set(row.name, [...values.get(row.name) ?? [], value ?? ""]);
  }
  return { positional, values };
}

/** An argument's option, and the value that hangs on it. */
interface Split {
  readonly name: string;
  readonly row?: OptionRow;
  readonly attached?: string;
}

function split(arg: string, rows: readonly OptionRow[]): Split {
  if (!arg.startsWith("--")) {
    const long = rows.find(({ name }) => `-${name}` === arg); // as QEMU writes them
    if (long !== undefined) return { name: arg, row: long };
    const row = rows.find(({ short }) => short === arg[1]);
    const rest = arg.slice(2);
    return { name: arg.slice(0, 2), row, attached: rest === "" ? undefined : rest.replace(/^=/, "") };
  }
  const at = arg.indexOf("=");
  const name = at < 0 ? arg : arg.slice(0, at);
  return { name, row: rows.find((row) => `--${row.name}` === name), attached: at < 0 ? undefined : arg.slice(at + 1) };
}
