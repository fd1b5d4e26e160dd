/**
 * PCI as QEMU's "pc" has it: which function is where. This is the whole map; further functions go to device 3 and up.
 *
 * | place | function | interrupt |
 * | --- | --- | --- |
 * | 0.0 | 8086:1237 host bridge | |
 * | 1.0 | 8086:7000 bridge to ISA | PIRQA to PIRQD, to the IRQs that its registers say |
 * | 1.1 | 8086:7010 IDE, where there is a controller | IRQ 14 and 15, of the AT |
 * | 1.3 | 8086:7113 power management | IRQ 9, of the chip itself |
 * | 2.0 | 1234:1111 VGA, where there is one | |
 *
 * @module
 */

import type { BusDevice } from "../bus.ts";
import { I440fx } from "./i440fx.ts";
import { PciBus } from "./pci_bus.ts";
import { PciVga, type PciVgaOptions } from "./pci_vga.ts";
import { Piix3, type Piix3Wires } from "./piix3.ts";
import { Piix3Ide } from "./piix3_ide.ts";
import { Piix4Pm } from "./piix4_pm.ts";

/** What the functions are made from and wired to. */
export interface PciBoardOptions extends Piix3Wires {
  /** A message-signalled interrupt: a write of 32 bits to an address. */
  readonly message: (address: number, data: number) => void;
  /** The reset control register, which is among the ports of the bus. */
  readonly resetControl?: BusDevice;
  /** The registers of bus mastering of an IDE controller, 16 ports; none: there is none. */
  readonly ide?: BusDevice;
  /** The ports of power management, which firmware may move; none: they do not move. */
  readonly power?: BusDevice;
  /** What the VGA is made from; none: there is none. */
  readonly vga?: PciVgaOptions;
}

/**
 * Puts the functions on a bus.
 * @param options What they are made from and wired to.
 * @returns The bus, to be plugged into the board.
 */
export function buildPci(options: PciBoardOptions): PciBus {
  const { message, resetControl, ide, power, vga, irq } = options;
  const isa = new Piix3({ irq });
  const bus = new PciBus({ interrupt: (pirq, level) => isa.setPirq(pirq, level), message, resetControl });
  bus.plug(new I440fx(), { device: 0 });
  bus.plug(isa, { device: 1 });
  if (ide !== undefined) bus.plug(new Piix3Ide(ide), { device: 1, function: 1 });
  bus.plug(new Piix4Pm(power), { device: 1, function: 3 });
  if (vga !== undefined) bus.plug(new PciVga(vga), { device: 2 });
  return bus;
}
