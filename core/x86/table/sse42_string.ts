/**
 * The string comparisons of SSE4.2; what they compute is the function "pcmpstr" of simd_functions.ts. Source: SDM volume
 * 2, 4.1.
 * @module
 */
import { type I32, i32, type I64, i64, op, select, v, type V128, v128Const } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { wordsOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { XMM } from "../state.ts";
import { immediate, k, sse, ZERO } from "./simd_kit.ts";

/** The length in a register: its magnitude, at most `n`. */
function explicitLength(c: Ctx, register: number, n: I32): I32 {
  const { f } = c, wide = c.opsize === 64;
  const raw = c.reg(register, wide ? 64 : 32).read(), value = f.let(wide ? raw : i64.extend32_s(raw));
  const size: I64 = f.let(select(i64.lt_s(value, i64.const(0)), i64.sub(i64.const(0), value), value));
  return f.let(select(i64.gt_u(size, i64.extend_i32_u(n)), n, i32.wrap_i64(size)));
}

/** The elements before the first zero. */
function implicitLength(c: Ctx, a: V128, words: I32, n: I32): I32 {
  const zeros = (shape: string) => op<"i32">(`${shape}.bitmask`, v(`${shape}.eq`, a, ZERO));
  const found = c.f.choose(words, () => zeros("i16x8"), () => zeros("i8x16"));
  return c.f.let(i32.ctz(i32.or(found, i32.shl(k(1), n))));
}

const compare = (explicit: boolean, mask: boolean) => (c: Ctx): void => {
  sse(c);
  const { f, src } = c;
  // No alignment is asked of the operand in memory.
  const b = src.isMemory ? f.let(src.access(16, "read").load<V128>("v128.load")) : c.read128(src);
  const a = c.read128(c.dst), imm = f.let(immediate(c));
  const words = f.let(i32.and(imm, k(1))), n = f.let(i32.shr_u(k(16), words));
  const la = explicit ? explicitLength(c, 0, n) : implicitLength(c, a, words, n);
  const lb = explicit ? explicitLength(c, 2, n) : implicitLength(c, b, words, n);
  const result = c.support<I32>("pcmpstr", a, b, la, lb, imm);
  const high = i32.and(imm, k(0x40));
  if (mask) {
    const bits = (...of: number[]) => v128Const(of);
    const bytes = () => {
      const two = v("i8x16.swizzle", v("i32x4.splat", result), bits(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
      const one = bits(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
      return v("i8x16.eq", v("v128.and", two, one), one);
    };
    const doubled = () => {
      const one = bits(1, 0, 2, 0, 4, 0, 8, 0, 16, 0, 32, 0, 64, 0, 128, 0);
      return v("i16x8.eq", v("v128.and", v("i16x8.splat", result), one), one);
    };
    const spread = () => f.choose(words, doubled, bytes);
    const packed = () =>
      v("v128.and", v("i32x4.splat", result), bits(255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    c.setState("v128.store", XMM, f.choose(high, spread, packed));
  } else {
    const last = i32.sub(k(31), i32.clz(result));
    const index = select(result, select(high, last, i32.ctz(result)), n);
    c.reg(1, 32).write(i64.extend_i32_u(index));
  }
  c.setFlags(wordsOf({
    cf: i32.ne(result, k(0)),
    zf: i32.lt_u(lb, n),
    sf: i32.lt_u(la, n),
    of: i32.and(result, k(1)),
    af: k(0),
    pf: k(0),
  }));
};

const SSE42 = { cpuid: "sse4.2", writes: "OSZAPC" } as const;

/** String comparisons. */
// deno-fmt-ignore
export const SSE_42_STRING: readonly Row[] = [
  insn("PCMPESTRM", "66 0F 3A 60 /r Vdq,Wdq,Ib", SSE42, compare(true, true)),
  insn("PCMPESTRI", "66 0F 3A 61 /r Vdq,Wdq,Ib", SSE42, compare(true, false)),
  insn("PCMPISTRM", "66 0F 3A 62 /r Vdq,Wdq,Ib", SSE42, compare(false, true)),
  insn("PCMPISTRI", "66 0F 3A 63 /r Vdq,Wdq,Ib", SSE42, compare(false, false)),
];
