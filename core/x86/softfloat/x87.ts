/**
 * x87 operations: operands are addresses of 16-byte slots (u64 significand, u16 sign and exponent at +8), then the
 * address of the result, then the control word. They return flags and condition bits as in the status word.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Callee, FunctionBuilder } from "../../wasm/module.ts";
import { BIAS_ADJUST, C1, DENORMAL_OPERAND, F80, IE, NO_RESULT, OE, PE, QUIET, TOP, UE } from "./format.ts";
import { type Kit, type Pair, parameters, roundsUp, split, wide } from "./kit.ts";
import { Operation, unpackSlot } from "./operation.ts";

/** A function whose first parameters are slot addresses and whose last is the control word. */
export class X87Operation extends Operation {
  /** Address of the result. */
  readonly to: I32;
  /** The control word. */
  readonly fcw: I32;
  /** Addresses of the operands. */
  readonly at: readonly I32[];

  /** Takes the first `count` parameters as operands, the one after them as the result's address. */
  constructor(kit: Kit, f: FunctionBuilder, count: number) {
    super(kit, f, F80);
    const all = parameters(f) as I32[];
    this.fcw = all[all.length - 1];
    this.to = all[count];
    this.at = all.slice(0, count);
    for (const at of this.at) this.operands.push(unpackSlot(kit, f, at));
  }

  override get rc(): I32 {
    return x87Rounding(this.fcw);
  }

  override masked(flag: number): I32 {
    return i32.and(this.fcw, i32.const(flag));
  }

  override pending(): I32 {
    return i32.and(this.fcw, i32.const(DENORMAL_OPERAND));
  }

  override denormalsAreZero(): void {}

  /** Returns the flags raised so far, with more bits that are not exceptions. */
  done(more: I32 = i32.const(0)): void {
    const { f } = this;
    x87Return(this.kit, f, i32.or(f.get(this.flags), more));
  }

  override stop(): void {
    this.done(i32.const(NO_RESULT));
  }

  override exact(sign: I32, exp: I32, sig: I64): void {
    storeSlot(this.kit, this.f, this.to, sign, exp, sig);
    this.done();
  }

  override round(sign: I32, exp: I32, hi: I64, lo: I64): void {
    this.f.returnCall(x87Pack(this.kit), sign, exp, hi, lo, this.to, this.fcw, this.f.get(this.flags));
  }

  override propagate(): void {
    const [a, b = a] = this.at;
    this.f.returnCall(x87NaN(this.kit), a, b, this.to, this.fcw);
  }
}

/** Rounding control of a control word. */
export function x87Rounding(fcw: I32): I32 {
  return i32.and(i32.shr_u(fcw, i32.const(10)), i32.const(3));
}

/** Returns `flags` after leaving its exceptions and C1 in the accumulator. */
export function x87Return(kit: Kit, f: FunctionBuilder, flags: I32): void {
  const all = f.let(flags);
  kit.accumulate(f, i32.and(all, i32.const(0x3f | C1)), C1);
  f.return(all);
}

/** Stores a value to a slot. */
export function storeSlot(kit: Kit, f: FunctionBuilder, to: I32, sign: I32, exp: I32, sig: I64): void {
  f.store("i64.store", to, sig, { memory: kit.memory });
  f.store("i32.store16", to, i32.or(i32.shl(sign, i32.const(15)), exp), { offset: 8, memory: kit.memory });
}

/**
 * The helper behind the x87 rule for NaNs: a quiet one before a signalling one, else the larger significand, else the
 * positive one; made quiet. Parameters: both operands, destination, control word.
 */
export function x87NaN(kit: Kit): Callee {
  return kit.helper("f80_nan", ["i32", "i32", "i32", "i32"], ["i32"], (f) => {
    const op = new X87Operation(kit, f, 2), [a, b] = op.operands;
    const signalA = f.let(op.isSignaling(a)), signalB = f.let(op.isSignaling(b));
    f.if(i32.or(signalA, signalB), () => {
      op.raise(i32.const(IE));
      f.if(i32.eqz(op.masked(IE)), () => op.stop());
    });
    const larger = select(
      i64.eq(op.sig(a), op.sig(b)),
      i32.le_u(a.sign, b.sign),
      i64.gt_u(op.sig(a), op.sig(b)),
    );
    const both = select(i32.eq(signalA, signalB), larger, signalB);
    const first = f.let(select(op.isNaN(a), select(op.isNaN(b), both, i32.const(1)), i32.const(0)));
    const sig = i64.or(select(first, op.sig(a), op.sig(b)), i64.const(QUIET));
    op.exact(select(first, a.sign, b.sign), i32.const(F80.maxExp), sig);
  });
}

/** A significand rounded to the precision that the control word names. */
interface Rounded {
  /** Significand, 0 where it carried out of bit 63. */
  readonly sig: I64;
  /** 1 if it carried. */
  readonly carry: I32;
  /** 1 if the magnitude grew. */
  readonly up: I32;
  /** 1 if bits were lost. */
  readonly inexact: I32;
}

/** Rounds to 64, 53 or 24 bits (precision control 1 is reserved and means 64). */
function roundPrecision(f: FunctionBuilder, fcw: I32, sign: I32, pair: Pair): Rounded {
  const pc = i32.and(i32.shr_u(fcw, i32.const(8)), i32.const(3));
  const rc = x87Rounding(fcw);
  const sig = f.local("i64"), unit = f.local("i64"), below = f.local("i64");
  f.if(i32.and(pc, i32.const(1)), () => {
    f.set(sig, pair.hi);
    f.set(below, pair.lo);
    f.set(unit, i64.const(1));
  }, () => {
    // The kept bits and their unit stay in place; the lost ones move to the top of the 64 below.
    const lost = f.let(select(pc, i64.const(11), i64.const(40)));
    f.set(unit, i64.shl(i64.const(1), lost));
    f.set(sig, i64.and(pair.hi, i64.sub(i64.const(0), f.get(unit))));
    const rest = i64.shl(pair.hi, i64.sub(i64.const(64), lost));
    f.set(below, i64.or(rest, wide(i64.ne(pair.lo, i64.const(0)))));
  });
  const odd = i64.ne(i64.and(f.get(sig), f.get(unit)), i64.const(0));
  const up = f.let(roundsUp(rc, sign, { hi: wide(odd), lo: f.get(below) }));
  const result = f.let(i64.add(f.get(sig), select(up, f.get(unit), i64.const(0))));
  return {
    sig: result,
    carry: f.let(i32.and(up, i64.eqz(result))),
    up,
    inexact: f.let(i64.ne(f.get(below), i64.const(0))),
  };
}

/**
 * The helper that rounds to an f80 register: sign, biased exponent, significand (bit 63 set), bits below, destination,
 * control word, flags so far. Unmasked overflow and underflow deliver the result with an adjusted exponent.
 */
export function x87Pack(kit: Kit): Callee {
  return kit.helper("f80_pack", ["i32", "i32", "i64", "i64", "i32", "i32", "i32"], ["i32"], (f) => {
    const [sign, , , , to, fcw, flags] = parameters(f) as [I32, I32, I64, I64, I32, I32, I32];
    const exp = f.param(1, "i32"), hi = f.param(2, "i64"), lo = f.param(3, "i64"), raised = f.param(6, "i32");
    const pair = (): Pair => ({ hi: f.get(hi), lo: f.get(lo) });
    const raise = (bits: I32): void => f.set(raised, i32.or(flags, bits));
    const masked = (flag: number): I32 => i32.and(fcw, i32.const(flag));
    const tiny = f.local("i32");
    f.if(i32.le_s(f.get(exp), i32.const(0)), () => {
      const trial = roundPrecision(f, fcw, sign, pair());
      f.set(tiny, i32.or(i32.lt_s(f.get(exp), i32.const(0)), i32.eqz(trial.carry)));
      f.if(i32.and(f.get(tiny), i32.eqz(masked(UE))), () => {
        raise(i32.const(UE));
        f.set(exp, i32.add(f.get(exp), i32.const(BIAS_ADJUST)));
      }, () => {
        const count = f.let(i32.sub(i32.const(1), f.get(exp)));
        const upper = split(f, f.get(hi), count);
        const lower = wide(i64.ne(f.get(lo), i64.const(0)));
        f.set(lo, i64.or(upper.lo, lower));
        f.set(hi, upper.hi);
        f.set(exp, i32.const(1));
      });
    });
    const r = roundPrecision(f, fcw, sign, pair());
    f.set(exp, i32.add(f.get(exp), r.carry));
    f.if(i32.and(f.get(tiny), r.inexact), () => raise(i32.const(UE)));
    f.if(i32.ge_s(f.get(exp), i32.const(F80.maxExp)), () => {
      raise(i32.const(OE));
      f.if(masked(OE), () => {
        const grows = f.let(i32.or(i32.eqz(x87Rounding(fcw)), i32.eq(x87Rounding(fcw), i32.sub(i32.const(2), sign))));
        f.if(grows, () => {
          storeSlot(kit, f, to, sign, i32.const(F80.maxExp), i64.const(TOP));
        }, () => {
          const largest = select(
            masked(0x100),
            i64.const(-1),
            select(masked(0x200), i64.const(-1n << 11n), i64.const(-1n << 40n)),
          );
          storeSlot(kit, f, to, sign, i32.const(F80.maxExp - 1), largest);
        });
        x87Return(kit, f, i32.or(i32.or(flags, i32.const(PE)), select(grows, i32.const(C1), i32.const(0))));
      });
      f.set(exp, i32.sub(f.get(exp), i32.const(BIAS_ADJUST)));
    });
    f.if(r.inexact, () => raise(i32.const(PE)));
    f.if(r.up, () => raise(i32.const(C1)));
    const sig = f.let(select(r.carry, i64.const(TOP), r.sig));
    const denormal = i32.and(i32.eq(f.get(exp), i32.const(1)), i64.ge_s(sig, i64.const(0)));
    storeSlot(kit, f, to, sign, i32.sub(f.get(exp), denormal), sig);
    x87Return(kit, f, flags);
  });
}
