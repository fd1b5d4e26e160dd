/**
 * The power-off register: the sleep-control half of the ACPI PM1a control block as QEMU's PC has it. A guest turns the machine
 * off by setting SLP_EN; the sleep type is not looked at.
 * @module
 */

import type { BusDevice } from "./bus.ts";

/** How many ports the register takes. */
export const POWER_OFF_LENGTH = 2;

/** Where QEMU's PC has it. */
export const POWER_OFF_PORT = 0x604;

const PM1_SLP_EN = 0x2000;

/** The register. */
export class PowerOff implements BusDevice {
  /** A 16-bit register. */
  readonly width = 2;
  readonly #powerOff: () => void;

  /**
   * Makes the register.
   * @param powerOff Called when the guest turns the machine off.
   */
  constructor(powerOff: () => void) {
    this.#powerOff = powerOff;
  }

  /** Reads zero. */
  read(): number {
    return 0;
  }

  /**
   * Turns the machine off if SLP_EN is among the written bits.
   * @param offset 0 or 1.
   * @param value What is written.
   */
  write(offset: number, value: number): void {
    if ((value << (8 * offset)) & PM1_SLP_EN) this.#powerOff();
  }
}
