import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_INTR, KVM_EXIT_IO, KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_MMIO } from "../../mod.ts";
import { HLT, STEPS, STI_HLT, STI_SPIN } from "./guests.ts";
import { type Case, CODE, code, Guest, handle, HANDLER, IF, refuses } from "./harness.ts";

/** KVM_INTERRUPT, the interrupt window, the interrupt_bitmap. */
export const INTERRUPT_CASES: readonly Case[] = [
  {
    name: "run() HLT with interrupts on and none queued",
    exit: KVM_EXIT_HLT,
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rflags: IF } });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.vcpu.kvmRun.if_flag, guest.vcpu.kvmRun.ready_for_interrupt_injection], [1, 1]);
    },
  },
  {
    name: "run() tells if_flag 0 and not ready with interrupts off",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.vcpu.kvmRun.if_flag, guest.vcpu.kvmRun.ready_for_interrupt_injection], [0, 0]);
    },
  },
  {
    name: "interrupt() wakes from HLT and returns behind it",
    exit: KVM_EXIT_HLT,
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rflags: IF, rax: 5 } });
      handle(guest, 0x20);
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 5);
      assertEquals([guest.regs.rsp, guest.regs.rflags & 0x200n], [0xf000n - 6n, 0n]);
      assertEquals([...new Uint16Array(guest.vm.read(0xf000 - 6, 6).slice().buffer)], [CODE + 1, 0, IF]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rsp, guest.regs.rflags & 0x200n], [0xf000n, 0x200n]);
    },
  },
  {
    name: "interrupt() before the first run is taken before the first instruction",
    needs: ["prompt"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS, { regs: { rflags: IF } });
      handle(guest, 0x20);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 1n);
    },
  },
  {
    name: "interrupt() waits while interrupts are off",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        40    ; inc ax
        e6 10 ; out 0x10, al
        fb    ; sti
        90    ; nop
        eb fe ; jmp $
      `),
      );
      handle(guest, 0x30);
      guest.vcpu.interrupt(0x30);
      guest.expectOut(0x10, 1, 1);
      assertEquals([guest.regs.rsp, guest.vcpu.kvmRun.ready_for_interrupt_injection], [0xf000n, 0]);
      guest.expectOut(0x21, 1, 1);
    },
  },
  {
    name: "interrupt() waits for the instruction behind STI",
    needs: ["prompt", "interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        fb ; sti
        40 ; inc ax
        40 ; inc ax
        f4 ; hlt
      `),
      );
      handle(guest, 0x30);
      guest.vcpu.interrupt(0x30);
      guest.expectOut(0x21, 1, 1);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 2n);
    },
  },
  {
    name: "interrupt() waits for the instruction behind MOV SS",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        8e d3 ; mov ss, bx
        40    ; inc ax
        40    ; inc ax
        f4    ; hlt
      `),
        { regs: { rflags: IF } },
      );
      handle(guest, 0x30);
      assertEquals(guest.vcpu.run({ maxInstructions: 1 }).reason as number, KVM_EXIT_INTR);
      guest.vcpu.interrupt(0x30);
      guest.expectOut(0x21, 1, 1);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 2n);
    },
  },
  {
    name: "interrupt() queues several; each is taken",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_HLT);
      handle(guest, 0x20, 0x21, 0xff);
      guest.vm.write(0x2100, HANDLER.bytes.map((byte) => byte === 0x21 ? 0x22 : byte));
      guest.setVector(0x21, 0x2100);
      for (const vector of [0x20, 0x21]) guest.vcpu.interrupt(vector);
      const ports: number[] = [];
      for (let exit = guest.run(); exit.reason !== KVM_EXIT_HLT; exit = guest.run()) {
        if (exit.reason !== KVM_EXIT_IO) throw new Error(`unexpected exit ${exit.reason}`);
        ports.push(exit.port);
      }
      assertEquals(ports.sort(), [0x21, 0x22]);
    },
  },
  {
    name: "interrupt() takes every vector from 0 to 255, and EINVAL beyond",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      for (const vector of [0, 1, 31, 32, 63, 64, 254, 255]) guest.vcpu.interrupt(vector);
      refuses("EINVAL", () => guest.vcpu.interrupt(256));
      refuses("EINVAL", () => guest.vcpu.interrupt(-1));
    },
  },
  {
    name: "interrupt() shows in the interrupt_bitmap of getSregs()",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.vcpu.interrupt(0x41);
      assertEquals([...guest.vcpu.getSregs().interrupt_bitmap], [0n, 2n, 0n, 0n]);
    },
  },
  {
    name: "interrupt() of two vectors shows both in the interrupt_bitmap",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.vcpu.interrupt(0x20);
      guest.vcpu.interrupt(0xff);
      assertEquals([...guest.vcpu.getSregs().interrupt_bitmap], [1n << 32n, 0n, 0n, 1n << 63n]);
    },
  },
  {
    name: "setSregs() with an interrupt_bitmap queues, and takes back",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rflags: IF } });
      handle(guest, 0x20);
      const sregs = guest.vcpu.getSregs();
      sregs.interrupt_bitmap.set(0, 1n << 0x20n);
      guest.vcpu.setSregs(sregs);
      guest.expectOut(0x21, 1, 0);
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.interrupt(0x20);
      sregs.interrupt_bitmap.set(0, 0n);
      guest.vcpu.setSregs(sregs);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() with request_interrupt_window leaves when the guest sets IF",
    exit: KVM_EXIT_IRQ_WINDOW_OPEN,
    needs: ["prompt", "interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_HLT);
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
      const { kvmRun } = guest.vcpu;
      assertEquals([kvmRun.if_flag, kvmRun.ready_for_interrupt_injection], [1, 1]);
      assertEquals(guest.regs.rip, BigInt(CODE + 2));
      kvmRun.request_interrupt_window = 0;
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() with request_interrupt_window leaves before the first instruction when IF is set",
    exit: KVM_EXIT_IRQ_WINDOW_OPEN,
    needs: ["prompt"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS, { regs: { rflags: IF } });
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
      assertEquals(guest.regs.rip, BigInt(CODE));
    },
  },
  {
    name: "run() with request_interrupt_window halts while IF is clear",
    exit: KVM_EXIT_HLT,
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() with request_interrupt_window takes a queued interrupt first",
    exit: KVM_EXIT_IRQ_WINDOW_OPEN,
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_SPIN);
      handle(guest, 0x20);
      guest.vcpu.interrupt(0x20);
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      guest.expectOut(0x21, 1, 0);
      guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
    },
  },
  {
    name: "run() window, interrupt, window: how a board injects",
    exit: KVM_EXIT_IRQ_WINDOW_OPEN,
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        fb    ; sti
        90    ; nop
        eb fd ; jmp $-1
      `),
      );
      handle(guest, 0x20);
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      for (let n = 0; n < 5; n++) {
        guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
        guest.vcpu.interrupt(0x20);
        guest.expectOut(0x21, 1, 0);
      }
    },
  },
  {
    name: "run() completes pending MMIO before an interrupt",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        8a 07 ; mov al, [bx]
        f4    ; hlt
      `),
        { regs: { rflags: IF } },
      );
      handle(guest, 0x20);
      guest.expect(KVM_EXIT_MMIO).data[0] = 0x77;
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0x77);
      guest.expect(KVM_EXIT_HLT);
    },
  },
];
