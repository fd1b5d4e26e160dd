/**
 * The state of a processor as the debugger handles it: read whole, changed in part, written back where it changed.
 * @module
 */

import { type KvmFpu, KvmMsrs, type KvmRegs, type KvmSegment, type KvmSregs, type Vcpu } from "../../mod.ts";

/** CR0.PE. */
const CR0_PE = 1n;
/** EFER.LMA. */
const EFER_LMA = 1n << 10n;
/** RFLAGS.VM. */
const RFLAGS_VM = 1n << 17n;
/** MSR IA32_KERNEL_GS_BASE. */
const KERNEL_GS_BASE = 0xc0000102;

/** How wide code is, or how addresses are made. */
export type CodeMode = "real" | "virtual-8086" | "16-bit" | "32-bit" | "compatibility" | "64-bit";

/** Registers of one processor. */
export class CpuState {
  /** The general registers. */
  readonly regs: KvmRegs;
  /** The special registers. */
  readonly sregs: KvmSregs;
  readonly #vcpu: Vcpu;
  readonly #regsBefore: Uint8Array;
  readonly #sregsBefore: Uint8Array;
  #fpu: KvmFpu | null = null;
  #fpuBefore: Uint8Array | null = null;

  /** Reads the general and special registers. */
  constructor(vcpu: Vcpu) {
    this.#vcpu = vcpu;
    this.regs = vcpu.getRegs();
    this.sregs = vcpu.getSregs();
    this.#regsBefore = this.regs.bytes.slice();
    this.#sregsBefore = this.sregs.bytes.slice();
  }

  /** The x87 and SSE state, read when first asked for. */
  get fpu(): KvmFpu {
    if (this.#fpu === null) {
      this.#fpu = this.#vcpu.getFpu();
      this.#fpuBefore = this.#fpu.bytes.slice();
    }
    return this.#fpu;
  }

  /** GS base that SWAPGS exchanges; null where the processor has none. */
  get kernelGsBase(): bigint | null {
    const msrs = new KvmMsrs([{ index: KERNEL_GS_BASE }]);
    return this.#vcpu.getMsrs(msrs) === 1 ? msrs.entries[0].data : null;
  }

  set kernelGsBase(value: bigint | null) {
    if (value === null || value === this.kernelGsBase) return;
    this.#vcpu.setMsrs(new KvmMsrs([{ index: KERNEL_GS_BASE, data: value }]));
  }

  /** Writes back what was changed. */
  write(): void {
    const { regs, sregs } = this;
    if (differ(sregs.bytes, this.#sregsBefore)) this.#vcpu.setSregs(sregs);
    if (differ(regs.bytes, this.#regsBefore)) this.#vcpu.setRegs(regs);
    if (this.#fpu !== null && differ(this.#fpu.bytes, this.#fpuBefore!)) this.#vcpu.setFpu(this.#fpu);
  }

  /** Whether long mode is active. */
  get isLong(): boolean {
    return (this.sregs.efer & EFER_LMA) !== 0n;
  }

  /** How the code that runs is to be read. */
  get mode(): CodeMode {
    return codeMode(this.regs, this.sregs);
  }

  /** Linear address of the next instruction. */
  get linearRip(): bigint {
    return linearRip(this.regs, this.sregs);
  }
}

/** How the code that runs is to be read. */
export function codeMode(regs: KvmRegs, sregs: KvmSregs): CodeMode {
  if ((sregs.cr0 & CR0_PE) === 0n) return "real";
  if ((regs.rflags & RFLAGS_VM) !== 0n) return "virtual-8086";
  if ((sregs.efer & EFER_LMA) !== 0n) return sregs.cs.l !== 0 ? "64-bit" : "compatibility";
  return sregs.cs.db !== 0 ? "32-bit" : "16-bit";
}

/** Linear address of the next instruction. */
export function linearRip(regs: KvmRegs, sregs: KvmSregs): bigint {
  return codeMode(regs, sregs) === "64-bit" ? regs.rip : BigInt.asUintN(32, sregs.cs.base + regs.rip);
}

/** Bits of an instruction's default size: 16, 32 or 64. */
export function codeBits(regs: KvmRegs, sregs: KvmSregs): 16 | 32 | 64 {
  const mode = codeMode(regs, sregs);
  if (mode === "64-bit") return 64;
  return mode === "32-bit" || mode === "compatibility" && sregs.cs.db !== 0 ? 32 : 16;
}

/**
 * Loads a selector as a debugger can: with its base in real and virtual-8086 mode; elsewhere only null selectors and the
 * one that is there, since the descriptor would have to be loaded with it.
 * @returns Whether it was possible.
 */
export function setSelector(state: CpuState, segment: KvmSegment, selector: number): boolean {
  if (segment.selector === selector) return true;
  const { mode } = state;
  if (mode !== "real" && mode !== "virtual-8086") return false;
  segment.selector = selector;
  segment.base = BigInt(selector) << 4n;
  return true;
}

function differ(a: Uint8Array, b: Uint8Array): boolean {
  return a.some((byte, n) => byte !== b[n]);
}
