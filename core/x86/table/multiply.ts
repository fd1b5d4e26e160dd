/**
 * Multiplication and division. A division by zero or with a quotient that does not fit is #DE.
 * @module
 */
import { type I32, i32, type I64, i64 } from "../../wasm/expr.ts";
import type { Local } from "../../wasm/module.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { k, NONZERO, signExtend, wide } from "./arith_flags.ts";

const HALF = 0xffff_ffff;

/** High 64 bits of an unsigned product, from four products of halves. */
export function highProduct(c: Ctx, a: I64, b: I64): I64 {
  const low = (v: I64) => c.f.let(i64.and(v, k(HALF)));
  const high = (v: I64) => c.f.let(i64.shr_u(v, k(32)));
  const a0 = low(a), a1 = high(a), b0 = low(b), b1 = high(b);
  const middle = c.f.let(i64.add(i64.mul(a1, b0), i64.shr_u(i64.mul(a0, b0), k(32))));
  const other = c.f.let(i64.add(i64.mul(a0, b1), low(middle)));
  return c.f.let(i64.add(i64.add(i64.mul(a1, b1), high(middle)), high(other)));
}

/** High 64 bits of a signed product. */
function highSigned(c: Ctx, a: I64, b: I64): I64 {
  const sign = (v: I64, of: I64) => i64.and(i64.shr_s(of, k(63)), v);
  return c.f.let(i64.sub(i64.sub(highProduct(c, a, b), sign(b, a)), sign(a, b)));
}

/**
 * Flags of a product: CF and OF if it does not fit the operand. The others as processors leave them: SF and PF of its low
 * half, ZF clear, for which a bit that nothing else looks at is set.
 */
function productFlags(c: Ctx, low: I64, overflow: I32): void {
  c.setFlags({ res: i64.or(signExtend(low, c.width), k(NONZERO)), aux: i64.shl(wide(overflow), k(63)) });
}

function writeProduct(c: Ctx, low: I64, high: I64): void {
  if (c.width === 8) c.reg(0, 16).write(i64.or(i64.and(low, k(0xff)), i64.shl(high, k(8))));
  else {
    c.reg(0, c.width).write(low);
    c.reg(2, c.width).write(high);
  }
}

function mul(c: Ctx): void {
  const a = c.reg(0, c.width).read(), b = c.dst.read(), low = c.f.let(i64.mul(a, b));
  const high = c.width === 64 ? highProduct(c, a, b) : c.f.let(i64.shr_u(low, k(c.width)));
  productFlags(c, low, i64.ne(high, k(0)));
  writeProduct(c, low, high);
}

/** Low and high part of a signed product, and whether it does not fit into the width. */
function signedProduct(c: Ctx, a: I64, b: I64): { low: I64; high: I64; overflow: I32 } {
  const x = c.f.let(signExtend(a, c.width)), y = c.f.let(signExtend(b, c.width));
  const low = c.f.let(i64.mul(x, y));
  const high = c.width === 64 ? highSigned(c, x, y) : c.f.let(i64.shr_s(low, k(c.width)));
  const overflow = c.width === 64 ? i64.ne(high, i64.shr_s(low, k(63))) : i64.ne(low, signExtend(low, c.width));
  return { low, high, overflow: c.f.let(overflow) };
}

function imul(c: Ctx): void {
  const { low, high, overflow } = signedProduct(c, c.reg(0, c.width).read(), c.dst.read());
  productFlags(c, low, overflow);
  writeProduct(c, low, high);
}

function imulTo(c: Ctx, a: I64, b: I64): void {
  const { low, overflow } = signedProduct(c, a, b);
  productFlags(c, low, overflow);
  c.dst.write(low);
}

/** The dividend in one piece, for widths below 64. */
function dividend(c: Ctx): I64 {
  if (c.width === 8) return c.reg(0, 16).read();
  return c.f.let(i64.or(i64.shl(c.reg(2, c.width).read(), k(c.width)), c.reg(0, c.width).read()));
}

function writeQuotient(c: Ctx, quotient: I64, remainder: I64): void {
  c.reg(0, c.width).write(quotient);
  c.reg(c.width === 8 ? 4 : 2, c.width).write(remainder);
}

function div(c: Ctx): void {
  const { f, width: w } = c;
  const d = c.dst.read();
  if (w === 64) {
    const high = c.reg(2, 64).read(), low = c.reg(0, 64).read();
    f.if(i64.ge_u(high, d), () => c.raise(0));
    const { quotient, remainder } = divideWords(c, high, low, d);
    return writeQuotient(c, quotient, remainder);
  }
  const n = dividend(c);
  f.if(i64.eqz(d), () => c.raise(0));
  const q = f.let(i64.div_u(n, d));
  f.if(i64.ne(i64.shr_u(q, k(w)), k(0)), () => c.raise(0));
  writeQuotient(c, q, f.let(i64.sub(n, i64.mul(q, d))));
}

function idiv(c: Ctx): void {
  const { f, width: w } = c;
  if (w === 64) return idivWords(c);
  const d = f.let(signExtend(c.dst.read(), w));
  const n = w === 32 ? dividend(c) : f.let(signExtend(dividend(c), 2 * w));
  const lowest = i32.and(i64.eq(n, k(1n << 63n)), i64.eq(d, k(-1)));
  f.if(w === 32 ? i32.or(i64.eqz(d), lowest) : i64.eqz(d), () => c.raise(0));
  const q = f.let(i64.div_s(n, d));
  f.if(i64.ne(q, signExtend(q, w)), () => c.raise(0));
  writeQuotient(c, q, f.let(i64.sub(n, i64.mul(q, d))));
}

/** 128 by 64 bits, signed: the magnitudes are divided, then the signs put back. */
function idivWords(c: Ctx): void {
  const { f } = c;
  const signed = c.dst.read(), high = c.reg(2, 64).read(), low = c.reg(0, 64).read();
  const negative = f.let(i64.shr_s(high, k(63))), divisorSign = f.let(i64.shr_s(signed, k(63)));
  const negate = (v: I64, sign: I64) => i64.sub(i64.xor(v, sign), sign);
  const d = f.let(negate(signed, divisorSign));
  const low1 = f.let(negate(low, negative));
  const borrow = i64.and(negative, wide(i64.eqz(low)));
  const high1 = f.let(i64.add(i64.xor(high, negative), borrow));
  f.if(i64.ge_u(high1, d), () => c.raise(0));
  const { quotient, remainder } = divideWords(c, high1, low1, d);
  const sign = f.let(i64.xor(negative, divisorSign));
  const q = f.let(negate(quotient, sign));
  const wrong = i32.and(i64.ne(quotient, k(0)), i64.ne(i64.shr_s(q, k(63)), sign));
  f.if(wrong, () => c.raise(0));
  writeQuotient(c, q, f.let(negate(remainder, negative)));
}

/**
 * `high`:`low` by `divisor`, unsigned; `high` is below `divisor`. Schoolbook division by digits of 32 bits, each guessed
 * from the top half of the normalised divisor and corrected at most twice (Knuth, The Art of Computer Programming,
 * volume 2, 4.3.1, algorithm D).
 */
function divideWords(c: Ctx, high: I64, low: I64, divisor: I64): { quotient: I64; remainder: I64 } {
  const { f } = c;
  const q = f.local("i64"), r = f.local("i64");
  f.if(i64.eqz(high), () => {
    f.set(q, i64.div_u(low, divisor));
    f.set(r, i64.rem_u(low, divisor));
  }, () => {
    const shift = f.let(i64.clz(divisor));
    const d = f.let(i64.shl(divisor, shift));
    const top = f.let(i64.shr_u(d, k(32))), bottom = f.let(i64.and(d, k(HALF)));
    const carried = i64.shr_u(i64.shr_u(low, k(1)), i64.sub(k(63), shift));
    const n = f.let(i64.or(i64.shl(high, shift), carried));
    const rest = f.let(i64.shl(low, shift));
    const digit = (n: I64, next: I64): { digit: I64; left: I64 } => {
      const g: Local<"i64"> = f.local("i64"), left: Local<"i64"> = f.local("i64");
      f.set(g, i64.div_u(n, top));
      f.set(left, i64.rem_u(n, top));
      f.block((done) =>
        f.loop((again) => {
          const tooBig = i64.gt_u(i64.mul(f.get(g), bottom), i64.or(i64.shl(f.get(left), k(32)), next));
          const wideDigit = i64.ne(i64.shr_u(f.get(g), k(32)), k(0));
          f.brIf(done, i32.eqz(i32.or(wideDigit, tooBig)));
          f.set(g, i64.sub(f.get(g), k(1)));
          f.set(left, i64.add(f.get(left), top));
          f.brIf(again, i64.eqz(i64.shr_u(f.get(left), k(32))));
        })
      );
      const value = f.let(f.get(g));
      return { digit: value, left: f.let(i64.sub(i64.add(i64.shl(n, k(32)), next), i64.mul(value, d))) };
    };
    const first = digit(n, f.let(i64.shr_u(rest, k(32))));
    const second = digit(first.left, f.let(i64.and(rest, k(HALF))));
    f.set(q, i64.or(i64.shl(first.digit, k(32)), second.digit));
    f.set(r, i64.shr_u(second.left, shift));
  });
  return { quotient: f.let(f.get(q)), remainder: f.let(f.get(r)) };
}

const PRODUCT = { writes: "OC", undefined: "SZAP" };
const QUOTIENT = { undefined: "OSZAPC" };

/** Multiplication and division. */
// deno-fmt-ignore
export const MULTIPLY: readonly Row[] = [
  insn("IMUL", "69 /r Gv,Ev,sIz|6B /r Gv,Ev,sIb", { cpuid: "i186", ...PRODUCT }, (c) => imulTo(c, c.src.read(), c.src2.read())),
  insn("MUL", "F6 /4 Eb|F7 /4 Ev", PRODUCT, mul),
  insn("IMUL", "F6 /5 Eb|F7 /5 Ev", PRODUCT, imul),
  insn("DIV", "F6 /6 Eb|F7 /6 Ev", QUOTIENT, div),
  insn("IDIV", "F6 /7 Eb|F7 /7 Ev", QUOTIENT, idiv),
  insn("IMUL", "0F AF /r Gv,Ev", { cpuid: "i386", ...PRODUCT }, (c) => imulTo(c, c.dst.read(), c.src.read())),
];
