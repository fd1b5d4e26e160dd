/**
 * The external interrupts that a processor has still to take: a set of vectors, as `kvm_sregs.interrupt_bitmap` carries
 * it. The lowest vector goes first, as in the kernel of version 12.
 * @module
 */

/** A set of interrupt vectors. */
export class InterruptQueue {
  readonly #words: Uint32Array = new Uint32Array(8);

  /** Whether no interrupt is queued. */
  get isEmpty(): boolean {
    return this.#words.every((word) => word === 0);
  }

  /** Queues `vector` (0 to 255), once. */
  add(vector: number): void {
    this.#words[vector >> 5] |= 1 << (vector & 31);
  }

  /**
   * Takes the interrupt that is next.
   * @returns Its vector, or -1 where there is none.
   */
  take(): number {
    for (let n = 0; n < 8; n++) {
      const word = this.#words[n];
      if (word === 0) continue;
      const bit = 31 - Math.clz32(word & -word);
      this.#words[n] = word & (word - 1);
      return n * 32 + bit;
    }
    return -1;
  }

  /** Ors the queued vectors into the 32 bytes of an interrupt bitmap. */
  save(bitmap: Uint8Array): void {
    for (let n = 0; n < 32; n++) bitmap[n] |= this.#words[n >> 2] >>> ((n & 3) * 8);
  }

  /** Replaces the queued vectors by the 32 bytes of an interrupt bitmap. */
  load(bitmap: Uint8Array): void {
    this.#words.fill(0);
    for (let n = 0; n < 32; n++) this.#words[n >> 2] |= bitmap[n] << ((n & 3) * 8);
  }
}
