/**
 * NMI for a processor behind the API of version 12, which has none: vector 2 is delivered as an external interrupt while the interrupt
 * flag is set for that one moment, and the flag that is then on the stack becomes what it was.
 *
 * Limitation: NMI is not blocked until IRET.
 * @module
 */

import { KVM_EXIT_SHUTDOWN, type Vcpu, type Vm } from "../mod.ts";

const VECTOR = 2;
const IF = 0x200n, PE = 1n, LMA = 0x400n;
/** Where the type of a gate of 8 bytes is, and the bit of 32-bit gates in it. */
const GATE_TYPE = 5, GATE_SIZE = 8, GATE_32 = 8;
/** Bit 9 of the flags is in their second byte. */
const IF_BYTE = 1, IF_IN_BYTE = 2;
const SP_16 = 0xffffn, SP_32 = 0xffff_ffffn;

/**
 * Delivers an NMI to a processor that has left no access open.
 * @param vm Its memory.
 * @param vcpu The processor.
 * @returns Whether it is still alive: no triple fault.
 * @throws KvmError The engine refuses something.
 */
export function deliverNmi(vm: Vm, vcpu: Vcpu): boolean {
  const regs = vcpu.getRegs();
  const masked = (regs.rflags & IF) === 0n;
  if (masked) {
    regs.rflags |= IF;
    vcpu.setRegs(regs);
  }
  vcpu.interrupt(VECTOR);
  // Delivering counts as an instruction.
  const { reason } = vcpu.run({ maxInstructions: 1 });
  if (reason === KVM_EXIT_SHUTDOWN) return false;
  if (masked) clearFlag(vm, vcpu);
  return true;
}

/** Clears the interrupt flag in the frame at the top of the stack. */
function clearFlag(vm: Vm, vcpu: Vcpu): void {
  const at = flagsAddress(vm, vcpu);
  const { valid, physical_address: address } = vcpu.translate(at + BigInt(IF_BYTE));
  if (!valid) return;
  const byte = new Uint8Array(1);
  vm.read(address, byte);
  byte[0] &= ~IF_IN_BYTE;
  vm.write(address, byte);
}

/** The linear address of the flags: behind IP and CS. */
function flagsAddress(vm: Vm, vcpu: Vcpu): bigint {
  const { rsp } = vcpu.getRegs(), { cr0, efer, ss, idt } = vcpu.getSregs();
  if (efer & LMA) return rsp + 16n;
  const wide = (cr0 & PE) !== 0n && isWideGate(vm, vcpu, idt.base + BigInt(VECTOR * GATE_SIZE + GATE_TYPE));
  const top = rsp & (ss.db ? SP_32 : SP_16);
  return ss.base + top + (wide ? 8n : 4n) & SP_32;
}

function isWideGate(vm: Vm, vcpu: Vcpu, at: bigint): boolean {
  const { valid, physical_address: address } = vcpu.translate(at);
  if (!valid) return true;
  const byte = new Uint8Array(1);
  vm.read(address, byte);
  return (byte[0] & GATE_32) !== 0;
}
