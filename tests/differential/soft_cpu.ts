/**
 * The software engine behind the same interface as `NativeCpu`: batches of state blocks in, state blocks out. The guest
 * is a long-mode system of a few pages in which user code runs in 64-bit or compatibility mode, with the memory of
 * tests/host/memory_map.ts at the same addresses; what a fault pushes is read from the supervisor's stack.
 * @module
 */
import { KvmFpu, KvmRegs, type KvmSegment, KvmSregs } from "../../mod.ts";
import type { BackendMemory, BackendVcpu, BackendVm } from "../../core/kvm/backend.ts";
import { createSoftBackend, type Engine } from "../../core/engine/soft.ts";
import {
  backgroundByte,
  CODE_ADDRESS,
  CODE_SIZE,
  DATA_ADDRESS,
  DATA_SIZE,
  DEFAULT_CODE_OFFSET,
  PAGE_SIZE,
  READ_ONLY_ADDRESS,
  READ_ONLY_SIZE,
} from "../host/memory_map.ts";
import type { DataWindow, NativeMode } from "../host/native_cpu.ts";
import { STATE_OFFSET, STATE_SIZE, TRAP } from "../host/state_block.ts";

/** Many cases of the same code, as `NativeBatch`. */
export interface SoftBatch {
  /** Code size. */
  readonly mode: NativeMode;
  /** The instruction. */
  readonly code: Uint8Array;
  /** Where it starts in the code pages. */
  readonly codeOffset?: number;
  /** Records in: a state block and the bytes of the window each. */
  readonly inputs: Uint8Array;
  /** Records out. */
  readonly outputs: Uint8Array;
  /** Data that is set before each case and captured after it. */
  readonly window: DataWindow;
  /** Whether the instruction repeats itself (REP). */
  readonly repeats?: boolean;
  /** Whether x87, MMX and SSE registers are loaded and captured. */
  readonly fpu?: boolean;
}

/** Physical and, from SYSTEM on, linear place of the supervisor's structures. */
const TABLES = 0x1000, IDT = 0x8000, TSS = 0x9000, STUBS = 0xa000, STACK_TOP = 0xf000;
/** Linear address of physical 0 for the supervisor, where no test looks. */
const SYSTEM = 0x15_4000_0000;
const MEMORY = 0x20_0000;
const VECTORS = 32;
/** INT3: around the code, so that the case ends wherever it leads. */
const FILLER = 0xcc, BREAKPOINT = 3;
/** The most instructions that a case may take: it branches to itself if they do not do. */
const BUDGET = 1000;
const EXIT_HLT = 5, EXIT_INTR = 10;
const STUB_SIZE = 16;
/** Vectors that push an error code. */
const WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17, 21]);
/** RFLAGS bits that a case may set; bit 1 and IF. */
const SETTABLE = 0x24_4cd5n, FIXED = 0x202n;
/** RFLAGS.RF: set in what a fault pushes. */
const RF = 1n << 16n;
/** Order of `struct kvm_regs` as encoding numbers. */
const REGS = [0, 3, 1, 2, 6, 7, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];

const PRESENT = 1n, WRITE = 2n, USER = 4n, NX = 1n << 63n;

/** The software processor. */
export class SoftCpu implements Disposable {
  /** The processor itself, for CPUID and the like. */
  readonly vcpu: BackendVcpu;
  readonly #vm: BackendVm;
  readonly #memory: BackendMemory;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #regs: KvmRegs = new KvmRegs();
  readonly #regsView: DataView;
  readonly #sregs: KvmSregs = new KvmSregs();
  readonly #fpu: KvmFpu = new KvmFpu();
  readonly #background: Uint8Array = new Uint8Array(DATA_SIZE);
  #loaded = "";

  /**
   * Makes the guest. The interpreter executes the instruction alone; the translator makes a region of it and of what is
   * around it.
   */
  constructor(readonly engine: Engine = "interpreter") {
    this.#vm = createSoftBackend({ engine }).createVm();
    this.#memory = this.#vm.allocate(MEMORY);
    this.#vm.map([{ gpa: 0, size: MEMORY, memory: this.#memory, offset: 0, log: false }]);
    this.vcpu = this.#vm.createVcpu(0);
    this.#bytes = this.#memory.bytes;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#regsView = new DataView(this.#regs.bytes.buffer, this.#regs.bytes.byteOffset);
    for (let i = 0; i < DATA_SIZE; i++) this.#background[i] = backgroundByte(DATA_ADDRESS + i);
    this.#bytes.set(this.#background, DATA_ADDRESS);
    for (let i = 0; i < READ_ONLY_SIZE; i++) this.#bytes[READ_ONLY_ADDRESS + i] = backgroundByte(READ_ONLY_ADDRESS + i);
    this.#pageTables();
    this.#descriptors();
  }

  #pageTables(): void {
    const entry = (table: number, index: number, value: bigint) =>
      this.#view.setBigUint64(TABLES + table * PAGE_SIZE + index * 8, value, true);
    const table = (n: number) => BigInt(TABLES + n * PAGE_SIZE) | PRESENT | WRITE | USER;
    entry(0, 0, table(1));
    entry(1, 0, table(2));
    entry(1, SYSTEM / 0x4000_0000, table(4));
    entry(2, 0, table(3));
    entry(4, 0, table(5));
    for (let p = 0; p < 16; p++) entry(5, p, BigInt(p * PAGE_SIZE) | PRESENT | WRITE);
    const user = (address: number, size: number, rights: bigint) => {
      for (let a = address; a < address + size; a += PAGE_SIZE) {
        entry(3, a / PAGE_SIZE, BigInt(a) | PRESENT | USER | rights);
      }
    };
    user(CODE_ADDRESS, CODE_SIZE, 0n);
    user(DATA_ADDRESS, DATA_SIZE, WRITE | NX);
    user(READ_ONLY_ADDRESS, READ_ONLY_SIZE, NX);
  }

  #descriptors(): void {
    for (let v = 0; v < VECTORS; v++) {
      const handler = SYSTEM + STUBS + v * STUB_SIZE, at = IDT + v * 16;
      this.#view.setUint32(at, (handler & 0xffff) | 8 << 16, true);
      this.#view.setUint32(at + 4, (handler & 0xffff_0000) | 0xee00, true);
      this.#view.setUint32(at + 8, SYSTEM / 0x1_0000_0000, true);
    }
    this.#view.setBigUint64(TSS + 4, BigInt(SYSTEM + STACK_TOP), true);
    // GDT entry 1, which the gates name: 64-bit code of the supervisor.
    this.#view.setBigUint64(TSS + 0x200 + 8, 0x0020_9b00_0000_0000n, true);
    this.#bytes.fill(0xf4, STUBS, STUBS + VECTORS * STUB_SIZE);
  }

  /** Loads segments and control registers for user code of `mode`, with selectors and bases from a state block. */
  #load(mode: NativeMode, block: DataView, at: number): void {
    const s = this.#sregs;
    const selector = (name: "cs" | "ds" | "es" | "ss" | "fs" | "gs") => block.getUint16(at + STATE_OFFSET[name], true);
    const base = mode === 64
      ? [STATE_OFFSET.fsBase, STATE_OFFSET.gsBase].map((o) => block.getBigUint64(at + o, true))
      : [0n, 0n];
    const key = [mode, ...(["cs", "ds", "es", "ss", "fs", "gs"] as const).map(selector), ...base].join();
    if (key === this.#loaded) return;
    this.#loaded = key;
    const small = mode === 16;
    const set = (segment: KvmSegment, name: Parameters<typeof selector>[0], code: boolean, segmentBase: bigint) => {
      const value = selector(name);
      segment.selector = value;
      const usable = value > 3;
      segment.unusable = usable ? 0 : 1;
      segment.present = usable ? 1 : 0;
      segment.s = usable ? 1 : 0;
      segment.type = !usable ? 0 : code ? 11 : 3;
      segment.dpl = usable ? 3 : 0;
      segment.db = small || mode === 64 && code || !usable ? 0 : 1;
      segment.l = mode === 64 && code ? 1 : 0;
      segment.g = small || !usable ? 0 : 1;
      segment.base = segmentBase;
      segment.limit = !usable ? 0 : !small ? 0xffff_ffff : (code ? CODE_SIZE : DATA_SIZE) - 1;
    };
    const dataBase = small ? BigInt(DATA_ADDRESS) : 0n;
    set(s.cs, "cs", true, small ? BigInt(CODE_ADDRESS) : 0n);
    for (const name of ["ds", "es", "ss"] as const) set(s[name], name, false, dataBase);
    set(s.fs, "fs", false, base[0]);
    set(s.gs, "gs", false, base[1]);
    s.tr.selector = 0x40;
    s.tr.type = 11;
    s.tr.present = 1;
    s.tr.base = BigInt(SYSTEM + TSS);
    s.tr.limit = 0x67;
    s.ldt.unusable = 1;
    s.gdt.base = BigInt(SYSTEM + TSS + 0x200);
    s.gdt.limit = 0x4f;
    s.idt.base = BigInt(SYSTEM + IDT);
    s.idt.limit = VECTORS * 16 - 1;
    s.cr0 = 0x8005_0033n;
    s.cr3 = BigInt(TABLES);
    s.cr4 = 0x4_0620n;
    s.efer = 0xd01n;
    s.apic_base = 0xfee0_0900n;
    this.vcpu.setSregs(s.bytes);
  }

  /** Runs a batch; returns the lowest data address outside the window that a case changed. */
  runBatch(batch: SoftBatch): { readonly stray: number | undefined } {
    const { mode, code, codeOffset = DEFAULT_CODE_OFFSET, inputs, outputs, window, repeats = false } = batch;
    const record = STATE_SIZE + window.length;
    const input = new DataView(inputs.buffer, inputs.byteOffset, inputs.byteLength);
    const output = new DataView(outputs.buffer, outputs.byteOffset, outputs.byteLength);
    this.#bytes.fill(FILLER, CODE_ADDRESS, CODE_ADDRESS + CODE_SIZE);
    this.#bytes.set(code, CODE_ADDRESS + codeOffset);
    for (let at = 0; at + record <= inputs.length; at += record) {
      this.#bytes.set(inputs.subarray(at + STATE_SIZE, at + record), window.address);
      outputs.set(inputs.subarray(at, at + STATE_SIZE), at);
      this.#load(mode, input, at);
      if (batch.fpu) this.#loadFpu(inputs, at);
      this.#runCase(mode, input, at, repeats);
      this.#store(output, at);
      if (batch.fpu) this.#storeFpu(outputs, at);
      outputs.set(this.#bytes.subarray(window.address, window.address + window.length), at + STATE_SIZE);
    }
    return { stray: this.#restore(window) };
  }

  #runCase(mode: NativeMode, input: DataView, at: number, repeats: boolean): void {
    const regs = this.#regsView;
    REGS.forEach((r, i) => regs.setBigUint64(i * 8, input.getBigUint64(at + r * 8, true), true));
    const rip = input.getBigUint64(at + STATE_OFFSET.rip, true);
    const flags = input.getBigUint64(at + STATE_OFFSET.rflags, true) & SETTABLE | FIXED;
    regs.setBigUint64(128, rip, true);
    regs.setBigUint64(136, flags, true);
    this.vcpu.setRegs(this.#regs.bytes);
    if (this.engine === "translator") {
      this.vcpu.run(BUDGET);
      this.vcpu.getRegs(this.#regs.bytes);
      return;
    }
    for (let i = 0; i === 0 || repeats && i < BUDGET; i++) {
      this.vcpu.run(1);
      this.vcpu.getRegs(this.#regs.bytes);
      if (regs.getBigUint64(128, true) !== rip) break;
    }
    // Where a branch led to nowhere, the fetch there faults.
    const place = Number(regs.getBigUint64(128, true)) - (mode === 16 ? 0 : CODE_ADDRESS);
    if ((place >= 0 && place < CODE_SIZE) || this.#stub(regs.getBigUint64(128, true)) >= 0) return;
    this.vcpu.run(1);
    this.vcpu.getRegs(this.#regs.bytes);
  }

  /** The vector whose handler is at `rip`, or −1. */
  #stub(rip: bigint): number {
    const place = Number(rip) - SYSTEM - STUBS;
    return place >= 0 && place < VECTORS * STUB_SIZE ? Math.floor(place / STUB_SIZE) : -1;
  }

  #store(output: DataView, at: number): void {
    const regs = this.#regsView;
    REGS.forEach((r, i) => output.setBigUint64(at + r * 8, regs.getBigUint64(i * 8, true), true));
    let rip = regs.getBigUint64(128, true),
      flags = regs.getBigUint64(136, true),
      trap: number = TRAP.none,
      error = 0,
      cr2 = 0n;
    if (this.#stub(rip) >= 0) {
      trap = this.#stub(rip);
      let sp = Number(regs.getBigUint64(48, true)) - SYSTEM;
      if (WITH_ERROR.has(trap)) {
        error = this.#view.getUint32(sp, true);
        sp += 8;
      }
      rip = this.#view.getBigUint64(sp, true);
      flags = this.#view.getBigUint64(sp + 16, true) & ~RF;
      output.setBigUint64(at + 4 * 8, this.#view.getBigUint64(sp + 24, true), true);
      if (trap === 14) {
        this.vcpu.getSregs(this.#sregs.bytes);
        cr2 = this.#sregs.cr2;
      }
      this.#loaded = "";
      if (trap === BREAKPOINT) {
        rip--;
        trap = TRAP.none;
      }
    } else if (this.vcpu.shared[8] !== EXIT_INTR && this.vcpu.shared[8] !== EXIT_HLT) {
      trap = 0x1000 + this.vcpu.shared[8];
      this.#loaded = "";
    }
    output.setBigUint64(at + STATE_OFFSET.rip, rip, true);
    output.setBigUint64(at + STATE_OFFSET.rflags, flags, true);
    output.setUint32(at + STATE_OFFSET.trap, trap, true);
    output.setUint32(at + STATE_OFFSET.error, error, true);
    output.setBigUint64(at + STATE_OFFSET.cr2, cr2, true);
  }

  #loadFpu(inputs: Uint8Array, at: number): void {
    const f = this.#fpu.bytes, from = at + STATE_OFFSET.fxsave;
    for (let i = 0; i < 8; i++) f.set(inputs.subarray(from + 32 + i * 16, from + 48 + i * 16), i * 16);
    f.set(inputs.subarray(from, from + 5), 128);
    f.set(inputs.subarray(from + 6, from + 24), 134);
    f.set(inputs.subarray(from + 160, from + 416), 152);
    f.set(inputs.subarray(from + 24, from + 28), 408);
    this.vcpu.setFpu(f);
  }

  #storeFpu(outputs: Uint8Array, at: number): void {
    const f = this.#fpu.bytes, to = at + STATE_OFFSET.fxsave;
    this.vcpu.getFpu(f);
    for (let i = 0; i < 8; i++) outputs.set(f.subarray(i * 16, i * 16 + 16), to + 32 + i * 16);
    outputs.set(f.subarray(128, 133), to);
    outputs.set(f.subarray(134, 152), to + 6);
    outputs.set(f.subarray(152, 408), to + 160);
    outputs.set(f.subarray(408, 412), to + 24);
  }

  #restore(window: DataWindow): number | undefined {
    let stray: number | undefined;
    const start = window.address - DATA_ADDRESS;
    for (let i = 0; i < DATA_SIZE && stray === undefined; i++) {
      if (i === start) i += window.length;
      if (i < DATA_SIZE && this.#bytes[DATA_ADDRESS + i] !== this.#background[i]) stray = DATA_ADDRESS + i;
    }
    this.#bytes.set(this.#background, DATA_ADDRESS);
    return stray;
  }

  /** Gives the machine back. */
  [Symbol.dispose](): void {
    this.vcpu[Symbol.dispose]();
    this.#vm[Symbol.dispose]();
  }
}
