/**
 * Bit tests, scans and counts, CRC32.
 * @module
 */
import { i32, type I64, i64, select } from "../../wasm/expr.ts";
import type { Access, Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import { carries, k, loadName, NONZERO, oddFlags, pick, signExtend, storeName, wide, withCf } from "./arith_flags.ts";

/** What becomes of the bit `mask` of `v`; BT changes nothing. */
type Change = ((v: I64, mask: I64) => I64) | null;

const set: Change = (v, mask) => i64.or(v, mask);
const reset: Change = (v, mask) => i64.and(v, i64.xor(mask, k(-1)));
const complement: Change = (v, mask) => i64.xor(v, mask);

/** BT and its relatives: a bit offset in a register is signed and reaches beyond a memory operand. */
function bitTest(c: Ctx, change: Change): void {
  const { f, width } = c;
  const offset = c.src.read(), bit = f.let(i64.and(offset, k(width - 1)));
  let access: Access | undefined, v: I64;
  if (c.dst.isMemory && c.form.operands[1].code === "G") {
    const units = i64.shr_s(signExtend(offset, width), k(Math.log2(width)));
    access = c.dst.access(width / 8, change ? "modify" : "read", f.let(i64.shl(units, k(Math.log2(width / 8)))));
    v = f.let(access.load<I64>(loadName(width)));
  } else v = change ? c.dst.modify() : c.dst.read();
  if (change) {
    const r = f.let(change(v, i64.shl(k(1), bit)));
    if (access) access.store(storeName(width), r);
    else c.dst.write(r);
  }
  c.setFlags(withCf(c.flags(), f.let(i64.and(i64.shr_u(v, bit), k(1)))));
}

/**
 * BSF and BSR: a source of 0 sets ZF and leaves the destination alone, all 64 bits of it. PF, which the manual leaves
 * undefined, follows the result; the other flags are cleared.
 */
function scan(c: Ctx, index: (v: I64) => I64): void {
  const v = c.src.read(), found = c.f.let(i64.ne(v, k(0))), r = c.f.let(index(v));
  c.setFlags({ res: pick(c, found, i64.or(r, k(NONZERO)), k(0)), aux: k(0) });
  c.dst.write(r, found);
}

/** TZCNT and LZCNT: CF for a source of 0, ZF for a result of 0. */
function count(c: Ctx, zeros: (v: I64) => I64): void {
  const v = c.src.read(), r = pick(c, i64.eqz(v), k(c.width), zeros(v));
  c.setFlags(oddFlags(c, r, wide(i64.eqz(v)), 64));
  c.dst.write(r);
}

/** ZF if the source was 0; all other flags clear. */
function popcnt(c: Ctx): void {
  const r = c.f.let(i64.popcnt(c.src.read()));
  c.setFlags(oddFlags(c, r, k(0), 64));
  c.dst.write(r);
}

/** CRC-32C, reflected, one bit a step. */
function crc32(c: Ctx): void {
  const { f } = c;
  const bits = c.src.width, crc = f.local("i64"), left = f.local("i32");
  f.set(crc, i64.xor(i64.and(c.dst.read(), k(0xffff_ffff)), c.src.read()));
  f.set(left, i32.const(bits));
  f.loop((again) => {
    const odd = i32.wrap_i64(i64.and(f.get(crc), k(1)));
    f.set(crc, i64.xor(i64.shr_u(f.get(crc), k(1)), select(odd, k(0x82f6_3b78), k(0))));
    f.set(left, i32.sub(f.get(left), i32.const(1)));
    f.brIf(again, f.get(left));
  });
  c.dst.write(f.let(i64.and(f.get(crc), k(0xffff_ffff))));
}

/** RDRAND and RDSEED: the helper gives a number of the width, and CF. */
function random(c: Ctx, helper: string): void {
  c.helper(helper, k(c.width));
  const cf = c.result(1);
  c.setFlags({ res: k(1), aux: carries(cf, k(0)) });
  c.dst.write(c.result(0));
}

const trailing = (v: I64): I64 => i64.ctz(v);
const leading = (c: Ctx) => (v: I64): I64 => i64.sub(i64.clz(v), k(64 - c.width));
const highest = (v: I64): I64 => i64.sub(k(63), i64.clz(v));

const TEST = { cpuid: "i386", writes: "C", undefined: "OSAP" };
const CHANGE = { cpuid: "i386", lock: true, writes: "C", undefined: "OSAP" };
const SCAN = { cpuid: "i386", writes: "Z", undefined: "OSAPC" };
const COUNT = { writes: "ZC", undefined: "OSAP" };
const ALL = { writes: "OSZAPC" };

/** Bit instructions. */
// deno-fmt-ignore
export const BITS: readonly Row[] = [
  insn("BT", "0F A3 /r Ev,Gv|0F BA /4 Ev,Ib", TEST, (c) => bitTest(c, null)),
  insn("BTS", "0F AB /r Ev,Gv|0F BA /5 Ev,Ib", CHANGE, (c) => bitTest(c, set)),
  insn("BTR", "0F B3 /r Ev,Gv|0F BA /6 Ev,Ib", CHANGE, (c) => bitTest(c, reset)),
  insn("BTC", "0F BB /r Ev,Gv|0F BA /7 Ev,Ib", CHANGE, (c) => bitTest(c, complement)),
  insn("POPCNT", "F3 0F B8 /r Gv,Ev", { cpuid: "popcnt", ...ALL }, popcnt),
  insn("BSF", "0F BC /r Gv,Ev", SCAN, (c) => scan(c, trailing)),
  insn("BSR", "0F BD /r Gv,Ev", SCAN, (c) => scan(c, highest)),
  insn("TZCNT", "F3 0F BC /r Gv,Ev", { cpuid: "bmi1", ...COUNT }, (c) => count(c, trailing)),
  insn("LZCNT", "F3 0F BD /r Gv,Ev", { cpuid: "lzcnt", ...COUNT }, (c) => count(c, leading(c))),
  insn("RDRAND", "NFx 0F C7 /6 Rv", { cpuid: "rdrand", ...ALL }, (c) => random(c, "rdrand")),
  insn("RDSEED", "NFx 0F C7 /7 Rv", { cpuid: "rdseed", ...ALL }, (c) => random(c, "rdseed")),
  insn("CRC32", "F2 0F 38 F0 /r Gy,Eb|F2 0F 38 F1 /r Gy,Ev", { cpuid: "sse4.2" }, crc32),
];
