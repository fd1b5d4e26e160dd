import { assert, assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KvmMsrList, KvmMsrs } from "../../mod.ts";
import { HLT, HLT_64, second } from "./guests.ts";
import { type Case, code, Guest, refuses } from "./harness.ts";

const RDMSR = code(`
        0f 32 ; rdmsr
        f4    ; hlt
      `);
const WRMSR = code(`
        0f 30 ; wrmsr
        f4    ; hlt
      `);

/** IA32_TSC, which goes on by itself, and what moves with it. */
const TIME: readonly number[] = [0x10, 0x3b];
const EFER = 0xc0000080;
const STAR = 0xc0000081;
const LSTAR = 0xc0000082;
const FS_BASE = 0xc0000100;
const GS_BASE = 0xc0000101;
const KERNEL_GS_BASE = 0xc0000102;

/** The value of one MSR. */
function msr(guest: Guest, index: number): bigint {
  const msrs = new KvmMsrs([{ index }]);
  assertEquals(guest.vcpu.getMsrs(msrs), 1);
  return msrs.entries[0].data;
}

/** KVM_GET_MSR_INDEX_LIST, KVM_GET_MSRS and KVM_SET_MSRS. */
export const MSR_CASES: readonly Case[] = [
  {
    name: "getMsrIndexList() has what a save needs, and no number twice",
    run: (kvm) => {
      const { indices } = kvm.getMsrIndexList();
      for (const msr of [0x10, 0x174, 0x175, 0x176, 0xc0000081]) assert(indices.includes(msr), msr.toString(16));
      assertEquals(new Set(indices).size, indices.length);
    },
  },
  {
    name: "getMsrIndexList() gives E2BIG and the count for too little room",
    run: (kvm) => {
      const all = kvm.getMsrIndexList();
      const list = new KvmMsrList(all.nmsrs - 1);
      refuses("E2BIG", () => kvm.getMsrIndexList(list));
      assertEquals(list.nmsrs, all.nmsrs);
      const none = new KvmMsrList(0);
      refuses("E2BIG", () => kvm.getMsrIndexList(none));
      assertEquals(none.nmsrs, all.nmsrs);
    },
  },
  {
    name: "getMsrIndexList() fills larger room as far as needed",
    run: (kvm) => {
      const all = kvm.getMsrIndexList();
      assertEquals(kvm.getMsrIndexList(new KvmMsrList(all.nmsrs + 9)).indices, all.indices);
    },
  },
  {
    name: "getMsrIndexList() lists nothing that getMsrs() does not know",
    run: (kvm) => {
      using vm = kvm.createVm();
      const vcpu = vm.createVcpu(0);
      for (const index of kvm.getMsrIndexList().indices) {
        assertEquals(vcpu.getMsrs(new KvmMsrs([{ index }])), 1, index.toString(16));
      }
    },
  },
  {
    name: "setMsrs() and getMsrs() carry values, and count",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const values = [{ index: 0x174, data: 8n }, { index: 0x175, data: 0xf00dn }, { index: 0x176, data: 0xbeefn }];
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs(values)), 3);
      const msrs = new KvmMsrs(values.map(({ index }) => ({ index })).reverse());
      assertEquals(guest.vcpu.getMsrs(msrs), 3);
      assertEquals(msrs.entries.map((entry) => entry.data), [0xbeefn, 0xf00dn, 8n]);
    },
  },
  {
    name: "getMsrs() and setMsrs() stop at the first unknown MSR",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const values = [{ index: 0x175, data: 5n }, { index: 0x12345678, data: 1n }, { index: 0x176, data: 6n }];
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs(values)), 1);
      const msrs = new KvmMsrs([{ index: 0x175 }, { index: 0x176 }, { index: 0x12345678 }, { index: 0x174 }]);
      assertEquals(guest.vcpu.getMsrs(msrs), 2);
      assertEquals(msrs.entries.slice(0, 2).map((entry) => entry.data), [5n, 0n]);
    },
  },
  {
    name: "getMsrs() and setMsrs() of none, and E2BIG for 256",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      assertEquals([guest.vcpu.getMsrs(new KvmMsrs(0)), guest.vcpu.setMsrs(new KvmMsrs(0))], [0, 0]);
      refuses("E2BIG", () => guest.vcpu.getMsrs(new KvmMsrs(256)));
      refuses("E2BIG", () => guest.vcpu.setMsrs(new KvmMsrs(256)));
      const msrs = new KvmMsrs(Array.from({ length: 255 }, () => ({ index: 0x174 })));
      assertEquals(guest.vcpu.getMsrs(msrs), 255);
    },
  },
  {
    name: "setMsrs() is read by the guest's RDMSR",
    run: (kvm) => {
      using guest = new Guest(kvm, RDMSR, { regs: { rcx: 0x176 } });
      guest.vcpu.setMsrs(new KvmMsrs([{ index: 0x176, data: 0x12345678n }]));
      guest.expect(KVM_EXIT_HLT);
      assertEquals([guest.regs.rax, guest.regs.rdx], [0x12345678n, 0n]);
    },
  },
  {
    name: "getMsrs() has what the guest's WRMSR wrote",
    run: (kvm) => {
      using guest = new Guest(kvm, WRMSR, { regs: { rcx: 0x175, rax: 0x77, rdx: 0 } });
      guest.expect(KVM_EXIT_HLT);
      const msrs = new KvmMsrs([{ index: 0x175 }]);
      guest.vcpu.getMsrs(msrs);
      assertEquals(msrs.entries[0].data, 0x77n);
    },
  },
  {
    name: "run() RDMSR of an unknown MSR is #GP",
    needs: ["exceptions"],
    run: (kvm) => {
      using guest = new Guest(kvm, RDMSR, { regs: { rcx: 0x12345678, rax: 0xd } });
      guest.vm.write(0x2000, Uint8Array.of(0xe6, 0x21, 0xf4)); // out 0x21, al; hlt
      guest.setVector(13, 0x2000);
      guest.expectOut(0x21, 1, 0xd);
    },
  },
  {
    name: "getMsrIndexList() gives EFAULT for less memory than it says",
    run: (kvm) => {
      const list = new KvmMsrList(4);
      list.nmsrs = 1000;
      refuses("EFAULT", () => kvm.getMsrIndexList(list));
    },
  },
  {
    name: "getMsrIndexList() has what 64-bit guests switch with",
    run: (kvm) => {
      const { indices } = kvm.getMsrIndexList();
      for (const index of [STAR, LSTAR, 0xc0000084, KERNEL_GS_BASE]) {
        assert(indices.includes(index), index.toString(16));
      }
    },
  },
  {
    name: "setMsrs() takes back all that getMsrIndexList() lists and getMsrs() read",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const all = kvm.getMsrIndexList().indices.map((index) => ({ index }));
      const msrs = new KvmMsrs(all);
      assertEquals(guest.vcpu.getMsrs(msrs), all.length);
      const writable = msrs.entries.filter(({ index, data }) =>
        guest.vcpu.setMsrs(new KvmMsrs([{ index, data }])) === 1
      );
      // The kernel lists a few that can only be read.
      assert(writable.length >= all.length * 0.7, `${writable.length} of ${all.length}`);
      if (kvm.backend === "soft") assertEquals(writable.length, all.length);
    },
  },
  {
    name: "getMsrs() and setMsrs() move the state from one vCPU to another",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const other = second(guest, 1);
      const values = [
        { index: 0x174, data: 0x10n },
        { index: STAR, data: 0x0008_0010_0000_0000n },
        { index: LSTAR, data: 0xffffffff81000000n },
        { index: KERNEL_GS_BASE, data: 0x12345000n },
      ];
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs(values)), 4);
      const msrs = new KvmMsrs(values.map(({ index }) => ({ index })));
      guest.vcpu.getMsrs(msrs);
      assertEquals(other.setMsrs(msrs), 4);
      const there = new KvmMsrs(values.map(({ index }) => ({ index })));
      other.getMsrs(there);
      assertEquals(there.entries.map(({ data }) => data), values.map(({ data }) => data));
    },
  },
  {
    name: "getMsrs() leaves the entries behind the first unknown MSR as they are",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const msrs = new KvmMsrs([{ index: 0x174, data: 1 }, { index: 0x12345678, data: 2 }, { index: 0x175, data: 3 }]);
      assertEquals(guest.vcpu.getMsrs(msrs), 1);
      assertEquals(msrs.entries.map(({ data }) => data), [0n, 2n, 3n]);
    },
  },
  {
    name: "getMsrs() and setMsrs() give EFAULT for fewer entries than they say",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const msrs = new KvmMsrs([{ index: 0x174 }]);
      msrs.nmsrs = 2;
      refuses("EFAULT", () => guest.vcpu.getMsrs(msrs));
      refuses("EFAULT", () => guest.vcpu.setMsrs(msrs));
    },
  },
  {
    name: "getMsrs() reads only as many entries as count",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const msrs = new KvmMsrs([{ index: 0x174, data: 1 }, { index: 0x175, data: 2 }]);
      msrs.nmsrs = 1;
      assertEquals(guest.vcpu.getMsrs(msrs), 1);
      assertEquals(msrs.entries[1].data, 2n);
    },
  },
  {
    name: "setMsrs() stops at a value that an MSR does not take",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const values = [
        { index: 0x175, data: 1n },
        { index: EFER, data: 1n << 40n },
        { index: 0x176, data: 2n },
      ];
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs(values)), 1);
      assertEquals([msr(guest, 0x175), msr(guest, 0x176)], [1n, 0n]);
    },
  },
  {
    name: "setMsrs() of a segment base shows in getSregs(), and the other way round",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      const values = [{ index: FS_BASE, data: 0x1234000n }, { index: GS_BASE, data: 0xffff800000000000n }];
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs(values)), 2);
      const sregs = guest.vcpu.getSregs();
      assertEquals([sregs.fs.base, sregs.gs.base], [0x1234000n, 0xffff800000000000n]);
      sregs.gs.base = 0x777000n;
      guest.vcpu.setSregs(sregs);
      assertEquals(msr(guest, GS_BASE), 0x777000n);
    },
  },
  {
    name: "getMsrs() EFER is that of getSregs()",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT_64, { mode: "long" });
      assertEquals([msr(guest, EFER), guest.vcpu.getSregs().efer], [0x500n, 0x500n]);
    },
  },
  {
    name: "setMsrs() of EFER shows in getSregs()",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs([{ index: EFER, data: 0x800 }])), 1);
      assertEquals(guest.vcpu.getSregs().efer, 0x800n);
    },
  },
  {
    name: "getMsrs() time goes on as the guest runs, from what setMsrs() set",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      assertEquals(guest.vcpu.setMsrs(new KvmMsrs([{ index: TIME[0], data: 1n << 40n }])), 1);
      guest.expect(KVM_EXIT_HLT);
      assert(msr(guest, TIME[0]) > 1n << 40n);
      assert(msr(guest, TIME[0]) < 1n << 48n);
    },
  },
  {
    name: "getMsrs() has what the guest's WRMSR wrote, both halves",
    run: (kvm) => {
      using guest = new Guest(kvm, WRMSR, { regs: { rcx: LSTAR, rax: 0x89abcdefn, rdx: 0xffff8000n } });
      guest.expect(KVM_EXIT_HLT);
      assertEquals(msr(guest, LSTAR), 0xffff800089abcdefn);
    },
  },
];
