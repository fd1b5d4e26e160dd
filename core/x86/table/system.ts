/**
 * System instructions: interrupts, far transfers, segments, control registers, ports. What they do is in ../system; the
 * rows only bring operands there. Source: SDM volume 2.
 * @module
 */
import { i32, type I64, i64 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { ofOf } from "../flags.ts";
import { insn, type Row } from "../insn.ts";
import { FS, GDTR, GS, IDTR } from "../state.ts";
import { k, loadName, signExtend } from "./arith_flags.ts";

// Interrupts.

const int = (c: Ctx): void => c.transfer("int", c.imm());

function into(c: Ctx): void {
  const next = c.nextRip();
  c.f.if(ofOf(c.flags()), () => c.transfer("into"));
  c.jump(next);
}

/** BOUND: both bounds are signed, and inclusive. */
function bound(c: Ctx): void {
  const width = c.opsize, name = loadName(width);
  const low = c.src.access(width / 8, "read").load<I64>(name);
  const high = c.src.access(width / 8, "read", k(width / 8)).load<I64>(name);
  const value = c.f.let(signExtend(c.dst.read(), width));
  const outside = i32.or(i64.lt_s(value, signExtend(low, width)), i64.gt_s(value, signExtend(high, width)));
  c.f.if(outside, () => c.raise(5));
}

// Far transfers.

/** The far pointer of an immediate (code A): selector and offset. */
function immediatePointer(c: Ctx): [selector: I64, offset: I64] {
  return [i64.shr_u(c.imm(), k(32)), i64.and(c.imm(), k(0xffff_ffff))];
}

/** The far pointer in memory. */
function memoryPointer(c: Ctx, o = c.dst): [selector: I64, offset: I64] {
  const bytes = c.opsize / 8;
  const offset = o.access(bytes, "read").load<I64>(loadName(c.opsize));
  return [o.access(2, "read", k(bytes)).load<I64>("i64.load16_u"), offset];
}

function far(c: Ctx, name: string, [selector, offset]: [I64, I64]): void {
  c.transfer(name, selector, offset, k(c.opsize));
}

const returnFar = (c: Ctx, bytes: I64): void => c.transfer("ret_far", k(c.opsize), bytes);

// Segment registers.

/** MOV of a segment register: memory gets 16 bits, whatever the operand size. */
function store16(c: Ctx, value: I64): void {
  if (c.dst.isMemory) c.dst.access(2, "write").store("i64.store16", value);
  else c.dst.write(value);
}

/** Stores a 16-bit register that a helper gives; the destination is checked first. */
function store(c: Ctx, helper: string, ...args: I64[]): void {
  c.helper(helper, ...args);
  store16(c, c.result(0));
}

function popSegment(c: Ctx): void {
  const n = c.form.operands[0].fixed;
  c.helper("mov_to_segment", k(n), c.pop(c.opsize));
}

/** LDS, LES, LFS, LGS, LSS. */
const loadPointer = (n: number) => (c: Ctx): void => {
  const [selector, offset] = memoryPointer(c, c.src);
  c.helper("load_segment", k(n), selector);
  c.dst.write(offset);
};

function lookUp(c: Ctx, name: string): void {
  c.helper(name, c.src.isMemory ? c.src.access(2, "read").load<I64>("i64.load16_u") : c.src.read());
  c.dst.write(c.result(0), i32.wrap_i64(c.result(1)));
}

function arpl(c: Ctx): void {
  c.helper("arpl", c.dst.modify(), c.src.read());
  c.dst.write(c.result(0));
}

// Descriptor tables.

function storeTable(c: Ctx, at: number): void {
  c.helper("umip");
  const wide = c.code === 64, limit = c.state<I64>("i64.load16_u", at + 8), base = c.state<I64>("i64.load", at);
  const first = c.dst.access(2, "write"), second = c.dst.access(wide ? 8 : 4, "write", k(2));
  first.store("i64.store16", limit);
  second.store(wide ? "i64.store" : "i64.store32", base);
}

/** LGDT, LIDT: with 16-bit operands the base has 24 bits. */
function loadTable(c: Ctx, name: string): void {
  const wide = c.code === 64, limit = c.dst.access(2, "read").load<I64>("i64.load16_u");
  const base = c.dst.access(wide ? 8 : 4, "read", k(2)).load<I64>(wide ? "i64.load" : "i64.load32_u");
  c.helper(name, limit, !wide && c.opsize === 16 ? i64.and(base, k(0xff_ffff)) : base);
}

function invpcid(c: Ctx): void {
  const pcid = c.src.access(8, "read").load<I64>("i64.load");
  const linear = c.src.access(8, "read", k(8)).load<I64>("i64.load");
  c.helper("invpcid", c.dst.read(), pcid, linear);
}

// Control and debug registers; the number of a register is its operand.

const numberOf = (o: Ctx["dst"]): I64 => i64.extend_i32_u(o.address());

function fromNumbered(c: Ctx, name: string): void {
  c.helper(name, numberOf(c.src));
  c.dst.write(c.result(0));
}

const toNumbered = (c: Ctx, name: string): void => c.helper(name, numberOf(c.dst), c.src.read());

function baseOf(c: Ctx, n: number, write: boolean): void {
  if (write) return c.helper("write_base", k(n), c.dst.read());
  c.helper("read_base", k(n));
  c.dst.write(c.result(0));
}

// Flags.

function pushFlags(c: Ctx): void {
  c.helper("pushf", k(c.opsize));
  c.push(c.result(0), c.opsize);
}

const popFlags = (c: Ctx): void => c.helper("popf", c.pop(c.opsize), k(c.opsize));

// Ports. The accumulator is AL, AX or EAX: there is no 64-bit port access.

function input(c: Ctx): void {
  c.helper("in", c.src.read(), k(c.dst.width / 8));
  c.dst.write(c.result(0));
}

const output = (c: Ctx): void => c.helper("out", c.dst.read(), k(c.src.width / 8), c.src.read());

function stringPort(c: Ctx, name: "ins" | "outs"): void {
  const { width } = name === "ins" ? c.dst : c.src;
  c.transfer(name, k(width / 8), k(c.asize), k(c.rep ? 1 : 0));
}

const call = (name: string) => (c: Ctx): void => c.helper(name);
const go = (name: string) => (c: Ctx): void => c.transfer(name);
const nothing = (): void => {};

const ENDS = { ends: true } as const;
const OLD = { ends: true, long: "invalid" } as const;
const CPL0 = { ends: true, cpl0: true } as const;
const PROTECTED = { protected: true, cpuid: "i286" } as const;
const PROTECTED0 = { protected: true, cpl0: true, ends: true, cpuid: "i286" } as const;
const I286 = { cpuid: "i286" } as const;
const I286_CPL0 = { ends: true, cpl0: true, cpuid: "i286" } as const;
const POINTER = { ends: true, cpuid: "i386" } as const;
const STACK = { stack: true, long: "default64" } as const;
const STACK_ENDS = { stack: true, ends: true, long: "default64" } as const;
const STACK_OLD = { stack: true, ends: true, long: "invalid" } as const;
const STRING = { string: "rep", ends: true, cpuid: "i186" } as const;
const BASES = { long: "only", cpuid: "fsgsbase" } as const;
const MOVES0 = { ends: true, cpl0: true, long: "force64", cpuid: "i386" } as const;

/** System instructions. */
// deno-fmt-ignore
export const SYSTEM: readonly Row[] = [
  insn("POP", "07 ES|17 SS|1F DS", STACK_OLD, popSegment),
  insn("BOUND", "62 /r Gv,Ma", { long: "invalid", cpuid: "i186" }, bound),
  insn("ARPL", "63 /r Ew,Gw", { ...PROTECTED, writes: "Z", long: "invalid" }, arpl),
  insn("INS", "6C Yb,DX|6D Yz,DX", STRING, (c) => stringPort(c, "ins")),
  insn("OUTS", "6E DX,Xb|6F DX,Xz", STRING, (c) => stringPort(c, "outs")),
  insn("MOV", "8C /r Ev,Sw", {}, (c) => store(c, "mov_from_segment", numberOf(c.src))),
  insn("MOV", "8E /r Sw,Ew", ENDS, (c) => toNumbered(c, "mov_to_segment")),
  insn("CALL", "9A Ap", OLD, (c) => far(c, "call_far", immediatePointer(c))),
  insn("PUSHF", "9C", STACK, pushFlags),
  insn("POPF", "9D", { ...STACK_ENDS, writes: "OSZAPC" }, popFlags),
  insn("LES", "C4 /r Gv,Mp", OLD, loadPointer(0)),
  insn("LDS", "C5 /r Gv,Mp", OLD, loadPointer(3)),
  insn("RETF", "CA Iw", ENDS, (c) => returnFar(c, c.imm())),
  insn("RETF", "CB", ENDS, (c) => returnFar(c, k(0))),
  insn("INT3", "CC", ENDS, go("int3")),
  insn("INT", "CD Ib", ENDS, int),
  insn("INTO", "CE", { ends: true, long: "invalid", reads: "O" }, into),
  insn("IRET", "CF", { ends: true, writes: "OSZAPC" }, (c) => c.transfer("iret", k(c.opsize))),
  insn("IN", "E4 AL,Ib|E5 eAX,Ib|EC AL,DX|ED eAX,DX", {}, input),
  insn("OUT", "E6 Ib,AL|E7 Ib,eAX|EE DX,AL|EF DX,eAX", {}, output),
  insn("JMP", "EA Ap", OLD, (c) => far(c, "jmp_far", immediatePointer(c))),
  insn("INT1", "F1", ENDS, go("int1")),
  insn("HLT", "F4", CPL0, call("hlt")),
  insn("CLI", "FA", {}, call("cli")),
  insn("STI", "FB", ENDS, call("sti")),
  insn("CALL", "FF /3 Mp", ENDS, (c) => far(c, "call_far", memoryPointer(c))),
  insn("JMP", "FF /5 Mp", ENDS, (c) => far(c, "jmp_far", memoryPointer(c))),

  insn("SLDT", "0F 00 /0 Ev", PROTECTED, (c) => store(c, "sldt")),
  insn("STR", "0F 00 /1 Ev", PROTECTED, (c) => store(c, "str")),
  insn("LLDT", "0F 00 /2 Ew", PROTECTED0, (c) => c.helper("lldt", c.dst.read())),
  insn("LTR", "0F 00 /3 Ew", PROTECTED0, (c) => c.helper("ltr", c.dst.read())),
  insn("VERR", "0F 00 /4 Ew", { ...PROTECTED, writes: "Z" }, (c) => c.helper("verr", c.dst.read())),
  insn("VERW", "0F 00 /5 Ew", { ...PROTECTED, writes: "Z" }, (c) => c.helper("verw", c.dst.read())),
  insn("SGDT", "0F 01 /0 Ms", I286, (c) => storeTable(c, GDTR)),
  insn("SIDT", "0F 01 /1 Ms", I286, (c) => storeTable(c, IDTR)),
  insn("LGDT", "0F 01 /2 Ms", I286_CPL0, (c) => loadTable(c, "lgdt")),
  insn("LIDT", "0F 01 /3 Ms", I286_CPL0, (c) => loadTable(c, "lidt")),
  insn("SMSW", "0F 01 /4 Ev", I286, (c) => store(c, "smsw")),
  insn("LMSW", "0F 01 /6 Ew", I286_CPL0, (c) => c.helper("lmsw", c.dst.read())),
  insn("INVLPG", "0F 01 /7 Mb", { ...CPL0, cpuid: "i486" }, (c) => c.helper("invlpg", c.dst.offset())),
  insn("VMCALL", "0F 01 /C1", ENDS, call("hypercall")),
  insn("VMMCALL", "0F 01 /D9", ENDS, call("hypercall")),
  insn("CLAC", "NP 0F 01 /CA", { ends: true, cpuid: "smap" }, (c) => c.helper("set_ac", k(0))),
  insn("STAC", "NP 0F 01 /CB", { ends: true, cpuid: "smap" }, (c) => c.helper("set_ac", k(1))),
  insn("XGETBV", "NP 0F 01 /D0", { cpuid: "xsave" }, call("xgetbv")),
  insn("XSETBV", "NP 0F 01 /D1", { ...CPL0, cpuid: "xsave" }, call("xsetbv")),
  insn("SWAPGS", "0F 01 /F8", { cpl0: true, long: "only" }, call("swapgs")),
  insn("RDTSCP", "0F 01 /F9", { cpuid: "rdtscp" }, call("rdtscp")),
  insn("LAR", "0F 02 /r Gv,Ev", { ...PROTECTED, writes: "Z" }, (c) => lookUp(c, "lar")),
  insn("LSL", "0F 03 /r Gv,Ev", { ...PROTECTED, writes: "Z" }, (c) => lookUp(c, "lsl")),
  insn("SYSCALL", "0F 05", { ends: true, long: "only", cpuid: "syscall" }, go("syscall")),
  insn("CLTS", "0F 06", I286_CPL0, call("clts")),
  insn("SYSRET", "0F 07", { ends: true, cpl0: true, long: "only", cpuid: "syscall" }, (c) => c.transfer("sysret", k(c.opsize))),
  insn("INVD", "0F 08", { cpl0: true, cpuid: "i486" }, nothing),
  insn("WBINVD", "0F 09", { cpl0: true, cpuid: "i486" }, nothing),
  insn("MOV", "0F 20 /r Ry,Cy", MOVES0, (c) => fromNumbered(c, "mov_from_cr")),
  insn("MOV", "0F 21 /r Ry,Dy", MOVES0, (c) => fromNumbered(c, "mov_from_dr")),
  insn("MOV", "0F 22 /r Cy,Ry", MOVES0, (c) => toNumbered(c, "mov_to_cr")),
  insn("MOV", "0F 23 /r Dy,Ry", MOVES0, (c) => toNumbered(c, "mov_to_dr")),
  insn("WRMSR", "0F 30", { ...CPL0, cpuid: "msr" }, call("wrmsr")),
  insn("RDTSC", "0F 31", { cpuid: "tsc" }, call("rdtsc")),
  insn("RDMSR", "0F 32", { cpl0: true, cpuid: "msr" }, call("rdmsr")),
  insn("RDPMC", "0F 33", { cpuid: "mmx" }, call("rdpmc")),
  insn("SYSENTER", "0F 34", { ends: true, cpuid: "sep" }, go("sysenter")),
  insn("SYSEXIT", "0F 35", { ends: true, cpl0: true, cpuid: "sep" }, (c) => c.transfer("sysexit", k(c.opsize))),
  insn("POP", "0F A1 FS|0F A9 GS", { ...STACK_ENDS, cpuid: "i386" }, popSegment),
  insn("CPUID", "0F A2", { cpuid: "i486" }, call("cpuid")),
  insn("RDFSBASE", "F3 0F AE /0 Ry", BASES, (c) => baseOf(c, FS, false)),
  insn("RDGSBASE", "F3 0F AE /1 Ry", BASES, (c) => baseOf(c, GS, false)),
  insn("WRFSBASE", "F3 0F AE /2 Ry", BASES, (c) => baseOf(c, FS, true)),
  insn("WRGSBASE", "F3 0F AE /3 Ry", BASES, (c) => baseOf(c, GS, true)),
  insn("LSS", "0F B2 /r Gv,Mp", POINTER, loadPointer(2)),
  insn("LFS", "0F B4 /r Gv,Mp", POINTER, loadPointer(4)),
  insn("LGS", "0F B5 /r Gv,Mp", POINTER, loadPointer(5)),
  insn("RDPID", "F3 0F C7 /7 Ry", { cpuid: "rdpid", long: "force64" }, (c) => { c.helper("rdpid"); c.dst.write(c.result(0)); }),
  insn("INVPCID", "66 0F 38 82 /r Gy,Mdq", { ...MOVES0, cpuid: "invpcid" }, invpcid),
];
