/**
 * QEMU's firmware configuration device (docs/specs/fw_cfg): firmware selects an item and reads its bytes, one by one from a port or
 * as a whole by DMA.
 *
 * | port | |
 * | --- | --- |
 * | 0x510 | selector, 16 bits |
 * | 0x511 | the next byte of the item |
 * | 0x514 to 0x51b | address of a DMA command, big-endian; the write of its last four bytes starts it |
 *
 * Items cannot be written.
 * @module
 */

import type { Bus, BusDevice } from "./bus.ts";
import { type Device, SavedReader, type SavedState } from "./device.ts";
import type { GuestMemory } from "./guest_memory.ts";

/** The first port. */
export const FW_CFG_PORT = 0x510;
/** How many ports it takes. */
export const FW_CFG_LENGTH = 12;

/** Numbers of items that are no files. */
export const FW_CFG_KEY = {
  SIGNATURE: 0x00,
  ID: 0x01,
  UUID: 0x02,
  RAM_SIZE: 0x03,
  NO_GRAPHIC: 0x04,
  PROCESSORS: 0x05,
  KERNEL_ADDRESS: 0x07,
  KERNEL_SIZE: 0x08,
  INITRD_ADDRESS: 0x0a,
  INITRD_SIZE: 0x0b,
  NUMA: 0x0d,
  BOOT_MENU: 0x0e,
  MOST_PROCESSORS: 0x0f,
  KERNEL_ENTRY: 0x10,
  KERNEL_DATA: 0x11,
  INITRD_DATA: 0x12,
  COMMAND_LINE_ADDRESS: 0x13,
  COMMAND_LINE_SIZE: 0x14,
  COMMAND_LINE_DATA: 0x15,
  SETUP_ADDRESS: 0x16,
  SETUP_SIZE: 0x17,
  SETUP_DATA: 0x18,
  DIRECTORY: 0x19,
} as const;

const FIRST_FILE = 0x20;
/** Numbers have 14 bits; the two above say "write" and "for this kind of machine". */
const MOST_KEY = 0x3fff, LOCAL = 0x8000;
const NAME_LENGTH = 55;
const ENTRY_SIZE = 64;

const SELECTOR = 0, DATA = 1, DMA = 4;
/** ID: there are ports; there is DMA. */
const TRADITIONAL_AND_DMA = 3;
/** "QEMU CFG", what the DMA address reads. */
const DMA_SIGNATURE = [0x51454d55, 0x20434647] as const;

const CONTROL_ERROR = 0x01, CONTROL_READ = 0x02, CONTROL_SKIP = 0x04, CONTROL_SELECT = 0x08, CONTROL_WRITE = 0x10;
const COMMAND_SIZE = 16;
/** DMA is done in pieces of so many bytes. */
const PIECE = 0x10000;
/** Most bytes of a command that are really moved; what is behind an item's end reads as zeros. */
const DMA_MOST = 2 ** 31;

/** What the device is made from. */
export interface FwCfgOptions {
  /** The guest's memory, for DMA. */
  readonly memory: GuestMemory;
  /** How many processors there are; 1 unless told. */
  readonly processors?: number;
  /** How many bytes of memory there are, those above 4 GiB too. */
  readonly memorySize: number;
  /** Files by their names, of at most 55 characters of ASCII. */
  readonly files?: { readonly [name: string]: Uint8Array };
}

/**
 * The device.
 *
 * @example
 * ```ts
 * import { FwCfg } from "./fw_cfg.ts";
 *
 * const memory = { read: () => {}, write: () => {} };
 * const device = new FwCfg({ memory, memorySize: 2 ** 28, files: { "opt/greeting": new TextEncoder().encode("hello") } });
 * device.write(0, 0, 2); // the signature
 * String.fromCharCode(device.read(1, 1)); // "Q"
 * ```
 */
export class FwCfg implements Device, BusDevice {
  /** `"fw_cfg"`. */
  readonly name = "fw_cfg";
  /** Up to 32 bits: the DMA address. */
  readonly width = 4;
  readonly #memory: GuestMemory;
  readonly #items: Map<number, Uint8Array> = new Map();
  readonly #files: Map<string, Uint8Array> = new Map();
  #selected = 0;
  #offset = 0;
  #addressHigh = 0;

  /**
   * Makes a device.
   * @param options What it is made from.
   * @throws RangeError A file's name is too long, or there are too many files.
   */
  constructor(options: FwCfgOptions) {
    const { memory, processors = 1, memorySize, files = {} } = options;
    this.#memory = memory;
    this.setItem(FW_CFG_KEY.SIGNATURE, new TextEncoder().encode("QEMU"));
    this.setItem(FW_CFG_KEY.ID, number(TRADITIONAL_AND_DMA, 4));
    this.setItem(FW_CFG_KEY.UUID, new Uint8Array(16));
    this.setItem(FW_CFG_KEY.RAM_SIZE, number(memorySize, 8));
    this.setItem(FW_CFG_KEY.NO_GRAPHIC, number(0, 2));
    this.setItem(FW_CFG_KEY.PROCESSORS, number(processors, 2));
    this.setItem(FW_CFG_KEY.MOST_PROCESSORS, number(processors, 2));
    this.setItem(FW_CFG_KEY.NUMA, new Uint8Array(8));
    for (const [name, bytes] of Object.entries(files)) this.#files.set(name, bytes);
    this.#writeDirectory();
  }

  /**
   * Sets an item that is no file.
   * @param key Its number: one of {@linkcode FW_CFG_KEY}, or another one below 0x20 or from 0x8000 on.
   * @param bytes Its bytes; they are not copied.
   * @throws RangeError There is no such number.
   */
  setItem(key: number, bytes: Uint8Array): void {
    const place = key & ~LOCAL;
    if (
      !Number.isInteger(key) || key < 0 || key > (LOCAL | MOST_KEY) || place > MOST_KEY ||
      (key < LOCAL && key >= FIRST_FILE)
    ) {
      throw new RangeError(`Cannot set item ${key} of fw_cfg: there is no such number`);
    }
    this.#items.set(key, bytes);
  }

  /**
   * Adds a file, or replaces one. The numbers of others may change, so firmware must not run yet.
   * @param name Its name, at most 55 characters of ASCII.
   * @param bytes Its bytes; they are not copied.
   * @throws RangeError The name is too long or empty, or there are too many files.
   */
  setFile(name: string, bytes: Uint8Array): void {
    this.#files.set(name, bytes);
    this.#writeDirectory();
  }

  /** The files' names, in the order of their numbers. */
  get files(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** Nothing is selected but the signature. */
  reset(): void {
    this.#select(0);
    this.#addressHigh = 0;
  }

  /**
   * Takes ports 0x510 to 0x51b.
   * @param ports The I/O ports.
   * @throws BusConflictError Some of them are taken.
   */
  attach(ports: Bus): void {
    ports.attach({ name: "firmware configuration", base: FW_CFG_PORT, length: FW_CFG_LENGTH }, this);
  }

  /**
   * Reads a port.
   * @param offset 0..11.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    if (offset >= DMA) {
      // The signature is big-endian.
      let value = 0;
      for (let n = 0; n < size; n++) {
        const at = offset - DMA + n;
        value |= (DMA_SIGNATURE[at >> 2] >>> 24 - 8 * (at & 3) & 0xff) << 8 * n;
      }
      return value >>> 0;
    }
    return offset === DATA && size === 1 ? this.#next() : offset === SELECTOR && size > 1 ? this.#selected : 0;
  }

  /**
   * Writes a port.
   * @param offset 0..11.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    if (offset === SELECTOR && size === 2) this.#select(value);
    else if (offset === DMA && size === 4) this.#addressHigh = swap(value);
    else if (offset === DMA + 4 && size === 4) {
      const address = this.#addressHigh * 2 ** 32 + swap(value);
      this.#addressHigh = 0;
      this.#transfer(address);
    }
  }

  /** All that the device remembers but its items, to be kept. */
  save(): SavedState {
    return { version: 1, selected: this.#selected, offset: this.#offset, addressHigh: this.#addressHigh };
  }

  /**
   * Goes back to a kept state.
   * @param state What {@linkcode save} gave.
   * @throws SavedStateError It is not such a state; nothing has changed then.
   */
  restore(state: SavedState): void {
    const reader = new SavedReader(this.name, state);
    reader.version(1);
    const selected = reader.integer("selected", { max: 0xffff });
    const offset = reader.integer("offset", { max: Number.MAX_SAFE_INTEGER });
    const addressHigh = reader.integer("addressHigh", { max: 0xffffffff });
    this.#selected = selected;
    this.#offset = offset;
    this.#addressHigh = addressHigh;
  }

  #writeDirectory(): void {
    const names = this.files;
    const bytes = new Uint8Array(4 + names.length * ENTRY_SIZE), view = new DataView(bytes.buffer);
    if (FIRST_FILE + names.length > MOST_KEY) throw new RangeError("Cannot add a file to fw_cfg: there are too many");
    view.setUint32(0, names.length);
    names.forEach((name, n) => {
      const text = new TextEncoder().encode(name);
      if (text.length < 1 || text.length > NAME_LENGTH) {
        throw new RangeError(`Cannot add "${name}" to fw_cfg: a name has 1 to ${NAME_LENGTH} bytes`);
      }
      const file = this.#files.get(name) ?? new Uint8Array(0), at = 4 + n * ENTRY_SIZE;
      view.setUint32(at, file.length);
      view.setUint16(at + 4, FIRST_FILE + n);
      bytes.set(text, at + 8);
      this.#items.set(FIRST_FILE + n, file);
    });
    this.#items.set(FW_CFG_KEY.DIRECTORY, bytes);
  }

  #select(key: number): void {
    this.#selected = key;
    this.#offset = 0;
  }

  get #item(): Uint8Array | undefined {
    return this.#items.get(this.#selected);
  }

  /** The next byte; there are zeros behind the end. */
  #next(): number {
    const byte = this.#item?.[this.#offset] ?? 0;
    this.#offset++;
    return byte;
  }

  /** Does a DMA command, and tells in its first four bytes how it went. */
  #transfer(address: number): void {
    const command = new DataView(new ArrayBuffer(COMMAND_SIZE));
    if (!Number.isSafeInteger(address)) return;
    this.#memory.read(address, new Uint8Array(command.buffer));
    const control = command.getUint32(0), length = command.getUint32(4);
    const target = command.getUint32(8) * 2 ** 32 + command.getUint32(12);
    if ((control & CONTROL_SELECT) !== 0) this.#select(control >>> 16);
    let answer = 0;
    if ((control & CONTROL_READ) !== 0) {
      if (length > DMA_MOST || !Number.isSafeInteger(target + length)) answer = CONTROL_ERROR;
      else this.#give(target, length);
    } else if ((control & CONTROL_WRITE) !== 0) answer = CONTROL_ERROR;
    else if ((control & CONTROL_SKIP) !== 0) this.#offset += length;
    command.setUint32(0, answer);
    this.#memory.write(address, new Uint8Array(command.buffer, 0, 4));
  }

  #give(target: number, length: number): void {
    const item = this.#item ?? new Uint8Array(0);
    const zeros = new Uint8Array(Math.min(length, PIECE));
    for (let done = 0; done < length;) {
      const left = item.length - this.#offset;
      const part = left > 0
        ? item.subarray(this.#offset, this.#offset + Math.min(left, length - done))
        : zeros.subarray(0, Math.min(PIECE, length - done));
      this.#memory.write(target + done, part);
      done += part.length;
      this.#offset += part.length;
    }
  }
}

function swap(value: number): number {
  return ((value & 0xff) << 24 | (value & 0xff00) << 8 | value >>> 8 & 0xff00 | value >>> 24) >>> 0;
}

function number(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let n = 0; n < size; n++) {
    bytes[n] = value % 256;
    value = Math.floor(value / 256);
  }
  return bytes;
}
