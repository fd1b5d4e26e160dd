/**
 * FXSAVE, FXRSTOR, XSAVE and XRSTOR on the software engine against the host processor.
 * @module
 */
import { XCR0 } from "../../core/x86/state.ts";
import type { Form } from "../../core/x86/insn.ts";
import { DATA_ADDRESS } from "../host/memory_map.ts";
import type { NativeMode } from "../host/native_cpu.ts";
import { STATE_OFFSET, STATE_SIZE } from "../host/state_block.ts";
import { MODES, records } from "./batch.ts";
import { describe, differences } from "./compare.ts";
import { dataBase, type Encoding } from "./encode.ts";
import { Prng } from "./prng.ts";
import type { Oracle } from "./replay.ts";
import type { Comparison } from "./run.ts";
import { imageDifferences, SIMD_TABLE, SimdStates } from "./simd.ts";
import type { SoftCpu } from "./soft_cpu.ts";

/** Across a page boundary; the image is in the middle. */
const WINDOW = { address: DATA_ADDRESS + 0xe00, length: 0x400 } as const;
const IMAGE = 0xc0, HEADER = 512, FEATURE_BITS = 3;
const NAMES = ["FXSAVE", "FXRSTOR", "LDMXCSR", "STMXCSR", "XSAVE", "XRSTOR"] as const;
const EXAMPLES = 3;

/** The instructions that are compared. */
export const IMAGE_INSTRUCTIONS = ["FXSAVE", "FXRSTOR", "XSAVE", "XRSTOR"] as const;
/** The name of one. */
export type ImageInstruction = typeof IMAGE_INSTRUCTIONS[number];

/** The instruction with its operand at [rBX]. */
function encoding(name: ImageInstruction, mode: NativeMode, wide: boolean): Encoding {
  const modrm = NAMES.indexOf(name) << 3 | (mode === 16 ? 7 : 3);
  const code = Uint8Array.from([...(wide ? [0x48] : []), 0x0f, 0xae, modrm]);
  const opsize = wide ? 64 : mode === 16 ? 16 : 32;
  const fit = () => {};
  return { mode, code, opsize, asize: mode, repeats: false, window: WINDOW, fit };
}

/** Puts an image into the window that is mostly valid. */
function image(states: SimdStates, form: Form, view: DataView, at: number, r: Prng): void {
  const data = at + STATE_SIZE + IMAGE;
  states.fill(form, view, data, 416);
  view.setUint16(data + 2, r.u32() & 0xffff, true);
  view.setUint32(data + 24, states.mxcsr() | (r.once(12) ? 0x1_0000 : 0), true);
  view.setUint32(data + 28, r.u32(), true);
  for (let i = 0; i < 8; i++) view.setUint16(data + 32 + i * 16 + 8, r.u32(), true);
  // Instruction and operand pointers of the program's half.
  for (const o of [8, 16]) view.setBigUint64(data + o, BigInt(r.u32()), true);
  for (let i = 0; i < 64; i += 4) view.setUint32(data + HEADER + i, 0, true);
  view.setUint32(data + HEADER, r.below(4), true);
  if (r.once(12)) view.setUint8(data + HEADER + r.below(24), 1 << r.below(8));
}

/** Compares states before and after, and what is in memory. */
export function compareImages(
  native: Oracle,
  soft: SoftCpu,
  name: ImageInstruction,
  effort: { readonly seed: number; readonly states: number },
): Comparison {
  let cases = 0, failed = 0;
  const examples: string[] = [], random = new Prng(effort.seed), states = new SimdStates(effort.seed);
  const form = SIMD_TABLE.forms.find((f) => f.mnemonic === name)!;
  // The host program cannot set XCR0 by an ioctl of version 12.
  (soft.vcpu as unknown as { readonly i32: Int32Array }).i32[XCR0 >> 2] = FEATURE_BITS;
  for (const mode of MODES) {
    if (mode === 16 && !native.has16Bit) continue;
    for (const wide of mode === 64 ? [false, true] : [false]) {
      const e = encoding(name, mode, wide);
      const { bytes: inputs, size } = records(e, effort.states, random);
      const view = new DataView(inputs.buffer);
      for (let at = 0; at < inputs.length; at += size) {
        states.state(form, e, view, at);
        image(states, form, view, at, random);
        const off = random.once(6) ? random.pick([1, 8, 16, 32]) : 0;
        const place = WINDOW.address + IMAGE + off - dataBase(mode);
        view.setBigUint64(at + 3 * 8, BigInt(place), true);
        view.setBigUint64(at, BigInt(random.below(4)), true);
        view.setBigUint64(at + 2 * 8, 0n, true);
      }
      const expected = new Uint8Array(inputs.length), actual = new Uint8Array(inputs.length);
      native.runBatch({ mode, code: e.code, inputs, outputs: expected, window: WINDOW });
      soft.runBatch({ mode, code: e.code, inputs, outputs: actual, window: WINDOW, fpu: true });
      const [a, b] = [actual, expected].map((x) => new DataView(x.buffer));
      for (let at = 0; at < inputs.length; at += size) {
        cases++;
        const d = [...differences(e, -1, b, a, at), ...imageDifferences(mode, b, a, at)];
        if (!d.length) continue;
        failed++;
        const ftw = view.getUint8(at + STATE_OFFSET.ftw).toString(16);
        if (examples.length < EXAMPLES) examples.push(`${name} ${describe(e, view, at)} ftw=${ftw}\n  ${d.join("; ")}`);
      }
    }
  }
  return { cases, failed, examples };
}
