/**
 * A processor: the object behind a vCPU file descriptor, with one method for each of its ioctls.
 * @module
 */

import { KVM_EXIT_INTR, KVM_NR_INTERRUPTS } from "../abi/constants.ts";
import type { KvmCpuid } from "../abi/cpuid.ts";
import type { KvmDebugGuest } from "../abi/debug.ts";
import { ERRNO } from "../abi/errno.ts";
import { KvmFpu } from "../abi/fpu.ts";
import { LAYOUTS } from "../abi/layout.ts";
import type { KvmMsrs } from "../abi/msrs.ts";
import { KvmRegs, KvmSregs } from "../abi/regs.ts";
import { KvmRun } from "../abi/run.ts";
import type { KvmSignalMask } from "../abi/signal_mask.ts";
import { KvmTranslation } from "../abi/translation.ts";
import type { AccessServer, BackendVcpu, VcpuObserver } from "./backend.ts";
import { lastTurn, turn } from "./event_loop.ts";
import { createExits, type VcpuExit } from "./exits.ts";
import { KvmError } from "./kvm_error.ts";
import { Slicer } from "./slicer.ts";

/** From this many entries on, GET_MSRS and SET_MSRS give E2BIG. */
const MSRS_TOO_MANY = 256;
/** SET_CPUID takes no more entries than this. */
const CPUID_MOST = 100;
/** Signals are 1 to this. */
const SIGNALS = 64;
/**
 * How long {@linkcode Vcpu.runAsync} runs the guest before the event loop gets its turn, unless told: with instructions
 * counted, and by the alarm, which costs more.
 */
const SLICE_MS = 10, ALARM_SLICE_MS = 20;
/** How long it may be told to. */
const SLICE_MOST_MS = 1000;

/** How far {@linkcode Vcpu.run} may go. */
export interface RunOptions {
  /**
   * End the run with KVM_EXIT_INTR after so many instructions, 0 or more (software engine only; the real device ignores
   * it). Without it there is no limit.
   */
  readonly maxInstructions?: number;
}

/** How far {@linkcode Vcpu.runAsync} may go. */
export interface RunAsyncOptions extends RunOptions {
  /**
   * Ends the run: the promise is rejected with the signal's `reason`. The guest stands between two instructions then, and
   * can go on with another run.
   */
  readonly signal?: AbortSignal;
  /**
   * For how long the guest may compute before the event loop gets its turn, in milliseconds: above 0, at most 1000. With
   * several guests at once it is the length of each one's slice; they take turns.
   * @default 10 on the software engine, 20 on the real device
   */
  readonly slice?: number;
}

/**
 * A processor. Made by `Vm.createVcpu`; closed by `using` or `[Symbol.dispose]()`, after which each call gives EBADF.
 *
 * @example A guest that writes one byte to a port and halts
 * ```ts
 * import { KVM_EXIT_HLT, KVM_EXIT_IO, KvmRegs, openKvm } from "@kvm12/kvm12";
 *
 * using kvm = openKvm({ backend: "soft" });
 * using vm = kvm.createVm();
 * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x1000 });
 * vm.write(0, new Uint8Array([0xb0, 0x41, 0xe6, 0xe9, 0xf4])); // mov al, 'A'; out 0xe9, al; hlt
 * using vcpu = vm.createVcpu(0);
 * const sregs = vcpu.getSregs();
 * sregs.cs.base = 0n;
 * sregs.cs.selector = 0;
 * vcpu.setSregs(sregs);
 * vcpu.setRegs(new KvmRegs({ rip: 0, rflags: 2 }));
 * for (let exit = vcpu.run(); exit.reason !== KVM_EXIT_HLT; exit = vcpu.run()) {
 *   if (exit.reason === KVM_EXIT_IO) console.log(exit.port, exit.data);
 * }
 * ```
 */
export class Vcpu implements Disposable {
  /** The slot it was created in. */
  readonly id: number;
  #backend: BackendVcpu | null;
  readonly #shared: Uint8Array;
  readonly #kvmRun: KvmRun;
  readonly #exits: readonly VcpuExit[];
  /** Made by the first {@linkcode runAsync}. */
  #slicer: Slicer | null = null;
  /** Whether a {@linkcode runAsync} is under way. */
  #busy = false;
  /** Signals that {@linkcode signal} made pending and that have ended no run yet. */
  #raised = 0n;
  /** Signals that are blocked inside a run. */
  #blocked = 0n;

  /**
   * Use `Vm.createVcpu`.
   * @param id The slot.
   * @param backend The engine's processor.
   */
  constructor(id: number, backend: BackendVcpu) {
    this.id = id;
    this.#backend = backend;
    this.#shared = backend.shared;
    this.#kvmRun = new KvmRun(backend.shared);
    this.#exits = createExits(this.#kvmRun, backend.shared);
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#backend === null;
  }

  /**
   * The page shared with the processor: set `request_interrupt_window` and `cr8` here, read the exit here.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_EXIT_HLT, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xf4)); // hlt
   * using vcpu = vm.createVcpu(0);
   * vcpu.run();
   * assertEquals(vcpu.kvmRun.exit_reason, KVM_EXIT_HLT);
   * ```
   */
  get kvmRun(): KvmRun {
    this.#open("read kvm_run");
    return this.#kvmRun;
  }

  /**
   * What `mmap` of the file descriptor gives: 8192 bytes, `kvm_run` at 0, port data at 4096.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * assertEquals(vcpu.shared.length, kvm.getVcpuMmapSize());
   * ```
   */
  get shared(): Uint8Array {
    this.#open("map kvm_run");
    return this.#shared;
  }

  /**
   * KVM_RUN: completes what the last exit left pending, then runs the guest until the next exit.
   * @param options How far to go.
   * @returns Why it stopped: an object that the next exit of the same kind will reuse. An interrupted run is the exit
   * KVM_EXIT_INTR, not an error.
   * @throws KvmError EBADF when closed; EBUSY while a {@linkcode runAsync} is under way; EINVAL for an impossible option;
   * what the kernel reports (real device).
   *
   * @example
   * ```ts
   * import { KVM_EXIT_HLT, KVM_EXIT_IO, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xe6, 0x80, 0xf4)); // out 0x80, al; hlt
   * using vcpu = vm.createVcpu(0);
   * assertEquals(vcpu.run().reason, KVM_EXIT_IO);
   * assertEquals(vcpu.run().reason, KVM_EXIT_HLT);
   * ```
   */
  run(options?: RunOptions): VcpuExit {
    const limit = options?.maxInstructions ?? Infinity;
    if (!(limit >= 0)) throw this.#noLimit(limit);
    const backend = this.#backend ?? this.#open("run");
    if (this.#slicer !== null) this.#ready(this.#slicer);
    return this.#ended(backend.run(limit));
  }

  /**
   * KVM_RUN for programs that live in the event loop: as {@linkcode run}, but the guest runs in slices of some milliseconds,
   * between which timers, input and other guests get their turn. Any number of processors can run at once, of one VM or of
   * several; they take turns in one thread.
   *
   * The slices are numbers of instructions that are adapted to the guest's speed (software engine), or end by an alarm, for
   * which {@linkcode alarm} is taken (real device).
   *
   * A guest that computes was measured to take 0.7 to 1.0 % longer than in {@linkcode run} with the slices of 10 ms on the
   * software engine; on a nested real device, where leaving the guest is slow, about 2 % with 10 ms, hence the 20.
   *
   * An exit that has happened is never lost: `signal` is looked at before the guest runs on, and not behind an exit.
   * @param options How far to go.
   * @returns Why it stopped, as {@linkcode run} says. The end of a slice is no exit. KVM_EXIT_INTR comes from a signal, or
   * when `maxInstructions` are over.
   * @throws The `reason` of `options.signal`, when that is aborted.
   * @throws KvmError EBADF when closed, before or meanwhile; EBUSY if another `runAsync` of this processor is under way;
   * EINVAL for an impossible option; what the kernel reports (real device).
   *
   * @example A guest that never ends, and a time limit
   * ```ts
   * import { KvmRegs, openKvm } from "@kvm12/kvm12";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xf_f000, memory_size: 0x1000 });
   * vm.write(0xf_fff0, Uint8Array.of(0xeb, 0xfe)); // jmp $
   * using vcpu = vm.createVcpu(0);
   * const sregs = vcpu.getSregs();
   * sregs.cs.base = 0xf_0000n;
   * vcpu.setSregs(sregs);
   * vcpu.setRegs(new KvmRegs({ rip: 0xfff0, rflags: 2 }));
   * try {
   *   await vcpu.runAsync({ signal: AbortSignal.timeout(100) });
   * } catch (error) {
   *   console.log((error as Error).name); // TimeoutError
   * }
   * ```
   */
  async runAsync(options: RunAsyncOptions = {}): Promise<VcpuExit> {
    const { signal, maxInstructions = Infinity } = options;
    if (!(maxInstructions >= 0)) throw this.#noLimit(maxInstructions);
    const slicer = this.#slicer ??= new Slicer(this.#open("run"));
    const slice = options.slice ?? (slicer.hasAlarm ? ALARM_SLICE_MS : SLICE_MS);
    if (!(slice > 0 && slice <= SLICE_MOST_MS)) {
      throw new KvmError(
        "EINVAL",
        this.#name("run"),
        `a slice of ${slice} ms is not above 0 and at most ${SLICE_MOST_MS}`,
      );
    }
    if (this.#busy) throw this.#isBusy();
    signal?.throwIfAborted();
    this.#busy = true;
    try {
      let now = performance.now();
      for (let left = maxInstructions;;) {
        if (now - lastTurn() >= slice / 2) {
          await turn();
          signal?.throwIfAborted();
          now = performance.now();
        }
        this.#open("run");
        const raised = this.#raised & ~this.#blocked;
        const exit = this.#ended(slicer.run(left, slice, now));
        if (exit.reason !== KVM_EXIT_INTR || raised !== 0n || !slicer.endedByItself) return exit;
        if (!slicer.hasAlarm && (left -= slicer.given) <= 0) return exit;
        const end = performance.now();
        slicer.adapt(end - now, slice);
        now = end;
      }
    } finally {
      this.#busy = false;
    }
  }

  /**
   * KVM_GET_REGS: the general registers.
   * @param into Where to put them; a fresh view if left out.
   * @returns `into`.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * assertEquals(vcpu.getRegs().rip, 0xfff0n); // as after reset
   * ```
   */
  getRegs(into: KvmRegs = new KvmRegs()): KvmRegs {
    this.#open("get the registers").getRegs(into.bytes);
    return into;
  }

  /**
   * KVM_SET_REGS: sets all general registers.
   * @param regs Their values.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * const regs = vcpu.getRegs();
   * regs.rax = 42n;
   * vcpu.setRegs(regs);
   * assertEquals(vcpu.getRegs().rax, 42n);
   * ```
   */
  setRegs(regs: KvmRegs): void {
    this.#open("set the registers").setRegs(regs.bytes);
  }

  /**
   * KVM_GET_SREGS: segments, control registers and queued interrupts.
   * @param into Where to put them; a fresh view if left out.
   * @returns `into`.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * assertEquals(vcpu.getSregs().cs.base, 0xffff_0000n); // as after reset
   * ```
   */
  getSregs(into: KvmSregs = new KvmSregs()): KvmSregs {
    this.#open("get the special registers").getSregs(into.bytes);
    return into;
  }

  /**
   * KVM_SET_SREGS: sets segments, control registers and queued interrupts. An impossible state shows at the next
   * {@linkcode run} as KVM_EXIT_FAIL_ENTRY.
   * @param sregs Their values.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm, protectedModeRegisters, protectedModeSegments } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * const sregs = vcpu.getSregs();
   * Object.assign(sregs, protectedModeSegments(), protectedModeRegisters());
   * vcpu.setSregs(sregs);
   * assertEquals(vcpu.getSregs().cr0 & 1n, 1n);
   * ```
   */
  setSregs(sregs: KvmSregs): void {
    this.#open("set the special registers").setSregs(sregs.bytes);
  }

  /**
   * KVM_GET_FPU: the x87, MMX and SSE state.
   * @param into Where to put it; a fresh view if left out.
   * @returns `into`.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * assertEquals(vcpu.getFpu().fcw, 0x37f); // as after FNINIT
   * ```
   */
  getFpu(into: KvmFpu = new KvmFpu()): KvmFpu {
    this.#open("get the FPU state").getFpu(into.bytes);
    return into;
  }

  /**
   * KVM_SET_FPU: sets the x87, MMX and SSE state, MXCSR included.
   * @param fpu The state.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * const fpu = vcpu.getFpu();
   * fpu.mxcsr = 0x1f80;
   * fpu.xmm[0].set([1, 2, 3]);
   * vcpu.setFpu(fpu);
   * assertEquals(vcpu.getFpu().xmm[0].subarray(0, 3), Uint8Array.of(1, 2, 3));
   * ```
   */
  setFpu(fpu: KvmFpu): void {
    this.#open("set the FPU state").setFpu(fpu.bytes);
  }

  /**
   * KVM_GET_MSRS: reads MSRs in order into the entries' `data`, up to the first that does not exist.
   * @param msrs Which ones: `nmsrs` entries, at most 255.
   * @returns How many were read.
   * @throws KvmError E2BIG for 256 or more; EFAULT if there are fewer than `nmsrs` entries; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KvmMsrs, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * const msrs = new KvmMsrs([{ index: 0x1b }]); // IA32_APIC_BASE
   * assertEquals(vcpu.getMsrs(msrs), 1);
   * assertEquals(msrs.entries[0].data, 0xfee0_0900n);
   * ```
   */
  getMsrs(msrs: KvmMsrs): number {
    const backend = this.#open("get MSRs");
    return backend.getMsrs(this.#msrEntries("get MSRs", msrs));
  }

  /**
   * KVM_SET_MSRS: writes MSRs in order, up to the first that does not exist or does not take the value.
   * @param msrs Which ones, and their values: `nmsrs` entries, at most 255.
   * @returns How many were written.
   * @throws KvmError E2BIG for 256 or more; EFAULT if there are fewer than `nmsrs` entries; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KvmMsrs, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * const EFER = 0xc000_0080, NONE = 0x1234_5678;
   * // It ends before the first that is refused, and says how many were set.
   * assertEquals(vcpu.setMsrs(new KvmMsrs([{ index: EFER, data: 1 }, { index: NONE, data: 0 }])), 1);
   * ```
   */
  setMsrs(msrs: KvmMsrs): number {
    const backend = this.#open("set MSRs");
    return backend.setMsrs(this.#msrEntries("set MSRs", msrs));
  }

  /**
   * KVM_SET_CPUID: what the CPUID instruction answers. A leaf that is missing answers with the highest entry of its half.
   * The engine's own defaults are gone after the first call.
   * @param cpuid The leaves: `nent` entries, at most 100.
   * @throws KvmError E2BIG for more; EFAULT if there are fewer than `nent` entries; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KvmCpuid, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0x66, 0x31, 0xc0, 0x0f, 0xa2, 0xf4)); // xor eax, eax; cpuid; hlt
   * using vcpu = vm.createVcpu(0);
   * vcpu.setCpuid(new KvmCpuid([{ function: 0, eax: 1, ebx: 0x6c6c_6568, ecx: 0, edx: 0 }]));
   * vcpu.run();
   * assertEquals(vcpu.getRegs().rbx, 0x6c6c_6568n);
   * ```
   */
  setCpuid(cpuid: KvmCpuid): void {
    const backend = this.#open("set CPUID");
    const count = cpuid.nent;
    if (count > CPUID_MOST) {
      throw new KvmError("E2BIG", this.#name("set CPUID"), `${count} entries are more than ${CPUID_MOST}`);
    }
    backend.setCpuid(
      this.#entries("set CPUID", cpuid.bytes, LAYOUTS.kvm_cpuid.size, LAYOUTS.kvm_cpuid_entry.size, count),
    );
  }

  /**
   * KVM_TRANSLATE: walks the guest's page tables as they are now.
   * @param translation The view whose `linear_address` is to be translated in place, or that address.
   * @returns The view: `valid`, and if so `physical_address`, `writeable`, `usermode`.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * const { valid, physical_address } = vcpu.translate(0x1234n); // there is no paging
   * assertEquals([valid, physical_address], [1, 0x1234n]);
   * ```
   */
  translate(translation: KvmTranslation | bigint): KvmTranslation {
    const view = typeof translation === "bigint" ? new KvmTranslation({ linear_address: translation }) : translation;
    this.#open("translate").translate(view.bytes);
    return view;
  }

  /**
   * KVM_INTERRUPT: queues an external interrupt; the guest takes it when it can. Several may be queued.
   * @param irq The vector, 0 to 255.
   * @throws KvmError EINVAL for another vector; EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xfb, 0x90, 0xf4)); // sti; nop; hlt
   * using vcpu = vm.createVcpu(0);
   * vm.setMemoryRegion({ slot: 1, guest_phys_addr: 0, memory_size: 0x1000 });
   * vm.write(0x21 * 4, Uint8Array.of(0x00, 0x08, 0x00, 0x00)); // vector 0x21 leads to 0:0x800
   * vm.write(0x800, Uint8Array.of(0xf4)); // hlt
   * vcpu.setRegs(Object.assign(vcpu.getRegs(), { rsp: 0x1000n }));
   * vcpu.interrupt(0x21); // taken once the guest lets it in
   * vcpu.run();
   * assertEquals(vcpu.getRegs().rip, 0x801n);
   * ```
   */
  interrupt(irq: number): void {
    const backend = this.#open("interrupt");
    if (!(Number.isInteger(irq) && irq >= 0 && irq < KVM_NR_INTERRUPTS)) {
      throw new KvmError("EINVAL", this.#name("interrupt"), `there is no vector ${irq}`);
    }
    backend.interrupt(irq);
  }

  /**
   * KVM_DEBUG_GUEST: arms execution breakpoints (exit before the instruction) and single step (exit after each one). The
   * guest cannot see it.
   * @param debug What to arm; all of the earlier is disarmed.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_EXIT_DEBUG, KvmDebugGuest, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0x90, 0x90, 0xf4)); // nop; nop; hlt
   * using vcpu = vm.createVcpu(0);
   * const address = 0xffff_fff1n; // linear
   * vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address }] }));
   * assertEquals(vcpu.run().reason, KVM_EXIT_DEBUG);
   * assertEquals(vcpu.getRegs().rip, 0xfff1n); // before the second nop
   * ```
   */
  debugGuest(debug: KvmDebugGuest): void {
    this.#open("debug the guest").debugGuest(debug.bytes);
  }

  /**
   * KVM_SET_SIGNAL_MASK: which signals are blocked inside {@linkcode run}; a pending one that is not ends it with
   * KVM_EXIT_INTR.
   * @param mask The mask, or null for none of its own.
   * @throws KvmError EINVAL unless `len` is 8; EFAULT if there are fewer bytes; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_EXIT_HLT, KvmSignalMask, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xf4)); // hlt
   * using vcpu = vm.createVcpu(0);
   * vcpu.setSignalMask(new KvmSignalMask(1n << 9n)); // blocks signal 10
   * vcpu.signal(10);
   * assertEquals(vcpu.run().reason, KVM_EXIT_HLT);
   * vcpu.setSignalMask(null);
   * ```
   */
  setSignalMask(mask: KvmSignalMask | null): void {
    const backend = this.#open("set the signal mask");
    if (mask === null) {
      backend.setSignalMask(null);
      this.#blocked = 0n;
      return;
    }
    if (mask.len !== 8) {
      throw new KvmError("EINVAL", this.#name("set the signal mask"), `a set has 8 bytes, not ${mask.len}`);
    }
    const set = this.#entries("set the signal mask", mask.bytes, LAYOUTS.kvm_signal_mask.size, 8, 1);
    backend.setSignalMask(set);
    this.#blocked = new DataView(set.buffer, set.byteOffset, 8).getBigUint64(0, true);
  }

  /**
   * Makes a signal pending for the thread that runs this processor; unless blocked by {@linkcode setSignalMask}, it ends
   * the current or next {@linkcode run} with KVM_EXIT_INTR.
   * @param n The signal, 1 to 64.
   * @throws KvmError EINVAL for another number; EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_EXIT_INTR, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xeb, 0xfe)); // jmp $
   * using vcpu = vm.createVcpu(0);
   * vcpu.signal(10);
   * assertEquals(vcpu.run().reason, KVM_EXIT_INTR);
   * ```
   */
  signal(n: number): void {
    const backend = this.#open("signal");
    if (!(Number.isInteger(n) && n >= 1 && n <= SIGNALS)) {
      throw new KvmError("EINVAL", this.#name("signal"), `there is no signal ${n}`);
    }
    backend.signal(n);
    this.#raised |= 1n << BigInt(n - 1);
  }

  /**
   * How many instructions the guest has executed on this processor since it was made; one that an exit interrupts, such as
   * IN or OUT, is counted when it completes. Undefined where they are not counted: the real device.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0x40, 0x40, 0xf4)); // inc ax; inc ax; hlt
   * using vcpu = vm.createVcpu(0);
   * vcpu.run();
   * assertEquals(vcpu.instructions, 3);
   * ```
   */
  get instructions(): number | undefined {
    return this.#open("count instructions").instructions?.();
  }

  /**
   * Sets who answers the guest's accesses to ports and to addresses without memory inside {@linkcode run}, at a fraction of
   * what an exit takes; what it does not answer is an exit, as are INS and OUTS.
   * @param server Who; null: nobody.
   * @returns Whether that is done; not where each access is an exit: the real device, and two executors in lockstep.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_EXIT_HLT, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xe4, 0x60, 0xe6, 0x80, 0xf4)); // in al, 0x60; out 0x80, al; hlt
   * using vcpu = vm.createVcpu(0);
   * let written = 0;
   * vcpu.serve({ in: () => 42, out: (_port, _size, value) => (written = value) > 0, read: () => -1, write: () => false });
   * assertEquals(vcpu.run().reason, KVM_EXIT_HLT);
   * assertEquals(written, 42);
   * ```
   */
  serve(server: AccessServer | null): boolean {
    const backend = this.#open("serve accesses");
    backend.serve?.(server);
    return backend.serve !== undefined;
  }

  /**
   * For an {@linkcode AccessServer}, within its answer: the {@linkcode run} under way ends with KVM_EXIT_INTR when so many
   * instructions were executed, but not before the one that makes the access is complete.
   * @param instructions In all, as {@linkcode instructions} counts them.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_EXIT_INTR, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0xe6, 0x80, 0xf4)); // out 0x80, al; hlt
   * using vcpu = vm.createVcpu(0);
   * vcpu.serve({ in: () => -1, out: () => (vcpu.endBy(0), true), read: () => -1, write: () => false });
   * assertEquals(vcpu.run().reason, KVM_EXIT_INTR);
   * assertEquals(vcpu.instructions, 1);
   * ```
   */
  endBy(instructions: number): void {
    this.#open("end the run").endBy?.(instructions);
  }

  /**
   * Ends the {@linkcode run} under way after so many milliseconds with KVM_EXIT_INTR (0 cancels), where the engine cannot
   * bound a run by a number of instructions: the real device. Undefined where it can. {@linkcode runAsync} sets it anew.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * using vcpu = vm.createVcpu(0);
   * assertEquals(vcpu.alarm, undefined); // the software engine counts instructions instead
   * ```
   */
  get alarm(): ((milliseconds: number) => void) | undefined {
    const backend = this.#open("set the alarm");
    return backend.alarm && ((milliseconds) => {
      this.#slicer?.forget();
      backend.alarm!(milliseconds);
    });
  }

  /**
   * Sets who watches this processor beyond {@linkcode debugGuest}: any number of breakpoints, watchpoints, interrupts and
   * exceptions; null for nobody. Nothing that is not watched becomes slower. Undefined where the engine cannot: the real
   * device.
   * @throws KvmError EBADF when closed.
   *
   * @example
   * ```ts
   * import { KVM_EXIT_DEBUG, openKvm } from "@kvm12/kvm12";
   * import { assertEquals } from "@std/assert";
   *
   * using kvm = openKvm({ backend: "soft" });
   * using vm = kvm.createVm();
   * vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
   * vm.write(0xfffffff0, Uint8Array.of(0x90, 0x90, 0xf4)); // nop; nop; hlt
   * using vcpu = vm.createVcpu(0);
   * vcpu.observe?.({ breakpoints: [0xffff_fff1n] });
   * assertEquals(vcpu.run().reason, KVM_EXIT_DEBUG);
   * vcpu.observe?.(null);
   * ```
   */
  get observe(): ((observer: VcpuObserver | null) => void) | undefined {
    const backend = this.#open("observe");
    return backend.observe && ((observer) => backend.observe!(observer));
  }

  /** Closes it; its slot in the VM stays taken. Closing again does nothing. */
  [Symbol.dispose](): void {
    const backend = this.#backend;
    if (backend === null) return;
    this.#backend = null;
    backend[Symbol.dispose]();
  }

  /** The exit that the engine's `result` stands for. */
  #ended(result: number): VcpuExit {
    if (result < 0 && result !== -ERRNO.EINTR) throw new KvmError(-result, this.#name("run"), "the engine refused it");
    const exit = this.#exits[this.#kvmRun.exit_reason] ?? this.#exits[0];
    if (exit.reason === KVM_EXIT_INTR && this.#raised !== 0n) this.#raised &= this.#blocked;
    return exit;
  }

  /** Sees to it that a run is not disturbed by one of {@linkcode runAsync}. */
  #ready(slicer: Slicer): void {
    if (this.#busy) throw this.#isBusy();
    slicer.disarm();
  }

  #isBusy(): KvmError {
    return new KvmError("EBUSY", this.#name("run"), "runAsync() is under way");
  }

  #noLimit(limit: number): KvmError {
    return new KvmError("EINVAL", this.#name("run"), `${limit} is no number of instructions`);
  }

  /** What an attempt to do `action` is called in a message. */
  #name(action: string): string {
    return `${action} on vCPU ${this.id}`;
  }

  /** The backend, for `action`. */
  #open(action: string): BackendVcpu {
    if (this.#backend === null) throw new KvmError("EBADF", this.#name(action), "it is closed");
    return this.#backend;
  }

  /** The entries of `msrs` that count. */
  #msrEntries(action: string, msrs: KvmMsrs): Uint8Array {
    const count = msrs.nmsrs;
    if (count >= MSRS_TOO_MANY) {
      throw new KvmError("E2BIG", this.#name(action), `${count} entries are more than ${MSRS_TOO_MANY - 1}`);
    }
    return this.#entries(action, msrs.bytes, LAYOUTS.kvm_msrs.size, LAYOUTS.kvm_msr_entry.size, count);
  }

  /** `count` entries of `size` bytes behind the header. */
  #entries(action: string, bytes: Uint8Array, header: number, size: number, count: number): Uint8Array {
    const end = header + size * count;
    if (end > bytes.length) {
      throw new KvmError("EFAULT", this.#name(action), `${end} bytes are announced, ${bytes.length} are there`);
    }
    return bytes.subarray(header, end);
  }
}
