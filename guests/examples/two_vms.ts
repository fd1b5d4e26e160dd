/**
 * Two virtual machines at once, in one thread: each computes for a while and then writes a digit, eight of them. A timer of
 * the host program ticks all the time, since the guests run in slices.
 *
 *     deno run guests/examples/two_vms.ts
 *     deno run --allow-ffi guests/examples/two_vms.ts kvm
 *
 * @module
 */

import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_NAMES,
  KvmRegs,
  openKvm,
  protectedModeRegisters,
  protectedModeSegments,
} from "../../mod.ts";

const code = Uint8Array.of(
  ...[0xb0, 0x31], //       1000 mov al, '1'
  ...[0x89, 0xd9], //       1002 mov ecx, ebx
  ...[0x49], //             1004 dec ecx           ; computes
  ...[0x75, 0xfd], //       1005 jnz 1004
  ...[0xe6, 0xe9], //       1007 out 0xe9, al
  ...[0xfe, 0xc0], //       1009 inc al
  ...[0x3c, 0x39], //       100b cmp al, '9'
  ...[0x75, 0xf3], //       100d jne 1002
  ...[0xf4], //             100f hlt
);

using kvm = openKvm({ backend: Deno.args[0] === "kvm" ? "kvm" : "soft" });

/** Runs a machine to its end, and hands on its digits. */
async function machine(loops: number, print: (digit: string) => void): Promise<void> {
  using vm = kvm.createVm();
  vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
  vm.write(0x1000, code);
  using vcpu = vm.createVcpu(0);
  vcpu.setSregs(Object.assign(vcpu.getSregs(), protectedModeSegments(), protectedModeRegisters()));
  vcpu.setRegs(new KvmRegs({ rip: 0x1000, rbx: loops, rflags: 2 }));
  const signal = AbortSignal.timeout(60_000);
  for (;;) {
    const exit = await vcpu.runAsync({ signal });
    if (exit.reason === KVM_EXIT_HLT) return;
    if (exit.reason !== KVM_EXIT_IO) throw new Error(`unexpected ${KVM_EXIT_NAMES[exit.reason]}`);
    print(String.fromCharCode(exit.readUint()));
  }
}

// Engines differ in speed by a factor of thousand: so many loops that a machine takes a quarter of a second.
let loops = 1000;
for (let took = 0; took < 250; loops *= 2) {
  const start = performance.now();
  await machine(loops, () => {});
  took = performance.now() - start;
}

let output = "", ticks = 0;
const show = (text: string): void => {
  output += text;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
};
const timer = setInterval(() => ticks++, 5);
await Promise.all(["a", "b"].map((name) => machine(loops, (digit) => show(`${name}${digit} `))));
clearInterval(timer);
const interleaved = output.indexOf("b") < output.lastIndexOf("a") && output.indexOf("a") < output.lastIndexOf("b");
console.log(`\ninterleaved: ${interleaved ? "yes" : "no"}; the timer ticked meanwhile: ${ticks > 0 ? "yes" : "no"}`);
