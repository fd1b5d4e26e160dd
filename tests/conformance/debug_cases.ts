import { assertEquals } from "@std/assert";
import { KVM_EXIT_DEBUG, KVM_EXIT_HLT, KVM_EXIT_SHUTDOWN, KvmDebugGuest } from "../../mod.ts";
import { STEPS } from "./guests.ts";
import { type Case, CODE, code, Guest, handle, IF } from "./harness.ts";

/** KVM_DEBUG_GUEST, exceptions, crashes. */
export const DEBUG_CASES: readonly Case[] = [
  {
    name: "run() triple fault is KVM_EXIT_SHUTDOWN",
    needs: ["vector-limit"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        0f 0b ; ud2
      `),
        { sregs: ({ idt }) => idt.limit = 0 },
      );
      guest.expect(KVM_EXIT_SHUTDOWN);
    },
  },
  {
    name: "run() triple fault in protected mode is KVM_EXIT_SHUTDOWN",
    needs: ["exceptions"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        0f 0b ; ud2
      `,
          32,
        ),
        { mode: "protected", sregs: ({ idt }) => idt.limit = 0 },
      );
      guest.expect(KVM_EXIT_SHUTDOWN);
    },
  },
  {
    name: "run() delivers an exception through the real-mode vectors",
    needs: ["exceptions"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        0f 0b ; ud2
      `),
        { regs: { rax: 6 } },
      );
      handle(guest, 6);
      guest.expectOut(0x21, 1, 6);
      assertEquals([...new Uint16Array(guest.vm.read(0xf000 - 6, 2).slice().buffer)], [CODE]);
    },
  },
  {
    name: "run() INT n goes through the real-mode vectors and returns",
    needs: ["soft-int"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        cd 80 ; int 0x80
        f4    ; hlt
      `),
        { regs: { rax: 8, rflags: IF } },
      );
      handle(guest, 0x80);
      guest.expectOut(0x21, 1, 8);
      assertEquals(guest.regs.rflags & 0x200n, 0n);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rflags & 0x200n, 0x200n);
    },
  },
  {
    name: "debugGuest() single step leaves after each instruction, and the guest goes on as ever when disarmed",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rip, guest.regs.rax, guest.regs.rbx], [BigInt(CODE + 1), 1n, 0n]);
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rip, guest.regs.rbx], [BigInt(CODE + 2), 1n]);
      assertEquals(guest.regs.rflags & 0x10100n, 0n);
      guest.vcpu.debugGuest(new KvmDebugGuest());
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 1n);
    },
  },
  {
    name: "debugGuest() single step is hidden from PUSHF",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        9c ; pushf
        58 ; pop ax
        f4 ; hlt
      `),
      );
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
      guest.expect(KVM_EXIT_DEBUG);
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals(guest.regs.rax & 0x100n, 0n);
    },
  },
  {
    name: "debugGuest() breakpoint leaves before its instruction",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address: CODE + 2 }] }));
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rip, guest.regs.rbx, guest.regs.rcx], [BigInt(CODE + 2), 1n, 0n]);
      guest.vcpu.debugGuest(new KvmDebugGuest());
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 1n);
    },
  },
  {
    name: "debugGuest() has four breakpoints; what is not enabled does nothing",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      const listing = code(`
        40 ; inc ax
        40 ; inc ax
        40 ; inc ax
        40 ; inc ax
        40 ; inc ax
        f4 ; hlt
      `);
      for (let n = 0; n < 4; n++) {
        using guest = new Guest(kvm, listing);
        const breakpoints = [0, 1, 2, 3].map((m) => ({ enabled: m === n ? 1 : 0, address: CODE + 1 + m }));
        guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints }));
        guest.expect(KVM_EXIT_DEBUG);
        assertEquals(guest.regs.rip, BigInt(CODE + 1 + n));
      }
      using guest = new Guest(kvm, listing);
      const breakpoints = [{ enabled: 1, address: CODE + 1 }];
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 0, breakpoints, singlestep: 1 }));
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "debugGuest() leaves the guest's own debug registers as they are",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        0f 21 f8 ; mov eax, dr7
        0f 21 f3 ; mov ebx, dr6
        f4       ; hlt
      `),
      );
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address: 0x7000 }] }));
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx], [0x400n, 0xffff0ff0n]);
    },
  },
  {
    name: "debugGuest() breakpoint counts linear addresses",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        ea 05 08 80 00 ; jmp 0x80:0x0805
        40             ; inc ax
        f4             ; hlt
      `),
      );
      const breakpoints = [{ enabled: 1, address: CODE + 6 }];
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints }));
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rip, guest.regs.rax], [0x806n, 1n]);
    },
  },
  {
    name: "debugGuest() single step goes over port I/O",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        e4 10 ; in al, 0x10
        40    ; inc ax
        f4    ; hlt
      `),
      );
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
      guest.expectIn(0x10, 1, [5]);
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE + 2), 5n]);
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals(guest.regs.rax, 6n);
    },
  },
  {
    name: "run() single step of the guest's own is an exception, no KVM_EXIT_DEBUG",
    needs: ["soft-int"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        68 02 01 ; push 0x102
        9d       ; popf
        90       ; nop
        f4       ; hlt
      `),
      );
      handle(guest, 1);
      guest.expectOut(0x21, 1, 0);
      assertEquals([...new Uint16Array(guest.vm.read(0xf000 - 6, 2).slice().buffer)], [CODE + 5]);
    },
  },
  {
    name: "run() fault in a handler chain: INT within INT, and back",
    needs: ["soft-int"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        cd 40 ; int 0x40
        89 c3 ; mov bx, ax
        f4    ; hlt
      `),
      );
      guest.vm.write(0x2000, Uint8Array.of(0xcd, 0x41, 0x40, 0xcf)); // int 0x41; inc ax; iret
      guest.vm.write(0x2100, Uint8Array.of(0xb8, 0x07, 0x00, 0xcf)); // mov ax, 7; iret
      guest.setVector(0x40, 0x2000);
      guest.setVector(0x41, 0x2100);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rbx, guest.regs.rsp], [8n, 0xf000n]);
    },
  },
  {
    name: "run() divide error pushes the address of the division",
    needs: ["exceptions"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        b8 01 00 ; mov ax, 1
        f6 f3    ; div bl
        f4       ; hlt
      `),
      );
      handle(guest, 0);
      guest.expectOut(0x21, 1, 1);
      assertEquals([...new Uint16Array(guest.vm.read(0xf000 - 6, 2).slice().buffer)], [CODE + 3]);
    },
  },
  {
    name: "debugGuest() with breakpoints and single step at once leaves for each",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      const breakpoints = [{ enabled: 1, address: CODE + 2 }];
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints, singlestep: 1 }));
      const seen: bigint[] = [];
      for (let n = 0; n < 3; n++) {
        guest.expect(KVM_EXIT_DEBUG);
        seen.push(guest.regs.rip);
      }
      assertEquals(seen.includes(BigInt(CODE + 1)) && seen.includes(BigInt(CODE + 2)), true);
      guest.vcpu.debugGuest(new KvmDebugGuest());
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx, guest.regs.rcx], [1n, 1n, 1n]);
    },
  },
  {
    name: "getRegs() hides TF and RF while debugGuest() steps",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
      for (let n = 0; n < 3; n++) {
        assertEquals(guest.regs.rflags & 0x10100n, 0n);
        guest.expect(KVM_EXIT_DEBUG);
      }
      assertEquals(guest.regs.rflags & 0x10100n, 0n);
    },
  },
  {
    name: "debugGuest() breakpoint in a loop leaves each time it comes by",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
              ; again:
        40    ; inc ax
        43    ; inc bx
        eb fc ; jmp again
      `),
      );
      const armed = new KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address: CODE + 1 }] });
      for (let n = 1; n < 5; n++) {
        guest.vcpu.debugGuest(armed);
        guest.expect(KVM_EXIT_DEBUG);
        assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE + 1), BigInt(n)]);
        guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
        guest.expect(KVM_EXIT_DEBUG);
        assertEquals(guest.regs.rip, BigInt(CODE + 2));
      }
    },
  },
  {
    name: "debugGuest() breakpoint set in code that has run hot",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
                 ; begin:
        b9 d0 07 ; mov cx, 2000
                 ; again:
        40       ; inc ax
        e2 fd    ; loop again
        e6 10    ; out 0x10, al
        eb f6    ; jmp begin
      `),
      );
      guest.expectOut(0x10, 1, 2000 & 0xff);
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address: CODE + 4 }] }));
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE + 4), 2001n]);
      guest.vcpu.debugGuest(new KvmDebugGuest());
      guest.expectOut(0x10, 1, 4000 & 0xff);
    },
  },
  {
    name: "debugGuest() single step over REP MOVSB comes to its end",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 a4 ; rep movsb
        f4    ; hlt
      `),
        { data: 1, regs: { rcx: 3, rdi: 0x10 } },
      );
      guest.vm.write(0x20000, Uint8Array.of(1, 2, 3));
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
      let steps = 0;
      do {
        guest.expect(KVM_EXIT_DEBUG);
        steps++;
      } while (guest.regs.rip === BigInt(CODE) && steps < 10);
      assertEquals([guest.regs.rcx, guest.regs.rip], [0n, BigInt(CODE + 2)]);
      assertEquals([...guest.vm.read(0x20010, 3)], [1, 2, 3]);
    },
  },
  {
    name: "debugGuest() single step shows each step of a jump",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        eb 01    ; jmp over
        f4       ; hlt
                 ; over:
        e8 01 00 ; call there
        f4       ; hlt
                 ; there:
        c3       ; ret
      `),
      );
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
      for (const rip of [3, 7, 6]) {
        guest.expect(KVM_EXIT_DEBUG);
        assertEquals(guest.regs.rip, BigInt(CODE + rip));
      }
    },
  },
  {
    name: "debugGuest() breakpoint in long mode counts 64 bits",
    exit: KVM_EXIT_DEBUG,
    needs: ["debug", "long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        48 ff c0 ; inc rax
        48 ff c3 ; inc rbx
        f4       ; hlt
      `,
          64,
        ),
        { mode: "long" },
      );
      const far = { enabled: 1, address: 0x1_0000_1003n };
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, breakpoints: [far, { enabled: 1, address: CODE + 6 }] }));
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rip, guest.regs.rbx], [BigInt(CODE + 6), 1n]);
    },
  },
];
