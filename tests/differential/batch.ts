/**
 * Batches of random cases of one encoding, for any processor.
 * @module
 */
import { InsnTable } from "../../core/x86/insn.ts";
import { INTEGER } from "../../core/x86/table/integer.ts";
import type { NativeCpu, NativeMode } from "../host/native_cpu.ts";
import { STATE_SIZE, StateBlock } from "../host/state_block.ts";
import { type Encoding, randomState } from "./encode.ts";
import type { Prng } from "./prng.ts";

/** The integer instructions. */
export const TABLE: InsnTable = new InsnTable(INTEGER);

/** Code sizes. */
export const MODES: readonly NativeMode[] = [64, 32, 16];

/** Forms whose outcome is not a function of the state. */
export const RANDOM = /^(RDRAND|RDSEED)$/;

/** `count` random records for an encoding. */
export function records(
  cpu: Pick<NativeCpu, "prepare">,
  e: Encoding,
  count: number,
  random: Prng,
): Uint8Array<ArrayBuffer> {
  const size = STATE_SIZE + e.window.length;
  const all = new Uint8Array(count * size);
  for (let i = 0; i < count; i++) {
    const state = new StateBlock(all, i * size);
    state.reset();
    cpu.prepare(state, e.mode);
    const at = all.byteOffset + i * size;
    const data = new DataView(all.buffer, at + STATE_SIZE, e.window.length);
    randomState(e, new DataView(all.buffer, at, STATE_SIZE), data, random);
  }
  return all;
}
