import { assertEquals } from "@std/assert";
import {
  KVM_EXIT_DEBUG,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_HLT,
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  KVM_EXIT_MMIO,
  KvmDebugGuest,
  type KvmRegs,
  KvmSignalMask,
  type StructInit,
} from "../../mod.ts";
import { change, LOAD_DWORD, second, userGuest } from "./guests.ts";
import { type Case, CODE, code, DATA, Guest, handle, IF, type Listing, PAGE } from "./harness.ts";

const IN_AL = code(`
        e4 60 ; in al, 0x60
        f4    ; hlt
        f4    ; hlt
        90    ; nop
        f4    ; hlt
      `);
const IN_AX = code(`
        e5 60 ; in ax, 0x60
        f4    ; hlt
      `);
const IN_EAX = code(`
        66 e5 60 ; in eax, 0x60
        f4       ; hlt
      `);
const IN_64 = code(
  `
        e4 60 ; in al, 0x60
        e6 10 ; out 0x10, al
        90    ; nop
      `,
  64,
);
const INSB = code(`
        6c ; insb
        f4 ; hlt
      `);
const REP_INSB = code(`
        f3 6c ; rep insb
        f4    ; hlt
      `);
const LOAD_HLT = code(`
        8a 07 ; mov al, [bx]
        f4    ; hlt
        f4    ; hlt
      `);
const ADD = code(`
        66 03 07 ; add eax, [bx]
        f4       ; hlt
      `);
const NOT = code(`
        f6 17 ; not byte [bx]
        f4    ; hlt
      `);

/** Registers as they are now, with changes. */
function setChanged(guest: Guest, changes: StructInit<KvmRegs>): void {
  guest.vcpu.setRegs(Object.assign(guest.regs, changes));
}

/** Expects a read of memory that is none, and answers it. */
function expectRead(guest: Guest, answer: readonly number[]): void {
  const exit = guest.expect(KVM_EXIT_MMIO);
  assertEquals([exit.is_write, exit.len], [false, answer.length]);
  exit.data.set(answer);
}

/** A port that is read once: RAX when `answer` came to registers in which RAX had been set to `set`. */
function input(listing: Listing, answer: readonly number[], set: bigint, rax: bigint): Case["run"] {
  return (kvm) => {
    using guest = new Guest(kvm, listing, { regs: { rax: 0x1122334455667788n } });
    guest.expectIn(0x60, answer.length, answer);
    setChanged(guest, { rax: set, rbx: 0xb0bn });
    guest.expect(KVM_EXIT_HLT);
    assertEquals([guest.regs.rax, guest.regs.rbx], [rax, 0xb0bn]);
  };
}

/** What the host program does between an access that awaits its answer and the run that completes it. */
export const PENDING_ACCESS_CASES: readonly Case[] = [
  {
    name: "setRegs() with the same registers at an IN leaves its data to arrive",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL, { regs: { rax: 0x1122 } });
      guest.expectIn(0x60, 1, [0x5a]);
      guest.vcpu.setRegs(guest.regs);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x115an, BigInt(CODE + 3)]);
    },
  },
  {
    name: "setRegs() at an IN of 1 byte: run() overwrites AL alone",
    run: input(IN_AL, [0xab], 0x0102030405060708n, 0x01020304050607abn),
  },
  {
    name: "setRegs() at an IN of 2 bytes: run() overwrites AX alone",
    run: input(IN_AX, [0xcd, 0xab], 0x0102030405060708n, 0x010203040506abcdn),
  },
  {
    name: "setRegs() at an IN of 4 bytes: run() overwrites RAX",
    run: input(IN_EAX, [1, 2, 3, 4], 0x0102030405060708n, 0x04030201n),
  },
  {
    name: "setRegs() at an IN whose data is what AL was: it arrives all the same",
    run: input(IN_AL, [0x88], 0x0102030405060708n, 0x0102030405060788n),
  },
  {
    name: "setRegs() at an IN before its data is given: it is taken at run()",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      const exit = guest.expect(KVM_EXIT_IO);
      setChanged(guest, { rbx: 1n });
      exit.data[0] = 0x5a;
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx], [0x5an, 1n]);
    },
  },
  {
    name: "setRegs() at an IN is what getRegs() gives, and the last one counts",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      guest.expectIn(0x60, 1, [0x5a]);
      for (const rbx of [1n, 2n, 3n]) {
        setChanged(guest, { rbx, r15: rbx << 60n, rflags: 0x246n });
        const { r15, rip, rflags } = guest.regs;
        assertEquals([guest.regs.rbx, r15, rip, rflags], [rbx, rbx << 60n, BigInt(CODE), 0x246n]);
      }
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx, guest.regs.rflags], [0x5an, 3n, 0x246n]);
    },
  },
  {
    name: "setRegs() without bit 1 of RFLAGS at an IN sets it",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rflags: 1n });
      assertEquals(guest.regs.rflags, 3n);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rflags], [0x5an, 3n]);
    },
  },
  {
    name: "setRegs() at an IN in a loop: each run() takes its own answer",
    run: (kvm) => {
      const listing = code(`
        e4 60 ; in al, 0x60
        00 c3 ; add bl, al
        eb fa ; jmp $-4
      `);
      using guest = new Guest(kvm, listing);
      for (let n = 0; n < 5; n++) {
        guest.expectIn(0x60, 1, [n]);
        setChanged(guest, { rcx: BigInt(n) });
      }
      guest.expect(KVM_EXIT_IO);
      assertEquals([guest.regs.rbx, guest.regs.rcx], [10n, 4n]);
    },
  },
  {
    name: "setRegs() at an IN in long mode leaves its data to arrive",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(kvm, IN_64, { mode: "long" });
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rax: 0xff00n, r9: 9n });
      guest.expectOut(0x10, 1, 0x5a);
      assertEquals([guest.regs.rax, guest.regs.r9], [0xff5an, 9n]);
    },
  },
  {
    name: "setRegs() at an IN in user mode leaves its data to arrive",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(kvm, IN_64);
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rax: 0xff00n, r9: 9n });
      guest.expectOut(0x10, 1, 0x5a);
      assertEquals([guest.regs.rax, guest.regs.r9], [0xff5an, 9n]);
    },
  },
  {
    name: "setRegs() to another RIP at an IN gives it up",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL, { regs: { rax: 0x1122 } });
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rip: BigInt(CODE + 4), rcx: 7n });
      const { rip, rcx } = guest.regs;
      assertEquals([rip, rcx], [BigInt(CODE + 4), 7n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rcx, guest.regs.rip], [0x1122n, 7n, BigInt(CODE + 6)]);
    },
  },
  {
    name: "setRegs() to another RIP at an IN leaves kvm_run as it was",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      guest.expectIn(0x60, 1, [0x5a]);
      const before = guest.vcpu.shared.slice();
      setChanged(guest, { rip: BigInt(CODE + 4) });
      assertEquals(guest.vcpu.shared, before);
    },
  },
  {
    name: "setRegs() to another RIP where there is an IN too: it is one of its own",
    run: (kvm) => {
      const listing = code(`
        e4 60 ; in al, 0x60
        e4 61 ; in al, 0x61
        f4    ; hlt
      `);
      using guest = new Guest(kvm, listing);
      guest.expectIn(0x60, 1, [1]);
      setChanged(guest, { rip: BigInt(CODE + 2), rax: 0xff00n });
      guest.expectIn(0x61, 1, [2]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0xff02n);
    },
  },
  {
    name: "setSregs() and setRegs() with the same state at an IN leave its data to arrive",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      guest.expectIn(0x60, 1, [0x5a]);
      const { regs } = guest;
      guest.vcpu.setSregs(guest.vcpu.getSregs());
      guest.vcpu.setRegs(regs);
      guest.vcpu.setSregs(guest.vcpu.getSregs());
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x5an);
    },
  },
  {
    name: "setFpu() and debugGuest() at an IN leave its data to arrive",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      guest.expectIn(0x60, 1, [0x5a]);
      guest.vcpu.setFpu(guest.vcpu.getFpu());
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 0 }));
      setChanged(guest, { rbx: 1n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx], [0x5an, 1n]);
    },
  },
  {
    name: "setRegs() at an INSB leaves its byte to be stored and DI to move",
    run: (kvm) => {
      using guest = new Guest(kvm, INSB, { data: 1, regs: { rdx: 0x60, rdi: 0x20, rax: 0x77 } });
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rbx: 1n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rdi, guest.regs.rax, guest.regs.rbx], [0x21n, 0x77n, 1n]);
      assertEquals([...guest.vm.read(DATA + 0x20, 2)], [0x5a, 0]);
    },
  },
  {
    name: "setRegs() at each batch of REP INSB leaves all bytes to be stored",
    run: (kvm) => {
      const count = 3000;
      using guest = new Guest(kvm, REP_INSB, { data: 3, regs: { rdx: 0x60, rdi: PAGE - 1000, rcx: count } });
      let next = 0, batches = 0;
      for (let exit = guest.run(); exit.reason === KVM_EXIT_IO; exit = guest.run()) {
        for (let n = 0; n < exit.count; n++) exit.data[n] = next++ * 7;
        setChanged(guest, { rbx: BigInt(++batches) });
      }
      assertEquals(next, count);
      assertEquals([guest.regs.rcx, guest.regs.rdi, guest.regs.rbx], [0n, BigInt(PAGE + 2000), BigInt(batches)]);
      assertEquals(guest.vm.read(DATA + PAGE - 1000, count), Uint8Array.from({ length: count }, (_, n) => n * 7));
    },
  },
  {
    name: "setRegs() at an IN, then KVM_EXIT_INTR: the data has arrived",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      guest.vcpu.setSignalMask(new KvmSignalMask(0n));
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rbx: 1n });
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
      assertEquals([guest.regs.rax, guest.regs.rbx, guest.regs.rip], [0x5an, 1n, BigInt(CODE + 2)]);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "setRegs() at an IN, then interrupt(): the data has arrived before the handler runs",
    needs: ["interrupts"],
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      handle(guest, 0x20);
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rflags: BigInt(IF) });
      guest.vcpu.interrupt(0x20);
      guest.expectOut(0x21, 1, 0x5a);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "setRegs() at an IN while single-stepping: KVM_EXIT_DEBUG comes behind it, with the data",
    needs: ["debug"],
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      guest.vcpu.debugGuest(new KvmDebugGuest({ enabled: 1, singlestep: 1 }));
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rbx: 1n });
      guest.expect(KVM_EXIT_DEBUG);
      assertEquals([guest.regs.rax, guest.regs.rbx, guest.regs.rip], [0x5an, 1n, BigInt(CODE + 2)]);
    },
  },
  {
    name: "setRegs() and an impossible state at an IN: KVM_EXIT_FAIL_ENTRY, and the data has arrived",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      const good = guest.vcpu.getSregs();
      guest.expectIn(0x60, 1, [0x5a]);
      setChanged(guest, { rbx: 1n });
      change(guest, (sregs) => sregs.cr0 = 0x80000010n);
      guest.expect(KVM_EXIT_FAIL_ENTRY);
      guest.vcpu.setSregs(good);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx], [0x5an, 1n]);
    },
  },
  {
    name: "setRegs() at an IN of each of two processors: each takes its own data",
    run: (kvm) => {
      using guest = new Guest(kvm, IN_AL);
      using other = second(guest, 1);
      guest.expectIn(0x60, 1, [0x5a]);
      const exit = other.run();
      if (exit.reason !== KVM_EXIT_IO) throw new Error(`exit ${exit.reason}`);
      exit.data[0] = 0xa5;
      setChanged(guest, { rbx: 1n });
      other.setRegs(Object.assign(other.getRegs(), { rbx: 2n }));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(other.run().reason as number, KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx], [0x5an, 1n]);
      assertEquals([other.getRegs().rax, other.getRegs().rbx], [0xa5n, 2n]);
    },
  },
  {
    name: "setRegs() at an OUT leaves it done: run() goes on behind it",
    run: (kvm) => {
      const listing = code(`
        e6 60 ; out 0x60, al
        f4    ; hlt
      `);
      using guest = new Guest(kvm, listing, { regs: { rax: 0x11 } });
      guest.expectOut(0x60, 1, 0x11);
      setChanged(guest, { rax: 0x22n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x22n, BigInt(CODE + 3)]);
    },
  },
  {
    name: "setRegs() at an MMIO read of 1 byte: run() overwrites AL alone",
    exit: KVM_EXIT_MMIO,
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_HLT, { regs: { rax: 0x1122, rbx: 0x10 } });
      expectRead(guest, [0x5a]);
      setChanged(guest, { rax: 0x7733n, rdx: 1n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rdx], [0x775an, 1n]);
    },
  },
  {
    name: "setRegs() at an MMIO read of 4 bytes: run() overwrites EAX",
    exit: KVM_EXIT_MMIO,
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD, { regs: { rax: 0x11223344 } });
      expectRead(guest, [1, 2, 3, 4]);
      setChanged(guest, { rax: 0x55667788n, rdx: 1n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rdx], [0x04030201n, 1n]);
    },
  },
  {
    name: "setRegs() at an MMIO read in long mode: run() overwrites the register that it goes to",
    exit: KVM_EXIT_MMIO,
    needs: ["long"],
    run: (kvm) => {
      const listing = code(
        `
        4c 8b 03 ; mov r8, [rbx]
        f4       ; hlt
      `,
        64,
      );
      using guest = new Guest(kvm, listing, { mode: "long", regs: { rbx: 0x200000 } });
      expectRead(guest, [1, 2, 3, 4, 5, 6, 7, 8]);
      setChanged(guest, { r8: 0xffn, r9: 9n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.r8, guest.regs.r9], [0x0807060504030201n, 9n]);
    },
  },
  {
    name: "setRegs() at an ADD that reads MMIO: run() sets the register and the flags",
    exit: KVM_EXIT_MMIO,
    run: (kvm) => {
      using guest = new Guest(kvm, ADD, { regs: { rax: 0xfffffffe } });
      expectRead(guest, [2, 0, 0, 0]);
      setChanged(guest, { rdx: 1n });
      guest.expect(KVM_EXIT_HLT);
      const { rax, rdx, rflags } = guest.regs;
      assertEquals([rax, rdx, rflags], [0n, 1n, 0x57n]); // CF, PF, AF, ZF
    },
  },
  {
    name: "setRegs() at the read of a read-modify-write of MMIO leaves it to be written",
    exit: KVM_EXIT_MMIO,
    run: (kvm) => {
      using guest = new Guest(kvm, NOT);
      expectRead(guest, [0x0f]);
      setChanged(guest, { rdx: 1n });
      const exit = guest.expect(KVM_EXIT_MMIO);
      assertEquals([exit.is_write, exit.readUint()], [true, 0xf0]);
      setChanged(guest, { rcx: 0n, rsi: 2n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rdx, guest.regs.rsi, guest.regs.rip], [1n, 2n, BigInt(CODE + 3)]);
    },
  },
  {
    name: "setRegs() at each half of an MMIO read across a page: run() puts both together",
    exit: KVM_EXIT_MMIO,
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD, { regs: { rbx: PAGE - 1 } });
      expectRead(guest, [1]);
      setChanged(guest, { rdx: 1n });
      expectRead(guest, [2, 3, 4]);
      setChanged(guest, { rsi: 2n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rdx, guest.regs.rsi], [0x04030201n, 1n, 2n]);
    },
  },
  {
    name: "setRegs() to another RIP at an MMIO read gives it up",
    exit: KVM_EXIT_MMIO,
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_HLT, { regs: { rax: 0x1122 } });
      expectRead(guest, [0x5a]);
      setChanged(guest, { rip: BigInt(CODE + 3) });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x1122n, BigInt(CODE + 4)]);
    },
  },
  {
    name: "setSregs() with another CS at an MMIO read gives it up",
    exit: KVM_EXIT_MMIO,
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_HLT, { regs: { rax: 0x1122 } });
      guest.vm.write(0x2000 + CODE, Uint8Array.of(0xf4)); // hlt
      expectRead(guest, [0x5a]);
      change(guest, ({ cs }) => Object.assign(cs, { base: 0x2000n, selector: 0x200 }));
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x1122n, BigInt(CODE + 1)]);
    },
  },
  {
    name: "setRegs() at KVM_EXIT_HYPERCALL: run() overwrites RAX with ret",
    exit: KVM_EXIT_HYPERCALL,
    needs: ["hypercall"],
    run: (kvm) => {
      const listing = code(
        `
        0f 01 c1 ; vmcall
        f4       ; hlt
      `,
        32,
      );
      using guest = new Guest(kvm, listing, { mode: "protected" });
      guest.expect(KVM_EXIT_HYPERCALL).ret = 42n;
      setChanged(guest, { rax: 7n, rbx: 8n });
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rbx], [42n, 8n]);
    },
  },
];
