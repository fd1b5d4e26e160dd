/**
 * The TypeScript helpers of x87 instructions: transcendental functions and the environment in memory.
 * @module
 */
import type { Helper, Machine } from "../machine.ts";
import type { F80Bits, Outcome } from "../softfloat/f80_value.ts";
import { NO_RESULT } from "../softfloat/format.ts";
import { f2xm1, fcos, fpatan, fptan, fsin, fsincos, fyl2x, fyl2xp1 } from "../softfloat/transcendental.ts";
import { ARG } from "../state.ts";
import { loadEnvironment, restoreState, saveState, storeEnvironment } from "./x87_environment.ts";

const argument = (m: Machine, n: number): number => m.u32[(ARG + n * 8) >> 2];

function readSlot(m: Machine, at: number): F80Bits {
  return { sig: m.u64[at >> 3], se: m.u16[(at + 8) >> 1] };
}

function writeSlot(m: Machine, at: number, value: F80Bits): void {
  m.u64[at >> 3] = value.sig;
  m.u16[(at + 8) >> 1] = value.se;
}

/** Writes the results to slots; result 0 is the flags. */
function deliver(m: Machine, { values, flags }: Outcome, ...slots: number[]): void {
  values.forEach((v, i) => writeSlot(m, slots[i], v));
  m.u32[ARG >> 2] = values.length ? flags : flags | NO_RESULT;
  m.u32[(ARG >> 2) + 1] = 0;
}

/** Of one slot: its address and the control word. */
const unary = (operate: (x: F80Bits, fcw: number) => Outcome): Helper => (m) => {
  const at = argument(m, 0);
  deliver(m, operate(readSlot(m, at), argument(m, 1)), at);
};

/** Of ST(0), with a result for a register that is pushed and one for ST(0): addresses of ST(0) and of the other. */
const twofold = (operate: (x: F80Bits, fcw: number) => Outcome): Helper => (m) => {
  const at = argument(m, 0);
  deliver(m, operate(readSlot(m, at), argument(m, 2)), argument(m, 1), at);
};

/** Of ST(1) and ST(0): their addresses and the control word; the result goes to ST(1). */
const binary = (operate: (y: F80Bits, x: F80Bits, fcw: number) => Outcome): Helper => (m) => {
  const at = argument(m, 0);
  deliver(m, operate(readSlot(m, at), readSlot(m, argument(m, 1)), argument(m, 2)), at);
};

/** Helpers by the names that rows use; the transcendental ones give flags as soft-float functions do. */
export const X87_HELPERS: Readonly<Record<string, Helper>> = {
  fsin: unary(fsin),
  fcos: unary(fcos),
  f2xm1: unary(f2xm1),
  fsincos: twofold(fsincos),
  fptan: twofold(fptan),
  fyl2x: binary(fyl2x),
  fyl2xp1: binary(fyl2xp1),
  fpatan: binary(fpatan),
  /** Offset, 1 for the 16-bit layout. */
  fnstenv: storeEnvironment,
  fnsave: saveState,
  fldenv: loadEnvironment,
  frstor: restoreState,
};
