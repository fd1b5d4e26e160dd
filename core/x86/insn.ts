/**
 * The form of the instruction table: a row is one instruction with its meaning; a form is one encoding of it, written as
 * in the manual's opcode column with the operand codes of the opcode map (SDM volume 2, appendix A).
 *
 * A form reads `[66|F2|F3|NP|NFx] opcode bytes [+r|+cc] [/r|/0…/7|/C0…/FF] [operands]`, alternatives separated by `|`:
 * - `+r`: eight opcodes, the register in the low bits; `+cc`: sixteen, the condition in the low bits;
 * - `/r`: a ModRM byte follows; `/3`: with that reg field; `/D1`: with exactly that ModRM byte;
 * - `VEX.LZ.F2.0F38.W0` and the like, as the manual writes it, in place of prefixes and map;
 * - `REX.W1`, `REX.W0` first: only with REX.W, only without, where the two are different instructions;
 * - 66, F2, F3 before 0F (or before 90) are mandatory prefixes, NP forbids them, NFx forbids F2 and F3; else they keep
 *   their usual meaning.
 * @module
 */
import type { Ctx } from "./context.ts";

/** What an instruction needs and does beyond its operands. */
export interface Attributes {
  /** LOCK is allowed when the first operand is memory. */
  readonly lock?: boolean;
  /** CPUID feature that must be offered, else #UD: a name of cpuid.ts. */
  readonly cpuid?: string;
  /** Flags read, as letters of OSZAPC. */
  readonly reads?: string;
  /** Flags written with a defined value. */
  readonly writes?: string;
  /** Flags left undefined by the manual. */
  readonly undefined?: string;
  /** #GP(0) unless CPL is 0 (real mode counts as 0). */
  readonly cpl0?: boolean;
  /** #UD in real and virtual-8086 mode. */
  readonly protected?: boolean;
  /** Uses the stack implicitly: the meaning depends on the stack address size. */
  readonly stack?: boolean;
  /** Transfers control, or may change how what follows is decoded: decoding stops behind it. */
  readonly ends?: boolean;
  /** A string instruction: "rep" repeats by count, "repz" also by ZF. */
  readonly string?: "rep" | "repz";
  /** Meaning depends on the address size (string instructions, LOOP, JCXZ). */
  readonly address?: boolean;
  /** 64-bit mode: "invalid", "only" there, operand size "default64" or "force64". */
  readonly long?: "invalid" | "only" | "default64" | "force64";
}

/** One row of the table. */
export interface Row {
  /** Mnemonic as in the manual; `cc` stands for the condition. */
  readonly mnemonic: string;
  /** The encodings as written. */
  readonly forms: string;
  /** What it needs and does. */
  readonly attributes: Attributes;
  /** What it means. */
  readonly meaning: (c: Ctx) => void;
}

/** Operand size code of the manual: b w d q v z y, p and a for pairs, ss sd scalars, ps pd x dq 16 bytes, t ten, none. */
// deno-fmt-ignore
export type SizeCode = "b" | "w" | "d" | "q" | "v" | "z" | "y" | "p" | "a" | "s" | "ss" | "sd" | "ps" | "pd" | "x" | "dq" | "t" | "";

/** One operand of a form. */
export interface OperandSpec {
  /** As written, such as `Ev`. */
  readonly text: string;
  /** Addressing code: E G M R I J O Z X Y A B H C D S V W U P Q N, `F` fixed register, `T` ST(i), `1` the constant one. */
  readonly code: string;
  /** Size code. */
  readonly size: SizeCode;
  /** Immediate: sign-extended to the operand size. */
  readonly signed: boolean;
  /** Fixed register number in encoding order (general, or segment if code is `S`), or −1. */
  readonly fixed: number;
}

/** One encoding of a row. */
export interface Form {
  /** Number in the table. */
  readonly id: number;
  /** The row. */
  readonly row: Row;
  /** As written. */
  readonly text: string;
  /** Mnemonic with the condition filled in. */
  readonly mnemonic: string;
  /** Mandatory prefix: 0x66, 0xF2, 0xF3, 0 for none allowed (NP), −1 for do not care, −2 for neither F2 nor F3 (NFx). */
  readonly prefix: number;
  /** Opcode map: 0 one-byte, 1 0F, 2 0F38, 3 0F3A; VEX_MAP added for VEX-encoded ones. */
  readonly map: number;
  /** VEX.L must be: 0, 1, or −1 for either (and where there is no VEX). */
  readonly vexL: number;
  /** VEX.W must be: 0, 1, or −1 for either. In 16- and 32-bit modes W1 forms of general-purpose instructions act as W0. */
  readonly vexW: number;
  /** REX.W must be: 0 (so it is outside 64-bit mode), 1, or −1 for either. */
  readonly rexW: number;
  /** Opcode byte. */
  readonly opcode: number;
  /** Whether a ModRM byte follows. */
  readonly modrm: boolean;
  /** Required reg field 0..7, or −1. */
  readonly digit: number;
  /** Required ModRM byte, or −1. */
  readonly exact: number;
  /** Condition 0..15 of a `+cc` form, or −1. */
  readonly cc: number;
  /** Operands. */
  readonly operands: readonly OperandSpec[];
  /** Memory operands only (true), registers only (false), or both (undefined), by the operand codes. */
  readonly memory: boolean | undefined;
}

/** Added to the map number of VEX-encoded forms. */
export const VEX_MAP = 4;

/** Writes one row. */
export function insn(mnemonic: string, forms: string, attributes: Attributes, meaning: (c: Ctx) => void): Row {
  return { mnemonic, forms, attributes, meaning };
}

/** Condition mnemonics by number. */
// deno-fmt-ignore
export const CONDITIONS: readonly string[] = ["O", "NO", "B", "AE", "E", "NE", "BE", "A", "S", "NS", "P", "NP", "L", "GE", "LE", "G"];

// deno-fmt-ignore
const FIXED: Readonly<Record<string, readonly [code: string, number: number, size: SizeCode]>> = {
  AL: ["F", 0, "b"], CL: ["F", 1, "b"], AH: ["F", 4, "b"], AX: ["F", 0, "w"], DX: ["F", 2, "w"], CX: ["F", 1, "w"],
  rAX: ["F", 0, "v"], eAX: ["F", 0, "z"], XMM0: ["V", 0, "dq"],
  STi: ["T", -1, ""],
  ES: ["S", 0, "w"], CS: ["S", 1, "w"], SS: ["S", 2, "w"], DS: ["S", 3, "w"], FS: ["S", 4, "w"], GS: ["S", 5, "w"],
};

function operandSpec(text: string): OperandSpec {
  if (text === "1") return { text, code: "1", size: "b", signed: false, fixed: -1 };
  if (text in FIXED) {
    const [code, fixed, size] = FIXED[text];
    return { text, code, size, signed: false, fixed };
  }
  const m = /^(s?)([EGMRIJOZXYABHCDSVWUPQN])(b|w|d|q|v|z|y|p|a|s|ss|sd|ps|pd|x|dq|t|)$/.exec(text);
  if (!m) throw new TypeError(`Cannot read operand ${text}: no such code`);
  return { text, code: m[2], size: m[3] as SizeCode, signed: m[1] === "s", fixed: -1 };
}

function parseForm(row: Row, text: string, add: (f: Omit<Form, "id">) => void): void {
  const [encoding, operandText] = splitForm(text);
  const tokens = encoding.split(" ");
  let prefix = -1, map = 0, digit = -1, exact = -1, modrm = false, plus = "";
  let vexL = -1, vexW = -1;
  const rex = /^REX\.W([01])$/.exec(tokens[0]), rexW = rex ? Number(rex[1]) : -1;
  if (rex) tokens.shift();
  const vex = /^VEX\.(LZ|L0|128|L1|256|LIG)\.(NP|66|F2|F3)\.(0F|0F38|0F3A)\.(W0|W1|WIG)$/.exec(tokens[0]);
  if (vex) {
    tokens.shift();
    vexL = vex[1] === "LIG" ? -1 : vex[1] === "L1" || vex[1] === "256" ? 1 : 0;
    vexW = vex[4] === "WIG" ? -1 : Number(vex[4][1]);
    prefix = vex[2] === "NP" ? 0 : parseInt(vex[2], 16);
    map = VEX_MAP + ["0F", "0F38", "0F3A"].indexOf(vex[3]) + 1;
  } else if (/^(66|F2|F3|NP|NFx)$/.test(tokens[0]) && tokens.length > 1 && /^(0F|90|90\+r)$/.test(tokens[1])) {
    prefix = tokens[0] === "NP" ? 0 : tokens[0] === "NFx" ? -2 : parseInt(tokens[0], 16);
    tokens.shift();
  }
  if (!vex && tokens[0] === "0F") {
    tokens.shift();
    map = 1;
    if (tokens.length > 1 && /^3[8A]$/.test(tokens[0]) && !tokens[1].startsWith("/")) {
      map = tokens.shift() === "38" ? 2 : 3;
    }
  }
  const op = /^([0-9A-F]{2})(\+r|\+cc|)$/.exec(tokens[0]);
  if (!op || tokens.length > 2) throw new TypeError(`Cannot read form ${text} of ${row.mnemonic}`);
  plus = op[2];
  if (tokens[1]) {
    modrm = true;
    const t = tokens[1].slice(1);
    if (t !== "r") t.length === 1 ? digit = Number(t) : exact = parseInt(t, 16);
  }
  const operands = operandText ? operandText.split(",").map(operandSpec) : [];
  let memory: boolean | undefined;
  for (const o of operands) {
    if (o.code === "M") memory = true;
    if ("RUNT".includes(o.code)) memory = false;
  }
  if (operands.some((o) => o.code === "C" || o.code === "D")) memory = undefined;
  if (exact >= 0) memory = exact < 0xc0;
  const count = plus === "+r" ? 8 : plus === "+cc" ? 16 : 1;
  for (let i = 0; i < count; i++) {
    const cc = plus === "+cc" ? i : -1;
    const mnemonic = cc < 0 ? row.mnemonic : row.mnemonic.replace("cc", CONDITIONS[cc]);
    const opcode = parseInt(op[1], 16) + i;
    add({ row, text, mnemonic, prefix, map, vexL, vexW, rexW, opcode, modrm, digit, exact, cc, operands, memory });
  }
}

function splitForm(text: string): [encoding: string, operands: string] {
  const tokens = text.trim().split(/\s+/);
  const last = tokens[tokens.length - 1];
  const encoding = /^([0-9A-F]{2}(\+r|\+cc)?|\/(r|[0-7]|[0-9A-F]{2})|NP)$/.test(last) && !(last in FIXED);
  return encoding ? [tokens.join(" "), ""] : [tokens.slice(0, -1).join(" "), last];
}

/** The table in the shape that decoding asks: forms by map and opcode. */
export class InsnTable {
  /** All forms by number. */
  readonly forms: Form[] = [];
  readonly #byOpcode: Form[][] = Array.from({ length: 2 * VEX_MAP * 256 }, () => []);

  /** Reads the rows. */
  constructor(rows: readonly Row[]) {
    for (const row of rows) {
      for (const text of row.forms.split("|")) {
        parseForm(row, text, (f) => {
          const form = { ...f, id: this.forms.length };
          this.forms.push(form);
          this.#byOpcode[f.map * 256 + f.opcode].push(form);
        });
      }
    }
    const rank = (f: Form) => (f.exact >= 0 ? 4 : 0) + (f.prefix > 0 ? 2 : f.prefix === 0 ? 1 : 0);
    for (const list of this.#byOpcode) list.sort((a, b) => rank(b) - rank(a));
  }

  /** The forms of an opcode, the more specific first. */
  candidates(map: number, opcode: number): readonly Form[] {
    return this.#byOpcode[map * 256 + opcode];
  }
}
