/**
 * The state after RESET, as KVM gives it to a new vCPU. Source: SDM volume 3, table 10-1.
 * @module
 */
import type { Machine } from "../machine.ts";
import * as S from "../state.ts";
import { gpr, put32 } from "./access.ts";
import { cpuidChanged } from "./control.ts";
import { deriveAll, putSegment } from "./segments.ts";
import { MSR_SLOTS as N, slot } from "./slots.ts";
import { setFlags } from "./rflags.ts";

/** Segment attributes after RESET: code, data, LDT, busy 32-bit TSS. */
const CODE = 0x9b, DATA = 0x93, LDT = 0x82, TSS = 0x8b;
/** Family 6: what KVM puts into EDX, whatever CPUID says. */
const SIGNATURE = 0x600;
const PAT = 0x0007_0406_0007_0406n;
/** The local APIC at FEE00000, enabled, of the processor that boots. */
const APIC = 0xfee0_0900;

/** Sets all architectural state. */
export function reset(m: Machine): void {
  m.u8.fill(0, S.GPR, S.BUDGET);
  m.u8.fill(0, S.ARG, S.STATE_SIZE);
  put32(m, gpr(2), SIGNATURE);
  put32(m, S.CR0, 0x6000_0010);
  put32(m, S.DR + 48, 0xffff_0ff0);
  put32(m, S.DR + 56, 0x400);
  put32(m, S.XCR0, 1);
  put32(m, S.APIC_BASE, APIC);
  m.u32[(S.GDTR + 8) >> 2] = 0xffff;
  m.u32[(S.IDTR + 8) >> 2] = 0xffff;
  m.i32[S.REP_LIMIT >> 2] = 4096;
  cpuidChanged(m);
  for (const n of [S.ES, S.SS, S.DS, S.FS, S.GS]) putSegment(m, n, 0, 0, 0xffff, DATA);
  putSegment(m, S.CS, 0xf000, 0xffff_0000, 0xffff, CODE);
  putSegment(m, S.LDTR, 0, 0, 0xffff, LDT);
  putSegment(m, S.TR, 0, 0, 0xffff, TSS);
  deriveAll(m);
  put32(m, S.RIP, 0xfff0);
  setFlags(m, 2);
  resetFpu(m);
  m.u64[slot(N.pat) >> 3] = PAT;
  m.u64[slot(N.miscEnable) >> 3] = 1n;
  m.u64[slot(N.microcode) >> 3] = 1n << 32n;
  m.u64[slot(N.mcgControl) >> 3] = (1n << 64n) - 1n;
  m.flushTlb(true);
  m.modeChanged();
}

/** The FPU as KVM initialises it: FNINIT's state rather than that after RESET. */
function resetFpu(m: Machine): void {
  m.i32[S.FCW >> 2] = 0x37f;
  m.i32[S.FEMPTY >> 2] = 0xff;
  m.i32[S.MXCSR >> 2] = 0x1f80;
}
