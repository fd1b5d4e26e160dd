/**
 * An address bus: it owns the addresses, hands devices offsets, and refuses two devices at one address. One instance stands
 * for the I/O ports and another one for memory-mapped registers.
 *
 * Where nothing answers, a read gives all ones and a write is lost, as on a PC. A bus of at most 65,536 addresses finds a device
 * in a table, a larger one by bisection, and first where the last access went.
 * @module
 */

/** What can be attached to a {@linkcode Bus}. */
export interface BusDevice {
  /** The widest access that the device takes, in bytes. The bus splits wider ones, lowest address first. */
  readonly width: 1 | 2 | 4;
  /**
   * Whether accesses touch neither memory nor what is mapped where nor the processor, but for its interrupt and the end of the
   * machine: they may then be made in the middle of a run. No unless told.
   */
  readonly plain?: boolean;
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

/** A bus with no more addresses than this has a table of them. */
const TABLE_MOST = 0x10000;

/** Takes a device off its bus; without effect the second time. */
export type Detach = () => void;

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
 * ports.in(0x80, 2); // 0xff42
 * ```
 */
export class Bus {
  readonly #kind: string;
  readonly #size: number;
  /** In the order of their addresses. */
  readonly #attached: Attached[] = [];
  /** For each address the device there, where there are few enough. */
  readonly #table: (Attached | undefined)[] | undefined;
  #last: Attached | undefined;
  /** Where nobody is, as last found: from here to there. */
  #gap = 0;
  #gapEnd = 0;

  /**
   * Makes an empty bus.
   * @param kind What one address is called in messages: `"port"` or `"address"`.
   * @param size How many addresses there are.
   */
  constructor(kind: string, size: number) {
    this.#kind = kind;
    this.#size = size;
    this.#table = size <= TABLE_MOST ? new Array<Attached | undefined>(size).fill(undefined) : undefined;
  }

  /**
   * Attaches a device.
   * @param range Its name and addresses.
   * @param device The device.
   * @returns Takes it off again.
   * @throws BusConflictError The range is empty, leaves the bus, or meets another device.
   */
  attach(range: BusRange, device: BusDevice): Detach {
    const { name, base, length } = range;
    const end = base + length;
    const action = `Cannot attach ${name} at ${this.#kind} ${hex(base)}`;
    if (length < 1 || base < 0 || end > this.#size) {
      throw new BusConflictError(`${action}: it needs ${length} of the bus's ${hex(this.#size)} addresses`);
    }
    const attached = this.#attached;
    let place = 0;
    while (place < attached.length && attached[place].end <= base) place++;
    const other = attached[place];
    if (other !== undefined && other.base < end) {
      throw new BusConflictError(`${action}: ${other.name} has ${hex(other.base)} to ${hex(other.end - 1)}`);
    }
    const one: Attached = { name, base, length, end, device };
    attached.splice(place, 0, one);
    this.#table?.fill(one, base, end);
    this.#gapEnd = 0;
    return () => this.#detach(one);
  }

  /** All attached ranges in the order of their addresses. */
  map(): BusRange[] {
    return this.#attached.map(({ name, base, length }) => ({ name, base, length }));
  }

  /**
   * One read access of at most four bytes; makes no object.
   * @param address Its first address.
   * @param size Bytes: 1, 2 or 4.
   * @returns The value, unsigned, little-endian.
   */
  in(address: number, size: number): number {
    const at = this.#find(address);
    if (at !== undefined && size <= at.device.width && address + size <= at.end) {
      return at.device.read(address - at.base, size) >>> 0;
    }
    let value = 0;
    for (let done = 0; done < size;) {
      const piece = this.#pieceAt(address + done, size - done);
      const part = piece.at === undefined ? 0xff : piece.at.device.read(address + done - piece.at.base, piece.size);
      value |= (piece.size === 4 ? part : part & ((1 << (8 * piece.size)) - 1)) << (8 * done);
      done += piece.size;
    }
    return value >>> 0;
  }

  /**
   * One write access of at most four bytes; makes no object where one device takes it whole.
   * @param address Its first address.
   * @param size Bytes: 1, 2 or 4.
   * @param value The value, unsigned, little-endian.
   */
  out(address: number, size: number, value: number): void {
    const at = this.#find(address);
    if (at !== undefined && size <= at.device.width && address + size <= at.end) {
      at.device.write(address - at.base, value, size);
      return;
    }
    for (let done = 0; done < size;) {
      const piece = this.#pieceAt(address + done, size - done);
      const part = value >>> (8 * done);
      piece.at?.device.write(
        address + done - piece.at.base,
        piece.size === 4 ? part : part & ((1 << (8 * piece.size)) - 1),
        piece.size,
      );
      done += piece.size;
    }
  }

  /**
   * Whether an access may be made in the middle of a run: it reaches one device that is {@linkcode BusDevice.plain}, or none.
   * @param address Its first address.
   * @param size Bytes: 1, 2 or 4.
   */
  isPlain(address: number, size: number): boolean {
    const at = this.#find(address);
    if (at !== undefined) return at.device.plain === true && address + size <= at.end;
    for (let n = 1; n < size; n++) if (this.#find(address + n) !== undefined) return false;
    return true;
  }

  /**
   * One read access of any length.
   * @param address Its first address.
   * @param data Filled whole; its length is the size of the access.
   */
  read(address: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) {
      const { at, size } = this.#pieceAt(address + done, data.length - done);
      const value = at === undefined ? 0xff : at.device.read(address + done - at.base, size);
      for (let i = 0; i < size; i++) data[done++] = value >>> (8 * i);
    }
  }

  /**
   * One write access of any length.
   * @param address Its first address.
   * @param data What is written; its length is the size of the access.
   */
  write(address: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) {
      const { at, size } = this.#pieceAt(address + done, data.length - done);
      let value = 0;
      for (let i = 0; i < size; i++) value |= data[done + i] << (8 * i);
      at?.device.write(address + done - at.base, value >>> 0, size);
      done += size;
    }
  }

  #detach(one: Attached): void {
    const place = this.#attached.indexOf(one);
    if (place < 0) return;
    this.#attached.splice(place, 1);
    this.#table?.fill(undefined, one.base, one.end);
    this.#gapEnd = 0;
    if (this.#last === one) this.#last = undefined;
  }

  /** Who is at an address, and the largest power of two that neither the access, the device nor its end forbids. */
  #pieceAt(address: number, left: number): { readonly at: Attached | undefined; readonly size: number } {
    const at = this.#find(address);
    if (at === undefined) return { at, size: 1 };
    const most = Math.min(left, at.device.width, at.end - address);
    return { at, size: most >= 4 ? 4 : most >= 2 ? 2 : 1 };
  }

  #find(address: number): Attached | undefined {
    if (this.#table !== undefined) return this.#table[address];
    const last = this.#last;
    if (last !== undefined && address >= last.base && address < last.end) return last;
    if (address >= this.#gap && address < this.#gapEnd) return undefined;
    const attached = this.#attached;
    let low = 0, high = attached.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (attached[middle].end <= address) low = middle + 1;
      else high = middle;
    }
    const found = attached[low];
    if (found !== undefined && address >= found.base) return this.#last = found;
    this.#gap = low === 0 ? 0 : attached[low - 1].end;
    this.#gapEnd = found?.base ?? this.#size;
    return undefined;
  }
}

function hex(value: number): string {
  return "0x" + value.toString(16);
}
