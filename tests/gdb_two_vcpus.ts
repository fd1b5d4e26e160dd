/**
 * A small virtual machine monitor with two processors under gdb, for gdb_test.ts: `IMAGE ENTRY` is a flat 64-bit binary for
 * 0x100000. The first processor begins at the entry; the second computes for ever. It ends with the first HLT or power-off.
 */

import { Debugger, GdbListener } from "../core/debug/mod.ts";
import { KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_IO_OUT, KvmRegs, openKvm } from "../mod.ts";
import { longMode, region } from "./conformance/harness.ts";

const SPIN = 0x2000;

using kvm = openKvm({ backend: "soft" });
using vm = kvm.createVm();
region(vm, 0, 0, 0x200000);
vm.write(0x100000, Deno.readFileSync(Deno.args[0]));
vm.write(SPIN, Uint8Array.of(0x48, 0xff, 0xc0, 0xeb, 0xfb)); // inc rax; jmp $-3
const vcpus = [0, 1].map((slot) => vm.createVcpu(slot));
for (const vcpu of vcpus) {
  const sregs = vcpu.getSregs();
  longMode(vm, sregs);
  vcpu.setSregs(sregs);
}
vcpus[0].setRegs(new KvmRegs({ rip: BigInt(Deno.args[1]), rsp: 0xf0000, rflags: 2 }));
vcpus[1].setRegs(new KvmRegs({ rip: SPIN, rsp: 0xe0000, rflags: 2 }));

const debug = new Debugger({ vm, vcpus, stopped: true });
const gdb = new GdbListener({ debug, port: 0 });
console.error(`target remote 127.0.0.1:${gdb.port}`);

let ended = false;
while (!ended && !debug.killed) {
  await debug.paused();
  for (let n = 0; n < vcpus.length && !ended; n++) {
    const exit = debug.run({ maxInstructions: 10_000 }, n);
    if (exit.reason === KVM_EXIT_HLT) ended = true;
    if (exit.reason === KVM_EXIT_IO && exit.direction === KVM_EXIT_IO_OUT && exit.port === 0x604) ended = true;
  }
  await new Promise((resolve) => setTimeout(resolve));
}
await gdb.exited(0);
