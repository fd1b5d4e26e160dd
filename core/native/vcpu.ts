/**
 * A processor of the real device.
 *
 * Differences from version 12 that the kernel of today makes and this backend cannot undo:
 * - VMCALL and VMMCALL never give KVM_EXIT_HYPERCALL: the kernel answers them itself (RAX becomes -1000).
 * - At the exit of an OUT or of a write to an address without memory, RIP may already be behind the instruction where the
 *   kernel emulated it; at the exit of an IN or a read it never is.
 * - KVM_SET_CPUID after the first KVM_RUN gives EINVAL, unless nothing changes.
 * - A state that the processor would refuse is sometimes refused by KVM_SET_SREGS already. It is kept then, and the next
 *   KVM_RUN gives KVM_EXIT_FAIL_ENTRY with the number that Intel processors give for it, 0x80000021.
 *
 * Today's KVM_INTERRUPT delivers at once, whatever IF says, and knows one vector. So interrupts wait here, and each is
 * handed over when the kernel says that the window is open.
 *
 * Registers that are set while an IN or a read awaits its answer are merged with what its completion changes: see
 * `pending_access.ts`. Where they stand at another RIP, or CS is set to another place, the access is forgotten.
 * @module
 */

import {
  KVM_EXIT_DEBUG,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_HLT,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_MMIO,
  KVM_EXIT_SHUTDOWN,
  KVM_EXIT_UNKNOWN,
} from "../abi/constants.ts";
import { KvmDebugGuest } from "../abi/debug.ts";
import { ERRNO } from "../abi/errno.ts";
import {
  KVM_GET_MSRS,
  KVM_GET_REGS,
  KVM_GET_SREGS,
  KVM_INTERRUPT,
  KVM_RUN,
  KVM_SET_MSRS,
  KVM_SET_REGS,
  KVM_SET_SIGNAL_MASK,
  KVM_SET_SREGS,
} from "../abi/ioctl.ts";
import { LAYOUTS } from "../abi/layout.ts";
import { KvmRegs, KvmSregs } from "../abi/regs.ts";
import { KvmRun } from "../abi/run.ts";
import { KvmTranslation } from "../abi/translation.ts";
import type { BackendVcpu } from "../kvm/backend.ts";
import { KvmError } from "../kvm/kvm_error.ts";
import { setCpuid } from "./cpuid.ts";
import { makeUnknown } from "./exit_detail.ts";
import { readFpuArea, writeFpuArea } from "./fpu_area.ts";
import { GuestDebug } from "./guest_debug.ts";
import { InterruptQueue } from "./interrupt_queue.ts";
import type { Libc, Mapping } from "./libc.ts";
import { type ReadPhysical, translate } from "./page_walk.ts";
import { answerOf, awaitsAnswer, mergeCompleted } from "./pending_access.ts";
import {
  KVM_EXIT_SET_TPR,
  KVM_GET_VCPU_EVENTS,
  KVM_GET_XSAVE,
  KVM_SET_VCPU_EVENTS,
  KVM_SET_XSAVE,
  VCPU_EVENTS,
  XSAVE,
} from "./requests.ts";
import { RunSignals } from "./run_signals.ts";

/** Bytes of `mmap` of a vCPU that version 12 has: `kvm_run` and the port data. */
const SHARED_SIZE = 8192;

const RUN = LAYOUTS.kvm_run.fields;
const WINDOW = RUN.request_interrupt_window.offset;
/** In today's kernel the first byte of this padding, if not 0, ends KVM_RUN at its start. */
const IMMEDIATE_EXIT = RUN.padding1.offset;
const READY = RUN.ready_for_interrupt_injection.offset;
const IF_FLAG = RUN.if_flag.offset;
/** Index of `exit_reason` among 32-bit words. */
const REASON = RUN.exit_reason.offset / 4;

const RFLAGS = LAYOUTS.kvm_regs.fields.rflags.offset;
const BITMAP = LAYOUTS.kvm_sregs.fields.interrupt_bitmap.offset;

/** The bit of the first byte of RFLAGS that is always set. */
const RFLAGS_FIXED = 2;
const RFLAGS_IF = 1n << 9n;
const EFER_LMA = 1n << 10n;

/** `hardware_entry_failure_reason` of Intel processors: VM entry, invalid guest state. */
const INVALID_GUEST_STATE = 0x80000021n;

/** More exits than an instruction makes that is given up. */
const GIVING_UP = 64;

/** Refuses fewer bytes than the kernel would read or write. */
function check(bytes: Uint8Array, size: number): void {
  if (bytes.length < size) throw new RangeError(`Cannot use ${bytes.length} bytes: the structure has ${size}`);
}

/** What a processor has from its machine. */
export interface VcpuParts {
  readonly libc: Libc;
  /** The file descriptor, which the processor owns. */
  readonly fd: number;
  /** What `mmap` of it gives, which the processor owns too. */
  readonly mapping: Mapping;
  /** Guest memory. */
  readonly read: ReadPhysical;
  /** Called when the processor is disposed of. */
  readonly onDispose: (vcpu: NativeVcpu) => void;
}

/** One processor. */
export class NativeVcpu implements BackendVcpu {
  readonly shared: Uint8Array;
  readonly #words: Int32Array;
  readonly #parts: VcpuParts;
  readonly #libc: Libc;
  #fd: number;
  readonly #signals: RunSignals;
  readonly #debug: GuestDebug;
  readonly #queue: InterruptQueue = new InterruptQueue();
  /** HLT was reported, and nothing has ended it yet. */
  #halted = false;
  /** The state that the kernel refused. */
  #refused: Uint8Array | null = null;
  /** `ready_for_interrupt_injection` as the kernel gave it, where ours differs because interrupts are queued. */
  #ready = 0;
  /** Whether the host has changed the registers since the last exit, so that its flags say nothing any more. */
  #changed = true;
  /** The registers that were set while an access awaits its answer. */
  #staged: Uint8Array | null = null;
  /** Whether the access of the last exit was given up. */
  #gaveUp = false;
  /** Whether KVM_RUN alone is not enough: something of the above, or of debugging, stands in the way. */
  #special = false;

  /** Takes over what `parts` names. */
  constructor(parts: VcpuParts) {
    this.#parts = parts;
    this.#libc = parts.libc;
    this.#fd = parts.fd;
    this.shared = new Uint8Array(parts.mapping.buffer, 0, SHARED_SIZE);
    this.#words = new Int32Array(parts.mapping.buffer, 0, SHARED_SIZE / 4);
    this.#signals = new RunSignals(parts.libc, (set) => this.#applySignalMask(set));
    this.#debug = new GuestDebug(parts.libc, parts.fd);
  }

  run(_maxInstructions: number): number {
    return this.#special ? this.#runSpecially() : this.#enter();
  }

  /**
   * Ends KVM_RUN with KVM_EXIT_INTR once so much time has passed, once; if it passes between two runs, the second one ends
   * at its start. Takes signal 64 for it.
   * @param milliseconds Above 0 from now; or 0 for never.
   * @throws KvmError EAGAIN when the host has no timer left.
   */
  alarm(milliseconds: number): void {
    this.#signals.alarm(milliseconds);
  }

  get rang(): boolean {
    return this.#signals.rang;
  }

  getRegs(regs: Uint8Array): void {
    check(regs, LAYOUTS.kvm_regs.size);
    if (this.#staged === null) this.#libc.ioctlBytes(this.#fd, KVM_GET_REGS, regs, "get the registers");
    else regs.set(this.#staged);
    if (this.#debug.isStepping) {
      // TF and RF are the host's.
      regs[RFLAGS + 1] &= ~1;
      regs[RFLAGS + 2] &= ~1;
    }
  }

  setRegs(regs: Uint8Array): void {
    check(regs, LAYOUTS.kvm_regs.size);
    if (this.#halted && this.#regs().rip !== new KvmRegs(regs).rip) this.#setHalted(false);
    this.#changed = true;
    if (this.#awaits()) {
      if (this.#regs().rip === new KvmRegs(regs).rip) return this.#stage(regs.slice(0, LAYOUTS.kvm_regs.size));
      this.#giveUp();
    }
    this.#setKernelRegs(regs);
  }

  getSregs(sregs: Uint8Array): void {
    check(sregs, LAYOUTS.kvm_sregs.size);
    if (this.#refused !== null) {
      sregs.set(this.#refused);
      return;
    }
    this.#libc.ioctlBytes(this.#fd, KVM_GET_SREGS, sregs, "get the special registers");
    this.#queue.save(sregs.subarray(BITMAP, LAYOUTS.kvm_sregs.size));
  }

  setSregs(sregs: Uint8Array): void {
    check(sregs, LAYOUTS.kvm_sregs.size);
    const wanted = sregs.slice(0, LAYOUTS.kvm_sregs.size);
    const codeChanged = this.#halted && this.#sregs().cs.bytes.some((byte, n) => byte !== wanted[n]);
    if (this.#awaits() && this.#isElsewhere(new KvmSregs(wanted))) this.#giveUp();
    const queued = wanted.slice(BITMAP);
    wanted.fill(0, BITMAP);
    this.#changed = true;
    try {
      this.#libc.ioctlBytes(this.#fd, KVM_SET_SREGS, wanted, "set the special registers");
      this.#refused = null;
      this.#takeBack();
      this.#queue.load(queued);
      if (codeChanged) this.#halted = false;
    } catch (error) {
      if (!(error instanceof KvmError) || error.errno !== ERRNO.EINVAL) throw error;
      this.#refused = wanted;
      this.#refused.set(queued, BITMAP);
    }
    this.#updateSpecial();
  }

  getFpu(fpu: Uint8Array): void {
    check(fpu, LAYOUTS.kvm_fpu.size);
    readFpuArea(this.#xsave(), fpu);
  }

  setFpu(fpu: Uint8Array): void {
    check(fpu, LAYOUTS.kvm_fpu.size);
    const area = this.#xsave();
    writeFpuArea(area, fpu);
    this.#libc.ioctlBytes(this.#fd, KVM_SET_XSAVE, area, "set the floating-point state");
  }

  getMsrs(entries: Uint8Array): number {
    const argument = msrArgument(entries);
    const count = this.#libc.ioctlBytes(this.#fd, KVM_GET_MSRS, argument, "get MSRs");
    const { size } = LAYOUTS.kvm_msrs;
    entries.set(argument.subarray(size, size + count * LAYOUTS.kvm_msr_entry.size));
    return count;
  }

  setMsrs(entries: Uint8Array): number {
    return this.#libc.ioctlBytes(this.#fd, KVM_SET_MSRS, msrArgument(entries), "set MSRs");
  }

  setCpuid(entries: Uint8Array): void {
    setCpuid(this.#libc, this.#fd, entries);
  }

  translate(translation: Uint8Array): void {
    const view = new KvmTranslation(translation);
    const found = translate(this.#sregs(), view.linear_address, this.#parts.read);
    view.physical_address = found?.physical ?? -1n;
    view.valid = found === null ? 0 : 1;
    view.writeable = found?.writeable ? 1 : 0;
    view.usermode = found?.usermode ? 1 : 0;
  }

  interrupt(vector: number): void {
    this.#queue.add(vector);
    this.#special = true;
  }

  debugGuest(debug: Uint8Array): void {
    this.#debug.set(new KvmDebugGuest(debug));
    this.#updateSpecial();
  }

  setSignalMask(sigset: Uint8Array | null): void {
    if (sigset !== null) check(sigset, 8);
    const set = sigset === null ? null : new DataView(sigset.buffer, sigset.byteOffset, 8).getBigUint64(0, true);
    this.#signals.setMask(set);
  }

  signal(n: number): void {
    this.#signals.raise(n);
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    this.#signals.dispose();
    this.#libc.unmap(this.#parts.mapping);
    this.#libc.symbols.close(this.#fd);
    this.#fd = -1;
    this.#parts.onDispose(this);
  }

  /** KVM_RUN, until an exit that version 12 knows or that has become KVM_EXIT_UNKNOWN. */
  #enter(): number {
    this.#changed = false;
    this.#gaveUp = false;
    for (;;) {
      this.shared[IMMEDIATE_EXIT] = 0;
      if (this.#libc.symbols.ioctlNull(this.#fd, KVM_RUN, null) < 0) return this.#refusedToRun();
      const answer = this.#left();
      if (answer !== null) return answer;
    }
  }

  /** What the kernel's exit is for version 12; null for what it does not end KVM_RUN for. */
  #left(): number | null {
    switch (this.#words[REASON]) {
      case KVM_EXIT_IO:
      case KVM_EXIT_MMIO:
      case KVM_EXIT_UNKNOWN:
      case KVM_EXIT_DEBUG:
      case KVM_EXIT_IRQ_WINDOW_OPEN:
      case KVM_EXIT_SHUTDOWN:
      case KVM_EXIT_FAIL_ENTRY:
        return 0;
      case KVM_EXIT_HLT:
        this.#setHalted(true);
        return 0;
      case KVM_EXIT_INTR:
        return this.#interrupted();
      case KVM_EXIT_SET_TPR:
        // The new priority is in kvm_run.cr8.
        return null;
      default:
        makeUnknown(this.shared);
        return 0;
    }
  }

  #refusedToRun(): number {
    if (this.#libc.errno !== ERRNO.EINTR) this.#libc.fail("run the processor");
    return this.#interrupted();
  }

  #interrupted(): number {
    this.#signals.settle();
    this.#words[REASON] = KVM_EXIT_INTR;
    return -ERRNO.EINTR;
  }

  /** Whether the last exit still waits for an answer. */
  #awaits(): boolean {
    return this.#staged !== null || !this.#gaveUp && awaitsAnswer(this.shared);
  }

  /** Keeps registers until the access is complete. */
  #stage(regs: Uint8Array): void {
    regs[RFLAGS] |= RFLAGS_FIXED;
    this.#staged = regs;
    this.#special = true;
  }

  /** Whether `sregs` let the code be elsewhere. */
  #isElsewhere({ cs }: KvmSregs): boolean {
    const now = this.#sregs().cs;
    return now.base !== cs.base || now.selector !== cs.selector;
  }

  /** Completes the instruction whose answer nobody waits for any more, in the kernel alone. */
  #giveUp(): void {
    const shared = this.shared.slice();
    const regs = this.#kernelRegs();
    const staged = this.#staged;
    this.#staged = null;
    // With other registers the kernel forgets where the answer goes; with RCX 1 a repeated instruction ends.
    const one = new KvmRegs(regs.bytes.slice());
    one.rcx = 1n;
    this.#setKernelRegs(one.bytes);
    for (let n = 0; n < GIVING_UP && this.#completes() === 0; n++);
    this.shared.set(shared);
    this.#setKernelRegs(staged ?? regs.bytes);
    this.#gaveUp = true;
    this.#updateSpecial();
  }

  /**
   * Completes the access with the answer given and merges the registers that were set meanwhile.
   * @returns The answer of KVM_RUN if the instruction makes another exit; null if not.
   */
  #completeAccess(): number | null {
    const before = this.#kernelRegs().bytes;
    const answer = answerOf(this.shared);
    const result = this.#completes();
    if (result < 0 && this.#libc.errno !== ERRNO.EINTR) this.#libc.fail("run the processor");
    const ended = result < 0 ? null : this.#left();
    const staged = this.#staged;
    if (staged !== null) {
      mergeCompleted(staged, before, this.#kernelRegs().bytes, answer);
      if (ended === null || !awaitsAnswer(this.shared)) {
        this.#staged = null;
        this.#setKernelRegs(staged);
      }
    }
    this.#gaveUp = ended === null;
    this.#updateSpecial();
    return ended;
  }

  /** KVM_RUN that completes what is pending and enters nothing. */
  #completes(): number {
    this.shared[IMMEDIATE_EXIT] = 1;
    const answer = this.#libc.symbols.ioctlNull(this.#fd, KVM_RUN, null);
    this.shared[IMMEDIATE_EXIT] = 0;
    return answer;
  }

  /** KVM_RUN with registers to merge, interrupts to deliver, after HLT, with a refused state, or when stepping from a breakpoint. */
  #runSpecially(): number {
    if (this.#staged !== null || this.#refused !== null && this.#awaits()) {
      const answer = this.#completeAccess();
      if (answer !== null) return answer;
    }
    if (this.#refused !== null) return this.#failEntry(this.#refused);
    if (this.#debug.needsSkip) this.#debug.skip(this.#linearRip());
    const asked = this.shared[WINDOW];
    try {
      return this.#runDelivering(asked);
    } finally {
      this.shared[WINDOW] = asked;
      this.#ready = this.#queue.isEmpty ? 0 : this.shared[READY];
      if (!this.#queue.isEmpty) this.shared[READY] = 0;
      this.#updateSpecial();
    }
  }

  #runDelivering(asked: number): number {
    const wasHalted = this.#halted;
    let delivering = false;
    if (!wasHalted && !this.#queue.isEmpty && !this.#changed && (this.shared[READY] | this.#ready) !== 0) {
      this.#deliver();
      delivering = true;
    }
    for (;;) {
      if (this.#halted) {
        if (this.#signals.isPending()) return this.#interrupted();
        const open = (this.#regs().rflags & RFLAGS_IF) !== 0n;
        if (!open || this.#queue.isEmpty) return this.#stayHalted(open, asked !== 0);
        this.#deliver();
        this.#halted = false;
        delivering = true;
      }
      this.shared[WINDOW] = this.#queue.isEmpty ? asked : 1;
      const answer = this.#enter();
      if (answer !== 0) {
        if (delivering && this.#takeBack()) this.#halted = wasHalted;
        return answer;
      }
      if (this.#queue.isEmpty) return 0;
      const reason = this.#words[REASON];
      if (reason === KVM_EXIT_IRQ_WINDOW_OPEN) {
        this.#deliver();
        delivering = true;
      } else if (reason !== KVM_EXIT_HLT || this.shared[IF_FLAG] === 0) {
        return 0;
      }
    }
  }

  /** Hands the next interrupt to the kernel, which delivers it at the next KVM_RUN. */
  #deliver(): void {
    const vector = new Uint8Array(LAYOUTS.kvm_interrupt.size);
    vector[0] = this.#queue.take();
    this.#libc.ioctlBytes(this.#fd, KVM_INTERRUPT, vector, `deliver interrupt ${vector[0]}`);
  }

  /**
   * Takes an interrupt back that the kernel has not delivered yet.
   * @returns Whether there was one.
   */
  #takeBack(): boolean {
    const events = new Uint8Array(VCPU_EVENTS.size);
    this.#libc.ioctlBytes(this.#fd, KVM_GET_VCPU_EVENTS, events, "get the pending events");
    if (events[VCPU_EVENTS.interruptInjected] === 0 || events[VCPU_EVENTS.interruptSoft] !== 0) return false;
    this.#queue.add(events[VCPU_EVENTS.interruptVector]);
    events[VCPU_EVENTS.interruptInjected] = 0;
    events.fill(0, VCPU_EVENTS.flags, VCPU_EVENTS.flags + 4);
    this.#libc.ioctlBytes(this.#fd, KVM_SET_VCPU_EVENTS, events, "set the pending events");
    return true;
  }

  /** The exit of a processor that goes on waiting. */
  #stayHalted(open: boolean, asked: boolean): number {
    const ready = open && asked;
    this.shared[IF_FLAG] = open ? 1 : 0;
    this.shared[READY] = open ? 1 : 0;
    this.#words[REASON] = ready ? KVM_EXIT_IRQ_WINDOW_OPEN : KVM_EXIT_HLT;
    return 0;
  }

  #failEntry(refused: Uint8Array): number {
    const run = new KvmRun(this.shared);
    const sregs = new KvmSregs(refused);
    run.exit_reason = KVM_EXIT_FAIL_ENTRY;
    run.fail_entry.hardware_entry_failure_reason = INVALID_GUEST_STATE;
    run.ready_for_interrupt_injection = 0;
    run.if_flag = this.#regs().rflags & RFLAGS_IF ? 1 : 0;
    run.cr8 = sregs.cr8;
    run.apic_base = sregs.apic_base;
    return 0;
  }

  #setHalted(halted: boolean): void {
    this.#halted = halted;
    this.#updateSpecial();
  }

  #updateSpecial(): void {
    this.#special = this.#halted || this.#staged !== null || this.#refused !== null || this.#debug.needsSkip ||
      !this.#queue.isEmpty;
  }

  #applySignalMask(set: bigint | null): void {
    if (set === null) {
      if (this.#libc.symbols.ioctlNull(this.#fd, KVM_SET_SIGNAL_MASK, null) < 0) this.#libc.fail("set the signal mask");
      return;
    }
    const mask = new DataView(new ArrayBuffer(LAYOUTS.kvm_signal_mask.size + 8));
    mask.setUint32(0, 8, true);
    mask.setBigUint64(LAYOUTS.kvm_signal_mask.size, set, true);
    this.#libc.ioctlBytes(this.#fd, KVM_SET_SIGNAL_MASK, new Uint8Array(mask.buffer), "set the signal mask");
  }

  #regs(): KvmRegs {
    const regs = new KvmRegs();
    this.getRegs(regs.bytes);
    return regs;
  }

  #kernelRegs(): KvmRegs {
    const regs = new KvmRegs();
    this.#libc.ioctlBytes(this.#fd, KVM_GET_REGS, regs.bytes, "get the registers");
    return regs;
  }

  #setKernelRegs(regs: Uint8Array): void {
    this.#libc.ioctlBytes(this.#fd, KVM_SET_REGS, regs, "set the registers");
  }

  #sregs(): KvmSregs {
    const sregs = new KvmSregs();
    this.getSregs(sregs.bytes);
    return sregs;
  }

  #linearRip(): bigint {
    const { rip } = this.#regs();
    const { cs, efer } = this.#sregs();
    return cs.l !== 0 && (efer & EFER_LMA) !== 0n ? rip : BigInt.asUintN(32, cs.base + rip);
  }

  #xsave(): Uint8Array {
    const area = new Uint8Array(XSAVE.size);
    this.#libc.ioctlBytes(this.#fd, KVM_GET_XSAVE, area, "get the floating-point state");
    return area;
  }
}

/** `struct kvm_msrs` with the given consecutive entries. */
function msrArgument(entries: Uint8Array): Uint8Array {
  const { size } = LAYOUTS.kvm_msrs;
  const argument = new Uint8Array(size + entries.length);
  new DataView(argument.buffer).setUint32(0, Math.floor(entries.length / LAYOUTS.kvm_msr_entry.size), true);
  argument.set(entries, size);
  return argument;
}
