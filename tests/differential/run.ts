/**
 * The software engine against the host processor, form by form.
 * @module
 */
import type { Form } from "../../core/x86/insn.ts";
import type { NativeCpu } from "../host/native_cpu.ts";
import { branches, MODES, records } from "./batch.ts";
import { definedFlags, describe, differences } from "./compare.ts";
import { encode } from "./encode.ts";
import { Prng } from "./prng.ts";
import type { SoftCpu } from "./soft_cpu.ts";

/** How much is compared. */
export interface Effort {
  /** Seed; the same seed, the same cases. */
  readonly seed: number;
  /** Encodings of a form in each mode. */
  readonly encodings: number;
  /** States of an encoding. */
  readonly states: number;
}

/** What came of it. */
export interface Comparison {
  /** Cases compared. */
  readonly cases: number;
  /** Cases that differ. */
  readonly failed: number;
  /** The first few of them, in words. */
  readonly examples: readonly string[];
}

const EXAMPLES = 5;

/** Compares all forms in all modes that the host offers. */
export function compare(native: NativeCpu, soft: SoftCpu, forms: readonly Form[], effort: Effort): Comparison {
  let cases = 0, failed = 0;
  const examples: string[] = [];
  const fail = (text: string) => {
    failed++;
    if (examples.length < EXAMPLES) examples.push(text);
  };
  for (const form of forms) {
    const random = new Prng(effort.seed * 0x1_0001 + form.id);
    const flags = definedFlags(form);
    for (const mode of MODES) {
      if (mode === 16 && !native.has16Bit) continue;
      for (let k = 0; k < effort.encodings; k++) {
        const e = encode(form, mode, random);
        if (!e) break;
        const { code, window } = e;
        const { bytes: inputs, size } = records(e, effort.states, random);
        const expected = new Uint8Array(inputs.length), actual = new Uint8Array(inputs.length);
        const landing = branches(form) ? "int3" : "jump";
        const there = native.runBatch({ mode, code, inputs, outputs: expected, window, landing }).stray;
        const here = soft.runBatch({ mode, code, inputs, outputs: actual, window, repeats: e.repeats }).stray;
        const [i, a, b] = [inputs, actual, expected].map((x) => new DataView(x.buffer));
        const what = (at: number, text: string) => `${form.mnemonic} ${form.text}\n  ${describe(e, i, at)}\n  ${text}`;
        for (let at = 0; at < inputs.length; at += size) {
          cases++;
          const d = differences(e, flags, b, a, at);
          if (d.length) fail(what(at, d.join("; ")));
        }
        if (here !== there) fail(what(0, `stray write at ${here}, not ${there}`));
      }
    }
  }
  return { cases, failed, examples };
}
