/**
 * How fast exits are served, on each engine that there is here.
 * @module
 */

import { KVM_EXIT_IO, KvmRegs, openKvm, type Vcpu } from "../mod.ts";
import { BACKENDS, code } from "./cli_support.ts";

const EXITS = 1000;

/** A processor in real mode at 0:1000 that writes to a port for ever. */
function busyVcpu(backend: "soft" | "kvm"): Vcpu {
  const vm = openKvm({ backend }).createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
  vm.write(0x1000, code([["out 0x80, al", "e6 80"], ["jmp $-2", "eb fc"]]));
  const vcpu = vm.createVcpu(0);
  const sregs = vcpu.getSregs();
  sregs.cs.base = 0n;
  sregs.cs.selector = 0;
  vcpu.setSregs(sregs);
  vcpu.setRegs(new KvmRegs({ rip: 0x1000, rflags: 2 }));
  return vcpu;
}

for (const { name, missing } of BACKENDS) {
  if (missing !== undefined) continue;
  const vcpu = busyVcpu(name);
  Deno.bench({
    name: `${EXITS} port exits [${name}]`,
    fn() {
      for (let i = 0; i < EXITS; i++) {
        if (vcpu.run().reason !== KVM_EXIT_IO) throw new Error("not a port exit");
      }
    },
  });
}
