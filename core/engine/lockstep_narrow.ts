/**
 * From a slice in which two processors came apart to the instruction at fault, by running it again and again from its
 * start.
 *
 * The translator runs several instructions as one piece, unless it is stopped between them: then it executes them one by
 * one, as the interpreter does. So an end is looked for at which they differ, though one instruction earlier they do not,
 * and then the last place from where the translator, unstopped, still comes to that end differently.
 * @module
 */
import { disassemble } from "../x86/disassemble.ts";
import { MODE_CODE } from "../x86/mode.ts";
import * as S from "../x86/state.ts";
import type { SoftVcpu } from "./cpu.ts";
import type { LockstepFinding, LockstepStep } from "./lockstep_error.ts";
import type { LockstepPair } from "./lockstep_pair.ts";
import { fieldValue, littleEndian, type LockstepDifference } from "./lockstep_state.ts";
import { translate } from "./structures.ts";

/** Most instructions that are shown. */
const MOST_STEPS = 64;
const MOST_BYTES = 15;

/**
 * Finds out where they came apart, and leaves both where they last agreed.
 * @param pair Both, behind a run that led to a difference; {@linkcode LockstepPair.save} is where it began.
 * @param vcpu The processor's number.
 * @param instructions How many it was to execute.
 */
export function narrow(pair: LockstepPair, vcpu: number, instructions: number): LockstepFinding {
  const seen = pair.differences(), far = pair.furthest;
  const differs = (end: number, stop = 0): boolean => {
    pair.rewind();
    if (stop > 0) pair.play(stop);
    if (stop === 0) pair.play(end);
    else if (pair.alike()) pair.run(end - stop);
    return !pair.alike();
  };
  const end = [Math.min(instructions, far + 1), instructions].find((n) => differs(n));
  if (end === undefined) {
    pair.rewind();
    const note = "it did not happen again when the same instructions ran once more";
    return { vcpu, agreed: pair.position, differed: pair.position + far, differences: seen, steps: [], note };
  }
  // Alike after `same`, not alike after `last`.
  const last = boundary(0, end, (n) => differs(n)), same = last - 1;
  // A piece that begins at `start` ends in the difference, one that begins later does not.
  const start = same === 0 || differs(last, same) ? same : boundary(0, same, (n) => !differs(last, n)) - 1;
  differs(last, start);
  const differences = pair.differences();
  const steps = trace(pair, start, last - start, differences);
  pair.rewind();
  if (start > 0) pair.play(start);
  return { vcpu, agreed: pair.position + start, differed: pair.position + last, differences, steps };
}

/** Between `low`, where `test` is false, and `high`, where it is true: the first where it is true, if there is one change. */
function boundary(low: number, high: number, test: (n: number) => boolean): number {
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (test(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** The instructions of a piece, as the primary executes them one by one. */
function trace(
  pair: LockstepPair,
  start: number,
  count: number,
  differences: readonly LockstepDifference[],
): LockstepStep[] {
  const { primary } = pair;
  const values = () => differences.map(({ name }) => fieldValue(primary, name) ?? memoryValue(primary, name));
  pair.rewind();
  if (start > 0) pair.play(start);
  const steps: { rip: bigint; text: string }[] = [];
  const suspects = differences.map(() => -1);
  let before = values();
  for (let n = 0; n < count; n++) {
    steps.push(instructionAt(primary));
    if (start === 0 && n === 0) pair.play(1);
    else pair.run(1);
    const after = values();
    after.forEach((value, i) => value === before[i] || (suspects[i] = n));
    before = after;
  }
  return steps.map((step, n) => ({ ...step, suspect: count > 1 && suspects.includes(n) })).slice(-MOST_STEPS);
}

/** The value of a difference in memory, by its name. */
function memoryValue(v: SoftVcpu, name: string): string {
  const match = /^memory 0x([0-9a-f]+)$/.exec(name);
  const gpa = match === null ? NaN : parseInt(match[1], 16);
  const range = match === null ? null : v.ram.lookup(gpa);
  return range === null ? "" : littleEndian(v.ram.u8, range.place + (gpa - range.gpa), 8);
}

/** The instruction that a processor stands before. */
function instructionAt(v: SoftVcpu): { rip: bigint; text: string } {
  const rip = v.u64[S.RIP >> 3], mode = v.i32[S.KEY >> 2] & MODE_CODE;
  const base = mode === 2 ? 0n : v.u64[(S.SEG + S.CS * S.SEG_SIZE + S.SEG_BASE) >> 3];
  const bytes: number[] = [];
  for (let i = 0; i < MOST_BYTES; i++) {
    const linear = BigInt.asUintN(mode === 2 ? 64 : 32, base + rip + BigInt(i));
    const byte = byteAt(v, linear);
    if (byte === undefined) break;
    bytes.push(byte);
  }
  const code = mode === 2 ? 64 : mode === 1 ? 32 : 16;
  const { text } = disassemble(Uint8Array.from(bytes), { code, address: rip });
  return { rip, text: bytes.length === 0 ? "(no memory)" : text };
}

function byteAt(v: SoftVcpu, linear: bigint): number | undefined {
  const translation = new Uint8Array(24), view = new DataView(translation.buffer);
  view.setBigUint64(0, linear, true);
  translate(v, translation);
  if (translation[16] === 0) return undefined;
  const physical = Number(view.getBigUint64(8, true)), range = v.ram.lookup(physical);
  return range === null ? undefined : v.ram.u8[range.place + (physical - range.gpa)];
}
