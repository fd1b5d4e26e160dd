import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_MMIO } from "../../mod.ts";
import { LOAD_DWORD, userGuest } from "./guests.ts";
import { type Case, CODE, code, DATA, Guest, LOW_MEMORY, PAGE } from "./harness.ts";

/** Expects a write of `bytes` at `address`. */
function expectWrite(guest: Guest, address: number, bytes: readonly number[]): void {
  const exit = guest.expect(KVM_EXIT_MMIO);
  assertEquals([exit.is_write, exit.address, exit.phys_addr], [true, address, BigInt(address)]);
  assertEquals([...exit.data], [...bytes]);
}

/** Expects a read at `address` and answers it. */
function expectRead(guest: Guest, address: number, answer: readonly number[]): void {
  const exit = guest.expect(KVM_EXIT_MMIO);
  assertEquals([exit.is_write, exit.address, exit.len], [false, address, answer.length]);
  exit.data.set(answer);
}

const STORE_DWORD = code(`
        66 89 07 ; mov [bx], eax
        f4       ; hlt
      `);

/** Accesses to addresses without memory. DS and ES begin at DATA, where these guests have none unless they say so. */
export const MMIO_CASES: readonly Case[] = [
  {
    name: "run() MMIO read of 1 byte changes AL alone",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        8a 07 ; mov al, [bx]
        f4    ; hlt
      `),
        { regs: { rax: 0x11223344n, rbx: 0x123 } },
      );
      expectRead(guest, DATA + 0x123, [0xab]);
      assertEquals(guest.regs.rip, BigInt(CODE));
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x112233abn);
    },
  },
  {
    name: "run() MMIO read of 2 bytes",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        8b 07 ; mov ax, [bx]
        f4    ; hlt
      `),
        { regs: { rax: 0x11223344n, rbx: 0x10 } },
      );
      expectRead(guest, DATA + 0x10, [1, 2]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x11220201n);
    },
  },
  {
    name: "run() MMIO read of 4 bytes",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD, { regs: { rbx: 0x10 } });
      expectRead(guest, DATA + 0x10, [1, 2, 3, 4]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x04030201n);
    },
  },
  {
    name: "run() MMIO writes of 1, 2 and 4 bytes",
    run: (kvm) => {
      const listing = code(`
        88 07       ; mov [bx], al
        89 47 01    ; mov [bx+1], ax
        66 89 47 03 ; mov [bx+3], eax
        f4          ; hlt
      `);
      using guest = new Guest(kvm, listing, { regs: { rax: 0x44332211n, rbx: 0x20 } });
      expectWrite(guest, DATA + 0x20, [0x11]);
      expectWrite(guest, DATA + 0x21, [0x11, 0x22]);
      expectWrite(guest, DATA + 0x23, [0x11, 0x22, 0x33, 0x44]);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() MMIO write of an immediate",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        c7 06 44 00 ef be ; mov word [0x44], 0xbeef
        f4                ; hlt
      `),
      );
      expectWrite(guest, DATA + 0x44, [0xef, 0xbe]);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() MOVZX and MOVSX from MMIO widen",
    run: (kvm) => {
      const listing = code(`
        0f b6 07    ; movzx ax, byte [bx]
        66 0f bf 0f ; movsx ecx, word [bx]
        f4          ; hlt
      `);
      using guest = new Guest(kvm, listing, { regs: { rax: 0xffffn } });
      expectRead(guest, DATA, [0x80]);
      expectRead(guest, DATA, [0x00, 0x80]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rcx], [0x80n, 0xffff8000n]);
    },
  },
  {
    name: "run() read-modify-write of MMIO is a read, then a write",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        fe 07 ; inc byte [bx]
        f4    ; hlt
      `),
      );
      expectRead(guest, DATA, [0x41]);
      expectWrite(guest, DATA, [0x42]);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() ADD to MMIO sets the flags",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        01 07 ; add word [bx], ax
        f4    ; hlt
      `),
        { regs: { rax: 1 } },
      );
      expectRead(guest, DATA, [0xff, 0xff]);
      expectWrite(guest, DATA, [0, 0]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rflags & 0x41n, 0x41n);
    },
  },
  {
    name: "run() CMP with MMIO only reads",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        80 3f 05 ; cmp byte [bx], 5
        f4       ; hlt
      `),
      );
      expectRead(guest, DATA, [5]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rflags & 0x40n, 0x40n);
    },
  },
  {
    name: "run() XCHG with MMIO is a read, then a write",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        86 07 ; xchg [bx], al
        f4    ; hlt
      `),
        { regs: { rax: 7 } },
      );
      expectRead(guest, DATA, [9]);
      expectWrite(guest, DATA, [7]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 9n);
    },
  },
  {
    name: "run() 4-byte MMIO read across a page is two exits, in address order",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD, { regs: { rbx: PAGE - 1 } });
      expectRead(guest, DATA + PAGE - 1, [1]);
      expectRead(guest, DATA + PAGE, [2, 3, 4]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x04030201n);
    },
  },
  {
    name: "run() 4-byte MMIO write across a page is two exits, in address order",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_DWORD, { regs: { rax: 0x04030201n, rbx: PAGE - 2 } });
      expectWrite(guest, DATA + PAGE - 2, [1, 2]);
      expectWrite(guest, DATA + PAGE, [3, 4]);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() read across the end of memory takes the rest from MMIO",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD, { regs: { rbx: PAGE - 3 }, data: 1 });
      guest.vm.write(DATA + PAGE - 3, Uint8Array.of(1, 2, 3));
      expectRead(guest, DATA + PAGE, [4]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x04030201n);
    },
  },
  {
    name: "run() write across the end of memory writes memory and one exit",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_DWORD, { regs: { rax: 0x04030201n, rbx: PAGE - 1 }, data: 1 });
      expectWrite(guest, DATA + PAGE, [2, 3, 4]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.vm.read(DATA + PAGE - 1, 1)[0], 1);
    },
  },
  {
    name: "run() unaligned MMIO inside a page is one exit",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD, { regs: { rbx: 0x101 } });
      expectRead(guest, DATA + 0x101, [5, 6, 7, 8]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x08070605n);
    },
  },
  {
    name: "run() MOVSW from MMIO to MMIO is a read and a write",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        a5 ; movsw
        f4 ; hlt
      `),
        { regs: { rsi: 0x10, rdi: 0x20 } },
      );
      expectRead(guest, DATA + 0x10, [1, 2]);
      expectWrite(guest, DATA + 0x20, [1, 2]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rsi, guest.regs.rdi], [0x12n, 0x22n]);
    },
  },
  {
    name: "run() REP STOSB to MMIO writes each byte, and CX counts down",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 aa ; rep stosb
        f4    ; hlt
      `),
        { regs: { rax: 6, rcx: 5, rdi: 2 } },
      );
      for (let n = 0; n < 5; n++) expectWrite(guest, DATA + 2 + n, [6]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rcx, guest.regs.rdi], [0n, 7n]);
    },
  },
  {
    name: "run() REP MOVSB from MMIO into memory",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        f3 a4 ; rep movsb
        f4    ; hlt
      `),
        { regs: { rcx: 4, rsi: PAGE, rdi: 0 }, data: 1 },
      );
      for (let n = 0; n < 4; n++) expectRead(guest, DATA + PAGE + n, [n + 1]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([...guest.vm.read(DATA, 4)], [1, 2, 3, 4]);
    },
  },
  {
    name: "run() LODSB and SCASB read MMIO",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        ac ; lodsb
        ae ; scasb
        f4 ; hlt
      `),
      );
      expectRead(guest, DATA, [3]);
      expectRead(guest, DATA, [3]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rflags & 0x40n], [3n, 0x40n]);
    },
  },
  {
    name: "run() PUSH and POP of an MMIO operand",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        ff 37    ; push word [bx]
        8f 47 02 ; pop word [bx+2]
        f4       ; hlt
      `),
      );
      expectRead(guest, DATA, [1, 2]);
      expectWrite(guest, DATA + 2, [1, 2]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rsp, 0xf000n);
    },
  },
  {
    name: "run() MMIO above 4 GiB shows the whole address",
    needs: ["long"],
    run: (kvm) => {
      const listing = code(
        `
        48 89 03 ; mov [rbx], rax
        48 8b 0b ; mov rcx, [rbx]
        f4       ; hlt
      `,
        64,
      );
      using guest = new Guest(kvm, listing, { mode: "long", regs: { rax: 0x0807060504030201n, rbx: 0x40000010 } });
      // The second gigabyte of linear addresses is 7 GiB further up.
      guest.vm.write(0x9008, new Uint8Array(BigUint64Array.of(0xb003n).buffer));
      guest.vm.write(0xb000, new Uint8Array(BigUint64Array.of(0x200000083n).buffer));
      expectWrite(guest, 0x200000010, [1, 2, 3, 4, 5, 6, 7, 8]);
      expectRead(guest, 0x200000010, [8, 7, 6, 5, 4, 3, 2, 1]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rcx, 0x0102030405060708n);
    },
  },
  {
    name: "run() 16-byte MMIO arrives as two exits of 8, in address order",
    needs: ["fpu"],
    run: (kvm) => {
      const listing = code(`
        0f 10 07    ; movups xmm0, [bx]
        0f 11 47 10 ; movups [bx+16], xmm0
        f4          ; hlt
      `);
      using guest = new Guest(kvm, listing, { sregs: (sregs) => sregs.cr4 |= 0x200n });
      expectRead(guest, DATA, [1, 2, 3, 4, 5, 6, 7, 8]);
      expectRead(guest, DATA + 8, [9, 10, 11, 12, 13, 14, 15, 16]);
      expectWrite(guest, DATA + 16, [1, 2, 3, 4, 5, 6, 7, 8]);
      expectWrite(guest, DATA + 24, [9, 10, 11, 12, 13, 14, 15, 16]);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() MMIO in flat protected mode",
    run: (kvm) => {
      const listing = code(
        `
        a1 20 00 e0 fe ; mov eax, [0xfee00020]
        a3 00 00 c0 fe ; mov [0xfec00000], eax
        f4             ; hlt
      `,
        32,
      );
      using guest = new Guest(kvm, listing, { mode: "protected" });
      expectRead(guest, 0xfee00020, [1, 2, 3, 4]);
      expectWrite(guest, 0xfec00000, [1, 2, 3, 4]);
      guest.expect(KVM_EXIT_HLT);
    },
  },
  {
    name: "run() right behind the last slot is MMIO, the last byte of it is not",
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(`
        8a 07    ; mov al, [bx]
        8a 67 01 ; mov ah, [bx+1]
        f4       ; hlt
      `),
        {
          sregs: ({ ds }) => Object.assign(ds, { base: BigInt(LOW_MEMORY - PAGE), selector: 0xf00 }),
          regs: { rbx: PAGE - 1 },
        },
      );
      guest.vm.write(LOW_MEMORY - 1, Uint8Array.of(0x5a));
      expectRead(guest, LOW_MEMORY, [0xa5]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0xa55an);
    },
  },
  {
    name: "run() 8-byte MMIO in long mode is one exit",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        48 8b 03    ; mov rax, [rbx]
        48 89 43 08 ; mov [rbx+8], rax
        f4          ; hlt
      `,
          64,
        ),
        { mode: "long", regs: { rbx: 0x20000000 } },
      );
      expectRead(guest, 0x20000000, [1, 2, 3, 4, 5, 6, 7, 8]);
      expectWrite(guest, 0x20000008, [1, 2, 3, 4, 5, 6, 7, 8]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x0807060504030201n);
    },
  },
  {
    name: "run() 8-byte MMIO across a page is two exits",
    needs: ["long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        48 8b 03 ; mov rax, [rbx]
        f4       ; hlt
      `,
          64,
        ),
        { mode: "long", regs: { rbx: 0x20000ffb } },
      );
      expectRead(guest, 0x20000ffb, [1, 2, 3, 4, 5]);
      expectRead(guest, 0x20001000, [6, 7, 8]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x0807060504030201n);
    },
  },
  {
    name: "run() MMIO in user mode",
    needs: ["user64"],
    run: (kvm) => {
      using guest = userGuest(
        kvm,
        code(
          `
        8a 03 ; mov al, [rbx]
        e6 10 ; out 0x10, al
        90    ; nop
      `,
          64,
        ),
        { regs: { rbx: 0x20000000 } },
      );
      expectRead(guest, 0x20000000, [0x6d]);
      guest.expectOut(0x10, 1, 0x6d);
    },
  },
  {
    name: "run() MMIO write shows data of its length and no more",
    run: (kvm) => {
      using guest = new Guest(kvm, STORE_DWORD, { regs: { rax: 0xaabbccdd } });
      const exit = guest.expect(KVM_EXIT_MMIO);
      assertEquals([exit.len, exit.data.length], [4, 4]);
      assertEquals([guest.vcpu.kvmRun.mmio.len, guest.vcpu.kvmRun.mmio.is_write], [4, 1]);
    },
  },
  {
    name: "run() MMIO read whose answer is the next run's registers: data is taken when it runs on",
    run: (kvm) => {
      using guest = new Guest(kvm, LOAD_DWORD);
      const exit = guest.expect(KVM_EXIT_MMIO);
      exit.data.set([1, 1, 1, 1]);
      assertEquals(guest.regs.rax, 0n);
      exit.data.set([2, 2, 2, 2]);
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0x02020202n);
    },
  },
];
