/**
 * PCI bus 0, its functions, and configuration mechanism #1 (PCI Local Bus Specification 3.0, 3.2.2.3.2): the address at port 0xcf8,
 * taken in accesses of four bytes only, the data at 0xcfc to 0xcff.
 *
 * Interrupt pins go to the lines PIRQA to PIRQD as on QEMU's "pc": pin p of device d to line (p + d - 1) mod 4, counted from 0.
 * @module
 */

import type { Bus, BusDevice } from "../bus.ts";
import { type Device, SavedReader, type SavedState, SavedStateError } from "../device.ts";
import type { PciFunction } from "./pci_function.ts";
import { PCI_NOBODY } from "./pci_registers.ts";

/** The port of the address; the data begins four ports behind. */
export const PCI_ADDRESS_PORT = 0xcf8;
/** How many ports there are. */
export const PCI_PORTS = 8;
/** The lines PIRQA to PIRQD. */
export const PIRQS = 4;

const ENABLE = 0x80000000;
const ADDRESS_BITS = 0x80fffffc;
const DATA = 4;
const RESET_CONTROL = 1;
const FUNCTIONS = 8, DEVICES = 32;

/** What a bus is wired to. */
export interface PciBusWires {
  /** PIRQA to PIRQD, counted from 0; called when the level of one changes. */
  readonly interrupt: (pirq: number, level: boolean) => void;
  /** A message-signalled interrupt: a write of 32 bits to an address. */
  readonly message: (address: number, data: number) => void;
  /** What answers accesses of one byte to port 0xcf9; none: nobody does. */
  readonly resetControl?: BusDevice;
}

/** Where a function is. */
export interface PciPlace {
  /** 0..31. */
  readonly device: number;
  /** 0..7; 0 unless told. */
  readonly function?: number;
}

/** Two functions at one place, or no place for one. */
export class PciPlaceError extends Error {
  /** `"PciPlaceError"`. */
  override readonly name: string = "PciPlaceError";
}

/**
 * The bus.
 *
 * @example
 * ```ts
 * import { Bus } from "../bus.ts";
 * import { PciBus } from "./pci_bus.ts";
 * import { PciFunction } from "./pci_function.ts";
 *
 * const ports = new Bus("port", 0x10000), mmio = new Bus("address", 2 ** 52);
 * const pci = new PciBus({ interrupt: () => {}, message: () => {} });
 * pci.attach(ports, mmio);
 * pci.plug(new PciFunction("scratch", { vendor: 0x1234, device: 1, class: 0xff0000 }), { device: 3 });
 * ports.out(0xcf8, 4, 0x80001800);
 * ports.in(0xcfc, 4); // 0x11234
 * ```
 */
export class PciBus implements Device, BusDevice {
  /** `"pci"`. */
  readonly name = "pci";
  /** Addresses of 32 bits. */
  readonly width = 4;
  readonly #wires: PciBusWires;
  /** By device and function: bits 3 to 7 and 0 to 2. */
  readonly #functions: (PciFunction | undefined)[] = new Array(DEVICES * FUNCTIONS).fill(undefined);
  /** For each line, which functions drive it. */
  readonly #drivers: readonly Set<PciFunction>[] = Array.from({ length: PIRQS }, () => new Set<PciFunction>());
  #buses: { readonly ports: Bus; readonly mmio: Bus } | undefined;
  #address = 0;

  /**
   * Makes a bus without functions.
   * @param wires What it is wired to.
   */
  constructor(wires: PciBusWires) {
    this.#wires = wires;
  }

  /** The functions, in the order of their places. */
  get functions(): readonly PciFunction[] {
    return this.#functions.filter((one) => one !== undefined);
  }

  /**
   * Takes ports 0xcf8 to 0xcff.
   * @param ports The I/O ports.
   * @param mmio The guest-physical addresses without memory, for the functions.
   * @throws BusConflictError Some of them are taken, or some that a function has of its own.
   */
  attach(ports: Bus, mmio: Bus): void {
    ports.attach({ name: "PCI configuration", base: PCI_ADDRESS_PORT, length: PCI_PORTS }, this);
    this.#buses = { ports, mmio };
    this.#functions.forEach((one, index) => {
      if (one !== undefined) this.#wire(one, index, { ports, mmio });
    });
  }

  /**
   * Plugs a function in.
   * @param one The function.
   * @param place Where; the first free device from 3 on unless told.
   * @returns The same.
   * @throws PciPlaceError There is one, or no place is free.
   * @throws BusConflictError The bus is attached, and the function has addresses of its own that are taken.
   */
  plug<T extends PciFunction>(one: T, place: PciPlace = { device: this.#firstFree() }): T {
    const { device, function: number = 0 } = place;
    const index = device * FUNCTIONS + number;
    const action = `Cannot plug ${one.name} in at ${device}.${number}`;
    if (!(index in this.#functions)) throw new PciPlaceError(`${action}: there is no such place`);
    const other = this.#functions[index];
    if (other !== undefined) throw new PciPlaceError(`${action}: ${other.name} is there`);
    if (this.#buses !== undefined) this.#wire(one, index, this.#buses);
    this.#functions[index] = one;
    if (number !== 0) this.#functions[device * FUNCTIONS]?.setMultifunction();
    else if (this.#functions.slice(index + 1, index + FUNCTIONS).some((other) => other !== undefined)) {
      one.setMultifunction();
    }
    return one;
  }

  /** The reset line of the bus. */
  reset(): void {
    this.#address = 0;
    for (const one of this.functions) one.reset();
  }

  /**
   * Reads a port.
   * @param offset 0: address; 4 to 7: data.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    const nobody = size === 4 ? PCI_NOBODY : (1 << 8 * size) - 1;
    if (offset >= DATA) return this.#target()?.readConfig(this.#address & 0xfc | offset & 3, size) ?? nobody;
    if (offset === 0 && size === 4) return this.#address;
    if (offset === RESET_CONTROL && size === 1) return this.#wires.resetControl?.read(0, 1) ?? nobody;
    return nobody;
  }

  /**
   * Writes a port.
   * @param offset 0: address; 4 to 7: data.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    if (offset >= DATA) this.#target()?.writeConfig(this.#address & 0xfc | offset & 3, value, size);
    else if (offset === 0 && size === 4) this.#address = (value & ADDRESS_BITS) >>> 0;
    else if (offset === RESET_CONTROL && size === 1) this.#wires.resetControl?.write(0, value, 1);
  }

  /** All that bus and functions remember, to be kept. */
  save(): SavedState {
    return { version: 1, address: this.#address, functions: this.functions.map((one) => one.save()) };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave on a bus with the same functions.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const address = reader.integer("address", { max: 0xffffffff });
    const { functions } = this;
    reader.parts("functions", functions.length);
    const states = state.functions as readonly SavedState[];
    const put = functions.map((one, n) => {
      if (states[n].name !== one.name) {
        throw new SavedStateError(`Cannot restore pci: functions[${n}] is not ${one.name}`);
      }
      return one.prepareRestore(states[n]);
    });
    this.#address = (address & ADDRESS_BITS) >>> 0;
    for (const each of put) each();
  }

  /** The function that the address says. */
  #target(): PciFunction | undefined {
    const address = this.#address;
    // Bus 0 only.
    if (address < ENABLE || (address & 0xff0000) !== 0) return undefined;
    return this.#functions[address >>> 8 & 0xff];
  }

  #firstFree(): number {
    for (let device = 3; device < DEVICES; device++) {
      if (this.#functions.slice(device * FUNCTIONS, (device + 1) * FUNCTIONS).every((one) => one === undefined)) {
        return device;
      }
    }
    return DEVICES;
  }

  #wire(one: PciFunction, index: number, buses: { readonly ports: Bus; readonly mmio: Bus }): void {
    const { message } = this.#wires;
    const pirq = (one.pin + (index >> 3) + PIRQS - 2) % PIRQS;
    const interrupt = (level: boolean): void => this.#drive(pirq, one, level);
    one.plug({ ...buses, interrupt, message, freed: () => this.#freed() });
  }

  #drive(pirq: number, one: PciFunction, level: boolean): void {
    const drivers = this.#drivers[pirq], before = drivers.size > 0;
    if (level) drivers.add(one);
    else drivers.delete(one);
    if (before !== drivers.size > 0) this.#wires.interrupt(pirq, !before);
  }

  #freed(): void {
    for (const one of this.functions) one.takeAddresses();
  }
}
