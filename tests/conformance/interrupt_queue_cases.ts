import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_IRQ_WINDOW_OPEN, KVM_EXIT_MMIO, KvmRegs } from "../../mod.ts";
import { descriptorTables, HLT, HLT_64, LOAD, runLimited, second, STI_HLT, STI_SPIN } from "./guests.ts";
import { type Case, CODE, code, Guest, handle, IF } from "./harness.ts";

/** Lets each of `vectors` tell itself on port 0x21 and return. */
function tellVectors(guest: Guest, ...vectors: number[]): void {
  vectors.forEach((vector, n) => {
    // mov al, vector; out 0x21, al; iret
    guest.vm.write(0x2000 + n * 8, Uint8Array.of(0xb0, vector, 0xe6, 0x21, 0xcf));
    guest.setVector(vector, 0x2000 + n * 8);
  });
}

/** The queue of interrupts, its bitmap, and the window. */
export const INTERRUPT_QUEUE_CASES: readonly Case[] = [
  {
    name: "interrupt() of several vectors: the lowest is taken first",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_HLT);
      const vectors = [0x20, 0x21, 0x60, 0xfe];
      tellVectors(guest, ...vectors);
      for (const vector of [0x60, 0xfe, 0x21, 0x20]) guest.vcpu.interrupt(vector);
      for (const vector of vectors) guest.expectOut(0x21, 1, vector);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "interrupt() twice of one vector is taken once",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_HLT);
      tellVectors(guest, 0x20);
      guest.vcpu.interrupt(0x20);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0x20);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "interrupt() of every vector fills the interrupt_bitmap of getSregs()",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      for (let vector = 0; vector < 256; vector++) guest.vcpu.interrupt(vector);
      assertEquals([...guest.vcpu.getSregs().interrupt_bitmap], new Array(4).fill(0xffffffffffffffffn));
    },
  },
  {
    name: "interrupt() taken is gone from the interrupt_bitmap of getSregs()",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_HLT);
      tellVectors(guest, 0x20, 0x21);
      guest.vcpu.interrupt(0x21);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0x20);
      assertEquals([...guest.vcpu.getSregs().interrupt_bitmap], [1n << 0x21n, 0n, 0n, 0n]);
      guest.expectOut(0x21, 1, 0x21);
      assertEquals([...guest.vcpu.getSregs().interrupt_bitmap], [0n, 0n, 0n, 0n]);
    },
  },
  {
    name: "setSregs() with the interrupt_bitmap of another vCPU moves what is queued there",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_HLT);
      tellVectors(guest, 0x20, 0xf0);
      guest.vcpu.interrupt(0x20);
      guest.vcpu.interrupt(0xf0);
      const other = second(guest, 1);
      for (const vector of [0x20, 0xf0]) {
        const exit = runLimited(other);
        assertEquals(exit.reason as number, KVM_EXIT_IO);
        assertEquals(other.getRegs().rax & 0xffn, BigInt(vector));
      }
      assertEquals(runLimited(other).reason as number, KVM_EXIT_HLT);
    },
  },
  {
    name: "run() of a halted guest with IF clear leaves what interrupt() queued",
    exit: KVM_EXIT_HLT,
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.interrupt(0x33);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([...guest.vcpu.getSregs().interrupt_bitmap], [1n << 0x33n, 0n, 0n, 0n]);
      assertEquals(guest.regs.rip, BigInt(CODE + 1));
    },
  },
  {
    name: "run() tells if_flag at KVM_EXIT_IO and at KVM_EXIT_MMIO",
    run: (kvm) => {
      for (const [rflags, flag] of [[2, 0], [IF, 1]] as const) {
        using guest = new Guest(
          kvm,
          code(`
        e6 10 ; out 0x10, al
        8a 07 ; mov al, [bx]
        f4    ; hlt
      `),
          { regs: { rflags } },
        );
        guest.expectOut(0x10, 1, 0);
        assertEquals(guest.vcpu.kvmRun.if_flag, flag);
        guest.expect(KVM_EXIT_MMIO);
        assertEquals(guest.vcpu.kvmRun.if_flag, flag);
      }
    },
  },
  {
    name: "run() is not ready_for_interrupt_injection while one is queued",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.vcpu.interrupt(0x20);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vcpu.kvmRun.ready_for_interrupt_injection, 0);
    },
  },
  {
    name: "interrupt() during a handler waits for its IRET",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_SPIN);
      tellVectors(guest, 0x20, 0x21);
      guest.vcpu.interrupt(0x21);
      guest.expectOut(0x21, 1, 0x21);
      guest.vcpu.interrupt(0x20);
      assertEquals(guest.vcpu.kvmRun.if_flag, 0);
      guest.expectOut(0x21, 1, 0x20);
      assertEquals(guest.regs.rsp, 0xf000n - 6n);
    },
  },
  {
    name: "interrupt() is taken when POPF sets IF",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        68 02 02 ; push 0x202
        9d       ; popf
        eb fe    ; jmp $
      `),
      );
      tellVectors(guest, 0x44);
      guest.vcpu.interrupt(0x44);
      guest.expectOut(0x21, 1, 0x44);
    },
  },
  {
    name: "interrupt() is taken when IRET sets IF",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        68 02 02 ; push 0x202
        6a 00    ; push 0
        68 09 10 ; push next
        cf       ; iret
                 ; next:
        eb fe    ; jmp $
      `),
      );
      tellVectors(guest, 0x45);
      guest.vcpu.interrupt(0x45);
      guest.expectOut(0x21, 1, 0x45);
    },
  },
  {
    name: "interrupt() is not taken between STI and CLI",
    needs: ["prompt", "interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        fb ; sti
        fa ; cli
        40 ; inc ax
        f4 ; hlt
      `),
      );
      tellVectors(guest, 0x20);
      guest.vcpu.interrupt(0x20);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 1n);
    },
  },
  {
    name: "interrupt() with STI before HLT wakes from it",
    exit: KVM_EXIT_HLT,
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        fb    ; sti
        f4    ; hlt
        e6 11 ; out 0x11, al
        eb fe ; jmp $
      `),
      );
      tellVectors(guest, 0x20);
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0x20);
      guest.expectOut(0x11, 1, 0x20);
    },
  },
  {
    name: "interrupt() goes through a gate of the IDT in protected mode",
    needs: ["interrupts", "exceptions"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { mode: "protected", regs: { rflags: IF, rax: 8 } });
      descriptorTables(guest, 32, 0x20);
      guest.vm.write(0x2000, Uint8Array.of(0xe6, 0x21, 0xf4)); // out 0x21, al; hlt
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 8);
      assertEquals([guest.regs.rsp, guest.vcpu.kvmRun.if_flag], [0xf000n - 12n, 0]);
    },
  },
  {
    name: "interrupt() goes through a gate of the IDT in long mode",
    needs: ["interrupts", "long", "user64"],
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long", regs: { rflags: IF, rax: 8 } });
      descriptorTables(guest, 64, 0x20);
      guest.vm.write(0x2000, Uint8Array.of(0xe6, 0x21, 0xf4)); // out 0x21, al; hlt
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 8);
      assertEquals(guest.regs.rsp, 0xf000n - 40n);
    },
  },
  {
    name: "run() of a halted guest with IF and request_interrupt_window is KVM_EXIT_IRQ_WINDOW_OPEN",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT, { regs: { rflags: IF } });
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
      assertEquals(guest.regs.rip, BigInt(CODE + 1));
      guest.vcpu.kvmRun.request_interrupt_window = 0;
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() with request_interrupt_window gives KVM_EXIT_IRQ_WINDOW_OPEN again until it is taken back",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, STI_SPIN);
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      for (let n = 0; n < 3; n++) guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
    },
  },
  {
    name: "run() with request_interrupt_window does not come before pending MMIO is complete",
    exit: KVM_EXIT_IRQ_WINDOW_OPEN,
    needs: ["prompt", "interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { regs: { rflags: IF } });
      guest.vcpu.kvmRun.request_interrupt_window = 0;
      guest.expect(KVM_EXIT_MMIO).data[0] = 0x2f;
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
      assertEquals(guest.regs.rax, 0x2fn);
    },
  },
  {
    name: "setRegs() with IF set opens the window for KVM_EXIT_IRQ_WINDOW_OPEN",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      guest.vcpu.kvmRun.request_interrupt_window = 1;
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.setRegs(new KvmRegs({ rip: CODE + 1, rsp: 0xf000, rflags: IF }));
      guest.expect(KVM_EXIT_IRQ_WINDOW_OPEN);
    },
  },
  {
    name: "interrupt() in the middle of REP MOVSB, which then goes on",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 a4 ; rep movsb
        f4    ; hlt
      `),
        { data: 8, regs: { rflags: IF, rcx: 0x6000, rsi: 0, rdi: 0x1000 } },
      );
      handle(guest, 0x20);
      guest.vcpu.run({ maxInstructions: 1 });
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0);
      assertEquals(guest.regs.rcx > 0n && guest.regs.rcx < 0x6000n, true);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rcx, guest.regs.rsi], [0n, 0x6000n]);
    },
  },
];
