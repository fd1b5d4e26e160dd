/**
 * The debug-exit port, as QEMU's `isa-debug-exit`: a guest writes a number and the machine ends with `(number << 1) | 1`, so that
 * a test inside a guest can tell its result.
 * @module
 */

import type { BusDevice } from "./bus.ts";

/** How many ports the device takes. */
export const DEBUG_EXIT_LENGTH = 4;

/** The port that QEMU gives it unless told otherwise. */
export const DEBUG_EXIT_PORT = 0x501;

/** The device. */
export class DebugExit implements BusDevice {
  /** Bytes, words and double words are taken. */
  readonly width = 4;
  /** It ends the machine, and does nothing else. */
  readonly plain = true;
  readonly #exit: (code: number) => void;

  /**
   * Makes the device.
   * @param exit Called with the exit code of the machine, 1..255 and always odd.
   */
  constructor(exit: (code: number) => void) {
    this.#exit = exit;
  }

  /** Reads zero. */
  read(): number {
    return 0;
  }

  /**
   * Ends the machine.
   * @param _offset Any of the ports will do.
   * @param value The number; an exit code has 8 bits, so only its low 7 bits count.
   */
  write(_offset: number, value: number): void {
    this.#exit(((value << 1) | 1) & 0xff);
  }
}
