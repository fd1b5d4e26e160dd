/**
 * Traces of what a guest executes and of the interrupts and exceptions that it gets, in the form of QEMU's
 * `-d in_asm,cpu,int` with one instruction a block.
 *
 * As there, an instruction is shown the first time it is met, and the registers each time, before it is executed. Its text
 * is in Intel syntax, where QEMU's is in AT&T's. What is not in the register dump is told in register_dump.ts.
 * @module
 */

import { disassemble, KvmRegs, KvmSregs, type Vcpu, type VcpuEventKind } from "../../mod.ts";
import { codeBits, linearRip } from "./cpu_state.ts";
import type { StepTracer } from "./debugger.ts";
import type { GuestMemory } from "./guest_memory.ts";
import { digits } from "./hex.ts";
import { cpl, registerDump } from "./register_dump.ts";
import type { SymbolTable } from "./symbols.ts";

/** The longest instruction, in bytes. */
const LENGTH_MOST = 15;
/** Bytes of an instruction on one line. */
const LINE_BYTES = 8;
const PAGE_FAULT = 14;

/** Linear addresses, both included. */
export interface TraceRange {
  /** The first. */
  readonly start: bigint;
  /** The last. */
  readonly end: bigint;
}

/** What a {@linkcode Tracer} is made from. */
export interface TracerOptions {
  /** The processors. */
  readonly vcpus: readonly Vcpu[];
  /** Their memory. */
  readonly memory: GuestMemory;
  /** Takes the lines, each with its end. */
  readonly write: (text: string) => void;
  /** Which instructions are traced; left out: none. `null`: all. */
  readonly instructions?: TraceRange | null;
  /** Whether interrupts are traced: external ones, NMI, and INT n with INT3 and INTO. */
  readonly interrupts?: boolean;
  /** Whether exceptions are traced. */
  readonly exceptions?: boolean;
  /** Names of addresses. */
  readonly symbols?: SymbolTable;
}

/** Writes traces. */
export class Tracer implements StepTracer {
  readonly instructions: boolean;
  readonly events: boolean;
  readonly #options: TracerOptions;
  readonly #regs: KvmRegs = new KvmRegs();
  readonly #sregs: KvmSregs = new KvmSregs();
  /** The bytes of each instruction that was shown, by address. */
  readonly #shown: Map<bigint, string> = new Map();
  /** The instruction that is about to be executed, and its text. */
  #pending: { readonly linear: bigint; readonly key: string; readonly text: string } | null = null;
  #eventCount = 0;

  /** Prepares to trace. */
  constructor(options: TracerOptions) {
    this.#options = options;
    this.instructions = options.instructions !== undefined;
    this.events = (options.interrupts ?? false) || (options.exceptions ?? false);
  }

  instruction(thread: number): void {
    const { vcpus, instructions: range, memory } = this.#options;
    const vcpu = vcpus[thread];
    const regs = vcpu.getRegs(this.#regs), sregs = vcpu.getSregs(this.#sregs);
    const linear = linearRip(regs, sregs);
    if (range && (linear < range.start || linear > range.end)) return;
    const bytes = memory.read(vcpu, linear, LENGTH_MOST);
    this.#pending = this.#block(linear, bytes, codeBits(regs, sregs), registerDump(regs, sregs));
  }

  left(thread: number, halted: boolean): void {
    if (this.#pending === null) return;
    const vcpu = this.#options.vcpus[thread];
    // A processor that is in HLT already has executed nothing.
    if (halted && linearRip(vcpu.getRegs(this.#regs), vcpu.getSregs(this.#sregs)) === this.#pending.linear) {
      this.#pending = null;
    }
    this.#flush();
  }

  #flush(): void {
    if (this.#pending === null) return;
    const { linear, key, text } = this.#pending;
    this.#pending = null;
    this.#shown.set(linear, key);
    this.#options.write(text);
  }

  event(thread: number, kind: VcpuEventKind, vector: number, errorCode: number): void {
    // An interrupt comes before the instruction, all else during it.
    if (kind === "external" || kind === "nmi") this.#pending = null;
    else this.#flush();
    const { vcpus, interrupts, exceptions, write } = this.#options;
    const isException = kind === "exception" || kind === "int1";
    if (!(isException ? exceptions : interrupts)) return;
    const vcpu = vcpus[thread];
    const regs = vcpu.getRegs(this.#regs), sregs = vcpu.getSregs(this.#sregs);
    const linear = linearRip(regs, sregs);
    const last = vector === PAGE_FAULT && isException
      ? `CR2=${digits(sregs.cr2, 16)}`
      : `env->regs[R_EAX]=${digits(regs.rax, 16)}`;
    const name = this.#options.symbols?.nameOf(linear);
    write(
      `${String(this.#eventCount++).padStart(6)}: v=${digits(vector, 2)} e=${digits(Math.max(0, errorCode), 4)} ` +
        `i=${kind === "software" ? 1 : 0} cpl=${cpl(sregs)} IP=${digits(sregs.cs.selector, 4)}:${
          digits(regs.rip, 16)
        } ` +
        `pc=${digits(linear, 16)} SP=${digits(sregs.ss.selector, 4)}:${digits(regs.rsp, 16)} ${last}` +
        `${name === null || name === undefined ? "" : ` <${name}>`}\n`,
    );
  }

  /** What is to be written of an instruction: its listing if it was not shown before, and the registers. */
  #block(
    linear: bigint,
    bytes: Uint8Array,
    code: 16 | 32 | 64,
    registers: string,
  ): { readonly linear: bigint; readonly key: string; readonly text: string } {
    const { text, length } = disassemble(bytes, { code, address: linear });
    const pairs = Array.from(bytes.subarray(0, Math.max(1, length)), (byte) => digits(byte, 2));
    const key = `${code} ${pairs.join("")}`;
    if (this.#shown.get(linear) === key) return { linear, key, text: registers };
    const name = this.#options.symbols?.nameOf(linear) ?? "";
    const [, mnemonic, operands] = /^(\S+)\s*(.*)$/.exec(text) ?? ["", text, ""];
    let lines = "";
    for (let at = 0; at < pairs.length; at += LINE_BYTES) {
      const row = pairs.slice(at, at + LINE_BYTES).map((pair) => `${pair} `).join("").padEnd(LINE_BYTES * 3);
      const shown = at === 0 ? ` ${mnemonic.padEnd(8)} ${operands}` : "";
      lines += `${`0x${digits(linear + BigInt(at), 8)}:  ${row}${shown}`.trimEnd()}\n`;
    }
    return { linear, key, text: `----------------\nIN: ${name}\n${lines}\n${registers}` };
  }
}
