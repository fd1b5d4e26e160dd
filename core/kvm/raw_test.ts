import { assertEquals, assertStrictEquals } from "@std/assert";
import { FakeBackend } from "../../tests/fake_backend.ts";
import * as abi from "../abi/mod.ts";
import { Kvm } from "./kvm.ts";
import { KvmError } from "./kvm_error.ts";
import { type RawArgument, RawKvm } from "./raw.ts";

const { EBADF, E2BIG, EEXIST, EFAULT, EINTR, EINVAL, ENODEV, ENOENT, EACCES } = abi.ERRNO;

/** The three kinds of descriptors, and the fake beneath. */
function open(): { raw: RawKvm; backend: FakeBackend; system: number; vm: number; vcpu: number } {
  const backend = new FakeBackend();
  const raw = new RawKvm(() => new Kvm(backend));
  const system = raw.open("/dev/kvm");
  const vm = raw.ioctl(system, abi.KVM_CREATE_VM, 0);
  const vcpu = raw.ioctl(vm, abi.KVM_CREATE_VCPU, 0);
  return { raw, backend, system, vm, vcpu };
}

/** A good argument for each ioctl. */
function goodArgument(row: abi.IoctlRow): RawArgument {
  switch (row.name) {
    case "KVM_CREATE_VCPU":
      return 1;
    case "KVM_GET_DIRTY_LOG":
      return { log: new abi.KvmDirtyLog({ slot: 0 }), bitmap: new Uint8Array(8) };
    case "KVM_GET_MSR_INDEX_LIST":
      return new abi.KvmMsrList(100);
    case "KVM_SET_SIGNAL_MASK":
      return new abi.KvmSignalMask(0n);
    default:
      return row.structure === null ? 0 : new Uint8Array(abi.LAYOUTS[row.structure].size);
  }
}

Deno.test("open() gives descriptors for /dev/kvm alone", () => {
  const { raw, system, vm, vcpu } = open();
  assertEquals([system, vm, vcpu], [3, 4, 5]);
  assertEquals(raw.open("/dev/null"), -ENOENT);
  assertEquals(raw.open("/dev/kvm"), 6);
});

Deno.test("open() gives the errno of the engine", () => {
  const raw = new RawKvm(() => {
    throw new KvmError("EACCES", "open /dev/kvm", "not permitted");
  });
  assertEquals(raw.open("/dev/kvm"), -EACCES);
});

for (const row of abi.IOCTLS) {
  Deno.test(`ioctl() ${row.name} works on its kind of descriptor and gives EINVAL on the others`, () => {
    const { raw, system, vm, vcpu } = open();
    const region = new abi.KvmMemoryRegion({ slot: 0, flags: 1, memory_size: 4096 });
    assertEquals(raw.ioctl(vm, abi.KVM_SET_MEMORY_REGION, region), 0);
    for (const [kind, fd] of Object.entries({ system, vm, vcpu })) {
      const result = raw.ioctl(fd, row.code, goodArgument(row));
      if (kind === row.fd) assertEquals(result >= 0, true, `${result}`);
      else assertEquals(result, -EINVAL);
    }
    assertEquals(raw.ioctl(99, row.code, goodArgument(row)), -EBADF);
  });

  if (row.argument === "none") {
    Deno.test(`ioctl() ${row.name} refuses an argument`, () => {
      const fds = open();
      for (const argument of [1, 1n, -1, new Uint8Array(8)]) {
        assertEquals(fds.raw.ioctl(fds[row.fd], row.code, argument), -EINVAL);
      }
      assertEquals(fds.raw.ioctl(fds[row.fd], row.code, 0n) >= 0, true);
      assertEquals(fds.raw.ioctl(fds[row.fd], row.code, null) >= 0, true);
    });
  }
  if (row.argument === "pointer") {
    Deno.test(`ioctl() ${row.name} gives EFAULT for too few bytes or a number`, () => {
      const fds = open();
      const { size } = abi.LAYOUTS[row.structure!];
      const arguments_: RawArgument[] = [new Uint8Array(size - 1), 1, 0x1000n];
      if (row.name !== "KVM_SET_SIGNAL_MASK") arguments_.push(0, 0n, null);
      if (row.name === "KVM_GET_DIRTY_LOG") arguments_.push(new Uint8Array(size));
      for (const argument of arguments_) assertEquals(fds.raw.ioctl(fds[row.fd], row.code, argument), -EFAULT);
    });
  }
}

Deno.test("ioctl() gives EINVAL for unknown requests, modern ones and changed directions", () => {
  const { raw, system, vm, vcpu } = open();
  for (const fd of [system, vm, vcpu]) {
    for (const request of [0, 0xae05, 0x4020ae46, 0xae81, abi.KVM_GET_REGS ^ 0x10000, 2 ** 32, NaN]) {
      assertEquals(raw.ioctl(fd, request, new Uint8Array(4096)), -EINVAL, `${request}`);
    }
  }
});

Deno.test("ioctl() takes the request as a signed number too", () => {
  const { raw, vcpu } = open();
  assertEquals(raw.ioctl(vcpu, abi.KVM_GET_REGS | 0, new abi.KvmRegs()), 0);
});

Deno.test("ioctl() writes into the caller's bytes at their offset", () => {
  const { raw, vcpu } = open();
  assertEquals(raw.ioctl(vcpu, abi.KVM_SET_REGS, new abi.KvmRegs({ rip: 0x1234n })), 0);
  const buffer = new ArrayBuffer(300);
  assertEquals(raw.ioctl(vcpu, abi.KVM_GET_REGS, new DataView(buffer, 40)), 0);
  assertEquals(new abi.KvmRegs(buffer, 40).rip, 0x1234n);
});

Deno.test("ioctl() gives the errors of the calls as negative numbers", () => {
  const { raw, system, vm, vcpu } = open();
  assertEquals(raw.ioctl(vm, abi.KVM_CREATE_VCPU, 0), -EEXIST);
  assertEquals(raw.ioctl(vm, abi.KVM_CREATE_VCPU, 16n), -EINVAL);
  assertEquals(raw.ioctl(vm, abi.KVM_CREATE_VCPU, new Uint8Array(8)), -EINVAL);
  assertEquals(raw.ioctl(vm, abi.KVM_SET_MEMORY_REGION, new abi.KvmMemoryRegion({ memory_size: 1 })), -EINVAL);
  assertEquals(raw.ioctl(vcpu, abi.KVM_INTERRUPT, new abi.KvmInterrupt({ irq: 256 })), -EINVAL);
  assertEquals(raw.ioctl(vcpu, abi.KVM_GET_MSRS, new abi.KvmMsrs(256)), -E2BIG);
  const bitmap = new Uint8Array(8);
  assertEquals(raw.ioctl(vm, abi.KVM_GET_DIRTY_LOG, { log: new abi.KvmDirtyLog({ slot: 0 }), bitmap }), -ENOENT);
  const list = new abi.KvmMsrList(1);
  assertEquals(raw.ioctl(system, abi.KVM_GET_MSR_INDEX_LIST, list), -E2BIG);
  assertEquals(list.nmsrs, 3);
});

Deno.test("ioctl() KVM_RUN gives EINTR with KVM_EXIT_INTR", () => {
  const { raw, backend, vcpu } = open();
  backend.vms[0].vcpus[0].signal(1);
  assertEquals(raw.ioctl(vcpu, abi.KVM_RUN), -EINTR);
  const page = raw.mmap(vcpu, 0, 4096) as Uint8Array;
  assertEquals(new abi.KvmRun(page).exit_reason, abi.KVM_EXIT_INTR);
});

Deno.test("ioctl() KVM_GET_DIRTY_LOG fills the bitmap beside the structure", () => {
  const { raw, backend, vm } = open();
  raw.ioctl(vm, abi.KVM_SET_MEMORY_REGION, new abi.KvmMemoryRegion({ slot: 2, flags: 1, memory_size: 0x4000 }));
  backend.vms[0].guestWrite(0x3000, 1);
  const bitmap = new Uint32Array(2);
  assertEquals(raw.ioctl(vm, abi.KVM_GET_DIRTY_LOG, { log: new abi.KvmDirtyLog({ slot: 2 }), bitmap }), 0);
  assertEquals([...bitmap], [8, 0]);
});

Deno.test("ioctl() KVM_SET_SIGNAL_MASK takes a null pointer", () => {
  const { raw, backend, vcpu } = open();
  for (const none of [0, 0n, null]) assertEquals(raw.ioctl(vcpu, abi.KVM_SET_SIGNAL_MASK, none), 0);
  assertEquals(backend.vms[0].vcpus[0].calls.length, 3);
});

Deno.test("mmap() gives guest memory, kvm_run, and errors", () => {
  const { raw, backend, system, vm, vcpu } = open();
  raw.ioctl(vm, abi.KVM_SET_MEMORY_REGION, new abi.KvmMemoryRegion({ guest_phys_addr: 0x1000, memory_size: 0x2000 }));
  const memory = raw.mmap(vm, 0x2000n, 4096) as Uint8Array;
  memory[0] = 7;
  assertEquals([...backend.vms[0].memories][0].bytes[4096], 7);
  assertStrictEquals((raw.mmap(vcpu, 0, 8192) as Uint8Array).buffer, backend.vms[0].vcpus[0].shared.buffer);
  assertEquals((raw.mmap(vcpu, 4096, 4096) as Uint8Array).byteOffset, 4096);
  assertEquals(raw.mmap(vcpu, 0, 8193), -EFAULT);
  assertEquals(raw.mmap(vcpu, -4096, 4096), -EFAULT);
  assertEquals(raw.mmap(vm, 0, 4096), -EFAULT);
  assertEquals(raw.mmap(vm, 0x2000, 0x2000), -EFAULT);
  for (const offset of [1, 0.5, NaN, 1n]) assertEquals(raw.mmap(vm, offset, 4096), -EINVAL);
  for (const length of [0, -1, 0.5, NaN]) assertEquals(raw.mmap(vm, 0x1000, length), -EINVAL);
  assertEquals(raw.mmap(system, 0, 4096), -ENODEV);
  assertEquals(raw.mmap(77, 0, 4096), -EBADF);
});

Deno.test("close() frees the descriptor; a VM lives until its vCPUs are closed", () => {
  const { raw, backend, system, vm, vcpu } = open();
  assertEquals(raw.close(vm), 0);
  assertEquals(raw.close(vm), -EBADF);
  assertEquals(raw.ioctl(vm, abi.KVM_CREATE_VCPU, 1), -EBADF);
  assertEquals(raw.ioctl(vcpu, abi.KVM_RUN), 0);
  assertEquals(raw.close(system), 0);
  assertEquals([backend.vms[0].closed, backend.closed], [false, false]);
  assertEquals(raw.close(vcpu), 0);
  assertEquals([backend.vms[0].vcpus[0].closed, backend.vms[0].closed, backend.closed], [true, true, true]);
  assertEquals(raw.open("/dev/kvm"), 3);
});

Deno.test("RawKvm disposed closes everything", () => {
  const { raw, backend } = open();
  raw[Symbol.dispose]();
  assertEquals([backend.vms[0].closed, backend.closed], [true, true]);
});
