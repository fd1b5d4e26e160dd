/**
 * A channel of the AT's disk controller: eight ports, one more of control, an interrupt, and up to two drives.
 *
 * Both drives see what is written to the registers; the one selected by the device register answers and obeys. A drive that is not
 * there reads as zeros.
 * @module
 */

import type { Bus, BusDevice } from "../bus.ts";
import { type Device, SavedReader, type SavedState } from "../device.ts";
import type { IdeDma } from "./ide_dma.ts";
import type { IdeDrive } from "./ide_drive.ts";
import { COMMAND, CONTROL, DEVICE, IDE, STATUS } from "./ide_registers.ts";

/** Where a channel is. */
export interface IdePorts {
  /** Its name, also where states are kept. */
  readonly name: string;
  /** The first of its eight ports. */
  readonly command: number;
  /** The port of device control. */
  readonly control: number;
}

/** The first channel of an AT; IRQ 14. */
export const IDE_PRIMARY: IdePorts = { name: "ide0", command: 0x1f0, control: 0x3f6 };
/** The second channel of an AT; IRQ 15. */
export const IDE_SECONDARY: IdePorts = { name: "ide1", command: 0x170, control: 0x376 };

/** What a channel is made of. */
export interface IdeChannelOptions extends IdePorts {
  /** Device 0 and device 1; undefined: it is not there. */
  readonly drives: readonly [IdeDrive?, IdeDrive?];
  /** The interrupt wire, called when its level changes. */
  readonly interrupt: (level: boolean) => void;
  /** Who moves data by DMA; without it drives offer none. */
  readonly dma?: IdeDma;
}

/** A channel. */
export class IdeChannel implements Device, BusDevice {
  /** As in the options. */
  readonly name: string;
  /** The data port takes 32 bits. */
  readonly width = 4;
  readonly #options: IdeChannelOptions;
  readonly #drives: readonly (IdeDrive | undefined)[];
  #selected = 0;
  #control = 0;
  #level = false;

  /**
   * Makes a channel as it is after power-up.
   * @param options What it is made of.
   */
  constructor(options: IdeChannelOptions) {
    this.name = options.name;
    this.#options = options;
    this.#drives = [options.drives[0], options.drives[1]];
    const { dma } = options;
    this.#drives.forEach((drive, number) =>
      drive?.connect({
        hasDma: dma !== undefined,
        update: () => this.#update(),
        requestDma: () => {
          if (number === this.#selected) dma?.request();
        },
      })
    );
    dma?.connect(() => this.#drive);
    this.reset();
  }

  /** As after power-up. */
  reset(): void {
    this.#selected = 0;
    this.#control = 0;
    for (const drive of this.#drives) drive?.reset();
    this.#update();
  }

  /**
   * Takes the nine ports.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    const { name, command, control } = this.#options;
    ports.attach({ name: `${name} registers`, base: command, length: 8 }, this);
    ports.attach({ name: `${name} control`, base: control, length: 1 }, {
      width: 1,
      read: () => this.alternateStatus(),
      write: (_, value) => this.writeControl(value),
    });
  }

  /**
   * Reads the data port, or registers.
   * @param offset 0..7.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    if (offset === IDE.DATA) {
      const value = this.#drive?.readData(size === 4 ? 4 : 2) ?? 0;
      return size === 1 ? value & 0xff : value;
    }
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#readRegister(offset + i) << 8 * i;
    return value >>> 0;
  }

  /**
   * Writes the data port, or registers.
   * @param offset 0..7.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    if (offset === IDE.DATA) {
      this.#drive?.writeData(value, size === 4 ? 4 : 2);
      return;
    }
    for (let i = 0; i < size; i++) this.#writeRegister(offset + i, value >> 8 * i & 0xff);
  }

  /**
   * The status, read without an answer to the interrupt.
   * @returns 0..255.
   */
  alternateStatus(): number {
    const drive = this.#drive;
    if (drive === undefined) return 0;
    return (this.#control & CONTROL.SRST) !== 0 ? STATUS.BSY : drive.readRegister(IDE.COMMAND, false);
  }

  /**
   * Writes device control: interrupts off, software reset, and which registers of 16 bits are read.
   * @param value 0..255.
   */
  writeControl(value: number): void {
    const resets = (this.#control & ~value & CONTROL.SRST) !== 0;
    this.#control = value & (CONTROL.NIEN | CONTROL.SRST | CONTROL.HOB);
    if (resets || (value & CONTROL.SRST) !== 0) {
      this.#selected = 0;
      for (const drive of this.#drives) drive?.softReset();
    }
    this.#update();
  }

  /** All that the channel and its drives remember, to be kept; what is on the disks is not part of it. */
  save(): SavedState {
    return {
      version: 1,
      selected: this.#selected,
      control: this.#control,
      drives: this.#present.map((drive) => drive.save()),
    };
  }

  /**
   * Goes back to a kept state, with the same drives.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const selected = reader.integer("selected", { max: 1 });
    const control = reader.integer("control", { max: 0xff });
    const present = this.#present;
    const restores = reader.parts("drives", present.length).map((part, i) => present[i].prepareRestore(part));
    this.#selected = selected;
    this.#control = control;
    for (const restore of restores) restore();
    this.#update();
  }

  get #drive(): IdeDrive | undefined {
    return this.#drives[this.#selected];
  }

  get #present(): IdeDrive[] {
    return this.#drives.filter((drive) => drive !== undefined);
  }

  #readRegister(offset: number): number {
    if (offset > IDE.COMMAND) return 0xff;
    const drive = this.#drive;
    if (offset === IDE.COMMAND) {
      const status = this.alternateStatus();
      drive?.acknowledge();
      this.#update();
      return status;
    }
    const value = drive?.readRegister(offset, (this.#control & CONTROL.HOB) !== 0) ?? 0;
    return offset === IDE.DEVICE ? value & ~DEVICE.DEV | DEVICE.ALWAYS | this.#selected << 4 : value;
  }

  #writeRegister(offset: number, value: number): void {
    if (offset > IDE.COMMAND) return;
    this.#control &= ~CONTROL.HOB;
    if ((this.#control & CONTROL.SRST) !== 0) return;
    if (offset === IDE.COMMAND) {
      this.#command(value);
      return;
    }
    if (offset === IDE.DEVICE) this.#selected = (value & DEVICE.DEV) >> 4;
    for (const drive of this.#drives) {
      if (offset === IDE.DEVICE || drive?.busy === false) drive?.writeRegister(offset, value);
    }
    this.#update();
  }

  #command(code: number): void {
    const drive = this.#drive;
    if (drive === undefined) return;
    if (code !== COMMAND.DIAGNOSTIC) drive.command(code);
    else if (!drive.busy) {
      this.#selected = 0;
      for (const one of this.#drives) one?.diagnose();
      this.#drives[0]?.raise();
    }
    this.#update();
  }

  #update(): void {
    const level = this.#drive?.interrupt === true && (this.#control & CONTROL.NIEN) === 0;
    if (level === this.#level) return;
    this.#level = level;
    this.#options.dma?.interrupt(level);
    this.#options.interrupt(level);
  }
}
