import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_HYPERCALL, type KvmRegs, type StructInit } from "../../mod.ts";
import { change } from "./guests.ts";
import { type Case, CODE, code, Guest } from "./harness.ts";

const VMCALL_32 = code(
  `
        0f 01 c1 ; vmcall
        f4       ; hlt
      `,
  32,
);
const VMMCALL_32 = code(
  `
        0f 01 d9 ; vmmcall
        f4       ; hlt
      `,
  32,
);
const VMCALL_64 = code(
  `
        0f 01 c1 ; vmcall
        f4       ; hlt
      `,
  64,
);

/** Registers with something in their upper halves too. */
const WIDE: StructInit<KvmRegs> = {
  rax: 0xa00000001n,
  rbx: 0xb00000002n,
  rcx: 0xc00000003n,
  rdx: 0xd00000004n,
  rsi: 0xe00000005n,
  rdi: 0xf00000006n,
  rbp: 0x900000007n,
  r8: 0x800000008n,
  r9: 0x700000009n,
};

/** VMCALL and VMMCALL. */
export const HYPERCALL_CASES: readonly Case[] = [
  {
    name: "run() VMCALL is KVM_EXIT_HYPERCALL, and ret goes to RAX",
    needs: ["hypercall"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        0f 01 c1 ; vmcall
        f4       ; hlt
      `,
          32,
        ),
        {
          mode: "protected",
          regs: { rax: 1, rbx: 0x99, rcx: 2, rdx: 3, rsi: 4, rdi: 5, rbp: 6 },
        },
      );
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([exit.longmode, [...exit.args]], [false, [1n, 2n, 3n, 4n, 5n, 6n]]);
      exit.ret = 0x1234n;
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rip], [0x1234n, BigInt(CODE + 4)]);
    },
  },
  {
    name: "run() VMMCALL in long mode is KVM_EXIT_HYPERCALL",
    needs: ["hypercall", "long"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        0f 01 d9 ; vmmcall
        f4       ; hlt
      `,
          64,
        ),
        {
          mode: "long",
          regs: { rax: 0x99, rdi: 1, rsi: 2, rdx: 3, rcx: 4, r8: 5, r9: 6 },
        },
      );
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([exit.longmode, [...exit.args]], [true, [1n, 2n, 3n, 4n, 5n, 6n]]);
      exit.ret = 0xffffffffffffffffn;
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 0xffffffffffffffffn);
    },
  },
  {
    name: "run() VMMCALL in protected mode is KVM_EXIT_HYPERCALL too",
    needs: ["hypercall"],
    run: (kvm) => {
      using guest = new Guest(kvm, VMMCALL_32, { mode: "protected", regs: { rax: 1, rcx: 2, rdx: 3, rsi: 4, rdi: 5 } });
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([exit.longmode, [...exit.args]], [false, [1n, 2n, 3n, 4n, 5n, 0n]]);
    },
  },
  {
    name: "run() VMCALL in long mode is KVM_EXIT_HYPERCALL with 64-bit arguments",
    needs: ["hypercall", "long"],
    run: (kvm) => {
      using guest = new Guest(kvm, VMCALL_64, { mode: "long", regs: WIDE });
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([exit.longmode, [...exit.args]], [true, [
        0xf00000006n,
        0xe00000005n,
        0xd00000004n,
        0xc00000003n,
        0x800000008n,
        0x700000009n,
      ]]);
    },
  },
  {
    name: "run() KVM_EXIT_HYPERCALL in 32-bit form has 32-bit arguments",
    needs: ["hypercall"],
    run: (kvm) => {
      using guest = new Guest(kvm, VMCALL_32, { mode: "protected", regs: WIDE });
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([...exit.args], [1n, 3n, 4n, 5n, 6n, 7n]);
      assertEquals(guest.regs.rbx, 0xb00000002n);
    },
  },
  {
    name: "run() KVM_EXIT_HYPERCALL in compatibility mode has the 32-bit form",
    needs: ["hypercall", "long"],
    run: (kvm) => {
      using guest = new Guest(kvm, VMCALL_32, {
        mode: "long",
        regs: { rax: 1, rcx: 2, rdx: 3, rsi: 4, rdi: 5, rbp: 6 },
      });
      change(guest, ({ cs }) => Object.assign(cs, { l: 0, db: 1 }));
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([exit.longmode, [...exit.args]], [false, [1n, 2n, 3n, 4n, 5n, 6n]]);
      exit.ret = 9n;
      guest.expect(KVM_EXIT_HLT);
      assertEquals(guest.regs.rax, 9n);
    },
  },
  {
    name: "run() KVM_EXIT_HYPERCALL leaves all registers but RAX",
    needs: ["hypercall", "long"],
    run: (kvm) => {
      using guest = new Guest(kvm, VMCALL_64, { mode: "long", regs: WIDE });
      const before = guest.regs;
      guest.expect(KVM_EXIT_HYPERCALL).ret = 77n;
      guest.expect(KVM_EXIT_HLT);
      const after = guest.regs;
      assertEquals(after.rip, BigInt(CODE + 4));
      Object.assign(after, { rax: before.rax, rip: before.rip });
      assertEquals(after.bytes, before.bytes);
    },
  },
  {
    name: "run() KVM_EXIT_HYPERCALL twice: each takes the answer that it got",
    needs: ["hypercall"],
    run: (kvm) => {
      using guest = new Guest(
        kvm,
        code(
          `
        0f 01 c1 ; vmcall
        89 c6    ; mov esi, eax
        0f 01 c1 ; vmcall
        f4       ; hlt
      `,
          32,
        ),
        { mode: "protected" },
      );
      guest.expect(KVM_EXIT_HYPERCALL).ret = 5n;
      const exit = guest.expect(KVM_EXIT_HYPERCALL);
      assertEquals([...exit.args].slice(0, 4), [5n, 0n, 0n, 5n]);
      exit.ret = 6n;
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rsi, guest.regs.rax], [5n, 6n]);
    },
  },
];
