/**
 * What ATA and ATAPI drives have in common: the registers, the data port, the interrupt, and the modes of transfer. Commands take
 * no time: a drive is never seen busy.
 * @module
 */

import { savedBytes, type SavedReader, type SavedState } from "../device.ts";
import type { IdeDmaDrive } from "./ide_dma.ts";
import { COMMAND, DEVICE, DIAGNOSTIC_PASSED, ERROR, FEATURE, IDE, STATUS } from "./ide_registers.ts";

/** The most bytes that a drive moves at a time. */
export const IDE_BUFFER = 0x10000;

/** What a drive asks of its channel. */
export interface IdeHost {
  /** Whether data can be moved by DMA. */
  readonly hasDma: boolean;
  /** The drive's interrupt may have changed. */
  update(): void;
  /** The drive has something to move by DMA. */
  requestDma(): void;
}

/** How a drive presents itself. */
export interface IdeIdentity {
  /** Its model: up to 40 characters of ASCII. */
  readonly model: string;
  /** Its serial number: up to 20 characters of ASCII. */
  readonly serial: string;
}

const NO_HOST: IdeHost = { hasDma: false, update: () => {}, requestDma: () => {} };

/** For a register, where the value written before the last is kept. */
const PREVIOUS = 8;

const DIRECTIONS = ["none", "in", "out"] as const;

const UDMA_MODES = 6, MWDMA_MODES = 3, PIO_MODES = 5;

/** A drive on a channel. */
export abstract class IdeDrive implements IdeDmaDrive {
  /** The registers as they were written last, by their offset, and 8 after it as they were before that. */
  protected readonly registers: Uint8Array = new Uint8Array(16);
  /** The status register. */
  protected status = 0;
  /** The error register. */
  protected error = 0;
  /** The data being moved; some room after it, so that a wide access may pass the end. */
  protected readonly buffer: Uint8Array = new Uint8Array(IDE_BUFFER + 4);
  /** The modes of DMA that the guest has chosen, -1 for none. */
  protected mwdma = -1;
  protected udma = -1;
  /** The channel. */
  protected host: IdeHost = NO_HOST;
  #interrupt = false;
  #direction: typeof DIRECTIONS[number] = "none";
  #byDma = false;
  #at = 0;
  #end = 0;

  /** Registers after a reset: what kind of drive this is. */
  protected abstract readonly signature: { readonly mid: number; readonly high: number; readonly status: number };

  /**
   * Does a command; nothing is being moved, and the status and errors are those of success.
   * @param code Its code.
   */
  protected abstract execute(code: number): void;

  /** All data announced by {@linkcode begin} has been moved. */
  protected abstract transferred(): void;

  /** Back to the modes after power-up. */
  protected abstract restoreDefaults(): void;

  /** What else the drive remembers. */
  protected abstract saveDrive(): SavedState;

  /**
   * Reads what {@linkcode saveDrive} gave.
   * @param reader The state.
   * @param moving What is being moved in that state, and up to where in the buffer.
   * @returns Puts it in place.
   */
  protected abstract prepareDrive(reader: SavedReader, moving: { direction: string; end: number }): () => void;

  /**
   * Connects the drive.
   * @param host The channel.
   */
  connect(host: IdeHost): void {
    this.host = host;
  }

  /** Whether the drive asks for an interrupt. */
  get interrupt(): boolean {
    return this.#interrupt;
  }

  /** Whether the drive is in the middle of moving data and takes no command. */
  get busy(): boolean {
    return (this.status & (STATUS.BSY | STATUS.DRQ)) !== 0;
  }

  /** The reset wire: all is as after power-up. */
  reset(): void {
    this.registers.fill(0);
    this.mwdma = this.udma = -1;
    this.restoreDefaults();
    this.softReset();
  }

  /** A software reset: what was going on is dropped; modes stay. */
  softReset(): void {
    this.stop();
    this.#interrupt = false;
    this.error = DIAGNOSTIC_PASSED;
    this.showSignature();
    this.registers[IDE.DEVICE] = 0;
    this.status = this.signature.status;
  }

  /** EXECUTE DEVICE DIAGNOSTIC, which both drives of a channel do at once. */
  diagnose(): void {
    this.softReset();
  }

  /** Asks for an interrupt. */
  raise(): void {
    this.#interrupt = true;
    this.host.update();
  }

  /**
   * Reads a register but the data port.
   * @param offset 1..7.
   * @param previous Whether the value before the last is wanted, where there is one.
   * @returns 0..255.
   */
  readRegister(offset: number, previous: boolean): number {
    switch (offset) {
      case IDE.FEATURES:
        return this.error;
      case IDE.DEVICE:
        return this.registers[offset] | DEVICE.ALWAYS;
      case IDE.COMMAND:
        return this.status;
      default:
        return this.registers[previous ? offset + PREVIOUS : offset];
    }
  }

  /** The guest has read the status: the interrupt is answered. */
  acknowledge(): void {
    this.#interrupt = false;
  }

  /**
   * Writes a register but the data port and the command.
   * @param offset 1..6.
   * @param value 0..255.
   */
  writeRegister(offset: number, value: number): void {
    if (offset !== IDE.DEVICE) this.registers[offset + PREVIOUS] = this.registers[offset];
    this.registers[offset] = value;
  }

  /**
   * Gives a command; a drive that moves data takes none, but a packet device a reset.
   * @param code 0..255.
   */
  command(code: number): void {
    if (this.busy && !(code === COMMAND.DEVICE_RESET && this.signature.mid !== 0)) return;
    this.stop();
    this.#interrupt = false;
    this.error = 0;
    this.status = STATUS.DRDY | STATUS.DSC;
    this.execute(code);
    this.host.update();
  }

  /**
   * Reads the data port.
   * @param size Bytes: 2 or 4.
   * @returns The data, 0 if there is none.
   */
  readData(size: number): number {
    if (this.#direction !== "in" || this.#byDma) return 0;
    const { buffer } = this;
    const at = this.#at;
    let value = buffer[at] | buffer[at + 1] << 8;
    if (size === 4) value |= buffer[at + 2] << 16 | buffer[at + 3] << 24;
    const there = this.#end - at;
    if (there < size) value &= (1 << 8 * there) - 1;
    this.#move(size);
    return value >>> 0;
  }

  /**
   * Writes the data port.
   * @param value The data.
   * @param size Bytes: 2 or 4.
   */
  writeData(value: number, size: number): void {
    if (this.#direction !== "out" || this.#byDma) return;
    const { buffer } = this;
    const at = this.#at;
    buffer[at] = value;
    buffer[at + 1] = value >> 8;
    if (size === 4) {
      buffer[at + 2] = value >> 16;
      buffer[at + 3] = value >> 24;
    }
    this.#move(size);
  }

  /** Which way data waits to go by DMA. */
  get dma(): "in" | "out" | undefined {
    return this.#byDma && this.#direction !== "none" ? this.#direction : undefined;
  }

  /** The data, or the room for it, of a transfer by DMA. */
  get window(): Uint8Array {
    return this.buffer.subarray(this.#at, this.#end);
  }

  /**
   * Tells that bytes of the window were taken or filled.
   * @param count How many, from its start.
   */
  advance(count: number): void {
    this.#move(count);
    this.host.update();
  }

  /** All that the drive remembers, to be kept; what is on its disk is not part of it. */
  save(): SavedState {
    return {
      ...this.saveDrive(),
      registers: savedBytes(this.registers),
      status: this.status,
      error: this.error,
      mwdma: this.mwdma,
      udma: this.udma,
      interrupt: this.#interrupt,
      direction: DIRECTIONS.indexOf(this.#direction),
      byDma: this.#byDma,
      at: this.#at,
      end: this.#end,
      buffer: savedBytes(this.buffer.subarray(0, this.#end)),
    };
  }

  /**
   * Reads a kept state; nothing changes yet.
   * @param reader What {@linkcode save} gave.
   * @returns Puts the state in place.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(reader: SavedReader): () => void {
    const registers = reader.bytes("registers", this.registers.length);
    const status = reader.integer("status", { max: 0xff });
    const error = reader.integer("error", { max: 0xff });
    const mwdma = reader.integer("mwdma", { min: -1, max: MWDMA_MODES - 1 });
    const udma = reader.integer("udma", { min: -1, max: UDMA_MODES - 1 });
    const interrupt = reader.boolean("interrupt");
    const direction = DIRECTIONS[reader.integer("direction", { max: 2 })];
    const byDma = reader.boolean("byDma");
    const end = reader.integer("end", direction === "none" ? { max: 0 } : { min: 1, max: IDE_BUFFER });
    const at = reader.integer("at", { max: Math.max(0, end - 1) });
    const buffer = reader.bytes("buffer", end);
    const restoreDrive = this.prepareDrive(reader, { direction, end });
    return () => {
      restoreDrive();
      this.registers.set(registers);
      this.buffer.set(buffer);
      this.status = status;
      this.error = error;
      this.mwdma = mwdma;
      this.udma = udma;
      this.#interrupt = interrupt;
      this.#direction = direction;
      this.#byDma = byDma;
      this.#at = at;
      this.#end = end;
    };
  }

  /**
   * Begins to move data between the buffer and the guest.
   * @param direction Which way, seen from the guest.
   * @param options Where in the buffer it begins, how many bytes it is, and whether it goes by DMA.
   */
  protected begin(
    direction: "in" | "out",
    options: { readonly from?: number; readonly length: number; readonly byDma?: boolean },
  ): void {
    const { from = 0, length, byDma = false } = options;
    this.#direction = direction;
    this.#byDma = byDma;
    this.#at = from;
    this.#end = from + length;
    this.status |= STATUS.DRQ;
  }

  /** Moves nothing any more. */
  protected stop(): void {
    this.#direction = "none";
    this.#byDma = false;
    this.#at = this.#end = 0;
    this.status &= ~STATUS.DRQ;
  }

  /** Ends a command with success. */
  protected succeed(): void {
    this.stop();
    this.raise();
  }

  /**
   * Ends a command with an error.
   * @param error Bits of the errors; unless told, the command is aborted.
   */
  protected fail(error: number = ERROR.ABRT): void {
    this.stop();
    this.error = error;
    this.status |= STATUS.ERR;
    this.raise();
  }

  /** Shows in the registers what kind of drive this is. */
  protected showSignature(): void {
    this.registers.fill(0, PREVIOUS);
    this.registers[IDE.COUNT] = 1;
    this.registers[IDE.LOW] = 1;
    this.registers[IDE.MID] = this.signature.mid;
    this.registers[IDE.HIGH] = this.signature.high;
  }

  /**
   * A register of 16 bits: the last value written and the one before it.
   * @param offset Which one.
   */
  protected wide(offset: number): number {
    return this.registers[offset + PREVIOUS] << 8 | this.registers[offset];
  }

  /**
   * Sets a register of 16 bits.
   * @param offset Which one.
   * @param value 0..0xffff.
   */
  protected setWide(offset: number, value: number): void {
    this.registers[offset + PREVIOUS] = value >> 8;
    this.registers[offset] = value;
  }

  /**
   * SET FEATURES as far as all drives have it: the mode of transfer, and things without effect.
   * @returns Whether the drive has this feature.
   */
  protected setFeature(): boolean {
    switch (this.registers[IDE.FEATURES]) {
      case FEATURE.TRANSFER_MODE:
        return this.#setMode(this.registers[IDE.COUNT]);
      case FEATURE.LOOK_AHEAD:
      case FEATURE.NO_LOOK_AHEAD:
      case FEATURE.KEEP_ON_RESET:
      case FEATURE.DEFAULTS_ON_RESET:
        return true;
      default:
        return false;
    }
  }

  #setMode(value: number): boolean {
    const mode = value & 7;
    switch (value >> 3) {
      case 0: // the default
        return mode < 2;
      case 1: // with flow control
        return mode < PIO_MODES;
      case 4:
        if (!this.host.hasDma || mode >= MWDMA_MODES) return false;
        this.mwdma = mode;
        this.udma = -1;
        return true;
      case 8:
        if (!this.host.hasDma || mode >= UDMA_MODES) return false;
        this.udma = mode;
        this.mwdma = -1;
        return true;
      default:
        return false;
    }
  }

  #move(count: number): void {
    this.#at += count;
    if (this.#at < this.#end) return;
    this.#direction = "none";
    this.status &= ~STATUS.DRQ;
    this.transferred();
  }
}
