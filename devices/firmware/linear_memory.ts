/**
 * Memory as a program in real mode sees it: by linear addresses, the screen's addresses and the A20 gate included.
 * @module
 */

import type { Bus } from "../bus.ts";
import type { GuestMemory } from "../guest_memory.ts";

const PAGE = 0x1000;
const SCREEN = 0xa0000, SCREEN_END = 0xc0000;
const A20 = 0x100000;

/** What {@linkcode LinearMemory} is made from. */
export interface LinearMemoryOptions {
  /** Guest-physical memory. */
  readonly memory: GuestMemory;
  /** What answers where there is no memory: the screen. */
  readonly mmio: Bus;
  /** Whether the A20 gate is open. */
  readonly a20: () => boolean;
  /** The guest-physical address behind a linear one, for callers in virtual-8086 mode; they are the same unless told. */
  readonly translate?: (linear: number) => number;
}

/** Memory by linear addresses. Values are unsigned and little-endian. */
export class LinearMemory {
  readonly #options: LinearMemoryOptions;
  readonly #scratch = new Uint8Array(4);
  readonly #view = new DataView(this.#scratch.buffer);
  readonly #byte = this.#scratch.subarray(0, 1);
  readonly #word = this.#scratch.subarray(0, 2);

  /**
   * Makes it.
   * @param options What from.
   */
  constructor(options: LinearMemoryOptions) {
    this.#options = options;
  }

  /** The byte at an address. */
  get8(address: number): number {
    this.read(address, this.#byte);
    return this.#scratch[0];
  }

  /** The 16 bits at an address. */
  get16(address: number): number {
    this.read(address, this.#word);
    return this.#view.getUint16(0, true);
  }

  /** The 32 bits at an address. */
  get32(address: number): number {
    this.read(address, this.#scratch);
    return this.#view.getUint32(0, true);
  }

  /** Puts a byte to an address. */
  set8(address: number, value: number): void {
    this.#scratch[0] = value;
    this.write(address, this.#byte);
  }

  /** Puts 16 bits to an address. */
  set16(address: number, value: number): void {
    this.#view.setUint16(0, value, true);
    this.write(address, this.#word);
  }

  /** Puts 32 bits to an address. */
  set32(address: number, value: number): void {
    this.#view.setUint32(0, value, true);
    this.write(address, this.#scratch);
  }

  /**
   * Reads.
   * @param address Where from.
   * @param into Filled whole.
   */
  read(address: number, into: Uint8Array): void {
    const { memory, mmio } = this.#options;
    for (let done = 0; done < into.length;) {
      const { at, length, screen } = this.#piece(address + done, into.length - done);
      const part = length === into.length ? into : into.subarray(done, done + length);
      if (screen) mmio.read(at, part);
      else memory.read(at, part);
      done += length;
    }
  }

  /**
   * Writes.
   * @param address Where to.
   * @param bytes What.
   */
  write(address: number, bytes: Uint8Array): void {
    const { memory, mmio } = this.#options;
    for (let done = 0; done < bytes.length;) {
      const { at, length, screen } = this.#piece(address + done, bytes.length - done);
      const part = length === bytes.length ? bytes : bytes.subarray(done, done + length);
      if (screen) mmio.write(at, part);
      else memory.write(at, part);
      done += length;
    }
  }

  /** The physical address behind a linear one, and how far it goes on there. */
  #piece(linear: number, left: number): { readonly at: number; readonly length: number; readonly screen: boolean } {
    const { translate, a20 } = this.#options;
    let at = translate?.(linear) ?? linear;
    let most = translate === undefined ? left : Math.min(left, PAGE - linear % PAGE);
    if ((at & A20) !== 0 && !a20()) at -= A20;
    const screen = at >= SCREEN && at < SCREEN_END;
    if (screen) most = Math.min(most, SCREEN_END - at);
    else if (at < SCREEN) most = Math.min(most, SCREEN - at);
    else if (at < A20) most = Math.min(most, A20 - at);
    return { at, length: most, screen };
  }
}
