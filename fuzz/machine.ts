/**
 * A machine of the software engine that is used for many cases, and leaves nothing of one to the next.
 * @module
 */
import type { SoftVcpu } from "../core/engine/cpu.ts";
import { restoreState, saveState } from "../core/engine/lockstep_state.ts";
import type { RamBlock } from "../core/engine/ram.ts";
import { createSoftBackend, type Engine, type SoftVm } from "../core/engine/soft.ts";
import { MSR_INDEX_LIST } from "../core/x86/system/msr.ts";
import { MSR_SLOTS, slot } from "../core/x86/system/slots.ts";
import * as S from "../core/x86/state.ts";
import { MEMORY, memoryImage } from "./guest_layout.ts";

const SREGS = 312, REGS = 144, FPU = 416, MSR_ENTRY = 16;
/** In `struct kvm_sregs`: bitmap of queued interrupts. */
const IRQ = 280;
const EXIT_REASON = 8;
const EXIT_IO = 2, EXIT_HYPERCALL = 3, EXIT_MMIO = 6;

const IMAGE: Uint8Array = memoryImage();

/** The registers of a processor as the calls of the API give them, without memory. */
export interface SavedState {
  /** KVM_GET_REGS. */
  readonly regs: Uint8Array;
  /** KVM_GET_SREGS. */
  readonly sregs: Uint8Array;
  /** KVM_GET_FPU. */
  readonly fpu: Uint8Array;
  /** KVM_GET_MSRS of all that hold state. */
  readonly msrs: Uint8Array;
}

/** What a case begins with. */
export interface Start {
  /** Segments and control registers. */
  readonly sregs: Uint8Array;
  /** General registers. */
  readonly regs: Uint8Array;
  /** x87 and SIMD. */
  readonly fpu: Uint8Array;
  /** Bytes by address. */
  readonly memory: readonly (readonly [address: number, bytes: Uint8Array])[];
  /** Seed of RDRAND. */
  readonly seed: number;
}

/** A machine with one processor. */
export class Machine implements Disposable {
  /** Its processor. */
  readonly vcpu: SoftVcpu;
  /** Its memory. */
  readonly memory: RamBlock;
  /** What the last RUN threw; null if nothing. */
  failure: unknown = null;
  readonly #vm: SoftVm;
  readonly #reset: Uint8Array = new Uint8Array(S.STATE_SIZE);
  readonly #sregs: Uint8Array = new Uint8Array(SREGS);
  #random = 1;
  #from = 0;

  /** Makes it. */
  constructor(readonly engine: Engine) {
    this.#vm = createSoftBackend({ engine }).createVm() as SoftVm;
    this.memory = this.#vm.allocate(MEMORY) as RamBlock;
    this.#vm.map([{ gpa: 0, size: MEMORY, memory: this.memory, offset: 0, log: false }]);
    this.vcpu = this.#vm.createVcpu(0) as SoftVcpu;
    saveState(this.vcpu, this.#reset);
    this.vcpu.getSregs(this.#sregs);
    this.vcpu.random = () => {
      let x = this.#random;
      x ^= x << 13;
      x ^= x >>> 17;
      return (this.#random = x ^ x << 5) >>> 0;
    };
  }

  /** Memory as bytes, without telling the engine. */
  get bytes(): Uint8Array {
    return this.#vm.ram.u8.subarray(this.memory.start, this.memory.start + MEMORY);
  }

  /** Segments and control registers after reset. */
  get resetSregs(): Uint8Array {
    return this.#sregs.slice();
  }

  /** Instructions since {@linkcode start}. */
  get progress(): number {
    return this.vcpu.instructions() - this.#from;
  }

  /** The exit reason of the last RUN. */
  get reason(): number {
    return this.vcpu.sharedView.getUint32(EXIT_REASON, true);
  }

  /** Begins a case. */
  start(s: Start): void {
    const { vcpu } = this;
    this.#settle();
    vcpu.shared.fill(0);
    // Asking for it tells the engine that code may have changed.
    this.memory.bytes.set(IMAGE);
    for (const [address, bytes] of s.memory) this.bytes.set(bytes, address);
    vcpu.setSregs(this.#sregs);
    restoreState(vcpu, this.#reset);
    vcpu.modeChanged();
    this.moveTo(s);
    vcpu.setFpu(s.fpu);
    vcpu.u64[slot(MSR_SLOTS.tscOffset) >> 3] = BigInt.asUintN(64, -BigInt(vcpu.instructions()));
    this.#random = s.seed | 1;
    this.#from = vcpu.instructions();
    this.failure = null;
  }

  /** Sets segments, control and general registers, as after something that ended a stream. */
  moveTo(s: Pick<Start, "sregs" | "regs">): void {
    this.#forget();
    this.vcpu.setSregs(s.sregs);
    this.vcpu.setRegs(s.regs);
  }

  /** Whatever waits for the host's answer gets one, and is forgotten. */
  #settle(): void {
    if (this.reason === EXIT_IO || this.reason === EXIT_MMIO || this.reason === EXIT_HYPERCALL) {
      try {
        this.vcpu.run(1);
      } catch {
        // What it fails on was found before; the state is replaced now.
      }
    }
    this.#forget();
  }

  /** A processor that is moved forgets HLT, traps and shadows. */
  #forget(): void {
    const regs = new Uint8Array(REGS);
    this.vcpu.getRegs(regs);
    regs[128] ^= 1;
    this.vcpu.setRegs(regs);
  }

  /** KVM_RUN. */
  run(instructions: number): void {
    try {
      this.vcpu.run(instructions);
    } catch (error) {
      this.failure = error ?? "nothing";
    }
  }

  /** All registers by the calls of the API. */
  save(): SavedState {
    const saved = {
      regs: new Uint8Array(REGS),
      sregs: new Uint8Array(SREGS),
      fpu: new Uint8Array(FPU),
      msrs: new Uint8Array(MSR_INDEX_LIST.length * MSR_ENTRY),
    };
    const view = new DataView(saved.msrs.buffer);
    MSR_INDEX_LIST.forEach((index, n) => view.setUint32(n * MSR_ENTRY, index, true));
    this.vcpu.getRegs(saved.regs);
    this.vcpu.getSregs(saved.sregs);
    this.vcpu.getFpu(saved.fpu);
    this.vcpu.getMsrs(saved.msrs);
    return saved;
  }

  /** Takes over from another machine: memory, registers, and the time. */
  takeOver(from: Machine): void {
    const saved = from.save(), { vcpu } = this;
    this.#settle();
    vcpu.setSregs(this.#sregs);
    restoreState(vcpu, this.#reset);
    this.memory.bytes.set(from.bytes);
    vcpu.setSregs(saved.sregs);
    vcpu.setRegs(saved.regs);
    vcpu.setFpu(saved.fpu);
    vcpu.setMsrs(saved.msrs);
    vcpu.shared.set(from.vcpu.shared);
    this.#from = vcpu.instructions() - from.progress;
    this.#random = from.#random;
    this.failure = null;
  }

  /** Queued interrupts as a text. */
  queued(): string {
    const sregs = new Uint8Array(SREGS);
    this.vcpu.getSregs(sregs);
    return sregs.subarray(IRQ).join();
  }

  /** Gives it back. */
  [Symbol.dispose](): void {
    this.vcpu[Symbol.dispose]();
    this.#vm[Symbol.dispose]();
  }
}
