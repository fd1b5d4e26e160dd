/**
 * Typed WebAssembly expressions: trees that a function builder writes out. Constants fold while the tree is built, so a
 * semantic function that is handed constants (a translated region) produces the short form by itself.
 *
 * A tree is evaluated where a statement uses it: bind a load that must happen now with `FunctionBuilder.let`.
 * @module
 */
import { LANES, LOADS, type Op, OPS, STORES, type ValType } from "./ops.ts";

/** What kind of node an expression is. */
export type ExprKind =
  | "const"
  | "local"
  | "global"
  | "op"
  | "load"
  | "lane"
  | "shuffle"
  | "select"
  | "call"
  | "indirect";

/** An expression of type `T`; never changed once built. */
export interface Expr<T extends ValType = ValType> {
  /** The value type. */
  readonly type: T;
  /** The kind of node. */
  readonly kind: ExprKind;
  /** Mnemonic in the text format. */
  readonly name: string;
  /** Operands in evaluation order. */
  readonly args: readonly Expr[];
  /** Constant value, local index, offset, lane, function or type index; of an operator its code. */
  readonly imm: number | bigint;
  /** Load: memory index; indirect call: table index. Otherwise 0. */
  readonly index: number;
  /** v128 constant or shuffle lanes. */
  readonly bytes: Uint8Array | null;
}

/** An i32 expression. */
export type I32 = Expr<"i32">;
/** An i64 expression. */
export type I64 = Expr<"i64">;
/** An f32 expression. */
export type F32 = Expr<"f32">;
/** An f64 expression. */
export type F64 = Expr<"f64">;
/** A v128 expression. */
export type V128 = Expr<"v128">;

/** Builds a node; what the typed helpers below are made of. */
export function node<T extends ValType>(
  type: T,
  kind: ExprKind,
  name: string,
  args: readonly Expr[],
  imm: number | bigint = 0,
  index = 0,
  bytes: Uint8Array | null = null,
): Expr<T> {
  return { type, kind, name, args, imm, index, bytes };
}

/** A numeric constant's value if the expression is one (i32 signed; i64 signed bigint; floats as numbers). */
export function constantOf(e: Expr): number | bigint | undefined {
  return e.kind === "const" && e.bytes === null ? e.imm : undefined;
}

const folds32: Record<string, (a: number, b: number) => number> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: (a, b) => Math.imul(a, b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr_s: (a, b) => a >> b,
  shr_u: (a, b) => (a >>> b) | 0,
  eq: (a, b) => +(a === b),
  ne: (a, b) => +(a !== b),
  lt_s: (a, b) => +(a < b),
  lt_u: (a, b) => +(a >>> 0 < b >>> 0),
  gt_s: (a, b) => +(a > b),
  gt_u: (a, b) => +(a >>> 0 > b >>> 0),
  le_s: (a, b) => +(a <= b),
  le_u: (a, b) => +(a >>> 0 <= b >>> 0),
  ge_s: (a, b) => +(a >= b),
  ge_u: (a, b) => +(a >>> 0 >= b >>> 0),
};

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
const folds64: Record<string, (a: bigint, b: bigint) => bigint | boolean> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << (b & 63n),
  shr_s: (a, b) => a >> (b & 63n),
  shr_u: (a, b) => u64(a) >> (b & 63n),
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt_s: (a, b) => a < b,
  lt_u: (a, b) => u64(a) < u64(b),
  gt_s: (a, b) => a > b,
  gt_u: (a, b) => u64(a) > u64(b),
  le_s: (a, b) => a <= b,
  le_u: (a, b) => u64(a) <= u64(b),
  ge_s: (a, b) => a >= b,
  ge_u: (a, b) => u64(a) >= u64(b),
};

const ZERO_IS_IDENTITY = new Set(["add", "sub", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"]);

/** Whether not evaluating an expression changes nothing; a load is taken to have a valid address. */
function isDroppable(e: Expr): boolean {
  if (e.kind === "call" || e.kind === "indirect" || e.kind === "op" && /div_|rem_/.test(e.name)) return false;
  return e.args.every(isDroppable);
}

/** The family of an operator and its name in that. */
const parts: Map<Op, readonly [family: string, name: string]> = new Map();

function partsOf(op: Op): readonly [family: string, name: string] {
  let known = parts.get(op);
  if (!known) {
    const dot = op.name.indexOf(".");
    parts.set(op, known = [op.name.slice(0, dot), op.name.slice(dot + 1)]);
  }
  return known;
}

function fold(op: Op, args: readonly Expr[]): Expr | undefined {
  if (args[0].kind !== "const" && (args.length === 1 || args[1].kind !== "const")) return undefined;
  const [family, name] = partsOf(op);
  if (family !== "i32" && family !== "i64") return undefined;
  const a = constantOf(args[0]), b = args.length > 1 ? constantOf(args[1]) : undefined;
  if (args.length === 2) {
    if (a !== undefined && b !== undefined) {
      if (family === "i32") return name in folds32 ? i32.const(folds32[name](a as number, b as number)) : undefined;
      if (!(name in folds64)) return undefined;
      const r = folds64[name](a as bigint, b as bigint);
      return typeof r === "boolean" ? i32.const(+r) : i64.const(r);
    }
    if (b !== undefined && op.result === op.operands[0]) {
      if (Number(b) === 0 && ZERO_IS_IDENTITY.has(name)) return args[0];
      if (Number(b) === 0 && name === "and" && isDroppable(args[0])) return args[1];
      if (b === (family === "i32" ? -1 : -1n) && name === "and") return args[0];
    }
    if (a !== undefined && Number(a) === 0 && (name === "add" || name === "or" || name === "xor")) return args[1];
    return undefined;
  }
  if (a === undefined) return undefined;
  switch (op.name) {
    case "i32.eqz":
      return i32.const(+(a === 0));
    case "i64.eqz":
      return i32.const(+(a === 0n));
    case "i32.wrap_i64":
      return i32.const(Number(BigInt.asIntN(32, a as bigint)));
    case "i64.extend_i32_s":
      return i64.const(BigInt(a));
    case "i64.extend_i32_u":
      return i64.const(BigInt((a as number) >>> 0));
    case "i64.extend8_s":
      return i64.const(BigInt.asIntN(8, a as bigint));
    case "i64.extend16_s":
      return i64.const(BigInt.asIntN(16, a as bigint));
    case "i64.extend32_s":
      return i64.const(BigInt.asIntN(32, a as bigint));
  }
  return undefined;
}

/**
 * A plain operator by its text-format name, such as `op("i8x16.add", a, b)`.
 * @throws {TypeError} for an unknown name or operands of other types: a mistake of the caller.
 */
export function op<T extends ValType>(name: string, ...args: readonly Expr[]): Expr<T> {
  const o = OPS.get(name);
  if (!o) throw new TypeError(`Cannot build ${name}: no such operator`);
  const { operands } = o, n = args.length;
  let fits = operands.length === n;
  for (let i = 0; i < n && fits; i++) fits = operands[i] === args[i].type;
  if (!fits) throw new TypeError(`Cannot build ${name}: operands are ${args.map((a) => a.type).join(", ")}`);
  return (fold(o, args) ?? node(o.result, "op", name, args, o.code)) as Expr<T>;
}

/** A 128-bit SIMD operator by name. */
export function v(name: string, ...args: readonly Expr[]): V128 {
  return op<"v128">(name, ...args);
}

/** Where a load or store goes. */
export interface MemoryArgument {
  /** Constant added to the address, bytes. */
  readonly offset?: number;
  /** Memory index; 0 unless told. */
  readonly memory?: number;
}

/**
 * A load by name, such as `load("i64.load8_u", address)`.
 * @throws {TypeError} for an unknown name or an address that is not an i32.
 */
export function load<T extends ValType>(name: string, address: I32, at: MemoryArgument = {}): Expr<T> {
  const l = LOADS[name];
  if (!l) throw new TypeError(`Cannot build ${name}: no such load`);
  if (address.type !== "i32") throw new TypeError(`Cannot build ${name}: address is ${address.type}`);
  return node(l[1], "load", name, [address], at.offset ?? 0, at.memory ?? 0) as Expr<T>;
}

/**
 * The type that a store of this name takes.
 * @throws {TypeError} for an unknown name.
 */
export function storeType(name: string): ValType {
  const s = STORES[name];
  if (!s) throw new TypeError(`Cannot build ${name}: no such store`);
  return s[1];
}

/** The scalar type of a lane access. */
function laneType(name: string, index: number): ValType {
  const l = LANES[name];
  if (!l) throw new TypeError(`Cannot build ${name}: no such lane access`);
  if (!(index >= 0 && index < l[2])) throw new TypeError(`Cannot build ${name}: there is no lane ${index}`);
  return l[1];
}

/**
 * Extracts a lane: `lane("i32x4.extract_lane", value, 2)`.
 * @throws {TypeError} for an unknown name or lane.
 */
export function lane<T extends ValType>(name: string, value: V128, index: number): Expr<T> {
  return node(laneType(name, index), "lane", name, [value], index) as Expr<T>;
}

/**
 * Replaces a lane: `replaceLane("i32x4.replace_lane", value, 2, scalar)`.
 * @throws {TypeError} for an unknown name or lane, or a scalar of another type.
 */
export function replaceLane(name: string, value: V128, index: number, scalar: Expr): V128 {
  if (scalar.type !== laneType(name, index)) throw new TypeError(`Cannot build ${name}: scalar is ${scalar.type}`);
  return node("v128", "lane", name, [value, scalar], index);
}

/**
 * `i8x16.shuffle` with 16 lane numbers 0..31.
 * @throws {TypeError} for another number of lanes.
 */
export function shuffle(a: V128, b: V128, lanes: ArrayLike<number>): V128 {
  if (lanes.length !== 16) throw new TypeError(`Cannot build i8x16.shuffle: ${lanes.length} lanes`);
  return node("v128", "shuffle", "i8x16.shuffle", [a, b], 0, 0, Uint8Array.from(lanes));
}

/**
 * A v128 constant of 16 bytes.
 * @throws {TypeError} for another number of bytes.
 */
export function v128Const(bytes: ArrayLike<number>): V128 {
  if (bytes.length !== 16) throw new TypeError(`Cannot build v128.const: ${bytes.length} bytes`);
  return node("v128", "const", "v128.const", [], 0, 0, Uint8Array.from(bytes));
}

/** `a` if `condition` is not zero, else `b`; both are evaluated. */
export function select<T extends ValType>(condition: I32, a: Expr<T>, b: Expr<T>): Expr<T> {
  if (a.type !== b.type) throw new TypeError(`Cannot select between ${a.type} and ${b.type}`);
  const c = constantOf(condition);
  if (c !== undefined && isDroppable(c !== 0 ? b : a)) return c !== 0 ? a : b;
  return node(a.type, "select", "select", [a, b, condition]);
}

type Compare = "eq" | "ne" | "lt_s" | "lt_u" | "gt_s" | "gt_u" | "le_s" | "le_u" | "ge_s" | "ge_u";
// deno-fmt-ignore
type IntBinary = "add" | "sub" | "mul" | "div_s" | "div_u" | "rem_s" | "rem_u" | "and" | "or" | "xor" | "shl" | "shr_s" | "shr_u" | "rotl" | "rotr";
type IntUnary = "clz" | "ctz" | "popcnt" | "extend8_s" | "extend16_s";
type FloatCompare = "eq" | "ne" | "lt" | "gt" | "le" | "ge";
type FloatBinary = "add" | "sub" | "mul" | "div" | "min" | "max" | "copysign";
type FloatUnary = "abs" | "neg" | "ceil" | "floor" | "trunc" | "nearest" | "sqrt";
type IntLoad = "load" | "load8_s" | "load8_u" | "load16_s" | "load16_u";

type Binary<N extends string, T extends ValType, R extends ValType = T> = {
  readonly [K in N]: (a: Expr<T>, b: Expr<T>) => Expr<R>;
};
type Unary<N extends string, T extends ValType, R extends ValType = T> = {
  readonly [K in N]: (a: Expr<T>) => Expr<R>;
};
type Loads<N extends string, T extends ValType> = {
  readonly [K in N]: (address: I32, at?: MemoryArgument) => Expr<T>;
};

/** The operators on i32. */
export type I32Operators =
  & { readonly const: (value: number) => I32 }
  & Binary<IntBinary, "i32">
  & Binary<Compare, "i32", "i32">
  & Unary<IntUnary | "eqz", "i32">
  & Loads<IntLoad, "i32">
  & { readonly wrap_i64: (a: I64) => I32 };

/** The operators on i64. */
export type I64Operators =
  & { readonly const: (value: number | bigint) => I64 }
  & Binary<IntBinary, "i64">
  & Binary<Compare, "i64", "i32">
  & Unary<IntUnary | "extend32_s", "i64">
  & Unary<"eqz", "i64", "i32">
  & Loads<IntLoad | "load32_s" | "load32_u", "i64">
  & { readonly extend_i32_s: (a: I32) => I64; readonly extend_i32_u: (a: I32) => I64 };

/** The operators on f32 or f64. */
export type FloatOperators<T extends "f32" | "f64"> =
  & { readonly const: (value: number) => Expr<T> }
  & Binary<FloatBinary, T>
  & Binary<FloatCompare, T, "i32">
  & Unary<FloatUnary, T>
  & Loads<"load", T>;

function operators(type: ValType, constant: (value: number | bigint) => Expr): Record<string, unknown> {
  const out: Record<string, unknown> = { const: constant };
  for (const name of OPS.keys()) {
    if (name.startsWith(type + ".")) out[name.slice(4)] = (...args: Expr[]) => op(name, ...args);
  }
  for (const name of Object.keys(LOADS)) {
    if (name.startsWith(type + ".")) out[name.slice(4)] = (a: I32, at?: MemoryArgument) => load(name, a, at);
  }
  return out;
}

/** i32 operators: `i32.add(a, b)`, `i32.const(1)`, `i32.load(address, { offset: 8 })`. */
export const i32: I32Operators = operators(
  "i32",
  (value) => node("i32", "const", "i32.const", [], Number(value) | 0),
) as unknown as I32Operators;

/** i64 operators. */
export const i64: I64Operators = operators(
  "i64",
  (value) => node("i64", "const", "i64.const", [], BigInt.asIntN(64, BigInt(value))),
) as unknown as I64Operators;

/** f32 operators. */
export const f32: FloatOperators<"f32"> = operators(
  "f32",
  (value) => node("f32", "const", "f32.const", [], Number(value)),
) as unknown as FloatOperators<"f32">;

/** f64 operators. */
export const f64: FloatOperators<"f64"> = operators(
  "f64",
  (value) => node("f64", "const", "f64.const", [], Number(value)),
) as unknown as FloatOperators<"f64">;
