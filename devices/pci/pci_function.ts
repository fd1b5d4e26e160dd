/**
 * A PCI function: its configuration space, its windows into ports and memory, and its interrupt pin.
 *
 * A device is a {@linkcode PciFunction} with an identity, to which windows and capabilities are added; one with a state of its own
 * overrides {@linkcode PciFunction.resetFunction}, {@linkcode PciFunction.saveFunction} and
 * {@linkcode PciFunction.prepareRestoreFunction}. Bus mastering is not looked at: a device reaches memory whether it is on or not.
 * @module
 */

import type { Bus } from "../bus.ts";
import { savedBytes, SavedReader, type SavedState } from "../device.ts";
import { PciConfig } from "./pci_config.ts";
import { PCI, PCI_BARS, PCI_COMMAND, PCI_CONFIG_SIZE, PCI_MULTIFUNCTION, PCI_STATUS } from "./pci_registers.ts";
import { PciWindow, type PciWindowOptions } from "./pci_window.ts";

/** Which chip it says it is. */
export interface PciIdentity {
  /** Vendor, 16 bits. */
  readonly vendor: number;
  /** Device, 16 bits. */
  readonly device: number;
  /** Class, subclass and programming interface, 24 bits. */
  readonly class: number;
  /** Revision, 8 bits; 0 unless told. */
  readonly revision?: number;
  /** The board's vendor; QEMU's unless told, for firmware knows the machine by that. */
  readonly subsystemVendor?: number;
  /** The board's number; QEMU's unless told. */
  readonly subsystem?: number;
  /** Whether the device has more functions; only function 0 has to say so. */
  readonly multifunction?: boolean;
  /** The interrupt pin: 1 is INTA, 4 INTD; 0 unless told: none. */
  readonly pin?: number;
}

/** What a function is wired to. */
export interface PciWires {
  /** The I/O ports. */
  readonly ports: Bus;
  /** The guest-physical addresses without memory. */
  readonly mmio: Bus;
  /** The interrupt pin; called when its level changes. */
  readonly interrupt: (level: boolean) => void;
  /** A message-signalled interrupt: a write of 32 bits to an address. */
  readonly message: (address: number, data: number) => void;
  /** Called after windows have left their addresses. */
  readonly freed: () => void;
}

/** QEMU's numbers for a board. */
const SUBSYSTEM_VENDOR = 0x1af4, SUBSYSTEM = 0x1100;

interface Capability {
  readonly first: number;
  readonly end: number;
  readonly changed: () => void;
}

/** A function. */
export class PciFunction {
  /** What it is called, also where states are kept. */
  readonly name: string;
  /** Its configuration space, as the device sees it. */
  protected readonly config: PciConfig = new PciConfig();
  readonly #windows: PciWindow[] = [];
  readonly #capabilities: Capability[] = [];
  #wires: PciWires | undefined;
  #lastCapability: number = PCI.CAPABILITIES;
  #nextCapability: number = PCI.FIRST_FREE;
  /** What the device wants of its interrupt pin, and what the pin is. */
  #asks = false;
  #pin = false;

  /**
   * Makes a function without windows.
   * @param name What it is called.
   * @param identity Which chip it says it is.
   */
  constructor(name: string, identity: PciIdentity) {
    const { vendor, device, revision = 0, pin = 0, multifunction = false } = identity;
    const { subsystemVendor = SUBSYSTEM_VENDOR, subsystem = SUBSYSTEM } = identity;
    this.name = name;
    const { config } = this;
    const command = PCI_COMMAND.IO | PCI_COMMAND.MEMORY | PCI_COMMAND.MASTER | PCI_COMMAND.SERR |
      PCI_COMMAND.INTX_DISABLE;
    config.define(PCI.VENDOR_ID, { value: vendor, size: 2 });
    config.define(PCI.DEVICE_ID, { value: device, size: 2 });
    config.define(PCI.COMMAND, { value: 0, size: 2, writable: command });
    config.define(PCI.STATUS, { value: 0, size: 2, clears: PCI_STATUS.ERRORS });
    config.define(PCI.REVISION_ID, { value: (identity.class << 8 | revision) >>> 0, size: 4 });
    config.define(PCI.REVISION_ID + 4, { value: 0, size: 2, writable: 0xffff });
    config.define(PCI.HEADER_TYPE, { value: multifunction ? PCI_MULTIFUNCTION : 0, size: 1 });
    config.define(PCI.SUBSYSTEM_VENDOR_ID, { value: subsystemVendor, size: 2 });
    config.define(PCI.SUBSYSTEM_ID, { value: subsystem, size: 2 });
    config.define(PCI.INTERRUPT_LINE, { value: 0, size: 1, writable: 0xff });
    config.define(PCI.INTERRUPT_PIN, { value: pin, size: 1 });
  }

  /** The interrupt pin: 1 is INTA, 4 INTD, 0 none. */
  get pin(): number {
    return this.config.get(PCI.INTERRUPT_PIN, 1);
  }

  /** Whether the guest has allowed the function to reach memory. */
  get master(): boolean {
    return (this.config.get(PCI.COMMAND, 2) & PCI_COMMAND.MASTER) !== 0;
  }

  /**
   * Says that there are more functions: what function 0 of a device has to tell.
   */
  setMultifunction(): void {
    const value = this.config.get(PCI.HEADER_TYPE, 1) | PCI_MULTIFUNCTION;
    this.config.define(PCI.HEADER_TYPE, { value, size: 1 });
  }

  /**
   * Adds a window.
   * @param bar The number of its base address register, 0..5, or `"rom"`.
   * @param options What it shows.
   * @returns The window.
   * @throws RangeError There is no such register, or its size is no power of two.
   */
  addWindow(bar: number | "rom", options: PciWindowOptions): PciWindow {
    if (bar !== "rom" && !(bar >= 0 && bar < PCI_BARS)) {
      throw new RangeError(`Cannot add a window: there is no BAR ${bar}`);
    }
    const window = new PciWindow(bar === "rom" ? PCI.EXPANSION_ROM : PCI.BAR0 + 4 * bar, options, this.config);
    this.#windows.push(window);
    return window;
  }

  /**
   * Adds a capability.
   * @param id Its identifier.
   * @param length Its bytes, with identifier and link.
   * @param changed Called after the guest has written some of them.
   * @returns Where it is in the configuration space; what follows the first two bytes is to be defined there.
   * @throws RangeError There is no room.
   */
  addCapability(id: number, length: number, changed: () => void = () => {}): number {
    const { config } = this;
    const first = this.#nextCapability, end = first + length;
    if (end > PCI_CONFIG_SIZE) throw new RangeError(`Cannot add a capability of ${length} bytes: there is no room`);
    config.define(this.#lastCapability, { value: first, size: 1 });
    config.define(first, { value: id, size: 1 });
    config.define(first + 1, { value: 0, size: 1 });
    const status = config.get(PCI.STATUS, 2) | PCI_STATUS.CAPABILITIES;
    config.define(PCI.STATUS, { value: status, size: 2, clears: PCI_STATUS.ERRORS });
    this.#lastCapability = first + 1;
    this.#nextCapability = end + 3 & ~3;
    this.#capabilities.push({ first, end, changed });
    return first;
  }

  /**
   * Wires the function up.
   * @param wires What to.
   * @throws BusConflictError It has addresses of its own, and they are taken.
   */
  plug(wires: PciWires): void {
    this.#wires = wires;
  }

  /**
   * Drives the interrupt pin.
   * @param level Whether the device asks for an interrupt.
   */
  interrupt(level: boolean): void {
    this.#asks = level;
    const status = this.config.get(PCI.STATUS, 2) & ~PCI_STATUS.INTERRUPT;
    this.config.set(PCI.STATUS, status | (level ? PCI_STATUS.INTERRUPT : 0), 2);
    this.#drive();
  }

  /**
   * Sends a message-signalled interrupt.
   * @param address Where it is written to.
   * @param data What is written, 32 bits.
   */
  message(address: number, data: number): void {
    this.#wires?.message(address, data);
  }

  /**
   * Reads the configuration space.
   * @param offset 0..255.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  readConfig(offset: number, size: number): number {
    return this.config.get(offset, size);
  }

  /**
   * Writes the configuration space.
   * @param offset 0..255.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  writeConfig(offset: number, value: number, size: number): void {
    this.config.write(offset, value, size);
    if (offset < PCI.FIRST_FREE) {
      this.#remap();
      this.#drive();
    }
    for (const { first, end, changed } of this.#capabilities) {
      if (offset < end && offset + size > first) changed();
    }
  }

  /** The reset pin. */
  reset(): void {
    this.config.reset();
    this.#remap();
    this.resetFunction();
    this.interrupt(false);
  }

  /** All that the function remembers, to be kept. */
  save(): SavedState {
    const { name } = this;
    return {
      version: 1,
      name,
      config: savedBytes(this.config.copy()),
      interrupt: this.#asks,
      own: [this.saveFunction()],
    };
  }

  /**
   * Reads a kept state.
   * @param state What {@linkcode save} gave.
   * @returns Puts it in place; nothing has changed before.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(state: SavedState): () => void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const config = reader.bytes("config", PCI_CONFIG_SIZE);
    const asks = reader.boolean("interrupt");
    const own = this.prepareRestoreFunction(reader.parts("own", 1)[0]);
    return () => {
      this.config.restore(config);
      this.#remap();
      own();
      this.interrupt(asks);
    };
  }

  /** Tries to get the addresses that others had. */
  takeAddresses(): void {
    if (this.#wires === undefined) return;
    const { ports, mmio } = this.#wires;
    for (const window of this.#windows) window.take(ports, mmio);
  }

  /** The reset of what a device has beyond its configuration space, which is reset already. */
  protected resetFunction(): void {}

  /** What a device remembers beyond its configuration space. */
  protected saveFunction(): SavedState {
    return {};
  }

  /**
   * Reads what {@linkcode saveFunction} gave.
   * @param _reader Of it.
   * @returns Puts it in place, after the configuration space.
   * @throws SavedStateError It is not such a state.
   */
  protected prepareRestoreFunction(_reader: SavedReader): () => void {
    return () => {};
  }

  #remap(): void {
    let freed = false;
    for (const window of this.#windows) freed = window.leave() || freed;
    this.takeAddresses();
    if (freed) this.#wires?.freed();
  }

  #drive(): void {
    const level = this.#asks && (this.config.get(PCI.COMMAND, 2) & PCI_COMMAND.INTX_DISABLE) === 0;
    if (level === this.#pin) return;
    this.#pin = level;
    this.#wires?.interrupt(level);
  }
}
