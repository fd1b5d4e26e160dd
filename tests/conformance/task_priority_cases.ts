import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KvmMsrs } from "../../mod.ts";
import { change, HLT, STEPS, STI_SPIN } from "./guests.ts";
import { type Case, code, Guest, handle } from "./harness.ts";

/** CR8, the APIC's base and what kvm_run tells of them. */
export const TASK_PRIORITY_CASES: readonly Case[] = [
  {
    name: "setSregs() cr8 shows in kvm_run, kvm_run's cr8 in getSregs()",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        e6 10 ; out 0x10, al
        f4    ; hlt
      `),
        { sregs: (sregs) => sregs.cr8 = 3n },
      );
      guest.vcpu.kvmRun.cr8 = 3n;
      guest.expectOut(0x10, 1, 0);
      assertEquals(guest.vcpu.kvmRun.cr8, 3n);
      guest.vcpu.kvmRun.cr8 = 7n;
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.vcpu.kvmRun.cr8, guest.vcpu.getSregs().cr8], [7n, 7n]);
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
    name: "run() takes cr8 from kvm_run, whatever setSregs() set",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { sregs: (sregs) => sregs.cr8 = 9n });
      guest.vcpu.kvmRun.cr8 = 4n;
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.vcpu.kvmRun.cr8, guest.vcpu.getSregs().cr8], [4n, 4n]);
    },
  },
  {
    name: "run() cr8 is what the guest reads from CR8",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        44 0f 20 c0 ; mov rax, cr8
        f4          ; hlt
      `,
          64,
        ),
        { mode: "long" },
      );
      guest.vcpu.kvmRun.cr8 = 0xbn;
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0xbn);
    },
  },
  {
    name: "run() tells in cr8 what the guest wrote to CR8",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        44 0f 22 c0 ; mov cr8, rax
        e6 10       ; out 0x10, al
        44 0f 20 c3 ; mov rbx, cr8
        f4          ; hlt
      `,
          64,
        ),
        { mode: "long", regs: { rax: 6 } },
      );
      guest.expectOut(0x10, 1, 6);
      assertEquals([guest.vcpu.kvmRun.cr8, guest.vcpu.getSregs().cr8], [6n, 6n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.vcpu.kvmRun.cr8, guest.regs.rbx], [6n, 6n]);
    },
  },
  {
    name: "run() with cr8 lowered and raised by the guest shows each value at its exit",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        b8 0f 00 00 00 ; mov eax, 15
                       ; again:
        44 0f 22 c0    ; mov cr8, rax
        e6 10          ; out 0x10, al
        83 e8 03       ; sub eax, 3
        79 f5          ; jns again
        f4             ; hlt
      `,
          64,
        ),
        { mode: "long" },
      );
      for (const value of [15, 12, 9, 6, 3, 0]) {
        guest.expectOut(0x10, 1, value);
        assertEquals(guest.vcpu.kvmRun.cr8, BigInt(value));
      }
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() at cr8 15 still delivers what interrupt() queued: priorities are the host's affair",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_SPIN);
      handle(guest, 0x20);
      guest.vcpu.kvmRun.cr8 = 15n;
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0);
      assertEquals(guest.vcpu.kvmRun.cr8, 15n);
    },
  },
  {
    name: "run() tells the apic_base that setSregs() set",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      change(guest, (sregs) => sregs.apic_base = 0xfee00900n);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.vcpu.kvmRun.apic_base, guest.vcpu.getSregs().apic_base], [0xfee00900n, 0xfee00900n]);
    },
  },
  {
    name: "setMsrs() of IA32_APIC_BASE shows in getSregs() and in kvm_run",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      const count = guest.vcpu.setMsrs(new KvmMsrs([{ index: 0x1b, data: 0xfee00900n }]));
      assertEquals([count, guest.vcpu.getSregs().apic_base], [1, 0xfee00900n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vcpu.kvmRun.apic_base, 0xfee00900n);
    },
  },
];
