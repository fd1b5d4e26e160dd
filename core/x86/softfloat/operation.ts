/**
 * One soft-float function under construction: operands taken apart, special classes, and the ways to finish. The
 * arithmetic generators are written against {@linkcode Operation}; its SSE and x87 kinds differ in where operands and
 * results are, in the NaN rule and in what a fault does.
 * @module
 */
import { type Expr, type I32, i32, type I64, i64 } from "../../wasm/expr.ts";
import type { FunctionBuilder, Local } from "../../wasm/module.ts";
import { DE, type Format, IE, QUIET, TOP } from "./format.ts";
import { type Kit, wide } from "./kit.ts";

/** An operand taken apart; the significand is aligned to bit 63, with the integer bit. */
export interface Operand {
  /** 1 if negative. */
  readonly sign: I32;
  /** Biased exponent; 0 or less once a denormal is normalised. */
  readonly exp: Local<"i32">;
  /** Significand. */
  readonly sig: Local<"i64">;
}

/** What an operation does with operands that are zero, infinite or denormal. */
export interface Cases {
  /** Emits tests that end in {@linkcode Operation.invalid}; they come before the denormal exception. */
  readonly invalid?: () => void;
  /** Emits tests for exact results; what falls through is finite, and not both operands are zero. */
  readonly special?: () => void;
  /** Whether a denormal operand raises no exception here. */
  readonly denormalQuiet?: boolean;
}

/** A function that takes floating-point operands. */
export abstract class Operation {
  /** Flags raised by this operation so far. */
  readonly flags: Local<"i32">;
  /** Operands, filled by the subclass. */
  readonly operands: Operand[] = [];

  /** Begins with no flags. */
  constructor(
    /** The module. */
    readonly kit: Kit,
    /** The function. */
    readonly f: FunctionBuilder,
    /** The operands' format. */
    readonly format: Format,
  ) {
    this.flags = f.local("i32");
  }

  /** Rounding control, 0 nearest even, 1 down, 2 up, 3 to zero. */
  abstract readonly rc: I32;
  /** Not zero if the exception is masked. */
  abstract masked(flag: number): I32;
  /** Returns a value of the operands' format that needs no rounding. */
  abstract exact(sign: I32, exp: I32, sig: I64): void;
  /** Rounds, raises what that brings, and returns. `hi` has bit 63 set. */
  abstract round(sign: I32, exp: I32, hi: I64, lo: I64): void;
  /** Returns with the flags raised so far and no result. */
  abstract stop(): void;
  /** Returns the NaN that results from the operands, at least one of which is a NaN. */
  abstract propagate(): void;
  /** Empties denormals where the control register says so. */
  abstract denormalsAreZero(): void;
  /** Not zero if a special case is known from outside the operands. */
  abstract pending(): I32;

  /** Sets flags. */
  raise(flags: I32): void {
    this.f.set(this.flags, i32.or(this.f.get(this.flags), flags));
  }

  /** Returns the default NaN after an invalid operation. */
  invalid(): void {
    this.raise(i32.const(IE));
    this.f.if(i32.eqz(this.masked(IE)), () => this.stop());
    this.exact(i32.const(1), i32.const(this.format.maxExp), i64.const(TOP | QUIET));
  }

  /** Returns zero. */
  zero(sign: I32): void {
    this.exact(sign, i32.const(0), i64.const(0));
  }

  /** Returns infinity. */
  infinity(sign: I32): void {
    this.exact(sign, i32.const(this.format.maxExp), i64.const(TOP));
  }

  /** Current exponent of an operand. */
  exp(o: Operand): I32 {
    return this.f.get(o.exp);
  }

  /** Current significand of an operand. */
  sig(o: Operand): I64 {
    return this.f.get(o.sig);
  }

  /** 1 if the operand is an infinity or a NaN. */
  isTop(o: Operand): I32 {
    return i32.eq(this.exp(o), i32.const(this.format.maxExp));
  }

  /** 1 if the operand is a NaN. */
  isNaN(o: Operand): I32 {
    return i32.and(this.isTop(o), i64.ne(i64.shl(this.sig(o), i64.const(1)), i64.const(0)));
  }

  /** 1 if the operand is a signalling NaN. */
  isSignaling(o: Operand): I32 {
    return i32.and(this.isNaN(o), i64.eqz(i64.and(this.sig(o), i64.const(QUIET))));
  }

  /** 1 if the operand is zero. */
  isZero(o: Operand): I32 {
    return i64.eqz(this.sig(o));
  }

  /** 1 if the operand is a denormal. */
  isDenormal(o: Operand): I32 {
    return i32.and(i32.eqz(this.exp(o)), i64.ne(this.sig(o), i64.const(0)));
  }

  /** 1 if the operand is an encoding that the x87 refuses. */
  isUnsupported(o: Operand): I32 {
    if (!this.format.explicit) return i32.const(0);
    return i32.and(i32.ne(this.exp(o), i32.const(0)), i64.ge_s(this.sig(o), i64.const(0)));
  }

  /** Combines a test of each operand. */
  any(test: (o: Operand) => I32): I32 {
    return this.operands.map(test).reduce((a, b) => i32.or(a, b));
  }

  /** Takes everything but normal operands apart, and leaves normalised ones. */
  prologue(cases: Cases): void {
    const { f, format } = this;
    const odd = (o: Operand): I32 => {
      const extreme = i32.ge_u(i32.sub(this.exp(o), i32.const(1)), i32.const(format.maxExp - 1));
      return i32.or(extreme, this.isUnsupported(o));
    };
    f.if(i32.or(this.any(odd), this.pending()), () => {
      f.if(this.any((o) => this.isUnsupported(o)), () => this.invalid());
      f.if(this.any((o) => this.isNaN(o)), () => this.propagate());
      this.denormalsAreZero();
      cases.invalid?.();
      if (!cases.denormalQuiet) this.denormals();
      cases.special?.();
      for (const o of this.operands) this.normalise(o);
    });
  }

  /** Raises the denormal exception if it is due, and stops if it is unmasked. */
  denormals(): void {
    const { f } = this;
    f.if(i32.or(this.any((o) => this.isDenormal(o)), this.pending()), () => {
      this.raise(i32.const(DE));
      f.if(i32.eqz(this.masked(DE)), () => this.stop());
    });
  }

  /** Gives a denormal its integer bit. */
  normalise(o: Operand): void {
    const { f } = this;
    f.if(i32.eqz(this.exp(o)), () => {
      const n = f.let(i64.clz(this.sig(o)));
      f.set(o.sig, i64.shl(this.sig(o), n));
      f.set(o.exp, i32.sub(i32.const(1), i32.wrap_i64(n)));
    });
  }
}

/** An operand from the bits of an f32 or f64 (as i64, zero-extended). */
export function unpackBits(f: FunctionBuilder, format: Format, bits: I64): Operand {
  const fraction = format.sigBits - 1;
  const exp = f.local("i32"), sig = f.local("i64");
  f.set(exp, i32.and(i32.wrap_i64(i64.shr_u(bits, i64.const(fraction))), i32.const(format.maxExp)));
  const aligned = i64.and(i64.shl(bits, i64.const(63 - fraction)), i64.const(TOP - 1n));
  f.set(sig, i64.or(aligned, i64.shl(wide(i32.ne(f.get(exp), i32.const(0))), i64.const(63))));
  return { sign: f.let(i32.wrap_i64(i64.shr_u(bits, i64.const(fraction + format.expBits)))), exp, sig };
}

/** An operand from a slot of the state memory. */
export function unpackSlot(kit: Kit, f: FunctionBuilder, at: I32): Operand {
  const exp = f.local("i32"), sig = f.local("i64");
  const se = f.let(i32.load16_u(at, { offset: 8, memory: kit.memory }));
  f.set(exp, i32.and(se, i32.const(0x7fff)));
  f.set(sig, i64.load(at, { memory: kit.memory }));
  return { sign: f.let(i32.shr_u(se, i32.const(15))), exp, sig };
}

/** The bits of an f32 or f64 from aligned parts; the integer bit is dropped. */
export function joinBits(format: Format, sign: I32, exp: I32, sig: I64): I64 {
  const fraction = format.sigBits - 1;
  const top = i32.or(i32.shl(sign, i32.const(format.expBits)), exp);
  const low = i64.shr_u(i64.shl(sig, i64.const(1)), i64.const(64 - fraction));
  return i64.or(i64.shl(i64.extend_i32_u(top), i64.const(fraction)), low);
}

/** Bits as i64 from a parameter of the format's type. */
export function widen(format: Format, bits: Expr): I64 {
  return format.type === "i32" ? i64.extend_i32_u(bits as I32) : bits as I64;
}

/** Bits in the format's type. */
export function narrow(format: Format, bits: I64): Expr {
  return format.type === "i32" ? i32.wrap_i64(bits) : bits;
}
