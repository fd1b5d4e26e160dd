/**
 * Addition, subtraction, comparison, negation. Source: SDM volume 2.
 * @module
 */
import { i32, i64 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { cfOf, ofOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { addFlags, compareFlags, k, pick, signExtend, subFlags, wide, withCarries, zeroExtend } from "./arith_flags.ts";

function add(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read(), r = c.f.let(i64.add(a, b));
  c.setFlags(addFlags(c, a, b, r, c.width));
  c.dst.write(r);
}

function adc(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read();
  const r = c.f.let(i64.add(i64.add(a, b), wide(cfOf(c.flags()))));
  c.setFlags(addFlags(c, a, b, r, c.width));
  c.dst.write(r);
}

function sub(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read(), r = c.f.let(i64.sub(a, b));
  c.setFlags(compareFlags(c, a, b, r, c.width));
  c.dst.write(r);
}

function sbb(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read();
  const r = c.f.let(i64.sub(i64.sub(a, b), wide(cfOf(c.flags()))));
  c.setFlags(subFlags(c, a, b, r, c.width));
  c.dst.write(r);
}

function cmp(c: Ctx): void {
  const a = c.dst.read(), b = c.src.read(), r = c.f.let(i64.sub(a, b));
  c.setFlags(compareFlags(c, a, b, r, c.width));
}

/** INC and DEC: CF stays, so its bit is put back and bit 62 made to fit it. */
function step(c: Ctx, by: 1 | -1): void {
  const a = c.dst.modify(), r = c.f.let(i64.add(a, k(by)));
  const top = i64.shr_u(k(1n << 63n), k(64 - c.width));
  const overflow = by > 0 ? i64.and(i64.xor(a, k(-1)), r) : i64.and(a, i64.xor(r, k(-1)));
  const of = i64.shr_u(i64.and(overflow, top), k(c.width - 1));
  const old = withCarries(c.flags(), wide(cfOf(c.flags())), of);
  const af = i64.shr_u(i64.and(i64.xor(a, r), k(0x10)), k(1));
  c.setFlags({ res: signExtend(r, c.width), aux: i64.or(i64.and(old.aux, k(3n << 62n)), af) });
  c.dst.write(r);
}

const inc = (c: Ctx): void => step(c, 1);
const dec = (c: Ctx): void => step(c, -1);

function neg(c: Ctx): void {
  const b = c.dst.modify(), r = c.f.let(i64.sub(k(0), b));
  c.setFlags(subFlags(c, k(0), b, r, c.width));
  c.dst.write(r);
}

function xadd(c: Ctx): void {
  const a = c.dst.modify(), b = c.src.read(), r = c.f.let(i64.add(a, b));
  c.setFlags(addFlags(c, a, b, r, c.width));
  c.src.write(a);
  c.dst.write(r);
}

/**
 * CMPXCHG. The manual says that the destination is always written, and that is so for memory; a register that does not
 * compare equal keeps all its 64 bits, and so does the accumulator if it does. Where the two are one register they do
 * compare equal, and the later write counts.
 */
function cmpxchg(c: Ctx): void {
  const accumulator = c.reg(0, c.width);
  const d = c.dst.modify(), a = accumulator.read(), s = c.src.read();
  const r = c.f.let(i64.sub(a, d)), equal = c.f.let(i64.eq(a, d));
  if (c.dst.isMemory) c.dst.write(pick(c, equal, s, d));
  c.setFlags(subFlags(c, a, d, r, c.width));
  accumulator.write(d, c.f.let(i32.eqz(equal)));
  if (!c.dst.isMemory) c.dst.write(s, equal);
}

/** ADCX and ADOX: an addition whose only carry, in and out, is CF or OF. */
function addCarry(c: Ctx, overflow: boolean): void {
  const a = c.dst.modify(), b = c.src.read(), old = c.flags();
  const cf = c.f.let(wide(cfOf(old))), of = c.f.let(wide(ofOf(old)));
  const r = c.f.let(i64.add(i64.add(a, b), overflow ? of : cf));
  const carry = c.f.let(i64.shr_u(addFlags(c, a, b, r, c.width).aux, k(63)));
  c.setFlags(overflow ? withCarries(old, cf, carry) : withCarries(old, carry, of));
  c.dst.write(zeroExtend(r, c.width));
}

const ALL = { writes: "OSZAPC" };
const LOCK = { lock: true, writes: "OSZAPC" };
const CARRY = { lock: true, reads: "C", writes: "OSZAPC" };
const INVALID = { long: "invalid" } as const;

/** Addition, subtraction, comparison. */
// deno-fmt-ignore
export const ARITHMETIC: readonly Row[] = [
  insn("ADD", "00 /r Eb,Gb|01 /r Ev,Gv|02 /r Gb,Eb|03 /r Gv,Ev|04 AL,Ib|05 rAX,sIz|80 /0 Eb,Ib|81 /0 Ev,sIz|83 /0 Ev,sIb", LOCK, add),
  insn("ADD", "82 /0 Eb,Ib", { ...LOCK, ...INVALID }, add),
  insn("ADC", "10 /r Eb,Gb|11 /r Ev,Gv|12 /r Gb,Eb|13 /r Gv,Ev|14 AL,Ib|15 rAX,sIz|80 /2 Eb,Ib|81 /2 Ev,sIz|83 /2 Ev,sIb", CARRY, adc),
  insn("ADC", "82 /2 Eb,Ib", { ...CARRY, ...INVALID }, adc),
  insn("SBB", "18 /r Eb,Gb|19 /r Ev,Gv|1A /r Gb,Eb|1B /r Gv,Ev|1C AL,Ib|1D rAX,sIz|80 /3 Eb,Ib|81 /3 Ev,sIz|83 /3 Ev,sIb", CARRY, sbb),
  insn("SBB", "82 /3 Eb,Ib", { ...CARRY, ...INVALID }, sbb),
  insn("SUB", "28 /r Eb,Gb|29 /r Ev,Gv|2A /r Gb,Eb|2B /r Gv,Ev|2C AL,Ib|2D rAX,sIz|80 /5 Eb,Ib|81 /5 Ev,sIz|83 /5 Ev,sIb", LOCK, sub),
  insn("SUB", "82 /5 Eb,Ib", { ...LOCK, ...INVALID }, sub),
  insn("CMP", "38 /r Eb,Gb|39 /r Ev,Gv|3A /r Gb,Eb|3B /r Gv,Ev|3C AL,Ib|3D rAX,sIz|80 /7 Eb,Ib|81 /7 Ev,sIz|83 /7 Ev,sIb", ALL, cmp),
  insn("CMP", "82 /7 Eb,Ib", { ...ALL, ...INVALID }, cmp),
  insn("INC", "40+r Zv", { writes: "OSZAP", ...INVALID }, inc),
  insn("DEC", "48+r Zv", { writes: "OSZAP", ...INVALID }, dec),
  insn("INC", "FE /0 Eb|FF /0 Ev", { lock: true, writes: "OSZAP" }, inc),
  insn("DEC", "FE /1 Eb|FF /1 Ev", { lock: true, writes: "OSZAP" }, dec),
  insn("NEG", "F6 /3 Eb|F7 /3 Ev", LOCK, neg),
  insn("CMPXCHG", "0F B0 /r Eb,Gb|0F B1 /r Ev,Gv", { cpuid: "i486", ...LOCK }, cmpxchg),
  insn("XADD", "0F C0 /r Eb,Gb|0F C1 /r Ev,Gv", { cpuid: "i486", ...LOCK }, xadd),
  insn("ADCX", "66 0F 38 F6 /r Gy,Ey", { cpuid: "adx", reads: "C", writes: "C" }, (c) => addCarry(c, false)),
  insn("ADOX", "F3 0F 38 F6 /r Gy,Ey", { cpuid: "adx", reads: "O", writes: "O" }, (c) => addCarry(c, true)),
];
