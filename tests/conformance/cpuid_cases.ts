import { assert, assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KvmCpuid, KvmRegs } from "../../mod.ts";
import { second } from "./guests.ts";
import { type Case, CODE, code, Guest, refuses } from "./harness.ts";

const CPUID = code(`
        0f a2 ; cpuid
        f4    ; hlt
      `);

/** The CPUID leaf as the guest sees it. */
function cpuid(guest: Guest, leaf: number, subleaf: number = 0): number[] {
  guest.vcpu.setRegs(new KvmRegs({ rip: CODE, rflags: 2, rsp: 0xf000, rax: leaf, rcx: subleaf }));
  guest.expect(KVM_EXIT_HLT);
  const { rax_lo, rbx_lo, rcx_lo, rdx_lo } = guest.regs;
  return [rax_lo, rbx_lo, rcx_lo, rdx_lo];
}

/** Leaves with EBX telling which one it is. */
function leaves(...functions: number[]): KvmCpuid {
  return new KvmCpuid(functions.map((leaf) => ({ function: leaf, eax: leaf, ebx: leaf + 0x100 & 0xffff })));
}

/** KVM_SET_CPUID and its lookup rule. */
export const CPUID_CASES: readonly Case[] = [
  {
    name: "setCpuid() is what the guest's CPUID answers",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid([
          { function: 0, eax: 1, ebx: 0x11111111, ecx: 0x22222222, edx: 0x33333333 },
          { function: 1, eax: 0x600, ebx: 0, ecx: 0, edx: 0x8001 },
          { function: 0x80000000, eax: 0x80000001 },
          { function: 0x80000001, eax: 5, ebx: 6, ecx: 0, edx: 0x20000000 },
        ]),
      );
      assertEquals(cpuid(guest, 0), [1, 0x11111111, 0x22222222, 0x33333333]);
      assertEquals(cpuid(guest, 0x80000000)[0], 0x80000001);
      assertEquals(cpuid(guest, 0x80000001).slice(0, 2), [5, 6]);
    },
  },
  {
    name: "setCpuid() answers a missing basic leaf with the highest basic one",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid([
          { function: 0, eax: 2, ebx: 1, ecx: 2, edx: 3 },
          { function: 2, eax: 0x44, ebx: 0x55, ecx: 0x66, edx: 0x77 },
          { function: 0x80000000, eax: 0x80000000 },
        ]),
      );
      assertEquals(cpuid(guest, 5), [0x44, 0x55, 0x66, 0x77]);
    },
  },
  {
    name: "setCpuid() answers a missing extended leaf with the highest extended one",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid([
          { function: 0, eax: 0, ebx: 1, ecx: 2, edx: 3 },
          { function: 0x80000000, eax: 0x80000002, ebx: 0x12 },
          { function: 0x80000002, eax: 0x41, ebx: 0x42, ecx: 0x43, edx: 0x44 },
        ]),
      );
      assertEquals(cpuid(guest, 0x80000005), [0x41, 0x42, 0x43, 0x44]);
    },
  },
  {
    name: "setCpuid() takes 100 entries, E2BIG above",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(
        new KvmCpuid(Array.from({ length: 100 }, (_, n) => ({ function: n, eax: n === 0 ? 99 : n }))),
      );
      assertEquals([cpuid(guest, 0)[0], cpuid(guest, 99)[0]], [99, 99]);
      refuses("E2BIG", () => guest.vcpu.setCpuid(new KvmCpuid(101)));
    },
  },
  {
    name: "setCpuid() replaces what was set before",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      for (const ebx of [5, 6]) {
        guest.vcpu.setCpuid(new KvmCpuid([{ function: 0, eax: 0, ebx }]));
      }
      assertEquals(cpuid(guest, 0)[1], 6);
    },
  },
  {
    name: "setCpuid() never called leaves the engine's own leaves",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      const [most, ebx, ecx, edx] = cpuid(guest, 0);
      assert(most >= 1 && (ebx | ecx | edx) !== 0);
      assert(cpuid(guest, 1)[3] & 1, "no FPU");
    },
  },
  {
    name: "setCpuid() replaces the engine's own leaves wholly",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0));
      assertEquals(cpuid(guest, 5), [0, 0x100, 0, 0]);
    },
  },
  {
    name: "setCpuid() without leaves answers zeros",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(new KvmCpuid(0));
      assertEquals([cpuid(guest, 0), cpuid(guest, 0x80000000)], [[0, 0, 0, 0], [0, 0, 0, 0]]);
    },
  },
  {
    name: "setCpuid() with one half only answers zeros for the other",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 5));
      assertEquals(cpuid(guest, 0x80000000), [0, 0, 0, 0]);
      assertEquals(cpuid(guest, 0x80000001), [0, 0, 0, 0]);
    },
  },
  {
    name: "setCpuid() answers a gap between leaves with the highest, not the next",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 2, 4, 9));
      assertEquals(cpuid(guest, 3)[1], 0x109);
      assertEquals(cpuid(guest, 4)[1], 0x104);
    },
  },
  {
    name: "setCpuid() leaves may stand in any order",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(9, 0x80000004, 0, 0x80000000, 4));
      assertEquals([cpuid(guest, 0)[1], cpuid(guest, 4)[1], cpuid(guest, 8)[1]], [0x100, 0x104, 0x109]);
      assertEquals([cpuid(guest, 0x80000000)[1], cpuid(guest, 0x80000002)[1]], [0x100, 0x104]);
    },
  },
  {
    name: "setCpuid() knows no third half: leaf 0x40000000 is a basic one",
    needs: ["far-leaves"],
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 3));
      assertEquals(cpuid(guest, 0x40000000)[1], 0x103);
      guest.vcpu.setCpuid(leaves(0, 3));
      assertEquals(cpuid(guest, 0xc0000000), [0, 0, 0, 0]);
    },
  },
  {
    name: "setCpuid() answers leaves far beyond with the highest of their half",
    needs: ["far-leaves"],
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 6, 0x80000000, 0x80000002));
      assertEquals([cpuid(guest, 0x100)[1], cpuid(guest, 0x7fffffff)[1]], [0x106, 0x106]);
      assertEquals([cpuid(guest, 0x80000100)[1], cpuid(guest, 0xffffffff)[1]], [0x102, 0x102]);
    },
  },
  {
    name: "setCpuid() has nothing merged in by the host",
    needs: ["own-leaves"],
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 1, 7, 13));
      assertEquals([cpuid(guest, 1), cpuid(guest, 7), cpuid(guest, 13)], [
        [1, 0x101, 0, 0],
        [7, 0x107, 0, 0],
        [13, 0x10d, 0, 0],
      ]);
    },
  },
  {
    name: "setCpuid() of a leaf given twice: the first counts",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(new KvmCpuid([{ function: 0, eax: 4 }, { function: 4, ebx: 1 }, { function: 4, ebx: 2 }]));
      assertEquals(cpuid(guest, 4)[1], 1);
    },
  },
  {
    name: "setCpuid() leaves have no subleaves: ECX does not count",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 2));
      for (const subleaf of [0, 1, 77]) assertEquals(cpuid(guest, 2, subleaf)[1], 0x102);
    },
  },
  {
    name: "setCpuid() gives EFAULT for fewer entries than it says, and changes nothing",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 1));
      const list = leaves(0, 6);
      list.nent = 3;
      refuses("EFAULT", () => guest.vcpu.setCpuid(list));
      assertEquals(cpuid(guest, 9)[1], 0x101);
    },
  },
  {
    name: "setCpuid() E2BIG changes nothing",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      guest.vcpu.setCpuid(leaves(0, 2));
      refuses("E2BIG", () => guest.vcpu.setCpuid(new KvmCpuid(200)));
      assertEquals(cpuid(guest, 9)[1], 0x102);
    },
  },
  {
    name: "setCpuid() CPUID zeroes the upper halves of its four registers in long mode",
    needs: ["long"],
    run: (kvm) => {
      const all = 0xffffffffffffffffn;
      using guest = new Guest(
        kvm,
        code(
          `
        b8 00 00 00 00 ; mov eax, 0
        0f a2          ; cpuid
        f4             ; hlt
      `,
          64,
        ),
        { mode: "long", regs: { rax: all, rbx: all, rcx: all, rdx: all } },
      );
      guest.vcpu.setCpuid(new KvmCpuid([{ function: 0, eax: 1, ebx: 2, ecx: 0xf0000003, edx: 4 }]));
      guest.expect(KVM_EXIT_HLT);
      const { rax, rbx, rcx, rdx } = guest.regs;
      assertEquals([rax, rbx, rcx, rdx], [1n, 2n, 0xf0000003n, 4n]);
    },
  },
  {
    name: "setCpuid() differs from vCPU to vCPU",
    run: (kvm) => {
      using guest = new Guest(kvm, CPUID);
      const other = second(guest, 1);
      guest.vcpu.setCpuid(leaves(0, 1));
      other.setCpuid(leaves(0, 2));
      assertEquals(cpuid(guest, 9)[1], 0x101);
      assertEquals(other.run().reason as number, KVM_EXIT_HLT);
      assertEquals(other.getRegs().rbx, 0x100n);
    },
  },
];
