import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_SHUTDOWN } from "../../mod.ts";
import { change, OUT_64, userGuest, userMode } from "./guests.ts";
import { type Case, CODE, code, Guest } from "./harness.ts";

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

/** IN and OUT. */
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
    name: "run() OUT and IN in flat protected mode",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        ef    ; out dx, eax
        66 ed ; in ax, dx
        e4 60 ; in al, 0x60
        f4    ; hlt
      `,
          32,
        ),
        { mode: "protected", regs: { rax: 0x11223344n, rdx: 0x3f8 } },
      );
      guest.expectOut(0x3f8, 4, 0x11223344);
      guest.expectIn(0x3f8, 2, [0x66, 0x55]);
      guest.expectIn(0x60, 1, [0x77]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x11225577n);
    },
  },
  {
    name: "run() OUT and IN in long mode",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        66 ef ; out dx, ax
        ed    ; in eax, dx
        f4    ; hlt
      `,
          64,
        ),
        { mode: "long", regs: { rax: 0x8877665544332211n, rdx: 0x1_0000_03f8n } },
      );
      guest.expectOut(0x3f8, 2, 0x2211);
      guest.expectIn(0x3f8, 4, [1, 0, 0, 0x80]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x80000001n);
    },
  },
  {
    name: "run() OUT in user mode with IOPL 3",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(kvm, OUT_64, { regs: { rax: 0x42 } });
      guest.expectOut(0x10, 1, 0x42);
    },
  },
  {
    name: "run() OUT in user mode with IOPL 0 is a fault: without an IDT it is KVM_EXIT_SHUTDOWN",
    needs: ["user64"],
    run: (kvm) => {
      using guest = new Guest(kvm, OUT_64, { mode: "long" });
      userMode(guest, false);
      change(guest, ({ idt, tr }) => {
        idt.limit = 0;
        tr.limit = 0x40;
      });
      guest.expect(KVM_EXIT_SHUTDOWN);
    },
  },
  {
    name: "run() 2000 exits in a row keep count",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
              ; again:
        40    ; inc ax
        e7 10 ; out 0x10, ax
        e5 12 ; in ax, 0x12
        eb f9 ; jmp again
      `),
      );
      for (let n = 0; n < 1000; n++) {
        const out = guest.expect(KVM_EXIT_IO);
        assertEquals(out.data[0] | out.data[1] << 8, n + 1);
        const input = guest.expect(KVM_EXIT_IO);
        input.data[0] = n + 1;
        input.data[1] = n + 1 >> 8;
      }
    },
  },
];
