/** Between the floating-point formats. @module */
import { type Expr, type I32, i32, i64, select } from "../../wasm/expr.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import { C1, DE, DENORMAL_OPERAND, F64, F80, type Format, IE, NO_RESULT, OE, PE, QUIET, TOP, UE } from "./format.ts";
import { type Kit, parameters, shiftJam } from "./kit.ts";
import { joinBits, narrow, type Operand, unpackBits, widen } from "./operation.ts";
import { Rounding, type SseOperation } from "./sse.ts";
import { storeSlot, type X87Operation, x87Return, x87Rounding } from "./x87.ts";

/** CVTSS2SD and CVTSD2SS. */
export function convertSse(op: SseOperation): void {
  const { f, format, result, operands: [a] } = op;
  op.prologue({
    special: () => {
      f.if(op.isTop(a), () => op.exact(a.sign, i32.const(result.maxExp), i64.const(TOP)));
      f.if(op.isZero(a), () => op.zero(a.sign));
    },
  });
  const exp = i32.add(op.exp(a), i32.const(result.bias - format.bias));
  if (result === F64) op.exact(a.sign, exp, op.sig(a));
  else op.round(a.sign, exp, op.sig(a), i64.const(0));
}

/** The class tests that loading needs, for an operand without an operation. */
function load(f: FunctionBuilder, format: Format): { a: Operand; exp: I32; to: I32; rest: Expr[] } {
  const [bits, to, ...rest] = parameters(f);
  const a = unpackBits(f, format, f.let(widen(format, bits)));
  const exp = i32.add(f.get(a.exp), i32.const(F80.bias - format.bias));
  f.if(
    i32.eq(f.get(a.exp), i32.const(format.maxExp)),
    () => f.set(a.exp, i32.const(F80.maxExp - F80.bias + format.bias)),
  );
  return { a, exp, to: to as I32, rest };
}

/** Makes a denormal normal and a zero zero, after which `exp` is that of an f80. */
function normalise(f: FunctionBuilder, format: Format, a: Operand, denormal: () => void): void {
  f.if(i32.eqz(f.get(a.exp)), () => {
    f.if(i64.eqz(f.get(a.sig)), () => f.set(a.exp, i32.const(format.bias - F80.bias)), () => {
      denormal();
      const n = f.let(i64.clz(f.get(a.sig)));
      f.set(a.sig, i64.shl(f.get(a.sig), n));
      f.set(a.exp, i32.sub(i32.const(1), i32.wrap_i64(n)));
    });
  });
}

/**
 * FLD m32 and m64: bits, destination, control word. A signalling NaN is invalid. A denormal is loaded even where its
 * exception is unmasked, as the processor does.
 */
export function loadFloat(kit: Kit, f: FunctionBuilder, format: Format): void {
  const { a, exp, to, rest: [fcw] } = load(f, format);
  const flags = f.local("i32");
  const nan = i32.and(i32.eq(exp, i32.const(F80.maxExp)), i64.ne(f.get(a.sig), i64.const(TOP)));
  f.if(nan, () => {
    f.if(i64.eqz(i64.and(f.get(a.sig), i64.const(QUIET))), () => {
      f.set(flags, i32.const(IE));
      f.if(i32.eqz(i32.and(fcw as I32, i32.const(IE))), () => x87Return(kit, f, i32.const(IE | NO_RESULT)));
    });
    f.set(a.sig, i64.or(f.get(a.sig), i64.const(QUIET)));
  });
  normalise(f, format, a, () => f.set(flags, i32.const(DE)));
  storeSlot(kit, f, to, a.sign, exp, f.get(a.sig));
  x87Return(kit, f, f.get(flags));
}

/**
 * An m32 or m64 operand of x87 arithmetic: bits, destination. Raises nothing and keeps a signalling NaN; returns
 * {@linkcode DENORMAL_OPERAND} for a denormal, which the caller ORs into the control word of the operation.
 */
export function loadOperand(kit: Kit, f: FunctionBuilder, format: Format): void {
  const { a, exp, to } = load(f, format);
  const pending = f.local("i32");
  normalise(f, format, a, () => f.set(pending, i32.const(DENORMAL_OPERAND)));
  storeSlot(kit, f, to, a.sign, exp, f.get(a.sig));
  f.return(f.get(pending));
}

/** FST m32 and m64: rounds a slot to the format, in memory. */
export function storeFloat(op: X87Operation, format: Format): void {
  const { f, kit, to, fcw, operands: [a] } = op;
  const store = (bits: Expr): void => f.store(`${format.type}.store`, to, bits, { memory: kit.memory });
  const finish = (exp: number, sig: bigint | null): void => {
    store(narrow(format, joinBits(format, a.sign, i32.const(exp), sig === null ? op.sig(a) : i64.const(sig))));
    op.done();
  };
  const fault = (): void => {
    op.raise(i32.const(IE));
    f.if(i32.eqz(op.masked(IE)), () => op.stop());
  };
  f.if(op.isUnsupported(a), () => {
    fault();
    store(narrow(format, joinBits(format, i32.const(1), i32.const(format.maxExp), i64.const(QUIET))));
    op.done();
  });
  f.if(op.isTop(a), () => {
    f.if(op.isSignaling(a), fault);
    f.if(op.isNaN(a), () => f.set(a.sig, i64.or(op.sig(a), i64.const(QUIET))));
    finish(format.maxExp, null);
  });
  f.if(op.isZero(a), () => finish(0, 0n));
  op.normalise(a);
  const rounding = new Rounding(f, format, f.let(x87Rounding(fcw)), a.sign);
  const exp = f.local("i32"), sig = f.local("i64");
  f.set(exp, i32.add(op.exp(a), i32.const(format.bias - F80.bias)));
  f.set(sig, op.sig(a));
  f.if(i32.le_s(f.get(exp), i32.const(0)), () => {
    const tiny = f.let(i32.or(i32.lt_s(f.get(exp), i32.const(0)), i32.eqz(rounding.carries(f.get(sig)))));
    f.if(i32.and(tiny, i32.eqz(op.masked(UE))), () => {
      op.raise(i32.const(UE));
      op.stop();
    });
    f.set(sig, shiftJam(f.get(sig), f.let(i32.sub(i32.const(1), f.get(exp)))));
    f.set(exp, i32.const(1));
    f.if(i32.and(tiny, rounding.rest(f.get(sig))), () => op.raise(i32.const(UE)));
  });
  const lost = i64.const(64 - format.sigBits);
  const kept = rounding.significand(f.get(sig));
  const up = i32.or(rounding.carries(f.get(sig)), i64.ne(kept, i64.shr_u(f.get(sig), lost)));
  f.if(i32.ge_s(i32.add(f.get(exp), rounding.carries(f.get(sig))), i32.const(format.maxExp)), () => {
    op.raise(i32.const(OE));
    f.if(i32.eqz(op.masked(OE)), () => op.stop());
    op.raise(i32.const(PE));
    const bits = f.let(rounding.overflow());
    store(narrow(format, bits));
    const infinite = i64.eqz(i64.shl(bits, i64.const(65 - format.sigBits)));
    op.done(select(infinite, i32.const(C1), i32.const(0)));
  });
  f.if(rounding.rest(f.get(sig)), () => op.raise(i32.const(PE)));
  store(narrow(format, rounding.join(f.get(exp), f.get(sig))));
  op.done(i32.mul(up, i32.const(C1)));
}
