/**
 * `kvm12 run`.
 * @module
 */

import { FileEnd } from "../devices/file_end.ts";
import type { HostEnd } from "../devices/host_end.ts";
import { NullEnd } from "../devices/null_end.ts";
import { StdioEnd } from "../devices/stdio_end.ts";
import type { Machine } from "../machine/machine.ts";
import type { RunRecord } from "../machine/run_loop.ts";
import {
  describeFailEntry,
  describeUnknownExit,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_UNKNOWN,
  KvmError,
  LockstepError,
} from "../mod.ts";
import type { Vcpu, VcpuExit } from "../mod.ts";
import { crashReport, modeName } from "./crash_report.ts";
import { CliError, EXIT, lineOf, usageError } from "./errors.ts";
import { OpenDrives } from "./drives.ts";
import { hex } from "./format.ts";
import { type CliHost, needPermission, print } from "./host.ts";
import { build, readMaterials } from "./machine.ts";
import type { RunCommand, SerialOption } from "./options.ts";
import { openShares } from "./shares.ts";
import { ScreenWatch } from "./screen_watch.ts";
import { typedInput } from "./serial_terminal.ts";
import { statsText } from "./stats.ts";
import { RawTerminal } from "./terminal_mode.ts";
import { EXIT_NAMES } from "./trace.ts";

/** The signals that end the program, as `kill` numbers them: they make its exit code. */
const SIGNAL_NUMBERS: Partial<Record<Deno.Signal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15, SIGBREAK: 21 };
/** What the outputs of a guest are called in messages. */
const SERIAL_OUTPUT = "the serial output",
  CONSOLE_OUTPUT = "the console's output",
  DEBUG_OUTPUT = "the debug console's output";

/**
 * Runs a guest and says how it ended.
 * @param command What to run.
 * @param host The streams.
 * @returns The exit code.
 * @throws CliError It could not be run.
 */
export async function runCommand(command: RunCommand, host: CliHost): Promise<number> {
  const note = (line: string): void => print(host.stderr, `kvm12: ${line}\n`);
  const materials = readMaterials(command);
  const quit = new AbortController();
  let signal: Deno.Signal | undefined;
  const { virtioConsole } = command;
  const terminal = [command.serial, virtioConsole].some((each) => each?.kind === "stdio") ? host.terminal : undefined;
  const signalled = (name: Deno.Signal): void => {
    signal = name;
    quit.abort();
  };
  using _raw = terminal && new RawTerminal({ host: terminal, signalled });
  const typed = terminal && typedInput(host.stdin, () => quit.abort());
  using end = openEnd(command.serial, SERIAL_OUTPUT, host, typed);
  let told = (_byte: number): void => {};
  const serial = new CountingEnd(end, nameOf(command.serial, SERIAL_OUTPUT), (byte) => told(byte));
  using consoleEnd = virtioConsole && openEnd(virtioConsole, CONSOLE_OUTPUT, host, typed);
  const hvc = consoleEnd && virtioConsole &&
    new CountingEnd(consoleEnd, nameOf(virtioConsole, CONSOLE_OUTPUT), (byte) => told(byte));
  using debugEnd = openEnd(command.debugConsole, DEBUG_OUTPUT, host);
  const debugConsole = new CountingEnd(debugEnd, nameOf(command.debugConsole, DEBUG_OUTPUT));
  using drives = new OpenDrives(command.drives.drives);
  if (!materials.pc && (command.shares.length > 0 || command.entropy || hvc !== undefined)) {
    const what = "Cannot use --share, --entropy or --virtio-console";
    throw usageError(`${what}: without kernel, drive and --bios the machine has no PCI`);
  }
  const shares = openShares(command.shares, note);
  if (!materials.pc && command.net !== undefined && command.net.card !== "ne2k_isa") {
    throw usageError("Cannot use this network card: without kernel, drive and --bios the machine has no PCI");
  }
  using open = command.net && new (await import("./network.ts")).OpenNetwork(command.net, note);
  const parts = { materials, drives, shares, network: open?.board, serial, virtioConsole: hvc, note };
  using built = await build(command, { ...parts, debugConsole: (byte) => debugConsole.send(byte) });
  const { machine } = built;
  await open?.start();
  const watch = new ScreenWatch(command.screen, machine.pc.vga, () => quit.abort());
  told = (byte) => watch.sent(byte);
  materials.notes.forEach(note);
  const outputs = [serial, debugConsole, ...hvc === undefined ? [] : [hvc]];
  const record = await run(command, machine, { outputs, host, signal: quit.signal, onTurn: () => watch.look() });
  await watch.keep();
  if (command.stats) print(host.stderr, statsText(materials.regions, machine, record, serial.sent));
  return signal === undefined ? conclude(record, machine, command, host) : 128 + SIGNAL_NUMBERS[signal]!;
}

/** Who else takes part in a run. */
interface RunPartners {
  readonly outputs: readonly HostEnd[];
  readonly host: CliHost;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called now and then. */
  readonly onTurn: () => void;
}

async function run(
  command: RunCommand,
  machine: Machine,
  { outputs, host, signal, onTurn }: RunPartners,
): Promise<RunRecord> {
  const { gdb, trace } = command.debug;
  using debug = gdb === undefined && trace === undefined
    ? undefined
    : (await import("./debugging.ts")).startDebugging(command.debug, machine, host, () =>
      outputs.forEach((each) =>
        each.flush()
      ));
  try {
    const record = await machine.run({
      outputs,
      signal,
      onTurn,
      reboot: command.reboot,
      // A firmware sees to a crashed system; for an image that is entered without one, a crash is the end.
      rebootOnCrash: command.reboot && command.image === undefined,
      control: debug?.control,
      timeoutMs: command.timeout === undefined ? undefined : command.timeout * 1000,
      trace: debug?.trace,
    });
    await debug?.ended(record.end.kind === "ended" ? record.end.code : 0);
    return record;
  } catch (error) {
    if (error instanceof LockstepError) throw new CliError(EXIT.ENGINE, `${error.message}\n${error.report}`);
    if (error instanceof KvmError) throw new CliError(EXIT.ENGINE, `${error.message} (${error.code})`);
    throw error;
  }
}

/** Says why the guest ended, where that is not simply its own wish. */
function conclude({ end }: RunRecord, { vm, vcpus }: Machine, command: RunCommand, host: CliHost): number {
  const vcpu = vcpus["processor" in end ? end.processor : 0];
  const where = (): string => `${modeName(vcpu.getRegs(), vcpu.getSregs())}, rip=${hex(vcpu.getRegs().rip)}`;
  switch (end.kind) {
    case "ended":
      return end.code;
    case "halted":
    case "reset":
    case "stopped":
      return EXIT.OK;
    case "timeout":
      print(host.stderr, `kvm12: the time is over after ${command.timeout} s: ${where()}\n`);
      return EXIT.TIMEOUT;
    case "shutdown":
      print(host.stderr, `kvm12: the guest crashed: triple fault in ${where()}\n${crashReport(vm, vcpu)}`);
      return EXIT.CRASH;
    case "stuck":
      print(
        host.stderr,
        `kvm12: the engine cannot go on: ${stuckReason(end.exit, vcpu)} in ${where()}\n${crashReport(vm, vcpu)}`,
      );
      return EXIT.ENGINE;
  }
}

function stuckReason(exit: VcpuExit, vcpu: Vcpu): string {
  const name = EXIT_NAMES[exit.reason];
  if (exit.reason === KVM_EXIT_UNKNOWN) return `${name}, ${describeUnknownExit(vcpu.shared)},`;
  if (exit.reason === KVM_EXIT_FAIL_ENTRY) return `${name}, ${describeFailEntry(exit.hardware_entry_failure_reason)},`;
  return name;
}

function nameOf(end: SerialOption, what: string): string {
  return end.kind === "file" ? `'${end.path}'` : what;
}

function openEnd(end: SerialOption, what: string, host: CliHost, typed?: ReadableStream<Uint8Array>): HostEnd {
  switch (end.kind) {
    case "null":
      return new NullEnd();
    case "stdio":
      return new StdioEnd({ output: host.stdout, input: () => typed ?? host.stdin });
    case "file":
      needPermission(what, "write", end.path);
      try {
        return new FileEnd(end.path);
      } catch (error) {
        throw new CliError(EXIT.IO, `Cannot write ${what} '${end.path}': ${lineOf(error)}`);
      }
  }
}

/** Counts what passes, and explains what fails. */
class CountingEnd implements HostEnd {
  sent = 0;
  readonly #end: HostEnd;
  readonly #name: string;
  readonly #told: (byte: number) => void;

  constructor(end: HostEnd, name: string, told: (byte: number) => void = () => {}) {
    this.#end = end;
    this.#name = name;
    this.#told = told;
  }

  send(byte: number): void {
    this.sent++;
    this.#told(byte);
    try {
      this.#end.send(byte);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  receive(): number {
    return this.#end.receive();
  }

  get ended(): boolean {
    return this.#end.ended ?? true;
  }

  onInput(listener: () => void): void {
    this.#end.onInput?.(listener);
  }

  flush(): void {
    try {
      this.#end.flush();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  [Symbol.dispose](): void {}

  #explain(error: unknown): CliError {
    return new CliError(EXIT.IO, `Cannot write ${this.#name}: ${lineOf(error)}`);
  }
}
