/**
 * The WebAssembly operators that the assembler knows, by name, operand types, result type and opcode. An opcode above
 * 0xFF is a prefixed one: prefix in the high bits, sub-opcode in the low 12 (0xFC: saturating and bulk, 0xFD: SIMD).
 * Source: WebAssembly core specification 3.0, binary format.
 * @module
 */

/** A WebAssembly value type. */
export type ValType = "i32" | "i64" | "f32" | "f64" | "v128";

/** One operator: what it pops, what it pushes, how it is written. */
export interface Op {
  /** Name in the text format. */
  readonly name: string;
  /** Operand types, in order. */
  readonly operands: readonly ValType[];
  /** Result type. */
  readonly result: ValType;
  /** Opcode. */
  readonly code: number;
}

const INTEGER_COMPARE = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"] as const;
const FLOAT_COMPARE = ["eq", "ne", "lt", "gt", "le", "ge"] as const;
const INTEGER_UNARY = ["clz", "ctz", "popcnt"] as const;
// deno-fmt-ignore
const INTEGER_BINARY = ["add", "sub", "mul", "div_s", "div_u", "rem_s", "rem_u", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"] as const;
const FLOAT_UNARY = ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"] as const;
const FLOAT_BINARY = ["add", "sub", "mul", "div", "min", "max", "copysign"] as const;

const table = new Map<string, Op>();

function define(name: string, operands: readonly ValType[], result: ValType, code: number): void {
  table.set(name, { name, operands, result, code });
}

function series(prefix: string, names: readonly string[], operands: ValType[], result: ValType, first: number): void {
  names.forEach((n, i) => define(`${prefix}.${n}`, operands, result, first + i));
}

define("i32.eqz", ["i32"], "i32", 0x45);
series("i32", INTEGER_COMPARE, ["i32", "i32"], "i32", 0x46);
define("i64.eqz", ["i64"], "i32", 0x50);
series("i64", INTEGER_COMPARE, ["i64", "i64"], "i32", 0x51);
series("f32", FLOAT_COMPARE, ["f32", "f32"], "i32", 0x5b);
series("f64", FLOAT_COMPARE, ["f64", "f64"], "i32", 0x61);
series("i32", INTEGER_UNARY, ["i32"], "i32", 0x67);
series("i32", INTEGER_BINARY, ["i32", "i32"], "i32", 0x6a);
series("i64", INTEGER_UNARY, ["i64"], "i64", 0x79);
series("i64", INTEGER_BINARY, ["i64", "i64"], "i64", 0x7c);
series("f32", FLOAT_UNARY, ["f32"], "f32", 0x8b);
series("f32", FLOAT_BINARY, ["f32", "f32"], "f32", 0x92);
series("f64", FLOAT_UNARY, ["f64"], "f64", 0x99);
series("f64", FLOAT_BINARY, ["f64", "f64"], "f64", 0xa0);
define("i32.wrap_i64", ["i64"], "i32", 0xa7);
define("i64.extend_i32_s", ["i32"], "i64", 0xac);
define("i64.extend_i32_u", ["i32"], "i64", 0xad);
// deno-fmt-ignore
{
  define("f32.convert_i32_s", ["i32"], "f32", 0xb2); define("f32.convert_i32_u", ["i32"], "f32", 0xb3);
  define("f32.convert_i64_s", ["i64"], "f32", 0xb4); define("f32.convert_i64_u", ["i64"], "f32", 0xb5);
  define("f32.demote_f64", ["f64"], "f32", 0xb6);
  define("f64.convert_i32_s", ["i32"], "f64", 0xb7); define("f64.convert_i32_u", ["i32"], "f64", 0xb8);
  define("f64.convert_i64_s", ["i64"], "f64", 0xb9); define("f64.convert_i64_u", ["i64"], "f64", 0xba);
  define("f64.promote_f32", ["f32"], "f64", 0xbb);
  define("i32.reinterpret_f32", ["f32"], "i32", 0xbc); define("i64.reinterpret_f64", ["f64"], "i64", 0xbd);
  define("f32.reinterpret_i32", ["i32"], "f32", 0xbe); define("f64.reinterpret_i64", ["i64"], "f64", 0xbf);
  define("i32.extend8_s", ["i32"], "i32", 0xc0); define("i32.extend16_s", ["i32"], "i32", 0xc1);
  define("i64.extend8_s", ["i64"], "i64", 0xc2); define("i64.extend16_s", ["i64"], "i64", 0xc3);
  define("i64.extend32_s", ["i64"], "i64", 0xc4);
  define("i32.trunc_sat_f32_s", ["f32"], "i32", 0xfc000); define("i32.trunc_sat_f32_u", ["f32"], "i32", 0xfc001);
  define("i32.trunc_sat_f64_s", ["f64"], "i32", 0xfc002); define("i32.trunc_sat_f64_u", ["f64"], "i32", 0xfc003);
  define("i64.trunc_sat_f32_s", ["f32"], "i64", 0xfc004); define("i64.trunc_sat_f32_u", ["f32"], "i64", 0xfc005);
  define("i64.trunc_sat_f64_s", ["f64"], "i64", 0xfc006); define("i64.trunc_sat_f64_u", ["f64"], "i64", 0xfc007);
}

const V = "v128" as const;
const simd = (code: number): number => 0xfd000 + code;
define("i8x16.swizzle", [V, V], V, simd(14));
(["i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"] as const).forEach((shape, i) =>
  define(`${shape}.splat`, [(["i32", "i32", "i32", "i64", "f32", "f64"] as const)[i]], V, simd(15 + i))
);
series("i8x16", INTEGER_COMPARE, [V, V], V, simd(35));
series("i16x8", INTEGER_COMPARE, [V, V], V, simd(45));
series("i32x4", INTEGER_COMPARE, [V, V], V, simd(55));
series("i64x2", ["eq", "ne", "lt_s", "gt_s", "le_s", "ge_s"], [V, V], V, simd(214));
series("f32x4", FLOAT_COMPARE, [V, V], V, simd(65));
series("f64x2", FLOAT_COMPARE, [V, V], V, simd(71));
define("v128.not", [V], V, simd(77));
series("v128", ["and", "andnot", "or", "xor"], [V, V], V, simd(78));
define("v128.bitselect", [V, V, V], V, simd(82));
define("v128.any_true", [V], "i32", simd(83));
define("f32x4.demote_f64x2_zero", [V], V, simd(94));
define("f64x2.promote_low_f32x4", [V], V, simd(95));

function integerShape(shape: string, base: number, unary: readonly (string | null)[]): void {
  unary.forEach((n, i) => n && define(`${shape}.${n}`, [V], n === "all_true" || n === "bitmask" ? "i32" : V, base + i));
}
integerShape("i8x16", simd(96), ["abs", "neg", "popcnt", "all_true", "bitmask"]);
series("i8x16", ["narrow_i16x8_s", "narrow_i16x8_u"], [V, V], V, simd(101));
series("i8x16", ["shl", "shr_s", "shr_u"], [V, "i32"], V, simd(107));
// deno-fmt-ignore
for (
  const [name, code] of [
    ["add", 110], ["add_sat_s", 111], ["add_sat_u", 112], ["sub", 113], ["sub_sat_s", 114], ["sub_sat_u", 115],
    ["min_s", 118], ["min_u", 119], ["max_s", 120], ["max_u", 121], ["avgr_u", 123],
  ] as const
) define(`i8x16.${name}`, [V, V], V, simd(code));
series("i16x8", ["extadd_pairwise_i8x16_s", "extadd_pairwise_i8x16_u"], [V], V, simd(124));
series("i32x4", ["extadd_pairwise_i16x8_s", "extadd_pairwise_i16x8_u"], [V], V, simd(126));
integerShape("i16x8", simd(128), ["abs", "neg"]);
define("i16x8.q15mulr_sat_s", [V, V], V, simd(130));
integerShape("i16x8", simd(131), ["all_true", "bitmask"]);
series("i16x8", ["narrow_i32x4_s", "narrow_i32x4_u"], [V, V], V, simd(133));
for (
  const [shape, from, base] of [["i16x8", "i8x16", 135], ["i32x4", "i16x8", 167], ["i64x2", "i32x4", 199]] as const
) {
  series(shape, ["low", "high"].map((h) => `extend_${h}_${from}_s`), [V], V, simd(base));
  series(shape, ["low", "high"].map((h) => `extend_${h}_${from}_u`), [V], V, simd(base + 2));
  series(shape, ["shl", "shr_s", "shr_u"], [V, "i32"], V, simd(base + 4));
}
// deno-fmt-ignore
for (
  const [name, code] of [
    ["add", 142], ["add_sat_s", 143], ["add_sat_u", 144], ["sub", 145], ["sub_sat_s", 146], ["sub_sat_u", 147],
    ["mul", 149], ["min_s", 150], ["min_u", 151], ["max_s", 152], ["max_u", 153], ["avgr_u", 155],
    ["extmul_low_i8x16_s", 156], ["extmul_high_i8x16_s", 157], ["extmul_low_i8x16_u", 158], ["extmul_high_i8x16_u", 159],
  ] as const
) define(`i16x8.${name}`, [V, V], V, simd(code));
integerShape("i32x4", simd(160), ["abs", "neg", null, "all_true", "bitmask"]);
// deno-fmt-ignore
for (
  const [name, code] of [
    ["add", 174], ["sub", 177], ["mul", 181], ["min_s", 182], ["min_u", 183], ["max_s", 184], ["max_u", 185],
    ["dot_i16x8_s", 186], ["extmul_low_i16x8_s", 188], ["extmul_high_i16x8_s", 189], ["extmul_low_i16x8_u", 190],
    ["extmul_high_i16x8_u", 191],
  ] as const
) define(`i32x4.${name}`, [V, V], V, simd(code));
integerShape("i64x2", simd(192), ["abs", "neg", null, "all_true", "bitmask"]);
// deno-fmt-ignore
for (
  const [name, code] of [
    ["add", 206], ["sub", 209], ["mul", 213], ["extmul_low_i32x4_s", 220], ["extmul_high_i32x4_s", 221],
    ["extmul_low_i32x4_u", 222], ["extmul_high_i32x4_u", 223],
  ] as const
) define(`i64x2.${name}`, [V, V], V, simd(code));
series("f32x4", ["ceil", "floor", "trunc", "nearest"], [V], V, simd(103));
define("f64x2.ceil", [V], V, simd(116));
define("f64x2.floor", [V], V, simd(117));
define("f64x2.trunc", [V], V, simd(122));
define("f64x2.nearest", [V], V, simd(148));
for (const [shape, base] of [["f32x4", 224], ["f64x2", 236]] as const) {
  series(shape, ["abs", "neg"], [V], V, simd(base));
  define(`${shape}.sqrt`, [V], V, simd(base + 3));
  series(shape, ["add", "sub", "mul", "div", "min", "max", "pmin", "pmax"], [V, V], V, simd(base + 4));
}
series("i32x4", ["trunc_sat_f32x4_s", "trunc_sat_f32x4_u"], [V], V, simd(248));
series("f32x4", ["convert_i32x4_s", "convert_i32x4_u"], [V], V, simd(250));
series("i32x4", ["trunc_sat_f64x2_s_zero", "trunc_sat_f64x2_u_zero"], [V], V, simd(252));
series("f64x2", ["convert_low_i32x4_s", "convert_low_i32x4_u"], [V], V, simd(254));

/** All plain operators by text-format name. */
export const OPS: ReadonlyMap<string, Op> = table;

/** Loads: name → opcode, result type, log2 of the natural alignment. */
export const LOADS: Readonly<Record<string, readonly [code: number, type: ValType, align: number]>> = {
  "i32.load": [0x28, "i32", 2],
  "i64.load": [0x29, "i64", 3],
  "f32.load": [0x2a, "f32", 2],
  "f64.load": [0x2b, "f64", 3],
  "i32.load8_s": [0x2c, "i32", 0],
  "i32.load8_u": [0x2d, "i32", 0],
  "i32.load16_s": [0x2e, "i32", 1],
  "i32.load16_u": [0x2f, "i32", 1],
  "i64.load8_s": [0x30, "i64", 0],
  "i64.load8_u": [0x31, "i64", 0],
  "i64.load16_s": [0x32, "i64", 1],
  "i64.load16_u": [0x33, "i64", 1],
  "i64.load32_s": [0x34, "i64", 2],
  "i64.load32_u": [0x35, "i64", 2],
  "v128.load": [0xfd000, "v128", 4],
  "v128.load32_zero": [0xfd05c, "v128", 2],
  "v128.load64_zero": [0xfd05d, "v128", 3],
};

/** Stores: name → opcode, operand type, log2 of the natural alignment. */
export const STORES: Readonly<Record<string, readonly [code: number, type: ValType, align: number]>> = {
  "i32.store": [0x36, "i32", 2],
  "i64.store": [0x37, "i64", 3],
  "f32.store": [0x38, "f32", 2],
  "f64.store": [0x39, "f64", 3],
  "i32.store8": [0x3a, "i32", 0],
  "i32.store16": [0x3b, "i32", 1],
  "i64.store8": [0x3c, "i64", 0],
  "i64.store16": [0x3d, "i64", 1],
  "i64.store32": [0x3e, "i64", 2],
  "v128.store": [0xfd00b, "v128", 4],
};

/** Lane access: name → opcode, scalar type, number of lanes. */
export const LANES: Readonly<Record<string, readonly [code: number, scalar: ValType, lanes: number]>> = {
  "i8x16.extract_lane_s": [0xfd015, "i32", 16],
  "i8x16.extract_lane_u": [0xfd016, "i32", 16],
  "i8x16.replace_lane": [0xfd017, "i32", 16],
  "i16x8.extract_lane_s": [0xfd018, "i32", 8],
  "i16x8.extract_lane_u": [0xfd019, "i32", 8],
  "i16x8.replace_lane": [0xfd01a, "i32", 8],
  "i32x4.extract_lane": [0xfd01b, "i32", 4],
  "i32x4.replace_lane": [0xfd01c, "i32", 4],
  "i64x2.extract_lane": [0xfd01d, "i64", 2],
  "i64x2.replace_lane": [0xfd01e, "i64", 2],
  "f32x4.extract_lane": [0xfd01f, "f32", 4],
  "f32x4.replace_lane": [0xfd020, "f32", 4],
  "f64x2.extract_lane": [0xfd021, "f64", 2],
  "f64x2.replace_lane": [0xfd022, "f64", 2],
};
