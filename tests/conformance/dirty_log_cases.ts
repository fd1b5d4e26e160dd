import { assert, assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_MMIO } from "../../mod.ts";
import {
  access,
  change,
  ELSEWHERE,
  LOAD,
  LOG,
  REP_STOSB,
  runLimited,
  second,
  segmentAt,
  STORE,
  STORE_OUT,
  STORE_WORD,
} from "./guests.ts";
import { alias, bits, type Case, code, DATA, Guest, PAGE, refuses, region } from "./harness.ts";

/** KVM_GET_DIRTY_LOG: whoever writes, in whatever way. */
export const DIRTY_LOG_CASES: readonly Case[] = [
  {
    name: "getDirtyLog() gives EINVAL for a slot out of range, ENOENT for one that does not log",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      refuses("EINVAL", () => vm.getDirtyLog(0xffffffff));
      refuses("EINVAL", () => vm.getDirtyLog(-1));
      refuses("ENOENT", () => vm.getDirtyLog(0));
      refuses("ENOENT", () => vm.getDirtyLog(9));
    },
  },
  {
    name: "getDirtyLog() is rounded up to 8 bytes, and empty at first",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE, 1);
      region(vm, 1, 0x100000, 64 * PAGE, 1);
      region(vm, 2, 0x200000, 65 * PAGE, 1);
      assertEquals([0, 1, 2].map((slot) => vm.getDirtyLog(slot).length), [8, 8, 16]);
      assert(vm.getDirtyLog(2).every((byte) => byte === 0));
    },
  },
  {
    name: "getDirtyLog() has the page of a store, once",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 10, flags: LOG });
      access(guest, 3 * PAGE, 1);
      access(guest, 3 * PAGE + 4095, 1);
      access(guest, 9 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [3, 9]);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
  {
    name: "getDirtyLog() has a page again that is written again",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      for (let n = 0; n < 3; n++) {
        access(guest, 2 * PAGE, n);
        assertEquals(bits(guest.vm.getDirtyLog(1)), [2]);
      }
    },
  },
  {
    name: "getDirtyLog() does not have what was only read or executed",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 4, flags: LOG });
      access(guest, PAGE);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
      alias(guest.vm, 0, ELSEWHERE, PAGE, DATA);
      guest.vm.write(DATA, Uint8Array.of(0xf4)); // hlt
      const sregs = guest.vcpu.getSregs();
      Object.assign(sregs.cs, { base: BigInt(ELSEWHERE), selector: ELSEWHERE >> 4 });
      guest.vcpu.setSregs(sregs);
      guest.restart({ rip: 0 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
  {
    name: "getDirtyLog() has both pages of a store across them",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_WORD, { data: 4, flags: LOG });
      access(guest, 2 * PAGE - 1, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2]);
    },
  },
  {
    name: "getDirtyLog() does not have what the host writes",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD, { data: 4, flags: LOG });
      access(guest, 0);
      guest.vm.write(DATA + PAGE, Uint8Array.of(1));
      guest.vm.memory(DATA, PAGE).fill(1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
  {
    name: "getDirtyLog() has the pages of REP STOS",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_STOSB, { data: 8, flags: LOG, regs: { rcx: 2 * PAGE, rdi: 3 * PAGE + 1 } });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [3, 4, 5]);
    },
  },
  {
    name: "getDirtyLog() has the page of INSB",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        6c ; insb
        f4 ; hlt
      `),
        { data: 8, flags: LOG, regs: { rdi: 5 * PAGE, rdx: 0x60 } },
      );
      guest.expectIn(0x60, 1, [1]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [5]);
    },
  },
  {
    name: "getDirtyLog() has the stack's page",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        50       ; push ax
        e8 00 00 ; call next
                 ; next:
        f4       ; hlt
      `),
        {
          data: 8,
          flags: LOG,
          sregs: ({ ss }) => Object.assign(ss, { base: BigInt(DATA), selector: DATA >> 4 }),
          regs: { rsp: 7 * PAGE + 2 },
        },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [6, 7]);
    },
  },
  {
    name: "getDirtyLog() has the page of an interrupt's frame",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        eb fe ; jmp $
      `),
        {
          data: 8,
          flags: LOG,
          sregs: ({ ss }) => Object.assign(ss, { base: BigInt(DATA), selector: DATA >> 4 }),
          regs: { rsp: 5 * PAGE + 8, rflags: 0x202 },
        },
      );
      guest.vm.write(0x2000, Uint8Array.of(0xe6, 0x21)); // out 0x21, al
      guest.setVector(0x20, 0x2000);
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [5]);
    },
  },
  {
    name: "getDirtyLog() has the page of a read-modify-write, and of one that writes the same value",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        80 07 00 ; add byte [bx], 0
        f4       ; hlt
      `),
        { data: 4, flags: LOG, regs: { rbx: 2 * PAGE } },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [2]);
    },
  },
  {
    name: "getDirtyLog() has the page that code writes into itself",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f4 ; hlt
      `),
        { data: 4, flags: LOG },
      );
      guest.vm.write(
        DATA + PAGE,
        code(`
        fe 07 ; inc byte [bx]
        f4    ; hlt
      `).bytes,
      );
      const sregs = guest.vcpu.getSregs();
      Object.assign(sregs.cs, { base: BigInt(DATA), selector: DATA >> 4 });
      guest.vcpu.setSregs(sregs);
      guest.restart({ rip: PAGE, rbx: PAGE + 0x80 });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
    },
  },
  {
    name: "getDirtyLog() has the target's page for a store through an alias",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 8, flags: LOG });
      alias(guest.vm, 0, DATA + 8 * PAGE, 2 * PAGE, DATA + 5 * PAGE);
      access(guest, 9 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [6]);
      access(guest, 6 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [6]);
    },
  },
  {
    name: "getDirtyLog() has nothing of a page that an alias hides",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 8, flags: LOG });
      alias(guest.vm, 0, DATA + 2 * PAGE, PAGE, DATA + 4 * PAGE);
      access(guest, 2 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [4]);
    },
  },
  {
    name: "getDirtyLog() keeps slots apart",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        88 07    ; mov [bx], al
        26 88 07 ; mov [es:bx], al
        f4       ; hlt
      `),
        {
          data: 2,
          flags: LOG,
          regs: { rbx: PAGE },
          sregs: ({ es }) => Object.assign(es, { base: BigInt(ELSEWHERE), selector: ELSEWHERE >> 4 }),
        },
      );
      region(guest.vm, 2, ELSEWHERE, 2 * PAGE, LOG);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
      assertEquals(bits(guest.vm.getDirtyLog(2)), [1]);
    },
  },
  {
    name: "getDirtyLog() of more than 64 pages",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 130, flags: LOG });
      const sregs = guest.vcpu.getSregs();
      Object.assign(sregs.ds, { base: BigInt(DATA + 120 * PAGE), selector: (DATA + 120 * PAGE) >> 4 });
      guest.vcpu.setSregs(sregs);
      access(guest, 9 * PAGE, 1);
      const log = guest.vm.getDirtyLog(1);
      assertEquals([log.length, bits(log)], [24, [129]]);
    },
  },
  {
    name: "setMemoryRegion() switches the log on: what was written before is not in it",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4 });
      access(guest, PAGE, 1);
      refuses("ENOENT", () => guest.vm.getDirtyLog(1));
      region(guest.vm, 1, DATA, 4 * PAGE, LOG);
      access(guest, 2 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [2]);
    },
  },
  {
    name: "setMemoryRegion() switches the log off and on: it starts empty",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      access(guest, PAGE, 1);
      region(guest.vm, 1, DATA, 4 * PAGE);
      refuses("ENOENT", () => guest.vm.getDirtyLog(1));
      access(guest, 2 * PAGE, 1);
      region(guest.vm, 1, DATA, 4 * PAGE, LOG);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
      access(guest, 3 * PAGE, 7);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [3]);
      assertEquals([1, 2, 3].map((n) => guest.vm.memory(DATA + n * PAGE, 1)[0]), [1, 1, 7]);
    },
  },
  {
    name: "setMemoryRegion() moves the log with the slot",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      access(guest, PAGE, 1);
      region(guest.vm, 1, ELSEWHERE, 4 * PAGE, LOG);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
    },
  },
  {
    name: "setMemoryAlias() added and removed keeps the log of its target",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 4, flags: LOG });
      alias(guest.vm, 0, DATA + 4 * PAGE, PAGE, DATA + PAGE);
      access(guest, 4 * PAGE, 1);
      access(guest, 2 * PAGE, 1);
      alias(guest.vm, 0, DATA + 4 * PAGE, 0, 0);
      alias(guest.vm, 1, DATA, PAGE, DATA + 3 * PAGE);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2]);
    },
  },
  {
    name: "getDirtyLog() into memory of the caller's, EFAULT where that is too short",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 65, flags: LOG });
      access(guest, 2 * PAGE, 1);
      refuses("EFAULT", () => guest.vm.getDirtyLog(1, new Uint8Array(15)));
      const bitmap = new Uint8Array(24).fill(0xff);
      assert(guest.vm.getDirtyLog(1, bitmap) === bitmap);
      assertEquals(bits(bitmap.subarray(0, 16)), [2]);
      assertEquals([...bitmap.subarray(16)], new Array(8).fill(0xff));
    },
  },
  {
    name: "getDirtyLog() refused leaves the log",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2, flags: LOG });
      access(guest, PAGE, 1);
      refuses("EFAULT", () => guest.vm.getDirtyLog(1, new Uint8Array(0)));
      refuses("EINVAL", () => guest.vm.getDirtyLog(32));
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
    },
  },
  {
    name: "getDirtyLog() between the rounds of a loop that goes on writing",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_OUT, { data: 8, flags: LOG, regs: { rbx: 0x1000 } });
      for (let n = 0; n < 8; n++) {
        guest.expectOut(0x10, 1, n);
        assertEquals(bits(guest.vm.getDirtyLog(1)), [n]);
      }
    },
  },
  {
    name: "getDirtyLog() cleared has the page again that a hot loop writes for ever",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
                 ; again:
        b9 b8 0b ; mov cx, 3000
                 ; inner:
        ff 07    ; inc word [bx]
        e2 fc    ; loop inner
        e6 10    ; out 0x10, al
        eb f5    ; jmp again
      `),
        { data: 4, flags: LOG, regs: { rbx: 2 * PAGE } },
      );
      for (let n = 0; n < 6; n++) {
        guest.expectOut(0x10, 1, 0);
        assertEquals(bits(guest.vm.getDirtyLog(1)), [2]);
      }
    },
  },
  {
    name: "getDirtyLog() switched on and off under a hot loop",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_OUT, { data: 4, regs: { rdi: 0x1000, rbx: 0 } });
      for (let n = 0; n < 8; n++) {
        guest.expectOut(0x10, 1, n);
        if (n % 2 === 1) assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
        else refuses("ENOENT", () => guest.vm.getDirtyLog(1));
        region(guest.vm, 1, DATA, 4 * PAGE, n % 2 === 0 ? LOG : 0);
      }
    },
  },
  {
    name: "getDirtyLog() has the target of REP MOVS, not its source",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 a5 ; rep movsw
        f4    ; hlt
      `),
        { data: 8, flags: LOG, regs: { rcx: 0x900, rsi: 0x10, rdi: 4 * PAGE } },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [4, 5]);
    },
  },
  {
    name: "getDirtyLog() has the pages of REP STOS backward",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_STOSB, {
        data: 6,
        flags: LOG,
        regs: { rcx: PAGE + 1, rdi: 4 * PAGE - 1, rflags: 0x402 },
      });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [2, 3]);
    },
  },
  {
    name: "getDirtyLog() has the pages of REP INSB",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 6c ; rep insb
        f4    ; hlt
      `),
        { data: 4, flags: LOG, regs: { rcx: 20, rdi: 2 * PAGE - 10, rdx: 0x60 } },
      );
      while (guest.run().reason !== KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2]);
    },
  },
  {
    name: "getDirtyLog() does not have what OUTSB reads",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 6e ; rep outsb
        f4    ; hlt
      `),
        { data: 2, flags: LOG, regs: { rcx: 10, rdx: 0x60 } },
      );
      while (guest.run().reason !== KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), []);
    },
  },
  {
    name: "getDirtyLog() has what an access writes that is partly MMIO",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_WORD, { data: 2, flags: LOG });
      guest.restart({ rbx: 2 * PAGE - 1, rax: 0x1234 });
      assertEquals(guest.expect(KVM_EXIT_MMIO).address, DATA + 2 * PAGE);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
    },
  },
  {
    name: "getDirtyLog() has the page of an access's later half only where that is memory",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_WORD, { data: 2, flags: LOG, regs: { rbx: PAGE - 1, rax: 0x1234 } });
      change(guest, (sregs) => segmentAt(sregs, "ds", DATA - PAGE));
      assertEquals(guest.expect(KVM_EXIT_MMIO).address, DATA - 1);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0]);
      assertEquals(guest.vm.read(DATA, 1)[0], 0x12);
    },
  },
  {
    name: "getDirtyLog() has the pages of PUSHA, CALL FAR and ENTER",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        60             ; pusha
        bc 10 20       ; mov sp, 0x2010
        9a 09 10 00 00 ; call 0:next
                       ; next:
        bc 40 40       ; mov sp, 0x4040
        c8 10 00 00    ; enter 0x10, 0
        f4             ; hlt
      `),
        { data: 6, flags: LOG, regs: { rsp: 0x1010 }, sregs: (sregs) => segmentAt(sregs, "ss", DATA) },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2, 4]);
    },
  },
  {
    name: "getDirtyLog() has the pages of XCHG, LOCK INC, BTS and XADD",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        87 06 00 00       ; xchg [0x0], ax
        f0 ff 06 00 10    ; lock inc word [0x1000]
        0f ba 2e 00 20 03 ; bts word [0x2000], 3
        0f c1 1e 00 40    ; xadd [0x4000], bx
        f4                ; hlt
      `),
        { data: 6, flags: LOG },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [0, 1, 2, 4]);
    },
  },
  {
    name: "getDirtyLog() has the pages of SGDT and of a segment register stored",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        0f 01 06 00 10 ; sgdt [0x1000]
        8c 1e 00 30    ; mov [0x3000], ds
        f4             ; hlt
      `),
        { data: 4, flags: LOG },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 3]);
    },
  },
  {
    name: "getDirtyLog() has the pages of x87 and SSE stores",
    needs: ["fpu"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        dd 36 00 10    ; fnsave [0x1000]
        0f 11 06 f8 2f ; movups [0x2ff8], xmm0
        0f ae 06 00 50 ; fxsave [0x5000]
        f4             ; hlt
      `),
        { data: 8, flags: LOG, sregs: (sregs) => sregs.cr4 |= 0x200n },
      );
      guest.expect(KVM_EXIT_HLT);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2, 3, 5]);
    },
  },
  {
    name: "getDirtyLog() gathers what several processors wrote",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 8, flags: LOG });
      for (let slot = 1; slot < 5; slot++) {
        const vcpu = second(guest, slot, { rbx: slot * PAGE });
        assertEquals(runLimited(vcpu).reason as number, KVM_EXIT_HLT);
      }
      access(guest, 7 * PAGE, 1);
      assertEquals(bits(guest.vm.getDirtyLog(1)), [1, 2, 3, 4, 7]);
    },
  },
  {
    name: "getDirtyLog() cleared has what another processor writes there again",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE, { data: 2, flags: LOG });
      const other = second(guest, 1, { rbx: PAGE });
      const { rip, rflags } = other.getRegs();
      for (let n = 0; n < 3; n++) {
        const regs = other.getRegs();
        Object.assign(regs, { rip, rflags });
        other.setRegs(regs);
        assertEquals(runLimited(other).reason as number, KVM_EXIT_HLT);
        access(guest, PAGE, n);
        assertEquals(bits(guest.vm.getDirtyLog(1)), [1]);
        assertEquals(bits(guest.vm.getDirtyLog(1)), []);
      }
    },
  },
];
