import { assert, assertEquals } from "@std/assert";
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IO_OUT,
  type KvmRegs,
  type StructInit,
} from "../../mod.ts";
import { type Case, CODE, code, DATA, Guest, PAGE } from "./harness.ts";

/** A guest that reads a port once: how `answer` arrives in RAX. */
function input(listing: ReturnType<typeof code>, size: number, answer: readonly number[], rax: bigint): Case["run"] {
  return (kvm) => {
    using guest = new Guest(kvm, listing, { regs: { rax: 0x1122334455667788n, rdx: 0x3f8 } });
    guest.expectIn(listing.source.includes("dx") ? 0x3f8 : 0x60, size, answer);
    guest.expect(KVM_EXIT_HLT);
    assertEquals(guest.regs.rax, rax);
  };
}

/** A guest that writes a port once. */
function output(listing: ReturnType<typeof code>, size: number, value: number): Case["run"] {
  return (kvm) => {
    using guest = new Guest(kvm, listing, { regs: { rax: 0x1122334455667788n, rdx: 0x3f8 } });
    guest.expectOut(listing.source.includes("dx") ? 0x3f8 : 0x60, size, value);
    guest.expect(KVM_EXIT_HLT);
    assertEquals(guest.regs.rax, 0x1122334455667788n);
  };
}

/** Runs a string instruction to HLT; gives all items that went out, or hands in `feed` in order. */
function string(guest: Guest, direction: number, size: number, feed: readonly number[] = []): number[] {
  const seen: number[] = [];
  for (let exit = guest.run(); exit.reason !== KVM_EXIT_HLT; exit = guest.run()) {
    assertEquals(exit.reason as number, KVM_EXIT_IO);
    if (exit.reason !== KVM_EXIT_IO) break;
    assertEquals([exit.direction as number, exit.size, exit.port], [direction, size, 0x3f8]);
    assert(exit.count >= 1 && exit.count * size <= PAGE);
    assertEquals(exit.data.length, exit.count * size);
    if (direction === KVM_EXIT_IO_IN) exit.data.set(feed.slice(seen.length, seen.length + exit.data.length));
    seen.push(...exit.data);
  }
  return seen;
}

const REP_OUTSB = code(`
        f3 6e ; rep outsb
        f4    ; hlt
      `);
const REP_OUTSW = code(`
        f3 6f ; rep outsw
        f4    ; hlt
      `);
const REP_INSB = code(`
        f3 6c ; rep insb
        f4    ; hlt
      `);
const REP_INSD = code(`
        f3 66 6d ; rep insd
        f4       ; hlt
      `);
/** RFLAGS with the direction flag. */
const BACKWARD = 0x402n;

function repRegs(regs: StructInit<KvmRegs>): { regs: StructInit<KvmRegs>; data: number } {
  return { regs: { rdx: 0x3f8, ...regs }, data: 4 };
}

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, n) => n * 3 + 1);
}

/** Port input and output. */
export const IO_CASES: readonly Case[] = [
  {
    name: "run() OUT imm8, AL",
    run: output(
      code(`
        e6 60 ; out 0x60, al
        f4    ; hlt
      `),
      1,
      0x88,
    ),
  },
  {
    name: "run() OUT imm8, AX",
    run: output(
      code(`
        e7 60 ; out 0x60, ax
        f4    ; hlt
      `),
      2,
      0x7788,
    ),
  },
  {
    name: "run() OUT imm8, EAX",
    run: output(
      code(`
        66 e7 60 ; out 0x60, eax
        f4       ; hlt
      `),
      4,
      0x55667788,
    ),
  },
  {
    name: "run() OUT DX, AL",
    run: output(
      code(`
        ee ; out dx, al
        f4 ; hlt
      `),
      1,
      0x88,
    ),
  },
  {
    name: "run() OUT DX, AX",
    run: output(
      code(`
        ef ; out dx, ax
        f4 ; hlt
      `),
      2,
      0x7788,
    ),
  },
  {
    name: "run() OUT DX, EAX",
    run: output(
      code(`
        66 ef ; out dx, eax
        f4    ; hlt
      `),
      4,
      0x55667788,
    ),
  },
  {
    name: "run() IN AL, imm8 changes AL alone",
    run: input(
      code(`
        e4 60 ; in al, 0x60
        f4    ; hlt
      `),
      1,
      [0xab],
      0x11223344556677abn,
    ),
  },
  {
    name: "run() IN AX, imm8 changes AX alone",
    run: input(
      code(`
        e5 60 ; in ax, 0x60
        f4    ; hlt
      `),
      2,
      [0xcd, 0xab],
      0x112233445566abcdn,
    ),
  },
  {
    name: "run() IN EAX, imm8 zeroes the upper half of RAX",
    run: input(
      code(`
        66 e5 60 ; in eax, 0x60
        f4       ; hlt
      `),
      4,
      [1, 2, 3, 0xff],
      0xff030201n,
    ),
  },
  {
    name: "run() IN AL, DX changes AL alone",
    run: input(
      code(`
        ec ; in al, dx
        f4 ; hlt
      `),
      1,
      [0xab],
      0x11223344556677abn,
    ),
  },
  {
    name: "run() IN AX, DX changes AX alone",
    run: input(
      code(`
        ed ; in ax, dx
        f4 ; hlt
      `),
      2,
      [0xcd, 0xab],
      0x112233445566abcdn,
    ),
  },
  {
    name: "run() IN EAX, DX zeroes the upper half of RAX",
    run: input(
      code(`
        66 ed ; in eax, dx
        f4    ; hlt
      `),
      4,
      [1, 2, 3, 0xff],
      0xff030201n,
    ),
  },
  {
    name: "run() OUT to ports 0 and 0xffff",
    run: (kvm) => {
      const listing = code(`
        ee ; out dx, al
        4a ; dec dx
        ee ; out dx, al
        f4 ; hlt
      `);
      using guest = new Guest(kvm, listing, { regs: { rax: 1 } });
      guest.expectOut(0, 1, 1);
      guest.expectOut(0xffff, 1, 1);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() at an IN shows the registers before it",
    run: (kvm) => {
      const listing = code(`
        e4 60 ; in al, 0x60
        f4    ; hlt
      `);
      using guest = new Guest(kvm, listing, { regs: { rax: 7 } });
      guest.expectIn(0x60, 1, [9]);
      assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE), 7n]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE) + 3n, 9n]);
    },
  },
  {
    name: "run() at an OUT shows the registers before it",
    needs: ["late-rip"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        e6 60 ; out 0x60, al
        f4    ; hlt
      `),
      );
      guest.expectOut(0x60, 1, 0);
      assertEquals(guest.regs.rip, BigInt(CODE));
    },
  },
  {
    name: "run() keeps the data of an IN unanswered: what is in the page arrives",
    run: (kvm) => {
      const listing = code(`
        e4 60 ; in al, 0x60
        e6 61 ; out 0x61, al
        e4 60 ; in al, 0x60
        e6 61 ; out 0x61, al
        f4    ; hlt
      `);
      using guest = new Guest(kvm, listing);
      guest.expectIn(0x60, 1, [0x12]);
      guest.expectOut(0x61, 1, 0x12);
      guest.expectIn(0x60, 1, [0x34]);
      guest.expectOut(0x61, 1, 0x34);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() OUT leaves the flags alone",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        e6 60 ; out 0x60, al
        f4    ; hlt
      `),
        { regs: { rflags: 0x8d7 } },
      );
      guest.expectOut(0x60, 1, 0);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rflags, 0x8d7n);
    },
  },
  {
    name: "run() OUTSB writes one item and moves SI",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        6e ; outsb
        f4 ; hlt
      `),
        repRegs({ rsi: 5 }),
      );
      guest.vm.write(DATA + 5, Uint8Array.of(0x77));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 1), [0x77]);
      assertEquals(guest.regs.rsi, 6n);
    },
  },
  {
    name: "run() OUTSD writes one item of 4 bytes",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        66 6f ; outsd
        f4    ; hlt
      `),
        repRegs({ rsi: 8 }),
      );
      guest.vm.write(DATA + 8, Uint8Array.of(1, 2, 3, 4));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 4), [1, 2, 3, 4]);
      assertEquals(guest.regs.rsi, 12n);
    },
  },
  {
    name: "run() INSB reads one item and moves DI",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        6c ; insb
        f4 ; hlt
      `),
        repRegs({ rdi: 5 }),
      );
      string(guest, KVM_EXIT_IO_IN, 1, [0x55]);
      assertEquals([guest.vm.read(DATA + 5, 1)[0], guest.regs.rdi], [0x55, 6n]);
    },
  },
  {
    name: "run() INSW reads one item of 2 bytes, backward too",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        6d ; insw
        f4 ; hlt
      `),
        repRegs({ rdi: 6, rflags: BACKWARD }),
      );
      string(guest, KVM_EXIT_IO_IN, 2, [1, 2]);
      assertEquals([[...guest.vm.read(DATA + 6, 2)], guest.regs.rdi], [[1, 2], 4n]);
    },
  },
  {
    name: "run() REP OUTSB gives all bytes in order",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_OUTSB, repRegs({ rcx: 100, rsi: 16 }));
      guest.vm.write(DATA + 16, bytes(100));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 1), [...bytes(100)]);
      assertEquals([guest.regs.rcx, guest.regs.rsi, guest.regs.rip], [0n, 116n, BigInt(CODE) + 3n]);
    },
  },
  {
    name: "run() REP OUTSW gives items across a page",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_OUTSW, repRegs({ rcx: 2500, rsi: 1001 }));
      guest.vm.write(DATA + 1001, bytes(5000));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 2), [...bytes(5000)]);
      assertEquals([guest.regs.rcx, guest.regs.rsi], [0n, 6001n]);
    },
  },
  {
    name: "run() REP OUTSB backward gives the bytes from the last to the first",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_OUTSB, repRegs({ rcx: 20, rsi: 29, rflags: BACKWARD }));
      guest.vm.write(DATA + 10, bytes(20));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 1), [...bytes(20)].reverse());
      assertEquals([guest.regs.rcx, guest.regs.rsi], [0n, 9n]);
    },
  },
  {
    name: "run() REP OUTSW backward keeps the order inside an item",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_OUTSW, repRegs({ rcx: 2, rsi: 12, rflags: BACKWARD }));
      guest.vm.write(DATA + 10, Uint8Array.of(1, 2, 3, 4));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 2), [3, 4, 1, 2]);
    },
  },
  {
    name: "run() REP INSB stores all bytes in order",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_INSB, repRegs({ rcx: 100, rdi: 16 }));
      string(guest, KVM_EXIT_IO_IN, 1, [...bytes(100)]);
      assertEquals(guest.vm.read(DATA + 16, 100), bytes(100));
      assertEquals([guest.regs.rcx, guest.regs.rdi, guest.regs.rip], [0n, 116n, BigInt(CODE) + 3n]);
    },
  },
  {
    name: "run() REP INSD stores items across a page",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_INSD, repRegs({ rcx: 1500, rdi: 4090 }));
      string(guest, KVM_EXIT_IO_IN, 4, [...bytes(6000)]);
      assertEquals(guest.vm.read(DATA + 4090, 6000), bytes(6000));
      assertEquals([guest.regs.rcx, guest.regs.rdi], [0n, 10090n]);
    },
  },
  {
    name: "run() REP INSB backward stores from the last to the first",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_INSB, repRegs({ rcx: 20, rdi: 29, rflags: BACKWARD }));
      string(guest, KVM_EXIT_IO_IN, 1, [...bytes(20)]);
      assertEquals([...guest.vm.read(DATA + 10, 20)], [...bytes(20)].reverse());
      assertEquals([guest.regs.rcx, guest.regs.rdi], [0n, 9n]);
    },
  },
  {
    name: "run() REP OUTSB and REP INSB with CX = 0 do nothing",
    run: (kvm) => {
      for (const listing of [REP_OUTSB, REP_INSB]) {
        using guest = new Guest(kvm, listing, repRegs({ rcx: 0x10000, rsi: 3, rdi: 4 }));
        guest.expect(KVM_EXIT_HLT);
        assertEquals([guest.regs.rcx, guest.regs.rsi, guest.regs.rdi], [0x10000n, 3n, 4n]);
      }
    },
  },
  {
    name: "run() OUTSB takes a segment override",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        2e 6e ; cs outsb
        f4    ; hlt
      `),
        repRegs({ rsi: CODE }),
      );
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 1), [0x2e]);
    },
  },
];
