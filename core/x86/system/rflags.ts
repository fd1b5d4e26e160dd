/**
 * RFLAGS as one number: the status flags are kept as two words (../flags.ts), the rest in the state's RFLAGS.
 * @module
 */
import { AC, auxHighFromStatus, auxLowFromStatus, DF, IF, resFromStatus, RF, STATUS_FLAGS } from "../flags.ts";
import { statusFromWords, TF, VIF, VIP, VM } from "../flags.ts";
import type { Machine } from "../machine.ts";
import { FAUX, FRES, RFLAGS, STEP } from "../state.ts";

/** All flags that exist. */
export const ALL_FLAGS = 0x3f_7fd5;
const NOTICED = IF | TF | RF | VIF | VIP;

/** RFLAGS, status flags included. */
export function getFlags(m: Machine): number {
  const { i32 } = m, res = FRES >> 2, aux = FAUX >> 2;
  return i32[RFLAGS >> 2] & ~STATUS_FLAGS | 2 | statusFromWords(i32[res], i32[res + 1], i32[aux], i32[aux + 1]);
}

/** Sets the six status flags alone. */
export function setStatus(m: Machine, value: number): void {
  const { i32 } = m, res = FRES >> 2, aux = FAUX >> 2;
  i32[res] = resFromStatus(value);
  i32[res + 1] = 0;
  i32[aux] = auxLowFromStatus(value);
  i32[aux + 1] = auxHighFromStatus(value);
}

/** Sets all of RFLAGS; bits that do not exist are left out, bit 1 is set. */
export function setFlags(m: Machine, value: number): void {
  setStatus(m, value);
  setControlFlags(m, value);
}

/** Sets all but the status flags, and tells the engine what it must know. */
export function setControlFlags(m: Machine, value: number): void {
  const { i32 } = m;
  const next = value & ALL_FLAGS & ~STATUS_FLAGS | 2, changed = i32[RFLAGS >> 2] ^ next;
  i32[RFLAGS >> 2] = next;
  i32[(RFLAGS >> 2) + 1] = 0;
  const step = next & DF ? -1 : 1;
  i32[STEP >> 2] = step;
  i32[(STEP >> 2) + 1] = step >> 31;
  if (changed & NOTICED) m.attention();
  if (changed & (VM | AC)) m.modeChanged();
}

/** Replaces the flags in `mask`. */
export function changeFlags(m: Machine, mask: number, value: number): void {
  setFlags(m, getFlags(m) & ~mask | value & mask);
}
