/**
 * The registers of a processor in the layout of QEMU's `-d cpu` and `info registers`, so that traces of both can be
 * compared line by line.
 *
 * Two things are not there: the debug registers, which version 12 cannot read, and QEMU's own CCS, CCD and CCO. QEMU does
 * not show the accessed bit of a code segment and the busy bit of a TSS that the processor itself has set; here they are.
 * Source: the output of QEMU 7.2.
 * @module
 */

import type { KvmRegs, KvmSegment, KvmSregs } from "../../mod.ts";
import { codeMode } from "./cpu_state.ts";
import { digits } from "./hex.ts";

const CR0_PE = 1n;
const EFER_LMA = 1n << 10n;

const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
const LONG_ROWS = [
  ["rax", "rbx", "rcx", "rdx"],
  ["rsi", "rdi", "rbp", "rsp"],
  ["r8", "r9", "r10", "r11"],
  ["r12", "r13", "r14", "r15"],
] as const;
const SHORT_ROWS = [["rax", "rbx", "rcx", "rdx"], ["rsi", "rdi", "rbp", "rsp"]] as const;

/** Types of system descriptors outside long mode and in it. */
const SYSTEM_TYPES = [
  [
    ...["Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16"],
    ...["Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32"],
  ],
  [
    ...["<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved"],
    ...["Reserved", "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64"],
  ],
] as const;

/**
 * Registers as text.
 * @param regs General registers.
 * @param sregs Segments and control registers.
 * @param halted Whether the processor is in HLT.
 * @returns Lines, each with its end.
 */
export function registerDump(regs: KvmRegs, sregs: KvmSregs, halted: boolean = false): string {
  const is64 = codeMode(regs, sregs) === "64-bit";
  const isLong = (sregs.efer & EFER_LMA) !== 0n;
  const wide = (value: bigint): string => isLong ? digits(value, 16) : digits(BigInt.asUintN(32, value), 8);
  const table = (name: "gdt" | "idt"): string =>
    `${name.toUpperCase()}=     ${wide(sregs[name].base)} ${digits(sregs[name].limit, 8)}`;
  const lines = [
    ...is64 ? longRegisters(regs) : shortRegisters(regs),
    `${is64 ? `RIP=${digits(regs.rip, 16)} RFL` : `EIP=${short(regs.rip)} EFL`}=${digits(regs.rflags, 8)} ` +
    `[${flagLetters(regs.rflags)}] CPL=${cpl(sregs)} II=0 A20=1 SMM=0 HLT=${halted ? 1 : 0}`,
    ...SEGMENTS.map((name) => segmentLine(name.toUpperCase(), sregs[name], sregs, is64)),
    segmentLine("LDT", sregs.ldt, sregs, is64),
    segmentLine("TR", sregs.tr, sregs, is64),
    table("gdt"),
    table("idt"),
    `CR0=${digits(sregs.cr0, 8)} CR2=${wide(sregs.cr2)} CR3=${wide(sregs.cr3)} CR4=${digits(sregs.cr4, 8)}`,
    `EFER=${digits(sregs.efer, 16)}`,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function longRegisters(regs: KvmRegs): string[] {
  return LONG_ROWS.map((row) =>
    row.map((name) => `${name.toUpperCase().padEnd(3)}=${digits(regs[name], 16)}`).join(" ")
  );
}

function shortRegisters(regs: KvmRegs): string[] {
  return SHORT_ROWS.map((row) => row.map((name) => `E${name.slice(1).toUpperCase()}=${short(regs[name])}`).join(" "));
}

function short(value: bigint): string {
  return digits(BigInt.asUintN(32, value), 8);
}

function flagLetters(flags: bigint): string {
  const letters = [[10n, "D"], [11n, "O"], [7n, "S"], [6n, "Z"], [4n, "A"], [2n, "P"], [0n, "C"]] as const;
  return letters.map(([bit, letter]) => (flags >> bit & 1n) !== 0n ? letter : "-").join("");
}

/** The privilege level: that of SS. */
export function cpl({ cr0, ss }: KvmSregs): number {
  return (cr0 & CR0_PE) === 0n ? 0 : ss.dpl;
}

function segmentLine(name: string, segment: KvmSegment, sregs: KvmSregs, is64: boolean): string {
  const { selector, base, limit } = segment;
  const address = is64 ? digits(base, 16) : short(base);
  const head = `${name.padEnd(3)}=${digits(selector, 4)} ${address} ${digits(limit, 8)} ${
    digits(descriptorWord(segment, sregs), 8)
  }`;
  return (sregs.cr0 & CR0_PE) === 0n || segment.present === 0 ? head : `${head} ${describe(segment, sregs)}`;
}

/** The upper half of the descriptor, as QEMU shows it: without the base, and in real mode without the limit. */
function descriptorWord(segment: KvmSegment, { cr0 }: KvmSregs): number {
  const { type, s, dpl, present, avl, l, db, g } = segment;
  const flags = type << 8 | s << 12 | dpl << 13 | present << 15 | avl << 20 | l << 21 | db << 22 | g << 23;
  if ((cr0 & CR0_PE) === 0n) return flags;
  const limit = g !== 0 ? segment.limit >>> 12 : segment.limit;
  return flags | limit & 0xf0000;
}

function describe({ type, s, dpl, l, db }: KvmSegment, { efer }: KvmSregs): string {
  const isLong = (efer & EFER_LMA) !== 0n;
  const head = `DPL=${dpl} `;
  if (s === 0) return head + SYSTEM_TYPES[isLong ? 1 : 0][type];
  const accessed = (type & 1) !== 0 ? "A" : "-";
  if ((type & 8) !== 0) {
    const size = l !== 0 ? "CS64" : db !== 0 ? "CS32" : "CS16";
    return `${head}${size} [${(type & 4) !== 0 ? "C" : "-"}${(type & 2) !== 0 ? "R" : "-"}${accessed}]`;
  }
  const size = db !== 0 || isLong ? "DS  " : "DS16";
  return `${head}${size} [${(type & 4) !== 0 ? "E" : "-"}${(type & 2) !== 0 ? "W" : "-"}${accessed}]`;
}
