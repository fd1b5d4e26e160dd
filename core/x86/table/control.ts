/**
 * Near control transfers, flag instructions, and those that do nothing here: hints, fences, prefetches.
 * @module
 */
import { type I32, i32, type I64, i64 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { cfOf, DF, zfOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { RFLAGS, STEP } from "../state.ts";
import { k, wide, withCf } from "./arith_flags.ts";

/** A jump that depends on more than flags: the target is checked before anything is written. */
function branchIf(c: Ctx, taken: I32, write: () => void = () => {}): void {
  const t = c.f.let(taken);
  c.f.if(t, () => c.checkBranch());
  write();
  c.branch(t);
}

/** LOOP and its relatives: `also` is the condition besides the count. */
function loop(c: Ctx, also?: I32): void {
  const count = c.reg(1, c.asize), one = k(1), v = count.read();
  const more = i64.ne(v, one);
  branchIf(c, also ? i32.and(more, also) : more, () => count.write(c.f.let(i64.sub(v, one))));
}

/** CALL: processors write the return address before they look at the target, whatever the manual says. */
function call(c: Ctx): void {
  c.push(c.nextRip(), c.opsize);
  c.checkBranch();
  c.branch();
}

function callAbsolute(c: Ctx): void {
  const target = c.dst.read();
  c.push(c.nextRip(), c.opsize);
  c.checkTarget(target);
  c.jump(target);
}

function jumpAbsolute(c: Ctx): void {
  const target = c.dst.read();
  c.checkTarget(target);
  c.jump(target);
}

const jumpIf = (c: Ctx): void => c.branch(c.condition(c.form.cc));

function ret(c: Ctx, release?: I64): void {
  const target = c.pop(c.opsize);
  c.checkTarget(target);
  if (release) {
    const pointer = c.reg(4, c.stack);
    pointer.write(c.f.let(i64.add(pointer.read(), i64.add(release, k(c.opsize / 8)))));
  }
  c.jump(target);
}

function setDirection(c: Ctx, down: boolean): void {
  const old = c.state<I64>("i64.load", RFLAGS);
  c.setState("i64.store", RFLAGS, down ? i64.or(old, k(DF)) : i64.and(old, k(~DF)));
  c.setState("i64.store", STEP, k(down ? -1 : 1));
}

const nothing = (): void => {};
const undefinedOpcode = (c: Ctx): void => c.raise(6);

/** CLFLUSH and its relatives read a byte as far as faults go. */
const touch = (c: Ctx): void => void c.dst.read();

/** Eight ModRM bytes that mean one instruction, as LFENCE ignores the r/m field. */
function eight(prefix: string, first: number): string {
  return Array.from({ length: 8 }, (_, i) => `${prefix} /${(first + i).toString(16).toUpperCase()}`).join("|");
}

const NEAR = { ends: true, long: "force64" } as const;
/** What follows a conditional branch is decoded with it. */
const CONDITIONAL = { long: "force64" } as const;
const COUNTED = { ...CONDITIONAL, address: true } as const;
const STACKED = { ...NEAR, stack: true } as const;

/** Control transfers and hints. */
// deno-fmt-ignore
export const CONTROL: readonly Row[] = [
  insn("Jcc", "70+cc Jb", { ...CONDITIONAL, reads: "OSZPC" }, jumpIf),
  insn("PAUSE", "F3 90", {}, nothing),
  insn("RET", "C2 Iw", STACKED, (c) => ret(c, c.dst.read())),
  insn("RET", "C3", STACKED, (c) => ret(c)),
  insn("LOOPNE", "E0 Jb", { ...COUNTED, reads: "Z" }, (c) => loop(c, i32.eqz(zfOf(c.flags())))),
  insn("LOOPE", "E1 Jb", { ...COUNTED, reads: "Z" }, (c) => loop(c, zfOf(c.flags()))),
  insn("LOOP", "E2 Jb", COUNTED, (c) => loop(c)),
  insn("JCXZ", "E3 Jb", COUNTED, (c) => c.branch(c.f.let(i64.eqz(c.reg(1, c.asize).read())))),
  insn("CALL", "E8 Jz", STACKED, call),
  insn("JMP", "E9 Jz|EB Jb", NEAR, (c) => c.branch()),
  insn("CMC", "F5", { reads: "C", writes: "C" }, (c) => c.setFlags(withCf(c.flags(), wide(i32.eqz(cfOf(c.flags())))))),
  insn("CLC", "F8", { writes: "C" }, (c) => c.setFlags(withCf(c.flags(), k(0)))),
  insn("STC", "F9", { writes: "C" }, (c) => c.setFlags(withCf(c.flags(), k(1)))),
  insn("CLD", "FC", {}, (c) => setDirection(c, false)),
  insn("STD", "FD", {}, (c) => setDirection(c, true)),
  insn("CALL", "FF /2 Ev", STACKED, callAbsolute),
  insn("JMP", "FF /4 Ev", NEAR, jumpAbsolute),
  insn("Jcc", "0F 80+cc Jz", { cpuid: "i386", ...CONDITIONAL, reads: "OSZPC" }, jumpIf),
  insn("UD2", "0F 0B", { ends: true }, undefinedOpcode),
  insn("PREFETCHW", "0F 0D /r Ev", { cpuid: "3dnowprefetch" }, nothing),
  insn("PREFETCHNTA", "0F 18 /0 Mb", { cpuid: "sse" }, nothing),
  insn("PREFETCHT0", "0F 18 /1 Mb", { cpuid: "sse" }, nothing),
  insn("PREFETCHT1", "0F 18 /2 Mb", { cpuid: "sse" }, nothing),
  insn("PREFETCHT2", "0F 18 /3 Mb", { cpuid: "sse" }, nothing),
  insn("ENDBR32", "F3 0F 1E /FB", {}, nothing),
  insn("ENDBR64", "F3 0F 1E /FA", {}, nothing),
  insn("NOP", "0F 18 /r Ev|0F 19 /r Ev|0F 1A /r Ev|0F 1B /r Ev|0F 1C /r Ev|0F 1D /r Ev|0F 1E /r Ev|0F 1F /r Ev", { cpuid: "i686" }, nothing),
  insn("LFENCE", eight("NP 0F AE", 0xe8), { cpuid: "sse2" }, nothing),
  insn("MFENCE", eight("NP 0F AE", 0xf0), { cpuid: "sse2" }, nothing),
  insn("SFENCE", eight("NP 0F AE", 0xf8), { cpuid: "sse" }, nothing),
  insn("CLFLUSH", "NP 0F AE /7 Mb", { cpuid: "clflush" }, touch),
  insn("CLFLUSHOPT", "66 0F AE /7 Mb", { cpuid: "clflushopt" }, touch),
  insn("CLWB", "66 0F AE /6 Mb", { cpuid: "clwb" }, touch),
  insn("UD", "F3 0F 38 F0 /r Gv,Ev|F3 0F 38 F1 /r Gv,Ev", { ends: true }, undefinedOpcode),
  insn("UD1", "0F B9 /r Gv,Ev", { ends: true }, undefinedOpcode),
  insn("UD0", "0F FF /r Gv,Ev", { ends: true }, undefinedOpcode),
];
