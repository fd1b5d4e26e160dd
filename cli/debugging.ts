/**
 * gdb and traces for a guest that runs on the board.
 * @module
 */

import { Debugger, GdbListener, readSymbols, SymbolError, type SymbolTable, Tracer } from "../core/debug/mod.ts";
import { GuestMemory, linearRip } from "../core/debug/mod.ts";
import { KVM_EXIT_IO, KVM_EXIT_MMIO, type VcpuExit } from "../mod.ts";
import type { DebugOptions, GdbOption, TraceKind, TraceOption } from "./debug_options.ts";
import { CliError, EXIT, lineOf, usageError } from "./errors.ts";
import { type CliHost, needPermission, print, readFile } from "./host.ts";
import type { Machine } from "../machine/machine.ts";
import { traceLine } from "./trace.ts";

/** The largest file of symbols, in bytes. */
const SYMBOLS_MOST = 2 ** 30;
/** A trace file is written in pieces of about so many characters. */
const PIECE = 0x10000;

/** All that looks into one machine. */
export interface Debugging extends Disposable {
  /** What stands between the run loop and the processor; undefined where nothing needs to. */
  readonly control?: Debugger;
  /** What is told of exits, with the processor's number. */
  readonly trace?: (exit: VcpuExit, processor: number) => void;
  /** The guest has ended: tells gdb. */
  ended(code: number): Promise<void>;
}

/**
 * Prepares what the options ask for.
 * @param options The options.
 * @param machine The machine.
 * @param host Where messages and traces go.
 * @param flush Shows what the guest has sent so far, so that all is in order on one terminal.
 * @throws CliError A file or a port cannot be had, or the engine cannot trace that.
 */
export function startDebugging(options: DebugOptions, machine: Machine, host: CliHost, flush: () => void): Debugging {
  using stack = new DisposableStack();
  const { vm, vcpus } = machine;
  const { gdb, trace } = options;
  const output = trace && stack.use(openTrace(trace, host, flush));
  const symbols = trace?.symbols === undefined ? undefined : loadSymbols(trace.symbols);
  const tracer = trace && output && tracerFor(trace, machine, output, symbols);
  const control = gdb !== undefined || tracer !== undefined
    ? new Debugger({ vm, vcpus, architecture: gdb?.architecture, stopped: gdb?.wait, tracer })
    : undefined;
  const listener = gdb && control && stack.use(listen(control, gdb, host));
  const held = stack.move();
  return {
    control,
    trace: trace && output && exitTrace(trace.kinds, machine, output, symbols),
    ended: async (code) => await listener?.exited(code),
    [Symbol.dispose]: () => held.dispose(),
  };
}

/** Where a trace goes. */
interface TraceOutput extends Disposable {
  write(text: string): void;
}

function openTrace({ file }: TraceOption, host: CliHost, flush: () => void): TraceOutput {
  if (file === undefined) {
    return {
      write: (text) => {
        flush();
        print(host.stderr, text);
      },
      [Symbol.dispose]: () => {},
    };
  }
  needPermission("the trace", "write", file);
  const fail = (error: unknown): CliError =>
    new CliError(EXIT.IO, `Cannot write the trace '${file}': ${lineOf(error)}`);
  let opened: Deno.FsFile;
  try {
    opened = Deno.openSync(file, { write: true, create: true, truncate: true });
  } catch (error) {
    throw fail(error);
  }
  let pending = "";
  const send = (): void => {
    const bytes = new TextEncoder().encode(pending);
    pending = "";
    try {
      for (let done = 0; done < bytes.length;) done += opened.writeSync(bytes.subarray(done));
    } catch (error) {
      throw fail(error);
    }
  };
  return {
    write: (text) => {
      pending += text;
      if (pending.length >= PIECE) send();
    },
    [Symbol.dispose]: () => {
      using _file = opened;
      send();
    },
  };
}

function loadSymbols(path: string): SymbolTable {
  const { bytes } = readFile("the symbols", path, SYMBOLS_MOST);
  try {
    return readSymbols(bytes);
  } catch (error) {
    if (error instanceof SymbolError) throw new CliError(EXIT.IO, `Cannot use the symbols '${path}': ${error.message}`);
    throw error;
  }
}

/** Who traces what the run loop does not see; undefined if nothing of the kind is asked for. */
function tracerFor(
  { kinds, instructions }: TraceOption,
  { kvm, vm, vcpu, vcpus }: Machine,
  output: TraceOutput,
  symbols: SymbolTable | undefined,
): Tracer | undefined {
  const interrupts = kinds.has("interrupts"), exceptions = kinds.has("exceptions");
  if ((interrupts || exceptions) && vcpu.observe === undefined) {
    throw usageError(
      `Cannot trace ${interrupts ? "interrupts" : "exceptions"} on the engine "${kvm.backend}": use --backend soft`,
    );
  }
  if (!interrupts && !exceptions && !kinds.has("instructions")) return undefined;
  return new Tracer({
    vcpus,
    memory: new GuestMemory(vm),
    write: (text) => output.write(text),
    instructions: kinds.has("instructions") ? rangeOf(instructions, symbols) : undefined,
    interrupts,
    exceptions,
    symbols,
  });
}

function rangeOf(
  range: TraceOption["instructions"],
  symbols: SymbolTable | undefined,
): { start: bigint; end: bigint } | null {
  if (range === "all") return null;
  if (typeof range !== "string") return range;
  const found = symbols?.find(range);
  if (found === undefined) throw usageError(`Cannot trace '${range}': there is no such symbol`);
  if (found.size === 0n) throw usageError(`Cannot trace '${range}': its symbol has no size`);
  return { start: found.address, end: found.address + found.size - 1n };
}

function exitTrace(
  kinds: ReadonlySet<TraceKind>,
  { vcpus }: Machine,
  output: TraceOutput,
  symbols: SymbolTable | undefined,
): ((exit: VcpuExit, processor: number) => void) | undefined {
  const all = kinds.has("exits"), io = kinds.has("io"), mmio = kinds.has("mmio");
  if (!all && !io && !mmio) return undefined;
  return (exit, processor) => {
    if (!all && !(io && exit.reason === KVM_EXIT_IO) && !(mmio && exit.reason === KVM_EXIT_MMIO)) return;
    const vcpu = vcpus[processor];
    const regs = vcpu.getRegs();
    const name = symbols?.nameOf(linearRip(regs, vcpu.getSregs())) ?? null;
    const which = vcpus.length === 1 ? "" : `[${processor}] `;
    output.write(`${which}${traceLine(exit, regs.rip)}${name === null ? "" : ` <${name}>`}\n`);
  };
}

function listen(debug: Debugger, { hostname, port }: GdbOption, host: CliHost): GdbListener {
  const name = hostname.includes(":") ? `[${hostname}]` : hostname;
  if (Deno.permissions.querySync({ name: "net", host: `${name}:${port}` }).state !== "granted") {
    throw new CliError(EXIT.IO, `Cannot let gdb connect: Deno runs without --allow-net=${name}:${port}`);
  }
  let listener: GdbListener;
  try {
    listener = new GdbListener({ debug, hostname, port });
  } catch (error) {
    throw new CliError(EXIT.IO, `Cannot let gdb connect at ${name}:${port}: ${lineOf(error)}`);
  }
  const what = debug.isStopped ? "the guest waits for gdb" : "gdb can connect";
  print(host.stderr, `kvm12: ${what}: target remote ${name}:${listener.port}\n`);
  return listener;
}
