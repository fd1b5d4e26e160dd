/**
 * The addresses of a PCI function: a base address register or an expansion ROM, and what answers there.
 * @module
 */

import { type Bus, BusConflictError, type BusDevice, type Detach } from "../bus.ts";
import type { PciConfig } from "./pci_config.ts";
import { PCI, PCI_BAR, PCI_COMMAND, PCI_ROM_ENABLE } from "./pci_registers.ts";

/** Memory whose place a machine looks after itself, rather than having each access brought to a device. */
export interface PciMappedMemory {
  /**
   * Told whenever the memory is somewhere else.
   * @param base Its guest-physical address; none: it is nowhere.
   */
  mapped(base: number | undefined): void;
}

/** What a window shows. */
export interface PciWindowOptions {
  /** What people call it, for maps. */
  readonly name: string;
  /** Ports, memory, or memory in which reads have no effects. */
  readonly kind: "io" | "memory" | "prefetchable";
  /** Bytes: a power of two, at least 4 of ports and 16 of memory. */
  readonly size: number;
  /** What answers. */
  readonly target: BusDevice | PciMappedMemory;
}

/** A window. */
export class PciWindow {
  /** Where its register is in the configuration space. */
  readonly offset: number;
  readonly #options: PciWindowOptions;
  readonly #config: PciConfig;
  #base: number | undefined;
  #detach: Detach | undefined;

  /**
   * Makes a window, and its register in the configuration space.
   * @param offset Where the register is: one of the six, or the expansion ROM's.
   * @param options What it shows.
   * @param config The configuration space.
   * @throws RangeError The size is no power of two.
   */
  constructor(offset: number, options: PciWindowOptions, config: PciConfig) {
    const { kind, size, name } = options;
    if (size < 4 || size > 2 ** 31 || 2 ** Math.round(Math.log2(size)) !== size) {
      throw new RangeError(`Cannot make a window for ${name}: ${size} bytes are no power of two from 4 to 2^31`);
    }
    this.offset = offset;
    this.#options = options;
    this.#config = config;
    const flags = kind === "io" ? PCI_BAR.IO : kind === "prefetchable" ? PCI_BAR.PREFETCHABLE : 0;
    const writable = (-size | (this.#isRom ? PCI_ROM_ENABLE : 0)) >>> 0;
    config.define(offset, { value: flags, size: 4, writable });
  }

  /** Where the guest sees it; none: nowhere. */
  get base(): number | undefined {
    return this.#base;
  }

  /** Whether the guest wants it where it is not, for somebody else has the addresses. */
  get waits(): boolean {
    return this.#base === undefined && this.#wanted() !== undefined;
  }

  /**
   * Leaves its addresses if the guest wants it somewhere else.
   * @returns Whether it did.
   */
  leave(): boolean {
    if (this.#base === undefined || this.#base === this.#wanted()) return false;
    this.#base = undefined;
    this.#detach?.();
    this.#detach = undefined;
    const { target } = this.#options;
    if ("mapped" in target) target.mapped(undefined);
    return true;
  }

  /**
   * Takes the addresses where the guest wants it, if they are free.
   * @param ports The I/O ports.
   * @param mmio The guest-physical addresses.
   */
  take(ports: Bus, mmio: Bus): void {
    const wanted = this.#wanted();
    if (wanted === undefined || this.#base !== undefined) return;
    const { kind, name, size, target } = this.#options;
    if ("mapped" in target) target.mapped(wanted);
    else {
      try {
        this.#detach = (kind === "io" ? ports : mmio).attach({ name, base: wanted, length: size }, target);
      } catch (error) {
        // The guest is free to put two devices at one place; the first one answers.
        if (!(error instanceof BusConflictError)) throw error;
        return;
      }
    }
    this.#base = wanted;
  }

  get #isRom(): boolean {
    return this.offset === PCI.EXPANSION_ROM;
  }

  /** Where the guest wants it; none: it is off, or the address cannot be. */
  #wanted(): number | undefined {
    const { kind, size } = this.#options;
    const command = this.#config.get(PCI.COMMAND, 2), register = this.#config.get(this.offset, 4);
    if ((command & (kind === "io" ? PCI_COMMAND.IO : PCI_COMMAND.MEMORY)) === 0) return undefined;
    if (this.#isRom && (register & PCI_ROM_ENABLE) === 0) return undefined;
    const base = (register & -size & ~(kind === "io" ? PCI_BAR.IO_FLAGS : PCI_BAR.MEMORY_FLAGS)) >>> 0;
    // What ends at the top is a register whose size is being found out.
    return base === 0 || base + size >= (kind === "io" ? 0x10000 : 2 ** 32) ? undefined : base;
  }
}
