/**
 * BMI1 and BMI2: bit manipulation with three operands, VEX-encoded. What the manual leaves undefined is as in
 * Intel's processors: clear.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { k, oddFlags, signExtend, wide, zeroExtend } from "./arith_flags.ts";
import { highProduct } from "./multiply.ts";

function andn(c: Ctx): void {
  const r = c.f.let(i64.and(i64.xor(c.src.read(), k(-1)), c.src2.read()));
  c.setFlags(oddFlags(c, r, k(0), c.width));
  c.dst.write(r);
}

/** The low `n` bits of `v`, for any `n` from 0 to 255. */
function low(v: I64, n: I64): I64 {
  const mask = select(i64.lt_u(n, k(64)), i64.sub(i64.shl(k(1), n), k(1)), k(-1));
  return i64.and(v, mask);
}

function bextr(c: Ctx): void {
  const v = c.src.read(), control = c.src2.read();
  const start = c.f.let(i64.and(control, k(0xff))), length = c.f.let(i64.and(i64.shr_u(control, k(8)), k(0xff)));
  const field = c.f.let(select(i64.lt_u(start, k(64)), i64.shr_u(v, start), k(0)));
  const r = c.f.let(low(field, length));
  c.setFlags(oddFlags(c, wide(i64.ne(r, k(0))), k(0), c.width));
  c.dst.write(r);
}

/** BLSI, BLSMSK, BLSR: `r` of the source, and CF. */
function lowest(c: Ctx, result: (v: I64) => I64, carry: (v: I64) => I32): void {
  const v = c.src.read(), r = c.f.let(zeroExtend(result(v), c.width));
  c.setFlags(oddFlags(c, r, wide(carry(v)), c.width));
  c.dst.write(r);
}

const isZero = (v: I64): I32 => i64.eqz(v);
const blsi = (c: Ctx): void => lowest(c, (v) => i64.and(v, i64.sub(k(0), v)), (v) => i32.eqz(isZero(v)));
const blsmsk = (c: Ctx): void => lowest(c, (v) => i64.xor(v, i64.sub(v, k(1))), isZero);
const blsr = (c: Ctx): void => lowest(c, (v) => i64.and(v, i64.sub(v, k(1))), isZero);

function bzhi(c: Ctx): void {
  const v = c.src.read(), n = c.f.let(i64.and(c.src2.read(), k(0xff)));
  const r = c.f.let(low(v, n));
  const beyond = i64.gt_u(n, k(c.width - 1));
  c.setFlags(oddFlags(c, r, wide(beyond), c.width));
  c.dst.write(r);
}

/** MULX: where both destinations are one register, it gets the high half. */
function mulx(c: Ctx): void {
  const a = c.reg(2, c.width).read(), b = c.src2.read(), product = c.f.let(i64.mul(a, b));
  const high = c.width === 64 ? highProduct(c, a, b) : c.f.let(i64.shr_u(product, k(32)));
  c.src.write(product);
  c.dst.write(high);
}

/** PDEP and PEXT: one step for each bit of the mask, the lowest first. */
function scatter(c: Ctx, deposit: boolean): void {
  const { f } = c;
  const v = c.src.read();
  const mask = f.local("i64"), bit = f.local("i64"), r = f.local("i64");
  f.set(mask, c.src2.read());
  f.set(bit, k(1));
  f.set(r, k(0));
  f.block((done) =>
    f.loop((again) => {
      f.brIf(done, i64.eqz(f.get(mask)));
      const place = f.let(i64.and(f.get(mask), i64.sub(k(0), f.get(mask))));
      const [from, to] = deposit ? [f.get(bit), place] : [place, f.get(bit)];
      f.set(r, i64.or(f.get(r), select(i64.ne(i64.and(v, from), k(0)), to, k(0))));
      f.set(bit, i64.shl(f.get(bit), k(1)));
      f.set(mask, i64.xor(f.get(mask), place));
      f.br(again);
    })
  );
  c.dst.write(f.let(f.get(r)));
}

function rorx(c: Ctx): void {
  const v = c.src.read(), n = c.f.let(i64.and(c.src2.read(), k(c.width - 1)));
  const r = c.width === 64 ? i64.rotr(v, n) : i64.or(i64.shr_u(v, n), i64.shl(v, i64.sub(k(32), n)));
  c.dst.write(c.f.let(r));
}

/** SARX, SHLX, SHRX. */
function shift(c: Ctx, operator: (a: I64, b: I64) => I64, signed = false): void {
  const v = c.src.read(), n = c.f.let(i64.and(c.src2.read(), k(c.width - 1)));
  c.dst.write(c.f.let(operator(signed ? signExtend(v, c.width) : v, n)));
}

const RESULT = { cpuid: "bmi1", protected: true, writes: "OSZC", undefined: "AP" };
const FIELD = { cpuid: "bmi1", protected: true, writes: "OZC", undefined: "SAP" };
const HIGH = { cpuid: "bmi2", protected: true, writes: "OSZC", undefined: "AP" };
const BMI2 = { cpuid: "bmi2", protected: true };

/** BMI1 and BMI2, without TZCNT. */
// deno-fmt-ignore
export const BMI: readonly Row[] = [
  insn("ANDN", "VEX.LZ.NP.0F38.WIG F2 /r Gy,By,Ey", RESULT, andn),
  insn("BLSR", "VEX.LZ.NP.0F38.WIG F3 /1 By,Ey", RESULT, blsr),
  insn("BLSMSK", "VEX.LZ.NP.0F38.WIG F3 /2 By,Ey", RESULT, blsmsk),
  insn("BLSI", "VEX.LZ.NP.0F38.WIG F3 /3 By,Ey", RESULT, blsi),
  insn("BZHI", "VEX.LZ.NP.0F38.WIG F5 /r Gy,Ey,By", HIGH, bzhi),
  insn("PEXT", "VEX.LZ.F3.0F38.WIG F5 /r Gy,By,Ey", BMI2, (c) => scatter(c, false)),
  insn("PDEP", "VEX.LZ.F2.0F38.WIG F5 /r Gy,By,Ey", BMI2, (c) => scatter(c, true)),
  insn("MULX", "VEX.LZ.F2.0F38.WIG F6 /r Gy,By,Ey", BMI2, mulx),
  insn("BEXTR", "VEX.LZ.NP.0F38.WIG F7 /r Gy,Ey,By", FIELD, bextr),
  insn("SHLX", "VEX.LZ.66.0F38.WIG F7 /r Gy,Ey,By", BMI2, (c) => shift(c, i64.shl)),
  insn("SARX", "VEX.LZ.F3.0F38.WIG F7 /r Gy,Ey,By", BMI2, (c) => shift(c, i64.shr_s, true)),
  insn("SHRX", "VEX.LZ.F2.0F38.WIG F7 /r Gy,Ey,By", BMI2, (c) => shift(c, i64.shr_u)),
  insn("RORX", "VEX.LZ.F2.0F3A.WIG F0 /r Gy,Ey,Ib", BMI2, rorx),
];
