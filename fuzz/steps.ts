/**
 * Single instructions of the table as steps of a stream: random operands, preceded by MOVs that give the registers of
 * their address, and those that they use by themselves, values that make sense.
 * @module
 */
import { AF, CF, OF, PF, SF, STATUS_FLAGS, ZF } from "../core/x86/flags.ts";
import { Decoder, widthOf } from "../core/x86/decode.ts";
import type { Form } from "../core/x86/insn.ts";
import { INSTRUCTIONS } from "../core/x86/table/instructions.ts";
import { definedFlags } from "../tests/differential/compare.ts";
import { dataBase, encode, startRip } from "../tests/differential/encode.ts";
import type { Prng } from "../tests/differential/prng.ts";
import { DATA_ADDRESS, DEFAULT_CODE_OFFSET } from "../tests/host/memory_map.ts";
import type { NativeMode } from "../tests/host/native_cpu.ts";
import { STATE_SIZE } from "../tests/host/state_block.ts";
import type { Step } from "./program.ts";

const LETTERS: Readonly<Record<string, number>> = { O: OF, S: SF, Z: ZF, A: AF, P: PF, C: CF };
/** They look at flags that the table does not name. */
const READS_ALL = /^(PUSHF|LAHF|SALC|FCMOV.*|INTO|INT.*|SYSCALL|CALL|IRET)$/;
/** A count of 0 leaves the flags alone. */
const COUNTED = /^(RO[LR]|RC[LR]|SH[LR]D?|SA[LR])$/;
/** They use registers that {@linkcode encode} leaves alone, or only sets sometimes. */
const FRAME = /^(ENTER|LEAVE)$/;

const decoder: Decoder = new Decoder(INSTRUCTIONS, () => true);

function letters(text: string): number {
  let mask = 0;
  for (const letter of text) mask |= LETTERS[letter] ?? 0;
  return mask;
}

/** MOV of a constant to a general register. */
export function moveTo(mode: NativeMode, n: number, value: bigint): Step {
  const wide = mode === 64 && value > 0xffff_ffffn;
  const bytes: number[] = mode === 16 ? [0x66] : [];
  const rex = (wide ? 8 : 0) | (n > 7 ? 1 : 0);
  if (rex) bytes.push(0x40 | rex);
  bytes.push(0xb8 | n & 7);
  for (let i = 0n; i < (wide ? 8n : 4n); i++) bytes.push(Number(value >> i * 8n & 0xffn));
  return { bytes };
}

/** ModRM and displacement of a data address without registers, for an instruction with `reg` in ModRM. */
export function absolute(mode: NativeMode, reg: number, linear: number): number[] {
  const at = linear - dataBase(mode);
  const bytes = (n: number) => Array.from({ length: n }, (_, i) => at >> i * 8 & 0xff);
  if (mode === 16) return [reg << 3 | 6, ...bytes(2)];
  return mode === 32 ? [reg << 3 | 5, ...bytes(4)] : [reg << 3 | 4, 0x25, ...bytes(4)];
}

/** MOV dword [linear], value. */
export function storeTo(mode: NativeMode, linear: number, value: number): number[] {
  const immediate = Array.from({ length: 4 }, (_, i) => value >> i * 8 & 0xff);
  return [...(mode === 16 ? [0x66] : []), 0xc7, ...absolute(mode, 0, linear), ...immediate];
}

/** What an instruction does to flags. */
export function flagsOf(form: Form): Pick<Step, "reads" | "writes" | "leaves"> {
  const { attributes } = form.row;
  const leaves = ~definedFlags(form) & STATUS_FLAGS;
  const conditional = COUNTED.test(form.mnemonic) && !form.operands.some((o) => o.code === "1") ||
    attributes.string === "repz";
  return {
    reads: READS_ALL.test(form.mnemonic) ? STATUS_FLAGS : letters(attributes.reads ?? ""),
    writes: conditional ? 0 : letters(attributes.writes ?? ""),
    leaves,
  };
}

/** Bytes of an encoding's immediates. */
function immediateBytes(form: Form, opsize: 16 | 32 | 64): number {
  let bytes = 0;
  for (const o of form.operands) {
    if (o.code !== "I") continue;
    const width = widthOf(o, opsize);
    bytes += (o.size === "v" ? width : Math.min(width, 32)) / 8;
  }
  return bytes;
}

/** What is behind the opcode of a far pointer. */
function farPointer(mode: NativeMode, code: readonly number[], selectors: readonly number[], random: Prng): number[] {
  const small = (mode === 16) !== code.includes(0x66);
  const offset = DEFAULT_CODE_OFFSET + random.below(0x200) + (random.once(2) && !small ? 0x10_1000 : 0);
  const selector = random.once(8) ? random.below(0x1_0000) : random.pick(selectors);
  const bytes = [offset & 0xff, offset >> 8 & 0xff];
  if (!small) bytes.push(offset >> 16 & 0xff, 0);
  return [...bytes, selector & 0xff, selector >> 8];
}

/** Where {@linkcode instruction} takes what it needs from. */
export interface StepOptions {
  /** How code is decoded. */
  readonly mode: NativeMode;
  /** Randomness. */
  readonly random: Prng;
  /** Selectors for far pointers. */
  readonly selectors: readonly number[];
}

const state: DataView = new DataView(new ArrayBuffer(STATE_SIZE));
const data: DataView = new DataView(new ArrayBuffer(0x4000));

/** A form with random operands; null if the mode does not have it. */
export function instruction(form: Form, { mode, random, selectors }: StepOptions): Step[] | null {
  const e = encode(form, mode, random);
  if (!e) return null;
  const code = [...e.code];
  if (form.operands.some((o) => o.code === "A")) code.push(...farPointer(mode, code, selectors, random));
  const before: bigint[] = [];
  for (let n = 0; n < 16; n++) {
    before.push(mode === 64 ? random.u64() : BigInt(random.u32()));
    state.setBigUint64(n * 8, before[n], true);
  }
  e.fit(state, data, random);
  const place = () => BigInt(DATA_ADDRESS + 0xf00 + random.below(0x200) - dataBase(mode));
  if (form.mnemonic.startsWith("MASKMOV")) state.setBigUint64(7 * 8, place(), true);
  if (form.row.attributes.stack && state.getBigUint64(4 * 8, true) === before[4]) {
    state.setBigUint64(4 * 8, place(), true);
  }
  if (FRAME.test(form.mnemonic) && state.getBigUint64(5 * 8, true) === before[5]) {
    state.setBigUint64(5 * 8, place(), true);
  }
  const steps: Step[] = [];
  for (let n = 0; n < (mode === 64 ? 16 : 8); n++) {
    const value = state.getBigUint64(n * 8, true);
    if (value !== before[n]) steps.push(moveTo(mode, n, mode === 64 ? value : BigInt.asUintN(32, value)));
  }
  const bytes = Uint8Array.from(code), flags = flagsOf(form);
  if (mode === 64 && decoder.decode(bytes, 0, bytes.length, 64) === "ok" && decoder.ripRelative) {
    const at = code.length - immediateBytes(form, e.opsize) - 4;
    const disp = new DataView(bytes.buffer).getInt32(at, true);
    steps.push({ bytes: code, ...flags, fix: { kind: "rip", at, target: startRip(mode) + code.length + disp } });
  } else steps.push({ bytes: code, ...flags });
  return steps;
}
