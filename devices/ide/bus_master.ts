/**
 * The bus master of the 82371SB's IDE function (PIIX3 data sheet, 290550): it moves the data of both channels to and from memory as
 * lists of regions there (PRDs) say. A transfer takes no time.
 *
 * | offset | channel 0; channel 1 is 8 up |
 * | --- | --- |
 * | 0 | command: start, direction |
 * | 2 | status: active, error, interrupt |
 * | 4 | address of the list |
 * @module
 */

import { type Device, SavedReader, type SavedState } from "../device.ts";
import type { BusDevice } from "../bus.ts";
import type { GuestMemory } from "../guest_memory.ts";
import type { IdeDma, IdeDmaDrive } from "./ide_dma.ts";

/** How many ports the bus master takes. */
export const BUS_MASTER_LENGTH = 16;

const REGISTER = { COMMAND: 0, STATUS: 2, LIST: 4 } as const;
const COMMAND_START = 0x01, COMMAND_WRITABLE = 0x09;
const STATUS_ACTIVE = 0x01, STATUS_INTERRUPT = 0x04, STATUS_CLEARS = 0x06, STATUS_WRITABLE = 0x60;
const PRD_LENGTH = 8, PRD_LAST = 0x80000000, PRD_COUNT = 0xfffe, PRD_COUNT_ZERO = 0x10000;
const CHANNEL_PORTS = 8;

/** The bus master of two channels. The PCI function gives it its ports. */
export class BusMaster implements Device, BusDevice {
  /** `"ide-bus-master"`. */
  readonly name = "ide-bus-master";
  /** The address of a list is written at once. */
  readonly width = 4;
  readonly #channels: readonly [BusMasterChannel, BusMasterChannel];

  /**
   * Makes a bus master as it is after power-up.
   * @param memory Where lists and data are.
   */
  constructor(memory: GuestMemory) {
    this.#channels = [new BusMasterChannel(memory), new BusMasterChannel(memory)];
  }

  /**
   * What a channel of drives is connected to.
   * @param number Which channel.
   */
  channel(number: 0 | 1): IdeDma {
    return this.#channels[number];
  }

  /** As after power-up. */
  reset(): void {
    for (const channel of this.#channels) channel.reset();
  }

  /** Takes nothing: where the ports are is for the PCI function to say. */
  attach(): void {}

  /**
   * Reads registers.
   * @param offset 0..15.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#at(offset + i).read((offset + i) % CHANNEL_PORTS) << 8 * i;
    return value >>> 0;
  }

  /**
   * Writes registers.
   * @param offset 0..15.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    for (let i = 0; i < size; i++) {
      this.#at(offset + i).write((offset + i) % CHANNEL_PORTS, value >> 8 * i & 0xff);
    }
  }

  /** All that the bus master remembers, to be kept. */
  save(): SavedState {
    return { version: 1, channels: this.#channels.map((channel) => channel.save()) };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const restores = reader.parts("channels", 2).map((part, i) => this.#channels[i].prepareRestore(part));
    for (const restore of restores) restore();
  }

  #at(offset: number): BusMasterChannel {
    return this.#channels[offset < CHANNEL_PORTS ? 0 : 1];
  }
}

/** One channel's half. */
class BusMasterChannel implements IdeDma {
  readonly #memory: GuestMemory;
  readonly #prd = new Uint8Array(PRD_LENGTH);
  readonly #view = new DataView(this.#prd.buffer);
  #drive: () => IdeDmaDrive | undefined = () => undefined;
  #command = 0;
  #status = 0;
  #list = 0;
  /** The next PRD, and what is left of the present region. */
  #next = 0;
  #address = 0;
  #left = 0;
  #last = false;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  connect(drive: () => IdeDmaDrive | undefined): void {
    this.#drive = drive;
  }

  request(): void {
    this.#run();
  }

  interrupt(level: boolean): void {
    if (level) this.#status |= STATUS_INTERRUPT;
  }

  reset(): void {
    this.#command =
      this.#status =
      this.#list =
      this.#next =
      this.#address =
      this.#left =
        0;
    this.#last = false;
  }

  read(offset: number): number {
    switch (offset) {
      case REGISTER.COMMAND:
        return this.#command;
      case REGISTER.STATUS:
        return this.#status;
      default:
        return offset < REGISTER.LIST ? 0 : this.#list >>> 8 * (offset - REGISTER.LIST) & 0xff;
    }
  }

  write(offset: number, value: number): void {
    if (offset === REGISTER.COMMAND) this.#writeCommand(value & COMMAND_WRITABLE);
    else if (offset === REGISTER.STATUS) {
      const kept = this.#status & ~(value & STATUS_CLEARS) & ~STATUS_WRITABLE;
      this.#status = kept | value & STATUS_WRITABLE;
    } else if (offset >= REGISTER.LIST) {
      const shift = 8 * (offset - REGISTER.LIST);
      this.#list = (this.#list & ~(0xff << shift) | value << shift) & ~3;
    }
  }

  save(): SavedState {
    return {
      command: this.#command,
      status: this.#status,
      list: this.#list >>> 0,
      next: this.#next,
      address: this.#address,
      left: this.#left,
      last: this.#last,
    };
  }

  prepareRestore(reader: SavedReader): () => void {
    const command = reader.integer("command", { max: COMMAND_WRITABLE });
    const status = reader.integer("status", { max: 0xff });
    const list = reader.integer("list", { max: 0xffffffff });
    const next = reader.integer("next", { max: 0xffffffff });
    const address = reader.integer("address", { max: 0xffffffff + PRD_COUNT_ZERO });
    const left = reader.integer("left", { max: PRD_COUNT_ZERO });
    const last = reader.boolean("last");
    return () => {
      this.#command = command;
      this.#status = status;
      this.#list = list | 0;
      this.#next = next;
      this.#address = address;
      this.#left = left;
      this.#last = last;
    };
  }

  #writeCommand(value: number): void {
    const started = (value & ~this.#command & COMMAND_START) !== 0;
    this.#command = value;
    if (started) {
      this.#status |= STATUS_ACTIVE;
      this.#next = this.#list >>> 0;
      this.#left = 0;
      this.#last = false;
      this.#run();
    } else if ((value & COMMAND_START) === 0) {
      this.#status &= ~STATUS_ACTIVE;
    }
  }

  /** Moves data while there is some and the list goes on; the drive knows which way. */
  #run(): void {
    const drive = this.#drive();
    if (drive === undefined) return;
    while ((this.#status & STATUS_ACTIVE) !== 0) {
      const direction = drive.dma;
      if (direction === undefined) return;
      if (this.#left === 0) this.#load();
      const window = drive.window;
      const piece = window.subarray(0, Math.min(this.#left, window.length));
      if (direction === "in") this.#memory.write(this.#address, piece);
      else this.#memory.read(this.#address, piece);
      this.#address += piece.length;
      this.#left -= piece.length;
      // The list may end before the data: the drive waits then, and the guest finds that nothing is active and no interrupt came.
      if (this.#left === 0 && this.#last) this.#status &= ~STATUS_ACTIVE;
      drive.advance(piece.length);
    }
  }

  #load(): void {
    this.#memory.read(this.#next, this.#prd);
    this.#next = (this.#next + PRD_LENGTH) % 2 ** 32;
    this.#address = (this.#view.getUint32(0, true) & ~1) >>> 0;
    const second = this.#view.getUint32(4, true);
    this.#left = (second & PRD_COUNT) || PRD_COUNT_ZERO;
    this.#last = (second & PRD_LAST) !== 0;
  }
}
