/**
 * The bridge to ISA of the 82371SB (PIIX3 data sheet, 290550): it takes the lines PIRQA to PIRQD to the interrupts of ISA.
 *
 * | offset | |
 * | --- | --- |
 * | 0x60 to 0x63 | PIRQRC: bit 7: not at all; bits 0 to 3: to which IRQ |
 *
 * All other registers of its own are kept and do nothing. Its reset control register is `reset_control.ts`, wired to the bus.
 * @module
 */

import { PciFunction } from "./pci_function.ts";
import { PCI, PCI_CONFIG_SIZE } from "./pci_registers.ts";

/** Offset of the register of PIRQA. */
export const PIIX3_PIRQRC = 0x60;

const PIRQS = 4;
const OFF = 0x80, IRQ = 0x0f;
/** IRQ 0, 1, 2, 8 and 13 cannot be had. */
const ROUTABLE = 0xdef8;
const IRQS = 16;
const COMMAND = 0x0007, STATUS = 0x0200;
/** What other registers are after a reset: XBCS, the bus's recovery timer, top of memory, routing of the IDE interrupts, SMI. */
const RESET_VALUES = [
  [0x4c, 0x4d],
  [0x4e, 0x03],
  [0x69, 0x02],
  [0x70, 0x80],
  [0x76, 0x0c],
  [0x77, 0x0c],
  [0x78, 0x02],
  [
    0xa0,
    0x08,
  ],
] as const;

/** What the bridge is wired to. */
export interface Piix3Wires {
  /**
   * Solders a wire to an IRQ line, which is high while any of its wires is.
   * @param irq 3..7, 9..12, 14, 15.
   * @returns Drives the wire.
   */
  readonly irq: (irq: number) => (level: boolean) => void;
}

/** The bridge. */
export class Piix3 extends PciFunction {
  /** By IRQ. */
  readonly #lines: readonly ((level: boolean) => void)[];
  readonly #pirqs: boolean[] = new Array(PIRQS).fill(false);
  /** A bit for each IRQ that is high. */
  #high = 0;

  /**
   * Makes the bridge.
   * @param wires What it is wired to.
   */
  constructor(wires: Piix3Wires) {
    super("ISA bridge", { vendor: 0x8086, device: 0x7000, class: 0x060100, multifunction: true });
    this.#lines = Array.from({ length: IRQS }, (_, irq) => (ROUTABLE >> irq & 1) !== 0 ? wires.irq(irq) : () => {});
    const { config } = this;
    config.define(PCI.COMMAND, { value: COMMAND, size: 2, writable: 0x0108 });
    config.define(PCI.STATUS, { value: STATUS, size: 2, clears: 0xf900 });
    for (let at: number = PCI.FIRST_FREE; at < PCI_CONFIG_SIZE; at++) {
      config.define(at, { value: 0, size: 1, writable: 0xff });
    }
    for (const [at, value] of RESET_VALUES) config.define(at, { value, size: 1, writable: 0xff });
    for (let n = 0; n < PIRQS; n++) config.define(PIIX3_PIRQRC + n, { value: OFF, size: 1, writable: OFF | IRQ });
  }

  /**
   * Drives a line.
   * @param pirq 0 is PIRQA, 3 PIRQD.
   * @param level Its level.
   */
  setPirq(pirq: number, level: boolean): void {
    this.#pirqs[pirq] = level;
    this.#route();
  }

  /**
   * Writes the configuration space.
   * @param offset 0..255.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  override writeConfig(offset: number, value: number, size: number): void {
    super.writeConfig(offset, value, size);
    if (offset < PIIX3_PIRQRC + PIRQS && offset + size > PIIX3_PIRQRC) this.#route();
  }

  /** No line goes anywhere. */
  protected override resetFunction(): void {
    this.#route();
  }

  /** The lines go where the kept registers say. */
  protected override prepareRestoreFunction(): () => void {
    return () => this.#route();
  }

  #route(): void {
    let high = 0;
    this.#pirqs.forEach((level, pirq) => {
      const control = this.config.get(PIIX3_PIRQRC + pirq, 1);
      if (level && (control & OFF) === 0) high |= 1 << (control & IRQ);
    });
    const changed = (high ^ this.#high) & ROUTABLE;
    this.#high = high;
    for (let irq = 0; irq < IRQS; irq++) if ((changed >> irq & 1) !== 0) this.#lines[irq]((high >> irq & 1) !== 0);
  }
}
