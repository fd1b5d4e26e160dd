/**
 * Machines for tests: started in the background, watched and driven by a program.
 * @module
 */

import { BufferEnd } from "../devices/buffer_end.ts";
import type { Pc } from "../devices/pc.ts";
import { encodePng } from "../devices/video/png.ts";
import type { Vga, VgaFrame } from "../devices/video/vga.ts";
import type { ExpectOptions } from "./boot_options.ts";
import { buildMachine, type BuiltMachine, type MachineConfig } from "./build.ts";
import type { Vcpu, Vm } from "../mod.ts";
import type { Machine } from "./machine.ts";
import { ExpectError } from "./expect_error.ts";
import type { RunEnd, RunRecord } from "./run_loop.ts";

/** How long something is waited for unless told otherwise, in milliseconds. */
const PATIENCE_MS = 60_000;
/** So many of the last lines are in a message. */
const LINES_SHOWN = 25;

/** What a machine is booted from. */
export interface BootConfig extends Omit<MachineConfig, "board"> {
  /** What the board is made from, but for its serial line. */
  readonly board?: Omit<MachineConfig["board"], "serial">;
  /** Whether a reset by the guest is followed; it ends the machine unless told. */
  readonly reboot?: boolean;
  /** Milliseconds after which the machine is stopped, whatever it does; two minutes unless told. */
  readonly timeoutMs?: number;
}

/** Somebody who waits. */
interface Waiting {
  /** Looks; true: it is there, or will never be. */
  readonly look: () => boolean;
  readonly resolve: () => void;
}

/** What a machine shows: text that grows or changes. */
class Watch {
  readonly #waiting = new Set<Waiting>();

  /** Looks again, for something may have changed. */
  look(): void {
    for (const each of this.#waiting) {
      if (each.look()) each.resolve();
    }
  }

  /** Waits until `look` says yes or the time is over. */
  async until(look: () => boolean, milliseconds: number): Promise<void> {
    if (look()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    const waiting = { look, resolve };
    this.#waiting.add(waiting);
    await promise;
    this.#waiting.delete(waiting);
    clearTimeout(timer);
  }
}

/** What an expectation looks at. */
interface Expectation {
  readonly watch: Watch;
  /** The text that is searched. */
  readonly text: () => string;
  /** How the machine has ended, in words, once it has. */
  readonly ended: () => string | undefined;
  /** What the text is called in messages. */
  readonly name: string;
}

/** Waits for a text or pattern. */
async function expectIn(
  { watch, text, ended, name }: Expectation,
  wanted: RegExp | string,
  { timeoutMs = PATIENCE_MS }: ExpectOptions,
): Promise<RegExpExecArray> {
  const pattern = typeof wanted === "string" ? new RegExp(RegExp.escape(wanted)) : wanted;
  let found: RegExpExecArray | null = null, end: string | undefined;
  await watch.until(() => {
    end = ended(); // what came before the end is in the text
    pattern.lastIndex = 0;
    found = pattern.exec(text());
    return found !== null || end !== undefined;
  }, timeoutMs);
  if (found !== null) return found;
  const shown = text().split("\n").slice(-LINES_SHOWN).join("\n").trimEnd();
  const what = shown === "" ? `there is nothing on ${name}` : `this is on ${name}:\n${shown}`;
  const label = typeof wanted === "string" ? JSON.stringify(wanted) : String(wanted);
  throw new ExpectError(`Cannot find ${label}: ${end ?? `${timeoutMs} ms are over`}; ${what}`);
}

/** COM1 of a machine that a program drives. */
export class SerialConsole {
  readonly #end: BufferEnd;
  readonly #expectation: Expectation;
  /** Up to where the output has been taken by {@linkcode expect}. */
  #taken = 0;

  /**
   * Use `boot`.
   * @param end The line.
   * @param watch Who is told that something may have changed, and how the machine has ended.
   */
  constructor(end: BufferEnd, watch: Pick<Expectation, "watch" | "ended">) {
    this.#end = end;
    this.#expectation = { ...watch, text: () => this.text.slice(this.#taken), name: "COM1" };
    end.onOutput(() => watch.watch.look());
  }

  /** All that the guest has sent so far. */
  get text(): string {
    return this.#end.text;
  }

  /**
   * Sends to the guest, as if it were typed.
   * @param text What; a line ends with `"\n"` or, as a terminal's Enter key does, `"\r"`.
   */
  write(text: string): void {
    this.#end.write(text);
  }

  /**
   * Waits until the guest has sent something, behind what an earlier call has found.
   * @param wanted The text, or a pattern.
   * @param options How long.
   * @returns What was found, with the pattern's groups.
   * @throws ExpectError It did not come in time, or the machine has ended before.
   */
  async expect(wanted: RegExp | string, options: ExpectOptions = {}): Promise<RegExpExecArray> {
    const found = await expectIn(this.#expectation, wanted, options);
    this.#taken += found.index + found[0].length;
    return found;
  }
}

/** The screen of a machine that a program drives. */
export class Screen {
  readonly #vga: Vga | undefined;
  readonly #expectation: Expectation;
  readonly #watch: Watch;
  #changes = -1;

  /**
   * Use `boot`.
   * @param vga The adapter; none: the screen is dark.
   * @param watch Who is told that something may have changed, and how the machine has ended.
   */
  constructor(vga: Vga | undefined, watch: Pick<Expectation, "watch" | "ended">) {
    this.#vga = vga;
    this.#watch = watch.watch;
    this.#expectation = { ...watch, text: () => this.text(), name: "the screen" };
  }

  /** What stands on the screen: its lines without blanks at their ends and below the last; nothing in a graphics mode. */
  text(): string {
    return this.#vga?.lines().join("\n").trimEnd() ?? "";
  }

  /** The picture; none where there is no screen. */
  frame(): VgaFrame | undefined {
    return this.#vga?.frame();
  }

  /**
   * The picture as a PNG file.
   * @throws ExpectError There is no screen.
   */
  async png(): Promise<Uint8Array> {
    const frame = this.frame();
    if (frame === undefined) throw new ExpectError("Cannot take a picture: the machine has no screen");
    return await encodePng(frame);
  }

  /**
   * Waits until something stands on the screen.
   * @param wanted The text, or a pattern for all lines.
   * @param options How long.
   * @returns What was found, with the pattern's groups.
   * @throws ExpectError It did not come in time, or the machine has ended before.
   */
  async expect(wanted: RegExp | string, options: ExpectOptions = {}): Promise<RegExpExecArray> {
    return await expectIn(this.#expectation, wanted, options);
  }

  /** Looks whether something is new; the machine calls it in each turn. */
  poll(): void {
    const changes = this.#vga?.changes ?? -1;
    if (changes === this.#changes) return;
    this.#changes = changes;
    this.#watch.look();
  }
}

/** The keyboard of a machine that a program drives. */
export class TestKeyboard {
  readonly #pc: Pc;

  /**
   * Use `boot`.
   * @param pc The board.
   */
  constructor(pc: Pc) {
    this.#pc = pc;
  }

  /**
   * Types a text on a US layout, no faster than the guest takes it.
   * @param text Printable ASCII; `"\n"` is the Enter key.
   * @throws RangeError A US keyboard has no key for some of it.
   */
  type(text: string): void {
    this.#pc.keyboard.keyboard.type(text);
    this.#pc.wake();
  }

  /**
   * Presses keys together, and lets them go.
   * @param codes Their names, as `KeyboardEvent.code` has them: `press("ControlLeft", "KeyC")`.
   * @throws RangeError There is no such key.
   */
  press(...codes: readonly string[]): void {
    const down = codes.map((code) => ({ code, down: true }));
    this.#pc.keyboard.keyboard.play([...down, ...down.toReversed().map(({ code }) => ({ code, down: false }))]);
    this.#pc.wake();
  }
}

/** A machine that runs in the background. */
export class BootedMachine implements AsyncDisposable {
  /** The machine. */
  readonly machine: Machine;
  /** COM1. */
  readonly serial: SerialConsole;
  /** The screen. */
  readonly screen: Screen;
  /** The keyboard. */
  readonly keyboard: TestKeyboard;
  readonly #built: BuiltMachine;
  readonly #stop: AbortController = new AbortController();
  readonly #run: Promise<RunRecord>;
  #ended: string | undefined;

  /**
   * Use `boot`.
   * @param built The machine, which is closed with this.
   * @param line The other end of its COM1.
   * @param config How it runs.
   */
  constructor(built: BuiltMachine, line: BufferEnd, config: Pick<BootConfig, "reboot" | "timeoutMs">) {
    const { machine } = built;
    const { reboot = false, timeoutMs = 2 * PATIENCE_MS } = config;
    this.#built = built;
    this.machine = machine;
    const watch = new Watch();
    const ended = (): string | undefined => this.#ended;
    this.serial = new SerialConsole(line, { watch, ended });
    this.screen = new Screen(machine.pc.vga, { watch, ended });
    this.keyboard = new TestKeyboard(machine.pc);
    machine.pc.attended = true;
    this.#run = machine.run({
      outputs: [line],
      reboot,
      timeoutMs,
      signal: this.#stop.signal,
      onTurn: () => this.screen.poll(),
    });
    const settle = (words: string): void => {
      this.#ended = words;
      watch.look();
    };
    this.#run.then(({ end }) => settle(wordsFor(end)), (error) => settle(`the machine has failed: ${error}`));
  }

  /** Its memory. */
  get vm(): Vm {
    return this.machine.vm;
  }

  /** Its processors. */
  get vcpus(): readonly Vcpu[] {
    return this.machine.vcpus;
  }

  /**
   * How the machine ends.
   * @returns When it has.
   * @throws KvmError The engine refuses to run.
   */
  get ended(): Promise<RunRecord> {
    return this.#run;
  }

  /**
   * Waits for the guest's own end.
   * @param options How long.
   * @returns The exit code: 0 for power-off and for HLT that nothing can wake, otherwise what debug-exit was given.
   * @throws ExpectError It ended in another way, or not in time.
   */
  async exitCode(options: ExpectOptions = {}): Promise<number> {
    const { timeoutMs = PATIENCE_MS } = options;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), timeoutMs);
    const record = await Promise.race([this.#run, late.promise]);
    clearTimeout(timer);
    if (record === undefined) throw new ExpectError(`The machine still runs after ${timeoutMs} ms`);
    const { end } = record;
    if (end.kind === "ended") return end.code;
    if (end.kind === "halted") return 0;
    throw new ExpectError(`The machine did not end by itself: ${wordsFor(end)}`);
  }

  /** Stops the machine and closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    try {
      await this.#run;
    } catch {
      // who waits for `ended` is told
    }
    this.#built[Symbol.dispose]();
  }
}

/**
 * Boots a machine in the background of this program.
 * @param config What it is made from.
 * @returns The machine, to be stopped with `await using`.
 * @throws KvmError The engine cannot be had, or refuses something.
 *
 * @example
 * ```ts
 * import { boot } from "./boot.ts";
 *
 * await using vm = boot({
 *   regions: [{ slot: 0, base: 0xffff_0000, size: 0x10000 }],
 *   start(vm) {
 *     // At the reset vector: mov dx, 0x3f8; mov al, '!'; out dx, al; cli; hlt
 *     vm.write(0xffff_fff0, Uint8Array.of(0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xfa, 0xf4));
 *   },
 * });
 * await vm.serial.expect("!");
 * await vm.exitCode(); // 0
 * ```
 */
export function boot(config: BootConfig): BootedMachine {
  const line = new BufferEnd();
  const built = buildMachine({ ...config, board: { ...config.board, serial: line } });
  return new BootedMachine(built, line, config);
}

function wordsFor(end: RunEnd): string {
  switch (end.kind) {
    case "ended":
      return `the guest has ended the machine with ${end.code}`;
    case "halted":
      return "the guest has halted for good";
    case "timeout":
      return "the machine's time is over";
    case "reset":
      return "the guest has reset the machine";
    case "stopped":
      return "the machine was stopped";
    case "shutdown":
      return "the guest has crashed: a triple fault";
    case "stuck":
      return `the engine cannot go on: exit ${end.exit.reason}`;
  }
}
