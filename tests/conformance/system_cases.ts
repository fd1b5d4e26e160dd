import { assert, assertEquals } from "@std/assert";
import { KvmMsrList, KvmMsrs } from "../../mod.ts";
import { alias, type Case, PAGE, refuses, region } from "./harness.ts";

/** KVM_GET_API_VERSION to KVM_GET_VCPU_MMAP_SIZE, KVM_CREATE_VCPU, KVM_SET_MEMORY_REGION and _ALIAS: the rules. */
export const SYSTEM_CASES: readonly Case[] = [
  {
    name: "getApiVersion() is 12",
    run: (kvm) => assertEquals(kvm.getApiVersion(), 12),
  },
  {
    name: "checkExtension() is 0 for every number, those of today's kernels too",
    run: (kvm) => {
      for (let n = 0; n < 300; n++) assertEquals(kvm.checkExtension(n), 0);
      assertEquals(kvm.checkExtension(0xffffffff), 0);
    },
  },
  {
    name: "getVcpuMmapSize() is 8192, and so long is what a vCPU shares",
    run: (kvm) => {
      assertEquals(kvm.getVcpuMmapSize(), 8192);
      using vm = kvm.createVm();
      assertEquals(vm.createVcpu(0).shared.length, 8192);
    },
  },
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
    name: "createVm() gives machines that share nothing",
    run: (kvm) => {
      using one = kvm.createVm();
      using two = kvm.createVm();
      region(one, 0, 0, PAGE);
      region(two, 0, 0, PAGE);
      one.memory(0, 4).fill(1);
      assertEquals([...two.memory(0, 4)], [0, 0, 0, 0]);
    },
  },
  {
    name: "createVcpu() gives 16, EINVAL beyond, EEXIST again",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (let slot = 0; slot < 16; slot++) vm.createVcpu(slot);
      refuses("EINVAL", () => vm.createVcpu(16));
      refuses("EINVAL", () => vm.createVcpu(-1));
      refuses("EEXIST", () => vm.createVcpu(0));
      refuses("EEXIST", () => vm.createVcpu(15));
    },
  },
  {
    name: "createVcpu() takes slots in any order",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const slot of [7, 0, 3]) assertEquals(vm.createVcpu(slot).id, slot);
    },
  },
  {
    name: "createVcpu() gives EEXIST for a slot that was closed",
    run: (kvm) => {
      using vm = kvm.createVm();
      vm.createVcpu(1)[Symbol.dispose]();
      refuses("EEXIST", () => vm.createVcpu(1));
    },
  },
  {
    name: "setMemoryRegion() gives zeroed memory",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 64 * PAGE);
      assert(vm.memory(0, 64 * PAGE).every((byte) => byte === 0));
    },
  },
  {
    name: "setMemoryRegion() takes 32 slots",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (let slot = 0; slot < 32; slot++) region(vm, slot, slot * 2 * PAGE, PAGE);
      for (let slot = 0; slot < 32; slot++) assertEquals(vm.memory(slot * 2 * PAGE, PAGE).length, PAGE);
      refuses("EFAULT", () => vm.memory(PAGE, 1));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for a size or address that is not page-aligned",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const size of [1, 4095, 4097, 8191]) refuses("EINVAL", () => region(vm, 0, 0, size));
      for (const gpa of [1, 2048, 4095, 4097]) refuses("EINVAL", () => region(vm, 0, gpa, PAGE));
      refuses("EFAULT", () => vm.memory(0, 1));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for a slot out of range",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const slot of [0xffffffff, 0x80000000, 0x10000]) refuses("EINVAL", () => region(vm, slot, 0, PAGE));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for unknown flags",
    run: (kvm) => {
      using vm = kvm.createVm();
      for (const flags of [2, 3, 0x80000000]) refuses("EINVAL", () => region(vm, 0, 0, PAGE, flags));
      region(vm, 0, 0, PAGE);
      refuses("EINVAL", () => region(vm, 0, 0, PAGE, 4));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for an address that wraps",
    run: (kvm) => {
      using vm = kvm.createVm();
      refuses("EINVAL", () => region(vm, 0, 0xfffffffffffff000n, 2 * PAGE));
      refuses("EINVAL", () => region(vm, 0, 0xffffffffffffe000n, 0x3000));
      refuses("EINVAL", () => region(vm, 0, 0x1000, 0xfffffffffffff000n));
    },
  },
  {
    name: "setMemoryRegion() gives EINVAL for another size of a slot in use",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 2 * PAGE);
      refuses("EINVAL", () => region(vm, 0, 0, PAGE));
      refuses("EINVAL", () => region(vm, 0, 0, 3 * PAGE));
      assertEquals(vm.memory(0, 2 * PAGE).length, 2 * PAGE);
    },
  },
  {
    name: "setMemoryRegion() gives EEXIST for an overlap, and changes nothing",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 4 * PAGE, 4 * PAGE);
      vm.memory(4 * PAGE, 1)[0] = 5;
      for (const [gpa, pages] of [[4, 4], [0, 5], [7, 1], [5, 2], [0, 16]]) {
        refuses("EEXIST", () => region(vm, 1, gpa * PAGE, pages * PAGE));
      }
      refuses("EFAULT", () => vm.memory(0, 1));
      assertEquals(vm.memory(4 * PAGE, 1)[0], 5);
      region(vm, 1, 0, 4 * PAGE);
      region(vm, 2, 8 * PAGE, PAGE);
    },
  },
  {
    name: "setMemoryRegion() with size 0 deletes slot and contents",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      vm.memory(0, 1)[0] = 1;
      region(vm, 0, 0, 0);
      refuses("EFAULT", () => vm.memory(0, 1));
      region(vm, 0, 0, 3 * PAGE);
      assertEquals(vm.memory(0, 1)[0], 0);
    },
  },
  {
    name: "setMemoryRegion() with size 0 for an unused slot does nothing",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 5, 0, 0);
      region(vm, 0, 0, PAGE);
      region(vm, 5, 0, 0);
      assertEquals(vm.memory(0, PAGE).length, PAGE);
    },
  },
  {
    name: "setMemoryRegion() with the same size moves slot and contents",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 2 * PAGE);
      vm.memory(PAGE + 3, 1)[0] = 9;
      region(vm, 0, PAGE, 2 * PAGE);
      assertEquals(vm.memory(2 * PAGE + 3, 1)[0], 9);
      refuses("EFAULT", () => vm.memory(0, 1));
      region(vm, 0, 0x100000000, 2 * PAGE);
      assertEquals(vm.memory(0x100000000 + PAGE + 3, 1)[0], 9);
    },
  },
  {
    name: "setMemoryRegion() again with the same values keeps the contents",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      vm.memory(0, 1)[0] = 9;
      region(vm, 0, 0, PAGE);
      region(vm, 0, 0, PAGE, 1);
      region(vm, 0, 0, PAGE, 0);
      assertEquals(vm.memory(0, 1)[0], 9);
    },
  },
  {
    name: "setMemoryRegion() gives ENOMEM for more than any host has",
    run: (kvm) => {
      using vm = kvm.createVm();
      refuses("ENOMEM", () => region(vm, 0, 0, 1n << 62n));
      refuses("ENOMEM", () => region(vm, 0, 0, 1n << 51n));
      refuses("EFAULT", () => vm.memory(0, 1));
      region(vm, 0, 0, PAGE);
    },
  },
  {
    name: "setMemoryAlias() shows the target's memory",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      alias(vm, 0, 0x100000, 2 * PAGE, 2 * PAGE);
      vm.memory(0x100000, 1)[0] = 1;
      vm.memory(3 * PAGE + 7, 1)[0] = 2;
      assertEquals([vm.memory(2 * PAGE, 1)[0], vm.memory(0x101007, 1)[0]], [1, 2]);
    },
  },
  {
    name: "setMemoryAlias() takes 8 aliases",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 8 * PAGE);
      for (let n = 0; n < 8; n++) alias(vm, n, 0x100000 + n * 2 * PAGE, PAGE, n * PAGE);
      for (let n = 0; n < 8; n++) vm.memory(0x100000 + n * 2 * PAGE, 1)[0] = n + 1;
      for (let n = 0; n < 8; n++) assertEquals(vm.memory(n * PAGE, 1)[0], n + 1);
    },
  },
  {
    name: "setMemoryAlias() gives EINVAL: unaligned, slot out of range, either range wraps",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      refuses("EINVAL", () => alias(vm, 0, 0x100001, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0, 0x100000, PAGE + 1, 0));
      refuses("EINVAL", () => alias(vm, 0, 0x100000, PAGE, 1));
      refuses("EINVAL", () => alias(vm, 0xffffffff, 0x100000, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0x1000, 0x100000, PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0, 0xfffffffffffff000n, 2 * PAGE, 0));
      refuses("EINVAL", () => alias(vm, 0, 0x100000, 2 * PAGE, 0xfffffffffffff000n));
      refuses("EFAULT", () => vm.memory(0x100000, 1));
    },
  },
  {
    name: "setMemoryAlias() slots are counted apart from memory slots",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      alias(vm, 0, PAGE, PAGE, 0);
      assertEquals(vm.memory(0, 2 * PAGE - 4096).length, PAGE);
      region(vm, 0, 0, 0);
      refuses("EFAULT", () => vm.memory(PAGE, 1));
    },
  },
  {
    name: "setMemoryAlias() wins over the slot beneath it; removed, the slot is there again",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      vm.memory(PAGE, 1)[0] = 1;
      vm.memory(2 * PAGE, 1)[0] = 2;
      alias(vm, 3, PAGE, PAGE, 2 * PAGE);
      assertEquals(vm.memory(PAGE, 1)[0], 2);
      alias(vm, 3, PAGE, 0, 2 * PAGE);
      assertEquals(vm.memory(PAGE, 1)[0], 1);
    },
  },
  {
    name: "setMemoryAlias() does not chain",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      alias(vm, 0, 0x100000, PAGE, 0);
      alias(vm, 1, 0x200000, PAGE, 0x100000);
      refuses("EFAULT", () => vm.memory(0x200000, 1));
    },
  },
  {
    name: "setMemoryAlias() again with the same slot moves the alias",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, 4 * PAGE);
      alias(vm, 0, 0x100000, PAGE, 0);
      alias(vm, 0, 0x200000, 2 * PAGE, PAGE);
      refuses("EFAULT", () => vm.memory(0x100000, 1));
      vm.memory(0x201000, 1)[0] = 6;
      assertEquals(vm.memory(2 * PAGE, 1)[0], 6);
    },
  },
  {
    name: "setMemoryAlias() may come before the slot it shows",
    run: (kvm) => {
      using vm = kvm.createVm();
      alias(vm, 0, 0x100000, PAGE, 0);
      refuses("EFAULT", () => vm.memory(0x100000, 1));
      region(vm, 0, 0, PAGE);
      vm.memory(0, 1)[0] = 3;
      assertEquals(vm.memory(0x100000, 1)[0], 3);
    },
  },
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
    name: "read() and write() go across slots and aliases, memory() does not",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      region(vm, 1, PAGE, PAGE);
      alias(vm, 0, 2 * PAGE, PAGE, 0);
      const bytes = Uint8Array.from({ length: 2 * PAGE }, (_, n) => n * 7);
      vm.write(100, bytes);
      assertEquals(vm.read(100, 2 * PAGE), bytes);
      assertEquals(vm.memory(0, 100), bytes.subarray(2 * PAGE - 100));
      refuses("EFAULT", () => vm.memory(PAGE - 1, 2));
      refuses("EFAULT", () => vm.read(3 * PAGE - 1, 2));
    },
  },
  {
    name: "closed objects give EBADF",
    run: (kvm) => {
      const vm = kvm.createVm();
      const vcpu = vm.createVcpu(0);
      vcpu[Symbol.dispose]();
      refuses("EBADF", () => vcpu.run());
      refuses("EBADF", () => vcpu.getRegs());
      vm[Symbol.dispose]();
      refuses("EBADF", () => vm.createVcpu(1));
      refuses("EBADF", () => region(vm, 0, 0, PAGE));
    },
  },
];
