import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_INTR, KVM_EXIT_IO, KVM_EXIT_MMIO, KvmSignalMask } from "../../mod.ts";
import { COUNT, HLT, LOAD, REP_STOSB, SPIN, STEPS } from "./guests.ts";
import { type Case, CODE, code, Guest, PAGE, refuses } from "./harness.ts";

/** Reads a port into AL. */
const IN = code(`
        e4 60 ; in al, 0x60
        f4    ; hlt
      `);

/** Lets all signals end a run of a guest. */
function open(guest: Guest): void {
  guest.vcpu.setSignalMask(new KvmSignalMask(0n));
}

/** KVM_SET_SIGNAL_MASK, KVM_EXIT_INTR, and the budget of a run. */
export const SIGNAL_CASES: readonly Case[] = [
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
    exit: KVM_EXIT_HLT,
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
    needs: ["budget"],
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
    name: "run() interrupted before its first instruction leaves the registers",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS, { regs: { rax: 7 } });
      open(guest);
      const before = guest.regs;
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
      assertEquals(guest.regs.bytes, before.bytes);
    },
  },
  {
    name: "run() is ended by each signal once with KVM_EXIT_INTR",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      open(guest);
      for (const signal of [10, 12, 40, 63]) {
        guest.vcpu.signal(signal);
        guest.expect(KVM_EXIT_INTR);
      }
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 1n);
    },
  },
  {
    name: "run() is ended by several pending signals at once with one KVM_EXIT_INTR",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      open(guest);
      guest.vcpu.signal(10);
      guest.vcpu.signal(12);
      guest.expect(KVM_EXIT_INTR);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "setSignalMask() opened to a signal that waits ends the next run with KVM_EXIT_INTR",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      guest.vcpu.setSignalMask(new KvmSignalMask(1n << 9n | 1n << 11n));
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_HLT);
      guest.restart({ rcx: 0 });
      guest.vcpu.setSignalMask(new KvmSignalMask(1n << 11n));
      guest.expect(KVM_EXIT_INTR);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "setSignalMask() blocks one signal and not another",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      guest.vcpu.setSignalMask(new KvmSignalMask(1n << 9n));
      guest.vcpu.signal(10);
      guest.vcpu.signal(12);
      guest.expect(KVM_EXIT_INTR);
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.setSignalMask(new KvmSignalMask(0n));
      guest.expect(KVM_EXIT_INTR);
    },
  },
  {
    name: "setSignalMask() null: a signal still ends the run with KVM_EXIT_INTR",
    run: (kvm) => {
      using guest = new Guest(kvm, SPIN);
      guest.vcpu.setSignalMask(new KvmSignalMask(1n << 9n));
      guest.vcpu.setSignalMask(null);
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
    },
  },
  {
    name: "setSignalMask() gives EFAULT for a set that is not there",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const bytes = new Uint8Array(8);
      bytes[0] = 8;
      refuses("EFAULT", () => guest.vcpu.setSignalMask(new KvmSignalMask(bytes)));
    },
  },
  {
    name: "signal() gives EINVAL for numbers that are no signals",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      for (const n of [0, 65, -1, 1.5]) refuses("EINVAL", () => guest.vcpu.signal(n));
    },
  },
  {
    name: "run() interrupted behind an IN has completed it: KVM_EXIT_INTR comes with the data in AL",
    run: (kvm) => {
      using guest = new Guest(kvm, IN);
      open(guest);
      guest.expectIn(0x60, 1, [0x5c]);
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x5cn, BigInt(CODE + 2)]);
      guest.vcpu.shared[PAGE] = 0;
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x5cn);
    },
  },
  {
    name: "run() interrupted behind an MMIO read has completed it: KVM_EXIT_INTR comes with the data in AL",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD);
      open(guest);
      guest.expect(KVM_EXIT_MMIO).data[0] = 0x3d;
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x3dn, BigInt(CODE + 2)]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x3dn);
    },
  },
  {
    name: "run() interrupted behind an OUT does not give it again: KVM_EXIT_INTR, then what follows",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        e6 10 ; out 0x10, al
        e6 11 ; out 0x11, al
        f4    ; hlt
      `),
      );
      open(guest);
      guest.expectOut(0x10, 1, 0);
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
      guest.expectOut(0x11, 1, 0);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() of a halted guest is ended by a signal with KVM_EXIT_INTR, and halts on",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      open(guest);
      guest.expect(KVM_EXIT_HLT);
      guest.vcpu.signal(10);
      guest.expect(KVM_EXIT_INTR);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rip, BigInt(CODE + 1));
    },
  },
  {
    name: "run() with maxInstructions 0 ends with KVM_EXIT_INTR before the first instruction",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      for (let n = 0; n < 3; n++) {
        assertEquals(guest.vcpu.run({ maxInstructions: 0 }).reason as number, KVM_EXIT_INTR);
        assertEquals(guest.regs.rip, BigInt(CODE));
      }
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() with maxInstructions that is no number of instructions gives EINVAL",
    run: (kvm) => {
      using guest = new Guest(kvm, STEPS);
      refuses("EINVAL", () => guest.vcpu.run({ maxInstructions: -1 }));
      refuses("EINVAL", () => guest.vcpu.run({ maxInstructions: NaN }));
    },
  },
  {
    name: "run() with maxInstructions 1, again and again, is the same program",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        b9 2c 01 ; mov cx, 300
                 ; again:
        01 c8    ; add ax, cx
        fe 07    ; inc byte [bx]
        e2 fa    ; loop again
        e7 10    ; out 0x10, ax
        f4       ; hlt
      `),
        { data: 1 },
      );
      let exit = guest.vcpu.run({ maxInstructions: 1 });
      let count = 1;
      for (; exit.reason === KVM_EXIT_INTR; count++) exit = guest.vcpu.run({ maxInstructions: 1 });
      assertEquals([exit.reason as number, count], [KVM_EXIT_IO, 1 + 300 * 3 + 1]);
      assertEquals([guest.regs.rax, guest.vm.read(0x20000, 1)[0]], [BigInt(300 * 301 / 2 & 0xffff), 300 & 0xff]);
    },
  },
  {
    name: "run() with maxInstructions ends hot code with KVM_EXIT_INTR after exactly so many",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(kvm, COUNT);
      for (const count of [100_000, 99_999, 1, 12_345]) {
        guest.restart({ rax: 0 });
        assertEquals(guest.vcpu.run({ maxInstructions: count }).reason as number, KVM_EXIT_INTR);
        assertEquals(guest.regs.rax, BigInt(Math.ceil(count / 2) & 0xffff));
      }
    },
  },
  {
    name: "run() with maxInstructions ends REP STOS with KVM_EXIT_INTR in between, which then goes on",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(kvm, REP_STOSB, { data: 8, regs: { rcx: 8 * PAGE - 1, rax: 3 } });
      assertEquals(guest.vcpu.run({ maxInstructions: 2 }).reason as number, KVM_EXIT_INTR);
      const { rcx, rdi, rip } = guest.regs;
      assertEquals([rip, rcx + rdi], [BigInt(CODE), BigInt(8 * PAGE - 1)]);
      assertEquals(rcx > 0n && rdi > 0n, true);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 0n);
    },
  },
];
