/**
 * SSE4.1 but for its moves (sse_move.ts), and PCMPGTQ of SSE4.2. Source: SDM volume 2.
 * @module
 */
import { type Expr, type I32, i32, lane, op, shuffle, v, type V128, v128Const } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { wordsOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import {
  bitsOf,
  formatOf,
  immediate,
  IOTA,
  isInexact,
  k,
  laneOf,
  mxcsr,
  read128,
  readScalar,
  slowly,
  soft,
  sse,
  valueOf,
  vectorOf,
  write128,
  writeScalar,
} from "./simd_kit.ts";
import { isPlain, plainLanes, vectorArithmetic } from "./sse_float.ts";
import { lanes, large, product64 } from "./sse_integer.ts";

const splat = (n: I32): V128 => v("i8x16.splat", n);

// Blending.

/** Lanes of the second operand where the mask has ones. */
const blend = (mask: (c: Ctx) => V128) => (c: Ctx): void => {
  sse(c);
  const b = read128(c, c.src), a = c.read128(c.dst);
  write128(c, c.dst, v("v128.bitselect", b, a, mask(c)));
};

/** A mask of ones in the lanes of `size` bytes whose bit in the immediate is set. */
const immediateMask = (size: number) => (c: Ctx): V128 => maskOf(size, immediate(c));

function maskOf(size: number, n: I32): V128 {
  const bits = v128Const(Array.from({ length: 16 }, (_, i) => 1 << (i / size | 0) & 0xff));
  return v("i8x16.eq", v("v128.and", splat(n), bits), bits);
}

/** Ones in the lanes of XMM0 that are negative. */
const signMask = (shape: string, width: number) => (c: Ctx): V128 =>
  v(`${shape}.shr_s`, c.read128(c.src2), k(width - 1));

// Sums.

/**
 * DPPS and DPPD: products of the lanes that the upper immediate bits name, their sum to those that the lower ones name. All
 * lanes add up in an order of their own, which tells where several are NaNs.
 */
function dotProduct(c: Ctx): void {
  sse(c);
  const { f } = c, { format: t } = formatOf(c), size = 16 / t.lanes;
  const b = read128(c, c.src), a = c.read128(c.dst);
  const named = f.let(maskOf(size, i32.shr_u(immediate(c), k(4))));
  const products = vectorArithmetic(c, t, "mul", f.let(v("v128.and", a, named)), f.let(v("v128.and", b, named)));
  const swapped = (x: V128, by: number) => f.let(shuffle(x, x, Array.from({ length: 16 }, (_, i) => i ^ by)));
  let sum = f.let(products);
  for (let by = size; by < 16; by *= 2) {
    // The neighbour counts as the first operand in the first step of DPPS.
    const other = swapped(sum, by);
    sum = f.let(by === 4 ? vectorArithmetic(c, t, "add", other, sum) : vectorArithmetic(c, t, "add", sum, other));
  }
  write128(c, c.dst, v("v128.and", sum, immediateMask(size)(c)));
}

/** MPSADBW: eight sums of four absolute differences. */
function sumsOfDifferences(c: Ctx): void {
  sse(c);
  const { f } = c, b = read128(c, c.src), a = c.read128(c.dst), imm = f.let(immediate(c));
  const from = f.let(v("i8x16.add", IOTA, splat(i32.and(imm, k(4)))));
  const block = f.let(i32.shl(i32.and(imm, k(3)), k(2)));
  const parts = [0, 1, 2, 3].map((n) => {
    const run = v("i8x16.swizzle", a, v("i8x16.add", from, splat(k(n))));
    const byte = v("i8x16.swizzle", b, splat(i32.add(block, k(n))));
    const [x, y] = [run, byte].map((part) => v("i16x8.extend_low_i8x16_u", part));
    return v("i16x8.abs", v("i16x8.sub", x, y));
  });
  write128(c, c.dst, parts.reduce((x, y) => v("i16x8.add", x, y)));
}

/** PHMINPOSUW: the least word and its place; the first of equal ones. */
function least(c: Ctx): void {
  sse(c);
  const { f } = c, a = read128(c, c.src);
  const numbered = (half: "low" | "high", first: number): V128 => {
    const places = v128Const(Array.from({ length: 16 }, (_, i) => i & 3 ? 0 : first + (i >> 2)));
    return v("v128.or", v("i32x4.shl", v(`i32x4.extend_${half}_i16x8_u`, a), k(16)), places);
  };
  let m = f.let(v("i32x4.min_u", numbered("low", 0), numbered("high", 4)));
  m = f.let(v("i32x4.min_u", m, shuffle(m, m, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7])));
  m = f.let(v("i32x4.min_u", m, shuffle(m, m, [4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3])));
  const r = i32.rotl(lane<"i32">("i32x4.extract_lane", m, 0), k(16));
  write128(c, c.dst, vectorOf(c, [r, k(0), k(0), k(0)]));
}

/** PMOVSX and PMOVZX: the low part of the source is widened, in steps. */
const widen = (...names: readonly string[]) => (c: Ctx): void => {
  sse(c);
  const { src } = c, bytes = c.form.operands[1].size === "q" ? 8 : c.form.operands[1].size === "d" ? 4 : 2;
  let a: V128;
  if (!src.isMemory) a = c.read128(src);
  else if (bytes === 2) a = v("i32x4.splat", i32.wrap_i64(src.access(2, "read").load("i64.load16_u")));
  else a = src.access(bytes, "read").load<V128>(`v128.load${bytes * 8}_zero`);
  write128(c, c.dst, names.reduce((x, name) => v(name, x), c.f.let(a)));
};

const W_S = "i16x8.extend_low_i8x16_s", D_S = "i32x4.extend_low_i16x8_s", Q_S = "i64x2.extend_low_i32x4_s";
const W_U = "i16x8.extend_low_i8x16_u", D_U = "i32x4.extend_low_i16x8_u", Q_U = "i64x2.extend_low_i32x4_u";

/** PTEST. */
function ptest(c: Ctx): void {
  sse(c);
  const b = read128(c, c.src), a = c.read128(c.dst);
  const none = (x: V128): I32 => i32.eqz(op<"i32">("v128.any_true", x));
  const zf = c.f.let(none(v("v128.and", b, a))), cf = c.f.let(none(v("v128.andnot", b, a)));
  c.setFlags(wordsOf({ cf, pf: k(0), af: k(0), zf, sf: k(0), of: k(0) }));
}

// Rounding.

/** A value by rounding control: nearest, down, up, towards zero. */
function byControl(c: Ctx, rc: I32, make: (name: string) => Expr): Expr {
  const { f } = c, odd = i32.and(rc, k(1));
  return f.choose(
    i32.and(rc, k(2)),
    () => f.choose(odd, () => make("trunc"), () => make("ceil")),
    () => f.choose(odd, () => make("floor"), () => make("nearest")),
  );
}

/** ROUNDPS and the like: immediate bit 2 takes the rounding from MXCSR, bit 3 keeps the inexact exception silent. */
function round(c: Ctx): void {
  sse(c);
  const { f, dst, src } = c, { format: t, scalar } = formatOf(c), csr = mxcsr(c), imm = f.let(immediate(c));
  const rc = f.let(f.choose(i32.and(imm, k(4)), () => i32.shr_u(csr, k(13)), () => imm));
  const silent = i32.or(i32.shr_u(i32.and(imm, k(8)), k(3)), isInexact(csr));
  const slow = (bits: Expr): Expr => soft(c, `${t.name}_round`, csr, bits, imm);
  if (scalar) {
    const x = readScalar(c, src, t);
    const fast = () => f.let(byControl(c, rc, (name) => op(`${t.name}.${name}`, x)));
    const exact = op<"i32">(`${t.name}.eq`, x, op(`${t.name}.trunc`, x));
    const r = f.choose(
      i32.and(i32.or(silent, exact), isPlain(t, x)),
      fast,
      () => slowly(c, csr, () => valueOf(t, slow(bitsOf(t, x)))),
    );
    return writeScalar(c, dst, t, r);
  }
  const a = read128(c, src), plain = op<"i32">(`${t.bits}.all_true`, plainLanes(t, a));
  const each = () => vectorOf(c, Array.from({ length: t.lanes }, (_, n) => slow(laneOf(t, a, n))));
  const fast = () => byControl(c, rc, (name) => v(`${t.shape}.${name}`, a)) as V128;
  write128(c, dst, f.choose(i32.and(silent, plain), fast, () => slowly(c, csr, each)));
}

const SSE41 = { cpuid: "sse4.1" } as const;

/** SSE4.1. */
// deno-fmt-ignore
export const SSE_41: readonly Row[] = [
  insn("PBLENDVB", "66 0F 38 10 /r Vdq,Wdq,XMM0", SSE41, blend(signMask("i8x16", 8))),
  insn("BLENDVPS", "66 0F 38 14 /r Vdq,Wdq,XMM0", SSE41, blend(signMask("i32x4", 32))),
  insn("BLENDVPD", "66 0F 38 15 /r Vdq,Wdq,XMM0", SSE41, blend(signMask("i64x2", 64))),
  insn("PTEST", "66 0F 38 17 /r Vx,Wx", { ...SSE41, writes: "OSZAPC" }, ptest),
  insn("PMOVSXBW", "66 0F 38 20 /r Vx,Wq", SSE41, widen(W_S)),
  insn("PMOVSXBD", "66 0F 38 21 /r Vx,Wd", SSE41, widen(W_S, D_S)),
  insn("PMOVSXBQ", "66 0F 38 22 /r Vx,Ww", SSE41, widen(W_S, D_S, Q_S)),
  insn("PMOVSXWD", "66 0F 38 23 /r Vx,Wq", SSE41, widen(D_S)),
  insn("PMOVSXWQ", "66 0F 38 24 /r Vx,Wd", SSE41, widen(D_S, Q_S)),
  insn("PMOVSXDQ", "66 0F 38 25 /r Vx,Wq", SSE41, widen(Q_S)),
  insn("PMULDQ", "66 0F 38 28 /r Vx,Wx", SSE41, large(product64("s"))),
  insn("PCMPEQQ", "66 0F 38 29 /r Vx,Wx", SSE41, large(lanes("i64x2.eq"))),
  insn("PACKUSDW", "66 0F 38 2B /r Vx,Wx", SSE41, large(lanes("i16x8.narrow_i32x4_u"))),
  insn("PMOVZXBW", "66 0F 38 30 /r Vx,Wq", SSE41, widen(W_U)),
  insn("PMOVZXBD", "66 0F 38 31 /r Vx,Wd", SSE41, widen(W_U, D_U)),
  insn("PMOVZXBQ", "66 0F 38 32 /r Vx,Ww", SSE41, widen(W_U, D_U, Q_U)),
  insn("PMOVZXWD", "66 0F 38 33 /r Vx,Wq", SSE41, widen(D_U)),
  insn("PMOVZXWQ", "66 0F 38 34 /r Vx,Wd", SSE41, widen(D_U, Q_U)),
  insn("PMOVZXDQ", "66 0F 38 35 /r Vx,Wq", SSE41, widen(Q_U)),
  insn("PCMPGTQ", "66 0F 38 37 /r Vx,Wx", { cpuid: "sse4.2" }, large(lanes("i64x2.gt_s"))),
  insn("PMINSB", "66 0F 38 38 /r Vx,Wx", SSE41, large(lanes("i8x16.min_s"))),
  insn("PMINSD", "66 0F 38 39 /r Vx,Wx", SSE41, large(lanes("i32x4.min_s"))),
  insn("PMINUW", "66 0F 38 3A /r Vx,Wx", SSE41, large(lanes("i16x8.min_u"))),
  insn("PMINUD", "66 0F 38 3B /r Vx,Wx", SSE41, large(lanes("i32x4.min_u"))),
  insn("PMAXSB", "66 0F 38 3C /r Vx,Wx", SSE41, large(lanes("i8x16.max_s"))),
  insn("PMAXSD", "66 0F 38 3D /r Vx,Wx", SSE41, large(lanes("i32x4.max_s"))),
  insn("PMAXUW", "66 0F 38 3E /r Vx,Wx", SSE41, large(lanes("i16x8.max_u"))),
  insn("PMAXUD", "66 0F 38 3F /r Vx,Wx", SSE41, large(lanes("i32x4.max_u"))),
  insn("PMULLD", "66 0F 38 40 /r Vx,Wx", SSE41, large(lanes("i32x4.mul"))),
  insn("PHMINPOSUW", "66 0F 38 41 /r Vdq,Wdq", SSE41, least),
  insn("ROUNDPS", "66 0F 3A 08 /r Vps,Wps,Ib", SSE41, round),
  insn("ROUNDPD", "66 0F 3A 09 /r Vpd,Wpd,Ib", SSE41, round),
  insn("ROUNDSS", "66 0F 3A 0A /r Vss,Wss,Ib", SSE41, round),
  insn("ROUNDSD", "66 0F 3A 0B /r Vsd,Wsd,Ib", SSE41, round),
  insn("BLENDPS", "66 0F 3A 0C /r Vps,Wps,Ib", SSE41, blend(immediateMask(4))),
  insn("BLENDPD", "66 0F 3A 0D /r Vpd,Wpd,Ib", SSE41, blend(immediateMask(8))),
  insn("PBLENDW", "66 0F 3A 0E /r Vx,Wx,Ib", SSE41, blend(immediateMask(2))),
  insn("DPPS", "66 0F 3A 40 /r Vps,Wps,Ib", SSE41, dotProduct),
  insn("DPPD", "66 0F 3A 41 /r Vpd,Wpd,Ib", SSE41, dotProduct),
  insn("MPSADBW", "66 0F 3A 42 /r Vx,Wx,Ib", SSE41, sumsOfDifferences),
];
