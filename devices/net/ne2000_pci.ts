/**
 * The network card RTL8029, a NE2000 on PCI, as QEMU's `ne2k_pci`: its ports are behind BAR 0.
 * @module
 */

import type { BusDevice } from "../bus.ts";
import type { SavedReader, SavedState } from "../device.ts";
import { PciFunction } from "../pci/pci_function.ts";
import { Ne2000, NE2000_PORTS, type Ne2000Options } from "./ne2000.ts";

/** There are more ports behind the BAR than the card has. */
const WINDOW_SIZE = 256;
const VENDOR = 0x10ec, DEVICE = 0x8029, ETHERNET_CLASS = 0x020000;

/** The function. */
export class Ne2000Pci extends PciFunction {
  /** The card. */
  readonly card: Ne2000;

  /**
   * Makes a card and plugs the cable in.
   * @param options What it is made from.
   */
  constructor(options: Omit<Ne2000Options, "interrupt">) {
    super("NE2000", { vendor: VENDOR, device: DEVICE, class: ETHERNET_CLASS, pin: 1 });
    const card = this.card = new Ne2000({ ...options, interrupt: (level) => this.interrupt(level) });
    const target: BusDevice = {
      width: 2,
      read: (offset, size) => offset < NE2000_PORTS ? card.read(offset, size) : (1 << 8 * size) - 1,
      write: (offset, value, size) => {
        if (offset < NE2000_PORTS) card.write(offset, value, size);
      },
    };
    this.addWindow(0, { name: "NE2000", kind: "io", size: WINDOW_SIZE, target });
  }

  /** The reset of the card. */
  protected override resetFunction(): void {
    this.card.reset();
  }

  /** What the card remembers. */
  protected override saveFunction(): SavedState {
    return this.card.save();
  }

  /** Reads what {@linkcode saveFunction} gave. */
  protected override prepareRestoreFunction(reader: SavedReader): () => void {
    return this.card.prepareRestore(reader);
  }
}
