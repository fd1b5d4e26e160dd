/**
 * Tells a guest that it runs on a processor that never was: the guest asks CPUID for the vendor and the brand, and writes the
 * registers to port 0xe9.
 *
 *     deno run guests/examples/cpuid_spoof.ts
 *     deno run --allow-ffi guests/examples/cpuid_spoof.ts kvm
 *
 * @module
 */

import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_NAMES,
  KvmCpuid,
  KvmRegs,
  openKvm,
  protectedModeRegisters,
  protectedModeSegments,
} from "../../mod.ts";

const VENDOR = "TypeScriptPC"; // 12 characters
const BRAND = "Paper and Pencil(R) CPU @ 0.001 Hz"; // at most 47

/** The registers that CPUID gives for a text: 4 characters each, lowest byte first. */
function words(text: string, count: number): number[] {
  const view = new DataView(new ArrayBuffer(4 * count));
  [...text].forEach((character, index) => view.setUint8(index, character.charCodeAt(0)));
  return Array.from({ length: count }, (_, index) => view.getUint32(4 * index, true));
}

const [ebx, edx, ecx] = words(VENDOR, 3);
const brand = words(BRAND, 12);
const cpuid = new KvmCpuid([
  { function: 0, eax: 1, ebx, edx, ecx },
  { function: 1, eax: 0x633 },
  { function: 0x80000000, eax: 0x80000004 },
  ...[0, 1, 2].map((n) => {
    const [eax, ebx, ecx, edx] = brand.slice(4 * n);
    return { function: 0x80000002 + n, eax, ebx, ecx, edx };
  }),
]);

const code = Uint8Array.of(
  ...[0x31, 0xc0], //                         1000 xor eax, eax
  ...[0x0f, 0xa2], //                         1002 cpuid
  ...[0x89, 0xd8, 0xe7, 0xe9], //             1004 mov eax, ebx ; out 0xe9, eax
  ...[0x89, 0xd0, 0xe7, 0xe9], //             1008 mov eax, edx ; out 0xe9, eax
  ...[0x89, 0xc8, 0xe7, 0xe9], //             100c mov eax, ecx ; out 0xe9, eax
  ...[0xbe, 0x02, 0x00, 0x00, 0x80], //       1010 mov esi, 0x80000002
  ...[0x89, 0xf0], //                         1015 mov eax, esi
  ...[0x0f, 0xa2], //                         1017 cpuid
  ...[0xe7, 0xe9], //                         1019 out 0xe9, eax
  ...[0x89, 0xd8, 0xe7, 0xe9], //             101b mov eax, ebx ; out 0xe9, eax
  ...[0x89, 0xc8, 0xe7, 0xe9], //             101f mov eax, ecx ; out 0xe9, eax
  ...[0x89, 0xd0, 0xe7, 0xe9], //             1023 mov eax, edx ; out 0xe9, eax
  ...[0x46], //                               1027 inc esi
  ...[0x81, 0xfe, 0x05, 0x00, 0x00, 0x80], // 1028 cmp esi, 0x80000005
  ...[0x75, 0xe5], //                         102e jne 1015
  ...[0xf4], //                               1030 hlt
);

using kvm = openKvm({ backend: Deno.args[0] === "kvm" ? "kvm" : "soft" });
using vm = kvm.createVm();
vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0x1000, memory_size: 0x1000 });
vm.write(0x1000, code);

using vcpu = vm.createVcpu(0);
vcpu.setCpuid(cpuid); // before the first run: later the real device does not take it
vcpu.setSregs(Object.assign(vcpu.getSregs(), protectedModeSegments(), protectedModeRegisters()));
vcpu.setRegs(new KvmRegs({ rip: 0x1000, rflags: 2 }));

let seen = "";
let exit = vcpu.run();
for (; exit.reason === KVM_EXIT_IO; exit = vcpu.run()) seen += String.fromCharCode(...exit.data);
if (exit.reason !== KVM_EXIT_HLT) throw new Error(`unexpected ${KVM_EXIT_NAMES[exit.reason]}`);
console.log(`vendor: ${seen.slice(0, 12)}`);
console.log(`brand:  ${seen.slice(12).replace(/\0.*$/, "")}`);
