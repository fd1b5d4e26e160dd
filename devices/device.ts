/**
 * What every device of the board has in common: a name, a reset pin, its place on a bus, and a state that can be kept as JSON.
 *
 * A board keeps the states of its devices by their names and gives them back in any order but two: the clock comes first, and an
 * interrupt controller after the devices that drive its lines.
 * @module
 */

import type { Bus } from "./bus.ts";

/** What a saved state is made of: plain data that survives JSON. */
export type SavedValue = null | boolean | number | string | readonly SavedValue[] | SavedState;

/** A saved state: named values. */
export interface SavedState {
  readonly [name: string]: SavedValue;
}

/** A device. */
export interface Device {
  /** What the device is called, also where states are kept. */
  readonly name: string;
  /** The reset pin. */
  reset(): void;
  /**
   * Takes the device's own addresses.
   * @param ports The I/O ports.
   * @param mmio The guest-physical addresses without memory.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus, mmio: Bus): void;
  /** All that the device remembers, to be kept. */
  save(): SavedState;
  /**
   * Goes back to a kept state; lines whose level differs are driven.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void;
}

/** A kept state that does not fit its device. */
export class SavedStateError extends Error {
  /** `"SavedStateError"`. */
  override readonly name: string = "SavedStateError";
}

/**
 * Reads a kept state and checks each value, so that a damaged file is a message and not a device gone mad.
 *
 * @example
 * ```ts
 * import { SavedReader } from "./device.ts";
 *
 * const reader = new SavedReader("scratch", { version: 1, value: 0x42 });
 * reader.version(1);
 * reader.integer("value", { max: 0xff }); // 66
 * ```
 */
export class SavedReader {
  readonly #device: string;
  readonly #state: SavedState;

  /**
   * Begins to read a state.
   * @param device Whose state it is, for messages.
   * @param state The state.
   */
  constructor(device: string, state: SavedState) {
    this.#device = device;
    this.#state = state;
  }

  /**
   * Checks the form of the state, kept under the name `version`.
   * @param version The only one that the device understands.
   * @throws SavedStateError It is another one.
   */
  version(version: number): void {
    if (this.#state.version !== version) this.#refuse("version", `is not ${version}`);
  }

  /**
   * Gives a whole number.
   * @param name Its name.
   * @param range The smallest (0 unless told) and the largest value that it may have.
   * @throws SavedStateError It is missing, no whole number, or out of range.
   */
  integer(name: string, range: { readonly min?: number; readonly max: number }): number {
    const { min = 0, max } = range;
    const value = this.#state[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min || value > max) {
      this.#refuse(name, `is not a whole number from ${min} to ${max}`);
    }
    return value;
  }

  /**
   * Gives a truth value.
   * @param name Its name.
   * @throws SavedStateError It is missing or something else.
   */
  boolean(name: string): boolean {
    const value = this.#state[name];
    if (typeof value !== "boolean") this.#refuse(name, "is not true or false");
    return value;
  }

  /**
   * Gives bytes that {@linkcode savedBytes} has packed.
   * @param name Their name.
   * @param length How many there must be.
   * @throws SavedStateError They are missing, damaged, or more or fewer.
   */
  bytes(name: string, length: number): Uint8Array {
    const value = this.#state[name];
    let bytes: Uint8Array | undefined;
    try {
      if (typeof value === "string") bytes = Uint8Array.fromBase64(value);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    if (bytes?.length !== length) this.#refuse(name, `is not ${length} bytes in base64`);
    return bytes;
  }

  /**
   * Gives readers of the parts of a state.
   * @param name What the list of parts is called.
   * @param length How many there must be.
   * @throws SavedStateError They are missing, something else, or more or fewer.
   */
  parts(name: string, length: number): SavedReader[] {
    const value = this.#state[name];
    if (!Array.isArray(value) || value.length !== length || !value.every(isState)) {
      this.#refuse(name, `is not a list of ${length} states`);
    }
    return value.map((part: SavedState, index) => new SavedReader(`${this.#device} ${name}[${index}]`, part));
  }

  #refuse(name: string, problem: string): never {
    throw new SavedStateError(`Cannot restore ${this.#device}: ${name} ${problem}`);
  }
}

/**
 * Packs bytes for a saved state.
 * @param bytes Any number of bytes.
 * @returns The same in base64.
 */
export function savedBytes(bytes: Uint8Array): string {
  return bytes.toBase64();
}

function isState(value: unknown): value is SavedState {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
