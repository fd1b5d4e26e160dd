/**
 * The VGA as PCI function, as QEMU's standard adapter is one: BAR 0 is the linear frame buffer, BAR 2 has its registers, and the
 * expansion ROM a video BIOS. The adapter itself, with the addresses of the AT, is `video/vga.ts`.
 * @module
 */

import type { BusDevice } from "../bus.ts";
import { byteMemory } from "./byte_memory.ts";
import { PciFunction } from "./pci_function.ts";
import type { PciMappedMemory } from "./pci_window.ts";

/** What the function is made from. */
export interface PciVgaOptions {
  /** The linear frame buffer: its bytes (a power of two), or who puts it where the guest wants it. */
  readonly linear: Uint8Array | (PciMappedMemory & { readonly length: number });
  /** The registers of BAR 2: `Vga.pciRegisters`. */
  readonly registers: BusDevice;
  /** The video BIOS; none: the function has none. */
  readonly rom?: Uint8Array;
}

const REGISTERS_SIZE = 0x1000;
const LEAST_ROM = 0x800;

/** The function. */
export class PciVga extends PciFunction {
  /**
   * Makes the function.
   * @param options What it is made from.
   * @throws RangeError The frame buffer's size is no power of two.
   */
  constructor(options: PciVgaOptions) {
    const { linear, registers, rom } = options;
    super("VGA", { vendor: 0x1234, device: 0x1111, class: 0x030000, revision: 2 });
    const target = linear instanceof Uint8Array ? byteMemory(linear) : linear;
    this.addWindow(0, { name: "frame buffer", kind: "prefetchable", size: linear.length, target });
    this.addWindow(2, { name: "VGA registers", kind: "memory", size: REGISTERS_SIZE, target: registers });
    if (rom !== undefined) {
      const size = Math.max(LEAST_ROM, 2 ** Math.ceil(Math.log2(rom.length)));
      this.addWindow("rom", { name: "video BIOS", kind: "memory", size, target: byteMemory(rom, { readonly: true }) });
    }
  }
}
