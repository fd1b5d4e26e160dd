import { assertEquals } from "@std/assert";
import { KVM_EXIT_FAIL_ENTRY, KVM_EXIT_HLT, KVM_EXIT_HYPERCALL, KVM_EXIT_INTR, KvmSignalMask } from "../../mod.ts";
import { type Case, CODE, code, Guest, refuses } from "./harness.ts";

const HLT = code(`
        f4    ; hlt
        eb fd ; jmp $-1
      `);
const SPIN = code(`
        eb fe ; jmp $
      `);
const COUNT = code(`
        40    ; inc ax
        eb fd ; jmp $-1
      `);
const STEPS = code(`
        40 ; inc ax
        43 ; inc bx
        41 ; inc cx
        f4 ; hlt
      `);

/** KVM_RUN: halting, signals, hypercalls, impossible states, what kvm_run tells. */
export const RUN_CASES: readonly Case[] = [
  {
    name: "run() HLT leaves RIP behind it; again, it still halts",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f4 ; hlt
        40 ; inc ax
        f4 ; hlt
      `),
      );
      for (let n = 0; n < 3; n++) {
        guest.expect(KVM_EXIT_HLT);
        assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE + 1), 0n]);
      }
    },
  },
  {
    name: "setRegs() to another RIP ends HLT, to the same one it does not",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f4 ; hlt
        90 ; nop
        40 ; inc ax
        f4 ; hlt
      `),
      );
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.setRegs(guest.regs);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rip, BigInt(CODE + 1));
      guest.restart({ rip: CODE + 2 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE + 4), 1n]);
    },
  },
  {
    name: "run() tells apic_base and cr8 at each exit",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.expect(KVM_EXIT_HLT);
      const { kvmRun } = guest.vcpu;
      assertEquals([kvmRun.apic_base, kvmRun.cr8], [guest.vcpu.getSregs().apic_base, guest.vcpu.getSregs().cr8]);
    },
  },
  {
    name: "run() executes on from where registers are set",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      const { regs } = guest;
      regs.rip = BigInt(CODE + 1);
      guest.vcpu.setRegs(regs);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx, guest.regs.rcx], [0n, 1n, 1n]);
    },
  },
  {
    name: "run() ends with KVM_EXIT_INTR for a pending signal that the mask lets through",
    run: (kvm) => {
      using guest = new Guest(kvm, SPIN);
      guest.vcpu.setSignalMask(new KvmSignalMask(0n));
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
      assertEquals(guest.vcpu.kvmRun.exit_reason, KVM_EXIT_INTR);
    },
  },
  {
    name: "run() goes on after KVM_EXIT_INTR",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      guest.vcpu.setSignalMask(new KvmSignalMask(0n));
      guest.vcpu.signal(12);
      guest.expect(KVM_EXIT_INTR);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 1n);
    },
  },
  {
    name: "run() does not end for a signal that the mask blocks",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      guest.vcpu.setSignalMask(new KvmSignalMask(1n << 9n));
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "setSignalMask() gives EINVAL unless len is 8",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const mask = new KvmSignalMask(0n);
      for (const len of [0, 4, 16]) {
        mask.len = len;
        refuses("EINVAL", () => guest.vcpu.setSignalMask(mask));
      }
      guest.vcpu.setSignalMask(null);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() with maxInstructions ends with KVM_EXIT_INTR after so many",
    only: "soft",
    run: (kvm) => {
      using guest = new Guest(kvm, COUNT);
      for (const count of [1, 2, 3, 10, 1000]) {
        const { regs } = guest;
        regs.rax = 0n;
        regs.rip = BigInt(CODE);
        guest.vcpu.setRegs(regs);
        assertEquals(guest.vcpu.run({ maxInstructions: count }).reason as number, KVM_EXIT_INTR);
        assertEquals(guest.regs.rax, BigInt((count + 1) >> 1));
      }
    },
  },
  {
    name: "run() with an impossible state is KVM_EXIT_FAIL_ENTRY",
    only: "soft",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const good = guest.vcpu.getSregs();
      const bad = guest.vcpu.getSregs();
      bad.cr0 = 0x80000010n; // PG without PE
      guest.vcpu.setSregs(bad);
      guest.expect(KVM_EXIT_FAIL_ENTRY);
      guest.vcpu.setSregs(good);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() VMCALL is KVM_EXIT_HYPERCALL, and ret goes to RAX",
    needs: ["hypercall"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        0f 01 c1 ; vmcall
        f4       ; hlt
      `,
          32,
        ),
        {
          mode: "protected",
          regs: { rax: 1, rbx: 0x99, rcx: 2, rdx: 3, rsi: 4, rdi: 5, rbp: 6 },
        },
      );
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([exit.longmode, [...exit.args]], [false, [1n, 2n, 3n, 4n, 5n, 6n]]);
      exit.ret = 0x1234n;
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x1234n, BigInt(CODE + 4)]);
    },
  },
  {
    name: "run() VMMCALL in long mode is KVM_EXIT_HYPERCALL",
    needs: ["hypercall", "long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        0f 01 d9 ; vmmcall
        f4       ; hlt
      `,
          64,
        ),
        {
          mode: "long",
          regs: { rax: 0x99, rdi: 1, rsi: 2, rdx: 3, rcx: 4, r8: 5, r9: 6 },
        },
      );
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([exit.longmode, [...exit.args]], [true, [1n, 2n, 3n, 4n, 5n, 6n]]);
      exit.ret = 0xffffffffffffffffn;
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0xffffffffffffffffn);
    },
  },
];
