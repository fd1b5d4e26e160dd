/**
 * AES-NI and PCLMULQDQ. Source: SDM volume 2; FIPS 197.
 * @module
 */
import { i32, type I64, lane, select, shuffle, v, type V128 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { immediate, k, read128, sse, vectorOf, write128 } from "./simd_kit.ts";

/** Where each byte of the state comes from in ShiftRows; `step` 5, or 13 for the inverse. */
const rows = (step: number): number[] => Array.from({ length: 16 }, (_, i) => i * step & 15);
const shiftRows = (a: V128): V128 => shuffle(a, a, rows(5));
const shiftRowsBack = (a: V128): V128 => shuffle(a, a, rows(13));

/** Each column rotated: byte n from byte n + `by`. */
const rotated = (a: V128, by: number): V128 =>
  shuffle(a, a, Array.from({ length: 16 }, (_, i) => i & 12 | (i + by) & 3));

/** Each byte times 2 in GF(2^8). */
function times2(c: Ctx, a: V128): V128 {
  const carry = v("v128.and", v("i8x16.shr_s", a, k(7)), v("i8x16.splat", k(0x1b)));
  return c.f.let(v("v128.xor", v("i8x16.shl", a, k(1)), carry));
}

const xor = (...all: readonly V128[]): V128 => all.reduce((a, b) => v("v128.xor", a, b));

/** MixColumns: 2, 3, 1, 1 times the column. */
function mix(c: Ctx, a: V128): V128 {
  const two = times2(c, a);
  return c.f.let(xor(two, rotated(xor(two, a), 1), rotated(a, 2), rotated(a, 3)));
}

/** The inverse: 14, 11, 13, 9, which is MixColumns of the column plus 4 times its sums of every second byte. */
function mixBack(c: Ctx, a: V128): V128 {
  const { f } = c, pairs = f.let(xor(a, rotated(a, 2)));
  return mix(c, f.let(xor(a, times2(c, times2(c, pairs)))));
}

const sub = (c: Ctx, a: V128): V128 => c.support("aes_sub", a);
const subBack = (c: Ctx, a: V128): V128 => c.support("aes_inverse_sub", a);

/** A round: what happens to the state, then the key is added. */
const round = (f: (c: Ctx, state: V128) => V128) => (c: Ctx): void => {
  sse(c);
  const key = read128(c, c.src);
  write128(c, c.dst, xor(f(c, c.read128(c.dst)), key));
};

const encrypt = (c: Ctx, a: V128): V128 => c.f.let(shiftRows(sub(c, a)));
const decrypt = (c: Ctx, a: V128): V128 => c.f.let(shiftRowsBack(subBack(c, a)));

function inverseMix(c: Ctx): void {
  sse(c);
  write128(c, c.dst, mixBack(c, read128(c, c.src)));
}

/** AESKEYGENASSIST: SubWord and RotWord of doublewords 1 and 3. */
function keyAssist(c: Ctx): void {
  sse(c);
  const s = sub(c, read128(c, c.src)), constant = immediate(c);
  const words = shuffle(s, s, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
  write128(c, c.dst, xor(words, vectorOf(c, [k(0), constant, k(0), constant])));
}

/** PCLMULQDQ: immediate bits 0 and 4 choose the halves. */
function multiply(c: Ctx): void {
  sse(c);
  const b = read128(c, c.src), a = c.read128(c.dst), imm = c.f.let(immediate(c));
  const half = (x: V128, bit: number): I64 => {
    const [low, high] = [0, 1].map((n) => lane<"i64">("i64x2.extract_lane", x, n));
    return c.f.let(select(i32.and(imm, k(bit)), high, low));
  };
  const x = half(a, 1), y = half(b, 0x10);
  write128(c, c.dst, vectorOf(c, [c.support<I64>("clmul_low", x, y), c.support<I64>("clmul_high", x, y)]));
}

const FEATURE = { cpuid: "aes" } as const;

/** AES-NI and PCLMULQDQ. */
// deno-fmt-ignore
export const AES: readonly Row[] = [
  insn("AESIMC", "66 0F 38 DB /r Vdq,Wdq", FEATURE, inverseMix),
  insn("AESENC", "66 0F 38 DC /r Vdq,Wdq", FEATURE, round((c, a) => mix(c, encrypt(c, a)))),
  insn("AESENCLAST", "66 0F 38 DD /r Vdq,Wdq", FEATURE, round(encrypt)),
  insn("AESDEC", "66 0F 38 DE /r Vdq,Wdq", FEATURE, round((c, a) => mixBack(c, decrypt(c, a)))),
  insn("AESDECLAST", "66 0F 38 DF /r Vdq,Wdq", FEATURE, round(decrypt)),
  insn("PCLMULQDQ", "66 0F 3A 44 /r Vdq,Wdq,Ib", { cpuid: "pclmul" }, multiply),
  insn("AESKEYGENASSIST", "66 0F 3A DF /r Vdq,Wdq,Ib", FEATURE, keyAssist),
];
