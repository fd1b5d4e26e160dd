/**
 * A monitor with a device of its own at a physical address where there is no memory: a counter of words.
 *
 * | address | access | register |
 * | --- | --- | --- |
 * | 0xd0000000 | write, 8 bits | a character of the text |
 * | 0xd0000004 | read, 32 bits | how many words the text has so far |
 *
 *     deno run guests/examples/mmio_device.ts
 *     deno run --allow-ffi guests/examples/mmio_device.ts kvm
 *
 * @module
 */

import {
  KVM_EXIT_HLT,
  KVM_EXIT_MMIO,
  KVM_EXIT_NAMES,
  KvmRegs,
  openKvm,
  protectedModeRegisters,
  protectedModeSegments,
} from "../../mod.ts";

/** The device: it knows its registers, and nothing of processors or addresses. */
class WordCounter {
  #words = 0;
  #inWord = false;

  /** A write of the guest. */
  write(offset: number, value: number): void {
    if (offset !== 0) return;
    const isLetter = value > 0x20;
    if (isLetter && !this.#inWord) this.#words++;
    this.#inWord = isLetter;
  }

  /** A read of the guest; where no register is, all bits are set. */
  read(offset: number): number {
    return offset === 4 ? this.#words : 0xffffffff;
  }
}

const DEVICE = 0xd000_0000, TEXT = 0x2000;

const code = Uint8Array.of(
  ...[0xbe, 0x00, 0x20, 0x00, 0x00], //  1000 mov esi, 0x2000
  ...[0xbf, 0x00, 0x00, 0x00, 0xd0], //  1005 mov edi, 0xd0000000
  ...[0x8a, 0x06], //                    100a mov al, [esi]
  ...[0x84, 0xc0], //                    100c test al, al
  ...[0x74, 0x05], //                    100e je 1015
  ...[0x88, 0x07], //                    1010 mov [edi], al
  ...[0x46], //                          1012 inc esi
  ...[0xeb, 0xf5], //                    1013 jmp 100a
  ...[0x8b, 0x47, 0x04], //              1015 mov eax, [edi+4]
  ...[0xf4], //                          1018 hlt
);

using kvm = openKvm({ backend: Deno.args[0] === "kvm" ? "kvm" : "soft" });
using vm = kvm.createVm();
vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x4000 });
vm.write(0x1000, code);
vm.write(TEXT, "the guest talks to a device that is made of nothing but this program");

using vcpu = vm.createVcpu(0);
vcpu.setSregs(Object.assign(vcpu.getSregs(), protectedModeSegments(), protectedModeRegisters()));
vcpu.setRegs(new KvmRegs({ rip: 0x1000, rflags: 2 }));

const device = new WordCounter();
let exits = 0;
let exit = vcpu.run();
for (; exit.reason === KVM_EXIT_MMIO; exit = vcpu.run()) {
  exits++;
  // Neither reading nor writing the data makes an object: this loop allocates nothing.
  if (exit.is_write) device.write(exit.address - DEVICE, exit.readUint());
  else exit.writeUint(device.read(exit.address - DEVICE));
}
if (exit.reason !== KVM_EXIT_HLT) throw new Error(`unexpected ${KVM_EXIT_NAMES[exit.reason]}`);
console.log(`"${vm.readString(TEXT)}"`);
console.log(`has ${vcpu.getRegs().rax} words, says the device after ${exits} exits`);
