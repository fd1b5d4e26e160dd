/**
 * The IDE function of the 82371SB (PIIX3 data sheet, 290550): the registers of bus mastering behind BAR 4. The ports and interrupts
 * of both channels are those of the AT and stay where they are.
 * @module
 */

import type { BusDevice } from "../bus.ts";
import { PciFunction } from "./pci_function.ts";
import { PCI } from "./pci_registers.ts";

/** Ports of bus mastering: eight for each channel. */
export const IDE_BUS_MASTER_PORTS = 16;

const TIMINGS = 0x40;
const STATUS = 0x0280;

/** The function. */
export class Piix3Ide extends PciFunction {
  /**
   * Makes the function.
   * @param busMaster The controller's registers of bus mastering, 16 ports.
   */
  constructor(busMaster: BusDevice) {
    super("IDE", { vendor: 0x8086, device: 0x7010, class: 0x010180 });
    this.config.define(PCI.STATUS, { value: STATUS, size: 2, clears: 0xf900 });
    this.config.define(TIMINGS, { value: 0, size: 4, writable: 0xffffffff });
    this.config.define(TIMINGS + 4, { value: 0, size: 4, writable: 0xffffffff });
    this.addWindow(4, { name: "IDE bus master", kind: "io", size: IDE_BUS_MASTER_PORTS, target: busMaster });
  }
}
