/**
 * String instructions. An iteration is committed before the next begins, so that a fault leaves the count and the
 * pointers exact; after REP_LIMIT iterations the instruction begins anew, which lets interrupts in.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Label, Local } from "../../wasm/module.ts";
import type { Ctx, Operand, Width } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { REP_LIMIT, STEP } from "../state.ts";
import { k, subFlags, wide } from "./arith_flags.ts";

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
 *
 * `bulk` does up to so many iterations at once, but none that needs a check, moves the pointers, and gives their number.
 */
function repeat(
  c: Ctx,
  early: readonly number[],
  iteration: () => I32 | void,
  finish: () => void = () => {},
  bulk?: (most: I32) => I32,
): void {
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
        if (bulk) inBulk(c, left, bulk, next, ended);
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

/** Tries `bulk` for the iterations that are left, and goes on with the next if it did some. */
function inBulk(c: Ctx, left: Local<"i32">, bulk: (most: I32) => I32, next: Label, ended: Label): void {
  const { f } = c;
  const count = c.reg(1, c.asize), v = count.read(), limit = f.get(left);
  const n = bulk(f.let(select(i64.lt_u(v, wide(limit)), i32.wrap_i64(v), limit)));
  f.if(n, () => {
    const rest = f.let(i64.sub(v, wide(n)));
    count.write(rest);
    c.commit();
    f.brIf(ended, i64.eqz(rest));
    f.set(left, i32.sub(limit, n));
    f.brIf(next, f.get(left));
    c.again();
  });
}

/** Moves SI or DI on by `n` elements. */
function advanceBy(c: Ctx, pointer: 6 | 7, n: I32): void {
  const r = c.reg(pointer, c.asize), step = i64.shl(c.state<I64>("i64.load", STEP), k(Math.log2(c.width / 8)));
  r.write(c.f.let(i64.add(r.read(), i64.mul(step, wide(n)))));
}

/** Whether the direction is up. */
const isUp = (c: Ctx): I32 => c.f.let(i64.gt_s(c.state<I64>("i64.load", STEP), k(0)));

/** How many elements, `most` at most, the page has in the direction, from one on that begins `bytes` before its end. */
function elements(c: Ctx, bytes: I32, up: I32, most: I32): I32 {
  const shift = i32.const(Math.log2(c.width / 8)), above = i32.shr_u(bytes, shift);
  const below = i32.add(i32.shr_u(i32.sub(i32.const(4096), bytes), shift), i32.const(1));
  const fit = c.f.let(select(up, above, select(above, below, i32.const(0))));
  return c.f.let(select(i32.lt_u(fit, most), fit, most));
}

/** The lowest byte of `bytes` bytes of elements of which the one at `host` is the first in the direction. */
function lowest(c: Ctx, host: I32, up: I32, bytes: I32): I32 {
  return select(up, host, i32.add(i32.sub(host, bytes), i32.const(c.width / 8)));
}

/** MOVS of several elements, where both pages are at hand and the copy does not feed on itself. */
function moveMany(c: Ctx, most: I32): I32 {
  const { f } = c, up = isUp(c);
  const from = c.src.access(1, "read").span(), to = c.dst.access(1, "write").span();
  const n = elements(c, to.bytes, up, elements(c, from.bytes, up, most));
  const bytes = f.let(i32.shl(n, i32.const(Math.log2(c.width / 8))));
  const distance = i32.sub(to.host, from.host);
  const apart = i32.ge_u(select(up, distance, i32.sub(i32.const(0), distance)), bytes);
  return whole(c, i32.and(i32.ne(n, i32.const(0)), apart), n, () => {
    c.copyMemory(lowest(c, to.host, up, bytes), lowest(c, from.host, up, bytes), bytes);
    advanceBy(c, 6, n);
    advanceBy(c, 7, n);
  });
}

/** STOS of several elements. */
function storeMany(c: Ctx, most: I32): I32 {
  const up = isUp(c), to = c.dst.access(1, "write").span();
  const n = elements(c, to.bytes, up, most);
  const bytes = c.f.let(i32.shl(n, i32.const(Math.log2(c.width / 8))));
  return whole(c, n, n, () => {
    c.fillMemory(lowest(c, to.host, up, bytes), c.src.read(), bytes, c.width);
    advanceBy(c, 7, n);
  });
}

/** Does it if it can be done; gives `n` or 0. */
function whole(c: Ctx, can: I32, n: I32, act: () => void): I32 {
  const { f } = c;
  const done = f.local("i32");
  f.set(done, i32.const(0));
  f.if(can, () => {
    act();
    c.commit();
    f.set(done, n);
  });
  return f.let(f.get(done));
}

function movs(c: Ctx): void {
  const bulk = c.src.isFlat && c.dst.isFlat ? (most: I32) => moveMany(c, most) : undefined;
  repeat(
    c,
    [1, 6, 7],
    () => {
      c.dst.write(c.src.read());
      advance(c, 6, c.width);
      advance(c, 7, c.width);
    },
    undefined,
    bulk,
  );
}

function stos(c: Ctx): void {
  const bulk = c.dst.isFlat ? (most: I32) => storeMany(c, most) : undefined;
  repeat(
    c,
    [1, 7],
    () => {
      c.dst.write(c.src.read());
      advance(c, 7, c.width);
    },
    undefined,
    bulk,
  );
}

function lods(c: Ctx): void {
  repeat(c, [], () => {
    c.dst.write(c.src.read());
    advance(c, 6, c.width);
  });
}

/**
 * CMPS and SCAS; processors read the second operand first. The flags of the last comparison are set when the repetition
 * ends: a fault in its middle leaves the flags of before the instruction, as the manual has it.
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
