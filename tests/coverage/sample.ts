/**
 * One plain encoding of a form: no prefixes but its own, memory at [rAX] or [BX+SI].
 * @module
 */
import { type Form, VEX_MAP } from "../../core/x86/insn.ts";

const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
/** No operand of a form is longer. */
const TAIL = new Array<number>(10).fill(0);

/** Bytes that mean `form`, with zeros behind; registers where there may be either, unless `memory`. */
export function sample(form: Form, memory: boolean = false): Uint8Array {
  const { map, prefix, opcode, digit, exact, rexW, vexL, vexW } = form;
  const modrm = exact >= 0
    ? [exact]
    : form.modrm
    ? [(form.memory ?? memory ? 0 : 0xc0) | (digit >= 0 ? digit : 0) << 3]
    : [];
  if (map >= VEX_MAP) {
    const pp = [0, 0x66, 0xf3, 0xf2].indexOf(prefix), vvvv = 15;
    const last = (vexW === 1 ? 0x80 : 0) | vvvv << 3 | (vexL === 1 ? 4 : 0) | pp;
    return Uint8Array.from([0xc4, 0xe0 | (map - VEX_MAP), last, opcode, ...modrm, ...TAIL]);
  }
  const prefixes = [...prefix > 0 ? [prefix] : [], ...rexW === 1 ? [0x48] : []];
  return Uint8Array.from([...prefixes, ...MAPS[map], opcode, ...modrm, ...TAIL]);
}
