/**
 * A seeded source of test values.
 * @module
 */

// deno-fmt-ignore
const SPECIAL = [0n, 1n, 2n, 3n, 7n, 8n, 0xfn, 0x10n, 0x7fn, 0x80n, 0x99n, 0x9an, 0xffn, 0x100n, 0x7fffn, 0x8000n, 0xffffn, 0x10000n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n];

/** Numbers from a seed: the same seed, the same numbers (xorshift128, Marsaglia 2003). */
export class Prng {
  #a: number;
  #b: number;
  #c = 0x9e37_79b9;
  #d = 0x2545_f491;

  /** Begins with `seed`, an integer. */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = ~seed;
    for (let i = 0; i < 16; i++) this.u32();
  }

  /** 32 random bits. */
  u32(): number {
    const t = this.#a ^ (this.#a << 11);
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = this.#d ^ (this.#d >>> 19) ^ t ^ (t >>> 8);
    return this.#d >>> 0;
  }

  /** An integer from 0 to `n` − 1. */
  below(n: number): number {
    return this.u32() % n;
  }

  /** An integer from `low` to `high`, both included. */
  range(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of several. */
  pick<T>(items: ArrayLike<T>): T {
    return items[this.below(items.length)];
  }

  /** 64 random bits. */
  u64(): bigint {
    return BigInt(this.u32()) << 32n | BigInt(this.u32());
  }

  /** 64 bits that are often at an edge: small, negative, around powers of two, of few bits, sign-extended. */
  value(): bigint {
    switch (this.below(8)) {
      case 0:
      case 1:
        return BigInt.asUintN(64, this.pick(SPECIAL) - BigInt(this.below(3)));
      case 2:
        return BigInt.asUintN(64, -this.pick(SPECIAL));
      case 3:
        return 1n << BigInt(this.below(64));
      case 4:
        return BigInt(this.u32() & 0xff);
      case 5:
        return BigInt.asUintN(64, BigInt(this.u32() | 0) >> BigInt(this.below(32)));
      default:
        return this.u64();
    }
  }
}
