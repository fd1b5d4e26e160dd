/**
 * Decimal adjustments. Source: SDM volume 2.
 * @module
 */
import { type I32, i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { afOf, cfOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { addFlags, carries, k, signExtend, wide } from "./arith_flags.ts";

const above9 = (al: I64): I32 => i64.gt_u(i64.and(al, k(15)), k(9));
const aux = (cf: I32, af: I32): I64 => i64.or(carries(wide(cf), k(0)), i64.shl(wide(af), k(3)));

/** DAA and DAS. */
function adjust(c: Ctx, subtract: boolean): void {
  const { f } = c;
  const al = c.reg(0, 8).read(), old = c.flags();
  const low = f.let(i32.or(above9(al), afOf(old)));
  const high = f.let(i32.or(i64.gt_u(al, k(0x99)), cfOf(old)));
  const by = i64.add(select(low, k(6), k(0)), select(high, k(0x60), k(0)));
  const r = f.let(subtract ? i64.sub(al, by) : i64.add(al, by));
  const cf = subtract ? i32.or(high, i32.and(low, i64.lt_u(al, k(6)))) : high;
  c.setFlags({ res: signExtend(r, 8), aux: aux(cf, low) });
  c.reg(0, 8).write(r);
}

/** AAA and AAS: AH changes by the carry, and by what the change of AL carries over. */
function ascii(c: Ctx, by: number): void {
  const { f } = c;
  const ax = c.reg(0, 16), v = ax.read();
  const change = f.let(i32.or(above9(v), afOf(c.flags())));
  const r = f.let(i64.and(i64.add(v, select(change, k(by), k(0))), k(0xff0f)));
  c.setFlags({ res: signExtend(r, 8), aux: aux(change, change) });
  ax.write(r);
}

function aam(c: Ctx): void {
  const base = c.dst.read(), al = c.reg(0, 8).read();
  c.f.if(i64.eqz(base), () => c.raise(0));
  const high = c.f.let(i64.div_u(al, base)), low = c.f.let(i64.rem_u(al, base));
  c.setFlags({ res: signExtend(low, 8), aux: k(0) });
  c.reg(0, 16).write(i64.or(i64.shl(high, k(8)), low));
}

/** AAD; the flags are those of the addition, as processors have them. */
function aad(c: Ctx): void {
  const base = c.dst.read(), al = c.reg(0, 8).read(), ah = c.reg(4, 8).read();
  const tens = c.f.let(i64.and(i64.mul(ah, base), k(0xff))), r = c.f.let(i64.and(i64.add(al, tens), k(0xff)));
  c.setFlags(addFlags(c, al, tens, r, 8));
  c.reg(0, 16).write(r);
}

const PACKED = { reads: "AC", writes: "SZAPC", undefined: "O", long: "invalid" } as const;
const ASCII = { reads: "A", writes: "AC", undefined: "OSZP", long: "invalid" } as const;
const BASE = { writes: "SZP", undefined: "OAC", long: "invalid" } as const;

/** Decimal adjustments. */
// deno-fmt-ignore
export const BCD: readonly Row[] = [
  insn("DAA", "27", PACKED, (c) => adjust(c, false)),
  insn("DAS", "2F", PACKED, (c) => adjust(c, true)),
  insn("AAA", "37", ASCII, (c) => ascii(c, 0x106)),
  insn("AAS", "3F", ASCII, (c) => ascii(c, -0x106)),
  insn("AAM", "D4 Ib", BASE, aam),
  insn("AAD", "D5 Ib", BASE, aad),
];
