/**
 * x87 instructions on the software engine against the host processor: encodings, states full of special values, and
 * what of the FXSAVE image must agree.
 * @module
 */
import type { F80Bits } from "../../core/x86/softfloat/f80_value.ts";
import { F32, F64 } from "../../core/x86/softfloat/format.ts";
import { Operands } from "../../core/x86/softfloat/support_test.ts";
import { type Form, InsnTable } from "../../core/x86/insn.ts";
import { X87 } from "../../core/x86/table/x87.ts";
import type { NativeCpu, NativeMode } from "../host/native_cpu.ts";
import { STATE_OFFSET, STATE_SIZE } from "../host/state_block.ts";
import { MODES, records } from "./batch.ts";
import { definedFlags, describe, differences } from "./compare.ts";
import { dataBase, encode, type Encoding } from "./encode.ts";
import { Prng } from "./prng.ts";
import type { Comparison, Effort } from "./run.ts";
import type { SoftCpu } from "./soft_cpu.ts";

/** The x87 instructions. */
export const X87_TABLE: InsnTable = new InsnTable(X87);

/** Exponents, relative to 1, of the arguments for which a function is interesting: of ST(0) and ST(1). */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  F2XM1: [-80, -1],
  FYL2X: [-3, 3],
  FPTAN: [-80, 64],
  FPATAN: [-50, 50],
  FYL2XP1: [-80, -2],
  FSINCOS: [-80, 64],
  FSIN: [-80, 64],
  FCOS: [-80, 64],
  FSCALE: [-40, 20],
  FBSTP: [-5, 62],
  FIST: [-5, 33],
  FISTP: [-5, 65],
  FISTTP: [-5, 65],
  FRNDINT: [-3, 66],
};
const TRANSCENDENTAL = /^(F2XM1|FYL2X|FYL2XP1|FPTAN|FPATAN|FSINCOS|FSIN|FCOS) /;
const ENVIRONMENT = /^(FLDENV|FRSTOR)$/;
/** C1 of the status word: it tells the rounding of the processor's own approximation. */
const C1 = 0x200;
/** Where a plain memory operand is. */
const OPERAND = 0x200;

/** An encoding whose memory operand is at OPERAND in the window. */
function plain(form: Form, mode: NativeMode, random: Prng): Encoding | null {
  const e = encode(form, mode, random);
  if (!e || !form.modrm || form.memory !== true) return e;
  const small = mode === 16;
  const modrm = (form.digit << 3) | (small ? 7 : 3);
  const prefix = random.once(4) ? [0x66] : [];
  const at = BigInt(e.window.address + OPERAND - dataBase(mode));
  const code = Uint8Array.from([...prefix, form.opcode, modrm]);
  const opsize = (mode === 16) !== prefix.length > 0 ? 16 : 32;
  return { ...e, code, opsize, fit: (state) => state.setBigUint64(3 * 8, at, true) };
}

/** Fills in x87 states and operands. */
class States {
  readonly #o: Operands;

  constructor(seed: number) {
    this.#o = new Operands(seed);
  }

  #f80(other?: F80Bits): F80Bits {
    return this.#o.f80(other);
  }

  #finite([low, high]: readonly [number, number]): F80Bits {
    const o = this.#o;
    return { sig: 1n << 63n | o.pattern(63), se: o.below(2) << 15 | 16383 + low + o.below(high - low + 1) };
  }

  #status(fcw: number): number {
    const o = this.#o;
    const flags = o.below(3) ? o.below(64) & fcw : o.below(12) ? 0 : o.below(64);
    const pending = flags & ~fcw & 0x3f ? 0x8080 : 0;
    return flags | (o.below(8) ? 0 : 0x40) | pending | o.below(8) << 11 | o.below(8) << 8 | o.below(2) << 14;
  }

  /** Writes the x87 part of a state block. */
  fill(form: Form, view: DataView, at: number): void {
    const o = this.#o, fx = at + STATE_OFFSET.fxsave;
    const fcw = o.fcw() | 0x40, fsw = this.#status(fcw);
    view.setUint16(fx, fcw, true);
    view.setUint16(fx + 2, fsw, true);
    view.setUint8(fx + 4, this.#tags(form, fsw >> 11 & 7));
    view.setUint16(fx + 6, o.below(0x800), true);
    view.setBigUint64(fx + 8, o.bits() & 0xffff_ffffn, true);
    view.setBigUint64(fx + 16, o.bits() & 0xffff_ffffn, true);
    const range = RANGES[form.mnemonic];
    let last: F80Bits | undefined;
    for (let i = 0; i < 8; i++) {
      const value: F80Bits = range && i < 2 && o.below(2) ? this.#finite(range) : this.#f80(last);
      last = value;
      view.setBigUint64(fx + 32 + i * 16, value.sig, true);
      view.setUint16(fx + 40 + i * 16, value.se, true);
    }
  }

  /** Tags in FXSAVE's form: mostly such that the instruction finds its operands. */
  #tags(form: Form, top: number): number {
    const o = this.#o;
    if (o.below(4) === 0) return Number(o.bits() & 0xffn);
    const st = form.operands.some((x) => x.code === "T") ? 0x7f : 0x03 | o.below(128);
    return (st << top | st << top >> 8) & 0xff;
  }

  /** Writes a memory operand. */
  operand(form: Form, view: DataView, at: number, small: boolean): void {
    const o = this.#o, { size } = form.operands[0], integer = /^FI|^FILD/.test(form.mnemonic);
    if (ENVIRONMENT.test(form.mnemonic)) return this.#environment(view, at, small);
    if (size === "w") view.setUint16(at, this.#control(form), true);
    else if (size === "d") view.setUint32(at, integer ? Number(o.pattern(32)) : Number(o.sse(F32)), true);
    else if (size === "q") view.setBigUint64(at, integer ? o.pattern(64) : o.sse(F64), true);
    else {
      const value = form.mnemonic === "FBLD" ? this.#decimal() : this.#f80();
      view.setBigUint64(at, value.sig, true);
      view.setUint16(at + 8, value.se, true);
    }
  }

  #control(form: Form): number {
    const o = this.#o;
    return form.mnemonic === "FLDCW" && o.below(2) ? o.fcw() : Number(o.pattern(16));
  }

  /** Decimal digits: others are undefined. */
  #decimal(): F80Bits {
    const o = this.#o;
    const digits = (n: number) => BigInt(`0x${Array.from({ length: n }, () => o.below(10)).join("")}`);
    return { sig: digits(16), se: Number(digits(2)) | o.below(2) << 15 };
  }

  #environment(view: DataView, at: number, small: boolean): void {
    const o = this.#o, size = small ? 2 : 4;
    const fcw = o.fcw() | 0x40, fsw = this.#status(fcw);
    const set = (n: number, v: number) =>
      small ? view.setUint16(at + n * 2, v, true) : view.setUint32(at + n * size, v, true);
    [fcw, fsw, Number(o.bits() & 0xffffn)].forEach((v, n) => set(n, v));
    for (let i = 0; i < 8; i++) {
      const v = this.#f80(), to = at + size * 7 + i * 10;
      view.setBigUint64(to, v.sig, true);
      view.setUint16(to + 8, v.se, true);
    }
  }
}

/** Distance of two f80s in units of the last place, or a large number where signs differ. */
function distance(a: F80Bits, b: F80Bits): bigint {
  const line = ({ sig, se }: F80Bits): bigint => (BigInt(se & 0x7fff) << 63n) + BigInt.asUintN(63, sig);
  const d = line(a) - line(b);
  return a.se >> 15 !== b.se >> 15 ? 1n << 80n : d < 0n ? -d : d;
}

/** How the x87 part of two state blocks differs. */
function x87Differences(name: string, expected: DataView, actual: DataView, at: number): string[] {
  const out: string[] = [], fx = at + STATE_OFFSET.fxsave;
  const hex = (v: number | bigint) => v.toString(16);
  const rounded = TRANSCENDENTAL.test(name);
  const check = (name: string, a: number | bigint, b: number | bigint) => {
    if (a !== b) out.push(`${name} ${hex(a)}, not ${hex(b)}`);
  };
  const word = (name: string, offset: number, mask = 0xffff) =>
    check(name, actual.getUint16(fx + offset, true) & mask, expected.getUint16(fx + offset, true) & mask);
  word("fcw", 0);
  word("fsw", 2, rounded ? 0xffff & ~C1 : 0xffff);
  word("ftw", 4, 0xff);
  word("fop", 6);
  check("fip", actual.getBigUint64(fx + 8, true), expected.getBigUint64(fx + 8, true));
  check("fdp", actual.getBigUint64(fx + 16, true), expected.getBigUint64(fx + 16, true));
  for (let i = 0; i < 8; i++) {
    const read = (v: DataView): F80Bits => {
      return { sig: v.getBigUint64(fx + 32 + i * 16, true), se: v.getUint16(fx + 40 + i * 16, true) };
    };
    const a = read(actual), b = read(expected);
    if (a.sig === b.sig && a.se === b.se || rounded && distance(a, b) <= 1n) continue;
    out.push(`st${i} ${hex(a.se)}:${hex(a.sig)}, not ${hex(b.se)}:${hex(b.sig)}`);
  }
  return out;
}

/** The x87 state of a case in one line. */
function describeX87(view: DataView, at: number): string {
  const fx = at + STATE_OFFSET.fxsave;
  const word = (n: number) => view.getUint16(fx + n, true).toString(16);
  const st = [0, 1, 2, 3, 7].map((i) => {
    const at = fx + 32 + i * 16;
    return `st${i}=${view.getUint16(at + 8, true).toString(16)}:${view.getBigUint64(at, true).toString(16)}`;
  });
  return `fcw=${word(0)} fsw=${word(2)} ftw=${word(4)} ${st.join(" ")}`;
}

/** Across the end of the canonical addresses, the processor accesses ten bytes in two parts, the engine in one. */
function straddlesEnd(name: string, expected: DataView, at: number): boolean {
  if (!name.endsWith(" Mt") || expected.getUint32(at + STATE_OFFSET.trap, true) !== PAGE_FAULT) return false;
  return expected.getBigUint64(at + STATE_OFFSET.cr2, true) >= 0x7fff_ffff_fff0n;
}

const PAGE_FAULT = 14;
const EXAMPLES = 5;

/** Random cases of one encoding. */
export interface X87Batch {
  /** The encoding. */
  readonly encoding: Encoding;
  /** State blocks and data windows. */
  readonly inputs: Uint8Array<ArrayBuffer>;
  /** Bytes of each. */
  readonly size: number;
  /** Seeds of their integer part. */
  readonly seeds: readonly number[];
}

/** Batches of a form in a mode: most encodings have their memory operand where a special value is. */
export function* x87Batches(form: Form, mode: NativeMode, effort: Effort): Generator<X87Batch> {
  const seed = effort.seed * 0x1_0001 + form.id * 8 + mode;
  const random = new Prng(seed), states = new States(seed);
  for (let n = 0; n < effort.encodings; n++) {
    const usual = n % 4 !== 3;
    const encoding = usual ? plain(form, mode, random) : encode(form, mode, random);
    if (!encoding) return;
    const { bytes: inputs, size, seeds } = records(encoding, effort.states, random);
    const view = new DataView(inputs.buffer);
    for (let at = 0; at < inputs.length; at += size) {
      states.fill(form, view, at);
      if (usual && form.memory) states.operand(form, view, at + STATE_SIZE + OPERAND, encoding.opsize === 16);
    }
    yield { encoding, inputs, size, seeds };
  }
}

/** How a case of `name` (mnemonic and form) ended in another way than expected; empty if it did not. */
export function x87CaseDifferences(
  name: string,
  flags: number,
  e: Pick<Encoding, "mode" | "window">,
  [expected, actual]: readonly [expected: DataView, actual: DataView],
  at: number,
): string[] {
  const d = [...differences(e, flags, expected, actual, at), ...x87Differences(name, expected, actual, at)];
  return straddlesEnd(name, expected, at) ? [] : d;
}

/** A case in a few lines. */
export function describeCase(name: string, e: Pick<Encoding, "mode" | "code">, input: DataView, at: number): string {
  return `${name}\n  ${describe(e, input, at)}\n  ${describeX87(input, at)}`;
}

/** Compares all forms in all modes that the host offers. */
export function compareX87(native: NativeCpu, soft: SoftCpu, forms: readonly Form[], effort: Effort): Comparison {
  let cases = 0, failed = 0;
  const examples: string[] = [];
  for (const form of forms) {
    const flags = definedFlags(form), name = `${form.mnemonic} ${form.text}`;
    for (const mode of MODES) {
      if (mode === 16 && !native.has16Bit) continue;
      for (const { encoding: e, inputs, size } of x87Batches(form, mode, effort)) {
        const { code, window } = e;
        const expected = new Uint8Array(inputs.length), actual = new Uint8Array(inputs.length);
        native.runBatch({ mode, code, inputs, outputs: expected, window });
        soft.runBatch({ mode, code, inputs, outputs: actual, window, fpu: true });
        const views = [new DataView(expected.buffer), new DataView(actual.buffer)] as const;
        for (let at = 0; at < inputs.length; at += size) {
          cases++;
          const d = x87CaseDifferences(name, flags, e, views, at);
          if (!d.length) continue;
          failed++;
          if (examples.length >= EXAMPLES) continue;
          examples.push(`${describeCase(name, e, new DataView(inputs.buffer), at)}\n  ${d.join("; ")}`);
        }
      }
    }
  }
  return { cases, failed, examples };
}
