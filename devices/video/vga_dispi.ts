/**
 * The "display interface" of Bochs' VBE extension, which QEMU and all firmware know: ports 0x1ce (index) and 0x1cf (data), both of
 * 16 bits.
 *
 * | index | |
 * | --- | --- |
 * | 0 | id: 0xb0c0 to 0xb0c5 |
 * | 1, 2, 3 | width, height, bits per pixel (4, 8, 15, 16, 24, 32) |
 * | 4 | enable |
 * | 5 | bank of 64 KiB at 0xa0000 |
 * | 6, 7 | width and height of the memory in pixels; the height cannot be written |
 * | 8, 9 | x and y of the first pixel |
 * | 10 | size of the memory in 64 KiB; read only |
 *
 * @module
 */

import type { BusDevice } from "../bus.ts";
import type { SavedReader, SavedState } from "../device.ts";

/** The first port. */
export const DISPI_PORT = 0x1ce;
/** How many ports there are, with the second byte of the data. */
export const DISPI_PORTS = 3;

/** Enable: the mode is on. */
export const DISPI_ENABLED = 0x01;
const DISPI_GETCAPS = 0x02;
/** Enable: colours of the DAC have eight bits. */
export const DISPI_8BIT_DAC = 0x20;
/** Enable: the memory is not to be cleared. */
const DISPI_NO_CLEAR = 0x80;

const ID = 0;
const XRES = 1;
const YRES = 2;
const BPP = 3;
const ENABLE = 4;
const BANK = 5;
const VIRT_WIDTH = 6;
const VIRT_HEIGHT = 7;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const MEMORY_64K = 10;
const NAMES = ["id", "width", "height", "bits", "enable", "bank", "virtualWidth", "virtualHeight", "x", "y"] as const;

const FIRST_ID = 0xb0c0;
const LAST_ID = 0xb0c5;
const MAX_WIDTH = 16_000;
const MAX_HEIGHT = 12_000;
const MAX_BITS = 32;
const DEPTHS: readonly number[] = [4, 8, 15, 16, 24, 32];

/** A mode that is on. */
export interface DispiMode {
  /** Pixels in a line. */
  readonly width: number;
  /** Lines. */
  readonly height: number;
  /** Bits of a pixel: 4, 8, 15, 16, 24 or 32. */
  readonly bits: number;
  /** Bytes from line to line; of one plane where a pixel has 4 bits. */
  readonly pitch: number;
  /** First byte of the picture; its address in the planes where a pixel has 4 bits. */
  readonly start: number;
  /** Pixels to leave out at the beginning of a line, where a pixel has 4 bits. */
  readonly skip: number;
}

/** What the interface is wired to. */
export interface DispiWires {
  /** Size of the memory in bytes. */
  readonly memorySize: number;
  /** Called after a mode was switched on or off, or changed. */
  readonly modeChanged: (enable: number) => void;
  /** Called after another bank was chosen. */
  readonly bankChanged: (bank: number) => void;
  /** Called to clear the first bytes of the memory. */
  readonly clear: (bytes: number) => void;
}

/** The interface. */
export class VgaDispi implements BusDevice {
  /** Registers of 16 bits. */
  readonly width = 2;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #wires: DispiWires;
  readonly #registers: Uint16Array = new Uint16Array(MEMORY_64K);
  #index = 0;

  /**
   * Makes an interface that is off.
   * @param wires What it is wired to.
   */
  constructor(wires: DispiWires) {
    this.#wires = wires;
    this.#registers[ID] = LAST_ID;
  }

  /** Switches the mode off. */
  reset(): void {
    this.#index = 0;
    this.#registers.fill(0);
    this.#registers[ID] = LAST_ID;
    this.#wires.bankChanged(0);
    this.#wires.modeChanged(0);
  }

  /** The mode; none: it is off, and the VGA shows its own. */
  get mode(): DispiMode | undefined {
    const registers = this.#registers;
    if ((registers[ENABLE] & DISPI_ENABLED) === 0) return undefined;
    const bits = registers[BPP];
    const pitch = this.#pitch();
    const x = registers[X_OFFSET], y = registers[Y_OFFSET];
    return {
      width: registers[XRES],
      height: registers[YRES],
      bits,
      pitch,
      start: y * pitch + (bits === 4 ? x >> 3 : x * (bits + 7 >> 3)),
      skip: bits === 4 ? x & 7 : 0,
    };
  }

  /**
   * Reads a port.
   * @param offset 0: index; 1: data.
   */
  read(offset: number): number {
    return offset === 0 ? this.#index : offset === 1 ? this.get(this.#index) : 0xff;
  }

  /**
   * Writes a port; a single byte of a register is not taken.
   * @param offset 0: index; 1: data.
   * @param value What to write.
   * @param size 2.
   */
  write(offset: number, value: number, size: number): void {
    if (offset === 0) this.#index = value;
    else if (offset === 1 && size === 2) this.set(this.#index, value);
  }

  /**
   * Reads a register.
   * @param index Its number, 0..10; others give 0.
   */
  get(index: number): number {
    if (index === MEMORY_64K) return this.#wires.memorySize >>> 16;
    if ((this.#registers[ENABLE] & DISPI_GETCAPS) !== 0) {
      if (index === XRES) return MAX_WIDTH;
      if (index === YRES) return MAX_HEIGHT;
      if (index === BPP) return MAX_BITS;
    }
    if (index === VIRT_HEIGHT) return this.#virtualHeight();
    return this.#registers[index] ?? 0;
  }

  /**
   * Writes a register.
   * @param index Its number.
   * @param value 0..65535.
   */
  set(index: number, value: number): void {
    switch (index) {
      case ID:
        if (value >= FIRST_ID && value <= LAST_ID) this.#registers[ID] = value;
        return;
      case ENABLE:
        return this.#enable(value);
      case BANK:
        this.#registers[BANK] = value & (this.#wires.memorySize >>> (this.#registers[BPP] === 4 ? 18 : 16)) - 1;
        return this.#wires.bankChanged(this.#registers[BANK]);
      case XRES:
      case YRES:
      case BPP:
      case VIRT_WIDTH:
      case X_OFFSET:
      case Y_OFFSET:
        this.#registers[index] = value;
        if ((this.#registers[ENABLE] & DISPI_ENABLED) === 0) return;
        this.#fit();
        return this.#wires.modeChanged(this.#registers[ENABLE]);
    }
  }

  /** All that the interface remembers. */
  save(): SavedState {
    const state: Record<string, number> = { index: this.#index };
    NAMES.forEach((name, index) => state[name] = this.#registers[index]);
    return state;
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place; nothing has changed before.
   * @throws SavedStateError It is not such a state.
   */
  restore(reader: SavedReader): () => void {
    const index = reader.integer("index", { max: 0xffff });
    const values = NAMES.map((name) => reader.integer(name, { max: 0xffff }));
    return () => {
      this.#index = index;
      this.#registers.set(values);
      if ((this.#registers[ENABLE] & DISPI_ENABLED) !== 0) this.#fit();
      this.#registers[BANK] &= (this.#wires.memorySize >>> 16) - 1;
      this.#wires.bankChanged(this.#registers[BANK]);
    };
  }

  #enable(value: number): void {
    const registers = this.#registers;
    const begins = (value & DISPI_ENABLED) !== 0 && (registers[ENABLE] & DISPI_ENABLED) === 0;
    registers[ENABLE] = value;
    if (begins) {
      registers[VIRT_WIDTH] = registers[X_OFFSET] = registers[Y_OFFSET] = 0;
      this.#fit();
      if ((value & DISPI_NO_CLEAR) === 0) {
        this.#wires.clear(this.#pitch() * registers[YRES] * (registers[BPP] === 4 ? 4 : 1));
      }
    } else if ((value & DISPI_ENABLED) === 0) {
      registers[BANK] = 0;
      this.#wires.bankChanged(0);
    }
    this.#wires.modeChanged(value);
  }

  /** Makes of what was written a mode for which there is memory. */
  #fit(): void {
    const registers = this.#registers;
    if (!DEPTHS.includes(registers[BPP])) registers[BPP] = 8;
    const most = this.#wires.memorySize;
    registers[XRES] = Math.min(Math.max(registers[XRES] & ~7, 8), MAX_WIDTH);
    if (registers[VIRT_WIDTH] < registers[XRES]) registers[VIRT_WIDTH] = registers[XRES];
    registers[VIRT_WIDTH] = Math.min(registers[VIRT_WIDTH], MAX_WIDTH);
    const lines = this.#virtualHeight();
    registers[YRES] = Math.min(Math.max(registers[YRES], 1), MAX_HEIGHT, lines);
    const pitch = this.#pitch(), planes = registers[BPP] === 4 ? 4 : 1;
    const room = Math.floor(most / (pitch * planes));
    registers[Y_OFFSET] = Math.min(registers[Y_OFFSET], room - registers[YRES]);
    registers[X_OFFSET] = Math.min(registers[X_OFFSET], registers[VIRT_WIDTH] - registers[XRES]);
  }

  #pitch(): number {
    const bits = this.#registers[BPP], width = this.#registers[VIRT_WIDTH];
    return bits === 4 ? width >> 3 : width * (bits + 7 >> 3);
  }

  #virtualHeight(): number {
    const pitch = this.#pitch() * (this.#registers[BPP] === 4 ? 4 : 1);
    return pitch === 0 ? 0 : Math.min(Math.floor(this.#wires.memorySize / pitch), 0xffff);
  }
}
