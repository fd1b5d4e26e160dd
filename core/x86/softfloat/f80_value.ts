/**
 * f80 values in TypeScript: taking them apart, the x87 rule for NaNs, and rounding. For the rare
 * operations that are written with BigInt.
 * @module
 */
import { BIAS_ADJUST, C1, DE, IE, NO_RESULT, OE, PE, UE } from "./format.ts";

/** The bits of an f80. */
export interface F80Bits {
  /** Significand, 64 bits unsigned. */
  readonly sig: bigint;
  /** Sign (bit 15) and biased exponent. */
  readonly se: number;
}

/** What an operation gives: register results in stack order from ST(0), and flags as in the status word. */
export interface Outcome {
  /** Results; empty if {@linkcode NO_RESULT} is among the flags. */
  readonly values: readonly F80Bits[];
  /** Exceptions, C1, C2, {@linkcode NO_RESULT}. */
  readonly flags: number;
}

/** A value taken apart. */
export interface F80Value {
  /** 0 or 1. */
  readonly sign: number;
  /** What kind of value; a pseudo-denormal counts as denormal. */
  readonly kind: "zero" | "finite" | "infinity" | "quiet" | "signaling" | "unsupported";
  /** Finite: significand with bit 63 set. */
  readonly sig: bigint;
  /** Finite: the value is `sig` times two to this power. */
  readonly power: number;
  /** Whether it is a denormal. */
  readonly denormal: boolean;
  /** As given. */
  readonly bits: F80Bits;
}

/** A finite or infinite constant. */
export const f80 = {
  zero: (sign: number): F80Bits => ({ sig: 0n, se: sign << 15 }),
  infinity: (sign: number): F80Bits => ({ sig: 1n << 63n, se: sign << 15 | 0x7fff }),
  one: (): F80Bits => ({ sig: 1n << 63n, se: 0x3fff }),
} as const;

const INDEFINITE: F80Bits = { sig: 3n << 62n, se: 0xffff };

/** Number of bits of a positive integer. */
export function bitLength(n: bigint): number {
  const hex = n.toString(16);
  return hex.length * 4 - Math.clz32(parseInt(hex[0], 16)) + 28;
}

/** Takes a value apart. */
export function unpackF80(bits: F80Bits): F80Value {
  const sign = bits.se >> 15, exp = bits.se & 0x7fff, integer = bits.sig >> 63n;
  const value = (kind: F80Value["kind"], sig = bits.sig, power = 0): F80Value => {
    return { sign, kind, sig, power, denormal: exp === 0 && kind === "finite", bits };
  };
  if (exp === 0x7fff) {
    if (!integer) return value("unsupported");
    if (bits.sig << 1n === 1n << 64n) return value("infinity");
    return value(bits.sig >> 62n === 3n ? "quiet" : "signaling");
  }
  if (bits.sig === 0n && exp === 0) return value("zero");
  if (exp === 0) {
    const shift = 64 - bitLength(bits.sig);
    return value("finite", bits.sig << BigInt(shift), 1 - 16383 - 63 - shift);
  }
  return integer ? value("finite", bits.sig, exp - 16383 - 63) : value("unsupported");
}

/** Collects flags and respects the masks of a control word. */
export class Response {
  /** Flags so far. */
  flags = 0;

  /** Begins with no flags. */
  constructor(readonly fcw: number) {}

  /** Raises an exception; true if it is masked. */
  raise(flag: number): boolean {
    this.flags |= flag;
    return (this.fcw & flag) !== 0;
  }

  /** No result: an unmasked exception came before one. */
  stop(): Outcome {
    return { values: [], flags: this.flags | NO_RESULT };
  }

  /** Results that need no rounding. */
  exact(...values: F80Bits[]): Outcome {
    return { values, flags: this.flags };
  }

  /** The default NaN. */
  invalid(): Outcome {
    return this.raise(IE) ? this.exact(INDEFINITE) : this.stop();
  }

  /** What NaNs, unsupported encodings and denormals among the operands lead to, or undefined. */
  operands(...all: F80Value[]): Outcome | undefined {
    if (all.some((v) => v.kind === "unsupported")) return this.invalid();
    const nans = all.filter((v) => v.kind === "quiet" || v.kind === "signaling");
    if (nans.length) {
      const signaling = nans.some((v) => v.kind === "signaling");
      if (signaling && !this.raise(IE)) return this.stop();
      const quiet = nans.filter((v) => v.kind === "quiet");
      const chosen = (quiet.length ? quiet : nans).reduce((a, b) =>
        b.sig > a.sig || b.sig === a.sig && b.sign < a.sign ? b : a
      );
      return this.exact({ sig: chosen.sig | 1n << 62n, se: chosen.bits.se });
    }
    return undefined;
  }

  /** Raises the denormal exception if one of the operands is a denormal; an outcome if that is unmasked. */
  denormals(...all: F80Value[]): Outcome | undefined {
    return all.some((v) => v.denormal) && !this.raise(DE) ? this.stop() : undefined;
  }

  /**
   * Rounds `magnitude` times two to the power `power`. The processor calls every transcendental result inexact, so
   * unless `exact` the flags say so even where no bits are lost.
   */
  round(sign: number, magnitude: bigint, power: number, exact: boolean = false): F80Bits {
    const away = roundsAway(this.fcw >> 10 & 3, sign), nearest = (this.fcw >> 10 & 3) === 0;
    const length = bitLength(magnitude);
    let exp = length + power - 1 + 16383;
    const keep = (bits: number): { sig: bigint; up: boolean; lost: boolean } => {
      if (length <= bits) return { sig: magnitude << BigInt(bits - length), up: false, lost: false };
      const drop = BigInt(length - bits), sig = magnitude >> drop;
      const rest = magnitude - (sig << drop), half = 1n << (drop - 1n);
      const up = nearest ? rest > half || rest === half && (sig & 1n) === 1n : away && rest !== 0n;
      return { sig, up, lost: rest !== 0n };
    };
    let { sig, up, lost } = keep(64);
    const tiny = exp < 0 || exp === 0 && !(up && sig === (1n << 64n) - 1n);
    if (tiny && this.fcw & UE) {
      ({ sig, up, lost } = keep(63 + exp));
      if (lost || !exact) this.flags |= UE;
      exp = 0;
    } else if (tiny) {
      this.flags |= UE;
      exp += BIAS_ADJUST;
    }
    if (up) sig++;
    if (sig >> 64n) {
      sig >>= 1n;
      exp++;
    }
    if (exp === 0 && sig >> 63n) exp = 1;
    if (lost || !exact) this.flags |= PE;
    this.flags = up ? this.flags | C1 : this.flags & ~C1;
    if (exp < 0x7fff) return { sig, se: sign << 15 | exp };
    this.flags |= OE;
    if (!(this.fcw & OE)) return { sig, se: sign << 15 | exp - BIAS_ADJUST };
    this.flags |= PE;
    this.flags = nearest || away ? this.flags | C1 : this.flags & ~C1;
    return nearest || away ? f80.infinity(sign) : { sig: (1n << 64n) - 1n, se: sign << 15 | 0x7ffe };
  }
}

/** Whether a directed rounding mode leads away from zero. */
function roundsAway(rc: number, sign: number): boolean {
  return rc === 2 - sign;
}
