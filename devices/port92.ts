/**
 * Port 0x92 of the PS/2 and all PCs since: the quick ways to the A20 gate and to a reset of the processor.
 *
 * | bit | |
 * | --- | --- |
 * | 0 | going from 0 to 1 it resets the processor |
 * | 1 | address line 20 is let through |
 * | 2 to 7 | disk lamps, password lock: kept and without effect |
 *
 * After a reset the gate is open, for the processor begins just below 4 GiB. The keyboard controller has a gate of its own: the
 * board decides how both come together.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import { type Device, SavedReader, type SavedState } from "./device.ts";

/** Its number. */
export const PORT92 = 0x92;

const FAST_RESET = 0x01;
const A20 = 0x02;

/** What the port is wired to. */
export interface Port92Wires {
  /** The A20 gate; called when it opens (true) or closes. It is open for the one who was never called. */
  readonly a20: (open: boolean) => void;
  /** Called when the guest resets the processor; memory and devices are not to change. */
  readonly reset: () => void;
}

/** The port. */
export class Port92 implements Device, BusDevice {
  /** `"port92"`. */
  readonly name = "port92";
  /** An 8-bit port. */
  readonly width = 1;
  readonly #wires: Port92Wires;
  #value = A20;

  /**
   * Makes the port with an open gate.
   * @param wires What it is wired to.
   */
  constructor(wires: Port92Wires) {
    this.#wires = wires;
  }

  /** Opens the gate and clears all other bits. */
  reset(): void {
    this.#set(A20);
  }

  /** Whether the gate is open. */
  get a20(): boolean {
    return (this.#value & A20) !== 0;
  }

  /**
   * Takes port 0x92.
   * @param ports The I/O ports.
   * @throws BusConflictError It is taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "port 92", base: PORT92, length: 1 }, this);
  }

  /** Reads back what was written. */
  read(): number {
    return this.#value;
  }

  /**
   * Writes the port. The gate moves before a reset.
   * @param _offset 0.
   * @param value 0..255.
   */
  write(_offset: number, value: number): void {
    const resets = (value & ~this.#value & FAST_RESET) !== 0;
    this.#set(value);
    if (resets) this.#wires.reset();
  }

  /** All that the port remembers, to be kept. */
  save(): SavedState {
    return { version: 1, value: this.#value };
  }

  /**
   * Goes back to a kept state; the gate moves if it has to, and nothing is reset.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    this.#set(reader.integer("value", { max: 0xff }));
  }

  #set(value: number): void {
    const moves = ((value ^ this.#value) & A20) !== 0;
    this.#value = value;
    if (moves) this.#wires.a20(this.a20);
  }
}
