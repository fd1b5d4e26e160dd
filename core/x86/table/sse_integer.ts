/**
 * Packed integer arithmetic of MMX and XMM registers: what exists for both is written once, over vectors whose upper half
 * is zero for MMX. Source: SDM volume 2.
 * @module
 */
import { type I32, i32, i64, lane, replaceLane, select, shuffle, v, type V128, v128Const } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { emms, IOTA, join64, k, mmx, read128, read64, sse, write128, writeMmx, ZERO } from "./simd_kit.ts";

/** An operation on vectors, of which the low half counts if `small`. */
type Packed = (a: V128, b: V128, c: Ctx, small: boolean) => V128;

/** An MMX instruction. */
export const small = (f: Packed) => (c: Ctx): void => {
  mmx(c);
  const b = read64(c, c.src), a = read64(c, c.dst);
  writeMmx(c, c.dst, f(a, b, c, true));
};

/** An SSE instruction. */
export const large = (f: Packed) => (c: Ctx): void => {
  sse(c);
  const b = read128(c, c.src), a = c.read128(c.dst);
  write128(c, c.dst, f(a, b, c, false));
};

/** The two rows of an operation that MMX and XMM registers have under the same opcode. */
export function both(mnemonic: string, opcode: string, f: Packed, features: readonly [string, string]): Row[] {
  return [
    insn(mnemonic, `NP 0F ${opcode} /r Pq,Qq`, { cpuid: features[0] }, small(f)),
    insn(mnemonic, `66 0F ${opcode} /r Vx,Wx`, { cpuid: features[1] }, large(f)),
  ];
}

/** An operation of WebAssembly by name. */
export const lanes = (name: string): Packed => (a, b) => v(name, a, b);
/** The same value in all words. */
const words = (n: number): V128 => v128Const(Array.from({ length: 16 }, (_, i) => n >> (i & 1) * 8 & 0xff));

// Packing and unpacking.

const pack = (name: string): Packed => (a, b, c, small) => {
  if (!small) return v(name, a, b);
  const both = c.f.let(join64(a, b));
  return v(name, both, both);
};

/** Lane numbers that interleave two vectors by elements of `size` bytes, beginning with byte `from`. */
function interleaved(size: number, from: number): number[] {
  return Array.from({ length: 16 }, (_, i) => {
    const element = i / size | 0, source = (element & 1) * 16;
    return source + from + (element >> 1) * size + i % size;
  });
}

const unpackLow = (size: number): Packed => (a, b) => shuffle(a, b, interleaved(size, 0));
const unpackHigh = (size: number): Packed => (a, b, _, small) => {
  return small ? shuffle(a, b, interleaved(size, 4).map((n) => n & 31)) : shuffle(a, b, interleaved(size, 8));
};

/** PUNPCKL of MMX registers reads 32 bits of memory. */
const unpackSmall = (size: number) => (c: Ctx): void => {
  mmx(c);
  const { src, dst } = c;
  const b = src.isMemory ? c.f.let(src.access(4, "read").load<V128>("v128.load32_zero")) : read64(c, src);
  writeMmx(c, dst, shuffle(read64(c, dst), b, interleaved(size, 0)));
};

// Shifts by a count, 64 bits wide in a register.

/** A shift of lanes of `width` bits; a count beyond them gives zero, or the sign. */
const shift = (shape: string, width: number, how: "shl" | "shr_u" | "shr_s"): Packed => (a, count, c) => {
  const n = c.f.let(lane<"i64">("i64x2.extract_lane", count, 0));
  const far = i64.gt_u(n, i64.const(width - 1)), near = i32.wrap_i64(n);
  if (how === "shr_s") return v(`${shape}.shr_s`, a, select(far, k(width - 1), near));
  return select(far, ZERO, v(`${shape}.${how}`, a, near));
};

/** The shift with an immediate count, of the register in ModRM.rm. */
const shiftBy = (f: Packed) => (c: Ctx): void => {
  const isSmall = c.form.operands[0].code === "N", count = v("i64x2.splat", c.imm());
  if (isSmall) {
    mmx(c);
    writeMmx(c, c.dst, f(read64(c, c.dst), count, c, true));
  } else {
    sse(c);
    write128(c, c.dst, f(c.read128(c.dst), count, c, false));
  }
};

/** PSLLDQ, PSRLDQ: by bytes. */
const shiftBytes = (left: boolean) => (c: Ctx): void => {
  sse(c);
  const n = v("i8x16.min_u", v("i8x16.splat", i32.wrap_i64(c.imm())), v("i8x16.splat", k(16)));
  write128(c, c.dst, v("i8x16.swizzle", c.read128(c.dst), v(left ? "i8x16.sub" : "i8x16.add", IOTA, n)));
};

/** PALIGNR: 32 bytes, of which the destination is the upper half, shifted right. */
const align: Packed = (a, b, c, small) => {
  const n = v("i8x16.min_u", v("i8x16.splat", i32.wrap_i64(c.imm())), v("i8x16.splat", k(32)));
  const at = c.f.let(v("i8x16.add", IOTA, n));
  if (small) return v("i8x16.swizzle", join64(b, a), at);
  const upper = v("i8x16.swizzle", a, v("i8x16.sub", at, v("i8x16.splat", k(16))));
  return v("v128.or", v("i8x16.swizzle", b, at), upper);
};

// Products.

const HIGH_WORDS = Array.from({ length: 16 }, (_, i) => (i >> 1) * 4 + 2 + (i & 1));
const highWords = (sign: "s" | "u"): Packed => (a, b) => {
  const [x, y] = ["low", "high"].map((h) => v(`i32x4.extmul_${h}_i16x8_${sign}`, a, b));
  return shuffle(x, y, HIGH_WORDS);
};

/** PMULHRSW: WebAssembly's saturates the one product that does not fit. */
const roundedProduct: Packed = (a, b) => {
  const least = words(0x8000);
  const both = v("v128.and", v("i16x8.eq", a, least), v("i16x8.eq", b, least));
  return v("v128.xor", v("i16x8.q15mulr_sat_s", a, b), both);
};

/** PMADDUBSW: unsigned bytes of the first operand by signed ones of the second. */
const mixedProducts: Packed = (a, b) => {
  const eight = k(8);
  const even = v("i16x8.mul", v("v128.and", a, words(0xff)), v("i16x8.shr_s", v("i16x8.shl", b, eight), eight));
  return v("i16x8.add_sat_s", even, v("i16x8.mul", v("i16x8.shr_u", a, eight), v("i16x8.shr_s", b, eight)));
};

/** The even doublewords of a vector, in its low half. */
const evens = (a: V128): V128 => shuffle(a, a, [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
/** PMULUDQ, PMULDQ. */
export const product64 = (sign: "s" | "u"): Packed => (a, b) => v(`i64x2.extmul_low_i32x4_${sign}`, evens(a), evens(b));

/** PSADBW. */
const differences: Packed = (a, b, c) => {
  const d = v("v128.or", v("i8x16.sub_sat_u", a, b), v("i8x16.sub_sat_u", b, a));
  const sums = c.f.let(v("i32x4.extadd_pairwise_i16x8_u", v("i16x8.extadd_pairwise_i8x16_u", d)));
  const total = v("i64x2.add", sums, v("i64x2.shr_u", sums, k(32)));
  return v("v128.and", total, v("i64x2.splat", i64.const(0xffff)));
};

// Sums of neighbours, signs.

/** The even or odd elements of both operands. */
function every(size: number, odd: 0 | 1, a: V128, b: V128, small: boolean): V128 {
  const bytes = small ? 8 : 16, half = bytes / 2;
  return shuffle(
    a,
    b,
    Array.from({ length: 16 }, (_, i) => {
      const at = i % bytes, second = at >= half;
      return (second ? 16 : 0) + ((at % half) / size | 0) * 2 * size + odd * size + at % size;
    }),
  );
}

/** An operation on neighbours: the first operand's results below those of the second. */
const neighbours = (name: string, size: number): Packed => (a, b, _, small) =>
  v(name, every(size, 0, a, b, small), every(size, 1, a, b, small));

/** PSIGN. */
const sign = (shape: string, width: number): Packed => (a, b, c) => {
  const negative = c.f.let(v(`${shape}.shr_s`, b, k(width - 1)));
  const r = v(`${shape}.sub`, v("v128.xor", a, negative), negative);
  return v("v128.andnot", r, v(`${shape}.eq`, b, ZERO));
};

const absolute = (shape: string): Packed => (_, b) => v(`${shape}.abs`, b);

// Shuffles.

/** PSHUFB. */
const shuffleBytes: Packed = (a, b, _, small) =>
  v("i8x16.swizzle", a, v("v128.and", b, v("i8x16.splat", k(small ? 0x87 : 0x8f))));

/** Two bits of the immediate for each of four elements of `size` bytes, as byte numbers. */
function fourths(c: Ctx, size: 2 | 4): V128 {
  const imm = c.f.let(i32.wrap_i64(c.imm()));
  const unit = size === 4 ? 0x0404_0404 : 0x0202, start = size === 4 ? 0x0302_0100 : 0x0100;
  const part = (n: number): I32 => i32.add(i32.mul(i32.and(i32.shr_u(imm, k(2 * n)), k(3)), k(unit)), k(start));
  const shape = size === 4 ? "i32x4" : "i16x8";
  let r = v(`${shape}.splat`, part(0));
  for (let n = 1; n < 4; n++) r = c.f.let(replaceLane(`${shape}.replace_lane`, r, n, part(n)));
  return r;
}

const pshufd: Packed = (_, b, c) => v("i8x16.swizzle", b, fourths(c, 4));
const pshufw: Packed = (_, b, c) => v("i8x16.swizzle", b, fourths(c, 2));
const pshuflw: Packed = (_, b, c) => v("i8x16.swizzle", b, shuffle(fourths(c, 2), IOTA, halves(0, 24)));
const pshufhw: Packed = (_, b, c) => {
  const upper = v("i8x16.add", fourths(c, 2), v("i8x16.splat", k(8)));
  return v("i8x16.swizzle", b, shuffle(IOTA, upper, halves(0, 16)));
};

/** Eight lane numbers from `low` on, then eight from `high` on. */
function halves(low: number, high: number): number[] {
  return Array.from({ length: 16 }, (_, i) => i < 8 ? low + i : high + i - 8);
}

const MMX = ["mmx", "sse2"] as const, LATER = ["sse", "sse2"] as const, SSSE3 = ["ssse3", "ssse3"] as const;
const SSE2 = { cpuid: "sse2" } as const;

/** Shifts by immediate: opcode, reg field, operation. */
function shiftRows(mnemonic: string, code: string, f: Packed): Row[] {
  return [
    insn(mnemonic, `NP 0F ${code} Nq,Ib`, { cpuid: "mmx" }, shiftBy(f)),
    insn(mnemonic, `66 0F ${code} Ux,Ib`, { cpuid: "sse2" }, shiftBy(f)),
  ];
}

/** Packed integers. */
// deno-fmt-ignore
export const SSE_INTEGER: readonly Row[] = [
  insn("PUNPCKLBW", "NP 0F 60 /r Pq,Qd", { cpuid: "mmx" }, unpackSmall(1)),
  insn("PUNPCKLBW", "66 0F 60 /r Vx,Wx", SSE2, large(unpackLow(1))),
  insn("PUNPCKLWD", "NP 0F 61 /r Pq,Qd", { cpuid: "mmx" }, unpackSmall(2)),
  insn("PUNPCKLWD", "66 0F 61 /r Vx,Wx", SSE2, large(unpackLow(2))),
  insn("PUNPCKLDQ", "NP 0F 62 /r Pq,Qd", { cpuid: "mmx" }, unpackSmall(4)),
  insn("PUNPCKLDQ", "66 0F 62 /r Vx,Wx", SSE2, large(unpackLow(4))),
  ...both("PACKSSWB", "63", pack("i8x16.narrow_i16x8_s"), MMX),
  ...both("PCMPGTB", "64", lanes("i8x16.gt_s"), MMX),
  ...both("PCMPGTW", "65", lanes("i16x8.gt_s"), MMX),
  ...both("PCMPGTD", "66", lanes("i32x4.gt_s"), MMX),
  ...both("PACKUSWB", "67", pack("i8x16.narrow_i16x8_u"), MMX),
  ...both("PUNPCKHBW", "68", unpackHigh(1), MMX),
  ...both("PUNPCKHWD", "69", unpackHigh(2), MMX),
  ...both("PUNPCKHDQ", "6A", unpackHigh(4), MMX),
  ...both("PACKSSDW", "6B", pack("i16x8.narrow_i32x4_s"), MMX),
  insn("PUNPCKLQDQ", "66 0F 6C /r Vx,Wx", SSE2, large(unpackLow(8))),
  insn("PUNPCKHQDQ", "66 0F 6D /r Vx,Wx", SSE2, large(unpackHigh(8))),
  insn("PSHUFW", "NP 0F 70 /r Pq,Qq,Ib", { cpuid: "sse" }, small(pshufw)),
  insn("PSHUFD", "66 0F 70 /r Vx,Wx,Ib", SSE2, large(pshufd)),
  insn("PSHUFHW", "F3 0F 70 /r Vx,Wx,Ib", SSE2, large(pshufhw)),
  insn("PSHUFLW", "F2 0F 70 /r Vx,Wx,Ib", SSE2, large(pshuflw)),
  ...shiftRows("PSRLW", "71 /2", shift("i16x8", 16, "shr_u")),
  ...shiftRows("PSRAW", "71 /4", shift("i16x8", 16, "shr_s")),
  ...shiftRows("PSLLW", "71 /6", shift("i16x8", 16, "shl")),
  ...shiftRows("PSRLD", "72 /2", shift("i32x4", 32, "shr_u")),
  ...shiftRows("PSRAD", "72 /4", shift("i32x4", 32, "shr_s")),
  ...shiftRows("PSLLD", "72 /6", shift("i32x4", 32, "shl")),
  ...shiftRows("PSRLQ", "73 /2", shift("i64x2", 64, "shr_u")),
  insn("PSRLDQ", "66 0F 73 /3 Ux,Ib", SSE2, shiftBytes(false)),
  ...shiftRows("PSLLQ", "73 /6", shift("i64x2", 64, "shl")),
  insn("PSLLDQ", "66 0F 73 /7 Ux,Ib", SSE2, shiftBytes(true)),
  ...both("PCMPEQB", "74", lanes("i8x16.eq"), MMX),
  ...both("PCMPEQW", "75", lanes("i16x8.eq"), MMX),
  ...both("PCMPEQD", "76", lanes("i32x4.eq"), MMX),
  insn("EMMS", "NP 0F 77", { cpuid: "mmx" }, emms),
  ...both("PSRLW", "D1", shift("i16x8", 16, "shr_u"), MMX),
  ...both("PSRLD", "D2", shift("i32x4", 32, "shr_u"), MMX),
  ...both("PSRLQ", "D3", shift("i64x2", 64, "shr_u"), MMX),
  ...both("PADDQ", "D4", lanes("i64x2.add"), ["sse2", "sse2"]),
  ...both("PMULLW", "D5", lanes("i16x8.mul"), MMX),
  ...both("PSUBUSB", "D8", lanes("i8x16.sub_sat_u"), MMX),
  ...both("PSUBUSW", "D9", lanes("i16x8.sub_sat_u"), MMX),
  ...both("PMINUB", "DA", lanes("i8x16.min_u"), LATER),
  ...both("PAND", "DB", lanes("v128.and"), MMX),
  ...both("PADDUSB", "DC", lanes("i8x16.add_sat_u"), MMX),
  ...both("PADDUSW", "DD", lanes("i16x8.add_sat_u"), MMX),
  ...both("PMAXUB", "DE", lanes("i8x16.max_u"), LATER),
  ...both("PANDN", "DF", (a, b) => v("v128.andnot", b, a), MMX),
  ...both("PAVGB", "E0", lanes("i8x16.avgr_u"), LATER),
  ...both("PSRAW", "E1", shift("i16x8", 16, "shr_s"), MMX),
  ...both("PSRAD", "E2", shift("i32x4", 32, "shr_s"), MMX),
  ...both("PAVGW", "E3", lanes("i16x8.avgr_u"), LATER),
  ...both("PMULHUW", "E4", highWords("u"), LATER),
  ...both("PMULHW", "E5", highWords("s"), MMX),
  ...both("PSUBSB", "E8", lanes("i8x16.sub_sat_s"), MMX),
  ...both("PSUBSW", "E9", lanes("i16x8.sub_sat_s"), MMX),
  ...both("PMINSW", "EA", lanes("i16x8.min_s"), LATER),
  ...both("POR", "EB", lanes("v128.or"), MMX),
  ...both("PADDSB", "EC", lanes("i8x16.add_sat_s"), MMX),
  ...both("PADDSW", "ED", lanes("i16x8.add_sat_s"), MMX),
  ...both("PMAXSW", "EE", lanes("i16x8.max_s"), LATER),
  ...both("PXOR", "EF", lanes("v128.xor"), MMX),
  ...both("PSLLW", "F1", shift("i16x8", 16, "shl"), MMX),
  ...both("PSLLD", "F2", shift("i32x4", 32, "shl"), MMX),
  ...both("PSLLQ", "F3", shift("i64x2", 64, "shl"), MMX),
  ...both("PMULUDQ", "F4", product64("u"), ["sse2", "sse2"]),
  ...both("PMADDWD", "F5", lanes("i32x4.dot_i16x8_s"), MMX),
  ...both("PSADBW", "F6", differences, LATER),
  ...both("PSUBB", "F8", lanes("i8x16.sub"), MMX),
  ...both("PSUBW", "F9", lanes("i16x8.sub"), MMX),
  ...both("PSUBD", "FA", lanes("i32x4.sub"), MMX),
  ...both("PSUBQ", "FB", lanes("i64x2.sub"), ["sse2", "sse2"]),
  ...both("PADDB", "FC", lanes("i8x16.add"), MMX),
  ...both("PADDW", "FD", lanes("i16x8.add"), MMX),
  ...both("PADDD", "FE", lanes("i32x4.add"), MMX),
  ...both("PSHUFB", "38 00", shuffleBytes, SSSE3),
  ...both("PHADDW", "38 01", neighbours("i16x8.add", 2), SSSE3),
  ...both("PHADDD", "38 02", neighbours("i32x4.add", 4), SSSE3),
  ...both("PHADDSW", "38 03", neighbours("i16x8.add_sat_s", 2), SSSE3),
  ...both("PMADDUBSW", "38 04", mixedProducts, SSSE3),
  ...both("PHSUBW", "38 05", neighbours("i16x8.sub", 2), SSSE3),
  ...both("PHSUBD", "38 06", neighbours("i32x4.sub", 4), SSSE3),
  ...both("PHSUBSW", "38 07", neighbours("i16x8.sub_sat_s", 2), SSSE3),
  ...both("PSIGNB", "38 08", sign("i8x16", 8), SSSE3),
  ...both("PSIGNW", "38 09", sign("i16x8", 16), SSSE3),
  ...both("PSIGND", "38 0A", sign("i32x4", 32), SSSE3),
  ...both("PMULHRSW", "38 0B", roundedProduct, SSSE3),
  ...both("PABSB", "38 1C", absolute("i8x16"), SSSE3),
  ...both("PABSW", "38 1D", absolute("i16x8"), SSSE3),
  ...both("PABSD", "38 1E", absolute("i32x4"), SSSE3),
  insn("PALIGNR", "NP 0F 3A 0F /r Pq,Qq,Ib", { cpuid: "ssse3" }, small(align)),
  insn("PALIGNR", "66 0F 3A 0F /r Vx,Wx,Ib", { cpuid: "ssse3" }, large(align)),
];
