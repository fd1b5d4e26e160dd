/**
 * The bytes of a function's configuration space: what each is after a reset, and which of its bits can be written.
 * @module
 */

import { PCI_CONFIG_SIZE } from "./pci_registers.ts";

/** A register. */
export interface PciRegister {
  /** Its value after a reset, unsigned. */
  readonly value: number;
  /** Its size in bytes: 1, 2 or 4. */
  readonly size: number;
  /** The bits that a write puts; none unless told. */
  readonly writable?: number;
  /** The bits that a write of 1 clears; none unless told. */
  readonly clears?: number;
}

/** The bytes. */
export class PciConfig {
  readonly #bytes = new Uint8Array(PCI_CONFIG_SIZE);
  readonly #initial = new Uint8Array(PCI_CONFIG_SIZE);
  readonly #writable = new Uint8Array(PCI_CONFIG_SIZE);
  readonly #clears = new Uint8Array(PCI_CONFIG_SIZE);

  /**
   * Says what a register is; it takes its value.
   * @param offset Its first byte.
   * @param register What it is.
   */
  define(offset: number, register: PciRegister): void {
    const { value, size, writable = 0, clears = 0 } = register;
    for (let n = 0; n < size; n++) {
      this.#bytes[offset + n] = this.#initial[offset + n] = value >>> 8 * n;
      this.#writable[offset + n] = writable >>> 8 * n;
      this.#clears[offset + n] = clears >>> 8 * n;
    }
  }

  /** All registers as after a reset. */
  reset(): void {
    this.#bytes.set(this.#initial);
  }

  /**
   * Reads bytes; behind the end they are all ones.
   * @param offset The first one.
   * @param size How many, 1..4.
   * @returns The value, unsigned.
   */
  get(offset: number, size: number): number {
    let value = 0;
    for (let n = 0; n < size; n++) value |= (this.#bytes[offset + n] ?? 0xff) << 8 * n;
    return value >>> 0;
  }

  /**
   * Sets bytes as the device does, whatever can be written.
   * @param offset The first one.
   * @param value What.
   * @param size How many, 1..4.
   */
  set(offset: number, value: number, size: number): void {
    for (let n = 0; n < size; n++) this.#bytes[offset + n] = value >>> 8 * n;
  }

  /**
   * Writes bytes as the guest does.
   * @param offset The first one.
   * @param value What.
   * @param size How many, 1..4.
   */
  write(offset: number, value: number, size: number): void {
    for (let n = 0; n < size && offset + n < PCI_CONFIG_SIZE; n++) {
      const at = offset + n, byte = value >>> 8 * n & 0xff, writable = this.#writable[at];
      this.#bytes[at] = (this.#bytes[at] & ~writable | byte & writable) & ~(byte & this.#clears[at]);
    }
  }

  /** A copy of all bytes. */
  copy(): Uint8Array {
    return this.#bytes.slice();
  }

  /**
   * Puts back what {@linkcode copy} gave; only bits that the guest can change are taken.
   * @param bytes 256 bytes.
   */
  restore(bytes: Uint8Array): void {
    for (let at = 0; at < PCI_CONFIG_SIZE; at++) {
      const changing = this.#writable[at] | this.#clears[at];
      this.#bytes[at] = this.#initial[at] & ~changing | bytes[at] & changing;
    }
  }
}
