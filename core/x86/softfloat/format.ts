/**
 * The three binary floating-point formats of x86 and the bits that their operations report.
 * Source: Intel SDM volume 1, chapters 4 (formats), 8 (x87), 11.5 (SSE exceptions).
 * @module
 */
import type { ValType } from "../../wasm/ops.ts";

/** A binary floating-point format. */
export interface Format {
  /** Name, as function names use it. */
  readonly name: "f32" | "f64" | "f80";
  /** Width of the biased exponent, bits. */
  readonly expBits: number;
  /** Width of the significand with its integer bit, bits. */
  readonly sigBits: number;
  /** Whether the integer bit is stored (f80). */
  readonly explicit: boolean;
  /** The all-ones biased exponent: infinities and NaNs. */
  readonly maxExp: number;
  /** Exponent bias. */
  readonly bias: number;
  /** The type that carries the bits as a parameter; a slot address for f80. */
  readonly type: "i32" | "i64";
}

function format(name: Format["name"], expBits: number, sigBits: number, type: "i32" | "i64"): Format {
  const explicit = name === "f80";
  return { name, expBits, sigBits, explicit, maxExp: 2 ** expBits - 1, bias: 2 ** (expBits - 1) - 1, type };
}

/** Binary32. */
export const F32: Format = format("f32", 8, 24, "i32");
/** Binary64. */
export const F64: Format = format("f64", 11, 53, "i64");
/** The x87 double extended format. */
export const F80: Format = format("f80", 15, 64, "i32");

/** Invalid operation. */
export const IE = 1;
/** Denormal operand. */
export const DE = 2;
/** Division by zero. */
export const ZE = 4;
/** Overflow. */
export const OE = 8;
/** Underflow. */
export const UE = 0x10;
/** Precision: the result is inexact. */
export const PE = 0x20;
/** Condition bit C0 of the x87 status word. */
export const C0 = 0x100;
/** Condition bit C1 of the x87 status word: the last rounding increased the magnitude. */
export const C1 = 0x200;
/** Condition bit C2 of the x87 status word. */
export const C2 = 0x400;
/** Condition bit C3 of the x87 status word. */
export const C3 = 0x4000;
/** In what an f80 function returns: an unmasked exception left the destination unwritten. */
export const NO_RESULT = 0x10000;
/** In the `fcw` of an f80 function: an operand was a denormal m32 or m64 (what `f32_operand_f80` returns). */
export const DENORMAL_OPERAND = 0x10000;
/** What unmasked overflow subtracts from an f80 exponent and unmasked underflow adds. */
export const BIAS_ADJUST = 0x6000;
/** In `fcw`: results round to the whole 64-bit significand. */
export const PRECISION_64 = 0x300;

/** Bit 63: the integer bit of an aligned significand. */
export const TOP: bigint = 1n << 63n;
/** Bit 62: set in a quiet NaN's aligned significand. */
export const QUIET: bigint = 1n << 62n;

/** Parameter and result types of one soft-float function. */
export interface Signature {
  /** Parameter types. */
  readonly params: readonly ValType[];
  /** Result types. */
  readonly results: readonly ValType[];
}
