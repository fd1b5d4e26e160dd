/**
 * What the real device at hand cannot do, found out by trying. A nested device may carry out guest kernel code with the
 * kernel's instruction emulator, which lacks whole groups of instructions: a case that needs one of them is skipped there
 * with that reason, while the same failure elsewhere is ours.
 * @module
 */

import {
  type Kvm,
  KVM_EXIT_DEBUG,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_SHUTDOWN,
  KvmCpuid,
  KvmDebugGuest,
} from "../../mod.ts";
import { OUT_64, STI_SPIN, userGuest } from "./guests.ts";
import { CODE, code, flatProtected, Guest, handle, type Need } from "./harness.ts";

const STI_HLT = code(`
        fb ; sti
        90 ; nop
        f4 ; hlt
      `);
const UD2 = code(`
        0f 0b ; ud2
      `);
const NOP_HLT = code(`
        90 ; nop
        f4 ; hlt
      `);
const NOP_HLT_64 = code(
  `
        90 ; nop
        f4 ; hlt
      `,
  64,
);
const NOP_HLT_32 = code(
  `
        90 ; nop
        f4 ; hlt
      `,
  32,
);
const FLD1 = code(`
        db e3 ; fninit
        d9 e8 ; fld1
        f4    ; hlt
      `);
const OUT = code(`
        e6 21 ; out 0x21, al
        f4    ; hlt
      `);

const CPUID = code(`
        0f a2 ; cpuid
        f4    ; hlt
      `);

/** Whether a leaf above the highest, 6, is answered with just that. */
function answersLeaf(kvm: Kvm, leaf: number): boolean {
  using guest = new Guest(kvm, CPUID, { regs: { rax: leaf } });
  guest.vcpu.setCpuid(new KvmCpuid([{ function: 0, eax: 0 }, { function: 6, eax: 0x6789 }]));
  guest.run();
  const { rax, rbx } = guest.regs;
  return rax === 0x6789n && rbx === 0n;
}

/** For each need, why it is not to be had, or null. */
const PROBES: Readonly<Record<Need, (kvm: Kvm) => string | null>> = {
  interrupts: (kvm) => {
    using guest = new Guest(kvm, STI_SPIN);
    handle(guest, 0x20);
    guest.vcpu.interrupt(0x20);
    return guest.run().reason === KVM_EXIT_IO ? null : "it cannot inject an interrupt into real mode";
  },
  prompt: (kvm) => {
    using guest = new Guest(kvm, STI_HLT);
    guest.vcpu.kvmRun.request_interrupt_window = 1;
    const open = guest.run().reason === KVM_EXIT_IRQ_WINDOW_OPEN && guest.regs.rip === BigInt(CODE + 2);
    return open ? null : "it looks for interrupts only now and then";
  },
  exceptions: (kvm) => {
    using guest = new Guest(kvm, UD2);
    handle(guest, 6);
    return guest.run().reason === KVM_EXIT_IO ? null : "it cannot deliver exceptions in real mode";
  },
  "vector-limit": (kvm) => {
    using guest = new Guest(kvm, UD2, { sregs: ({ idt }) => idt.limit = 0 });
    return guest.run().reason === KVM_EXIT_SHUTDOWN ? null : "it ignores the limit of the real-mode vectors";
  },
  // To try INT n itself is no use: an emulator that lacks it may never come back. One that lacks x87 lacks it too.
  "soft-int": (kvm) => PROBES.fpu(kvm) === null ? null : "it carries out ring 0 by an emulator without INT n",
  debug: (kvm) => {
    using guest = new Guest(kvm, NOP_HLT);
    guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
    const stepped = guest.run().reason === KVM_EXIT_DEBUG && guest.regs.rip === BigInt(CODE + 1);
    return stepped ? null : "it cannot single-step";
  },
  // To try is no use: where the kernel cannot patch the instruction, the guest never comes back.
  hypercall: () => "the kernel answers hypercalls itself",
  long: (kvm) => {
    using guest = new Guest(kvm, NOP_HLT_64, { mode: "long" });
    return guest.run().reason === KVM_EXIT_HLT ? null : "it cannot run long mode";
  },
  paging32: (kvm) => {
    using guest = new Guest(kvm, NOP_HLT_32);
    guest.vm.write(0x8000, new Uint8Array(Uint32Array.of(0x83).buffer));
    const sregs = guest.vcpu.getSregs();
    flatProtected(sregs);
    Object.assign(sregs, { cr3: 0x8000n, cr4: 0x10n, cr0: sregs.cr0 | 0x80000000n });
    guest.vcpu.setSregs(sregs);
    return guest.run().reason === KVM_EXIT_HLT ? null : "it cannot run 32-bit paging";
  },
  fpu: (kvm) => {
    using guest = new Guest(kvm, FLD1);
    return guest.run().reason === KVM_EXIT_HLT ? null : "it cannot run x87 instructions in ring 0";
  },
  // Not to be tried: it is how the call is made.
  budget: () => "a run cannot be bounded by a number of instructions",
  // The kernel does; the software engine's limit is in executors.ts.
  "own-leaves": (kvm) => answersLeaf(kvm, 7) ? null : "the kernel adds features to CPUID leaves",
  "far-leaves": (kvm) => answersLeaf(kvm, 0x100) ? null : "the kernel answers CPUID leaves beyond 0x1f its own way",
  // What becomes of such a state differs from processor to processor, and some never come back.
  "checked-late": () => "the kernel leaves it to the processor to find out",
  user64: (kvm) => {
    using guest = userGuest(kvm, OUT_64);
    return guest.run().reason === KVM_EXIT_IO ? null : "it cannot run user mode in long mode";
  },
  "late-rip": (kvm) => {
    using guest = new Guest(kvm, OUT);
    guest.run();
    return guest.regs.rip === BigInt(CODE) ? null : "the kernel moves RIP before it reports an OUT";
  },
};

/**
 * What a device cannot do.
 * @param kvm The device.
 * @returns The reason for each need that it does not meet.
 */
export function findLimits(kvm: Kvm): ReadonlyMap<Need, string> {
  const limits = new Map<Need, string>();
  for (const [need, probe] of Object.entries(PROBES)) {
    const reason = probe(kvm);
    if (reason !== null) limits.set(need as Need, reason);
  }
  return limits;
}
