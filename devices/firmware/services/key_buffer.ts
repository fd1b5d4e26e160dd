/**
 * The 16 words of the BIOS data area through which keys reach programs.
 * @module
 */

import { BDA } from "../bda.ts";
import type { LinearMemory } from "../linear_memory.ts";

const SEGMENT = 0x400;

/** Puts a key behind the others; false: there is no room. */
export function putKey(memory: LinearMemory, code: number): boolean {
  const tail = memory.get16(BDA.KEY_TAIL);
  const next = following(memory, tail);
  if (next === memory.get16(BDA.KEY_HEAD)) return false;
  memory.set16(SEGMENT + tail, code);
  memory.set16(BDA.KEY_TAIL, next);
  return true;
}

/** The first key; none: there is no key. */
export function firstKey(memory: LinearMemory): number | undefined {
  const head = memory.get16(BDA.KEY_HEAD);
  return head === memory.get16(BDA.KEY_TAIL) ? undefined : memory.get16(SEGMENT + head);
}

/** Takes the first key out. */
export function dropKey(memory: LinearMemory): void {
  memory.set16(BDA.KEY_HEAD, following(memory, memory.get16(BDA.KEY_HEAD)));
}

/** Takes all keys out. */
export function clearKeys(memory: LinearMemory): void {
  memory.set16(BDA.KEY_HEAD, memory.get16(BDA.KEY_TAIL));
}

function following(memory: LinearMemory, at: number): number {
  return at + 2 >= memory.get16(BDA.KEY_BUFFER_END_POINTER) ? memory.get16(BDA.KEY_BUFFER_START_POINTER) : at + 2;
}
