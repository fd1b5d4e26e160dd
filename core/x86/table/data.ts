/**
 * Data movement without the stack: moves, exchanges, conversions, addresses.
 * @module
 */
import { i32, type I64, i64, lane, replaceLane, v } from "../../wasm/expr.ts";
import type { V128 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { bitsOf, cfOf, wordsOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { GPR } from "../state.ts";
import { bitAt, k, pick, signExtend, wide, withZf } from "./arith_flags.ts";

const move = (c: Ctx): void => c.dst.write(c.src.read());
const moveSigned = (c: Ctx): void => c.dst.write(c.f.let(signExtend(c.src.read(), c.src.width)));

function xchg(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read();
  c.dst.write(b);
  c.src.write(a);
}

/** XCHG of an opcode's register with rAX. Opcode 90 without REX.B is NOP: EAX then keeps its upper half. */
function xchgAccumulator(c: Ctx): void {
  const a = c.dst.read(), b = c.src.read();
  const other = c.form.opcode === 0x90 ? c.f.let(i32.ne(c.dst.address(), i32.const(GPR))) : undefined;
  c.dst.write(b, other);
  c.src.write(a, other);
}

function movbe(c: Ctx): void {
  c.dst.write(swapped(c, c.src.read(), c.width));
}

/** The low `width` bits with their bytes in reverse order. */
function swapped(c: Ctx, value: I64, width: number): I64 {
  const exchange = (x: I64, by: number, mask: bigint): I64 =>
    c.f.let(i64.or(i64.and(i64.shr_u(x, k(by)), k(mask)), i64.shl(i64.and(x, k(mask)), k(by))));
  const bytes = exchange(value, 8, 0x00ff_00ff_00ff_00ffn);
  const words = exchange(bytes, 16, 0x0000_ffff_0000_ffffn);
  return c.f.let(i64.shr_u(i64.rotl(words, k(32)), k(64 - width)));
}

/** BSWAP; with 16 bits, which the manual leaves undefined, processors give 0. */
function bswap(c: Ctx): void {
  c.dst.write(c.width === 16 ? k(0) : swapped(c, c.dst.read(), c.width));
}

function cmpxchg8b(c: Ctx): void {
  const d = c.dst.modify();
  const pair = (high: number, low: number) =>
    c.f.let(i64.or(i64.shl(c.reg(high, 32).read(), k(32)), c.reg(low, 32).read()));
  const equal = c.f.let(i64.eq(d, pair(2, 0)));
  c.dst.write(pick(c, equal, pair(1, 3), d));
  const differs = c.f.let(i32.eqz(equal));
  c.setFlags(withZf(c, c.flags(), equal));
  c.reg(0, 32).write(d, differs);
  c.reg(2, 32).write(c.f.let(i64.shr_u(d, k(32))), differs);
}

function cmpxchg16b(c: Ctx): void {
  const access = c.dst.access(16, "modify", undefined, true), d = c.f.let(access.load<V128>("v128.load"));
  const low = c.f.let(lane<"i64">("i64x2.extract_lane", d, 0));
  const high = c.f.let(lane<"i64">("i64x2.extract_lane", d, 1));
  const equal = c.f.let(i32.and(i64.eq(low, c.reg(0, 64).read()), i64.eq(high, c.reg(2, 64).read())));
  const newLow = pick(c, equal, c.reg(3, 64).read(), low), newHigh = pick(c, equal, c.reg(1, 64).read(), high);
  access.store("v128.store", replaceLane("i64x2.replace_lane", v("i64x2.splat", newLow), 1, newHigh));
  const differs = c.f.let(i32.eqz(equal));
  c.setFlags(withZf(c, c.flags(), equal));
  c.reg(0, 64).write(low, differs);
  c.reg(2, 64).write(high, differs);
}

function cmov(c: Ctx): void {
  const s = c.src.read();
  c.dst.write(pick(c, c.condition(c.form.cc), s, c.dst.read()));
}

/** CBW, CWDE, CDQE. */
function widen(c: Ctx): void {
  const half = c.opsize === 64 ? 32 : c.opsize === 32 ? 16 : 8;
  c.reg(0, c.opsize).write(c.f.let(signExtend(c.reg(0, half).read(), half)));
}

/** CWD, CDQ, CQO. */
function widenPair(c: Ctx): void {
  c.reg(2, c.opsize).write(c.f.let(i64.shr_s(signExtend(c.reg(0, c.opsize).read(), c.opsize), k(63))));
}

function lahf(c: Ctx): void {
  const b = bitsOf(c.flags());
  const at = (bit: typeof b.cf, n: number) => i64.shl(wide(bit), k(n));
  const high = i64.or(at(b.sf, 7), i64.or(at(b.zf, 6), at(b.af, 4)));
  c.reg(4, 8).write(c.f.let(i64.or(high, i64.or(at(b.pf, 2), i64.or(k(2), wide(b.cf))))));
}

function sahf(c: Ctx): void {
  const ah = c.reg(4, 8).read();
  const at = (n: number) => i32.wrap_i64(bitAt(ah, n));
  c.setFlags(wordsOf({ cf: at(0), pf: at(2), af: at(4), zf: at(6), sf: at(7), of: bitsOf(c.flags()).of }));
}

function xlat(c: Ctx): void {
  const at = c.f.let(i64.add(c.reg(3, c.asize).read(), c.reg(0, 8).read()));
  c.reg(0, 8).write(c.memory(at, 8).read());
}

const CONDITION = "OSZPC";

/** Data movement. */
// deno-fmt-ignore
export const DATA: readonly Row[] = [
  insn("MOVSXD", "63 /r Gv,Ed", { long: "only" }, moveSigned),
  insn("XCHG", "86 /r Eb,Gb|87 /r Ev,Gv", { lock: true }, xchg),
  insn("MOV", "88 /r Eb,Gb|89 /r Ev,Gv|8A /r Gb,Eb|8B /r Gv,Ev|A0 AL,Ob|A1 rAX,Ov|A2 Ob,AL|A3 Ov,rAX|B0+r Zb,Ib|B8+r Zv,Iv|C6 /0 Eb,Ib|C7 /0 Ev,sIz", {}, move),
  insn("LEA", "8D /r Gv,M", {}, (c) => c.dst.write(c.src.offset())),
  insn("XCHG", "90+r Zv,rAX", {}, xchgAccumulator),
  insn("CBW", "98", {}, widen),
  insn("CWD", "99", {}, widenPair),
  insn("SAHF", "9E", { reads: "O", writes: "SZAPC" }, sahf),
  insn("LAHF", "9F", { reads: "SZAPC" }, lahf),
  insn("SALC", "D6", { reads: "C", long: "invalid" }, (c) => c.reg(0, 8).write(i64.sub(k(0), wide(cfOf(c.flags()))))),
  insn("XLAT", "D7", { address: true }, xlat),
  insn("CMOVcc", "0F 40+cc /r Gv,Ev", { cpuid: "cmov", reads: CONDITION }, cmov),
  insn("SETcc", "0F 90+cc /r Eb", { cpuid: "i386", reads: CONDITION }, (c) => c.dst.write(wide(c.condition(c.form.cc)))),
  insn("MOVZX", "0F B6 /r Gv,Eb|0F B7 /r Gv,Ew", { cpuid: "i386" }, move),
  insn("MOVSX", "0F BE /r Gv,Eb|0F BF /r Gv,Ew", { cpuid: "i386" }, moveSigned),
  insn("MOVNTI", "NP 0F C3 /r My,Gy", { cpuid: "sse2" }, move),
  insn("CMPXCHG8B", "REX.W0 0F C7 /1 Mq", { cpuid: "cx8", lock: true, writes: "Z" }, cmpxchg8b),
  insn("CMPXCHG16B", "REX.W1 0F C7 /1 Mdq", { cpuid: "cx16", lock: true, writes: "Z", long: "only" }, cmpxchg16b),
  insn("BSWAP", "0F C8+r Zv", { cpuid: "i486" }, bswap),
  insn("MOVBE", "0F 38 F0 /r Gv,Mv|0F 38 F1 /r Mv,Gv", { cpuid: "movbe" }, movbe),
];
