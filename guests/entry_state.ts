/**
 * The processor's state at a guest's first instruction.
 * @module
 */

import { type KvmRegs, KvmSegment, type KvmSregs } from "../core/abi/regs.ts";
import type { BootPlan } from "./image.ts";
import { DESCRIPTORS, LOW_TABLES, PML4 } from "./low_tables.ts";

const RFLAGS_FIXED = 0x2n;
const CR0_PE = 0x1n;
const CR0_NE = 0x20n;
const CR0_ET = 0x10n;
const CR0_PG = 0x80000000n;
const CR4_PAE = 0x20n;
const EFER_LME = 0x100n;
const EFER_LMA = 0x400n;

const CODE_ACCESSED = 0xb;
const DATA_ACCESSED = 0x3;

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
  regs.rflags = RFLAGS_FIXED;
  const data = [sregs.ds, sregs.es, sregs.fs, sregs.gs, sregs.ss];
  if (plan.mode === "real") {
    const cs = { base: plan.cs * 16, limit: 0xffff, selector: plan.cs, type: CODE_ACCESSED, present: 1, s: 1 };
    setSegment(sregs.cs, new KvmSegment(cs));
    const flat = new KvmSegment({ limit: 0xffff, type: DATA_ACCESSED, present: 1, s: 1 });
    for (const segment of data) setSegment(segment, flat);
    return;
  }
  const long = plan.mode === "long" ? 1 : 0;
  const common = { limit: 0xffffffff, present: 1, s: 1, g: 1 };
  setSegment(
    sregs.cs,
    new KvmSegment({ ...common, selector: DESCRIPTORS.code, type: CODE_ACCESSED, db: 1 - long, l: long }),
  );
  const flat = new KvmSegment({ ...common, selector: DESCRIPTORS.data, type: DATA_ACCESSED, db: 1 });
  for (const segment of data) setSegment(segment, flat);
  sregs.gdt.base = BigInt(LOW_TABLES);
  sregs.gdt.limit = DESCRIPTORS.limit;
  sregs.idt.base = 0n;
  sregs.idt.limit = 0;
  sregs.cr0 = CR0_PE | CR0_ET | CR0_NE;
  if (long) {
    sregs.cr3 = BigInt(PML4);
    sregs.cr4 |= CR4_PAE;
    sregs.efer |= EFER_LME | EFER_LMA;
    sregs.cr0 |= CR0_PG;
  }
}

function setSegment(target: KvmSegment, value: KvmSegment): void {
  target.bytes.set(value.bytes);
}
