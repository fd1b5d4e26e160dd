/**
 * MSI-X (PCI Local Bus Specification 3.0, 6.8.2): messages from a table in a window of the function, each with a mask, and a bit
 * for each that waits behind its mask.
 *
 * | offset in the window | |
 * | --- | --- |
 * | 0 | table: address, address above, data, mask; 32 bits each |
 * | 0x800 | the bits that wait |
 *
 * @module
 */

import type { BusDevice } from "../bus.ts";
import { savedBytes, type SavedReader, type SavedState } from "../device.ts";
import type { PciConfig } from "./pci_config.ts";
import type { PciFunction } from "./pci_function.ts";
import { PCI_CAPABILITY } from "./pci_registers.ts";

/** Bytes of the window. */
export const MSIX_WINDOW_SIZE = 0x1000;
/** The most messages for which there is room in it. */
export const MSIX_MOST = 128;
/** The number of no message. */
export const MSIX_NONE = 0xffff;

const LENGTH = 12;
const CONTROL = 2, TABLE = 4, PENDING = 8;
const ENABLE = 0x8000, MASK_ALL = 0x4000;
const ENTRY = 16, ENTRY_SHIFT = 4, PENDING_AT = 0x800;
const ADDRESS = 0, ADDRESS_HIGH = 4, DATA = 8, VECTOR_CONTROL = 12;
const MASKED = 1;

/** The capability with its table. */
export class Msix implements BusDevice {
  /** The table has words of 32 bits. */
  readonly width = 4;
  /** How many messages there are. */
  readonly vectors: number;
  readonly #function: PciFunction;
  readonly #config: PciConfig;
  readonly #at: number;
  readonly #table: DataView;
  readonly #pending: Uint8Array;
  readonly #changed: () => void;

  /**
   * Adds the capability to a function.
   * @param one The function.
   * @param config Its configuration space.
   * @param options `vectors`: how many messages there are, 1..128. `bar`: the window for the table, which is made here. `changed`:
   * called when messages are switched on or off.
   * @throws RangeError There is no room.
   */
  constructor(
    one: PciFunction,
    config: PciConfig,
    options: { readonly vectors: number; readonly bar: number; readonly changed?: () => void },
  ) {
    const { vectors, bar, changed = () => {} } = options;
    if (!(vectors >= 1 && vectors <= MSIX_MOST)) {
      throw new RangeError(`Cannot add MSI-X with ${vectors} vectors: 1 to ${MSIX_MOST}`);
    }
    this.vectors = vectors;
    this.#function = one;
    this.#config = config;
    this.#changed = changed;
    this.#table = new DataView(new ArrayBuffer(vectors * ENTRY));
    this.#pending = new Uint8Array(vectors);
    const at = this.#at = one.addCapability(PCI_CAPABILITY.MSIX, LENGTH, () => this.#controlled());
    config.define(at + CONTROL, { value: vectors - 1, size: 2, writable: ENABLE | MASK_ALL });
    config.define(at + TABLE, { value: bar, size: 4 });
    config.define(at + PENDING, { value: PENDING_AT | bar, size: 4 });
    one.addWindow(bar, { name: `${one.name} MSI-X`, kind: "memory", size: MSIX_WINDOW_SIZE, target: this });
    this.reset();
  }

  /** Whether the guest wants messages in place of the interrupt pin. */
  get enabled(): boolean {
    return (this.#config.get(this.#at + CONTROL, 2) & ENABLE) !== 0;
  }

  /** All messages masked, none waits. */
  reset(): void {
    for (let at = 0; at < this.#table.byteLength; at += 4) {
      this.#table.setUint32(at, at % ENTRY === VECTOR_CONTROL ? MASKED : 0, true);
    }
    this.#pending.fill(0);
  }

  /**
   * Sends a message if messages are on; one that is masked waits.
   * @param vector Which; what there is not is lost.
   */
  send(vector: number): void {
    if (!this.enabled || vector >= this.vectors) return;
    if (this.#masked(vector)) {
      this.#pending[vector] = 1;
      return;
    }
    const table = this.#table, at = vector << ENTRY_SHIFT;
    const address = table.getUint32(at + ADDRESS_HIGH, true) * 2 ** 32 + table.getUint32(at + ADDRESS, true);
    this.#function.message(address, table.getUint32(at + DATA, true));
  }

  /**
   * Reads the window.
   * @param offset 0..4095.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    const word = this.#word(offset & ~3);
    const bits = word >>> 8 * (offset & 3);
    return size === 4 ? bits : bits & (1 << 8 * size) - 1;
  }

  /**
   * Writes the window; less than 32 bits are not taken.
   * @param offset 0..4095.
   * @param value The value, unsigned.
   * @param size 4.
   */
  write(offset: number, value: number, size: number): void {
    if (size !== 4 || (offset & 3) !== 0 || offset >= this.#table.byteLength) return;
    const field = offset % ENTRY;
    const kept = field === VECTOR_CONTROL ? value & MASKED : field === ADDRESS ? value & ~3 : value;
    this.#table.setUint32(offset, kept, true);
    this.#deliver(offset >> ENTRY_SHIFT);
  }

  /** The table and what waits. */
  save(): SavedState {
    return { table: savedBytes(new Uint8Array(this.#table.buffer)), pending: savedBytes(this.#pending) };
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(reader: SavedReader): () => void {
    const table = reader.bytes("table", this.#table.byteLength);
    const pending = reader.bytes("pending", this.vectors);
    return () => {
      new Uint8Array(this.#table.buffer).set(table);
      this.#pending.set(pending);
    };
  }

  #word(offset: number): number {
    if (offset < this.#table.byteLength) return this.#table.getUint32(offset, true);
    const first = (offset - PENDING_AT) * 8;
    let word = 0;
    for (let n = 0; first >= 0 && n < 32 && first + n < this.vectors; n++) word |= (this.#pending[first + n] & 1) << n;
    return word >>> 0;
  }

  #masked(vector: number): boolean {
    return (this.#config.get(this.#at + CONTROL, 2) & MASK_ALL) !== 0 ||
      (this.#table.getUint32((vector << ENTRY_SHIFT) + VECTOR_CONTROL, true) & MASKED) !== 0;
  }

  #controlled(): void {
    this.#changed();
    for (let vector = 0; vector < this.vectors; vector++) this.#deliver(vector);
  }

  #deliver(vector: number): void {
    if (this.#pending[vector] === 0 || !this.enabled || this.#masked(vector)) return;
    this.#pending[vector] = 0;
    this.send(vector);
  }
}
