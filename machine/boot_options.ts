/**
 * Machines for tests, as the command line would build them: what they are made from, and what a test sees of them. The machine itself
 * is loaded when the first one is booted, so that programs that never do pay nothing.
 * @module
 */

import type { EngineChoice } from "../core/kvm/open_kvm.ts";
import type { Vcpu } from "../core/kvm/vcpu.ts";
import type { Vm } from "../core/kvm/vm.ts";

/** A file: its path, or its bytes. Bytes are not changed by the guest. */
export type BootFile = string | Uint8Array;

/** What a machine is booted from. The names and defaults are those of `kvm12 run`. */
export interface BootOptions {
  /** A kernel, boot sector or flat binary; without one, the drives are booted from. */
  readonly image?: BootFile;
  /** What the image is, if that is not to be found out: `"boot"`, `"flat"`, `"multiboot"`, `"bzImage"`, ... */
  readonly format?: string;
  /** The command line of a kernel. */
  readonly append?: string;
  /** The initial ramdisk of a Linux kernel, or the first module of another one. */
  readonly initrd?: BootFile;
  /** The first hard disk. */
  readonly hda?: BootFile;
  /** A CD. */
  readonly cdrom?: BootFile;
  /** The first floppy disk. */
  readonly fda?: BootFile;
  /** A firmware in place of the built-in one; the path of its file. */
  readonly bios?: string;
  /** Memory, with a unit: `"64M"`. */
  readonly memory?: string;
  /** How many processors there are; 1 unless told. */
  readonly smp?: number;
  /** The processor's model and features: `"x86-64-v2,-sse4.2"`. */
  readonly cpu?: string;
  /** The engine; `"auto"` unless told. */
  readonly backend?: "soft" | "kvm" | "auto";
  /** How the software engine runs the guest. */
  readonly engine?: EngineChoice;
  /** How time goes by: with `"virtual"`, unless told, each run is the same to the instruction, and idle guests take no time. */
  readonly clock?: "real" | "virtual";
  /** More options of `kvm12 run`, as on the command line. */
  readonly args?: readonly string[];
  /** Whether a reset by the guest is followed; it ends the machine unless told. */
  readonly reboot?: boolean;
  /** Milliseconds after which the machine is stopped, whatever it does; two minutes unless told. */
  readonly timeoutMs?: number;
}

/** How long something is waited for. */
export interface ExpectOptions {
  /** Milliseconds; a minute unless told. */
  readonly timeoutMs?: number;
}

/** COM1. */
export interface GuestSerial {
  /** All that the guest has sent so far. */
  readonly text: string;
  /** Sends to the guest, as if it were typed; the Enter key is `"\r"`. */
  write(text: string): void;
  /** Waits until the guest has sent something, behind what an earlier call has found; gives the match. Rejects with `ExpectError`. */
  expect(wanted: RegExp | string, options?: ExpectOptions): Promise<RegExpExecArray>;
}

/** The screen. */
export interface GuestScreen {
  /** Its lines without blanks at their ends and below the last; nothing in a graphics mode. */
  text(): string;
  /** The picture as a PNG file. Rejects with `ExpectError` if there is no screen. */
  png(): Promise<Uint8Array>;
  /** Waits until something stands on the screen; gives the match. Rejects with `ExpectError`. */
  expect(wanted: RegExp | string, options?: ExpectOptions): Promise<RegExpExecArray>;
}

/** The keyboard. */
export interface GuestKeyboard {
  /** Types printable ASCII on a US layout, no faster than the guest takes it; `"\n"` is the Enter key. */
  type(text: string): void;
  /** Presses keys together, and lets them go: `press("ControlLeft", "KeyC")`. */
  press(...codes: readonly string[]): void;
}

/** A machine that runs in the background; `await using` stops and closes it. */
export interface BootedGuest extends AsyncDisposable {
  /** COM1. */
  readonly serial: GuestSerial;
  /** The screen. */
  readonly screen: GuestScreen;
  /** The keyboard. */
  readonly keyboard: GuestKeyboard;
  /** Its memory and processors, for a look at them while the guest waits. */
  readonly vm: Vm;
  /** The processors. */
  readonly vcpus: readonly Vcpu[];
  /**
   * Waits for the guest's own end; gives the exit code: 0 for power-off and for HLT that nothing can wake, otherwise what debug-exit
   * was given. Rejects with `ExpectError`.
   */
  exitCode(options?: ExpectOptions): Promise<number>;
}

/**
 * Boots a machine in the background of this program, for tests and scripts.
 * @param options What from.
 * @returns The machine, to be stopped with `await using`.
 * @throws Error A file, an option or the engine is not to be had; the message is one line.
 *
 * @example A test of a kernel
 * ```ts
 * import { boot } from "@kvm12/kvm12";
 *
 * // A boot sector: mov dx, 0x3f8; mov al, '!'; out dx, al; cli; hlt
 * const sector = new Uint8Array(512);
 * sector.set([0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xfa, 0xf4]);
 * sector.set([0x55, 0xaa], 510);
 *
 * await using guest = await boot({ image: sector });
 * await guest.serial.expect("!");
 * await guest.exitCode(); // 0
 * ```
 */
export async function boot(options: BootOptions): Promise<BootedGuest> {
  const { bootCommand } = await import("../cli/boot_command.ts");
  return await bootCommand(options);
}
