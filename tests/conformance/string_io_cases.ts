import { assert, assertEquals } from "@std/assert";
import {
  KVM_EXIT_HLT,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_MMIO,
  type KvmRegs,
  type StructInit,
} from "../../mod.ts";
import { segmentAt } from "./guests.ts";
import { type Case, CODE, code, DATA, Guest, PAGE } from "./harness.ts";

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

/** INS and OUTS, with REP. */
export const STRING_IO_CASES: readonly Case[] = [
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
  {
    name: "run() REP OUTSB batches never go over a page of memory",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_OUTSB, repRegs({ rcx: 3 * PAGE, rsi: 100 }));
      const sent = bytes(3 * PAGE);
      guest.vm.write(DATA + 100, sent);
      let at = 100;
      for (let exit = guest.run(); exit.reason === KVM_EXIT_IO; exit = guest.run()) {
        assertEquals(exit.data, sent.subarray(at - 100, at - 100 + exit.count));
        assertEquals(Math.floor(at / PAGE), Math.floor((at + exit.count - 1) / PAGE));
        at += exit.count;
      }
      assertEquals(at, 100 + 3 * PAGE);
    },
  },
  {
    name: "run() REP INSB at its exit shows the registers before the batch",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_INSB, repRegs({ rcx: 10, rdi: 0x20 }));
      const exit = guest.expect(KVM_EXIT_IO);
      assertEquals([guest.regs.rip, guest.regs.rcx, guest.regs.rdi], [BigInt(CODE), 10n, 0x20n]);
      exit.data.fill(5);
      while (guest.run().reason !== KVM_EXIT_HLT);
      assertEquals([guest.regs.rcx, guest.regs.rdi], [0n, 0x2an]);
    },
  },
  {
    name: "run() REP OUTSB with 32-bit addresses counts in ECX",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        f3 6e ; rep outsb
        f4    ; hlt
      `,
          32,
        ),
        { mode: "protected", data: 1, regs: { rdx: 0x3f8, rcx: 5, rsi: DATA } },
      );
      guest.vm.write(DATA, bytes(5));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 1), [...bytes(5)]);
      assertEquals([guest.regs.rcx, guest.regs.rsi], [0n, BigInt(DATA + 5)]);
    },
  },
  {
    name: "run() REP INSD in long mode stores at RDI",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        f3 6d ; rep insd
        f4    ; hlt
      `,
          64,
        ),
        { mode: "long", data: 1, regs: { rdx: 0x3f8, rcx: 3, rdi: DATA + 8 } },
      );
      string(guest, KVM_EXIT_IO_IN, 4, [...bytes(12)]);
      assertEquals(guest.vm.read(DATA + 8, 12), bytes(12));
      assertEquals(guest.regs.rdi, BigInt(DATA + 20));
    },
  },
  {
    name: "run() REP OUTSB with SI that wraps at 64 KiB",
    run: (kvm) => {
      using guest = new Guest(kvm, REP_OUTSB, { ...repRegs({ rcx: 4, rsi: 0xfffe }), data: 16 });
      guest.vm.write(DATA + 0xfffe, Uint8Array.of(1, 2));
      guest.vm.write(DATA, Uint8Array.of(3, 4));
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 1), [1, 2, 3, 4]);
      assertEquals(guest.regs.rsi, 2n);
    },
  },
  {
    name: "run() INSW across a page stores both halves",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        6d ; insw
        f4 ; hlt
      `),
        repRegs({ rdi: PAGE - 1 }),
      );
      string(guest, KVM_EXIT_IO_IN, 2, [0x12, 0x34]);
      assertEquals([...guest.vm.read(DATA + PAGE - 1, 2)], [0x12, 0x34]);
    },
  },
  {
    name: "run() OUTSB in a loop with REP-less INSB moves a string by way of the host",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
              ; again:
        6e    ; outsb
        6c    ; insb
        e2 fc ; loop again
        f4    ; hlt
      `),
        repRegs({ rcx: 8, rsi: 0, rdi: 0x100 }),
      );
      guest.vm.write(DATA, bytes(8));
      for (let n = 0; n < 8; n++) {
        const out = guest.expect(KVM_EXIT_IO);
        assertEquals([out.direction as number, out.data[0]], [KVM_EXIT_IO_OUT, bytes(8)[n]]);
        const value = out.data[0];
        const input = guest.expect(KVM_EXIT_IO);
        assertEquals(input.direction as number, KVM_EXIT_IO_IN);
        input.data[0] = value + 1;
      }
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vm.read(DATA + 0x100, 8), bytes(8).map((byte) => byte + 1));
    },
  },
  {
    name: "run() REP OUTSB interrupted between its batches goes on",
    needs: ["budget"],
    run: (kvm) => {
      using guest = new Guest(kvm, REP_OUTSB, repRegs({ rcx: 2 * PAGE }));
      guest.vm.write(DATA, bytes(2 * PAGE));
      const seen: number[] = [];
      for (;;) {
        const exit = guest.vcpu.run({ maxInstructions: 1 });
        if (exit.reason === KVM_EXIT_HLT) break;
        if (exit.reason === KVM_EXIT_IO) seen.push(...exit.data);
        else assertEquals(exit.reason as number, KVM_EXIT_INTR);
      }
      assertEquals(seen, [...bytes(2 * PAGE)]);
    },
  },
  {
    name: "run() OUTSB reads memory that is MMIO first",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        6e ; outsb
        f4 ; hlt
      `),
        { regs: { rdx: 0x3f8, rsi: 3 }, sregs: (sregs) => segmentAt(sregs, "ds", 0xa0000) },
      );
      const read = guest.expect(KVM_EXIT_MMIO);
      assertEquals([read.address, read.is_write], [0xa0003, false]);
      read.data[0] = 0x6b;
      assertEquals(string(guest, KVM_EXIT_IO_OUT, 1), [0x6b]);
    },
  },
];
