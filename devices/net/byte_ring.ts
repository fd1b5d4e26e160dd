/**
 * A queue of bytes with an upper bound. It takes memory only as it is filled.
 * @module
 */

const FIRST_SIZE = 0x1000;

/** The queue. */
export class ByteRing {
  /** The most bytes that it holds. */
  readonly most: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #first = 0;
  #length = 0;

  /**
   * Makes an empty queue.
   * @param most The most bytes that it holds, a power of two from 4096 on.
   */
  constructor(most: number) {
    this.most = most;
  }

  /** How many bytes are in it. */
  get length(): number {
    return this.#length;
  }

  /** How many more there is room for. */
  get room(): number {
    return this.most - this.#length;
  }

  /**
   * Adds bytes at the end.
   * @param bytes They; what there is no room for is left out.
   * @returns How many were taken.
   */
  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    this.#grow(this.#length + taken);
    const size = this.#bytes.length;
    if (size === 0) return 0;
    const at = (this.#first + this.#length) % size;
    const before = Math.min(taken, size - at);
    this.#bytes.set(bytes.subarray(0, before), at);
    this.#bytes.set(bytes.subarray(before, taken));
    this.#length += taken;
    return taken;
  }

  /**
   * Copies bytes, which stay.
   * @param offset How many are left out at the beginning.
   * @param into Filled whole; there must be as many.
   */
  peek(offset: number, into: Uint8Array): void {
    const size = this.#bytes.length;
    if (into.length === 0) return;
    const at = (this.#first + offset) % size;
    const before = Math.min(into.length, size - at);
    into.set(this.#bytes.subarray(at, at + before));
    into.set(this.#bytes.subarray(0, into.length - before), before);
  }

  /** The first bytes that are in one piece; they stay as they are until they are dropped. */
  get front(): Uint8Array {
    return this.#bytes.subarray(this.#first, Math.min(this.#first + this.#length, this.#bytes.length));
  }

  /**
   * Takes bytes away from the beginning.
   * @param count How many; there must be as many.
   */
  drop(count: number): void {
    this.#length -= count;
    this.#first = this.#length === 0 ? 0 : (this.#first + count) % this.#bytes.length;
  }

  /** Takes everything away. */
  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#first = this.#length = 0;
  }

  #grow(wanted: number): void {
    if (wanted <= this.#bytes.length) return;
    let size = Math.max(this.#bytes.length, FIRST_SIZE);
    while (size < wanted) size *= 2;
    const bytes = new Uint8Array(Math.min(size, this.most));
    this.peek(0, bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#first = 0;
  }
}
