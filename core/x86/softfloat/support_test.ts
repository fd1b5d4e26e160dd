/** What the soft-float tests share: an instance of all functions, and reproducible operands full of edges. @module */
import { ModuleBuilder } from "../../wasm/module.ts";
import { F32, type Format } from "./format.ts";
import type { F80Bits } from "./f80_value.ts";
import { defineSoftFloat, type SoftFloatName } from "./softfloat.ts";

/** Address of the flags in the state memory. */
const FLAGS_AT = 16;

type SoftFunction = (...args: (number | bigint)[]) => number | bigint;

/** Compiled soft-float functions with their state memory. */
export class Instance {
  /** The state memory. */
  readonly view: DataView;
  readonly #exports: Record<string, SoftFunction>;

  /** Makes the functions of these names, or all. */
  constructor(names?: readonly SoftFloatName[]) {
    const module = new ModuleBuilder();
    defineSoftFloat(module, module.importMemory("state", "memory", { initial: 1 }), FLAGS_AT, names);
    const memory = new WebAssembly.Memory({ initial: 1 });
    this.view = new DataView(memory.buffer);
    const compiled = new WebAssembly.Module(module.toBytes());
    this.#exports = new WebAssembly.Instance(compiled, { state: { memory } }).exports as Record<string, SoftFunction>;
  }

  /** The accumulated flags. */
  get flags(): number {
    return this.view.getInt32(FLAGS_AT, true);
  }

  /** Calls with flags cleared; the result as an unsigned number of its type. */
  call(name: SoftFloatName, ...args: (number | bigint)[]): bigint {
    this.view.setInt32(FLAGS_AT, 0, true);
    const result = this.#exports[name](...args);
    return typeof result === "number" ? BigInt(result >>> 0) : BigInt.asUintN(64, result);
  }

  /** Calls a function on slots: operands go to 64, 80; the destination is 96. Returns the flags. */
  slots(name: SoftFloatName, operands: readonly F80Bits[], fcw: number): number {
    operands.forEach((o, i) => this.setSlot(64 + i * 16, o));
    const destination = name.includes("compare") ? [] : [96];
    return Number(this.call(name, ...operands.map((_, i) => 64 + i * 16), ...destination, fcw));
  }

  /** Writes a slot. */
  setSlot(at: number, value: F80Bits): void {
    this.view.setBigUint64(at, value.sig, true);
    this.view.setUint16(at + 8, value.se, true);
  }

  /** Reads a slot. */
  slot(at: number): F80Bits {
    return { sig: this.view.getBigUint64(at, true), se: this.view.getUint16(at + 8, true) };
  }
}

/** A reproducible source of operands. */
export class Operands {
  #state: bigint;

  /** Equal seeds give equal operands. */
  constructor(seed: number) {
    this.#state = BigInt(seed) * 0x9e3779b97f4a7c15n;
  }

  /** 64 random bits (splitmix64). */
  bits(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    let z = this.#state;
    z = BigInt.asUintN(64, (z ^ z >> 30n) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ z >> 27n) * 0x94d049bb133111ebn);
    return z ^ z >> 31n;
  }

  /** A number from 0 to below `n`. */
  below(n: number): number {
    return Number(this.bits() % BigInt(n));
  }

  /** One of several. */
  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)];
  }

  /** A bit pattern of `width` bits: random ones and edges. */
  pattern(width: number): bigint {
    const all = (1n << BigInt(width)) - 1n, one = 1n << BigInt(this.below(width));
    return this.pick([0n, all, 1n, all - 1n, 1n << BigInt(width - 1), one, all ^ (one - 1n), this.bits() & all]);
  }

  #exponent(max: number, near: number | undefined): number {
    const bias = max >> 1;
    const limit = (e: number): number => Math.min(max, Math.max(0, e));
    switch (this.below(7)) {
      case 0:
        return this.pick([0, max]);
      case 1:
        return this.pick([1, 2, max - 1, max - 2]);
      case 2:
        return limit(bias + this.below(75) - 5);
      case 3:
        return limit((near ?? bias) + this.below(9) - 4);
      case 4:
        return limit((near ?? bias) + this.below(135) - 67);
      case 5:
        return limit(
          this.pick([bias >> 1, bias + (bias >> 1), bias - 126, bias + 127, bias - 1023]) + this.below(60) - 30,
        );
    }
    return this.below(max + 1);
  }

  /** The bits of an f32 or f64, with an exponent often near that of `other`. */
  sse(format: Format, other?: bigint): bigint {
    const fraction = BigInt(format.sigBits - 1), sign = BigInt(this.below(2)) << (fraction + BigInt(format.expBits));
    if (other !== undefined && this.below(12) === 0) return BigInt.asUintN(format === F32 ? 32 : 64, other ^ sign);
    const near = other === undefined ? undefined : Number(other >> fraction) & format.maxExp;
    return sign | BigInt(this.#exponent(format.maxExp, near)) << fraction | this.pattern(format.sigBits - 1);
  }

  /** An f80, now and then an unsupported encoding. */
  f80(other?: F80Bits): F80Bits {
    const sign = this.below(2) << 15;
    if (other !== undefined && this.below(12) === 0) return { sig: other.sig, se: other.se ^ sign };
    const exp = this.#exponent(0x7fff, other === undefined ? undefined : other.se & 0x7fff);
    const integer = this.below(exp === 0 ? 4 : 40) === 0 ? exp === 0 : exp !== 0;
    return { sig: (integer ? 1n << 63n : 0n) | this.pattern(63), se: sign | exp };
  }

  /** Six exception masks, all set in two of three. */
  masks(): number {
    return this.below(3) ? 0x3f : this.below(64);
  }

  /** A value of MXCSR without flags. */
  mxcsr(): number {
    const rest = this.below(4) << 13 | (this.below(4) ? 0 : 0x40) | (this.below(4) ? 0 : 0x8000);
    return this.masks() << 7 | rest;
  }

  /** A value of the x87 control word. */
  fcw(): number {
    return this.masks() | this.below(4) << 10 | this.pick([3, 3, 2, 0, 1]) << 8;
  }
}
