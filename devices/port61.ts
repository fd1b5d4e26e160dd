/**
 * Port 0x61 of a PC/AT, once port B of the 8255: the wires around the 8254, and two enable bits of the NMI.
 *
 * | bit | |
 * | --- | --- |
 * | 0 | GATE of counter 2 |
 * | 1 | the speaker gets OUT of counter 2 |
 * | 2, 3 | NMI for memory parity and I/O channel check is off; kept, for neither happens |
 * | 4 | toggles with each refresh of memory, every 18 CLK pulses (15.09 µs); read only |
 * | 5 | OUT of counter 2; read only |
 * | 6, 7 | I/O channel check, memory parity error: never; read only |
 *
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import { type Device, SavedReader, type SavedState } from "./device.ts";
import type { I8254 } from "./i8254.ts";

/** Its number. */
export const PORT61 = 0x61;

const GATE2 = 0x01;
const WRITABLE = 0x0f;
const REFRESH = 0x10;
const OUT2 = 0x20;

/** What firmware programs counter 1 for; here it holds whatever counter 1 does. */
const REFRESH_PULSES = 18;

/** The port. */
export class Port61 implements Device, BusDevice {
  /** `"port61"`. */
  readonly name = "port61";
  /** An 8-bit port. */
  readonly width = 1;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #timer: I8254;
  #value = 0;

  /**
   * Makes the port with all its bits clear: GATE of counter 2 is low.
   * @param timer The chip that it is wired to.
   */
  constructor(timer: I8254) {
    this.#timer = timer;
    this.reset();
  }

  /** Clears all bits; the timer has to be reset before. */
  reset(): void {
    this.write(0, 0);
  }

  /**
   * Takes port 0x61.
   * @param ports The I/O ports.
   * @throws BusConflictError It is taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "port 61", base: PORT61, length: 1 }, this);
  }

  /** Reads the port, 0..255. */
  read(): number {
    const refresh = Math.floor(this.#timer.pulses() / REFRESH_PULSES) % 2 === 1;
    return this.#value | (refresh ? REFRESH : 0) | (this.#timer.out(2) ? OUT2 : 0);
  }

  /**
   * Writes the port.
   * @param _offset 0.
   * @param value 0..255.
   */
  write(_offset: number, value: number): void {
    this.#value = value & WRITABLE;
    this.#timer.setGate(2, (value & GATE2) !== 0);
  }

  /** All that the port remembers, to be kept; the gate is the timer's. */
  save(): SavedState {
    return { version: 1, value: this.#value };
  }

  /**
   * Goes back to a kept state. The gate is left as it is: restoring the timer sets it.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    this.#value = reader.integer("value", { max: WRITABLE });
  }
}
