/**
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS. Source: SDM volume 2.
 * @module
 */
import { IF, RF, TF, VM } from "../flags.ts";
import type { Machine } from "../machine.ts";
import { CR0, EFER, GS, RFLAGS, SEG_BASE } from "../state.ts";
import { get64, GP, gpr, isCanonical, nextRip, put32, put64, segment, setRip, UD } from "./access.ts";
import { CR0_PE } from "./control.ts";
import { DR6_BS } from "./debug_registers.ts";
import { cpl, isLong } from "./mode.ts";
import { ALL_FLAGS, getFlags, setFlags } from "./rflags.ts";
import { putFlatPair } from "./segments.ts";
import { MSR_SLOTS as N, slot } from "./slots.ts";

const EFER_SCE = 1;
/** Attributes that these instructions give CS and SS, at DPL 0: 64-bit code, 32-bit code, data. */
const CODE64 = 0xa09b, CODE32 = 0xc09b, DATA = 0xc093;
const DPL3 = 0x60;
const RCX = gpr(1), RDX = gpr(2), RSP = gpr(4), R11 = gpr(11);

function mustBeOffered(m: Machine): void {
  if (!(m.i32[EFER >> 2] & EFER_SCE)) m.fault(UD);
}

/** SYSCALL of 64-bit mode. */
export function syscall(m: Machine): void {
  mustBeOffered(m);
  const flags = getFlags(m), selectors = m.u16[(slot(N.star) >> 1) + 2] & 0xfffc;
  put64(m, RCX, nextRip(m));
  put32(m, R11, flags);
  putFlatPair(m, selectors, CODE64, selectors + 8, DATA);
  setRip(m, get64(m, slot(N.lstar)));
  setFlags(m, flags & ~m.i32[slot(N.sfmask) >> 2] & ~RF);
  trapAfter(m);
}

/**
 * A single step over SYSCALL and SYSRET ends in a trap by the TF that they load, not by the one before: a debugger sees
 * the system call as one instruction. The engine leaves out its own trap behind `syscall`.
 */
function trapAfter(m: Machine): void {
  if (m.i32[RFLAGS >> 2] & TF) m.debugTrap(DR6_BS);
}

/** SYSRET; `wide` returns to 64-bit code, else to compatibility mode. */
export function sysret(m: Machine, wide: boolean): void {
  mustBeOffered(m);
  if (cpl(m) !== 0) m.fault(GP, 0);
  const rip = get64(m, RCX), selectors = m.u16[(slot(N.star) >> 1) + 3];
  if (wide && !isCanonical(rip)) m.fault(GP, 0);
  const flags = m.i32[R11 >> 2] & ALL_FLAGS & ~(RF | VM);
  const code = wide ? selectors + 16 | 3 : selectors | 3;
  putFlatPair(m, code, (wide ? CODE64 : CODE32) | DPL3, selectors + 8 | 3, DATA | DPL3);
  setRip(m, wide ? rip : m.u32[RCX >> 2]);
  setFlags(m, flags);
  trapAfter(m);
}

/** SYSENTER. */
export function sysenter(m: Machine): void {
  const selector = m.i32[slot(N.sysenterCs) >> 2] & 0xfffc, long = isLong(m);
  if (!(m.i32[CR0 >> 2] & CR0_PE) || selector === 0) m.fault(GP, 0);
  setFlags(m, getFlags(m) & ~(VM | IF | RF));
  putFlatPair(m, selector, long ? CODE64 : CODE32, selector + 8, DATA);
  if (long) {
    put64(m, RSP, get64(m, slot(N.sysenterEsp)));
    setRip(m, get64(m, slot(N.sysenterEip)));
  } else {
    put32(m, RSP, m.i32[slot(N.sysenterEsp) >> 2]);
    setRip(m, m.u32[slot(N.sysenterEip) >> 2]);
  }
}

/** SYSEXIT; `wide` returns to 64-bit code. */
export function sysexit(m: Machine, wide: boolean): void {
  const selector = m.i32[slot(N.sysenterCs) >> 2] & 0xfffc;
  if (!(m.i32[CR0 >> 2] & CR0_PE) || selector === 0 || cpl(m) !== 0) m.fault(GP, 0);
  const rip = get64(m, RDX), rsp = get64(m, RCX);
  if (wide && !(isCanonical(rip) && isCanonical(rsp))) m.fault(GP, 0);
  const code = selector + (wide ? 32 : 16) | 3, stack = selector + (wide ? 40 : 24) | 3;
  putFlatPair(m, code, (wide ? CODE64 : CODE32) | DPL3, stack, DATA | DPL3);
  if (wide) {
    put64(m, RSP, rsp);
    setRip(m, rip);
  } else {
    put32(m, RSP, m.i32[RCX >> 2]);
    setRip(m, m.u32[RDX >> 2]);
  }
}

/** SWAPGS. */
export function swapgs(m: Machine): void {
  const base = (segment(GS) + SEG_BASE) >> 3, kernel = slot(N.kernelGsBase) >> 3;
  const old = m.u64[base];
  m.u64[base] = m.u64[kernel];
  m.u64[kernel] = old;
}
