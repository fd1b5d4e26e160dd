/**
 * The processor's state at a guest's first instruction.
 * @module
 */

import type { KvmRegs, KvmSregs } from "../core/abi/regs.ts";
import {
  longModeRegisters,
  longModeSegments,
  protectedModeRegisters,
  protectedModeSegments,
  realModeSegments,
} from "../core/abi/segments.ts";
import type { BootPlan } from "./image.ts";
import { DESCRIPTORS, LOW_TABLES, PML4 } from "./low_tables.ts";

const RFLAGS_FIXED = 0x2n;
/**
 * Puts the state of a plan into registers read from a fresh processor; what a plan does not speak of stays as it is.
 * @param plan The plan.
 * @param regs General registers: all are set, those without a meaning to 0.
 * @param sregs Segments, tables, control registers.
 */
export function enter(plan: BootPlan, regs: KvmRegs, sregs: KvmSregs): void {
  regs.bytes.fill(0);
  regs.rip = BigInt(plan.ip);
  regs.rsp = BigInt(plan.sp);
  regs.rdx = BigInt(plan.dl);
  regs.rax = BigInt(plan.eax ?? 0);
  regs.rbx = BigInt(plan.ebx ?? 0);
  regs.rsi = BigInt(plan.esi ?? 0);
  regs.rflags = RFLAGS_FIXED;
  if (plan.mode === "real") {
    Object.assign(sregs, realModeSegments(plan.cs, plan.data));
    return;
  }
  const descriptors = plan.descriptors ?? DESCRIPTORS;
  const table = { gdt: { base: LOW_TABLES, limit: descriptors.limit }, idt: { base: 0, limit: 0 } };
  if (plan.mode === "long") Object.assign(sregs, longModeSegments(descriptors), longModeRegisters(PML4), table);
  else Object.assign(sregs, protectedModeSegments(descriptors), protectedModeRegisters(), table);
}
