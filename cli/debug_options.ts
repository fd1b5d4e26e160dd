/**
 * The options of `kvm12 run` that let a person look into a guest: gdb and traces.
 * @module
 */

import type { Arguments, OptionRow } from "./arguments.ts";
import { usageError } from "./errors.ts";
import { parseBigint, parseNumber } from "./values.ts";

/** What can be traced. */
export type TraceKind = "exits" | "io" | "mmio" | "interrupts" | "exceptions" | "instructions";

const TRACE_KINDS: readonly TraceKind[] = ["exits", "io", "mmio", "interrupts", "exceptions", "instructions"];
const ADDRESS_MOST = (1n << 64n) - 1n;

/** The options. */
export const DEBUG_OPTIONS: readonly OptionRow[] = [
  {
    name: "gdb",
    value: "[HOST:]PORT",
    help: "let gdb debug the guest: target remote HOST:PORT; needs --allow-net; HOST is 127.0.0.1",
  },
  { name: "gdb-arch", value: "x86-64|i386", help: "the registers that gdb gets to see; x86-64" },
  { name: "wait", help: "with --gdb: begin stopped, until gdb lets the guest run" },
  {
    name: "trace",
    value: "KIND[,KIND]...",
    help: "write what happens, on stderr: exits, io, mmio, interrupts, exceptions, instructions[=RANGE]; " +
      "RANGE is FIRST..LAST, FIRST+LENGTH or a function of --symbols",
  },
  { name: "trace-file", value: "PATH", help: "where traces go instead of stderr" },
  { name: "symbols", value: "FILE", help: "an ELF file with the guest's symbols, for traces" },
];

/** Where gdb can connect, and what it gets to see. */
export interface GdbOption {
  /** The address to listen on. */
  readonly hostname: string;
  /** The port; 0 for any that is free. */
  readonly port: number;
  /** Which registers. */
  readonly architecture: "i386" | "i386:x86-64";
  /** Whether the guest begins stopped. */
  readonly wait: boolean;
}

/** Which instructions are traced: linear addresses, both included; or the function of that name; or all. */
export type InstructionRange = { readonly start: bigint; readonly end: bigint } | string | "all";

/** What is traced, and where it goes. */
export interface TraceOption {
  /** What is traced. */
  readonly kinds: ReadonlySet<TraceKind>;
  /** Which instructions. */
  readonly instructions: InstructionRange;
  /** A file; none: standard error. */
  readonly file?: string;
  /** An ELF file with symbols. */
  readonly symbols?: string;
}

/** The options, understood. */
export interface DebugOptions {
  /** Where gdb can connect. */
  readonly gdb?: GdbOption;
  /** What is traced. */
  readonly trace?: TraceOption;
}

/**
 * Understands the options.
 * @param values The command line taken apart.
 * @throws CliError The call is wrong.
 */
export function parseDebugOptions({ values }: Arguments): DebugOptions {
  const one = (name: string): string | undefined => values.get(name)?.[0];
  return {
    gdb: parseGdb(one("gdb"), one("gdb-arch"), values.has("wait")),
    trace: parseTrace(one("trace"), one("trace-file"), one("symbols")),
  };
}

function parseGdb(text: string | undefined, arch: string | undefined, wait: boolean): GdbOption | undefined {
  if (text === undefined) {
    if (wait) throw usageError("Cannot use --wait without --gdb: nobody would let the guest run");
    if (arch !== undefined) throw usageError("Cannot use --gdb-arch without --gdb");
    return undefined;
  }
  if (arch !== undefined && arch !== "i386" && arch !== "x86-64") {
    throw usageError(`Cannot use '${arch}' for --gdb-arch: it must be x86-64 or i386`);
  }
  const [, host, port] = /^(?:(.*):)?([^:]*)$/s.exec(text)!;
  return {
    hostname: host === undefined || host === "" ? "127.0.0.1" : host.replace(/^\[(.*)\]$/, "$1"),
    port: parseNumber("the port of --gdb", port, { max: 0xffff }),
    architecture: arch === "i386" ? "i386" : "i386:x86-64",
    wait,
  };
}

function parseTrace(
  text: string | undefined,
  file: string | undefined,
  symbols: string | undefined,
): TraceOption | undefined {
  if (text === undefined) {
    if (file !== undefined) throw usageError("Cannot use --trace-file without --trace");
    if (symbols !== undefined) throw usageError("Cannot use --symbols without --trace");
    return undefined;
  }
  const kinds = new Set<TraceKind>();
  let instructions: InstructionRange = "all";
  for (const part of text.split(",")) {
    const [, name, range] = /^([^=]*)(?:=(.*))?$/s.exec(part)!;
    const kind = TRACE_KINDS.find((each) => each === name);
    if (kind === undefined) {
      throw usageError(`Cannot use '${part}' for --trace: it must be ${TRACE_KINDS.join(" or ")}`);
    }
    if (range !== undefined) {
      if (kind !== "instructions") throw usageError(`Cannot use '${part}' for --trace: only instructions have a range`);
      instructions = parseRange(range);
      if (typeof instructions === "string" && symbols === undefined) {
        throw usageError(`Cannot use '${part}' for --trace: a name needs --symbols`);
      }
    }
    kinds.add(kind);
  }
  return { kinds, instructions, file, symbols };
}

function parseRange(text: string): InstructionRange {
  if (/^[A-Za-z_.$]/.test(text)) return text;
  const match = /^([^.+]+)(\.\.|\+)([^.+]+)$/.exec(text);
  if (match === null) {
    throw usageError(`Cannot use '${text}' as a range of --trace: it must be FIRST..LAST, FIRST+LENGTH or a name`);
  }
  const what = "an address of --trace";
  const start = parseBigint(what, match[1], { max: ADDRESS_MOST });
  const end = match[2] === "+"
    ? start + parseBigint("the length of --trace", match[3], { min: 1n, max: ADDRESS_MOST - start + 1n }) - 1n
    : parseBigint(what, match[3], { min: start, max: ADDRESS_MOST });
  return { start, end };
}
