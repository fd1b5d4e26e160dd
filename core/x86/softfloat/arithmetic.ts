/** Addition, multiplication, division and square root, for each format. @module */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import { TOP, ZE } from "./format.ts";
import { multiply, type Pair, shiftJam, split, sqrt64, udiv128, wide } from "./kit.ts";
import type { Operation } from "./operation.ts";

const ONE = i32.const(1);
const NONE = i64.const(0);

/** Addition, or subtraction of the second operand from the first. */
export function add(op: Operation, subtract: boolean): void {
  const { f, operands: [a, b] } = op;
  const signB = subtract ? f.let(i32.xor(b.sign, ONE)) : b.sign;
  const differ = f.let(i32.ne(a.sign, signB));
  op.prologue({
    invalid: () => f.if(i32.and(i32.and(op.isTop(a), op.isTop(b)), differ), () => op.invalid()),
    special: () => {
      f.if(op.isTop(a), () => op.infinity(a.sign));
      f.if(op.isTop(b), () => op.infinity(signB));
      f.if(i32.and(op.isZero(a), op.isZero(b)), () => op.zero(select(differ, i32.eq(op.rc, ONE), a.sign)));
    },
  });
  const sameExp = i32.and(i32.eq(op.exp(a), op.exp(b)), i64.lt_u(op.sig(a), op.sig(b)));
  const swap = f.let(i32.or(i32.lt_s(op.exp(a), op.exp(b)), sameExp));
  const exp = f.local("i32");
  f.set(exp, select(swap, op.exp(b), op.exp(a)));
  const small = f.let(select(swap, op.sig(a), op.sig(b)));
  const distance = f.let(i32.sub(f.get(exp), select(swap, op.exp(a), op.exp(b))));
  const large = f.let(select(swap, op.sig(b), op.sig(a)));
  const sign = f.let(select(swap, signB, a.sign));
  if (op.format.sigBits < 60) {
    const x = f.let(i64.shr_u(large, i64.const(1)));
    const half = f.let(i64.shr_u(small, i64.const(1)));
    const y = f.let(shiftJam(half, distance));
    const r = f.let(select(differ, i64.sub(x, y), i64.add(x, y)));
    f.if(i64.eqz(r), () => op.zero(i32.eq(op.rc, ONE)));
    const n = f.let(i64.clz(r));
    op.round(sign, i32.sub(i32.add(f.get(exp), ONE), i32.wrap_i64(n)), i64.shl(r, n), NONE);
    return;
  }
  const y = split(f, small, distance);
  const hi = f.local("i64"), lo = f.local("i64");
  f.set(lo, y.lo);
  f.if(differ, () => {
    f.set(hi, i64.sub(i64.sub(large, y.hi), wide(i64.ne(y.lo, NONE))));
    f.set(lo, i64.sub(NONE, y.lo));
    f.if(i64.eqz(f.get(hi)), () => {
      f.if(i64.eqz(f.get(lo)), () => op.zero(i32.eq(op.rc, ONE)));
      f.set(hi, f.get(lo));
      f.set(lo, NONE);
      f.set(exp, i32.sub(f.get(exp), i32.const(64)));
    });
    const n = f.let(i64.clz(f.get(hi)));
    const moved = i64.shr_u(i64.shr_u(f.get(lo), i64.const(1)), i64.sub(i64.const(63), n));
    f.set(hi, i64.or(i64.shl(f.get(hi), n), moved));
    f.set(lo, i64.shl(f.get(lo), n));
    f.set(exp, i32.sub(f.get(exp), i32.wrap_i64(n)));
  }, () => {
    f.set(hi, i64.add(large, y.hi));
    f.if(i64.lt_u(f.get(hi), large), () => {
      const out = i64.shl(f.get(hi), i64.const(63));
      f.set(lo, i64.or(out, i64.or(i64.shr_u(f.get(lo), i64.const(1)), i64.and(f.get(lo), i64.const(1)))));
      f.set(hi, i64.or(i64.shr_u(f.get(hi), i64.const(1)), i64.const(TOP)));
      f.set(exp, i32.add(f.get(exp), ONE));
    });
  });
  op.round(sign, f.get(exp), f.get(hi), f.get(lo));
}

/** Multiplication. */
export function mul(op: Operation): void {
  const { f, format, operands: [a, b] } = op;
  const sign = f.let(i32.xor(a.sign, b.sign));
  const both = (x: I32, y: I32): I32 => i32.and(x, y);
  op.prologue({
    invalid: () => f.if(i32.or(both(op.isTop(a), op.isZero(b)), both(op.isZero(a), op.isTop(b))), () => op.invalid()),
    special: () => {
      f.if(i32.or(op.isTop(a), op.isTop(b)), () => op.infinity(sign));
      f.if(i32.or(op.isZero(a), op.isZero(b)), () => op.zero(sign));
    },
  });
  const exp = f.let(i32.sub(i32.add(op.exp(a), op.exp(b)), i32.const(format.bias - 1)));
  const product: Pair = format.sigBits <= 32
    ? { hi: f.let(i64.mul(i64.shr_u(op.sig(a), i64.const(32)), i64.shr_u(op.sig(b), i64.const(32)))), lo: NONE }
    : multiply(f, op.sig(a), op.sig(b));
  const { hi, lo } = product;
  f.if(i64.ge_s(hi, NONE), () => {
    const up = i64.or(i64.shl(hi, i64.const(1)), i64.shr_u(lo, i64.const(63)));
    op.round(sign, i32.sub(exp, ONE), up, i64.shl(lo, i64.const(1)));
  });
  op.round(sign, exp, hi, lo);
}

/** Division of the first operand by the second. */
export function div(op: Operation): void {
  const { f, format, operands: [a, b] } = op;
  const sign = f.let(i32.xor(a.sign, b.sign));
  const both = (test: (o: typeof a) => I32): I32 => i32.and(test(a), test(b));
  op.prologue({
    invalid: () => {
      f.if(i32.or(both((o) => op.isTop(o)), both((o) => op.isZero(o))), () => op.invalid());
      // A denormal dividend raises no denormal exception here.
      f.if(i32.and(op.isZero(b), i32.eqz(op.isTop(a))), () => {
        op.raise(i32.const(ZE));
        f.if(i32.eqz(op.masked(ZE)), () => op.stop());
        op.infinity(sign);
      });
    },
    special: () => {
      f.if(op.isTop(a), () => op.infinity(sign));
      f.if(op.isTop(b), () => op.zero(sign));
      f.if(op.isZero(a), () => op.zero(sign));
    },
  });
  const x = f.let(op.sig(a)), y = f.let(op.sig(b));
  const less = f.let(i64.lt_u(x, y));
  const exp = f.let(i32.sub(i32.add(i32.sub(op.exp(a), op.exp(b)), i32.const(format.bias)), less));
  if (format.sigBits <= 32) {
    const n = f.let(i64.shr_u(x, i64.extend_i32_u(i32.sub(ONE, less))));
    const d = f.let(i64.shr_u(y, i64.const(32)));
    const q = f.let(i64.div_u(n, d));
    const inexact = i64.ne(i64.mul(q, d), n);
    op.round(sign, exp, i64.or(i64.shl(q, i64.const(32)), wide(inexact)), NONE);
    return;
  }
  const top = f.let(select(less, x, i64.shr_u(x, i64.const(1))));
  const bottom = f.let(select(less, NONE, i64.shl(x, i64.const(63))));
  const q = f.let(f.callExpr(udiv128(op.kit), "i64", top, bottom, y));
  const rest = f.let(i64.sub(bottom, i64.mul(q, y)));
  op.round(sign, exp, q, fractionOf(rest, y));
}

/** The bits below a quotient from its remainder: the half-ulp bit and a sticky bit. */
function fractionOf(rest: I64, divisor: I64): I64 {
  const half = i64.shl(wide(i64.ge_u(rest, i64.sub(divisor, rest))), i64.const(63));
  return select(i64.eqz(rest), NONE, i64.or(half, i64.const(1)));
}

/** Square root. */
export function sqrt(op: Operation): void {
  const { f, format, operands: [a] } = op;
  const negative = (): void => f.if(i32.and(a.sign, i32.eqz(op.isZero(a))), () => op.invalid());
  op.prologue({
    invalid: negative,
    special: () => {
      f.if(op.isTop(a), () => op.infinity(i32.const(0)));
      f.if(op.isZero(a), () => op.zero(a.sign));
    },
  });
  negative();
  const power = f.let(i32.sub(op.exp(a), i32.const(format.bias)));
  const odd = f.let(i32.and(power, ONE));
  const exp = f.let(i32.add(i32.shr_s(power, ONE), i32.const(format.bias)));
  const plus = i32.const(0);
  const top = f.let(i64.shr_u(op.sig(a), i64.extend_i32_u(i32.sub(ONE, odd))));
  const s = sqrt64(f, top);
  const rest = f.let(i64.sub(top, i64.mul(s, s)));
  const high = f.let(i64.shl(s, i64.const(32)));
  if (format.sigBits <= 28) {
    op.round(plus, exp, i64.or(high, wide(i64.ne(rest, NONE))), NONE);
    return;
  }
  const bottom = f.let(select(odd, NONE, i64.shl(op.sig(a), i64.const(63))));
  // Zimmermann's Karatsuba step: the next 32 bits are the remainder over twice the root, at most one too large.
  const low = i64.div_u(i64.or(i64.shl(rest, i64.const(31)), i64.shr_u(bottom, i64.const(33))), s);
  const limited = f.let(low);
  const most = i64.const(0xffff_ffffn);
  const root = f.local("i64"), restHi = f.local("i64"), restLo = f.local("i64");
  f.set(root, i64.or(high, select(i64.gt_u(limited, most), most, limited)));
  const square = multiply(f, f.get(root), f.get(root));
  f.set(restLo, i64.sub(bottom, square.lo));
  f.set(restHi, i64.sub(i64.sub(top, square.hi), wide(i64.lt_u(bottom, square.lo))));
  f.if(i64.lt_s(f.get(restHi), NONE), () => {
    f.set(root, i64.sub(f.get(root), i64.const(1)));
    const twice = f.let(i64.or(i64.shl(f.get(root), i64.const(1)), i64.const(1)));
    f.set(restLo, i64.add(f.get(restLo), twice));
    const carry = wide(i64.lt_u(f.get(restLo), twice));
    f.set(restHi, i64.add(i64.add(f.get(restHi), i64.shr_u(f.get(root), i64.const(63))), carry));
  });
  const exact = i64.eqz(i64.or(f.get(restHi), f.get(restLo)));
  const half = i32.or(i64.ne(f.get(restHi), NONE), i64.gt_u(f.get(restLo), f.get(root)));
  const below = i64.or(i64.shl(wide(half), i64.const(63)), i64.const(1));
  op.round(plus, exp, f.get(root), select(exact, NONE, below));
}
