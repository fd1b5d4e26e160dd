import { assertEquals } from "@std/assert";
import { openKvm } from "../mod.ts";
import { VmMemory } from "./guest_memory.ts";

Deno.test("VmMemory reads all ones where there is no memory, and loses what is written there", () => {
  using kvm = openKvm({ backend: "soft" });
  using vm = kvm.createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
  vm.setMemoryRegion({ slot: 1, guest_phys_addr: 0x3000, memory_size: 0x1000 });
  const memory = new VmMemory(vm);
  memory.write(0x1ffe, Uint8Array.from({ length: 0x1004 }, (_, i) => i < 2 || i > 0x1001 ? 0x11 * (i & 7) : 0x99));
  const read = new Uint8Array(0x1006);
  memory.read(0x1ffd, read);
  assertEquals([...read.subarray(0, 5)], [0, 0, 0x11, 0xff, 0xff]);
  assertEquals([...read.subarray(-3)], [0x22, 0x33, 0]);
  memory.read(2 ** 52, read);
  assertEquals(read.every((byte) => byte === 0xff), true);
  memory.write(2 ** 52 - 2, read);
});
