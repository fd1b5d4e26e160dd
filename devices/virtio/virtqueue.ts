/**
 * A split virtqueue (Virtual I/O Device 1.2, 2.7) as the device sees it: chains of buffers that the driver offers, taken one by one
 * and given back, with indirect descriptors and event indices.
 *
 * Everything in the guest's memory may be wrong. What breaks the rules breaks the queue: it is read no more until the device is
 * reset. Nothing throws, and each step is bounded by the size of the queue.
 * @module
 */

import type { SavedReader, SavedState } from "../device.ts";
import type { GuestMemory } from "../guest_memory.ts";

/** The largest queue. */
export const VIRTQUEUE_MOST = 1024;

const DESCRIPTOR = 16;
const NEXT = 1, WRITE = 2, INDIRECT = 4;
const NO_INTERRUPT = 1;
/** Offsets in the rings of the driver and of the device. */
const RING_FLAGS = 0, RING_INDEX = 2, RING_ENTRIES = 4;
const USED_ENTRY = 8;
/** The most bytes of a chain (2.7.5.3), and the end of what can be addressed. */
const CHAIN_MOST = 2 ** 32, ADDRESS_END = 2 ** 52;
/** A ring begins before this. */
const PLACE_END = ADDRESS_END - DESCRIPTOR * VIRTQUEUE_MOST;

/** Where the driver has put a queue. */
export interface VirtqueuePlace {
  /** The descriptor table. */
  readonly descriptors: number;
  /** The ring that the driver writes: available buffers. */
  readonly driver: number;
  /** The ring that the device writes: used buffers. */
  readonly device: number;
}

/** What a queue needs of its device. */
export interface VirtqueueWires {
  /** The guest's memory. */
  readonly memory: GuestMemory;
  /** Asks for the queue's interrupt. */
  readonly interrupt: () => void;
  /** Called when the driver breaks the rules. */
  readonly broken: () => void;
  /** Whether the driver has accepted event indices. */
  readonly eventIndex: () => boolean;
}

/** Pieces of memory that are one after the other, for the device. */
class Pieces {
  readonly addresses: number[] = [];
  readonly lengths: number[] = [];
  length = 0;

  add(address: number, length: number): void {
    if (length === 0) return;
    this.addresses.push(address);
    this.lengths.push(length);
    this.length += length;
  }

  /** Copies between the pieces from an offset on and bytes; gives how many there were. */
  copy(offset: number, bytes: Uint8Array, move: (address: number, part: Uint8Array) => void): number {
    let done = 0;
    for (let n = 0; n < this.lengths.length && done < bytes.length; n++) {
      const length = this.lengths[n];
      if (offset >= length) {
        offset -= length;
        continue;
      }
      const size = Math.min(length - offset, bytes.length - done);
      move(this.addresses[n] + offset, bytes.subarray(done, done + size));
      done += size;
      offset = 0;
    }
    return done;
  }
}

/** Buffers that belong together: first what the device reads, then what it writes. */
export class VirtqueueChain {
  /** The number of the first descriptor. */
  readonly head: number;
  readonly #memory: GuestMemory;
  readonly #readable = new Pieces();
  readonly #writable = new Pieces();

  /**
   * Use {@linkcode Virtqueue.take}.
   * @param head The number of the first descriptor.
   * @param memory The guest's memory.
   */
  constructor(head: number, memory: GuestMemory) {
    this.head = head;
    this.#memory = memory;
  }

  /** How many bytes the device can read. */
  get readable(): number {
    return this.#readable.length;
  }

  /** How many bytes the device can write. */
  get writable(): number {
    return this.#writable.length;
  }

  /**
   * Adds a buffer.
   * @param address Where.
   * @param length Bytes.
   * @param writable Whether it is for the device to write.
   * @returns Whether that is allowed: what is readable comes first.
   */
  add(address: number, length: number, writable: boolean): boolean {
    if (address + length > ADDRESS_END || (!writable && this.#writable.length > 0)) return false;
    (writable ? this.#writable : this.#readable).add(address, length);
    return this.readable + this.writable <= CHAIN_MOST;
  }

  /**
   * Reads.
   * @param offset The first byte of what is readable.
   * @param into Filled as far as there is something.
   * @returns How many bytes there were.
   */
  read(offset: number, into: Uint8Array): number {
    return this.#readable.copy(offset, into, (address, part) => this.#memory.read(address, part));
  }

  /**
   * Writes.
   * @param offset The first byte of what is writable.
   * @param bytes What is written, as far as there is room.
   * @returns How many bytes there was room for.
   */
  write(offset: number, bytes: Uint8Array): number {
    return this.#writable.copy(offset, bytes, (address, part) => this.#memory.write(address, part));
  }
}

/** A queue. */
export class Virtqueue {
  /** The largest size that the driver may choose. */
  readonly most: number;
  readonly #wires: VirtqueueWires;
  readonly #bytes = new Uint8Array(DESCRIPTOR);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  readonly #word = this.#bytes.subarray(0, 2);
  #size: number;
  #place: VirtqueuePlace = { descriptors: 0, driver: 0, device: 0 };
  #ready = false;
  #broken = false;
  /** Up to where the driver's ring has been taken, and the device's ring been filled; 16 bits. */
  #taken = 0;
  #used = 0;

  /**
   * Makes a queue that is not ready.
   * @param most The largest size, a power of two up to {@linkcode VIRTQUEUE_MOST}.
   * @param wires What it needs.
   */
  constructor(most: number, wires: VirtqueueWires) {
    this.most = most;
    this.#size = most;
    this.#wires = wires;
  }

  /** How many descriptors there are. */
  get size(): number {
    return this.#size;
  }

  /** Whether the driver has made it ready. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Where it is. */
  get place(): VirtqueuePlace {
    return this.#place;
  }

  /** As after power-up. */
  reset(): void {
    this.#size = this.most;
    this.#place = { descriptors: 0, driver: 0, device: 0 };
    this.#ready = this.#broken = false;
    this.#taken = this.#used = 0;
  }

  /**
   * Chooses the size, while it is not ready.
   * @param size A power of two; others are not taken.
   */
  resize(size: number): void {
    if (!this.#ready && size >= 1 && size <= this.most && (size & size - 1) === 0) this.#size = size;
  }

  /**
   * Puts it somewhere, while it is not ready.
   * @param place Where, or some of it.
   */
  move(place: Partial<VirtqueuePlace>): void {
    if (!this.#ready) this.#place = { ...this.#place, ...place };
  }

  /** Makes it ready, empty. One that cannot be where it was put is broken. */
  enable(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#broken = false;
    this.#taken = this.#used = 0;
    if (Object.values(this.#place).some((address) => address >= PLACE_END)) this.break();
  }

  /** Whether the driver offers buffers. Also asks to be told of the next one, if there is none. */
  get pending(): boolean {
    if (!this.#ready || this.#broken) return false;
    if (this.#offered() > 0) return true;
    if (!this.#wires.eventIndex()) return false;
    this.#putWord(this.#place.device + RING_ENTRIES + USED_ENTRY * this.#size, this.#taken);
    return this.#offered() > 0;
  }

  /**
   * Takes the next chain; none: there is none, or the queue is broken.
   */
  take(): VirtqueueChain | undefined {
    if (!this.pending) return undefined;
    const slot = this.#taken & this.#size - 1;
    const head = this.#getWord(this.#place.driver + RING_ENTRIES + 2 * slot);
    const chain = new VirtqueueChain(head, this.#wires.memory);
    if (!this.#follow(chain, head)) {
      this.break();
      return undefined;
    }
    this.#taken = this.#taken + 1 & 0xffff;
    return chain;
  }

  /**
   * Takes the chains that there are, each when it is asked for: at most as many as the queue is long, for more there cannot be
   * unless the device's own writes make them.
   */
  *chains(): Generator<VirtqueueChain, void> {
    for (let left = this.#size; left > 0; left--) {
      const chain = this.take();
      if (chain === undefined) return;
      yield chain;
    }
  }

  /**
   * Gives a chain back to the driver, and asks for the interrupt unless the driver does not want it.
   * @param chain The chain.
   * @param written How many bytes the device has written.
   */
  give(chain: VirtqueueChain, written: number): void {
    this.giveAll([{ chain, written }]);
  }

  /**
   * Gives chains back to the driver so that it sees none of them before all, and asks for the interrupt unless the driver does not
   * want it.
   * @param given The chains, with how many bytes the device has written to each.
   */
  giveAll(given: readonly { readonly chain: VirtqueueChain; readonly written: number }[]): void {
    if (!this.#ready || this.#broken || given.length === 0) return;
    const { device, driver } = this.#place;
    const before = this.#used;
    for (const { chain, written } of given) {
      const at = device + RING_ENTRIES + USED_ENTRY * (this.#used & this.#size - 1);
      this.#view.setUint32(0, chain.head, true);
      this.#view.setUint32(4, Math.min(written, 0xffffffff), true);
      this.#wires.memory.write(at, this.#bytes.subarray(0, USED_ENTRY));
      this.#used = this.#used + 1 & 0xffff;
    }
    this.#putWord(device + RING_INDEX, this.#used);
    const wanted = this.#wires.eventIndex()
      ? (this.#getWord(driver + RING_ENTRIES + 2 * this.#size) - before & 0xffff) < given.length
      : (this.#getWord(driver + RING_FLAGS) & NO_INTERRUPT) === 0;
    if (wanted) this.#wires.interrupt();
  }

  /**
   * Leaves chains to the driver again, as if they had not been taken.
   * @param count How many: the last that were taken, and none of them given back.
   */
  putBack(count: number): void {
    this.#taken = this.#taken - count & 0xffff;
  }

  /** The driver has broken the rules: the queue is read no more. */
  break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#wires.broken();
  }

  /** All that the queue remembers. */
  save(): SavedState {
    const { descriptors, driver, device } = this.#place;
    return {
      size: this.#size,
      descriptors,
      driver,
      device,
      ready: this.#ready,
      broken: this.#broken,
      taken: this.#taken,
      used: this.#used,
    };
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(reader: SavedReader): () => void {
    const address = (name: string): number => reader.integer(name, { max: Number.MAX_SAFE_INTEGER });
    const size = reader.integer("size", { min: 1, max: this.most });
    const place = { descriptors: address("descriptors"), driver: address("driver"), device: address("device") };
    const ready = reader.boolean("ready"), broken = reader.boolean("broken");
    const taken = reader.integer("taken", { max: 0xffff }), used = reader.integer("used", { max: 0xffff });
    return () => {
      this.reset();
      this.resize(size);
      this.#place = place;
      this.#ready = ready;
      this.#broken = broken;
      this.#taken = taken;
      this.#used = used;
    };
  }

  /** How many chains the driver offers; more than there can be breaks the queue. */
  #offered(): number {
    const offered = this.#getWord(this.#place.driver + RING_INDEX) - this.#taken & 0xffff;
    if (offered <= this.#size) return offered;
    this.break();
    return 0;
  }

  /** Collects the buffers of a chain; false: it breaks the rules. */
  #follow(chain: VirtqueueChain, head: number): boolean {
    const view = this.#view;
    let table = this.#place.descriptors, entries = this.#size, at = head, indirect = false;
    for (let left = this.#size; left > 0; left--) {
      if (at >= entries) return false;
      this.#wires.memory.read(table + DESCRIPTOR * at, this.#bytes);
      const address = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
      const length = view.getUint32(8, true), flags = view.getUint16(12, true);
      if ((flags & INDIRECT) !== 0) {
        if (indirect || (flags & NEXT) !== 0 || length === 0 || length % DESCRIPTOR !== 0) return false;
        if (address + length > ADDRESS_END || length > DESCRIPTOR * VIRTQUEUE_MOST) return false;
        indirect = true;
        table = address;
        entries = length / DESCRIPTOR;
        at = 0;
        left = entries + 1;
        continue;
      }
      if (!chain.add(address, length, (flags & WRITE) !== 0)) return false;
      if ((flags & NEXT) === 0) return true;
      at = view.getUint16(14, true);
    }
    return false;
  }

  #getWord(address: number): number {
    this.#wires.memory.read(address, this.#word);
    return this.#word[0] | this.#word[1] << 8;
  }

  #putWord(address: number, value: number): void {
    this.#word[0] = value;
    this.#word[1] = value >> 8;
    this.#wires.memory.write(address, this.#word);
  }
}
