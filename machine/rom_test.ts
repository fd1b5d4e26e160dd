import { assertEquals } from "@std/assert";
import { openKvm } from "../mod.ts";
import { pcMemory } from "./memory_layout.ts";
import { loadRom, romRegion } from "./rom.ts";

Deno.test("loadRom() shows an image below 4 GiB, and its end below 1 MiB", () => {
  for (const size of [0x10000, 0x20000, 0x40000]) {
    const image = Uint8Array.from({ length: size }, (_, i) => i >> 12);
    using kvm = openKvm({ backend: "soft" });
    using vm = kvm.createVm();
    for (const { slot, base, size } of [...pcMemory(2 ** 21), romRegion(image)]) {
      vm.setMemoryRegion({ slot, guest_phys_addr: base, memory_size: size });
    }
    loadRom(vm, image);
    assertEquals(vm.read(2 ** 32 - size, size), image);
    const shadow = Math.min(size, 0x20000);
    assertEquals(vm.read(2 ** 20 - shadow, shadow), image.subarray(-shadow));
  }
});
