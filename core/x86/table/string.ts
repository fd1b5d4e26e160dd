/**
 * String instructions. An iteration is committed before the next begins, so that a fault leaves the count and the
 * pointers exact; after REP_LIMIT iterations the instruction begins anew, which lets interrupts in.
 * @module
 */
import { type I32, i32, type I64, i64 } from "../../wasm/expr.ts";
import type { Ctx, Operand, Width } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { REP_LIMIT, STEP } from "../state.ts";
import { k, subFlags } from "./arith_flags.ts";

/** Moves SI or DI on by one element. */
function advance(c: Ctx, pointer: 6 | 7, width: Width): void {
  const r = c.reg(pointer, c.asize);
  r.write(c.f.let(i64.add(r.read(), i64.shl(c.state<I64>("i64.load", STEP), k(Math.log2(width / 8))))));
}

/**
 * Runs `iteration` once, or as often as the count register says. What it returns ends the repetition; `finish` follows
 * the last iteration, and each that makes way for an interrupt.
 *
 * With 32-bit addresses in 64-bit mode Intel's processors clear the upper half of RCX for a count of 0 too; MOVS and STOS
 * clear it, and that of their pointers, before anything can fault: `early` are these registers.
 */
function repeat(c: Ctx, early: readonly number[], iteration: () => I32 | void, finish: () => void = () => {}): void {
  const { f } = c;
  if (c.rep === 0) {
    iteration();
    finish();
    return;
  }
  const count = c.reg(1, c.asize);
  const clears = c.code === 64 && c.asize === 32;
  if (clears) {
    for (const n of early) c.reg(n, 32).write(c.reg(n, 32).read());
    c.commit();
  }
  f.block((none) => {
    f.if(i64.eqz(count.read()), () => {
      if (clears) {
        count.write(k(0));
        c.commit();
      }
      f.br(none);
    });
    const left = f.local("i32");
    f.set(left, c.state<I32>("i32.load", REP_LIMIT));
    f.block((ended) => {
      f.loop((next) => {
        const stop = iteration();
        const rest = f.let(i64.sub(count.read(), k(1)));
        count.write(rest);
        c.commit();
        const last = i64.eqz(rest);
        f.brIf(ended, stop ? i32.or(last, stop) : last);
        f.set(left, i32.sub(f.get(left), i32.const(1)));
        f.brIf(next, f.get(left));
      });
      finish();
      c.again();
    });
    finish();
    c.commit();
  });
}

function movs(c: Ctx): void {
  repeat(c, [1, 6, 7], () => {
    c.dst.write(c.src.read());
    advance(c, 6, c.width);
    advance(c, 7, c.width);
  });
}

function stos(c: Ctx): void {
  repeat(c, [1, 7], () => {
    c.dst.write(c.src.read());
    advance(c, 7, c.width);
  });
}

function lods(c: Ctx): void {
  repeat(c, [], () => {
    c.dst.write(c.src.read());
    advance(c, 6, c.width);
  });
}

/**
 * CMPS and SCAS; processors read the second operand first. The flags of the last comparison are set when the repetition ends: a fault in its middle leaves the
 * flags of before the instruction, as the manual has it.
 */
function compare(c: Ctx, first: Operand, second: Operand, pointers: readonly (6 | 7)[]): void {
  const { f } = c;
  const a = f.local("i64"), b = f.local("i64");
  const iteration = () => {
    const right = second.read();
    f.set(a, first.read());
    f.set(b, right);
    for (const p of pointers) advance(c, p, c.width);
    return c.rep === 1 ? i64.ne(f.get(a), f.get(b)) : i64.eq(f.get(a), f.get(b));
  };
  repeat(c, [], iteration, () => {
    const r = f.let(i64.sub(f.get(a), f.get(b)));
    c.setFlags(subFlags(c, f.get(a), f.get(b), r, c.width));
  });
}

const REP = { string: "rep", address: true } as const;
const REPZ = { string: "repz", address: true, writes: "OSZAPC" } as const;

/** String instructions. */
// deno-fmt-ignore
export const STRINGS: readonly Row[] = [
  insn("MOVS", "A4 Yb,Xb|A5 Yv,Xv", REP, movs),
  insn("CMPS", "A6 Xb,Yb|A7 Xv,Yv", REPZ, (c) => compare(c, c.dst, c.src, [6, 7])),
  insn("STOS", "AA Yb,AL|AB Yv,rAX", REP, stos),
  insn("LODS", "AC AL,Xb|AD rAX,Xv", REP, lods),
  insn("SCAS", "AE AL,Yb|AF rAX,Yv", REPZ, (c) => compare(c, c.dst, c.src, [7])),
];
