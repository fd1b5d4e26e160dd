/**
 * The soft backend twice: every call goes to an interpreting and to a translating machine, RUN is cut into slices, and
 * behind each of them both are compared: registers, flags, segments, control and debug registers, MSRs, x87 and SIMD
 * state, queued interrupts, the exit and its data, the number of instructions, the pages that were written and their
 * dirty marks. All memory is compared now and then, and at exits other than for I/O.
 *
 * The host sees the memory and `kvm_run` of the interpreter. What it writes there is found when a RUN begins, by comparing
 * all memory: with many exits that is what takes the time.
 *
 * Limitations: slices end everything that an engine keeps from one RUN to the next, and the translator is the one that
 * translates before the first execution. A guest that changes page tables without flushing the TLB may show differences
 * that the architecture allows.
 * @module
 */
import type { Backend, BackendMemory, BackendVcpu, BackendVm, MappedRange, VcpuObserver } from "../kvm/backend.ts";
import { MSR_INDEX_LIST } from "../x86/system/msr.ts";
import type { SoftVcpu } from "./cpu.ts";
import { LockstepError } from "./lockstep_error.ts";
import { type LockstepMemory, LockstepRam } from "./lockstep_memory.ts";
import { narrow } from "./lockstep_narrow.ts";
import { LockstepPair } from "./lockstep_pair.ts";
import { type Engine, SoftVm, type Timestamp } from "./soft.ts";

/** Instructions in a slice. */
const SLICE = 10_000;
/** Slices after which all memory is compared. */
const SLICES_BETWEEN_LOOKS = 400;
const EXIT_IO = 2, EXIT_MMIO = 6, EXIT_INTR = 10;

/** How the lockstep backend is made. */
export interface LockstepOptions {
  /** Instructions between two comparisons, 1 or more; 10 000 unless told. */
  readonly slice?: number;
  /** What the time-stamp counters count, a function of the instructions alone; they themselves unless told. */
  readonly timestamp?: Timestamp;
  /** Makes the machine of one side, for tests; a {@linkcode SoftVm} unless told. */
  readonly createVm?: (engine: Engine) => SoftVm;
}

/** A processor on both engines. */
class LockstepVcpu implements BackendVcpu {
  readonly shared: Uint8Array;
  readonly #id: number;
  readonly #pair: LockstepPair;
  readonly #ram: LockstepRam;
  readonly #slice: number;
  #touched = true;
  #slices = 0;
  /** Where all memory was last compared, in instructions. */
  #looked = 0;
  #observer: VcpuObserver | null = null;

  constructor(id: number, pair: LockstepPair, ram: LockstepRam, slice: number) {
    this.#id = id;
    this.#pair = pair;
    this.#ram = ram;
    this.#slice = slice;
    this.shared = pair.primary.shared;
  }

  instructions(): number {
    return this.#pair.primary.instructions();
  }

  run(maxInstructions: number): number {
    const pair = this.#pair;
    this.#ram.takeHostWrites();
    pair.begin(this.#touched);
    this.#touched = false;
    for (let left = maxInstructions;;) {
      const n = Math.min(left, this.#slice);
      pair.run(n);
      if (!pair.alike()) this.#stop(n);
      this.#ram.commit();
      if (pair.failure !== null) throw pair.failure;
      const { reason, progress } = pair;
      left -= progress;
      const done = reason !== EXIT_INTR || left <= 0 || progress < n;
      if (++this.#slices % SLICES_BETWEEN_LOOKS === 0 || done && reason !== EXIT_IO && reason !== EXIT_MMIO) {
        this.#look();
      }
      if (done) return pair.result;
      pair.save();
    }
  }

  /** They differ: finds out where, without telling the observer what happens again, and throws. */
  #stop(instructions: number): never {
    this.#pair.primary.observe(silent(this.#observer));
    try {
      throw new LockstepError(narrow(this.#pair, this.#id, instructions));
    } finally {
      this.#pair.primary.observe(this.#observer);
      this.#touched = true;
    }
  }

  /** Compares all memory. */
  #look(): void {
    const pair = this.#pair, place = this.#ram.compareAll();
    const differed = pair.position + pair.progress;
    if (place >= 0) {
      const note = "one of them has written memory without marking it dirty";
      const differences = [pair.memoryDifference(place)];
      throw new LockstepError({ vcpu: this.#id, agreed: this.#looked, differed, differences, steps: [], note });
    }
    this.#ram.commitAll();
    this.#looked = differed;
  }

  /** The same to both. */
  #both<T>(call: (v: SoftVcpu) => T): T {
    this.#touched = true;
    const result = call(this.#pair.primary);
    call(this.#pair.secondary);
    return result;
  }

  getRegs(regs: Uint8Array): void {
    this.#pair.primary.getRegs(regs);
  }

  setRegs(regs: Uint8Array): void {
    this.#both((v) => v.setRegs(regs));
  }

  getSregs(sregs: Uint8Array): void {
    this.#pair.primary.getSregs(sregs);
  }

  setSregs(sregs: Uint8Array): void {
    this.#ram.takeHostWrites(); // it may load what page tables say
    this.#both((v) => v.setSregs(sregs));
  }

  getFpu(fpu: Uint8Array): void {
    this.#pair.primary.getFpu(fpu);
  }

  setFpu(fpu: Uint8Array): void {
    this.#both((v) => v.setFpu(fpu));
  }

  getMsrs(entries: Uint8Array): number {
    return this.#pair.primary.getMsrs(entries);
  }

  setMsrs(entries: Uint8Array): number {
    return this.#both((v) => v.setMsrs(entries));
  }

  setCpuid(entries: Uint8Array): void {
    this.#both((v) => v.setCpuid(entries));
  }

  translate(translation: Uint8Array): void {
    this.#pair.primary.translate(translation);
  }

  interrupt(vector: number): void {
    this.#both((v) => v.interrupt(vector));
  }

  debugGuest(debug: Uint8Array): void {
    this.#both((v) => v.debugGuest(debug));
  }

  observe(observer: VcpuObserver | null): void {
    this.#observer = observer;
    this.#pair.primary.observe(observer);
    this.#pair.secondary.observe(silent(observer));
  }

  setSignalMask(sigset: Uint8Array | null): void {
    this.#both((v) => v.setSignalMask(sigset));
  }

  signal(n: number): void {
    this.#both((v) => v.signal(n));
  }

  [Symbol.dispose](): void {
    this.#both((v) => v[Symbol.dispose]());
  }
}

/** The same breakpoints and watchpoints, with nobody who is told. */
function silent(observer: VcpuObserver | null): VcpuObserver | null {
  return observer && { breakpoints: observer.breakpoints, watchpoints: observer.watchpoints };
}

/** A machine on both engines. */
class LockstepVm implements BackendVm {
  readonly #primary: SoftVm;
  readonly #secondary: SoftVm;
  readonly #ram: LockstepRam;
  readonly #slice: number;

  constructor({ slice = SLICE, timestamp, createVm = (engine) => new SoftVm(engine, timestamp) }: LockstepOptions) {
    this.#primary = createVm("interpreter");
    this.#secondary = createVm("translator");
    this.#ram = new LockstepRam(this.#primary, this.#secondary);
    this.#slice = slice;
  }

  allocate(size: number): BackendMemory {
    return this.#ram.allocate(size);
  }

  release(memory: BackendMemory): void {
    this.#ram.release(memory as LockstepMemory);
  }

  map(ranges: readonly MappedRange[]): void {
    this.#ram.map(ranges);
  }

  harvestDirty(memory: BackendMemory, bitmap: Uint8Array): void {
    this.#ram.harvestDirty(memory as LockstepMemory, bitmap);
  }

  createVcpu(id: number): BackendVcpu {
    const [a, b] = [this.#primary, this.#secondary].map((vm) => vm.createVcpu(id) as SoftVcpu);
    return new LockstepVcpu(id, new LockstepPair(a, b, this.#ram), this.#ram, this.#slice);
  }

  [Symbol.dispose](): void {
    this.#primary[Symbol.dispose]();
    this.#secondary[Symbol.dispose]();
  }
}

/**
 * The interpreter and the translator in lockstep: a debugging tool, several times slower than either. RUN throws a
 * {@linkcode LockstepError} at the first difference.
 */
export function createLockstepBackend(options: LockstepOptions = {}): Backend {
  return {
    name: "soft",
    msrIndexList: () => Uint32Array.from(MSR_INDEX_LIST),
    createVm: () => new LockstepVm(options),
    [Symbol.dispose]() {},
  };
}
