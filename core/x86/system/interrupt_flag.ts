/**
 * CLI and STI with virtual interrupts (VME, PVI). Source: SDM volume 2, CLI and STI.
 * @module
 */
import { IF, IOPL, VIF, VIP, VM } from "../flags.ts";
import type { Machine } from "../machine.ts";
import { CR0, CR4, RFLAGS } from "../state.ts";
import { GP } from "./access.ts";
import { CR0_PE, CR4_PVI, CR4_VME } from "./control.ts";
import { cpl } from "./mode.ts";
import { setControlFlags } from "./rflags.ts";

/** The flag that CLI and STI act on now: IF, VIF, or 0 for #GP(0). */
function target(m: Machine): number {
  const flags = m.i32[RFLAGS >> 2], cr4 = m.i32[CR4 >> 2];
  if (!(m.i32[CR0 >> 2] & CR0_PE)) return IF;
  const level = cpl(m), iopl = (flags & IOPL) >> 12;
  if (flags & VM) return iopl === 3 ? IF : cr4 & CR4_VME ? VIF : 0;
  if (level <= iopl) return IF;
  return level === 3 && cr4 & CR4_PVI ? VIF : 0;
}

/** CLI. */
export function clearInterrupts(m: Machine): void {
  const flag = target(m);
  if (flag === 0) m.fault(GP, 0);
  setControlFlags(m, m.i32[RFLAGS >> 2] & ~flag);
}

/** STI: no interrupt comes before the next instruction is done, if IF was clear. */
export function setInterrupts(m: Machine): void {
  const flag = target(m), flags = m.i32[RFLAGS >> 2];
  if (flag === 0 || (flag === VIF && flags & VIP)) m.fault(GP, 0);
  if (flag === IF && !(flags & IF)) m.shadow();
  setControlFlags(m, flags | flag);
}
