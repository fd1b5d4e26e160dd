/**
 * `kvm12 run`.
 * @module
 */

import { BusConflictError } from "../devices/bus.ts";
import { FileEnd } from "../devices/file_end.ts";
import type { HostEnd } from "../devices/host_end.ts";
import { NullEnd } from "../devices/null_end.ts";
import { Pc } from "../devices/pc.ts";
import { StdioEnd } from "../devices/stdio_end.ts";
import { describeUnknownExit, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_UNKNOWN, KvmError, LockstepError } from "../mod.ts";
import type { Vcpu, VcpuExit } from "../mod.ts";
import { crashReport, modeName } from "./crash_report.ts";
import { startDebugging } from "./debugging.ts";
import { CliError, EXIT, lineOf, usageError } from "./errors.ts";
import { hex } from "./format.ts";
import { type CliHost, needPermission, print } from "./host.ts";
import { build, type Machine, readMaterials } from "./machine.ts";
import type { RunCommand, SerialOption } from "./options.ts";
import { runLoop, type RunRecord } from "./run_loop.ts";
import { statsText } from "./stats.ts";
import { EXIT_NAMES } from "./trace.ts";

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
  using end = openSerial(command.serial, host);
  const serial = new CountingEnd(end, serialName(command.serial));
  const pc = createBoard(serial, command.debugExit);
  using machine = build(command, materials, note);
  materials.notes.forEach(note);
  const record = await run(command, machine, pc, serial, host);
  if (command.stats) print(host.stderr, statsText(command, machine, record, serial.sent));
  return conclude(record, machine, command, host);
}

async function run(
  command: RunCommand,
  machine: Machine,
  pc: Pc,
  serial: HostEnd,
  host: CliHost,
): Promise<RunRecord> {
  const { vcpu } = machine;
  using debug = startDebugging(command.debug, machine, host, () => serial.flush());
  try {
    const record = await runLoop({
      vcpu,
      pc,
      serial,
      alarm: vcpu.alarm,
      control: debug.control,
      timeoutMs: command.timeout === undefined ? undefined : command.timeout * 1000,
      trace: debug.trace,
    });
    await debug.ended(record.end.kind === "ended" ? record.end.code : 0);
    return record;
  } catch (error) {
    if (error instanceof LockstepError) throw new CliError(EXIT.ENGINE, `${error.message}\n${error.report}`);
    if (error instanceof KvmError) throw new CliError(EXIT.ENGINE, `${error.message} (${error.code})`);
    throw error;
  }
}

/** Says why the guest ended, where that is not simply its own wish. */
function conclude({ end }: RunRecord, { vm, vcpu }: Machine, command: RunCommand, host: CliHost): number {
  const where = (): string => `${modeName(vcpu.getRegs(), vcpu.getSregs())}, rip=${hex(vcpu.getRegs().rip)}`;
  switch (end.kind) {
    case "ended":
      return end.code;
    case "halted":
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
  if (exit.reason === KVM_EXIT_FAIL_ENTRY) return `${name}, reason ${hex(exit.hardware_entry_failure_reason)},`;
  return name;
}

function serialName(serial: SerialOption): string {
  return serial.kind === "file" ? `'${serial.path}'` : "the serial output";
}

function openSerial(serial: SerialOption, host: CliHost): HostEnd {
  switch (serial.kind) {
    case "null":
      return new NullEnd();
    case "stdio":
      return new StdioEnd({ output: host.stdout, input: () => host.stdin });
    case "file":
      needPermission("the serial output", "write", serial.path);
      try {
        return new FileEnd(serial.path);
      } catch (error) {
        throw new CliError(EXIT.IO, `Cannot write the serial output '${serial.path}': ${lineOf(error)}`);
      }
  }
}

function createBoard(serial: HostEnd, debugExit: number | undefined): Pc {
  try {
    return new Pc({ serial, debugExit });
  } catch (error) {
    if (error instanceof BusConflictError) throw usageError(error.message);
    throw error;
  }
}

/** Counts what passes, and explains what fails. */
class CountingEnd implements HostEnd {
  sent = 0;
  readonly #end: HostEnd;
  readonly #name: string;

  constructor(end: HostEnd, name: string) {
    this.#end = end;
    this.#name = name;
  }

  send(byte: number): void {
    this.sent++;
    try {
      this.#end.send(byte);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  receive(): number {
    return this.#end.receive();
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
