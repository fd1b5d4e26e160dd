/**
 * MMX and SSE instructions on the software engine against the host processor: encodings, states full of special values,
 * and what of the FXSAVE image must agree.
 * @module
 */
import { F32, F64 } from "../../core/x86/softfloat/format.ts";
import { Operands } from "../../core/x86/softfloat/support_test.ts";
import { type Form, InsnTable } from "../../core/x86/insn.ts";
import { SIMD } from "../../core/x86/table/simd.ts";
import { READ_ONLY_ADDRESS } from "../host/memory_map.ts";
import type { NativeMode } from "../host/native_cpu.ts";
import { STATE_OFFSET, STATE_SIZE, TRAP } from "../host/state_block.ts";
import { MODES, records } from "./batch.ts";
import { definedFlags, describe, differences } from "./compare.ts";
import { dataBase, encode, type Encoding } from "./encode.ts";
import { Prng } from "./prng.ts";
import type { Comparison, Effort } from "./run.ts";
import type { Oracle } from "./replay.ts";
import type { SoftCpu } from "./soft_cpu.ts";

/** The MMX and SSE instructions. */
export const SIMD_TABLE: InsnTable = new InsnTable(SIMD);

/** What is tested by cases of its own: state images. */
const IMAGES = /^(FXSAVE|FXRSTOR|XSAVE|XRSTOR)$/;
const STRINGS = /^PCMP.STR/;
const POOL = 1024;
const ORDINARY = 0x1fa0;

/** The forms that random cases cover. */
export function testedForms(): Form[] {
  return SIMD_TABLE.forms.filter((f) => !IMAGES.test(f.mnemonic));
}

/** Values of one kind in 32-bit halves, made once. */
type Pool = Uint32Array;

/** Random vectors and control words. */
export class SimdStates {
  readonly #o: Operands;
  readonly #random: Prng;
  readonly #pools: Readonly<Record<"single" | "double" | "integer", Pool>>;

  constructor(seed: number) {
    this.#o = new Operands(seed);
    this.#random = new Prng(seed);
    const o = this.#o;
    const pool = (value: (last: bigint) => bigint, size: bigint): Pool => {
      const words = new BigUint64Array(POOL);
      let last = 0n;
      const next = () => last = value(last);
      for (let i = 0; i < POOL; i++) words[i] = size === 64n ? next() : next() | next() << 32n;
      return new Uint32Array(words.buffer);
    };
    this.#pools = {
      single: pool((last) => o.sse(F32, last), 32n),
      double: pool((last) => o.sse(F64, last), 64n),
      integer: pool(() => o.pattern(o.pick([8, 16, 32, 64])) * o.pick([1n, 0x1_0001n, 0x0101_0101n]) & ~0n, 64n),
    };
  }

  /** Fills `length` bytes with values that suit a form; neighbours are now and then the same but for the sign. */
  fill(form: Form, view: DataView, at: number, length: number): void {
    const r = this.#random, { mnemonic } = form;
    if (STRINGS.test(mnemonic)) return this.#letters(view, at, length);
    const likely = /(PS|SS)|PS2|SS2/.test(mnemonic)
      ? "single"
      : /(PD|SD)|PD2|SD2/.test(mnemonic)
      ? "double"
      : "integer";
    const kind = r.once(8) ? r.pick(["single", "double", "integer"] as const) : likely;
    const pool = this.#pools[kind];
    for (let i = 0; i < length; i += 8) {
      let low: number, high: number;
      if (i >= 16 && r.once(8)) {
        low = view.getUint32(at + i - 16, true) ^ (kind === "single" && r.once(2) ? 0x8000_0000 : 0);
        high = view.getUint32(at + i - 12, true) ^ (r.once(2) ? 0x8000_0000 : 0);
      } else if (kind === "single") {
        low = pool[r.below(2 * POOL)];
        high = pool[r.below(2 * POOL)];
      } else {
        const n = r.below(POOL) * 2;
        low = r.once(16) ? r.u32() : pool[n];
        high = pool[n + 1];
      }
      view.setUint32(at + i, low, true);
      view.setUint32(at + i + 4, high, true);
    }
  }

  #letters(view: DataView, at: number, length: number): void {
    const r = this.#random, few = r.range(2, 4), zeros = r.pick([4, 16, 64]), words = r.once(2);
    for (let i = 0; i < length; i += words ? 2 : 1) {
      const letter = r.once(zeros) ? 0 : r.once(16) ? r.below(256) : 0x7e + r.below(few);
      if (words) view.setUint16(at + i, letter === 0 ? 0 : letter * 0x101, true);
      else view.setUint8(at + i, letter);
    }
  }

  /** A value of MXCSR: one in three such that arithmetic takes the short way. */
  mxcsr(): number {
    const r = this.#random;
    if (r.once(3)) return ORDINARY | (r.once(2) ? 0 : r.below(64));
    return this.#o.mxcsr() | (r.once(2) ? 0 : r.below(64));
  }

  /** Writes the FXSAVE image of a state block, and what the form takes from elsewhere. */
  state(form: Form, e: Encoding, view: DataView, at: number): void {
    const r = this.#random, fx = at + STATE_OFFSET.fxsave, data = at + STATE_SIZE;
    const fcw = r.once(4) ? r.below(64) | 0x340 : 0x37f;
    const flags = r.once(3) ? r.below(64) & (r.once(4) ? 63 : fcw) : 0, pending = flags & ~fcw & 0x3f ? 0x8080 : 0;
    view.setUint16(fx, fcw, true);
    view.setUint16(fx + 2, flags | pending | r.below(8) << 11, true);
    view.setUint8(fx + 4, r.below(256));
    view.setUint16(fx + 6, r.below(0x800), true);
    view.setBigUint64(fx + 8, BigInt(r.u32()), true);
    view.setBigUint64(fx + 16, BigInt(r.u32()), true);
    view.setUint32(at + STATE_OFFSET.mxcsr, this.mxcsr(), true);
    for (let i = 0; i < 8; i++) {
      this.fill(form, view, at + STATE_OFFSET.st + i * 16, 8);
      view.setUint16(at + STATE_OFFSET.st + i * 16 + 8, r.u32() & 0xffff, true);
    }
    this.fill(form, view, at + STATE_OFFSET.xmm, e.mode === 64 ? 256 : 128);
    this.fill(form, view, data, e.window.length);
    if (form.mnemonic === "LDMXCSR" && !r.once(8)) {
      const value = this.mxcsr();
      // The same at every place, whatever the alignment.
      const even = value & 0xff | (value & 0xff) << 8;
      for (let i = 0; i < e.window.length; i += 4) view.setUint32(data + i, even, true);
    }
    if (form.mnemonic.startsWith("MASKMOV")) {
      const place = r.once(8) ? READ_ONLY_ADDRESS - r.below(18) : e.window.address + r.range(0x100, 0x300);
      view.setBigUint64(at + 7 * 8, BigInt(place - dataBase(e.mode)), true);
    }
    if (STRINGS.test(form.mnemonic)) {
      for (const n of [0, 2]) if (!r.once(4)) view.setBigInt64(at + n * 8, BigInt(r.range(-20, 20)), true);
      if (e.mode !== 64) { for (const n of [0, 2]) view.setUint32(at + n * 8 + 4, 0, true); }
    }
    if (form.operands.some((o) => o.code === "Q" || o.code === "W" && o.size !== "x") && r.once(2)) {
      this.#smallCounts(form, view, at);
    }
  }

  /** Counts of shifts are mostly too large otherwise. */
  #smallCounts(form: Form, view: DataView, at: number): void {
    const r = this.#random;
    if (!/^PS[RL][AL]/.test(form.mnemonic)) return;
    for (let i = 0; i < 8; i++) {
      for (const place of [STATE_OFFSET.st, STATE_OFFSET.xmm]) {
        view.setBigUint64(at + place + i * 16, BigInt(r.below(80)), true);
      }
    }
  }
}

/** Differences in the FXSAVE image. */
export function imageDifferences(mode: NativeMode, expected: DataView, actual: DataView, at: number): string[] {
  const out: string[] = [];
  const check = (what: string, offset: number, length: number) => {
    const read = (v: DataView) => {
      let text = "";
      for (let i = length - 1; i >= 0; i--) text += v.getUint8(at + offset + i).toString(16).padStart(2, "0");
      return text;
    };
    const [a, b] = [read(actual), read(expected)];
    if (a !== b) out.push(`${what} ${a}, not ${b}`);
  };
  check("fcw", STATE_OFFSET.fcw, 2);
  check("fsw", STATE_OFFSET.fsw, 2);
  check("ftw", STATE_OFFSET.ftw, 1);
  check("fop", STATE_OFFSET.fop, 2);
  check("fip", STATE_OFFSET.fip, 8);
  check("fdp", STATE_OFFSET.fdp, 8);
  check("mxcsr", STATE_OFFSET.mxcsr, 4);
  for (let i = 0; i < 8; i++) check(`st${i}`, STATE_OFFSET.st + i * 16, 10);
  for (let i = 0; i < (mode === 64 ? 16 : 8); i++) check(`xmm${i}`, STATE_OFFSET.xmm + i * 16, 16);
  return out;
}

/** The vector registers and MXCSR of a case in one line. */
function vectors(e: Encoding, view: DataView, at: number): string {
  const hex = (o: number) => view.getBigUint64(at + o, true).toString(16).padStart(16, "0");
  const xmm = Array.from({ length: e.mode === 64 ? 16 : 8 }, (_, i) => {
    return `x${i}=${hex(STATE_OFFSET.xmm + i * 16 + 8)}_${hex(STATE_OFFSET.xmm + i * 16)}`;
  });
  return `mxcsr=${view.getUint32(at + STATE_OFFSET.mxcsr, true).toString(16)} ${xmm.join(" ")}`;
}

const EXAMPLES = 3;

/** Compares forms in all modes that the host offers. */
export function compareSimd(native: Oracle, soft: SoftCpu, forms: readonly Form[], effort: Effort): Comparison {
  let cases = 0, failed = 0;
  const examples: string[] = [], states = new SimdStates(effort.seed);
  for (const form of forms) {
    const random = new Prng(effort.seed * 0x1_0001 + form.id);
    const flags = definedFlags(form);
    let shown = 0;
    for (const mode of MODES) {
      if (mode === 16 && !native.has16Bit) continue;
      for (let n = 0; n < (mode === 16 ? Math.ceil(effort.encodings / 4) : effort.encodings); n++) {
        const e = encode(form, mode, random);
        if (!e) break;
        const { code, window } = e;
        const { bytes: inputs, size } = records(e, effort.states, random);
        const view = new DataView(inputs.buffer);
        for (let at = 0; at < inputs.length; at += size) states.state(form, e, view, at);
        const expected = new Uint8Array(inputs.length), actual = new Uint8Array(inputs.length);
        const there = native.runBatch({ mode, code, inputs, outputs: expected, window }).stray;
        const here = soft.runBatch({ mode, code, inputs, outputs: actual, window, fpu: true }).stray;
        const [a, b] = [actual, expected].map((x) => new DataView(x.buffer));
        const fail = (at: number, text: string) => {
          failed++;
          if (shown++ >= EXAMPLES) return;
          const line = `${form.mnemonic} ${form.text}\n  ${describe(e, view, at)}\n  ${
            vectors(e, view, at)
          }\n  ${text}`;
          examples.push(line);
        };
        for (let at = 0; at < inputs.length; at += size) {
          cases++;
          if (b.getUint32(at + STATE_OFFSET.trap, true) === TRAP.setup) {
            throw new Error(`Cannot load a state for ${form.text}`);
          }
          const d = [...differences(e, flags, b, a, at), ...imageDifferences(mode, b, a, at)];
          if (d.length) fail(at, d.join("; "));
        }
        if (here !== there) fail(0, `stray write at ${here}, not ${there}`);
      }
    }
  }
  return { cases, failed, examples };
}
