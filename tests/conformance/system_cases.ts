import { assertEquals } from "@std/assert";
import { alias, type Case, PAGE, refuses, region } from "./harness.ts";

/** The calls of `/dev/kvm` itself, and the memory that the host sees. */
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
];
