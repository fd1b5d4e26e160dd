/** Comparison, minimum and maximum. @module */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import { C0, C2, C3, IE } from "./format.ts";
import type { Operation } from "./operation.ts";
import { narrow } from "./operation.ts";
import type { SseOperation } from "./sse.ts";
import { X87Operation } from "./x87.ts";

/** What a comparison answers. */
interface Relations<T> {
  readonly less: T;
  readonly equal: T;
  readonly greater: T;
  readonly unordered: T;
}

const SSE: Relations<number> = { less: -1, equal: 0, greater: 1, unordered: 2 };
const X87: Relations<number> = { less: C0, equal: C3, greater: 0, unordered: C0 | C2 | C3 };

function isLess(op: Operation): I32 {
  const { operands: [a, b] } = op;
  const magnitude = (flip: boolean): I32 => {
    const [x, y] = flip ? [b, a] : [a, b];
    const below = i32.and(i32.eq(op.exp(x), op.exp(y)), i64.lt_u(op.sig(x), op.sig(y)));
    return i32.or(i32.lt_s(op.exp(x), op.exp(y)), below);
  };
  return select(i32.eq(a.sign, b.sign), select(a.sign, magnitude(true), magnitude(false)), a.sign);
}

function isEqual(op: Operation): I32 {
  const { operands: [a, b] } = op;
  const same = i32.and(i32.eq(op.exp(a), op.exp(b)), i64.eq(op.sig(a), op.sig(b)));
  const zero = i64.eqz(i64.or(op.sig(a), op.sig(b)));
  return i32.or(i32.and(same, i32.eq(a.sign, b.sign)), zero);
}

/**
 * Comparison. SSE: returns -1, 0, 1 or 2 for unordered. x87: C3, C2 and C0 among the flags. A quiet NaN is invalid only
 * to the signalling kind.
 */
export function compare(op: SseOperation | X87Operation, signaling: boolean): void {
  const { f } = op;
  const relation = op instanceof X87Operation ? X87 : SSE;
  const answer = (value: I32): void => op instanceof X87Operation ? op.done(value) : op.answer(value);
  f.if(op.any((o) => i32.or(op.isNaN(o), op.isUnsupported(o))), () => {
    const bad = signaling ? i32.const(1) : op.any((o) => i32.or(op.isSignaling(o), op.isUnsupported(o)));
    f.if(bad, () => op.raise(i32.const(IE)));
    answer(i32.const(relation.unordered));
  });
  op.denormalsAreZero();
  f.if(i32.or(op.any((o) => op.isDenormal(o)), op.pending()), () => op.raise(i32.const(2)));
  if (op instanceof X87Operation) {
    // A pseudo-denormal has the value of the normal number with exponent 1.
    for (const o of op.operands) f.if(i32.eqz(op.exp(o)), () => op.normalise(o));
  }
  f.if(isEqual(op), () => answer(i32.const(relation.equal)));
  answer(select(isLess(op), i32.const(relation.less), i32.const(relation.greater)));
}

/** MINSx and MAXSx: the second operand if either is a NaN or both are zero. */
export function minmax(op: SseOperation, maximum: boolean): void {
  const { f, raw, operands } = op;
  const [a, b] = raw.map((bits) => {
    const l = f.local("i64");
    f.set(l, bits);
    return l;
  });
  const second = (): void => op.answer(narrow(op.format, f.get(b)));
  op.denormalsAreZero();
  // With DAZ the chosen operand is the zero that it was taken for.
  const signOnly = (o: I64): I64 => i64.and(o, i64.const(1n << BigInt(op.format.sigBits + op.format.expBits - 1)));
  [a, b].forEach((l, i) => f.if(op.isZero(operands[i]), () => f.set(l, signOnly(f.get(l)))));
  f.if(op.any((o) => op.isNaN(o)), () => {
    op.raise(i32.const(IE));
    second();
  });
  f.if(op.any((o) => op.isDenormal(o)), () => op.raise(i32.const(2)));
  f.if(isEqual(op), second);
  const first = maximum ? i32.eqz(isLess(op)) : isLess(op);
  op.answer(narrow(op.format, select(first, f.get(a), f.get(b))));
}
