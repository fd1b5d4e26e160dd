import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ERRNO,
  KvmCpuid,
  KvmDebugGuest,
  KvmError,
  KvmFpu,
  KvmMsrs,
  KvmRegs,
  KvmSignalMask,
  KvmSregs,
} from "../../mod.ts";
import { HLT } from "./guests.ts";
import { alias, type Case, Guest, PAGE, refuses, region } from "./harness.ts";

/** The rule of all errors, whatever the call. */
export const ERROR_CASES: readonly Case[] = [
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
  {
    name: "KvmError has the errno of the kernel, its name, and a text that says what and why",
    run: (kvm) => {
      using vm = kvm.createVm();
      const error = assertThrows(() => region(vm, 5, 1, PAGE), KvmError);
      assertEquals([error.name, error.code, error.errno], ["KvmError", "EINVAL", ERRNO.EINVAL]);
      assert(/^Cannot set memory region 5: .*0x1\b/.test(error.message), error.message);
    },
  },
  {
    name: "getApiVersion(), createVm(), checkExtension(), getVcpuMmapSize(), getMsrIndexList() give EBADF when closed",
    run: (kvm) => {
      kvm[Symbol.dispose]();
      refuses("EBADF", () => kvm.getApiVersion());
      refuses("EBADF", () => kvm.createVm());
      refuses("EBADF", () => kvm.checkExtension(0));
      refuses("EBADF", () => kvm.getVcpuMmapSize());
      refuses("EBADF", () => kvm.getMsrIndexList());
      kvm[Symbol.dispose]();
    },
  },
  {
    name: "setMemoryRegion(), setMemoryAlias(), getDirtyLog(), createVcpu() give EBADF when the VM is closed",
    run: (kvm) => {
      const vm = kvm.createVm();
      vm[Symbol.dispose]();
      refuses("EBADF", () => region(vm, 0, 0, PAGE));
      refuses("EBADF", () => alias(vm, 0, 0, PAGE, 0));
      refuses("EBADF", () => vm.getDirtyLog(0));
      refuses("EBADF", () => vm.createVcpu(0));
      refuses("EBADF", () => vm.memory(0, 1));
      refuses("EBADF", () => vm.read(0, 1));
      refuses("EBADF", () => vm.write(0, new Uint8Array(1)));
      vm[Symbol.dispose]();
    },
  },
  {
    name:
      "run(), getRegs(), setRegs(), getSregs(), setSregs(), translate(), interrupt() give EBADF when the vCPU is closed",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const { vcpu } = guest;
      vcpu[Symbol.dispose]();
      refuses("EBADF", () => vcpu.run());
      refuses("EBADF", () => vcpu.getRegs());
      refuses("EBADF", () => vcpu.setRegs(new KvmRegs()));
      refuses("EBADF", () => vcpu.getSregs());
      refuses("EBADF", () => vcpu.setSregs(new KvmSregs()));
      refuses("EBADF", () => vcpu.translate(0n));
      refuses("EBADF", () => vcpu.interrupt(0));
      refuses("EBADF", () => vcpu.signal(10));
      refuses("EBADF", () => vcpu.kvmRun);
      refuses("EBADF", () => vcpu.shared);
    },
  },
  {
    name: "debugGuest(), getMsrs(), setMsrs(), setCpuid(), setSignalMask(), getFpu(), setFpu() give EBADF when closed",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      const { vcpu } = guest;
      vcpu[Symbol.dispose]();
      refuses("EBADF", () => vcpu.debugGuest(new KvmDebugGuest()));
      refuses("EBADF", () => vcpu.getMsrs(new KvmMsrs(0)));
      refuses("EBADF", () => vcpu.setMsrs(new KvmMsrs(0)));
      refuses("EBADF", () => vcpu.setCpuid(new KvmCpuid(0)));
      refuses("EBADF", () => vcpu.setSignalMask(new KvmSignalMask(0n)));
      refuses("EBADF", () => vcpu.getFpu());
      refuses("EBADF", () => vcpu.setFpu(new KvmFpu()));
    },
  },
  {
    name: "createVm() machines live on when KVM is closed, and run()",
    run: (kvm) => {
      using guest = new Guest(kvm, HLT);
      kvm[Symbol.dispose]();
      guest.expectHlt();
    },
  },
  {
    name: "createVcpu() refused leaves the slot free",
    run: (kvm) => {
      using vm = kvm.createVm();
      refuses("EINVAL", () => vm.createVcpu(99));
      refuses("EINVAL", () => vm.createVcpu(0.5));
      refuses("EINVAL", () => vm.createVcpu(NaN));
      assertEquals(vm.createVcpu(0).id, 0);
    },
  },
  {
    name: "read(), write() and memory() give EFAULT where there is no memory, EINVAL for what is no address",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, PAGE, PAGE);
      refuses("EFAULT", () => vm.read(0, 1));
      refuses("EFAULT", () => vm.write(2 * PAGE, new Uint8Array(1)));
      refuses("EFAULT", () => vm.memory(2 * PAGE - 1, 2));
      refuses("EINVAL", () => vm.memory(-1, 1));
      refuses("EINVAL", () => vm.memory(0.5, 1));
      refuses("EINVAL", () => vm.read(1n << 64n, 1));
      refuses("EINVAL", () => vm.memory(PAGE, -1));
    },
  },
  {
    name: "write() refused writes nothing",
    run: (kvm) => {
      using vm = kvm.createVm();
      region(vm, 0, 0, PAGE);
      refuses("EFAULT", () => vm.write(PAGE - 2, Uint8Array.of(1, 2, 3)));
      assertEquals([...vm.read(PAGE - 2, 2)], [0, 0]);
    },
  },
];
