/** SSE scalar operations: operands and results are bits, MXCSR is the last parameter. @module */
import { type Expr, type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Callee, FunctionBuilder } from "../../wasm/module.ts";
import { F32, type Format, IE, OE, PE, QUIET, UE } from "./format.ts";
import { isAway, type Kit, parameters, shiftJam, wide } from "./kit.ts";
import { joinBits, narrow, Operation, unpackBits, widen } from "./operation.ts";

/** Shift from an exception flag to its mask bit in MXCSR. */
const MASKS = 7;
/** MXCSR: denormals are zeros. */
const DAZ = 0x40;
/** MXCSR: flush to zero. */
const FTZ = 0x8000;

/** A function whose first parameters are operands of `format` and whose last is MXCSR. */
export class SseOperation extends Operation {
  /** The operands as given. */
  readonly raw: readonly I64[];
  readonly #mxcsr: I32;

  /** Takes the first `count` parameters apart; `result` is the format that the function returns. */
  constructor(kit: Kit, f: FunctionBuilder, format: Format, count: number, readonly result: Format = format) {
    super(kit, f, format);
    const all = parameters(f);
    this.#mxcsr = all[all.length - 1] as I32;
    this.raw = all.slice(0, count).map((p) => f.let(widen(format, p)));
    for (const bits of this.raw) this.operands.push(unpackBits(f, format, bits));
  }

  override get rc(): I32 {
    return sseRounding(this.#mxcsr);
  }

  /** MXCSR. */
  get mxcsr(): I32 {
    return this.#mxcsr;
  }

  override masked(flag: number): I32 {
    return i32.and(this.#mxcsr, i32.const(flag << MASKS));
  }

  override pending(): I32 {
    return i32.const(0);
  }

  override denormalsAreZero(): void {
    const { f } = this;
    f.if(i32.and(this.#mxcsr, i32.const(DAZ)), () => {
      for (const o of this.operands) f.if(i32.eqz(this.exp(o)), () => f.set(o.sig, i64.const(0)));
    });
  }

  /** Returns a value of any type after leaving the flags in the accumulator. */
  answer(value: Expr): void {
    const { f } = this;
    f.if(f.get(this.flags), () => this.kit.accumulate(f, f.get(this.flags)));
    f.return(value);
  }

  override exact(sign: I32, exp: I32, sig: I64): void {
    this.answer(narrow(this.result, joinBits(this.result, sign, exp, sig)));
  }

  override round(sign: I32, exp: I32, hi: I64, lo: I64): void {
    const sticky = i64.or(hi, wide(i64.ne(lo, i64.const(0))));
    const sig = lo.kind === "const" && lo.imm === 0n ? hi : sticky;
    this.f.returnCall(ssePack(this.kit, this.result), sign, exp, sig, this.#mxcsr, this.f.get(this.flags));
  }

  override stop(): void {
    this.answer(this.result === F32 ? i32.const(0) : i64.const(0));
  }

  override propagate(): void {
    if (this.result !== this.format) {
      // A conversion's NaN keeps the upper bits of its significand.
      const [only] = this.operands;
      this.f.if(this.isSignaling(only), () => this.raise(i32.const(IE)));
      this.exact(only.sign, i32.const(this.result.maxExp), i64.or(this.sig(only), i64.const(QUIET)));
      return;
    }
    const [a, b = a] = this.raw.map((v) => narrow(this.format, v));
    this.f.returnCall(sseNaN(this.kit, this.format), a, b);
  }
}

/** Rounding control of an MXCSR value. */
export function sseRounding(mxcsr: I32): I32 {
  return i32.and(i32.shr_u(mxcsr, i32.const(13)), i32.const(3));
}

/** The SSE rule for NaNs: the first operand if it is one, else the second, made quiet. */
function sseNaN(kit: Kit, format: Format): Callee {
  const t = format.type;
  return kit.helper(`${format.name}_nan`, [t, t], [t], (f) => {
    const [a, b] = parameters(f).map((p) => f.let(widen(format, p)));
    const fraction = BigInt(format.sigBits - 1), quiet = i64.const(1n << (fraction - 1n));
    const infinity = BigInt(format.maxExp) << fraction;
    const nan = (v: I64): I32 =>
      i64.gt_u(i64.and(v, i64.const(infinity | ((1n << fraction) - 1n))), i64.const(infinity));
    const signaling = (v: I64): I32 => i32.and(nan(v), i64.eqz(i64.and(v, quiet)));
    f.if(i32.or(signaling(a), signaling(b)), () => kit.accumulate(f, i32.const(IE)));
    f.return(narrow(format, i64.or(select(nan(a), a, b), quiet)));
  });
}

/**
 * The helper that rounds to f32 or f64: sign, biased exponent, significand with bit 63 set and a sticky bit 0, MXCSR,
 * flags so far. Tininess is judged after rounding; with underflow unmasked the flag needs no inexactness.
 */
export function ssePack(kit: Kit, format: Format): Callee {
  return kit.helper(`${format.name}_pack`, ["i32", "i32", "i64", "i32", "i32"], [format.type], (f) => {
    const [sign, , , mxcsr, given] = parameters(f) as [I32, I32, I64, I32, I32];
    const exp = f.param(1, "i32"), sig = f.param(2, "i64"), flags = f.param(4, "i32");
    const rounding = new Rounding(f, format, f.let(sseRounding(mxcsr)), sign);
    const masked = (flag: number): I32 => i32.and(mxcsr, i32.const(flag << MASKS));
    const raise = (bits: I32): void => f.set(flags, i32.or(given, bits));
    const finish = (bits: I64): void => {
      f.if(given, () => kit.accumulate(f, given));
      f.return(narrow(format, bits));
    };
    const inexact = (): I32 => select(rounding.rest(f.get(sig)), i32.const(PE), i32.const(0));
    f.if(i32.le_s(f.get(exp), i32.const(0)), () => {
      const tiny = f.let(i32.or(i32.lt_s(f.get(exp), i32.const(0)), i32.eqz(rounding.carries(f.get(sig)))));
      f.if(tiny, () => {
        f.if(i32.eqz(masked(UE)), () => {
          raise(i32.or(i32.const(UE), inexact()));
          finish(i64.const(0));
        });
        f.if(i32.and(mxcsr, i32.const(FTZ)), () => {
          raise(i32.const(UE | PE));
          finish(joinBits(format, sign, i32.const(0), i64.const(0)));
        });
      });
      f.set(sig, shiftJam(f.get(sig), f.let(i32.sub(i32.const(1), f.get(exp)))));
      f.set(exp, i32.const(1));
      f.if(i32.and(tiny, rounding.rest(f.get(sig))), () => raise(i32.const(UE)));
    });
    f.if(i32.ge_s(i32.add(f.get(exp), rounding.carries(f.get(sig))), i32.const(format.maxExp)), () => {
      f.if(masked(OE), () => raise(i32.const(OE | PE)), () => raise(i32.or(i32.const(OE), inexact())));
      finish(rounding.overflow());
    });
    raise(inexact());
    finish(rounding.join(f.get(exp), f.get(sig)));
  });
}

/** Rounding of an aligned significand with a sticky bit 0 to f32 or f64. */
export class Rounding {
  readonly #increment: I64;
  readonly #below: number;

  /** Decides the increment for a rounding control and a sign. */
  constructor(
    readonly f: FunctionBuilder,
    readonly format: Format,
    readonly rc: I32,
    readonly sign: I32,
  ) {
    this.#below = 64 - format.sigBits;
    const half = i64.const(1n << BigInt(this.#below - 1)), all = i64.const((1n << BigInt(this.#below)) - 1n);
    this.#increment = f.let(select(i32.eqz(rc), half, select(isAway(rc, sign), all, i64.const(0))));
  }

  #rest(sig: I64): I64 {
    return i64.and(sig, i64.const((1n << BigInt(this.#below)) - 1n));
  }

  /** 1 if bits are lost. */
  rest(sig: I64): I32 {
    return i64.ne(this.#rest(sig), i64.const(0));
  }

  /** 1 if rounding carries out of bit 63. */
  carries(sig: I64): I32 {
    return i64.lt_u(i64.add(sig, this.#increment), sig);
  }

  /** What overflow gives when masked: infinity, or the largest number if rounding leads towards zero. */
  overflow(): I64 {
    const { format, sign } = this;
    const infinity = joinBits(format, sign, i32.const(format.maxExp), i64.const(0));
    return i64.sub(infinity, wide(i64.eqz(this.#increment)));
  }

  /** The rounded significand without its lost bits; 0 where it carries. */
  significand(sig: I64): I64 {
    const half = i64.const(1n << BigInt(this.#below - 1));
    const tie = i32.and(i32.eqz(this.rc), i64.eq(this.#rest(sig), half));
    const shifted = i64.shr_u(i64.add(sig, this.#increment), i64.const(this.#below));
    return i64.and(shifted, i64.xor(wide(tie), i64.const(-1)));
  }

  /** The rounded bits; a significand without bit 63 (with `exp` 1) gives a denormal. */
  join(exp: I32, sig: I64): I64 {
    const { format, sign } = this;
    const fraction = i64.const(format.sigBits - 1);
    const lifted = i32.add(i32.sub(exp, i32.const(1)), i32.shl(this.carries(sig), i32.const(1)));
    const top = i32.add(i32.shl(sign, i32.const(format.expBits)), lifted);
    return i64.add(i64.shl(i64.extend_i32_u(top), fraction), this.significand(sig));
  }
}
