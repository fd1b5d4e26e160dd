import { assertEquals } from "@std/assert";
import {
  ERRNO,
  IOCTLS,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_GET_API_VERSION,
  KVM_GET_DIRTY_LOG,
  KVM_GET_MSRS,
  KVM_GET_REGS,
  KVM_GET_SREGS,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_RUN,
  KVM_SET_MEMORY_ALIAS,
  KVM_SET_MEMORY_REGION,
  KVM_SET_REGS,
  KVM_SET_SREGS,
  KvmDirtyLog,
  KvmMemoryAlias,
  KvmMemoryRegion,
  KvmMsrs,
  KvmRegs,
  KvmRun,
  KvmSregs,
  RawKvm,
} from "../../mod.ts";
import { type Case, code } from "./harness.ts";

const GUEST = code(`
        e6 e9    ; out 0xe9, al
        a2 00 20 ; mov [0x2000], al
        f4       ; hlt
      `);

/** The raw form, on the same backends. */
export const RAW_CASES: readonly Case[] = [
  {
    name: "RawKvm runs a guest as a C program would",
    run: (kvm) => {
      using raw = new RawKvm(() => kvm);
      const system = raw.open("/dev/kvm");
      assertEquals(raw.ioctl(system, KVM_GET_API_VERSION), 12);
      assertEquals(raw.ioctl(system, KVM_CHECK_EXTENSION, 3), 0);
      const vm = raw.ioctl(system, KVM_CREATE_VM, 0);
      const region = new KvmMemoryRegion({ slot: 0, flags: 1, guest_phys_addr: 0, memory_size: 0x8000 });
      assertEquals(raw.ioctl(vm, KVM_SET_MEMORY_REGION, region), 0);
      (raw.mmap(vm, 0x1000, 0x1000) as Uint8Array).set(GUEST.bytes);
      const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
      const run = new KvmRun(raw.mmap(vcpu, 0, raw.ioctl(system, KVM_GET_VCPU_MMAP_SIZE)) as Uint8Array);
      const sregs = new KvmSregs();
      assertEquals(raw.ioctl(vcpu, KVM_GET_SREGS, sregs), 0);
      Object.assign(sregs.cs, { base: 0n, selector: 0 });
      assertEquals(raw.ioctl(vcpu, KVM_SET_SREGS, sregs), 0);
      assertEquals(raw.ioctl(vcpu, KVM_SET_REGS, new KvmRegs({ rip: 0x1000, rflags: 2, rax: 0x58 })), 0);
      assertEquals([raw.ioctl(vcpu, KVM_RUN), run.exit_reason, run.io.port], [0, KVM_EXIT_IO, 0xe9]);
      const data = raw.mmap(vcpu, Number(run.io.data_offset), 4096) as Uint8Array;
      assertEquals(data[0], 0x58);
      assertEquals([raw.ioctl(vcpu, KVM_RUN), run.exit_reason], [0, KVM_EXIT_HLT]);
      const regs = new KvmRegs();
      assertEquals([raw.ioctl(vcpu, KVM_GET_REGS, regs), regs.rip], [0, BigInt(0x1000 + GUEST.bytes.length)]);
      const bitmap = new Uint8Array(8);
      assertEquals(raw.ioctl(vm, KVM_GET_DIRTY_LOG, { log: new KvmDirtyLog({ slot: 0 }), bitmap }), 0);
      assertEquals([...bitmap], [4, 0, 0, 0, 0, 0, 0, 0]);
    },
  },
  {
    name: "RawKvm gives EINVAL for unknown requests and other kinds of descriptors",
    run: (kvm) => {
      using raw = new RawKvm(() => kvm);
      const system = raw.open("/dev/kvm");
      const vm = raw.ioctl(system, KVM_CREATE_VM);
      const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 0);
      for (const [kind, fd] of Object.entries({ system, vm, vcpu })) {
        for (const row of IOCTLS.filter((row) => row.fd !== kind)) {
          assertEquals(raw.ioctl(fd, row.code, new Uint8Array(512)), -ERRNO.EINVAL, row.name);
        }
        for (const request of [0x4020ae46, 0xae60, 0xae03 | 0x40000000, 0]) {
          assertEquals(raw.ioctl(fd, request, new Uint8Array(512)), -ERRNO.EINVAL);
        }
      }
      for (const row of IOCTLS.filter((row) => row.argument === "none")) {
        const fd = { system, vm, vcpu }[row.fd];
        assertEquals(raw.ioctl(fd, row.code, 1), -ERRNO.EINVAL, row.name);
      }
    },
  },
  {
    name: "RawKvm gives the errors of the calls as negative numbers",
    run: (kvm) => {
      using raw = new RawKvm(() => kvm);
      const vm = raw.ioctl(raw.open("/dev/kvm"), KVM_CREATE_VM);
      const vcpu = raw.ioctl(vm, KVM_CREATE_VCPU, 2);
      assertEquals(raw.ioctl(vm, KVM_CREATE_VCPU, 2), -ERRNO.EEXIST);
      assertEquals(raw.ioctl(vm, KVM_CREATE_VCPU, 1000), -ERRNO.EINVAL);
      assertEquals(raw.ioctl(vm, KVM_SET_MEMORY_REGION, new KvmMemoryRegion({ memory_size: 100 })), -ERRNO.EINVAL);
      assertEquals(raw.ioctl(vm, KVM_SET_MEMORY_ALIAS, new KvmMemoryAlias({ memory_size: 100 })), -ERRNO.EINVAL);
      assertEquals(raw.ioctl(vcpu, KVM_GET_MSRS, new KvmMsrs(256)), -ERRNO.E2BIG);
      assertEquals(raw.ioctl(vcpu, KVM_GET_REGS, new Uint8Array(143)), -ERRNO.EFAULT);
      const log = { log: new KvmDirtyLog({ slot: 0 }), bitmap: new Uint8Array(8) };
      assertEquals(raw.ioctl(vm, KVM_GET_DIRTY_LOG, log), -ERRNO.ENOENT);
      assertEquals(raw.mmap(vm, 0, 4096), -ERRNO.EFAULT);
      raw.close(vcpu);
      assertEquals(raw.ioctl(vcpu, KVM_RUN), -ERRNO.EBADF);
    },
  },
];
