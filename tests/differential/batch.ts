/**
 * Batches of random cases of one encoding, for any processor.
 * @module
 */
import { type Form, InsnTable } from "../../core/x86/insn.ts";
import { INTEGER } from "../../core/x86/table/integer.ts";
import type { NativeMode } from "../host/native_cpu.ts";
import { STATE_OFFSET, STATE_SIZE, StateBlock } from "../host/state_block.ts";
import { type Encoding, startRip } from "./encode.ts";
import { Prng } from "./prng.ts";

/** The integer instructions. */
export const TABLE: InsnTable = new InsnTable(INTEGER);

/** Code sizes. */
export const MODES: readonly NativeMode[] = [64, 32, 16];

/** Selectors CS DS ES SS FS GS of a mode: Linux's, and entries 0 and 1 of the local table for 16 bits. */
const SELECTORS: Readonly<Record<NativeMode, readonly number[]>> = {
  64: [0x33, 0, 0, 0x2b, 0, 0],
  32: [0x23, 0x2b, 0x2b, 0x2b, 0, 0],
  16: [7, 15, 15, 15, 0, 0],
};

/** Whether what a form does is a function of the state. */
export function isRandom(form: Form): boolean {
  return /^(RDRAND|RDSEED)$/.test(form.mnemonic);
}

/** Whether a form may lead elsewhere than behind itself. */
export function branches(form: Form): boolean {
  return form.operands.some((o) => o.code === "J") || /^(JMP|CALL|RET)$/.test(form.mnemonic);
}

/**
 * Writes the random part of a record, which is a function of `seed`: registers, status and direction flags, FS and GS
 * bases, data.
 */
export function baseRecord(mode: NativeMode, seed: number, record: DataView): void {
  const random = new Prng(seed);
  const state = new StateBlock(new Uint8Array(record.buffer, record.byteOffset, record.byteLength), 0);
  state.reset();
  for (let n = 0; n < 16; n++) {
    const v = n < 8 || mode === 64 ? random.value() : 0n;
    record.setBigUint64(n * 8, mode === 64 ? v : BigInt.asUintN(32, v), true);
  }
  const flags = random.u32() & 0x8d5 | (random.once(4) ? 0x400 : 0) | 0x202;
  record.setBigUint64(STATE_OFFSET.rip, BigInt(startRip(mode)), true);
  record.setBigUint64(STATE_OFFSET.rflags, BigInt(flags), true);
  record.setBigUint64(STATE_OFFSET.fsBase, BigInt(mode === 64 ? random.below(0x60) : 0), true);
  record.setBigUint64(STATE_OFFSET.gsBase, BigInt(mode === 64 ? random.below(0x60) : 0), true);
  SELECTORS[mode].forEach((s, i) => record.setUint16(STATE_OFFSET.cs + i * 2, s, true));
  const edges = random.once(4);
  for (let i = STATE_SIZE; i < record.byteLength; i += 8) {
    record.setBigUint64(i, edges ? random.value() : random.u64(), true);
  }
}

/** Records of an encoding, and the seeds that {@linkcode baseRecord} made their random part from. */
export interface Records {
  /** State block and data window each. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of one. */
  readonly size: number;
  /** Seeds. */
  readonly seeds: readonly number[];
}

/** `count` random records for an encoding. */
export function records(e: Encoding, count: number, random: Prng): Records {
  const size = STATE_SIZE + e.window.length;
  const bytes = new Uint8Array(count * size);
  const seeds: number[] = [];
  for (let i = 0; i < count; i++) {
    const seed = random.u32();
    const record = new DataView(bytes.buffer, i * size, size);
    baseRecord(e.mode, seed, record);
    e.fit(record, new DataView(bytes.buffer, i * size + STATE_SIZE, e.window.length), random);
    seeds.push(seed);
  }
  return { bytes, size, seeds };
}
