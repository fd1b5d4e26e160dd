/**
 * Floating-point arithmetic and comparison of SSE, SSE2, SSE3 and SSE4.1: the operators of WebAssembly where they give
 * the exact answer and raise nothing new, soft-float otherwise. Source: SDM volume 1, chapter 11 and 4.8; volume 2.
 * @module
 */
import {
  type Expr,
  type I32,
  i32,
  type I64,
  i64,
  op,
  select,
  shuffle,
  v,
  type V128,
  v128Const,
} from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { wordsOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import type { LaneFunction } from "./simd_lanes.ts";
import {
  bitsOf,
  constant,
  DOUBLE,
  everywhere,
  type Float,
  formatOf,
  immediate,
  inexactFlag,
  isOrdinary,
  isUsual,
  k,
  laneOf,
  mxcsr,
  read128,
  readScalar,
  scalarLimits,
  SINGLE,
  slowly,
  soft,
  softScalar,
  sse,
  valueOf,
  vectorLimits,
  vectorOf,
  write128,
  writeScalar,
} from "./simd_kit.ts";

/** The four operations. */
export type Arithmetic = "add" | "sub" | "mul" | "div";

const both = (...all: readonly I32[]): I32 => all.reduce((a, b) => i32.and(a, b));
const vand = (...all: readonly V128[]): V128 => all.reduce((a, b) => v("v128.and", a, b));
const vor = (...all: readonly V128[]): V128 => all.reduce((a, b) => v("v128.or", a, b));

/** Whether all lanes are ones. */
export const allLanes = (t: Float, mask: V128): I32 => op(`${t.bits}.all_true`, mask);

// Vectors.

/** Lanes that are zero or at least a normal number in magnitude, and no NaN. */
export function plainLanes(t: Float, a: V128): V128 {
  const [least] = vectorLimits(t), zero = everywhere(t, 0n);
  return vor(v(`${t.shape}.ge`, v(`${t.shape}.abs`, a), least), v(`${t.shape}.eq`, a, zero));
}

/** Lanes of a result that can be neither overflown nor tiny, or zero where `zero` says that this is exact. */
export function safeLanes(t: Float, r: V128, zero?: V128): V128 {
  const [least, infinity] = vectorLimits(t), size = v(`${t.shape}.abs`, r);
  const inside = vand(v(`${t.shape}.gt`, size, least), v(`${t.shape}.lt`, size, infinity));
  return zero ? vor(inside, vand(zero, v(`${t.shape}.eq`, r, everywhere(t, 0n)))) : inside;
}

/** Lanes in which two operands and their finite result are all above the smallest normal number in magnitude. */
function normalLanes(t: Float, a: V128, b: V128, r: V128): V128 {
  const [least, infinity] = vectorLimits(t), size = (x: V128) => v(`${t.shape}.abs`, x);
  const smallest = v(`${t.shape}.pmin`, v(`${t.shape}.pmin`, size(a), size(b)), size(r));
  return vand(v(`${t.shape}.gt`, smallest, least), v(`${t.shape}.lt`, size(r), infinity));
}

const isZero = (t: Float, a: V128): V128 => v(`${t.shape}.eq`, a, everywhere(t, 0n));

/** Lanes whose result, if zero, is exact. */
export function exactZero(t: Float, name: Arithmetic, a: V128, b: V128): V128 {
  if (name === "mul") return vor(isZero(t, a), isZero(t, b));
  return name === "div" ? isZero(t, a) : everywhere(t, -1n);
}

/** One of the four operations on vectors; with `alternate`, even lanes subtract and odd ones add. */
export function vectorArithmetic(
  c: Ctx,
  t: Float,
  name: Arithmetic,
  a: V128,
  b: V128,
  alternate = false,
): V128 {
  const { f } = c, csr = mxcsr(c);
  const signs = v128Const(Array.from({ length: 16 }, (_, i) => i % (32 / t.lanes) === 16 / t.lanes - 1 ? 0x80 : 0));
  const second = alternate ? f.let(v("v128.xor", b, signs)) : b;
  const r = f.let(v(`${t.shape}.${name}`, a, second)), result = f.local("v128");
  f.set(result, r);
  f.block((done) => {
    f.block((other) => {
      // One test for all three: nothing is NaN, infinite, zero or nearly denormal.
      f.brIf(other, i32.eqz(allLanes(t, normalLanes(t, a, b, r))), "unlikely");
      f.brIf(done, isOrdinary(csr), "likely");
      f.brIf(other, i32.eqz(isUsual(csr)), "unlikely");
      f.brIf(done, areExact(c, t, name, a, second, r), "likely");
    });
    f.set(result, lanewise(c, `${t.shape}_${alternate ? "addsub" : name}`, csr, a, b));
  });
  return f.get(result);
}

/** Whether all lanes of a product of doubles are exact, as far as can be told by their low bits. */
function areExactProducts(a: V128, b: V128): I32 {
  const fraction = everywhere(DOUBLE, (1n << 52n) - 1n), one = everywhere(DOUBLE, 1n << 52n);
  const [x, y] = [a, b].map((value) => vor(vand(value, fraction), one));
  return op("i64x2.all_true", v("i64x2.eq", v("i64x2.shl", v("i64x2.mul", x, y), k(11)), everywhere(DOUBLE, 0n)));
}

/** Whether `r`, the result for normal operands and normal itself, is known to be exact in all lanes. */
function areExact(c: Ctx, t: Float, name: Arithmetic, a: V128, b: V128, r: V128): I32 {
  const { shape } = t;
  if (name === "add" || name === "sub") {
    const second = name === "sub" ? v(`${shape}.neg`, b) : b, part = c.f.let(v(`${shape}.sub`, r, a));
    const left = v(`${shape}.sub`, a, v(`${shape}.sub`, r, part));
    return allLanes(t, isZero(t, v(`${shape}.add`, left, v(`${shape}.sub`, second, part))));
  }
  const [x, y, z] = name === "mul" ? [a, b, r] : [r, b, a];
  if (t === DOUBLE) return both(areExactProducts(x, y), allLanes(t, v("f64x2.eq", v("f64x2.mul", x, y), z)));
  const wide = (value: V128, high: boolean): V128 =>
    v("f64x2.promote_low_f32x4", high ? shuffle(value, value, words(2, 3, 2, 3)) : value);
  const half = (high: boolean): V128 => v("f64x2.eq", v("f64x2.mul", wide(x, high), wide(y, high)), wide(z, high));
  return allLanes(DOUBLE, vand(half(false), half(true)));
}

/** MINPS, MAXPS: the second operand if the two are equal or not ordered. */
function vectorExtreme(c: Ctx, t: Float, name: "min" | "max", a: V128, b: V128): V128 {
  const { f } = c;
  return f.choose(
    allLanes(t, vand(plainLanes(t, a), plainLanes(t, b))),
    () => v(`${t.shape}.p${name}`, b, a),
    () => {
      return lanewise(c, `${t.shape}_${name}`, mxcsr(c), a, b);
    },
  );
}

/** Soft-float lane by lane. */
function lanewise(c: Ctx, name: LaneFunction, csr: I32, ...vectors: readonly V128[]): V128 {
  return slowly(c, csr, () => c.support<V128>(name, ...vectors, csr));
}

function vectorRoot(c: Ctx, t: Float, a: V128): V128 {
  const { f } = c, csr = mxcsr(c), [least, infinity] = vectorLimits(t);
  const normal = vand(v(`${t.shape}.ge`, a, least), v(`${t.shape}.lt`, a, infinity));
  return f.choose(
    both(isOrdinary(csr), allLanes(t, vor(normal, isZero(t, a)))),
    () => v(`${t.shape}.sqrt`, a),
    () => lanewise(c, `${t.shape}_sqrt`, csr, a),
  );
}

// Scalars.

const zeroOf = (t: Float): Expr => valueOf(t, constant(t, 0n));
const isZeroScalar = (t: Float, a: Expr): I32 => op(`${t.name}.eq`, a, zeroOf(t));

/** Whether a scalar is zero or at least a normal number in magnitude, and no NaN. */
export function isPlain(t: Float, a: Expr): I32 {
  const [least] = scalarLimits(t);
  return i32.or(op(`${t.name}.ge`, op(`${t.name}.abs`, a), least), isZeroScalar(t, a));
}

/** Whether a result can be neither overflown nor tiny, and is not zero. */
function isInside(t: Float, r: Expr): I32 {
  const [least, infinity] = scalarLimits(t), size = op<"f64">(`${t.name}.abs`, r);
  return both(op(`${t.name}.gt`, size, least), op(`${t.name}.lt`, size, infinity));
}

/** Whether a result can be neither overflown nor tiny, or is zero where `zero` says that this is exact. */
export function isSafe(t: Float, r: Expr, zero: I32): I32 {
  return i32.or(isInside(t, r), both(zero, isZeroScalar(t, r)));
}

/** Lane numbers of the 32-bit words of two vectors. */
const words = (...lanes: readonly number[]): number[] => lanes.flatMap((n) => [0, 1, 2, 3].map((i) => n * 4 + i));

/** Whether two operands and their result are normal numbers, and the result is none of the largest. */
function areNormal(t: Float, a: Expr, b: Expr, r: Expr): I32 {
  // Lane by lane the words with the exponents of a, b and r, and of r once more: none may be 0, nor the last one all ones.
  const [x, y, z] = [a, b, r].map((value) => v(`${t.shape}.splat`, value));
  const exponents = shuffle(shuffle(x, y, words(0, 4, 1, 5)), z, words(2, 3, 5, 5));
  const all = t === SINGLE ? 0x7f80_0000n : 0x7ff0_0000n, infinite = Number(all >> 16n);
  const last = v128Const([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, infinite & 0xff, infinite >> 8]);
  return op("i32x4.all_true", v("v128.xor", v("v128.and", exponents, everywhere(SINGLE, all)), last));
}

/** Whether the product of two normal numbers is exact, as far as can be told by the low bits of it. */
function isExactProduct(a: Expr, b: Expr): I32 {
  const [x, y] = [a, b].map((value) => {
    const fraction = i64.and(bitsOf(DOUBLE, value) as I64, i64.const((1n << 52n) - 1n));
    return i64.or(fraction, i64.const(1n << 52n));
  });
  return i64.eqz(i64.shl(i64.mul(x, y), i64.const(11)));
}

/** Whether `r`, the result for normal operands and normal itself, is known to be exact; wrongly no is not wrong. */
function isExact(t: Float, name: Arithmetic, a: Expr, b: Expr, r: Expr): I32 {
  const { name: n } = t;
  if (name === "add" || name === "sub") {
    // The error of a sum, as Knuth gives it.
    const second = name === "sub" ? op(`${n}.neg`, b) : b, part = op(`${n}.sub`, r, a);
    const error = op(`${n}.add`, op(`${n}.sub`, a, op(`${n}.sub`, r, part)), op(`${n}.sub`, second, part));
    return op(`${n}.eq`, error, zeroOf(t));
  }
  const [x, y, z] = name === "mul" ? [a, b, r] : [r, b, a];
  const product = (p: Expr, q: Expr): Expr => op("f64.mul", p, q);
  if (t === SINGLE) {
    const wide = (value: Expr): Expr => op("f64.promote_f32", value);
    return op("f64.eq", product(wide(x), wide(y)), wide(z));
  }
  return both(isExactProduct(x, y), name === "mul" ? k(1) : op("f64.eq", product(x, y), z));
}

/** One of the four operations. */
export function scalarArithmetic(c: Ctx, t: Float, name: Arithmetic, a: Expr, b: Expr): Expr {
  const { f } = c, csr = mxcsr(c), r = f.let(op(`${t.name}.${name}`, a, b)), result = f.local(r.type);
  f.set(result, r);
  f.block((done) => {
    f.block((other) => {
      f.brIf(other, i32.eqz(areNormal(t, a, b, r)), "unlikely");
      f.brIf(done, isOrdinary(csr), "likely");
      f.brIf(other, i32.eqz(isUsual(csr)), "unlikely");
      f.brIf(done, isExact(t, name, a, b, r), "likely");
    });
    const simple = both(isUsual(csr), isPlain(t, a), isPlain(t, b), exactWithZero(t, name, a, b, r));
    f.brIf(done, simple);
    f.set(result, slowly(c, csr, () => softScalar(c, t, `${t.name}_${name}`, csr, a, b)));
  });
  return f.get(result);
}

/** Whether a result is exact because an operand is zero, or two are alike. */
function exactWithZero(t: Float, name: Arithmetic, a: Expr, b: Expr, r: Expr): I32 {
  const nothing = isZeroScalar(t, r);
  if (name === "mul") return both(nothing, i32.or(isZeroScalar(t, a), isZeroScalar(t, b)));
  if (name === "div") return both(nothing, isZeroScalar(t, a));
  return i32.or(nothing, both(i32.or(isZeroScalar(t, a), isZeroScalar(t, b)), isInside(t, r)));
}

function scalarExtreme(c: Ctx, t: Float, name: "min" | "max", a: Expr, b: Expr): Expr {
  const { f } = c, before = op<"i32">(`${t.name}.${name === "min" ? "lt" : "gt"}`, a, b);
  return f.choose(
    both(isPlain(t, a), isPlain(t, b)),
    () => select(before, a, b),
    () => {
      const csr = mxcsr(c);
      return slowly(c, csr, () => softScalar(c, t, `${t.name}_${name}`, csr, a, b));
    },
    "likely",
  );
}

function scalarRoot(c: Ctx, t: Float, a: Expr): Expr {
  const { f } = c, csr = mxcsr(c), [least, infinity] = scalarLimits(t), r = f.let(op(`${t.name}.sqrt`, a));
  const normal: I32 = both(op(`${t.name}.ge`, a, least), op(`${t.name}.lt`, a, infinity));
  const silent = i32.or(inexactFlag(csr), isExact(t, "mul", r, r, a));
  const square = t === SINGLE ? silent : both(silent, i32.or(inexactFlag(csr), op("f64.eq", op("f64.mul", r, r), a)));
  return f.choose(
    both(isUsual(csr), i32.or(both(normal, square), isZeroScalar(t, a))),
    () => r,
    () => slowly(c, csr, () => softScalar(c, t, `${t.name}_sqrt`, csr, a)),
    "likely",
  );
}

// Instructions.

/** An operation on two operands, vectors or scalars as the form says. */
const binary = (
  vector: (c: Ctx, t: Float, a: V128, b: V128) => V128,
  scalar: (c: Ctx, t: Float, a: Expr, b: Expr) => Expr,
) =>
(c: Ctx): void => {
  sse(c);
  const { format: t, scalar: one } = formatOf(c), { dst, src } = c;
  if (one) {
    const b = readScalar(c, src, t);
    writeScalar(c, dst, t, scalar(c, t, readScalar(c, dst, t), b));
  } else {
    const b = read128(c, src);
    write128(c, dst, vector(c, t, c.read128(dst), b));
  }
};

const arithmetic = (name: Arithmetic) =>
  binary((c, t, a, b) => vectorArithmetic(c, t, name, a, b), (c, t, a, b) => scalarArithmetic(c, t, name, a, b));
const extreme = (name: "min" | "max") =>
  binary((c, t, a, b) => vectorExtreme(c, t, name, a, b), (c, t, a, b) => scalarExtreme(c, t, name, a, b));
const root = binary((c, t, _, b) => vectorRoot(c, t, b), (c, t, _, b) => scalarRoot(c, t, b));

/** RCPPS, RSQRTPS: the approximation of Intel's processors, lane by lane; no exceptions. */
const approximate = (name: "rcp" | "rsqrt") =>
  binary(
    (c, t, _, b) => vectorOf(c, [0, 1, 2, 3].map((n) => c.support(name, laneOf(t, b, n)))),
    (c, t, _, b) => valueOf(t, c.support(name, bitsOf(t, b))),
  );

/** Lane numbers of the even or odd elements of two vectors. */
function alternate(t: Float, odd: 0 | 1): number[] {
  const size = 16 / t.lanes;
  return Array.from({ length: 16 }, (_, i) => {
    const element = i / size | 0, second = element >= t.lanes / 2;
    return (second ? 16 : 0) + (element % (t.lanes / 2) * 2 + odd) * size + i % size;
  });
}

/** HADDPS and its like: neighbours of the first operand, then of the second. */
const horizontal = (name: "add" | "sub") => (c: Ctx): void => {
  sse(c);
  const { format: t } = formatOf(c), b = read128(c, c.src), a = c.read128(c.dst);
  const [even, odd] = [0, 1].map((n) => c.f.let(shuffle(a, b, alternate(t, n as 0 | 1))));
  write128(c, c.dst, vectorArithmetic(c, t, name, even, odd));
};

function addsub(c: Ctx): void {
  sse(c);
  const { format: t } = formatOf(c), b = read128(c, c.src);
  write128(c, c.dst, vectorArithmetic(c, t, "add", c.read128(c.dst), b, true));
}

// Comparison. Soft-float tells the relation: −1 less, 0 equal, 1 greater, 2 not ordered.

/** For each predicate 0 … 3 (equal, less, less or equal, not ordered) a bit for each relation, from −1 on. */
const PREDICATES = 0x8312;

/** 1 if predicate `p` (0 … 7, of which 4 … 7 negate) holds for a relation. */
function holds(p: I32, relation: I32): I32 {
  const bits = i32.shr_u(k(PREDICATES), i32.shl(i32.and(p, k(3)), k(2)));
  const hit = i32.shr_u(bits, i32.add(relation, k(1)));
  return i32.and(i32.xor(hit, i32.shr_u(p, k(2))), k(1));
}

/** The relation of two scalars, as bits, by soft-float; less and less or equal object to quiet NaNs too. */
function relation(c: Ctx, t: Float, p: I32, csr: I32, a: Expr, b: Expr): I32 {
  const call = (name: "compare" | "compare_quiet") => soft(c, `${t.name}_${name}`, csr, a, b) as I32;
  const signals = i32.and(i32.add(p, k(1)), k(2));
  return c.f.let(c.f.choose(signals, () => call("compare"), () => call("compare_quiet")));
}

/** Ones or zeros. */
const maskOf = (t: Float, truth: I32): Expr => {
  const m = i32.sub(k(0), truth);
  return t.type === "i32" ? m : i64.extend_i32_s(m);
};

function compareVectors(c: Ctx, t: Float, a: V128, b: V128): V128 {
  const { f } = c, p = f.let(i32.and(immediate(c), k(7)));
  const spread = (truth: I32): V128 => v("i32x4.splat", i32.sub(k(0), truth));
  return f.choose(
    allLanes(t, vand(plainLanes(t, a), plainLanes(t, b))),
    () => {
      const less = vand(v(`${t.shape}.lt`, a, b), spread(holds(p, k(-1))));
      const equal = vand(v(`${t.shape}.eq`, a, b), spread(holds(p, k(0))));
      return vor(less, equal, vand(v(`${t.shape}.gt`, a, b), spread(holds(p, k(1)))));
    },
    () => {
      const csr = mxcsr(c);
      return slowly(c, csr, () => {
        const lane = (n: number) => relation(c, t, p, csr, laneOf(t, a, n), laneOf(t, b, n));
        return vectorOf(c, Array.from({ length: t.lanes }, (_, n) => maskOf(t, holds(p, lane(n)))));
      });
    },
  );
}

/** The relation of two scalars. `slow` is given them as bits. */
function scalarRelation(c: Ctx, t: Float, a: Expr, b: Expr, slow: (csr: I32, a: Expr, b: Expr) => I32): I32 {
  const { f } = c, order = i32.sub(op(`${t.name}.gt`, a, b), op(`${t.name}.lt`, a, b));
  return f.let(f.choose(both(isPlain(t, a), isPlain(t, b)), () => order, () => {
    const csr = mxcsr(c);
    return slowly(c, csr, () => slow(csr, bitsOf(t, a), bitsOf(t, b)));
  }, "likely"));
}

function compareScalars(c: Ctx, t: Float, a: Expr, b: Expr): Expr {
  const p = c.f.let(i32.and(immediate(c), k(7)));
  const r = scalarRelation(c, t, a, b, (csr, x, y) => relation(c, t, p, csr, x, y));
  return valueOf(t, maskOf(t, holds(p, r)));
}

/** COMISS and UCOMISS, and for f64. */
const compareFlags = (name: "compare" | "compare_quiet") => (c: Ctx): void => {
  sse(c);
  const { format: t } = formatOf(c), b = readScalar(c, c.src, t), a = readScalar(c, c.dst, t);
  const r = scalarRelation(c, t, a, b, (csr, x, y) => soft(c, `${t.name}_${name}`, csr, x, y) as I32);
  const unordered = i32.eq(r, k(2));
  c.setFlags(wordsOf({
    cf: i32.or(i32.eq(r, k(-1)), unordered),
    pf: unordered,
    af: k(0),
    zf: i32.or(i32.eqz(r), unordered),
    sf: k(0),
    of: k(0),
  }));
};

// Bits.

const bitwise = (f: (a: V128, b: V128) => V128) => (c: Ctx): void => {
  sse(c);
  const b = read128(c, c.src);
  write128(c, c.dst, f(c.read128(c.dst), b));
};

const logic = (name: string) => bitwise((a, b) => v(name, a, b));
const lowHalves = (t: Float): number[] => {
  const size = 16 / t.lanes;
  return Array.from({ length: 16 }, (_, i) => ((i / size | 0) & 1) * 16 + (i / size >> 1) * size + i % size);
};
const unpack = (t: Float, high: boolean) => bitwise((a, b) => shuffle(a, b, lowHalves(t).map((n) => high ? n + 8 : n)));

/** SHUFPS: two lanes of the first operand, then two of the second, by the immediate. */
function shufps(c: Ctx): void {
  sse(c);
  const b = read128(c, c.src), a = c.read128(c.dst), imm = c.f.let(immediate(c));
  const at = (n: number): I32 =>
    i32.add(i32.mul(i32.and(i32.shr_u(imm, k(2 * n)), k(3)), k(0x0404_0404)), k(0x0302_0100));
  const halves = [[a, 0], [b, 2]] as const;
  const [x, y] = halves.map(([from, n]) => v("i8x16.swizzle", from, vectorOf(c, [at(n), at(n + 1), k(0), k(0)])));
  write128(c, c.dst, shuffle(x, y, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]));
}

function shufpd(c: Ctx): void {
  sse(c);
  const b = read128(c, c.src), a = c.read128(c.dst), imm = c.f.let(immediate(c));
  const pick = (from: V128, n: number): Expr =>
    select(i32.and(imm, k(1 << n)), laneOf(DOUBLE, from, 1), laneOf(DOUBLE, from, 0));
  write128(c, c.dst, vectorOf(c, [pick(a, 0), pick(b, 1)]));
}

const SSE = { cpuid: "sse" } as const, SSE2 = { cpuid: "sse2" } as const, SSE3 = { cpuid: "sse3" } as const;
const FLAGS = { writes: "OSZAPC" };

/** The two rows of an operation that all four kinds of operands have under one opcode. */
function four(mnemonic: string, opcode: string, meaning: (c: Ctx) => void, immediate = ""): Row[] {
  const row = (name: string, prefix: string, size: string, attributes: Row["attributes"]): Row =>
    insn(`${mnemonic}${name}`, `${prefix} 0F ${opcode} /r V${size},W${size}${immediate}`, attributes, meaning);
  return [
    row("PS", "NP", "ps", SSE),
    row("PD", "66", "pd", SSE2),
    row("SS", "F3", "ss", SSE),
    row("SD", "F2", "sd", SSE2),
  ];
}

/** Floating-point arithmetic. */
// deno-fmt-ignore
export const SSE_FLOAT: readonly Row[] = [
  insn("UNPCKLPS", "NP 0F 14 /r Vps,Wps", SSE, unpack(SINGLE, false)),
  insn("UNPCKLPD", "66 0F 14 /r Vpd,Wpd", SSE2, unpack(DOUBLE, false)),
  insn("UNPCKHPS", "NP 0F 15 /r Vps,Wps", SSE, unpack(SINGLE, true)),
  insn("UNPCKHPD", "66 0F 15 /r Vpd,Wpd", SSE2, unpack(DOUBLE, true)),
  insn("UCOMISS", "NP 0F 2E /r Vss,Wss", { ...SSE, ...FLAGS }, compareFlags("compare_quiet")),
  insn("UCOMISD", "66 0F 2E /r Vsd,Wsd", { ...SSE2, ...FLAGS }, compareFlags("compare_quiet")),
  insn("COMISS", "NP 0F 2F /r Vss,Wss", { ...SSE, ...FLAGS }, compareFlags("compare")),
  insn("COMISD", "66 0F 2F /r Vsd,Wsd", { ...SSE2, ...FLAGS }, compareFlags("compare")),
  ...four("SQRT", "51", root),
  insn("RSQRTPS", "NP 0F 52 /r Vps,Wps", SSE, approximate("rsqrt")),
  insn("RSQRTSS", "F3 0F 52 /r Vss,Wss", SSE, approximate("rsqrt")),
  insn("RCPPS", "NP 0F 53 /r Vps,Wps", SSE, approximate("rcp")),
  insn("RCPSS", "F3 0F 53 /r Vss,Wss", SSE, approximate("rcp")),
  insn("ANDPS", "NP 0F 54 /r Vps,Wps", SSE, logic("v128.and")),
  insn("ANDPD", "66 0F 54 /r Vpd,Wpd", SSE2, logic("v128.and")),
  insn("ANDNPS", "NP 0F 55 /r Vps,Wps", SSE, bitwise((a, b) => v("v128.andnot", b, a))),
  insn("ANDNPD", "66 0F 55 /r Vpd,Wpd", SSE2, bitwise((a, b) => v("v128.andnot", b, a))),
  insn("ORPS", "NP 0F 56 /r Vps,Wps", SSE, logic("v128.or")),
  insn("ORPD", "66 0F 56 /r Vpd,Wpd", SSE2, logic("v128.or")),
  insn("XORPS", "NP 0F 57 /r Vps,Wps", SSE, logic("v128.xor")),
  insn("XORPD", "66 0F 57 /r Vpd,Wpd", SSE2, logic("v128.xor")),
  ...four("ADD", "58", arithmetic("add")),
  ...four("MUL", "59", arithmetic("mul")),
  ...four("SUB", "5C", arithmetic("sub")),
  ...four("MIN", "5D", extreme("min")),
  ...four("DIV", "5E", arithmetic("div")),
  ...four("MAX", "5F", extreme("max")),
  insn("HADDPD", "66 0F 7C /r Vpd,Wpd", SSE3, horizontal("add")),
  insn("HADDPS", "F2 0F 7C /r Vps,Wps", SSE3, horizontal("add")),
  insn("HSUBPD", "66 0F 7D /r Vpd,Wpd", SSE3, horizontal("sub")),
  insn("HSUBPS", "F2 0F 7D /r Vps,Wps", SSE3, horizontal("sub")),
  ...four("CMP", "C2", binary(compareVectors, compareScalars), ",Ib"),
  insn("SHUFPS", "NP 0F C6 /r Vps,Wps,Ib", SSE, shufps),
  insn("SHUFPD", "66 0F C6 /r Vpd,Wpd,Ib", SSE2, shufpd),
  insn("ADDSUBPD", "66 0F D0 /r Vpd,Wpd", SSE3, addsub),
  insn("ADDSUBPS", "F2 0F D0 /r Vps,Wps", SSE3, addsub),
];
