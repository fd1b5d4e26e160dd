/**
 * The reset control register of PCI chip sets, port 0xcf9.
 *
 * | bit | |
 * | --- | --- |
 * | 1 | the next reset is one of the whole machine; otherwise one of the processor |
 * | 2 | resets; reads 0 |
 * | 3 | the whole machine is switched off and on for that; kept and without effect |
 *
 * The port lies among those of the PCI configuration address, 0xcf8 to 0xcfb, which only takes accesses of four bytes. A board
 * with such a device does not attach this one, but has that device hand over accesses of one byte at its offset 1.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import { type Device, SavedReader, type SavedState } from "./device.ts";

/** Its number. */
export const RESET_CONTROL_PORT = 0xcf9;

const SYSTEM_RESET = 0x02;
const RESET_CPU = 0x04;
const FULL_RESET = 0x08;

/** What a guest can reset: the processor alone, or the whole machine. */
export type ResetKind = "processor" | "machine";

/** What the register is wired to. */
export interface ResetControlWires {
  /** Called when the guest resets something. */
  readonly reset: (kind: ResetKind) => void;
}

/** The register. */
export class ResetControl implements Device, BusDevice {
  /** `"reset control"`. */
  readonly name = "reset control";
  /** An 8-bit register. */
  readonly width = 1;
  readonly #wires: ResetControlWires;
  #value = 0;

  /**
   * Makes the register with all bits clear.
   * @param wires What it is wired to.
   */
  constructor(wires: ResetControlWires) {
    this.#wires = wires;
  }

  /** Clears all bits. */
  reset(): void {
    this.#value = 0;
  }

  /**
   * Takes port 0xcf9.
   * @param ports The I/O ports.
   * @throws BusConflictError It is taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "reset control", base: RESET_CONTROL_PORT, length: 1 }, this);
  }

  /** Reads the bits that are kept. */
  read(): number {
    return this.#value;
  }

  /**
   * Writes the register, and resets if that is asked for.
   * @param _offset 0.
   * @param value 0..255.
   */
  write(_offset: number, value: number): void {
    this.#value = value & (SYSTEM_RESET | FULL_RESET);
    if (value & RESET_CPU) this.#wires.reset(value & SYSTEM_RESET ? "machine" : "processor");
  }

  /** All that the register remembers, to be kept. */
  save(): SavedState {
    return { version: 1, value: this.#value };
  }

  /**
   * Goes back to a kept state; nothing is reset.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    this.#value = reader.integer("value", { max: 0xff }) & (SYSTEM_RESET | FULL_RESET);
  }
}
