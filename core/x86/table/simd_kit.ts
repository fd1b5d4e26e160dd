/**
 * What the meanings of MMX and SSE instructions share: the checks that each begins with, operands as vectors, and the
 * way through soft-float with its exceptions. Source: SDM volume 1, chapters 9 to 12; volume 3, 2.5.
 * @module
 */
import {
  type Expr,
  type I32,
  i32,
  i64,
  lane,
  op,
  replaceLane,
  select,
  shuffle,
  v,
  type V128,
  v128Const,
} from "../../wasm/expr.ts";
import type { ValType } from "../../wasm/ops.ts";
import type { Ctx, Operand } from "../context.ts";
import type { SoftFloatName } from "../softfloat/softfloat.ts";
import { CR0, CR4, FEMPTY, FP_FLAGS, FSW, FTOP, MXCSR } from "../state.ts";

/** An i32 constant. */
export const k = (n: number): I32 => i32.const(n);
/** Zero. */
export const ZERO: V128 = v128Const(new Uint8Array(16));
/** Lane numbers of bytes. */
export const IOTA: V128 = v128Const(Array.from({ length: 16 }, (_, i) => i));

const CR0_EM = 4, CR0_TS = 8, CR4_OSFXSR = 0x200, CR4_OSXMMEXCPT = 0x400;
/** Error summary of the x87 status word: an unmasked exception is pending. */
const FSW_ES = 0x80;
const UD = 6, NM = 7, MF = 16, XM = 19;

/** The checks of SSE instructions: #UD and #NM by CR0 and CR4. */
export function sse(c: Ctx): void {
  const cr0 = i32.load(k(0), { offset: CR0 }), cr4 = i32.load(k(0), { offset: CR4 });
  const disabled = i32.and(i32.xor(cr4, k(CR4_OSFXSR)), k(CR4_OSFXSR));
  c.guard("sse", i32.or(i32.and(cr0, k(CR0_EM | CR0_TS)), disabled), () => {
    c.raise(select(i32.or(i32.and(cr0, k(CR0_EM)), disabled), k(UD), k(NM)));
  });
}

/** The checks of MMX instructions: #UD and #NM by CR0, #MF by a pending x87 exception. */
function mmxChecks(c: Ctx): void {
  const cr0 = c.state<I32>("i32.load", CR0);
  const pending = c.f.let(i32.and(c.state<I32>("i32.load", FSW), k(FSW_ES)));
  c.f.if(i32.or(i32.and(cr0, k(CR0_EM | CR0_TS)), pending), () => {
    c.raise(select(i32.and(cr0, k(CR0_EM)), k(UD), select(i32.and(cr0, k(CR0_TS)), k(NM), k(MF))));
  });
}

/** The checks of MMX instructions, and their effect on the x87 state: TOP is 0, no register is empty. */
export function mmx(c: Ctx): void {
  mmxChecks(c);
  c.setState("i32.store", FTOP, k(0));
  c.setState("i32.store", FEMPTY, k(0));
}

/** The same for a store: processors set TOP even if the store faults. */
export function mmxStore(c: Ctx): void {
  mmxChecks(c);
  c.f.store("i32.store", k(0), k(0), { offset: FTOP });
  c.setState("i32.store", FEMPTY, k(0));
}

/** EMMS: all registers are empty. */
export function emms(c: Ctx): void {
  mmxChecks(c);
  c.setState("i32.store", FTOP, k(0));
  c.setState("i32.store", FEMPTY, k(0xff));
}

/** The checks of SSE instructions with an MMX operand. */
export function sseWithMmx(c: Ctx): void {
  sse(c);
  mmx(c);
}

/** The checks of conversions with an MMX operand; gives what `read` reads. The x87 state changes even if they fault then. */
export function convertWithMmx(c: Ctx, read: () => V128): V128 {
  sse(c);
  mmxChecks(c);
  const a = read();
  enter(c);
  return a;
}

function enter(c: Ctx): void {
  c.f.store("i32.store", k(0), k(0), { offset: FTOP });
  c.f.store("i32.store", k(0), k(0), { offset: FEMPTY });
}

/** The checks of MASKMOVQ: the x87 state changes even if it faults then. */
export function enterMmx(c: Ctx): void {
  mmxChecks(c);
  enter(c);
}

// Operands.

/** A 128-bit operand; in memory, it must be aligned. */
export function read128(c: Ctx, o: Operand): V128 {
  return o.isMemory ? c.f.let(o.access(16, "read", undefined, true).load<V128>("v128.load")) : c.read128(o);
}

/** The low 64 bits of a register, or 64 bits of memory; the rest is zero. */
export function read64(c: Ctx, o: Operand): V128 {
  return readLow(c, o, 64);
}

/** The low 32 bits of a register, or 32 bits of memory; the rest is zero. */
export function read32(c: Ctx, o: Operand): V128 {
  return readLow(c, o, 32);
}

function readLow(c: Ctx, o: Operand, width: 32 | 64): V128 {
  const name = `v128.load${width}_zero`;
  if (o.isMemory) return c.f.let(o.access(width / 8, "read").load<V128>(name));
  return c.state(name, o.address());
}

/** Writes a register of 128 bits. */
export function write128(c: Ctx, o: Operand, value: V128): void {
  c.setState("v128.store", o.address(), value);
}

/** Stores a register's 128 bits: to a register, or to memory, aligned unless told otherwise. */
export function store128(c: Ctx, o: Operand, value: V128, aligned = true): void {
  if (o.isMemory) o.access(16, "write", undefined, aligned).store("v128.store", value);
  else write128(c, o, value);
}

/** Writes an MMX register: the low 64 bits of `value`, and ones in the exponent of the x87 register. */
export function writeMmx(c: Ctx, o: Operand, value: V128): void {
  c.setState("i64.store", o.address(), lane("i64x2.extract_lane", value, 0));
  c.setState("i32.store16", c.f.let(i32.add(o.address(), k(8))), k(0xffff));
}

/** The low 64 bits of `low` under those of `high`. */
export function join64(low: V128, high: V128): V128 {
  return shuffle(low, high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
}

/** The low 64 bits of `value`, the upper ones of `keep`. */
export function withLow64(value: V128, keep: V128): V128 {
  return shuffle(value, keep, [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31]);
}

/** The immediate as i32. */
export const immediate = (c: Ctx): I32 => i32.wrap_i64(c.imm());

// Floating point.

/** A floating-point format as instructions use it. */
export interface Float {
  /** Name of the format and of the scalar type. */
  readonly name: "f32" | "f64";
  /** Vector shape of values. */
  readonly shape: "f32x4" | "f64x2";
  /** Vector shape of their bits. */
  readonly bits: "i32x4" | "i64x2";
  /** Type of a value's bits. */
  readonly type: "i32" | "i64";
  /** Lanes of a vector. */
  readonly lanes: 2 | 4;
}

/** Single precision. */
export const SINGLE: Float = { name: "f32", shape: "f32x4", bits: "i32x4", type: "i32", lanes: 4 };
/** Double precision. */
export const DOUBLE: Float = { name: "f64", shape: "f64x2", bits: "i64x2", type: "i64", lanes: 2 };

/** The format of a form's operands, and whether they are scalars, by the size code of its last vector operand. */
export function formatOf(c: Ctx): { readonly format: Float; readonly scalar: boolean } {
  const sizes = c.form.operands.filter((o) => "VWU".includes(o.code)).map((o) => o.size);
  const size = sizes[sizes.length - 1];
  return { format: size === "ss" || size === "ps" ? SINGLE : DOUBLE, scalar: size === "ss" || size === "sd" };
}

/** The value of a scalar operand. */
export function readScalar(c: Ctx, o: Operand, { name, type }: Float): Expr {
  const load = `${name}.load`;
  if (o.isMemory) return c.f.let(o.access(type === "i32" ? 4 : 8, "read").load<Expr>(load));
  return c.state(load, o.address());
}

/** Writes the lowest lane of a register. */
export function writeScalar(c: Ctx, o: Operand, { name }: Float, value: Expr): void {
  c.setState(`${name}.store`, o.address(), value);
}

/** A scalar's value from its bits. */
export const valueOf = ({ name, type }: Float, bits: Expr): Expr => op(`${name}.reinterpret_${type}`, bits);
/** A scalar's bits. */
export const bitsOf = ({ name, type }: Float, value: Expr): Expr => op(`${type}.reinterpret_${name}`, value);

/** Lane `n` of a vector, as bits. */
export const laneOf = ({ bits }: Float, value: V128, n: number): Expr => lane(`${bits}.extract_lane`, value, n);

/** A vector of lanes of i32 or i64. */
export function vectorOf(c: Ctx, lanes: readonly Expr[]): V128 {
  const shape = lanes[0].type === "i32" ? "i32x4" : "i64x2";
  let r = v(`${shape}.splat`, lanes[0]);
  for (let n = 1; n < lanes.length; n++) r = replaceLane(`${shape}.replace_lane`, r, n, lanes[n]);
  return c.f.let(r);
}

/** MXCSR. */
export const mxcsr = (c: Ctx): I32 => c.state<I32>("i32.load", MXCSR);

/** Rounding to nearest, all exceptions masked: what the operators of WebAssembly do, but for the flags. */
export const isUsual = (csr: I32): I32 => i32.eq(i32.and(csr, k(0x7f80)), k(0x1f80));
/** The flag of the inexact exception. */
export const inexactFlag = (csr: I32): I32 => i32.and(csr, k(0x20));
/** As {@linkcode isUsual}, and the inexact flag is set already: arithmetic on normal numbers raises nothing new. */
export const isOrdinary = (csr: I32): I32 => i32.eq(i32.and(csr, k(0x7fa0)), k(0x1fa0));
/** Rounding to nearest, the inexact exception masked and its flag set. */
export const isNearest = (csr: I32): I32 => i32.eq(i32.and(csr, k(0x7020)), k(0x1020));
/** The inexact exception is masked and its flag set. */
export const isInexact = (csr: I32): I32 => i32.eq(i32.and(csr, k(0x1020)), k(0x1020));

/** Calls soft-float. */
export function soft(c: Ctx, name: SoftFloatName, csr: I32, ...args: Expr[]): Expr {
  return c.support(name, ...args, csr);
}

/** Calls soft-float for scalars of one format: operands and result are values. */
export function softScalar(c: Ctx, t: Float, name: SoftFloatName, csr: I32, ...values: Expr[]): Expr {
  return valueOf(t, soft(c, name, csr, ...values.map((x) => bitsOf(t, x))));
}

/**
 * A value by soft-float: what `body` computes, after which its exceptions go to MXCSR and, if unmasked, are raised; then
 * nothing else was changed. An exception known before the computation of one lane keeps those that come after it, of any
 * lane, from being noted.
 */
export function slowly<T extends ValType>(c: Ctx, csr: I32, body: () => Expr<T>): Expr<T> {
  const { f } = c;
  f.store("i32.store", k(0), k(0), { offset: FP_FLAGS });
  const r = f.let(body());
  accept(c, csr);
  return r;
}

/** Takes the exceptions that soft-float has gathered. */
function accept(c: Ctx, csr: I32): void {
  const { f } = c;
  const flags = f.let(i32.and(c.state<I32>("i32.load", FP_FLAGS), k(0x3f)));
  f.if(flags, () => {
    const masks = i32.shr_u(csr, k(7));
    const unmasked = f.let(i32.and(flags, i32.xor(masks, k(-1))));
    const noted = select(i32.and(unmasked, k(7)), i32.and(flags, k(7)), flags);
    c.putState("i32.store", MXCSR, i32.or(csr, noted));
    f.if(unmasked, () => {
      c.raise(select(i32.and(c.state<I32>("i32.load", CR4), k(CR4_OSXMMEXCPT)), k(XM), k(UD)));
    });
  });
}

/** Smallest normal number and infinity of each format, as bits. */
const LIMITS = { f32: [0x0080_0000n, 0x7f80_0000n], f64: [0x0010n << 48n, 0x7ff0n << 48n] } as const;

/** The smallest normal number and infinity of a format, as bits. */
export const limitBits = (t: Float): readonly [least: bigint, infinity: bigint] => LIMITS[t.name];

/** A constant of a format by its bits. */
export function constant({ type }: Float, bits: bigint): Expr {
  return type === "i32" ? i32.const(Number(bits)) : i64.const(bits);
}

/** The smallest normal number of a format, and infinity: scalars. */
export function scalarLimits(t: Float): readonly [least: Expr, infinity: Expr] {
  const [least, infinity] = LIMITS[t.name];
  return [valueOf(t, constant(t, least)), valueOf(t, constant(t, infinity))];
}

/** A vector with the same bits in each lane. */
export function everywhere(t: Float, bits: bigint): V128 {
  const bytes = t.type === "i32" ? 4 : 8;
  return v128Const(Array.from({ length: 16 }, (_, i) => Number(bits >> BigInt(i % bytes * 8) & 0xffn)));
}

/** The smallest normal number of a format, and infinity: vectors. */
export function vectorLimits(t: Float): readonly [least: V128, infinity: V128] {
  const [least, infinity] = LIMITS[t.name];
  return [everywhere(t, least), everywhere(t, infinity)];
}
