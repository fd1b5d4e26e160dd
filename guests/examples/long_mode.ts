/**
 * A 64-bit guest, set up in five lines. It multiplies two 64-bit numbers and leaves the product in RDX:RAX.
 *
 *     deno run guests/examples/long_mode.ts
 *     deno run --allow-ffi guests/examples/long_mode.ts kvm
 *
 * @module
 */

import {
  buildPageTables,
  KVM_EXIT_HLT,
  KVM_EXIT_NAMES,
  KvmRegs,
  longModeRegisters,
  longModeSegments,
  openKvm,
} from "../../mod.ts";

const code = Uint8Array.of(
  ...[0x48, 0xf7, 0xe3], // mul rbx
  ...[0xf4], //             hlt
);
const a = 0xfedc_ba98_7654_3210n, b = 0x1234_5678_9abc_def0n;

using kvm = openKvm({ backend: Deno.args[0] === "kvm" ? "kvm" : "soft" });
using vm = kvm.createVm();
vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 1 << 20 });
vm.write(0x10000, code);
using vcpu = vm.createVcpu(0);

// The five lines: page tables for the first GiB, segments and control registers, where to begin.
vm.write(0x2000, buildPageTables({ address: 0x2000, size: 1 << 30 }));
const sregs = vcpu.getSregs();
Object.assign(sregs, longModeSegments(), longModeRegisters(0x2000));
vcpu.setSregs(sregs);
vcpu.setRegs(new KvmRegs({ rip: 0x10000, rsp: 0x8000, rax: a, rbx: b, rflags: 2 }));

const exit = vcpu.run();
if (exit.reason !== KVM_EXIT_HLT) throw new Error(`unexpected ${KVM_EXIT_NAMES[exit.reason]}`);
const { rax, rdx } = vcpu.getRegs();
const product = rdx << 64n | rax;
console.log(`0x${a.toString(16)} * 0x${b.toString(16)} = 0x${product.toString(16)}`);
if (product !== a * b) throw new Error("the guest cannot multiply");
