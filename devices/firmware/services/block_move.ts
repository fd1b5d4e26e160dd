/**
 * INT 15h AH=87h: moving memory that real mode does not reach.
 * @module
 */

import type { LinearMemory } from "../linear_memory.ts";

const SOURCE = 0x10, TARGET = 0x18;
const PARITY_FAILED = 1;
const MOST_WORDS = 0x8000;

/**
 * Moves words.
 * @param memory Memory.
 * @param table Linear address of a descriptor table, with source and target at 10h and 18h.
 * @param words How many, at most 0x8000.
 * @returns 0, or 1: there are too many.
 */
export function moveBlock(memory: LinearMemory, table: number, words: number): number {
  if (words > MOST_WORDS) return PARITY_FAILED;
  const bytes = new Uint8Array(words * 2);
  memory.read(base(memory, table + SOURCE), bytes);
  memory.write(base(memory, table + TARGET), bytes);
  return 0;
}

/** The base of a descriptor. */
function base(memory: LinearMemory, at: number): number {
  return memory.get16(at + 2) + memory.get8(at + 4) * 0x10000 + memory.get8(at + 7) * 0x1000000;
}
