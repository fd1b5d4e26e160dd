import { assertEquals } from "@std/assert";
import {
  ERRNO,
  type IoctlName,
  IOCTLS,
  type Kvm,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_EXIT_HLT,
  KVM_GET_DIRTY_LOG,
  KVM_GET_REGS,
  KVM_GET_SREGS,
  KVM_RUN,
  KVM_SET_MEMORY_REGION,
  KVM_SET_REGS,
  KVM_SET_SIGNAL_MASK,
  KVM_SET_SREGS,
  KvmCpuid,
  KvmDebugGuest,
  KvmDirtyLog,
  KvmFpu,
  KvmInterrupt,
  KvmMemoryAlias,
  KvmMemoryRegion,
  KvmMsrList,
  KvmMsrs,
  KvmRegs,
  KvmRun,
  KvmSignalMask,
  KvmSregs,
  KvmTranslation,
  LAYOUTS,
  type RawArgument,
  RawKvm,
} from "../../mod.ts";
import { HLT } from "./guests.ts";
import type { Case } from "./harness.ts";

/** What a C program has after its first calls: a machine with 32 KiB of memory that logs, and a processor at HLT. */
class Program implements Disposable {
  readonly raw: RawKvm;
  readonly system: number;
  readonly vm: number;
  readonly vcpu: number;
  readonly run: KvmRun;

  constructor(kvm: Kvm) {
    this.raw = new RawKvm(() => kvm);
    this.system = this.raw.open("/dev/kvm");
    this.vm = this.raw.ioctl(this.system, KVM_CREATE_VM);
    this.ok(this.vm, KVM_SET_MEMORY_REGION, new KvmMemoryRegion({ slot: 0, flags: 1, memory_size: 0x8000 }));
    (this.raw.mmap(this.vm, 0x1000, 0x1000) as Uint8Array).set(HLT.bytes);
    this.vcpu = this.raw.ioctl(this.vm, KVM_CREATE_VCPU, 0);
    this.run = new KvmRun(this.raw.mmap(this.vcpu, 0, 8192) as Uint8Array);
    const sregs = new KvmSregs();
    this.ok(this.vcpu, KVM_GET_SREGS, sregs);
    Object.assign(sregs.cs, { base: 0n, selector: 0 });
    this.ok(this.vcpu, KVM_SET_SREGS, sregs);
    this.ok(this.vcpu, KVM_SET_REGS, new KvmRegs({ rip: 0x1000, rflags: 2 }));
  }

  /** Makes a call that must give 0. */
  ok(fd: number, request: number, argument?: RawArgument): void {
    assertEquals(this.raw.ioctl(fd, request, argument), 0);
  }

  [Symbol.dispose](): void {
    this.raw[Symbol.dispose]();
  }
}

/** One ioctl as a C program makes it. */
interface Call {
  /** An argument with which it succeeds. */
  readonly argument: () => RawArgument;
  /** What it then gives: 0 unless told; null for a new descriptor. */
  readonly gives?: number | null;
  /** Looks at what it did. */
  readonly check?: (program: Program, argument: RawArgument) => void;
}

const CALLS: Readonly<Record<IoctlName, Call>> = {
  KVM_GET_API_VERSION: { argument: () => 0, gives: 12 },
  KVM_CREATE_VM: { argument: () => 0, gives: null },
  KVM_GET_MSR_INDEX_LIST: {
    argument: () => new KvmMsrList(200),
    check: (_, list) => assertEquals((list as KvmMsrList).indices.includes(0x174), true),
  },
  KVM_CHECK_EXTENSION: { argument: () => 7, gives: 0 },
  KVM_GET_VCPU_MMAP_SIZE: { argument: () => 0, gives: 8192 },
  KVM_SET_MEMORY_REGION: {
    argument: () => new KvmMemoryRegion({ slot: 1, guest_phys_addr: 0x10000, memory_size: 0x1000 }),
    check: ({ raw, vm }) => assertEquals((raw.mmap(vm, 0x10000, 0x1000) as Uint8Array).length, 0x1000),
  },
  KVM_CREATE_VCPU: { argument: () => 3, gives: null },
  KVM_GET_DIRTY_LOG: {
    argument: () => ({ log: new KvmDirtyLog({ slot: 0 }), bitmap: new Uint8Array(8) }),
  },
  KVM_SET_MEMORY_ALIAS: {
    argument: () => new KvmMemoryAlias({ guest_phys_addr: 0x20000, memory_size: 0x1000, target_phys_addr: 0x1000 }),
    check: ({ raw, vm }) => assertEquals((raw.mmap(vm, 0x20000, 0x1000) as Uint8Array)[0], 0xf4),
  },
  KVM_RUN: { argument: () => 0, check: ({ run }) => assertEquals(run.exit_reason, KVM_EXIT_HLT) },
  KVM_GET_REGS: {
    argument: () => new KvmRegs(),
    check: (_, regs) => assertEquals((regs as KvmRegs).rip, 0x1000n),
  },
  KVM_SET_REGS: {
    argument: () => new KvmRegs({ rip: 0x2000, rax: 5, rflags: 2 }),
    check: ({ raw, vcpu }) => {
      const regs = new KvmRegs();
      raw.ioctl(vcpu, KVM_GET_REGS, regs);
      assertEquals([regs.rip, regs.rax], [0x2000n, 5n]);
    },
  },
  KVM_GET_SREGS: {
    argument: () => new KvmSregs(),
    check: (_, sregs) => assertEquals((sregs as KvmSregs).cs.base, 0n),
  },
  KVM_SET_SREGS: { argument: () => realModeSregs() },
  KVM_TRANSLATE: {
    argument: () => new KvmTranslation({ linear_address: 0x1234 }),
    check: (_, found) => assertEquals((found as KvmTranslation).physical_address, 0x1234n),
  },
  KVM_INTERRUPT: { argument: () => new KvmInterrupt({ irq: 0x20 }) },
  KVM_DEBUG_GUEST: { argument: () => new KvmDebugGuest() },
  KVM_GET_MSRS: { argument: () => new KvmMsrs([{ index: 0x174 }, { index: 0x175 }]), gives: 2 },
  KVM_SET_MSRS: { argument: () => new KvmMsrs([{ index: 0x174, data: 8 }]), gives: 1 },
  KVM_SET_CPUID: { argument: () => new KvmCpuid([{ function: 0, eax: 0, ebx: 1 }]) },
  KVM_SET_SIGNAL_MASK: { argument: () => new KvmSignalMask(0n) },
  KVM_GET_FPU: {
    argument: () => new KvmFpu(),
    check: (_, fpu) => assertEquals((fpu as KvmFpu).mxcsr, 0x1f80),
  },
  KVM_SET_FPU: { argument: () => new KvmFpu({ fcw: 0x37f, mxcsr: 0x1f80 }) },
};

/** Real mode's segments, as after reset but for CS. */
function realModeSregs(): KvmSregs {
  const sregs = new KvmSregs({ cr0: 0x60000010, apic_base: 0xfee00900 });
  for (const name of ["cs", "ds", "es", "fs", "gs", "ss"] as const) {
    Object.assign(sregs[name], { limit: 0xffff, type: name === "cs" ? 11 : 3, present: 1, s: 1 });
  }
  Object.assign(sregs.tr, { limit: 0xffff, type: 11, present: 1 });
  Object.assign(sregs.ldt, { limit: 0xffff, type: 2, present: 1 });
  return sregs;
}

/** Each ioctl in the raw form: that it works, and its errors of form. */
export const RAW_CALL_CASES: readonly Case[] = [
  ...IOCTLS.map(({ name, fd, code, argument: kind, structure }): Case => ({
    name: `ioctl(${name}) works as from C, and refuses other descriptors, codes and ${
      kind === "pointer" ? "too few bytes" : kind === "none" ? "any argument" : "wrong numbers"
    }`,
    run: (kvm) => {
      using program = new Program(kvm);
      const { raw, system, vm, vcpu } = program;
      const { argument, gives = 0, check } = CALLS[name];
      const fds = { system, vm, vcpu };
      for (const other of (["system", "vm", "vcpu"] as const).filter((each) => each !== fd)) {
        assertEquals(raw.ioctl(fds[other], code, argument()), -ERRNO.EINVAL);
      }
      assertEquals(raw.ioctl(99, code, argument()), -ERRNO.EBADF);
      // Another size of the structure is another code.
      assertEquals(raw.ioctl(fds[fd], (code ^ 0x10000) >>> 0, argument()), -ERRNO.EINVAL);
      if (structure !== null) {
        const short = new Uint8Array(LAYOUTS[structure].size - 1);
        assertEquals(raw.ioctl(fds[fd], code, short), -ERRNO.EFAULT);
        if (name !== "KVM_SET_SIGNAL_MASK") assertEquals(raw.ioctl(fds[fd], code, 0), -ERRNO.EFAULT);
      }
      if (kind === "none") {
        for (const wrong of [1, -1, 1n, new Uint8Array(512)]) {
          assertEquals(raw.ioctl(fds[fd], code, wrong), -ERRNO.EINVAL);
        }
      }
      const given = argument();
      const answer = raw.ioctl(fds[fd], code | 0, given);
      if (gives === null) assertEquals(answer, vcpu + 1);
      else assertEquals(answer, gives);
      check?.(program, given);
    },
  })),
  {
    name: "ioctl(KVM_CREATE_VCPU) gives EINVAL for pointers and numbers out of range, EEXIST for a slot in use",
    run: (kvm) => {
      using program = new Program(kvm);
      const { raw, vm } = program;
      for (const slot of [16, -1, 1n << 40n, new Uint8Array(4)]) {
        assertEquals(raw.ioctl(vm, KVM_CREATE_VCPU, slot), -ERRNO.EINVAL);
      }
      assertEquals(raw.ioctl(vm, KVM_CREATE_VCPU, 0), -ERRNO.EEXIST);
      assertEquals(raw.ioctl(vm, KVM_CREATE_VCPU, 1n) > 0, true);
    },
  },
  {
    name: "ioctl(KVM_GET_DIRTY_LOG) gives EFAULT without a bitmap, or for one that is too short",
    run: (kvm) => {
      using program = new Program(kvm);
      const { raw, vm } = program;
      assertEquals(raw.ioctl(vm, KVM_GET_DIRTY_LOG, new KvmDirtyLog({ slot: 0 })), -ERRNO.EFAULT);
      const short = { log: new KvmDirtyLog({ slot: 0 }), bitmap: new Uint8Array(7) };
      assertEquals(raw.ioctl(vm, KVM_GET_DIRTY_LOG, short), -ERRNO.EFAULT);
      const wrong = { log: new KvmDirtyLog({ slot: 32 }), bitmap: new Uint8Array(8) };
      assertEquals(raw.ioctl(vm, KVM_GET_DIRTY_LOG, wrong), -ERRNO.EINVAL);
    },
  },
  {
    name: "ioctl(KVM_SET_SIGNAL_MASK) takes no mask, and gives EINVAL for a set of another length",
    run: (kvm) => {
      using program = new Program(kvm);
      const { raw, vcpu } = program;
      for (const none of [0, 0n, null]) assertEquals(raw.ioctl(vcpu, KVM_SET_SIGNAL_MASK, none), 0);
      const mask = new KvmSignalMask(0n);
      mask.len = 4;
      assertEquals(raw.ioctl(vcpu, KVM_SET_SIGNAL_MASK, mask), -ERRNO.EINVAL);
    },
  },
  {
    name: "mmap() gives EBADF, ENODEV, EINVAL and EFAULT where there is nothing to map",
    run: (kvm) => {
      using program = new Program(kvm);
      const { raw, system, vm, vcpu } = program;
      assertEquals(raw.mmap(99, 0, 4096), -ERRNO.EBADF);
      assertEquals(raw.mmap(system, 0, 4096), -ERRNO.ENODEV);
      assertEquals(raw.mmap(vm, 1, 4096), -ERRNO.EINVAL);
      assertEquals(raw.mmap(vm, 0, 0), -ERRNO.EINVAL);
      assertEquals(raw.mmap(vm, 0x100000, 4096), -ERRNO.EFAULT);
      assertEquals(raw.mmap(vcpu, 4096, 8192), -ERRNO.EFAULT);
      assertEquals((raw.mmap(vcpu, 4096n, 4096) as Uint8Array).length, 4096);
    },
  },
  {
    name: "open() gives ENOENT for another path, close() gives EBADF the second time, descriptors are the lowest free",
    run: (kvm) => {
      using program = new Program(kvm);
      const { raw, system, vm, vcpu } = program;
      assertEquals(raw.open("/dev/null"), -ERRNO.ENOENT);
      assertEquals([system, vm, vcpu], [3, 4, 5]);
      assertEquals([raw.close(vm), raw.close(vm)], [0, -ERRNO.EBADF]);
      assertEquals(raw.ioctl(vm, KVM_CREATE_VCPU, 1), -ERRNO.EBADF);
      assertEquals(raw.ioctl(system, KVM_CREATE_VM), vm);
    },
  },
  {
    name: "close() of a VM leaves its vCPU to run: ioctl(KVM_RUN) goes on",
    run: (kvm) => {
      using program = new Program(kvm);
      const { raw, vm, vcpu, run } = program;
      assertEquals(raw.close(vm), 0);
      program.ok(vcpu, KVM_RUN);
      assertEquals(run.exit_reason, KVM_EXIT_HLT);
    },
  },
];
