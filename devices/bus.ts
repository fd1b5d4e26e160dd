/**
 * An address bus: it owns the addresses, hands devices offsets, and refuses two devices at one address. One instance stands
 * for the I/O ports and another one for memory-mapped registers.
 *
 * Where nothing answers, a read gives all ones and a write is lost, as on a PC.
 * @module
 */

/** What can be attached to a {@linkcode Bus}. */
export interface BusDevice {
  /** The widest access that the device takes, in bytes. The bus splits wider ones, lowest address first. */
  readonly width: 1 | 2 | 4;
  /**
   * Reads a register.
   * @param offset Bytes from the device's first address.
   * @param size Bytes to read: 1, 2 or 4, never above {@linkcode width}.
   * @returns The value, unsigned, little-endian.
   */
  read(offset: number, size: number): number;
  /**
   * Writes a register.
   * @param offset Bytes from the device's first address.
   * @param value The value, unsigned, little-endian.
   * @param size Bytes to write: 1, 2 or 4, never above {@linkcode width}.
   */
  write(offset: number, value: number, size: number): void;
}

/** Where a device is to answer. */
export interface BusRange {
  /** What people call the device, for messages and maps. */
  readonly name: string;
  /** Its first address. */
  readonly base: number;
  /** How many addresses it takes. */
  readonly length: number;
}

interface Attached extends BusRange {
  readonly end: number;
  readonly device: BusDevice;
}

/** Two devices at one address, or a device outside the bus. */
export class BusConflictError extends Error {
  /** `"BusConflictError"`. */
  override readonly name: string = "BusConflictError";
}

/**
 * A bus of devices.
 *
 * @example
 * ```ts
 * import { Bus } from "./bus.ts";
 *
 * const ports = new Bus("port", 0x10000);
 * ports.attach({ name: "scratch", base: 0x80, length: 1 }, { width: 1, read: () => 0x42, write: () => {} });
 * const data = new Uint8Array(2);
 * ports.read(0x80, data); // data is 42 ff
 * ```
 */
export class Bus {
  readonly #kind: string;
  readonly #size: number;
  readonly #attached: Attached[] = [];
  #last: Attached | undefined;

  /**
   * Makes an empty bus.
   * @param kind What one address is called in messages: `"port"` or `"address"`.
   * @param size How many addresses there are.
   */
  constructor(kind: string, size: number) {
    this.#kind = kind;
    this.#size = size;
  }

  /**
   * Attaches a device.
   * @param range Its name and addresses.
   * @param device The device.
   * @throws BusConflictError The range is empty, leaves the bus, or meets another device.
   */
  attach(range: BusRange, device: BusDevice): void {
    const end = range.base + range.length;
    const action = `Cannot attach ${range.name} at ${this.#kind} ${hex(range.base)}`;
    if (range.length < 1 || range.base < 0 || end > this.#size) {
      throw new BusConflictError(`${action}: it needs ${range.length} of the bus's ${hex(this.#size)} addresses`);
    }
    const other = this.#attached.find((each) => range.base < each.end && each.base < end);
    if (other !== undefined) {
      throw new BusConflictError(`${action}: ${other.name} has ${hex(other.base)} to ${hex(other.end - 1)}`);
    }
    this.#attached.push({ ...range, end, device });
    this.#attached.sort((a, b) => a.base - b.base);
  }

  /** All attached ranges in the order of their addresses. */
  map(): BusRange[] {
    return this.#attached.map(({ name, base, length }) => ({ name, base, length }));
  }

  /**
   * One read access.
   * @param address Its first address.
   * @param data Filled whole; its length is the size of the access.
   */
  read(address: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) {
      const at = this.#find(address + done);
      if (at === undefined) {
        data[done++] = 0xff;
        continue;
      }
      const size = pieceSize(at, address + done, data.length - done);
      const value = at.device.read(address + done - at.base, size);
      for (let i = 0; i < size; i++) data[done++] = value >>> (8 * i);
    }
  }

  /**
   * One write access.
   * @param address Its first address.
   * @param data What is written; its length is the size of the access.
   */
  write(address: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) {
      const at = this.#find(address + done);
      if (at === undefined) {
        done++;
        continue;
      }
      const size = pieceSize(at, address + done, data.length - done);
      let value = 0;
      for (let i = 0; i < size; i++) value |= data[done + i] << (8 * i);
      at.device.write(address + done - at.base, value >>> 0, size);
      done += size;
    }
  }

  #find(address: number): Attached | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.base && address < last.end) return last;
    for (const each of this.#attached) {
      if (address >= each.base && address < each.end) {
        this.#last = each;
        return each;
      }
    }
    return undefined;
  }
}

/** The largest power of two that neither the access, the device nor its end forbids. */
function pieceSize(at: Attached, address: number, left: number): number {
  const most = Math.min(left, at.device.width, at.end - address);
  return most >= 4 ? 4 : most >= 2 ? 2 : 1;
}

function hex(value: number): string {
  return "0x" + value.toString(16);
}
