/**
 * The registers of a VGA behind their ports.
 * @module
 */

import type { Bus } from "../bus.ts";

const ATTRIBUTE = 0x3c0, ATTRIBUTE_READ = 0x3c1, MISC_WRITE = 0x3c2, MISC_READ = 0x3cc;
const SEQUENCER = 0x3c4, GRAPHICS = 0x3ce;
const DAC_MASK = 0x3c6, DAC_READ = 0x3c7, DAC_WRITE = 0x3c8, DAC_DATA = 0x3c9;
const SCREEN_ON = 0x20, COLOUR = 0x01;
const DISPI_INDEX = 0x1ce, DISPI_DATA = 0x1cf;
const DISPI_ID = 0xb0c0;

/** Registers of the display interface for larger modes. */
export const DISPI = {
  ID: 0,
  WIDTH: 1,
  HEIGHT: 2,
  BITS: 3,
  ENABLE: 4,
  BANK: 5,
  VIRTUAL_WIDTH: 6,
  VIRTUAL_HEIGHT: 7,
  X: 8,
  Y: 9,
  MEMORY: 10,
} as const;

/** The registers. */
export class VgaPorts {
  readonly #ports: Bus;

  /**
   * Finds them.
   * @param ports The I/O ports.
   */
  constructor(ports: Bus) {
    this.#ports = ports;
  }

  /** Miscellaneous output. */
  get misc(): number {
    return this.#ports.in(MISC_READ, 1);
  }
  set misc(value: number) {
    this.#ports.out(MISC_WRITE, 1, value);
  }

  /** The port of the CRT controller's index. */
  get crtcPort(): number {
    return (this.misc & COLOUR) !== 0 ? 0x3d4 : 0x3b4;
  }

  /** Reads a register of the sequencer. */
  sequencer(index: number): number {
    return this.#get(SEQUENCER, index);
  }

  /** Writes a register of the sequencer. */
  setSequencer(index: number, value: number): void {
    this.#set(SEQUENCER, index, value);
  }

  /** Reads a register of the graphics controller. */
  graphics(index: number): number {
    return this.#get(GRAPHICS, index);
  }

  /** Writes a register of the graphics controller. */
  setGraphics(index: number, value: number): void {
    this.#set(GRAPHICS, index, value);
  }

  /** Reads a register of the CRT controller. */
  crtc(index: number): number {
    return this.#get(this.crtcPort, index);
  }

  /** Writes a register of the CRT controller. */
  setCrtc(index: number, value: number): void {
    this.#set(this.crtcPort, index, value);
  }

  /** Reads a register of the attribute controller; the screen stays on. */
  attribute(index: number): number {
    this.#attributeIndex(index);
    const value = this.#ports.in(ATTRIBUTE_READ, 1);
    this.screenOn();
    return value;
  }

  /** Writes a register of the attribute controller; the screen stays on. */
  setAttribute(index: number, value: number): void {
    this.#attributeIndex(index);
    this.#ports.out(ATTRIBUTE, 1, value);
    this.screenOn();
  }

  /** Lets the attribute controller show the memory. */
  screenOn(): void {
    this.#attributeIndex(SCREEN_ON);
  }

  /** Which bits of a pixel choose a colour of the DAC. */
  get dacMask(): number {
    return this.#ports.in(DAC_MASK, 1);
  }
  set dacMask(value: number) {
    this.#ports.out(DAC_MASK, 1, value);
  }

  /**
   * Reads colours.
   * @param first 0..255.
   * @param count How many.
   * @returns Red, green and blue of each.
   */
  colours(first: number, count: number): Uint8Array {
    this.#ports.out(DAC_READ, 1, first);
    return Uint8Array.from({ length: 3 * count }, () => this.#ports.in(DAC_DATA, 1));
  }

  /**
   * Writes colours.
   * @param first 0..255.
   * @param levels Red, green and blue of each.
   */
  setColours(first: number, levels: Iterable<number>): void {
    this.#ports.out(DAC_WRITE, 1, first);
    for (const level of levels) this.#ports.out(DAC_DATA, 1, level);
  }

  /** Whether there is the display interface for larger modes. */
  get hasDispi(): boolean {
    return (this.dispi(DISPI.ID) & 0xfff0) === DISPI_ID;
  }

  /** Reads a register of the display interface. */
  dispi(index: number): number {
    this.#ports.out(DISPI_INDEX, 2, index);
    return this.#ports.in(DISPI_DATA, 2);
  }

  /** Writes a register of the display interface. */
  setDispi(index: number, value: number): void {
    this.#ports.out(DISPI_INDEX, 2, index);
    this.#ports.out(DISPI_DATA, 2, value);
  }

  /** The next write to the attribute controller is an index: this one. */
  #attributeIndex(index: number): void {
    this.#ports.in(this.crtcPort + 6, 1);
    this.#ports.out(ATTRIBUTE, 1, index);
  }

  #get(port: number, index: number): number {
    this.#ports.out(port, 1, index);
    return this.#ports.in(port + 1, 1);
  }

  #set(port: number, index: number, value: number): void {
    this.#ports.out(port, 1, index);
    this.#ports.out(port + 1, 1, value);
  }
}
