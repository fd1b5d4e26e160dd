import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_INTR, KvmRegs, openKvm, type Vcpu, type Vm } from "../../mod.ts";

/** A machine that enters 0x1000 in real mode. */
function machine(engine: "auto" | "interpreter" | "translator" | "both", body: (vm: Vm, vcpu: Vcpu) => void): void {
  using kvm = openKvm({ backend: "soft", engine });
  using vm = kvm.createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x10000 });
  using vcpu = vm.createVcpu(0);
  const sregs = vcpu.getSregs();
  sregs.cs.base = 0n;
  sregs.cs.selector = 0;
  vcpu.setSregs(sregs);
  body(vm, vcpu);
}

for (const engine of ["auto", "interpreter", "translator", "both"] as const) {
  Deno.test(`BackendMemory.write() is seen by code that was decoded before [${engine}]`, () => {
    machine(engine, (vm, vcpu) => {
      const run = (): number => {
        vcpu.setRegs(new KvmRegs({ rip: 0x1000, rflags: 2 }));
        assertEquals(vcpu.run().reason, KVM_EXIT_HLT);
        return vcpu.getRegs().rax_lo;
      };
      vm.write(0x1000, Uint8Array.of(0xb0, 1, 0xf4)); // mov al, 1; hlt
      assertEquals(run(), 1);
      vm.write(0x1001, Uint8Array.of(2));
      assertEquals(run(), 2);
      const pages = new Uint8Array(0x3000);
      pages.set([0xb0, 3, 0xf4], 0x800);
      vm.write(0x800, pages); // from the page before to the page behind
      assertEquals(run(), 3);
    });
  });

  Deno.test(`BackendMemory.write() ends a loop that was hot [${engine}]`, () => {
    machine(engine, (vm, vcpu) => {
      vm.write(0x1000, Uint8Array.of(0x40, 0xeb, 0xfd)); // inc ax; jmp $-1
      vcpu.setRegs(new KvmRegs({ rip: 0x1000, rflags: 2 }));
      assertEquals(vcpu.run({ maxInstructions: 300_000 }).reason, KVM_EXIT_INTR);
      vm.write(0x1000, Uint8Array.of(0xf4)); // hlt
      assertEquals(vcpu.run({ maxInstructions: 10 }).reason, KVM_EXIT_HLT);
    });
  });
}
