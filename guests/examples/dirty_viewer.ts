/**
 * Shows live which pages a guest writes: a line for each look at the dirty log, a character for each page. The guest walks
 * through its memory and writes a byte to every page, and begins anew at the end; the program ends after ten looks.
 *
 *     deno run guests/examples/dirty_viewer.ts
 *     deno run --allow-ffi guests/examples/dirty_viewer.ts kvm
 *
 * @module
 */

import {
  KVM_EXIT_IO,
  KVM_EXIT_NAMES,
  KVM_MEM_LOG_DIRTY_PAGES,
  KvmRegs,
  openKvm,
  PAGE_SIZE,
  protectedModeRegisters,
  protectedModeSegments,
} from "../../mod.ts";

const BASE = 0x10_0000, PAGES = 64, LOOKS = 10;

const code = Uint8Array.of(
  ...[0xbf, 0x00, 0x00, 0x10, 0x00], //       1000 mov edi, 0x100000
  ...[0xb9, 0x40, 0x00, 0x00, 0x00], //       1005 mov ecx, 64
  ...[0xfe, 0x07], //                         100a inc byte [edi]
  ...[0xe6, 0x80], //                         100c out 0x80, al         ; "a page is done"
  ...[0x81, 0xc7, 0x00, 0x10, 0x00, 0x00], // 100e add edi, 0x1000
  ...[0xe2, 0xf4], //                         1014 loop 100a
  ...[0xeb, 0xe8], //                         1016 jmp 1000
);

using kvm = openKvm({ backend: Deno.args[0] === "kvm" ? "kvm" : "soft" });
using vm = kvm.createVm();
vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x2000 });
vm.setMemoryRegion({
  slot: 1,
  flags: KVM_MEM_LOG_DIRTY_PAGES,
  guest_phys_addr: BASE,
  memory_size: PAGES * PAGE_SIZE,
});
vm.write(0x1000, code);

using vcpu = vm.createVcpu(0);
vcpu.setSregs(Object.assign(vcpu.getSregs(), protectedModeSegments(), protectedModeRegisters()));
vcpu.setRegs(new KvmRegs({ rip: 0x1000, rflags: 2 }));

for (let look = 0; look < LOOKS; look++) {
  // The guest gets on by a few pages more each time.
  for (let page = 0; page < 3 + look; page++) {
    const exit = await vcpu.runAsync();
    if (exit.reason !== KVM_EXIT_IO) throw new Error(`unexpected ${KVM_EXIT_NAMES[exit.reason]}`);
  }
  const line = new Array<string>(PAGES).fill(".");
  for (const page of vm.dirtyPages(1)) line[(page - BASE) / PAGE_SIZE] = "#";
  console.log(line.join(""));
  await new Promise((resolve) => setTimeout(resolve, 50));
}
