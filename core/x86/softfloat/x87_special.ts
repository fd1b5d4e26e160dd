/** x87 operations without an SSE counterpart: FPREM, FPREM1, FSCALE, FXTRACT. @module */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import { BIAS_ADJUST, C0, C1, C2, C3, F80, IE, NO_RESULT, OE, PE, PRECISION_64, QUIET, TOP, UE, ZE } from "./format.ts";
import { parameters, udiv128 } from "./kit.ts";
import { storeSlot, x87NaN, type X87Operation, x87Pack } from "./x87.ts";

const ONE = i32.const(1);
const ZERO = i32.const(0);

/**
 * FPREM (quotient truncated) or FPREM1 (quotient to nearest even). C0, C3, C1 are quotient bits 2, 1, 0; C2 tells that
 * the reduction is partial.
 */
export function remainder(op: X87Operation, nearest: boolean): void {
  const { f, operands: [a, b] } = op;
  op.prologue({
    invalid: () => f.if(i32.or(op.isTop(a), op.isZero(b)), () => op.invalid()),
    special: () => {
      f.if(op.isZero(a), () => op.zero(a.sign));
      f.if(op.isTop(b), () => unchanged(op));
    },
  });
  const distance = f.let(i32.sub(op.exp(a), op.exp(b)));
  const x = f.let(op.sig(a)), y = f.let(op.sig(b));
  const udiv = (shift: I32): { q: I64; r: I64 } => {
    const n = i64.extend_i32_u(shift);
    const hi = i64.shr_u(i64.shr_u(x, i64.const(1)), i64.sub(i64.const(63), n));
    const lo = f.let(i64.shl(x, n));
    const q = f.let(f.callExpr(udiv128(op.kit), "i64", hi, lo, y));
    return { q, r: f.let(i64.sub(lo, i64.mul(q, y))) };
  };
  f.if(i32.ge_s(distance, i32.const(64)), () => {
    // The SDM leaves N between 32 and 63: processors take the one that keeps the distance modulo 32.
    const n = f.let(i32.or(i32.and(distance, i32.const(31)), i32.const(32)));
    const { r } = udiv(n);
    reduced(op, a.sign, f.let(i32.sub(op.exp(a), n)), r, i32.const(C2));
  });
  f.if(i32.lt_s(distance, ZERO), () => {
    if (nearest) {
      f.if(i32.and(i32.eq(distance, i32.const(-1)), i64.gt_u(x, y)), () => {
        reduced(op, i32.xor(a.sign, ONE), op.exp(a), f.let(i64.sub(i64.shl(y, i64.const(1)), x)), i32.const(C1));
      });
    }
    deliver(op, a.sign, op.exp(a), x, ZERO);
  });
  const { q, r } = udiv(distance);
  const quotient = f.local("i64"), rest = f.local("i64"), sign = f.local("i32");
  f.set(quotient, q);
  f.set(rest, r);
  f.set(sign, a.sign);
  if (nearest) {
    const other = f.let(i64.sub(y, r));
    const tieOdd = i32.and(i64.eq(r, other), i32.wrap_i64(i64.and(q, i64.const(1))));
    f.if(i32.or(i64.gt_u(r, other), tieOdd), () => {
      f.set(quotient, i64.add(q, i64.const(1)));
      f.set(rest, other);
      f.set(sign, i32.xor(a.sign, ONE));
    });
  }
  const low = f.let(i32.wrap_i64(f.get(quotient)));
  const bit = (n: number, to: number): I32 => select(i32.and(low, i32.const(n)), i32.const(to), ZERO);
  const codes = f.let(i32.or(i32.or(bit(1, C1), bit(2, C3)), bit(4, C0)));
  f.if(i64.eqz(f.get(rest)), () => {
    storeSlot(op.kit, f, op.to, a.sign, ZERO, i64.const(0));
    op.done(codes);
  });
  reduced(op, f.get(sign), op.exp(b), f.get(rest), codes);
}

/** Returns the first operand; a denormal raises no underflow, and a pseudo-denormal becomes a normal number. */
function unchanged(op: X87Operation): void {
  const { operands: [a] } = op;
  const pseudo = i32.and(i32.eqz(op.exp(a)), i64.lt_s(op.sig(a), i64.const(0)));
  op.exact(a.sign, i32.or(op.exp(a), pseudo), op.sig(a));
}

/** Returns a remainder that is still to be normalised; zero takes the given sign. */
function reduced(op: X87Operation, sign: I32, exp: I32, sig: I64, codes: I32): void {
  const { f } = op;
  f.if(i64.eqz(sig), () => {
    storeSlot(op.kit, f, op.to, sign, ZERO, i64.const(0));
    op.done(codes);
  });
  const n = f.let(i64.clz(sig));
  deliver(op, sign, f.let(i32.sub(exp, i32.wrap_i64(n))), f.let(i64.shl(sig, n)), codes);
}

/** Returns an exact result that may be tiny. */
function deliver(op: X87Operation, sign: I32, exp: I32, sig: I64, codes: I32): void {
  const { f } = op;
  const e = f.local("i32"), s = f.local("i64");
  f.set(e, exp);
  f.set(s, sig);
  f.if(i32.le_s(exp, ZERO), () => {
    f.if(op.masked(UE), () => {
      f.set(s, i64.shr_u(sig, i64.extend_i32_u(i32.sub(ONE, exp))));
      f.set(e, ZERO);
    }, () => {
      op.raise(i32.const(UE));
      f.set(e, i32.add(exp, i32.const(BIAS_ADJUST)));
    });
  });
  storeSlot(op.kit, f, op.to, sign, f.get(e), f.get(s));
  op.done(codes);
}

/** FSCALE: the first operand by two to the power of the second, truncated to an integer. */
export function scale(op: X87Operation): void {
  const { f, operands: [a, b] } = op;
  const infinite = f.let(op.isTop(b));
  op.prologue({
    invalid: () => {
      const up = i32.and(op.isZero(a), i32.eqz(b.sign)), down = i32.and(op.isTop(a), b.sign);
      f.if(i32.and(infinite, i32.or(up, down)), () => op.invalid());
    },
    special: () => {
      f.if(op.isTop(a), () => op.infinity(a.sign));
      f.if(i32.or(op.isZero(a), op.isZero(b)), () => unchanged(op));
      f.if(infinite, () => {
        f.if(b.sign, () => op.zero(a.sign));
        op.infinity(a.sign);
      });
    },
  });
  const power = f.let(i32.sub(op.exp(b), i32.const(F80.bias)));
  const n = f.local("i32");
  f.if(i32.ge_s(power, i32.const(16)), () => f.set(n, i32.const(0x10000)), () => {
    f.if(i32.ge_s(power, ZERO), () => {
      f.set(n, i32.wrap_i64(i64.shr_u(op.sig(b), i64.extend_i32_u(i32.sub(i32.const(63), power)))));
    });
  });
  const exp = f.let(i32.add(op.exp(a), select(b.sign, i32.sub(ZERO, f.get(n)), f.get(n))));
  // Where even the adjusted exponent does not fit, unmasked exceptions deliver what rounding to nearest would.
  f.if(i32.and(i32.eqz(op.masked(OE)), i32.ge_s(exp, i32.const(F80.maxExp + BIAS_ADJUST))), () => {
    op.raise(i32.const(OE | PE | C1));
    op.infinity(a.sign);
  });
  f.if(i32.and(i32.eqz(op.masked(UE)), i32.le_s(exp, i32.const(-BIAS_ADJUST))), () => {
    op.raise(i32.const(UE | PE));
    op.zero(a.sign);
  });
  const fcw = i32.or(op.fcw, i32.const(PRECISION_64));
  f.returnCall(x87Pack(op.kit), a.sign, exp, op.sig(a), i64.const(0), op.to, fcw, f.get(op.flags));
}

/** FXTRACT: parameters are operand, destination of the exponent, destination of the significand, control word. */
export function extract(op: X87Operation): void {
  const { f, kit, at: [from], to: toExp, operands: [a] } = op;
  const toSig = parameters(f)[2] as I32;
  f.if(op.isUnsupported(a), () => {
    op.raise(i32.const(IE));
    f.if(i32.eqz(op.masked(IE)), () => op.stop());
    storeSlot(kit, f, toSig, ONE, i32.const(F80.maxExp), i64.const(TOP | QUIET));
    op.exact(ONE, i32.const(F80.maxExp), i64.const(TOP | QUIET));
  });
  f.if(op.isNaN(a), () => {
    const flags = f.let(f.callExpr(x87NaN(kit), "i32", from, from, toExp, op.fcw));
    f.if(i32.eqz(i32.and(flags, i32.const(NO_RESULT))), () => {
      storeSlot(kit, f, toSig, a.sign, i32.const(F80.maxExp), i64.or(op.sig(a), i64.const(QUIET)));
    });
    f.return(flags);
  });
  f.if(op.isTop(a), () => {
    storeSlot(kit, f, toSig, a.sign, i32.const(F80.maxExp), i64.const(TOP));
    op.infinity(ZERO);
  });
  f.if(op.isZero(a), () => {
    op.raise(i32.const(ZE));
    f.if(i32.eqz(op.masked(ZE)), () => op.stop());
    storeSlot(kit, f, toExp, ONE, i32.const(F80.maxExp), i64.const(TOP));
    storeSlot(kit, f, toSig, a.sign, ZERO, i64.const(0));
    op.done();
  });
  op.denormals();
  op.normalise(a);
  const power = f.let(i32.sub(op.exp(a), i32.const(F80.bias)));
  const negative = f.let(i32.lt_s(power, ZERO));
  const size = f.let(i64.extend_i32_u(select(negative, i32.sub(ZERO, power), power)));
  const n = f.let(i64.clz(size));
  const exp = select(i64.eqz(size), ZERO, i32.sub(i32.const(F80.bias + 63), i32.wrap_i64(n)));
  storeSlot(kit, f, toSig, a.sign, i32.const(F80.bias), op.sig(a));
  storeSlot(kit, f, toExp, negative, exp, i64.shl(size, n));
  op.done();
}
