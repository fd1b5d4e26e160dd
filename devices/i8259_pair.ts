/**
 * The interrupt controllers of a PC/AT: two 8259A, the slave's INT pin on the master's input 2, and the edge/level control
 * registers (ELCR) of EISA and PCI chip sets.
 *
 * | ports | |
 * | --- | --- |
 * | 0x20, 0x21 | master: IRQ 0 to 7 |
 * | 0xa0, 0xa1 | slave: IRQ 8 to 15 |
 * | 0x4d0, 0x4d1 | ELCR: a bit for each IRQ, set for level-triggered; 0, 1, 2, 8 and 13 are always edge-triggered |
 *
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import { type Device, SavedReader, type SavedState } from "./device.ts";
import { I8259, I8259_LENGTH } from "./i8259.ts";
import type { Interrupter } from "./interrupter.ts";

/** The master's first port. */
export const PIC_MASTER_PORT = 0x20;
/** The slave's first port. */
export const PIC_SLAVE_PORT = 0xa0;
/** The first of the two edge/level control registers. */
export const ELCR_PORT = 0x4d0;

const ELCR_LENGTH = 2;
const ELCR_MASTER_BITS = 0xf8;
const ELCR_SLAVE_BITS = 0xde;

const CASCADE = 2;
const IRQS = 16;

/** What the pair is wired to. */
export interface I8259PairWires {
  /** The processor's INTR pin; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
}

/**
 * The pair.
 *
 * @example
 * ```ts
 * import { I8259Pair } from "./i8259_pair.ts";
 *
 * const pic = new I8259Pair({ interrupt: () => {} });
 * const irq4 = pic.line(4); // the interrupt wire of a UART
 * irq4(true);
 * if (pic.intr) pic.acknowledge(); // the vector to inject
 * ```
 */
export class I8259Pair implements Device, Interrupter {
  /** `"i8259"`. */
  readonly name = "i8259";
  /** IRQ 0 to 7. */
  readonly master: I8259;
  /** IRQ 8 to 15. */
  readonly slave: I8259;
  /** For each IRQ, the levels of all that drive it. */
  readonly #drivers: boolean[][] = Array.from({ length: IRQS }, () => []);

  /**
   * Makes both chips as they are after power-up.
   * @param wires What they are wired to.
   */
  constructor(wires: I8259PairWires) {
    this.master = new I8259({ interrupt: wires.interrupt, cascaded: 1 << CASCADE, elcr: ELCR_MASTER_BITS });
    this.slave = new I8259({ interrupt: (level) => this.master.setInput(CASCADE, level), elcr: ELCR_SLAVE_BITS });
  }

  /** The processor's INTR pin. */
  get intr(): boolean {
    return this.master.int;
  }

  /** INTR, as a processor sees it. */
  get pending(): boolean {
    return this.master.int;
  }

  /** Whether all lines are masked, or the chips are not initialized. */
  get deaf(): boolean {
    const { unmasked } = this.master;
    return (unmasked & ~(1 << CASCADE)) === 0 && ((unmasked & (1 << CASCADE)) === 0 || this.slave.unmasked === 0);
  }

  /** As after power-up; the levels of the IRQ lines stay. */
  reset(): void {
    this.slave.reset();
    this.master.reset();
  }

  /**
   * Takes ports 0x20, 0x21, 0xa0, 0xa1, 0x4d0 and 0x4d1.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "interrupt controller 1", base: PIC_MASTER_PORT, length: I8259_LENGTH }, this.master);
    ports.attach({ name: "interrupt controller 2", base: PIC_SLAVE_PORT, length: I8259_LENGTH }, this.slave);
    const elcr: BusDevice = {
      width: 1,
      plain: true,
      read: (offset) => offset === 0 ? this.master.elcr : this.slave.elcr,
      write: (offset, value) => {
        if (offset === 0) this.master.elcr = value;
        else this.slave.elcr = value;
      },
    };
    ports.attach({ name: "interrupt edge/level", base: ELCR_PORT, length: ELCR_LENGTH }, elcr);
  }

  /**
   * Solders one more wire to an IRQ line. The line is high while any of its wires is.
   * @param irq 0..15, but not 2.
   * @returns Drives the wire, which is low at first.
   * @throws RangeError There is no such line.
   */
  line(irq: number): (level: boolean) => void {
    const drivers = this.#drivers[irq];
    if (drivers === undefined || irq === CASCADE) {
      throw new RangeError(`Cannot wire IRQ ${irq}: the lines are 0, 1 and 3 to 15`);
    }
    const driver = drivers.push(false) - 1;
    return (level) => {
      drivers[driver] = level;
      const chip = irq < 8 ? this.master : this.slave;
      chip.setInput(irq & 7, drivers.includes(true));
    };
  }

  /**
   * The processor acknowledges an interrupt.
   * @returns The vector, 0..255. Where the request has gone meanwhile it is that of IRQ 7 or 15, without being in service.
   */
  acknowledge(): number {
    const level = this.master.acknowledge();
    return level === CASCADE ? this.slave.vector(this.slave.acknowledge()) : this.master.vector(level);
  }

  /** All that the chips remember, to be kept. */
  save(): SavedState {
    return { version: 1, chips: [this.master.save(), this.slave.save()] };
  }

  /**
   * Goes back to a kept state; the devices that drive the lines must have been restored before.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const [master, slave] = reader.parts("chips", 2);
    const restoreMaster = this.master.prepareRestore(master);
    const restoreSlave = this.slave.prepareRestore(slave);
    restoreSlave();
    restoreMaster();
  }
}
