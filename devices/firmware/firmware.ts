/**
 * The built-in BIOS: a small ROM (`bios.asm`), and behind it the services in TypeScript (`services/`), that a guest reaches through
 * one port.
 *
 * The ROM's interrupt handlers push the caller's registers and write the address of the stack, SS in the high and SP in the low half,
 * to {@linkcode FIRMWARE_PORT} in one access of four bytes. The service reads and changes the registers there, so that the firmware
 * needs memory and ports, and no processor. Everything that it has to remember is in the guest's memory.
 *
 * | addresses | |
 * | --- | --- |
 * | 0x400 to 0x4ff | BIOS data area (`bda.ts`) |
 * | 0x9fc00 to 0x9ffff | extended BIOS data area |
 * | 0xc0000 to 0xc7fff | fonts and tables of the video BIOS (`video_rom.ts`) |
 * | 0xe0000 to 0xeffff, 0xf1000 to 0xfdfff | free for tables of others |
 * | 0xf0000 to 0xf0fff | SMBIOS (`smbios.ts`) |
 * | 0xfe000 to 0xfffff | the ROM |
 *
 * @module
 */

import type { Bus, BusDevice } from "../bus.ts";
import { type Device, SavedReader, type SavedState } from "../device.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { font } from "../video/font.ts";
import { BIOS_IMAGE } from "./bios_image.ts";
import type { FirmwareBoard, FirmwareMachine, Service } from "./board.ts";
import { Drives } from "./drives.ts";
import { LinearMemory } from "./linear_memory.ts";
import { ANSWER_DONE, linear, ServiceFrame } from "./service_frame.ts";
import { bootstrap, noBootDevice } from "./services/bootstrap.ts";
import { clockService } from "./services/clock.ts";
import { diskService } from "./services/disk.ts";
import { equipment, memorySize } from "./services/equipment.ts";
import { keyboardService } from "./services/keyboard.ts";
import { keyboardInterrupt } from "./services/keyboard_interrupt.ts";
import { mouseInterrupt } from "./services/mouse.ts";
import { powerOnSelfTest } from "./services/post.ts";
import { printerService } from "./services/printer.ts";
import { serialService } from "./services/serial.ts";
import { systemService } from "./services/system.ts";
import { videoService } from "./services/video.ts";
import { smbios, SMBIOS_BASE } from "./smbios.ts";
import { VIDEO_ROM, videoRom } from "./video_rom.ts";

export type { FirmwareBootDevice, FirmwareDrive, FirmwareMachine, FirmwareRange, FirmwareTable } from "./board.ts";

/** The port that the ROM asks for services; it takes accesses of four bytes. */
export const FIRMWARE_PORT = 0x4ff0;
/** Where the ROM is, and how long. */
export const BIOS_ROM = 0xfe000;

const FONT_8 = 0xffa6e;
const FONT_8_LENGTH = 128 * 8;
const PORT92 = 0x92;
const PORT92_A20 = 0x02;

const SERVICES: ReadonlyMap<number, Service> = new Map<number, Service>([
  [0x10, videoService],
  [0x11, equipment],
  [0x12, memorySize],
  [0x13, diskService],
  [0x14, serialService],
  [0x15, systemService],
  [0x16, keyboardService],
  [0x17, printerService],
  [0x18, noBootDevice],
  [0x19, bootstrap],
  [0x1a, clockService],
  [0x100, powerOnSelfTest],
  [0x109, keyboardInterrupt],
  [0x174, mouseInterrupt],
]);

/** What the firmware is made from. */
export interface FirmwareOptions extends FirmwareMachine {
  /** The guest's memory. */
  readonly guest: GuestMemory;
  /**
   * The guest-physical address behind a linear one, now; they are the same unless told. Only callers in virtual-8086 mode with paging
   * need it.
   */
  readonly translate?: (linear: number) => number;
  /** Whether the A20 gate is open; what port 0x92 says unless told. */
  readonly a20?: () => boolean;
}

/**
 * The firmware, as a device of the board.
 *
 * @example
 * ```ts
 * import { Firmware } from "./firmware.ts";
 *
 * const memory = { read: (_: number, into: Uint8Array) => into.fill(0), write: () => {} };
 * const firmware = new Firmware({ guest: memory, memory: 0x1000000, drives: [] });
 * firmware.install(); // and again at each reset
 * ```
 */
export class Firmware implements Device, BusDevice {
  /** `"firmware"`. */
  readonly name = "firmware";
  /** The port takes four bytes at once. */
  readonly width = 4;
  readonly #options: FirmwareOptions;
  #serve: (frame: number) => void = () => {};

  /**
   * Makes the firmware; memory has it from {@linkcode install} on.
   * @param options What from.
   */
  constructor(options: FirmwareOptions) {
    this.#options = options;
  }

  /** Nothing: all that it remembers is in memory. */
  reset(): void {}

  /**
   * Takes {@linkcode FIRMWARE_PORT}.
   * @param ports The I/O ports.
   * @param mmio The guest-physical addresses without memory, among them the screen's.
   * @throws BusConflictError The port is taken.
   */
  attach(ports: Bus, mmio: Bus): void {
    const { guest, translate } = this.#options;
    const a20 = this.#options.a20 ?? (() => (ports.in(PORT92, 1) & PORT92_A20) !== 0);
    const memory = new LinearMemory({ memory: guest, mmio, a20, translate });
    const drives = new Drives(this.#options.drives, memory);
    const board: FirmwareBoard = { machine: this.#options, ports, memory, drives, a20 };
    const frame = new ServiceFrame(memory);
    this.#serve = (stack) => {
      if (!frame.load(linear(stack >>> 16, stack & 0xffff))) return;
      frame.store(SERVICES.get(frame.service)?.(frame, board) ?? ANSWER_DONE);
    };
    ports.attach({ name: this.name, base: FIRMWARE_PORT, length: 4 }, this);
  }

  /** Puts ROM and tables into memory, where shadow RAM has them. The processor then begins at F000:FFF0. */
  install(): void {
    const { guest, tables = [] } = this.#options;
    guest.write(BIOS_ROM, BIOS_IMAGE);
    guest.write(FONT_8, font(8).subarray(0, FONT_8_LENGTH));
    guest.write(VIDEO_ROM, videoRom());
    guest.write(SMBIOS_BASE, smbios(this.#options));
    for (const { address, bytes } of tables) guest.write(address, bytes);
  }

  /** Nothing is there to be read. */
  read(): number {
    return 0xffffffff;
  }

  /**
   * A call of a service.
   * @param offset 0.
   * @param value SS and SP of the caller.
   * @param size 4; the ROM makes no other accesses.
   */
  write(offset: number, value: number, size: number): void {
    if (offset === 0 && size === 4) this.#serve(value);
  }

  /** Nothing but a version. */
  save(): SavedState {
    return { version: 1 };
  }

  /**
   * Does nothing more than to look at the version.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state.
   */
  restore(state: SavedState): void {
    new SavedReader(this.name, state).version(1);
  }
}
