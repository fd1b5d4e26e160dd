import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_SHUTDOWN, KVM_EXIT_UNKNOWN } from "../../mod.ts";
import { change, ELSEWHERE, HLT, HLT_64, segmentAt, STEPS, UD2_64, userGuest } from "./guests.ts";
import { type Case, CODE, code, DATA, Guest, PAGE, region } from "./harness.ts";

/** KVM_RUN: halting, and ends that nobody wants. */
export const RUN_CASES: readonly Case[] = [
  {
    name: "run() HLT leaves RIP behind it; again, it still halts",
    exit: KVM_EXIT_HLT,
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
    exit: KVM_EXIT_HLT,
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
    name: "run() of code where there is no memory is KVM_EXIT_UNKNOWN, never silent",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.restart({ rip: 0xfff0 });
      change(guest, (sregs) => segmentAt(sregs, "cs", 0xa0000));
      const exit = guest.expect(KVM_EXIT_UNKNOWN);
      assertEquals(exit.hardware_exit_reason > 10n, true);
    },
  },
  {
    name: "run() of code that runs into the end of memory is KVM_EXIT_UNKNOWN at the first byte beyond",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { data: 1 });
      guest.vm.memory(DATA, PAGE).fill(0x90); // nop
      change(guest, (sregs) => segmentAt(sregs, "cs", DATA));
      guest.restart({ rip: PAGE - 3 });
      guest.expect(KVM_EXIT_UNKNOWN);
      assertEquals(guest.regs.rip, BigInt(PAGE));
    },
  },
  {
    name: "run() goes on after KVM_EXIT_UNKNOWN when the host has put memory there",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      change(guest, (sregs) => segmentAt(sregs, "cs", ELSEWHERE));
      guest.restart({ rip: 0 });
      guest.expect(KVM_EXIT_UNKNOWN);
      region(guest.vm, 1, ELSEWHERE, PAGE);
      guest.vm.write(ELSEWHERE, STEPS.bytes);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 1n);
    },
  },
  {
    name: "run() gives one exit object for each reason, again and again",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const first = guest.run();
      assertEquals(guest.run() === first, true);
      assertEquals([first.reason as number, guest.vcpu.kvmRun.exit_reason], [KVM_EXIT_HLT, KVM_EXIT_HLT]);
    },
  },
  {
    name: "run() of HLT in long mode leaves RIP behind it",
    exit: KVM_EXIT_HLT,
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      guest.expect(KVM_EXIT_HLT);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rip, BigInt(CODE + 1));
    },
  },
  {
    name: "run() triple fault in long mode is KVM_EXIT_SHUTDOWN",
    needs: ["long", "user64"],
    run: (kvm) => {
      using guest = new Guest(kvm, UD2_64, { mode: "long", sregs: ({ idt }) => idt.limit = 0 });
      guest.expect(KVM_EXIT_SHUTDOWN);
    },
  },
  {
    name: "run() HLT in user mode is a fault, not KVM_EXIT_HLT: without an IDT it is KVM_EXIT_SHUTDOWN",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(kvm, HLT_64, { sregs: ({ idt }) => idt.limit = 0 });
      guest.expect(KVM_EXIT_SHUTDOWN);
    },
  },
];
