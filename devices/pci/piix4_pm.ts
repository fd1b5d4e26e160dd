/**
 * Power management of the 82371AB (PIIX4 data sheet, 290562) as PCI function. The ports of power management themselves are
 * `acpi/power_management.ts`, and always at 0x600; where firmware wants them somewhere else, they are there too. There is no
 * SMBus, and there are no system management interrupts: the bit by which firmware sees that they are set up is set.
 *
 * | offset | |
 * | --- | --- |
 * | 0x40 | PMBASE |
 * | 0x58 | DEVACTB; bit 25: a write to port 0xb2 is a system management interrupt |
 * | 0x80 | PMREGMISC; bit 0: the ports are there |
 *
 * | ports | |
 * | --- | --- |
 * | 0xb2, 0xb3 | APMC, APMS: two bytes that are kept |
 *
 * @module
 */

import { PM_LENGTH, PM_PORT } from "../acpi/power_management.ts";
import { type Bus, BusConflictError, type BusDevice, type Detach } from "../bus.ts";
import type { SavedReader, SavedState } from "../device.ts";
import { PciFunction, type PciWires } from "./pci_function.ts";
import { PCI } from "./pci_registers.ts";

/** The first of the two ports of advanced power management. */
export const APM_PORT = 0xb2;

const APM_PORTS = 2;
const PMBASE = 0x40, PMREGMISC = 0x80, DEVACTB = 0x58, SMBUS_BASE = 0x90, SMBUS_CONFIG = 0xd2;
const PMBASE_BITS = 0xffc0, IO_FLAG = 1;
const APMC_ENABLED = 1 << 25;
const STATUS = 0x0280;

/** The function. */
export class Piix4Pm extends PciFunction {
  readonly #apm = new Uint8Array(APM_PORTS);
  readonly #power: BusDevice | undefined;
  #ports: Bus | undefined;
  #base: number = PM_PORT;
  #detach: Detach = () => {};

  /**
   * Makes the function.
   * @param power The ports of power management; none: they do not move.
   */
  constructor(power?: BusDevice) {
    super("power management", { vendor: 0x8086, device: 0x7113, class: 0x068000, revision: 3, pin: 1 });
    this.#power = power;
    const { config } = this;
    config.define(PCI.STATUS, { value: STATUS, size: 2, clears: 0xf900 });
    config.define(PCI.INTERRUPT_LINE, { value: 9, size: 1, writable: 0xff });
    config.define(PMBASE, { value: PM_PORT | IO_FLAG, size: 4, writable: PMBASE_BITS });
    config.define(DEVACTB, { value: APMC_ENABLED, size: 4, writable: 0xffffffff });
    config.define(PMREGMISC, { value: 1, size: 1, writable: 1 });
    config.define(SMBUS_BASE, { value: IO_FLAG, size: 4, writable: 0xfff0 });
    config.define(SMBUS_CONFIG, { value: 0, size: 1, writable: 0x0f });
  }

  /**
   * Wires the function up, and takes ports 0xb2 and 0xb3.
   * @param wires What to.
   * @throws BusConflictError The ports are taken.
   */
  override plug(wires: PciWires): void {
    super.plug(wires);
    this.#ports = wires.ports;
    const apm = this.#apm;
    wires.ports.attach({ name: "advanced power management", base: APM_PORT, length: APM_PORTS }, {
      width: 1,
      read: (offset) => apm[offset],
      write: (offset, value) => apm[offset] = value,
    });
  }

  /**
   * Writes the configuration space.
   * @param offset 0..255.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  override writeConfig(offset: number, value: number, size: number): void {
    super.writeConfig(offset, value, size);
    this.#place();
  }

  /** Clears the bytes, and puts the ports back. */
  protected override resetFunction(): void {
    this.#apm.fill(0);
    this.#place();
  }

  /** The bytes. */
  protected override saveFunction(): SavedState {
    return { control: this.#apm[0], status: this.#apm[1] };
  }

  /** Reads the bytes. */
  protected override prepareRestoreFunction(reader: SavedReader): () => void {
    const bytes = [reader.integer("control", { max: 0xff }), reader.integer("status", { max: 0xff })];
    return () => {
      this.#apm.set(bytes);
      this.#place();
    };
  }

  /** Puts the ports where the guest wants them. */
  #place(): void {
    const on = (this.config.get(PMREGMISC, 1) & 1) !== 0;
    const base = on ? this.config.get(PMBASE, 2) & PMBASE_BITS : 0;
    if (base === this.#base) return;
    this.#base = base;
    this.#detach();
    this.#detach = () => {};
    if (base === 0 || base === PM_PORT || this.#power === undefined || this.#ports === undefined) return;
    try {
      this.#detach = this.#ports.attach({ name: "power management, moved", base, length: PM_LENGTH }, this.#power);
    } catch (error) {
      // Where somebody else is, they are not.
      if (!(error instanceof BusConflictError)) throw error;
    }
  }
}
