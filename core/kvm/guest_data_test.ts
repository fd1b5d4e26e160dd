import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FakeBackend, type FakeVm } from "../../tests/fake_backend.ts";
import { KVM_MEM_LOG_DIRTY_PAGES } from "../abi/constants.ts";
import { KvmSegment } from "../abi/regs.ts";
import type { BackendMemory } from "./backend.ts";
import { dirtyAddresses, readStretch, writeStretch } from "./guest_data.ts";
import { Kvm } from "./kvm.ts";
import { KvmError } from "./kvm_error.ts";
import type { Vm } from "./vm.ts";

/** Two slots that follow each other, 16 KiB from 0. */
function machine(flags = 0): { vm: Vm; fake: FakeVm } {
  const backend = new FakeBackend();
  const vm = new Kvm(backend).createVm();
  vm.setMemoryRegion({ slot: 0, flags, guest_phys_addr: 0, memory_size: 0x2000 });
  vm.setMemoryRegion({ slot: 1, guest_phys_addr: 0x2000, memory_size: 0x2000 });
  return { vm, fake: backend.vms[0] };
}

Deno.test("read() and write() take arrays, views and structures", () => {
  const { vm } = machine();
  const segment = new KvmSegment({ base: 0x1234, limit: 0xffff, selector: 8 });
  vm.write(0x1ff8, segment);
  const copy = new KvmSegment();
  assertStrictEquals(vm.read(0x1ff8, copy), copy);
  assertEquals(copy.bytes, segment.bytes);
  vm.write(0x10, Uint32Array.of(1, 0xdeadbeef));
  assertEquals(vm.read(0x14, new DataView(new ArrayBuffer(4))).getUint32(0, true), 0xdeadbeef);
  assertEquals(vm.read(0x10, 5), Uint8Array.of(1, 0, 0, 0, 0xef));
  assertEquals(vm.dataView(0x10, 8).getUint32(4, true), 0xdeadbeef);
});

Deno.test("read() that fails leaves what it was to fill", () => {
  const { vm } = machine();
  const bytes = new Uint8Array(32).fill(7);
  assertEquals(assertThrows(() => vm.read(0x3ff0, bytes), KvmError).code, "EFAULT");
  assertEquals(bytes, new Uint8Array(32).fill(7));
});

Deno.test("write() and readString() have text in UTF-8, across slots", () => {
  const { vm } = machine();
  vm.write(0x1ffe, "grün 🙂\0rest");
  assertEquals(vm.readString(0x1ffe), "grün 🙂");
  assertEquals(vm.readString(0x1ffe, { length: 5 }), "grün");
  assertEquals(vm.readString(0x1000, { length: 0 }), "");
  vm.write(0x20, Uint8Array.of(0xff, 0x41, 0));
  assertEquals(vm.readString(0x20), "\ufffdA");
});

Deno.test("readString() looks for the end no further than told, and not beyond it", () => {
  const { vm } = machine();
  vm.write(0x3ff0, "0123456789abcde\0");
  assertEquals(vm.readString(0x3ff0), "0123456789abcde");
  const error = assertThrows(() => vm.readString(0x3ff0, { most: 15 }), KvmError, "no byte 0 in 15 bytes from 0x3ff0");
  assertEquals(error.code, "E2BIG");
  vm.write(0x3fff, "f");
  assertEquals(assertThrows(() => vm.readString(0x3ff0), KvmError, "no memory at 0x4000").code, "EFAULT");
  assertEquals(assertThrows(() => vm.readString(0, { most: -1 }), KvmError).code, "EINVAL");
});

Deno.test("dirtyPages() gives guest-physical addresses once", () => {
  const { vm, fake } = machine(KVM_MEM_LOG_DIRTY_PAGES);
  vm.setMemoryRegion({ slot: 0, flags: KVM_MEM_LOG_DIRTY_PAGES, guest_phys_addr: 0x8000_0000, memory_size: 0x2000 });
  fake.guestWrite(0x8000_1008, 1);
  assertEquals([...vm.dirtyPages(0)], [0x8000_1000]);
  assertEquals([...vm.dirtyPages(0)], []);
  assertEquals(assertThrows(() => vm.dirtyPages(1), KvmError).code, "ENOENT");
});

Deno.test("dirtyPages() fetches the log when it is called", () => {
  const { vm, fake } = machine(KVM_MEM_LOG_DIRTY_PAGES);
  fake.guestWrite(0, 1);
  const pages = vm.dirtyPages(0);
  fake.guestWrite(0x1000, 1);
  assertEquals([...pages, "then", ...vm.dirtyPages(0)], [0, "then", 0x1000]);
});

Deno.test("dirtyAddresses() goes through all bits", () => {
  const bitmap = Uint8Array.of(0x81, 0, 0xff, 0x10);
  const pages = [...dirtyAddresses(bitmap, 0x10000)].map((address) => (address - 0x10000) / 4096);
  assertEquals(pages, [0, 7, 16, 17, 18, 19, 20, 21, 22, 23, 28]);
});

Deno.test("readStretch() and writeStretch() leave the view alone where the engine can copy", () => {
  const calls: unknown[] = [];
  const memory: BackendMemory = {
    get bytes(): Uint8Array {
      throw new Error("the view was asked for");
    },
    read: (offset, into) => void calls.push(["read", offset, into.length]),
    write: (offset, bytes) => void calls.push(["write", offset, [...bytes]]),
  };
  readStretch({ memory, offset: 5, length: 2 }, new Uint8Array(2));
  writeStretch({ memory, offset: 6, length: 1 }, Uint8Array.of(9));
  assertEquals(calls, [["read", 5, 2], ["write", 6, [9]]]);
});
