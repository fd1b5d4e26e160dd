/**
 * What a developer needs to see of a processor that cannot go on.
 * @module
 */

import { disassemble } from "../mod.ts";
import { KvmError, type KvmRegs, type KvmSegment, type KvmSregs, type Vcpu, type Vm } from "../mod.ts";
import { digits, hex, hexBytes } from "./format.ts";

const CODE_BYTES = 16;
/** Instructions that are shown, and the most bytes that one can have. */
const INSTRUCTIONS = 4, INSTRUCTION_BYTES = 15;
const STACK_BYTES = 64;
const LINE_BYTES = 32;
const CR0_PE = 1n;
const RFLAGS_VM = 1n << 17n;
const EFER_LMA = 1n << 10n;

/** Flags by bit; those without a letter are not shown. */
const FLAGS: readonly (readonly [number, string])[] = [
  ...[[0, "CF"], [2, "PF"], [4, "AF"], [6, "ZF"], [7, "SF"], [8, "TF"], [9, "IF"], [10, "DF"], [11, "OF"]] as const,
  ...[[14, "NT"], [16, "RF"], [17, "VM"], [18, "AC"], [19, "VIF"], [20, "VIP"], [21, "ID"]] as const,
];

const GENERAL = [
  ["rax", "rbx", "rcx"],
  ["rdx", "rsi", "rdi"],
  ["rbp", "rsp", "r8"],
  ["r9", "r10", "r11"],
  ["r12", "r13", "r14"],
  ["r15", "rip"],
] as const;

const SEGMENTS = ["cs", "ss", "ds", "es", "fs", "gs", "tr", "ldt"] as const;

/**
 * Registers, segments, control registers, code and stack.
 * @param vm The machine.
 * @param vcpu The processor.
 * @returns Lines, each with its end.
 */
export function crashReport(vm: Vm, vcpu: Vcpu): string {
  const regs = vcpu.getRegs(), sregs = vcpu.getSregs();
  const memory = new LinearMemory(vm, vcpu);
  return [
    ...generalLines(regs),
    ...SEGMENTS.map((name) => segmentLine(name, sregs[name])),
    `gdt base ${digits(sregs.gdt.base, 16)} limit ${digits(sregs.gdt.limit, 4)}   ` +
    `idt base ${digits(sregs.idt.base, 16)} limit ${digits(sregs.idt.limit, 4)}`,
    `cr0 ${digits(sregs.cr0, 8)}  cr2 ${digits(sregs.cr2, 16)}  cr3 ${digits(sregs.cr3, 16)}`,
    `cr4 ${digits(sregs.cr4, 8)}  cr8 ${digits(sregs.cr8, 1)}  efer ${digits(sregs.efer, 8)}`,
    ...codeLines(regs, sregs, memory),
    ...stackLines(regs, sregs, memory),
  ].map((line) => `  ${line}\n`).join("");
}

function generalLines(regs: KvmRegs): string[] {
  const flags = FLAGS.filter(([bit]) => regs.rflags >> BigInt(bit) & 1n).map(([, name]) => name);
  return [
    ...GENERAL.map((row) => row.map((name) => `${name.padEnd(3)} ${digits(regs[name], 16)}`).join("  ")),
    `rflags ${digits(regs.rflags, 8)} [${flags.join(" ")}] iopl ${regs.rflags >> 12n & 3n}`,
  ];
}

function segmentLine(name: string, segment: KvmSegment): string {
  const { selector, base, limit, type, dpl } = segment;
  const names = ["present", "s", "db", "l", "g", "avl", "unusable"] as const;
  const bits = names.filter((bit) => segment[bit] !== 0).map((bit) => bit === "present" ? "p" : bit);
  return `${name.padEnd(3)} ${digits(selector, 4)} base ${digits(base, 16)} limit ${digits(limit, 8)} ` +
    ["type", digits(type, 1), "dpl", dpl, ...bits].join(" ");
}

function codeLines(regs: KvmRegs, sregs: KvmSregs, memory: LinearMemory): string[] {
  const linear = linearAddress(sregs, sregs.cs, regs.rip);
  const { bytes, problem } = memory.read(linear, INSTRUCTIONS * INSTRUCTION_BYTES);
  const shown = bytes.subarray(0, CODE_BYTES);
  const why = shown.length < CODE_BYTES ? problem : "";
  const lines = [`code at ${hex(linear)}: ${hexBytes(shown)} ${why}`.trimEnd()];
  const code = isLong(sregs) && sregs.cs.l !== 0 ? 64 : sregs.cs.db !== 0 ? 32 : 16;
  for (let at = 0; at < bytes.length && lines.length <= INSTRUCTIONS;) {
    const address = regs.rip + BigInt(at);
    const { text, length } = disassemble(bytes.subarray(at), { code, address });
    lines.push(`  ${hex(address)}  ${text}`);
    // What follows bytes that are no instruction is no code either.
    if (text === "(bad)") break;
    at += length;
  }
  return lines;
}

function stackLines(regs: KvmRegs, sregs: KvmSregs, memory: LinearMemory): string[] {
  const width = isLong(sregs) && sregs.cs.l !== 0 ? 8 : sregs.ss.db !== 0 ? 4 : 2;
  const mask = (1n << BigInt(8 * width)) - 1n;
  const linear = linearAddress(sregs, sregs.ss, regs.rsp & mask);
  const { bytes, problem } = memory.read(linear, STACK_BYTES);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE_BYTES) {
    const words: string[] = [];
    for (let word = at; word < at + LINE_BYTES && word + width <= bytes.length; word += width) {
      words.push(hexBytes(bytes.subarray(word, word + width).toReversed()).replaceAll(" ", ""));
    }
    lines.push(`  ${words.join(" ")}`);
  }
  return [`stack at ${hex(linear)}: ${problem}`.trimEnd(), ...lines];
}

function isLong(sregs: KvmSregs): boolean {
  return (sregs.efer & EFER_LMA) !== 0n;
}

/** In 64-bit code the segments of code and stack have no base, elsewhere addresses have 32 bits. */
function linearAddress(sregs: KvmSregs, segment: KvmSegment, offset: bigint): bigint {
  if (isLong(sregs) && sregs.cs.l !== 0) return offset;
  return (segment.base + offset) & 0xffffffffn;
}

/** Guest memory by linear address. */
class LinearMemory {
  readonly #vm: Vm;
  readonly #vcpu: Vcpu;

  constructor(vm: Vm, vcpu: Vcpu) {
    this.#vm = vm;
    this.#vcpu = vcpu;
  }

  /** Reads up to the first byte that is not there, and says why it stopped. */
  read(linear: bigint, length: number): { readonly bytes: Uint8Array; readonly problem: string } {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const address = BigInt.asUintN(64, linear + BigInt(i));
      const problem = this.#readByte(address, bytes, i);
      if (problem !== "") return { bytes: bytes.subarray(0, i), problem: `(${problem})` };
    }
    return { bytes, problem: "" };
  }

  #readByte(address: bigint, bytes: Uint8Array, index: number): string {
    try {
      const { valid, physical_address } = this.#vcpu.translate(address);
      if (valid === 0) return `${hex(address)} is not mapped`;
      bytes[index] = this.#vm.read(physical_address, 1)[0];
      return "";
    } catch (error) {
      if (error instanceof KvmError) return `no memory at ${hex(address)}`;
      throw error;
    }
  }
}

/**
 * The mode that a processor is in, in words.
 * @param regs Its general registers.
 * @param sregs Its special registers.
 */
export function modeName(regs: KvmRegs, sregs: KvmSregs): string {
  if ((sregs.cr0 & CR0_PE) === 0n) return "real mode";
  if (regs.rflags & RFLAGS_VM) return "virtual-8086 mode";
  if (isLong(sregs)) return sregs.cs.l !== 0 ? "64-bit mode" : "compatibility mode";
  return sregs.cs.db !== 0 ? "32-bit protected mode" : "16-bit protected mode";
}
