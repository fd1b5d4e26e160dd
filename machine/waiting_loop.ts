/**
 * Whether a processor waits in a loop, as far as its code tells: spinlocks, and whoever waits for another processor, have PAUSE in
 * their loops.
 * @module
 */

import { KvmError, KvmRegs, KvmSregs, PAGE_SIZE, type Vcpu, type Vm } from "../mod.ts";

const PAUSE = [0xf3, 0x90] as const;
/** So many bytes before and behind the next instruction are looked at. */
const REACH = 32;

/**
 * Looks for PAUSE around a processor's next instruction, in the same page.
 * @param vm Its memory.
 * @param vcpu The processor.
 */
export function isWaiting(vm: Pick<Vm, "read">, vcpu: Vcpu): boolean {
  const { cs } = vcpu.getSregs(new KvmSregs()), { rip } = vcpu.getRegs(new KvmRegs());
  const { valid, physical_address: address } = vcpu.translate(BigInt.asUintN(64, cs.base + rip));
  if (!valid) return false;
  const offset = Number(address % BigInt(PAGE_SIZE));
  const first = Math.max(0, offset - REACH), end = Math.min(PAGE_SIZE, offset + REACH);
  try {
    const code = vm.read(address - BigInt(offset - first), end - first);
    return code.some((byte, n) => byte === PAUSE[0] && code[n + 1] === PAUSE[1]);
  } catch (error) {
    if (error instanceof KvmError) return false; // there is no memory
    throw error;
  }
}
