/**
 * The board: which device is where. This is the whole map.
 *
 * | ports | device |
 * | --- | --- |
 * | 0x3f8 to 0x3ff | COM1, an 8250 |
 * | 0x604 to 0x605 | power-off |
 * | 0x501 to 0x504, or as told | debug-exit, only where it is asked for |
 *
 * There are no memory-mapped registers and no interrupt controller yet: COM1 is used by polling, and a processor that halts is
 * never woken.
 * @module
 */

import { Bus } from "./bus.ts";
import { DEBUG_EXIT_LENGTH, DebugExit } from "./debug_exit.ts";
import type { HostEnd } from "./host_end.ts";
import { POWER_OFF_LENGTH, POWER_OFF_PORT, PowerOff } from "./power_off.ts";
import { Uart8250, UART8250_LENGTH } from "./uart8250.ts";

/** The first port of COM1. */
export const COM1_PORT = 0x3f8;

/** What a {@linkcode Pc} is made from. */
export interface PcOptions {
  /** The host's end of COM1. */
  readonly serial: HostEnd;
  /** First port of debug-exit, 0..0xfffc; none: there is no such device. */
  readonly debugExit?: number;
}

/** The board. */
export class Pc {
  /** The 65,536 I/O ports. */
  readonly ports: Bus = new Bus("port", 0x10000);
  /** The guest-physical addresses without memory. */
  readonly mmio: Bus = new Bus("address", 2 ** 52);
  /** COM1. */
  readonly com1: Uart8250;
  #exitCode: number | undefined;

  /**
   * Builds the board.
   * @param options What it is made from.
   * @throws BusConflictError Debug-exit has no room where it was asked for.
   */
  constructor(options: PcOptions) {
    const { serial, debugExit } = options;
    this.com1 = new Uart8250({
      transmit: (byte) => serial.send(byte),
      receive: () => serial.receive(),
      interrupt: () => {}, // no interrupt controller is on the board
    });
    this.ports.attach({ name: "COM1", base: COM1_PORT, length: UART8250_LENGTH }, this.com1);
    this.ports.attach(
      { name: "power-off", base: POWER_OFF_PORT, length: POWER_OFF_LENGTH },
      new PowerOff(() => this.#end(0)),
    );
    if (debugExit !== undefined) {
      this.ports.attach(
        { name: "debug-exit", base: debugExit, length: DEBUG_EXIT_LENGTH },
        new DebugExit((code) => this.#end(code)),
      );
    }
  }

  /** The exit code once the guest has ended the machine: 0 for power-off, otherwise what debug-exit gave. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  #end(code: number): void {
    this.#exitCode ??= code;
  }
}
