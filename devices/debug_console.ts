/**
 * The debug console of Bochs and QEMU: what a guest writes to port 0xe9 is a character for the developer; reading gives 0xe9, by
 * which a guest finds out that the port is there.
 * @module
 */

import type { BusDevice } from "./bus.ts";

/** Where it is. */
export const DEBUG_CONSOLE_PORT = 0xe9;

/** The port. */
export class DebugConsole implements BusDevice {
  /** An 8-bit port. */
  readonly width = 1;
  /** It touches nothing but its own state and its interrupt. */
  readonly plain = true;
  readonly #send: (byte: number) => void;

  /**
   * Makes the port.
   * @param send Takes what the guest writes, 0..255.
   */
  constructor(send: (byte: number) => void) {
    this.#send = send;
  }

  /** Reads its own number. */
  read(): number {
    return DEBUG_CONSOLE_PORT;
  }

  /**
   * Sends a character.
   * @param _offset 0.
   * @param value 0..255.
   */
  write(_offset: number, value: number): void {
    this.#send(value);
  }
}
