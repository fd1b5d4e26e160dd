/**
 * The program of `tiny_ioctl.ts` with objects: what fails throws, what was opened closes itself.
 *
 *     deno run guests/examples/tiny_objects.ts
 *     deno run --allow-ffi guests/examples/tiny_objects.ts kvm
 *
 * @module
 */

import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_OUT,
  KVM_EXIT_NAMES,
  KvmRegs,
  openKvm,
  realModeSegments,
} from "../../mod.ts";

const code = Uint8Array.of(
  ...[0xba, 0xf8, 0x03], // mov dx, 0x3f8
  ...[0x00, 0xd8], //       add al, bl
  ...[0x04, 0x30], //       add al, '0'
  ...[0xee], //             out dx, al
  ...[0xb0, 0x0a], //       mov al, '\n'
  ...[0xee], //             out dx, al
  ...[0xf4], //             hlt
);

using kvm = openKvm({ backend: Deno.args[0] === "kvm" ? "kvm" : "soft" });
using vm = kvm.createVm();
vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
vm.write(0x1000, code);

using vcpu = vm.createVcpu(0);
vcpu.setSregs(Object.assign(vcpu.getSregs(), realModeSegments(0)));
vcpu.setRegs(new KvmRegs({ rip: 0x1000, rax: 2, rbx: 2, rflags: 2 }));

run: for (;;) {
  const exit = vcpu.run();
  switch (exit.reason) {
    case KVM_EXIT_HLT:
      console.log("KVM_EXIT_HLT");
      break run;
    case KVM_EXIT_IO:
      // In this branch `exit` is known to be an IoExit.
      if (exit.direction !== KVM_EXIT_IO_OUT || exit.port !== 0x3f8) throw new Error(`unexpected port ${exit.port}`);
      Deno.stdout.writeSync(exit.data);
      break;
    default:
      throw new Error(`unexpected ${KVM_EXIT_NAMES[exit.reason]}`);
  }
}
