/**
 * What the KVM objects ask of an engine: the one interface under which the software engine and the real `/dev/kvm` are
 * interchangeable. Structures cross it as bytes in the layout of `kvm.h`, so that the raw `ioctl` form is a pass-through.
 * The rules of slots, aliases and dirty logs live above it, in the KVM objects; a backend only sees the flattened map.
 * @module
 */

/** The engines that can be behind a {@linkcode Backend}. */
export type BackendName = "soft" | "kvm";

/** One zeroed, page-aligned piece of guest memory; what a memory slot owns. */
export interface BackendMemory {
  /**
   * The memory itself. Writing here is a host write: it marks nothing dirty. An engine that keeps decoded code has to look
   * for changes in each RUN once this has been asked for, which {@linkcode read} and {@linkcode write} spare it.
   */
  readonly bytes: Uint8Array;
  /** Copies bytes from `offset` on out, to fill `into`; both are within the memory. Left out: {@linkcode bytes} is used. */
  read?(offset: number, into: Uint8Array): void;
  /** A host write of `bytes` at `offset`; both are within the memory. Left out: {@linkcode bytes} is used. */
  write?(offset: number, bytes: Uint8Array): void;
}

/** A guest-physical range and the memory behind it; an alias is a second range over the same memory. */
export interface MappedRange {
  /** Guest-physical address of the first byte, a multiple of 4096 below 2^52. */
  readonly gpa: number;
  /** Bytes, a positive multiple of 4096. */
  readonly size: number;
  /** The memory behind the range. */
  readonly memory: BackendMemory;
  /** Where in {@linkcode memory} the range begins, in bytes, a multiple of 4096. */
  readonly offset: number;
  /** Whether guest writes through this range mark the page of {@linkcode memory} dirty. */
  readonly log: boolean;
}

/** An engine. */
export interface Backend extends Disposable {
  /** Which engine this is. */
  readonly name: BackendName;
  /** The numbers of all MSRs that {@linkcode BackendVcpu.getMsrs} and `setMsrs` accept and that hold state. */
  msrIndexList(): Uint32Array;
  /** A machine without memory and processors. */
  createVm(): BackendVm;
}

/** One machine. */
export interface BackendVm extends Disposable {
  /**
   * Zeroed guest memory of `size` bytes (a multiple of 4096).
   * @throws KvmError ENOMEM when the host cannot give it.
   */
  allocate(size: number): BackendMemory;
  /** Gives memory back; no mapped range may name it any more. */
  release(memory: BackendMemory): void;
  /**
   * Replaces the guest-physical map. `ranges` is sorted by `gpa` and disjoint. Dirty marks of memory that stays
   * allocated survive.
   */
  map(ranges: readonly MappedRange[]): void;
  /** Ors the dirty marks of `memory` into `bitmap` (bit n is page n, LSB first) and clears them in the engine. */
  harvestDirty(memory: BackendMemory, bitmap: Uint8Array): void;
  /** A processor in its reset state; `id` is free and in range. */
  createVcpu(id: number): BackendVcpu;
}

/** Data that a {@linkcode VcpuObserver} watches. */
export interface Watchpoint {
  /** Linear address of the first byte. */
  readonly address: bigint;
  /** Bytes, 1 or more. */
  readonly length: number;
  /** Whether reading it counts. */
  readonly read: boolean;
  /** Whether writing it counts, with the same value too. */
  readonly write: boolean;
}

/** What is delivered to a guest: an interrupt, INT n with INT3 and INTO, an exception, INT1, or an NMI. */
export type VcpuEventKind = "external" | "software" | "exception" | "int1" | "nmi";

/** What a debugger or tracer wants to see beyond KVM_DEBUG_GUEST. Its methods are called inside RUN and must not throw. */
export interface VcpuObserver {
  /** Linear addresses: RUN ends with KVM_EXIT_DEBUG before the instruction there, as at those of KVM_DEBUG_GUEST. */
  readonly breakpoints?: readonly bigint[];
  /** RUN ends with KVM_EXIT_DEBUG behind an instruction that touched one of them. */
  readonly watchpoints?: readonly Watchpoint[];
  /**
   * Told of each access that met a watchpoint: where, how many bytes, whether it wrote. One that reads and writes is told
   * twice at least, and so may any other be.
   */
  touched?(address: bigint, length: number, write: boolean): void;
  /**
   * Told before an interrupt or exception is delivered, while the registers can be read and are those before it.
   * `errorCode` is -1 where there is none.
   */
  event?(kind: VcpuEventKind, vector: number, errorCode: number): void;
}

/**
 * Who answers accesses of a guest inside RUN, without an exit. Each access is of one item of 1, 2 or 4 bytes, at its place in
 * the guest's time: `Vcpu.instructions` says how many came before. The answers must not use the VM or its processors, but
 * for {@linkcode BackendVcpu.endBy}, and must not throw.
 */
export interface AccessServer {
  /** IN: the value, unsigned; -1 for KVM_EXIT_IO. */
  in(port: number, size: number): number;
  /** OUT: true if it is done; false for KVM_EXIT_IO. */
  out(port: number, size: number, value: number): boolean;
  /** A read of guest-physical memory that is not there: the value, unsigned; -1 for KVM_EXIT_MMIO. */
  read(address: number, size: number): number;
  /** A write there: true if it is done; false for KVM_EXIT_MMIO. */
  write(address: number, size: number, value: number): boolean;
}

/** One processor. Every `Uint8Array` holds one structure of `kvm.h`. */
export interface BackendVcpu extends Disposable {
  /** What `mmap` of a vCPU gives: `struct kvm_run` at 0, port-I/O data at 4096; 8192 bytes, the same object for life. */
  readonly shared: Uint8Array;
  /**
   * KVM_RUN. Allocates nothing.
   * @param maxInstructions Ends the run with KVM_EXIT_INTR after so many instructions (soft engine only; Infinity: no limit).
   * @returns 0, or -EINTR (-4) with `exit_reason` KVM_EXIT_INTR.
   */
  run(maxInstructions: number): number;
  /** How many instructions it has executed since it was made; left out where that is not counted (the real device). */
  instructions?(): number;
  /** KVM_GET_REGS into `struct kvm_regs`. */
  getRegs(regs: Uint8Array): void;
  /** KVM_SET_REGS. */
  setRegs(regs: Uint8Array): void;
  /** KVM_GET_SREGS into `struct kvm_sregs`. */
  getSregs(sregs: Uint8Array): void;
  /** KVM_SET_SREGS. */
  setSregs(sregs: Uint8Array): void;
  /** KVM_GET_FPU into `struct kvm_fpu`. */
  getFpu(fpu: Uint8Array): void;
  /** KVM_SET_FPU. */
  setFpu(fpu: Uint8Array): void;
  /** KVM_GET_MSRS over consecutive `struct kvm_msr_entry`; returns how many were read before the first unknown. */
  getMsrs(entries: Uint8Array): number;
  /** KVM_SET_MSRS; returns how many were written before the first refused. */
  setMsrs(entries: Uint8Array): number;
  /** KVM_SET_CPUID over consecutive `struct kvm_cpuid_entry`. */
  setCpuid(entries: Uint8Array): void;
  /** KVM_TRANSLATE, in place. */
  translate(translation: Uint8Array): void;
  /** KVM_INTERRUPT; `vector` is 0..255. */
  interrupt(vector: number): void;
  /** KVM_DEBUG_GUEST with `struct kvm_debug_guest`. */
  debugGuest(debug: Uint8Array): void;
  /** KVM_SET_SIGNAL_MASK: 8 bytes of sigset, or null for none. */
  setSignalMask(sigset: Uint8Array | null): void;
  /**
   * Where RUN cannot be bounded by a number of instructions (the real device): ends the RUN that is under way after so
   * many milliseconds with KVM_EXIT_INTR, or the next one at once; 0 cancels.
   */
  alarm?(milliseconds: number): void;
  /**
   * With {@linkcode alarm}: whether an alarm, and no other signal, ended the last RUN that ended with KVM_EXIT_INTR.
   */
  readonly rang?: boolean;
  /** Sets who watches this processor, or nobody; left out where the engine cannot (the real device). */
  observe?(observer: VcpuObserver | null): void;
  /**
   * Sets who answers port and memory-mapped accesses inside RUN, or nobody; left out where each is an exit (the real
   * device).
   */
  serve?(server: AccessServer | null): void;
  /**
   * For an {@linkcode AccessServer}: the RUN under way ends with KVM_EXIT_INTR when so many instructions were executed in
   * all, but not before the one that makes the access is complete.
   */
  endBy?(instructions: number): void;
  /** Makes signal `n` (1..64) pending for the thread that runs this processor. */
  signal(n: number): void;
}
