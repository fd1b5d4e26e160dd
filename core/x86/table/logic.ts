/**
 * AND, OR, XOR, TEST, NOT. AF, which the manual leaves undefined, is cleared, as processors do.
 * @module
 */
import { type I64, i64 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { k, logicFlags } from "./arith_flags.ts";

function logic(c: Ctx, operator: (a: I64, b: I64) => I64): void {
  const a = c.dst.modify(), b = c.src.read(), r = c.f.let(operator(a, b));
  c.setFlags(logicFlags(r, c.width));
  c.dst.write(r);
}

const or = (c: Ctx): void => logic(c, i64.or);
const and = (c: Ctx): void => logic(c, i64.and);
const xor = (c: Ctx): void => logic(c, i64.xor);

function test(c: Ctx): void {
  c.setFlags(logicFlags(c.f.let(i64.and(c.dst.read(), c.src.read())), c.width));
}

const FLAGS = { writes: "OSZPC", undefined: "A" };
const LOCK = { lock: true, writes: "OSZPC", undefined: "A" };
const LOCK_INVALID = { ...LOCK, long: "invalid" } as const;

/** Logical operations. */
// deno-fmt-ignore
export const LOGIC: readonly Row[] = [
  insn("OR", "08 /r Eb,Gb|09 /r Ev,Gv|0A /r Gb,Eb|0B /r Gv,Ev|0C AL,Ib|0D rAX,sIz|80 /1 Eb,Ib|81 /1 Ev,sIz|83 /1 Ev,sIb", LOCK, or),
  insn("OR", "82 /1 Eb,Ib", LOCK_INVALID, or),
  insn("AND", "20 /r Eb,Gb|21 /r Ev,Gv|22 /r Gb,Eb|23 /r Gv,Ev|24 AL,Ib|25 rAX,sIz|80 /4 Eb,Ib|81 /4 Ev,sIz|83 /4 Ev,sIb", LOCK, and),
  insn("AND", "82 /4 Eb,Ib", LOCK_INVALID, and),
  insn("XOR", "30 /r Eb,Gb|31 /r Ev,Gv|32 /r Gb,Eb|33 /r Gv,Ev|34 AL,Ib|35 rAX,sIz|80 /6 Eb,Ib|81 /6 Ev,sIz|83 /6 Ev,sIb", LOCK, xor),
  insn("XOR", "82 /6 Eb,Ib", LOCK_INVALID, xor),
  insn("TEST", "84 /r Eb,Gb|85 /r Ev,Gv|A8 AL,Ib|A9 rAX,sIz|F6 /0 Eb,Ib|F6 /1 Eb,Ib|F7 /0 Ev,sIz|F7 /1 Ev,sIz", FLAGS, test),
  insn("NOT", "F6 /2 Eb|F7 /2 Ev", { lock: true }, (c) => c.dst.write(c.f.let(i64.xor(c.dst.modify(), k(-1))))),
];
