/**
 * Message-signalled interrupts (PCI Local Bus Specification 3.0, 6.8.1): an interrupt is a write of 32 bits to an address that the
 * guest has chosen. With 64-bit addresses and without masks.
 * @module
 */

import type { PciFunction } from "./pci_function.ts";
import { PCI_CAPABILITY } from "./pci_registers.ts";
import type { PciConfig } from "./pci_config.ts";

const LENGTH = 0x0e;
const CONTROL = 2, ADDRESS_LOW = 4, ADDRESS_HIGH = 8, DATA = 12;
const ENABLE = 0x0001, COUNT_SHIFT = 1, CHOSEN = 0x0070, CHOSEN_SHIFT = 4, WIDE = 0x0080;
const MOST_SHIFT = 5;

/** The capability. */
export class Msi {
  readonly #function: PciFunction;
  readonly #config: PciConfig;
  readonly #at: number;

  /**
   * Adds the capability to a function.
   * @param one The function.
   * @param config Its configuration space.
   * @param vectors How many interrupts there are: 1, 2, 4, 8, 16 or 32; 1 unless told.
   * @throws RangeError There is no such number, or no room.
   */
  constructor(one: PciFunction, config: PciConfig, vectors = 1) {
    const shift = Math.log2(vectors);
    if (!(Number.isInteger(shift) && shift >= 0 && shift <= MOST_SHIFT)) {
      throw new RangeError(`Cannot add MSI with ${vectors} vectors: it has 1, 2, 4, 8, 16 or 32`);
    }
    this.#function = one;
    this.#config = config;
    const at = this.#at = one.addCapability(PCI_CAPABILITY.MSI, LENGTH);
    config.define(at + CONTROL, { value: WIDE | shift << COUNT_SHIFT, size: 2, writable: ENABLE | CHOSEN });
    config.define(at + ADDRESS_LOW, { value: 0, size: 4, writable: 0xfffffffc });
    config.define(at + ADDRESS_HIGH, { value: 0, size: 4, writable: 0xffffffff });
    config.define(at + DATA, { value: 0, size: 2, writable: 0xffff });
  }

  /** Whether the guest wants messages in place of the interrupt pin. */
  get enabled(): boolean {
    return (this.#config.get(this.#at + CONTROL, 2) & ENABLE) !== 0;
  }

  /**
   * Sends a message, if messages are on.
   * @param vector Which; those that the guest has no room for share its last bits.
   */
  send(vector = 0): void {
    if (!this.enabled) return;
    const at = this.#at, config = this.#config;
    const chosen = Math.min((config.get(at + CONTROL, 2) & CHOSEN) >> CHOSEN_SHIFT, MOST_SHIFT);
    const mask = (1 << chosen) - 1;
    const address = config.get(at + ADDRESS_HIGH, 4) * 2 ** 32 + config.get(at + ADDRESS_LOW, 4);
    this.#function.message(address, config.get(at + DATA, 2) & ~mask | vector & mask);
  }
}
