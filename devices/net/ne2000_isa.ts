/**
 * The network card NE2000 on ISA, as QEMU's `ne2k_isa`: ports 0x300 to 0x31f, IRQ 9.
 * @module
 */

import type { Bus } from "../bus.ts";
import { type Device, SavedReader, type SavedState } from "../device.ts";
import { Ne2000, NE2000_PORTS, type Ne2000Options } from "./ne2000.ts";

/** The first port. */
export const NE2000_ISA_PORT = 0x300;
/** The interrupt line. */
export const NE2000_ISA_IRQ = 9;

/** The card. */
export class Ne2000Isa implements Device {
  /** What it is called. */
  readonly name = "NE2000";
  /** The card. */
  readonly card: Ne2000;

  /**
   * Makes a card and plugs the cable in.
   * @param options What it is made from.
   */
  constructor(options: Ne2000Options) {
    this.card = new Ne2000(options);
  }

  /** The reset pin. */
  reset(): void {
    this.card.reset();
  }

  /**
   * Takes its ports.
   * @param ports The I/O ports.
   * @throws BusConflictError They are taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: this.name, base: NE2000_ISA_PORT, length: NE2000_PORTS }, this.card);
  }

  /** All that the card remembers, to be kept. */
  save(): SavedState {
    return { version: 1, ...this.card.save() };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    this.card.prepareRestore(reader)();
  }
}
