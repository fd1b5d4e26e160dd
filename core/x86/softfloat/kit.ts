/**
 * What all soft-float generators share: the module under construction with its helper functions, and short emitters
 * for shifts that keep a sticky bit, 128-bit products and rounding decisions.
 *
 * Significands are i64 with the integer bit at bit 63. A pair (`hi`, `lo`) is a significand with 64 more bits, of which
 * bit 63 of `lo` is the half-ulp bit and the rest may be sticky.
 * @module
 */
import { type Expr, type I32, i32, type I64, i64, op, select } from "../../wasm/expr.ts";
import type { Callee, FunctionBuilder, ModuleBuilder } from "../../wasm/module.ts";
import type { ValType } from "../../wasm/ops.ts";

/** A significand with 64 bits below it. */
export interface Pair {
  /** The significand. */
  readonly hi: I64;
  /** The bits below. */
  readonly lo: I64;
}

/** The module that the functions go to, the state memory in it, and the helpers made so far. */
export class Kit {
  readonly #helpers = new Map<string, Callee>();

  /** Used by `defineSoftFloat`. */
  constructor(
    /** Where functions are added. */
    readonly module: ModuleBuilder,
    /** Index of the state memory. */
    readonly memory: number,
    /** Address of the i32 that accumulates flags. */
    readonly flagsAt: number,
  ) {}

  /** A function of the module by name; `build` writes its body at first use. */
  helper(
    name: string,
    params: readonly ValType[],
    results: readonly ValType[],
    build: (f: FunctionBuilder) => void,
  ): Callee {
    const known = this.#helpers.get(name);
    if (known) return known;
    const f = this.module.function(name, params, results);
    this.#helpers.set(name, f);
    build(f);
    return f;
  }

  /** ORs `flags` into the accumulator after taking away the bits of `clear`. */
  accumulate(f: FunctionBuilder, flags: I32, clear: number = 0): void {
    const at = i32.const(0), where = { offset: this.flagsAt, memory: this.memory };
    f.store("i32.store", at, i32.or(i32.and(i32.load(at, where), i32.const(~clear)), flags), where);
  }
}

/** 0 or 1 as i64. */
export function wide(condition: I32): I64 {
  return i64.extend_i32_u(condition);
}

/** `value >>> count` with all lost bits ORed into bit 0; `count` is any unsigned number. Evaluates both repeatedly. */
export function shiftJam(value: I64, count: I32): I64 {
  const n = i64.extend_i32_u(count);
  const lost = i64.and(value, i64.xor(i64.shl(i64.const(-1), n), i64.const(-1)));
  const near = i64.or(i64.shr_u(value, n), wide(i64.ne(lost, i64.const(0))));
  return select(i32.lt_u(count, i32.const(64)), near, wide(i64.ne(value, i64.const(0))));
}

/** `value` shifted right by any unsigned `count` into the 64 bits below, the last of which is sticky. */
export function split(f: FunctionBuilder, value: I64, count: I32): Pair {
  const near = i32.lt_u(count, i32.const(64)), n = i64.extend_i32_u(count);
  const hi = f.let(select(near, i64.shr_u(value, n), i64.const(0)));
  const lo = f.choose(
    near,
    () => i64.shl(i64.shl(value, i64.const(1)), i64.sub(i64.const(63), n)),
    () => shiftJam(value, i32.sub(count, i32.const(64))),
  );
  return { hi, lo };
}

/** 1 if rounding control `rc` (x86 numbering) takes `hi` with the bits `lo` below to the next larger magnitude. */
export function roundsUp(rc: I32, sign: I32, { hi, lo }: Pair): I32 {
  const aboveTie = i64.ne(i64.or(i64.shl(lo, i64.const(1)), i64.and(hi, i64.const(1))), i64.const(0));
  const nearest = i32.and(i64.lt_s(lo, i64.const(0)), aboveTie);
  const away = i32.and(isAway(rc, sign), i64.ne(lo, i64.const(0)));
  return select(i32.eqz(rc), nearest, away);
}

/** 1 if `rc` is the directed mode that leads away from zero for this sign. */
export function isAway(rc: I32, sign: I32): I32 {
  return i32.eq(rc, i32.sub(i32.const(2), sign));
}

/** The 128-bit product of two unsigned i64; the operands must be constants or locals. */
export function multiply(f: FunctionBuilder, a: I64, b: I64): Pair {
  const low = (v: I64): I64 => i64.and(v, i64.const(0xffff_ffffn));
  const high = (v: I64): I64 => i64.shr_u(v, i64.const(32));
  const p1 = f.let(i64.mul(low(a), high(b))), p2 = f.let(i64.mul(high(a), low(b)));
  const middle = i64.add(i64.add(high(i64.mul(low(a), low(b))), low(p1)), low(p2));
  const hi = f.let(i64.add(i64.add(i64.mul(high(a), high(b)), high(p1)), i64.add(high(p2), high(middle))));
  return { hi, lo: f.let(i64.mul(a, b)) };
}

/**
 * The helper `udiv128(hi, lo, d)`: the 64-bit quotient of a 128-bit number by `d`, which has bit 63 set and is above
 * `hi`. Source: Knuth, TAOCP volume 2, 4.3.1 D, with two 32-bit digits.
 */
export function udiv128(kit: Kit): Callee {
  return kit.helper("udiv128", ["i64", "i64", "i64"], ["i64"], (f) => {
    const hi = f.get(f.param(0, "i64")), lo = f.get(f.param(1, "i64")), d = f.get(f.param(2, "i64"));
    const c32 = i64.const(32), low32 = i64.const(0xffff_ffffn);
    const dh = f.let(i64.shr_u(d, c32)), dl = f.let(i64.and(d, low32));
    const digit = (top: I64, next: I64): I64 => {
      const q = f.local("i64"), r = f.local("i64");
      f.set(q, i64.div_u(top, dh));
      f.set(r, i64.sub(top, i64.mul(f.get(q), dh)));
      f.loop((again) => {
        const tooLarge = i32.or(
          i64.gt_u(f.get(q), low32),
          i64.gt_u(i64.mul(f.get(q), dl), i64.or(i64.shl(f.get(r), c32), next)),
        );
        f.if(tooLarge, () => {
          f.set(q, i64.sub(f.get(q), i64.const(1)));
          f.set(r, i64.add(f.get(r), dh));
          f.brIf(again, i64.le_u(f.get(r), low32));
        });
      });
      return f.get(q);
    };
    const next = f.let(i64.shr_u(lo, c32));
    const q1 = digit(hi, next);
    const rest = f.let(i64.sub(i64.or(i64.shl(hi, c32), next), i64.mul(q1, d)));
    const q0 = digit(rest, f.let(i64.and(lo, low32)));
    f.return(i64.add(i64.shl(q1, c32), q0));
  });
}

/** The integer square root of an i64 that is at least 2^62: 32 bits. */
export function sqrt64(f: FunctionBuilder, value: I64): I64 {
  const s = f.local("i64");
  const estimate = op<"i64">("i64.trunc_sat_f64_u", op<"f64">("f64.sqrt", op<"f64">("f64.convert_i64_u", value)));
  f.set(s, estimate);
  f.if(i64.gt_u(f.get(s), i64.const(0xffff_ffffn)), () => f.set(s, i64.const(0xffff_ffffn)));
  f.set(s, i64.sub(f.get(s), wide(i64.gt_u(i64.mul(f.get(s), f.get(s)), value))));
  const rest = i64.sub(value, i64.mul(f.get(s), f.get(s)));
  f.set(s, i64.add(f.get(s), wide(i64.gt_u(rest, i64.shl(f.get(s), i64.const(1))))));
  return f.get(s);
}

/** Parameters of a function as expressions. */
export function parameters(f: FunctionBuilder): Expr[] {
  return f.type.params.map((t, i) => f.get(f.param(i, t)));
}
