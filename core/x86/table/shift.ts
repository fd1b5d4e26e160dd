/**
 * Shifts and rotates. The count is masked to 5 bits, 6 for 64-bit operands, and a masked count of 0 changes no flag.
 *
 * The manual defines OF for a count of 1 only. Intel's processors give it the value of the first step for every count;
 * only a rotate of a register by an immediate other than 1, and one through carry by a multiple of one more than the
 * width, leave it alone.
 * @module
 */
import { i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { cfOf, ofOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { bitAt, carries, k, lowMask, pick, signExtend, wide, withCarries } from "./arith_flags.ts";

const masked = (c: Ctx, count: I64): I64 => c.f.let(i64.and(count, k(c.width === 64 ? 63 : 31)));

/** Whether the top two bits differ: OF of every shift and rotate to the left. */
const signMoves = (c: Ctx, a: I64): I64 => c.share(bitAt(i64.xor(a, i64.shl(a, k(1))), c.width - 1));

function finish(c: Ctx, r: I64, aux: I64, count: I64): void {
  c.setFlags({ res: signExtend(r, c.width), aux }, i64.ne(count, k(0)));
  c.dst.write(r);
}

function shl(c: Ctx): void {
  const a = c.dst.modify(), n = masked(c, c.src.read()), w = c.width;
  const r = c.f.let(i64.shl(a, n));
  const cf = c.share(bitAt(i64.shl(a, i64.sub(n, k(1))), w - 1));
  finish(c, r, carries(cf, signMoves(c, a)), n);
}

function shr(c: Ctx): void {
  const a = c.dst.modify(), n = masked(c, c.src.read()), w = c.width;
  const before = c.share(i64.shr_u(a, i64.sub(n, k(1)))), r = c.f.let(i64.shr_u(a, n));
  finish(c, r, carries(i64.and(before, k(1)), bitAt(a, w - 1)), n);
}

function sar(c: Ctx): void {
  const a = c.f.let(signExtend(c.dst.modify(), c.width)), n = masked(c, c.src.read());
  const before = c.share(i64.shr_s(a, i64.sub(n, k(1)))), r = c.f.let(i64.shr_s(a, n));
  finish(c, r, carries(i64.and(before, k(1)), k(0)), n);
}

/** A rotation: WebAssembly's own for 32 and 64 bits, `narrow` for less. */
function rotate(c: Ctx, name: "rotl" | "rotr", a: I64, by: I64, narrow: I64): I64 {
  if (c.width === 64) return i64[name](a, by);
  if (c.width === 32) return i64.extend_i32_u(i32[name](i32.wrap_i64(a), i32.wrap_i64(by)));
  return narrow;
}

function rol(c: Ctx): void {
  const a = c.dst.modify(), n = masked(c, c.src.read()), w = c.width;
  const by = c.f.let(i64.and(n, k(w - 1)));
  const r = c.f.let(rotate(c, "rotl", a, by, i64.or(i64.shl(a, by), i64.shr_u(a, i64.sub(k(w), by)))));
  const cf = c.share(i64.and(r, k(1)));
  rotated(c, cf, signMoves(c, a), n);
  c.dst.write(r);
}

/** Flags of ROL and ROR by `n`. */
function rotated(c: Ctx, cf: I64, of: I64, n: I64): void {
  const old = c.flags();
  const immediate = c.form.operands[1].code === "I" && !c.dst.isMemory;
  const overflow = immediate ? c.share(select(i64.eq(n, k(1)), of, wide(ofOf(old)))) : of;
  c.setFlags(withCarries(old, cf, overflow), i64.ne(n, k(0)));
}

function ror(c: Ctx): void {
  const a = c.dst.modify(), n = masked(c, c.src.read()), w = c.width;
  const by = c.f.let(i64.and(n, k(w - 1)));
  const r = c.f.let(rotate(c, "rotr", a, by, i64.or(i64.shr_u(a, by), i64.shl(a, i64.sub(k(w), by)))));
  const cf = c.share(bitAt(r, w - 1));
  rotated(c, cf, i64.xor(bitAt(a, w - 1), a), n);
  c.dst.write(r);
}

/** The count of a rotate through carry modulo one more than the width; it is below 32 already. */
function throughCarry(c: Ctx, n: I64): I64 {
  switch (c.width) {
    case 8:
      return c.f.let(i64.rem_u(n, k(9)));
    case 16:
      return c.f.let(i64.rem_u(n, k(17)));
    default:
      return n;
  }
}

/** RCL by `n`, 1 … width, without flags; for 0 the value is not used. */
function rotateLeft(a: I64, cf: I64, n: I64, width: number): I64 {
  const high = i64.or(i64.shl(a, n), i64.shl(cf, i64.sub(n, k(1))));
  return i64.or(high, i64.shr_u(i64.shr_u(a, k(1)), i64.sub(k(width), n)));
}

function rotateRight(a: I64, cf: I64, n: I64, width: number): I64 {
  const low = i64.or(i64.shr_u(a, n), i64.shl(cf, i64.sub(k(width), n)));
  return i64.or(low, i64.shl(i64.shl(a, k(1)), i64.sub(k(width), n)));
}

function rcl(c: Ctx): void {
  const a = c.dst.modify(), n = throughCarry(c, masked(c, c.src.read())), w = c.width;
  const old = c.flags(), cf = c.f.let(wide(cfOf(old))), moves = c.f.let(i64.ne(n, k(0)));
  const r = pick(c, moves, i64.and(rotateLeft(a, cf, n, w), lowMask(w)), a);
  const out = pick(c, moves, i64.and(i64.shr_u(a, i64.sub(k(w), n)), k(1)), cf);
  c.setFlags(withCarries(old, out, signMoves(c, a)), moves);
  c.dst.write(r);
}

function rcr(c: Ctx): void {
  const a = c.dst.modify(), n = throughCarry(c, masked(c, c.src.read())), w = c.width;
  const old = c.flags(), cf = c.f.let(wide(cfOf(old))), moves = c.f.let(i64.ne(n, k(0)));
  const r = pick(c, moves, i64.and(rotateRight(a, cf, n, w), lowMask(w)), a);
  const out = pick(c, moves, i64.and(i64.shr_u(a, i64.sub(n, k(1))), k(1)), cf);
  c.setFlags(withCarries(old, out, i64.xor(bitAt(a, w - 1), cf)), moves);
  c.dst.write(r);
}

/**
 * SHLD and SHRD. Counts above 16 with 16-bit operands are undefined in the manual; processors then shift in the
 * destination again behind the source.
 */
function shld(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read(), n = masked(c, c.src2.read()), w = c.width;
  let r: I64, cf: I64;
  if (w === 16) {
    const all = c.f.let(i64.or(i64.shl(a, k(32)), i64.or(i64.shl(b, k(16)), a)));
    r = c.f.let(i64.and(i64.shr_u(i64.shl(all, n), k(32)), k(0xffff)));
    cf = c.f.let(bitAt(i64.shl(all, i64.sub(n, k(1))), 47));
  } else {
    const shifted = i64.or(i64.shl(a, n), i64.shr_u(i64.shr_u(b, k(1)), i64.sub(k(w - 1), n)));
    r = c.f.let(i64.and(shifted, lowMask(w)));
    cf = c.f.let(i64.and(i64.shr_u(a, i64.sub(k(w), n)), k(1)));
  }
  double(c, r, cf, signMoves(c, a), n, a);
}

function shrd(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read(), n = masked(c, c.src2.read()), w = c.width;
  let r: I64, cf: I64;
  if (w === 16) {
    const all = c.f.let(i64.or(i64.shl(a, k(32)), i64.or(i64.shl(b, k(16)), a)));
    r = c.f.let(i64.and(i64.shr_u(all, n), k(0xffff)));
    cf = c.f.let(i64.and(i64.shr_u(all, i64.sub(n, k(1))), k(1)));
  } else {
    const shifted = i64.or(i64.shr_u(a, n), i64.shl(i64.shl(b, k(1)), i64.sub(k(w - 1), n)));
    r = c.f.let(i64.and(shifted, lowMask(w)));
    cf = c.f.let(i64.and(i64.shr_u(a, i64.sub(n, k(1))), k(1)));
  }
  double(c, r, cf, i64.xor(bitAt(a, w - 1), b), n, a);
}

/** The end of SHLD and SHRD: a count of 0 leaves `a`. */
function double(c: Ctx, r: I64, cf: I64, of: I64, n: I64, a: I64): void {
  const result = pick(c, i64.eqz(n), a, r);
  c.setFlags({ res: signExtend(result, c.width), aux: carries(cf, of) }, i64.ne(n, k(0)));
  c.dst.write(result);
}

const SHIFT = { writes: "SZPC", undefined: "OA" };
const ROTATE = { writes: "C", undefined: "O" };
const THROUGH = { reads: "C", writes: "C", undefined: "O" };
const I186 = { cpuid: "i186" };

/** Shifts and rotates. */
// deno-fmt-ignore
export const SHIFTS: readonly Row[] = [
  insn("ROL", "C0 /0 Eb,Ib|C1 /0 Ev,Ib", { ...I186, ...ROTATE }, rol),
  insn("ROR", "C0 /1 Eb,Ib|C1 /1 Ev,Ib", { ...I186, ...ROTATE }, ror),
  insn("RCL", "C0 /2 Eb,Ib|C1 /2 Ev,Ib", { ...I186, ...THROUGH }, rcl),
  insn("RCR", "C0 /3 Eb,Ib|C1 /3 Ev,Ib", { ...I186, ...THROUGH }, rcr),
  insn("SHL", "C0 /4 Eb,Ib|C1 /4 Ev,Ib", { ...I186, ...SHIFT }, shl),
  insn("SHR", "C0 /5 Eb,Ib|C1 /5 Ev,Ib", { ...I186, ...SHIFT }, shr),
  insn("SAL", "C0 /6 Eb,Ib|C1 /6 Ev,Ib", { ...I186, ...SHIFT }, shl),
  insn("SAR", "C0 /7 Eb,Ib|C1 /7 Ev,Ib", { ...I186, ...SHIFT }, sar),
  insn("ROL", "D0 /0 Eb,1|D1 /0 Ev,1|D2 /0 Eb,CL|D3 /0 Ev,CL", ROTATE, rol),
  insn("ROR", "D0 /1 Eb,1|D1 /1 Ev,1|D2 /1 Eb,CL|D3 /1 Ev,CL", ROTATE, ror),
  insn("RCL", "D0 /2 Eb,1|D1 /2 Ev,1|D2 /2 Eb,CL|D3 /2 Ev,CL", THROUGH, rcl),
  insn("RCR", "D0 /3 Eb,1|D1 /3 Ev,1|D2 /3 Eb,CL|D3 /3 Ev,CL", THROUGH, rcr),
  insn("SHL", "D0 /4 Eb,1|D1 /4 Ev,1|D2 /4 Eb,CL|D3 /4 Ev,CL", SHIFT, shl),
  insn("SHR", "D0 /5 Eb,1|D1 /5 Ev,1|D2 /5 Eb,CL|D3 /5 Ev,CL", SHIFT, shr),
  insn("SAL", "D0 /6 Eb,1|D1 /6 Ev,1|D2 /6 Eb,CL|D3 /6 Ev,CL", SHIFT, shl),
  insn("SAR", "D0 /7 Eb,1|D1 /7 Ev,1|D2 /7 Eb,CL|D3 /7 Ev,CL", SHIFT, sar),
  insn("SHLD", "0F A4 /r Ev,Gv,Ib|0F A5 /r Ev,Gv,CL", { cpuid: "i386", ...SHIFT }, shld),
  insn("SHRD", "0F AC /r Ev,Gv,Ib|0F AD /r Ev,Gv,CL", { cpuid: "i386", ...SHIFT }, shrd),
];
