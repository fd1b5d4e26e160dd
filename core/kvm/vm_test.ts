import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FakeBackend, type FakeMemory, type FakeVm } from "../../tests/fake_backend.ts";
import { KVM_MEM_LOG_DIRTY_PAGES } from "../abi/constants.ts";
import type { ErrnoName } from "../abi/errno.ts";
import { Kvm } from "./kvm.ts";
import { KvmError } from "./kvm_error.ts";
import type { Vm } from "./vm.ts";

const PAGE = 4096;

/** A VM and the fake beneath it. */
function machine(): { kvm: Kvm; vm: Vm; fake: FakeVm; backend: FakeBackend } {
  const backend = new FakeBackend();
  const kvm = new Kvm(backend);
  const vm = kvm.createVm();
  return { kvm, vm, fake: backend.vms[0], backend };
}

function refuses(code: ErrnoName, text: string, call: () => unknown): void {
  assertEquals(assertThrows(call, KvmError, text).code, code);
}

function region(vm: Vm, slot: number, gpa: number, pages: number, flags: number = 0): void {
  vm.setMemoryRegion({ slot, flags, guest_phys_addr: gpa, memory_size: pages * PAGE });
}

Deno.test("createVcpu() refuses slots out of range and taken ones, closed or not", () => {
  const { vm, fake } = machine();
  for (let slot = 0; slot < 16; slot++) assertEquals(vm.createVcpu(slot).id, slot);
  for (const slot of [16, -1, 0.5, NaN, 2 ** 32]) refuses("EINVAL", "Cannot create vCPU", () => vm.createVcpu(slot));
  refuses("EEXIST", "Cannot create vCPU 3: the slot is taken", () => vm.createVcpu(3));
  assertEquals(fake.vcpus.length, 16);
});

Deno.test("createVcpu() keeps the slot of a closed vCPU taken", () => {
  const { vm } = machine();
  vm.createVcpu(0)[Symbol.dispose]();
  refuses("EEXIST", "taken", () => vm.createVcpu(0));
});

Deno.test("setMemoryRegion() gives memory back on deletion", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 4);
  assertEquals(fake.memories.size, 1);
  region(vm, 0, 0, 0);
  assertEquals(fake.memories.size, 0);
  assertEquals(fake.ranges, []);
});

Deno.test("setMemoryRegion() passes ENOMEM on and changes nothing", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 1);
  fake.room = PAGE;
  refuses("ENOMEM", "no room", () => region(vm, 1, PAGE, 2));
  assertEquals(fake.ranges.length, 1);
  region(vm, 1, PAGE, 1);
});

Deno.test("setMemoryRegion() takes everything back when the engine refuses the map", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 1);
  fake.refuseMap = true;
  refuses("ENOSPC", "the fake refuses", () => region(vm, 1, PAGE, 1));
  assertEquals(fake.memories.size, 1);
  assertEquals(fake.ranges.length, 1);
  fake.refuseMap = true;
  refuses("ENOSPC", "the fake refuses", () => region(vm, 0, 0, 0));
  assertEquals(vm.memory(0, PAGE).length, PAGE);
  fake.refuseMap = true;
  refuses(
    "ENOSPC",
    "the fake refuses",
    () => vm.setMemoryAlias({ slot: 0, guest_phys_addr: 0, memory_size: PAGE, target_phys_addr: 0x8000 }),
  );
  assertEquals(vm.memory(0, PAGE).length, PAGE);
});

Deno.test("setMemoryRegion() moves contents and forgets them on deletion", () => {
  const { vm } = machine();
  region(vm, 0, 0, 1);
  vm.write(5, Uint8Array.of(1, 2, 3));
  region(vm, 0, 8 * PAGE, 1);
  assertEquals([...vm.read(8 * PAGE + 5, 3)], [1, 2, 3]);
  refuses("EFAULT", "there is no memory at 0x5", () => vm.read(5, 1));
  region(vm, 0, 0, 0);
  region(vm, 0, 0, 1);
  assertEquals([...vm.read(5, 3)], [0, 0, 0]);
});

Deno.test("getDirtyLog() refuses a bad slot, an unused one, one without log, a short bitmap", () => {
  const { vm } = machine();
  region(vm, 0, 0, 65, KVM_MEM_LOG_DIRTY_PAGES);
  region(vm, 1, 0x100000, 1);
  for (const slot of [32, -1, 1.5]) refuses("EINVAL", "the slots are 0 to 31", () => vm.getDirtyLog(slot));
  refuses("ENOENT", "it has none", () => vm.getDirtyLog(1));
  refuses("ENOENT", "it has none", () => vm.getDirtyLog(2));
  refuses("EFAULT", "the bitmap has 16 bytes", () => vm.getDirtyLog(0, new Uint8Array(15)));
});

Deno.test("getDirtyLog() copies one bit a page, rounded up to 8 bytes, and clears", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 65, KVM_MEM_LOG_DIRTY_PAGES);
  fake.guestWrite(0, 1);
  fake.guestWrite(9 * PAGE + 7, 1);
  fake.guestWrite(64 * PAGE, 1);
  const into = new Uint8Array(20).fill(0xff);
  assertStrictEquals(vm.getDirtyLog(0, into), into);
  assertEquals([...into], [1, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
  assertEquals([...vm.getDirtyLog(0)], new Array(16).fill(0));
});

Deno.test("getDirtyLog() that fails for want of room keeps the marks", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 1, KVM_MEM_LOG_DIRTY_PAGES);
  fake.guestWrite(0, 1);
  refuses("EFAULT", "room for 0", () => vm.getDirtyLog(0, new Uint8Array(0)));
  assertEquals(vm.getDirtyLog(0)[0], 1);
});

Deno.test("getDirtyLog() does not see host writes", () => {
  const { vm } = machine();
  region(vm, 0, 0, 1, KVM_MEM_LOG_DIRTY_PAGES);
  vm.write(0, Uint8Array.of(1));
  vm.memory(0, 16).fill(1);
  assertEquals(vm.getDirtyLog(0)[0], 0);
});

Deno.test("getDirtyLog() starts empty when the log is switched off and on", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 1, KVM_MEM_LOG_DIRTY_PAGES);
  fake.guestWrite(0, 1);
  region(vm, 0, 0, 1);
  fake.guestWrite(0, 2);
  region(vm, 0, 0, 1, KVM_MEM_LOG_DIRTY_PAGES);
  assertEquals(vm.getDirtyLog(0)[0], 0);
  assertEquals(vm.read(0, 1)[0], 2);
});

Deno.test("getDirtyLog() keeps marks over a move, and has the target's page for a write through an alias", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 4, KVM_MEM_LOG_DIRTY_PAGES);
  vm.setMemoryAlias({ slot: 0, guest_phys_addr: 0x10000, memory_size: PAGE, target_phys_addr: 2 * PAGE });
  fake.guestWrite(0x10000, 1);
  region(vm, 0, 0x20000, 4, KVM_MEM_LOG_DIRTY_PAGES);
  assertEquals(vm.getDirtyLog(0)[0], 4);
});

Deno.test("memory() views slots and aliases without copying", () => {
  const { vm } = machine();
  region(vm, 0, 0x10000, 4);
  vm.setMemoryAlias({ slot: 0, guest_phys_addr: 0, memory_size: PAGE, target_phys_addr: 0x11000 });
  vm.memory(0, 8).fill(7);
  assertEquals(vm.memory(0x11000n, 1)[0], 7);
  assertEquals(vm.memory(0x11008, 1)[0], 0);
  assertEquals(vm.memory(0x10000, 0).length, 0);
});

Deno.test("memory() refuses holes, two slots, and impossible addresses and lengths", () => {
  const { vm } = machine();
  region(vm, 0, 0, 1);
  region(vm, 1, PAGE, 1);
  refuses("EFAULT", "at 0x1000 it does not go on as at 0xfff", () => vm.memory(PAGE - 1, 2));
  refuses("EFAULT", "there is no memory at 0x2000", () => vm.memory(2 * PAGE, 1));
  refuses("EFAULT", "at 0x2000", () => vm.memory(PAGE, PAGE + 1));
  refuses("EFAULT", "there is no memory", () => vm.memory((1n << 64n) - 1n, 2));
  for (const gpa of [-1, 0.5, NaN, -1n, 1n << 64n, 2 ** 60]) {
    refuses("EINVAL", "is no address", () => vm.memory(gpa, 1));
  }
  for (const length of [-1, 0.5, NaN, Infinity]) refuses("EINVAL", "no number of bytes", () => vm.memory(0, length));
});

Deno.test("memory() looks at the backend's bytes at each call", () => {
  const { vm, fake } = machine();
  region(vm, 0, 0, 1);
  const [memory] = fake.memories;
  (memory as FakeMemory).bytes = new Uint8Array(PAGE).fill(9);
  assertEquals(vm.memory(0, 1)[0], 9);
  assertEquals(vm.read(0, 1)[0], 9);
});

Deno.test("read() and write() go across slots", () => {
  const { vm } = machine();
  region(vm, 0, 0, 1);
  region(vm, 1, PAGE, 1);
  vm.write(PAGE - 2, Uint8Array.of(1, 2, 3, 4));
  assertEquals([...vm.memory(PAGE - 2, 2), ...vm.memory(PAGE, 2)], [1, 2, 3, 4]);
  const into = new Uint8Array(4);
  assertStrictEquals(vm.read(PAGE - 2, into), into);
  assertEquals([...into], [1, 2, 3, 4]);
  assertEquals(vm.read(0x999000, 0).length, 0);
});

Deno.test("write() writes nothing if a byte has no memory", () => {
  const { vm } = machine();
  region(vm, 0, 0, 1);
  refuses("EFAULT", "there is no memory at 0x1000", () => vm.write(PAGE - 1, Uint8Array.of(1, 2)));
  assertEquals(vm.read(PAGE - 1, 1)[0], 0);
});

Deno.test("Vm closed gives EBADF and closes its vCPUs", () => {
  const { kvm, vm, fake, backend } = machine();
  const vcpu = vm.createVcpu(0);
  vm[Symbol.dispose]();
  vm[Symbol.dispose]();
  assertEquals([vm.closed, vcpu.closed, fake.closed, fake.vcpus[0].closed], [true, true, true, true]);
  refuses("EBADF", "the VM is closed", () => vm.createVcpu(1));
  refuses("EBADF", "the VM is closed", () => region(vm, 0, 0, 1));
  refuses("EBADF", "the VM is closed", () => vm.setMemoryAlias({ slot: 0 }));
  refuses("EBADF", "the VM is closed", () => vm.getDirtyLog(0));
  refuses("EBADF", "the VM is closed", () => vm.memory(0, 1));
  refuses("EBADF", "the VM is closed", () => vm.read(0, 1));
  refuses("EBADF", "the VM is closed", () => vm.write(0, new Uint8Array(1)));
  assertEquals(backend.closed, false);
  kvm[Symbol.dispose]();
  assertEquals(backend.closed, true);
});

Deno.test("Kvm closed before its VMs keeps the engine for them", () => {
  const { kvm, vm, backend } = machine();
  kvm[Symbol.dispose]();
  refuses("EBADF", "KVM is closed", () => kvm.createVm());
  refuses("EBADF", "KVM is closed", () => kvm.getApiVersion());
  refuses("EBADF", "KVM is closed", () => kvm.getMsrIndexList());
  refuses("EBADF", "KVM is closed", () => kvm.checkExtension(0));
  refuses("EBADF", "KVM is closed", () => kvm.getVcpuMmapSize());
  region(vm, 0, 0, 1);
  assertEquals(backend.closed, false);
  vm[Symbol.dispose]();
  assertEquals(backend.closed, true);
});
