/**
 * The host bridge of the 82441FX (440FX PCIset data sheet, 290549): what firmware knows the machine by, and who answers between
 * 0xc0000 and 0xfffff. The registers are kept and do nothing: memory there can always be read and written.
 *
 * | offset | |
 * | --- | --- |
 * | 0x59 to 0x5f | PAM0 to PAM6: for each piece two bits, readable and writable |
 * | 0x72 | SMRAM |
 *
 * @module
 */

import { PciFunction } from "./pci_function.ts";
import { PCI, PCI_CONFIG_SIZE } from "./pci_registers.ts";

/** Offset of the first PAM register. */
export const I440FX_PAM = 0x59;
/** Offset of the SMRAM register. */
export const I440FX_SMRAM = 0x72;

const PAMS = 7;
const PAM_BITS = 0x33;
const SMRAM_RESET = 0x02;
const SMRAM_BITS = 0x78;
const SMRAM_LOCK = 0x10;
/** Locked: whether there is SMRAM at all, and the lock, stay as they are; it cannot be opened. */
const SMRAM_OPEN = 0x40;
const COMMAND = 0x0006, STATUS = 0x0280;

/** The bridge. */
export class I440fx extends PciFunction {
  /** Makes the bridge. */
  constructor() {
    super("host bridge", { vendor: 0x8086, device: 0x1237, class: 0x060000, revision: 2 });
    const { config } = this;
    config.define(PCI.COMMAND, { value: COMMAND, size: 2, writable: 0x0100 });
    config.define(PCI.STATUS, { value: STATUS, size: 2, clears: 0xf900 });
    for (let at: number = PCI.FIRST_FREE; at < PCI_CONFIG_SIZE; at++) {
      config.define(at, { value: 0, size: 1, writable: 0xff });
    }
    for (let n = 0; n < PAMS; n++) {
      config.define(I440FX_PAM + n, { value: 0, size: 1, writable: n === 0 ? PAM_BITS & 0xf0 : PAM_BITS });
    }
    config.define(I440FX_SMRAM, { value: SMRAM_RESET, size: 1, writable: SMRAM_BITS });
  }

  /**
   * Writes the configuration space.
   * @param offset 0..255.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  override writeConfig(offset: number, value: number, size: number): void {
    const before = this.config.get(I440FX_SMRAM, 1);
    super.writeConfig(offset, value, size);
    if ((before & SMRAM_LOCK) !== 0) this.config.set(I440FX_SMRAM, before & ~SMRAM_OPEN, 1);
  }
}
