/**
 * The disassembler: bytes to Intel syntax in NASM's spelling, from the instruction table alone. Every instruction that
 * the engine knows has a text that NASM assembles to the same meaning.
 * @module
 */
import { Decoder, widthOf } from "./decode.ts";
import { type InsnTable, type OperandSpec, VEX_MAP } from "./insn.ts";
import { INSTRUCTIONS } from "./table/instructions.ts";

/** How bytes are to be read. */
export interface DisassembleOptions {
  /** Code segment size. */
  readonly code: 16 | 32 | 64;
  /** Address of the first byte, for branch targets and RIP-relative operands; 0 unless told. */
  readonly address?: number | bigint;
  /**
   * The instructions that exist; all unless told.
   * @internal
   */
  readonly table?: InsnTable;
}

/** One instruction as text. */
export interface Disassembled {
  /** The instruction, or `(bad)`. */
  readonly text: string;
  /** Its bytes; 1 if it is `(bad)`, 0 if there are none. */
  readonly length: number;
}

const BAD = "(bad)";
const WORDS = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const BYTES = ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];
/** Size keywords by bytes. */
const KEYWORD: Readonly<Record<number, string>> = {
  1: "byte",
  2: "word",
  4: "dword",
  8: "qword",
  10: "tword",
  16: "oword",
};
const SUFFIX: Readonly<Record<number, string>> = { 8: "b", 16: "w", 32: "d", 64: "q" };

/** Names that depend on the operand size. */
const BY_SIZE: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  CBW: { 16: "cbw", 32: "cwde", 64: "cdqe" },
  CWD: { 16: "cwd", 32: "cdq", 64: "cqo" },
  MOVD: { 64: "movq" },
  PEXTRD: { 64: "pextrq" },
  PINSRD: { 64: "pinsrq" },
  FXSAVE: { 64: "fxsave64" },
  FXRSTOR: { 64: "fxrstor64" },
  XSAVE: { 64: "xsave64" },
  XRSTOR: { 64: "xrstor64" },
};
/** Names that get a suffix where the operand size is not the usual one. */
const SUFFIXED = new Set(["PUSHF", "POPF", "PUSHA", "POPA", "IRET", "RET", "RETF"]);
/** String instructions get the suffix of their element. */
const STRINGS = new Set(["MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"]);
/** The size of the memory operand cannot be told from the register. */
const ALWAYS_SIZED = new Set(["MOVZX", "MOVSX", "MOVSXD", "CRC32"]);
/** No size is written: there is only one, or memory is not accessed. */
// deno-fmt-ignore
const NEVER_SIZED = new Set(["LEA", "INVLPG", "CLFLUSH", "CLFLUSHOPT", "CLWB", "LAR", "LSL", "PREFETCHW", "PUNPCKLBW", "PUNPCKLWD", "PUNPCKLDQ"]);
/** What they have in memory has 16 bits whatever the operand size. */
const WORD_IN_MEMORY = new Set(["SLDT", "STR", "SMSW"]);
/** The operand size changes what they do, although no operand shows it. */
const HIDDEN_SIZE = new Set(["LGDT", "LIDT", "SGDT", "SIDT", "SYSRET", "SYSEXIT", "ENTER", "LEAVE"]);

const decoders: WeakMap<InsnTable, Decoder> = new WeakMap();

/**
 * Disassembles the instruction at the beginning of `bytes`.
 * @param bytes Code; 15 bytes hold any instruction.
 * @param options How to read it.
 * @returns Its text and length: `(bad)` where the processor would raise #UD, or where `bytes` end too early.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(disassemble(Uint8Array.of(0x8b, 0x44, 0x24, 0x08), { code: 64 }), {
 *   text: "mov eax, [rsp+0x8]",
 *   length: 4,
 * });
 * ```
 */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions): Disassembled {
  const { code, address = 0, table = INSTRUCTIONS } = options;
  let d = decoders.get(table);
  if (!d) decoders.set(table, d = new Decoder(table, () => true));
  if (d.decode(bytes, 0, bytes.length, code) !== "ok" || d.form.mnemonic === "UD") {
    return { text: BAD, length: Math.min(1, bytes.length) };
  }
  return { text: new Printer(d, code, BigInt(address)).text(), length: d.length };
}

function hex(v: bigint): string {
  return v < 0n ? `-0x${(-v).toString(16)}` : `0x${v.toString(16)}`;
}

/** A general register by number; an 8-bit one above 3 is AH and the like unless there is a REX prefix. */
function general(n: number, width: number, rex: boolean): string {
  if (n >= 8) return `r${n}${width === 64 ? "" : width === 32 ? "d" : SUFFIX[width]}`;
  if (width === 8) return rex && n >= 4 ? `${WORDS[n]}l` : BYTES[n];
  return width === 16 ? WORDS[n] : (width === 32 ? "e" : "r") + WORDS[n];
}

/** Bytes of an operand; 0 where there is no such size. */
function bytesOf(o: OperandSpec, opsize: 16 | 32 | 64): number {
  switch (o.size) {
    case "x":
    case "dq":
    case "ps":
    case "pd":
      return 16;
    case "t":
      return 10;
    case "p":
    case "a":
    case "s":
    case "":
      return 0;
    default:
      return widthOf(o, opsize) / 8;
  }
}

/** Writes what a decoder has decoded. */
class Printer {
  /** The operand size without prefixes. */
  readonly #usual: 16 | 32 | 64;
  /** Whether prefixes give another. */
  readonly #strange: boolean;

  constructor(readonly d: Decoder, readonly code: 16 | 32 | 64, readonly address: bigint) {
    const { form, opsize } = d, { long } = form.row.attributes;
    this.#usual = code !== 64 ? code : long === "default64" || long === "force64" ? 64 : 32;
    this.#strange = form.map < VEX_MAP && form.prefix !== 0x66 && opsize !== this.#usual;
  }

  text(): string {
    const { d, code } = this, { form } = d, { attributes, mnemonic } = form.row;
    const byCount = /^(LOOP|JCXZ)/.test(mnemonic);
    const operands = STRINGS.has(mnemonic) || mnemonic === "XLAT" || this.#isNop
      ? []
      : form.operands.map((o, i) => this.#operand(o, i)).filter((o) => o !== "");
    if (byCount && mnemonic !== "JCXZ" && d.asize !== code) operands.push(general(1, d.asize, false));
    let prefixes = "";
    if (d.override >= 0 && !d.memory) prefixes += `${SEGMENTS[d.override]} `;
    if (d.lock) prefixes += "lock ";
    if (d.rep !== 0 && form.prefix !== 0xf2 && form.prefix !== 0xf3) {
      prefixes += d.rep === 2 ? "repne " : attributes.string === "repz" ? "repe " : "rep ";
    }
    if ((attributes.address || attributes.string) && !byCount && d.asize !== code) prefixes += `a${d.asize} `;
    const hidden = HIDDEN_SIZE.has(mnemonic) || this.#isShort ||
      attributes.stack && form.operands.some((o) => o.code === "S");
    if (this.#strange && hidden) prefixes += `o${d.opsize} `;
    return `${prefixes}${this.#name()}${operands.length ? ` ${operands.join(", ")}` : ""}`;
  }

  /** A short branch, for which NASM knows no size keyword. */
  get #isShort(): boolean {
    const [o] = this.d.form.operands;
    return o?.code === "J" && o.size === "b";
  }

  /** Opcode 90 for the accumulator, which has nothing to exchange with itself. */
  get #isNop(): boolean {
    const { form, reg } = this.d;
    return form.map === 0 && form.opcode === 0x90 && form.prefix < 0 && reg === 0 && !this.#strange;
  }

  #name(): string {
    const { d } = this, { mnemonic } = d.form, lower = mnemonic.toLowerCase();
    if (this.#isNop) return "nop";
    if (mnemonic === "JCXZ") return ["jcxz", "jecxz", "jrcxz"][d.asize >> 5];
    if (mnemonic === "XLAT") return "xlatb";
    if (STRINGS.has(mnemonic) && d.form.row.attributes.string) {
      return lower + SUFFIX[widthOf(d.form.operands.find((o) => "XY".includes(o.code))!, d.opsize)];
    }
    if (SUFFIXED.has(mnemonic) && this.#strange) return lower + SUFFIX[d.opsize];
    return BY_SIZE[mnemonic]?.[d.opsize] ?? lower;
  }

  #operand(o: OperandSpec, i: number): string {
    const { d } = this;
    switch (o.code) {
      case "E":
      case "W":
      case "Q":
        return d.memory ? this.#memory(o) : this.#register(o, d.rm);
      case "M":
        return this.#memory(o);
      case "O":
        return this.#offset();
      case "R":
      case "U":
      case "N":
        return this.#register(o, d.rm);
      case "G":
      case "Z":
      case "V":
      case "P":
        return this.#register(o, o.fixed >= 0 ? o.fixed : d.reg);
      case "B":
      case "H":
        return this.#register(o, d.vvvv);
      case "F":
        return general(o.fixed, widthOf(o, d.opsize), false);
      case "S":
        return SEGMENTS[o.fixed >= 0 ? o.fixed : d.reg & 7] ?? `s${d.reg}`;
      case "C":
        return `cr${d.reg}`;
      case "D":
        return `dr${d.reg}`;
      case "T":
        return `${d.form.opcode === 0xdc && !/^FCOM/.test(d.form.mnemonic) ? "to " : ""}st${d.modrm & 7}`;
      case "1":
        return "1";
      case "I":
        return this.#immediate(o, i);
      case "J":
        return this.#target();
      case "A":
        return this.#far();
      default:
        return "";
    }
  }

  #register(o: OperandSpec, n: number): string {
    const { d } = this;
    if ("VWUH".includes(o.code)) return `xmm${n}`;
    if ("PQN".includes(o.code)) return `mm${n & 7}`;
    const wide = d.form.mnemonic === "PINSRW" ? 32 : widthOf(o, d.opsize);
    return general(n, wide, d.rex !== 0);
  }

  /** Size keyword of a memory operand with its space, or nothing. */
  #keyword(o: OperandSpec): string {
    const { d } = this, { form } = d, { mnemonic } = form;
    if (WORD_IN_MEMORY.has(mnemonic) || form.operands.some((x) => x.code === "S")) return "word ";
    if (form.operands[0].code === "M" && o.size === "p") {
      // CALL and JMP with a far pointer.
      const usual = this.code === 64 ? 64 : this.#usual;
      return d.opsize === usual ? "far " : `${KEYWORD[d.opsize / 8]} far `;
    }
    if (NEVER_SIZED.has(mnemonic)) return "";
    if (form.row.attributes.ends && o.size === "v" && !this.#strange) return "";
    const size = bytesOf(o, d.opsize), vector = "WQ".includes(o.code) || o.code === "M";
    const same = form.operands.some((x) =>
      x !== o && x.text !== "CL" && (vector ? "VPUNG" : "GZFRB").includes(x.code) && bytesOf(x, d.opsize) === size
    );
    const word = KEYWORD[size];
    return word === undefined || same && !ALWAYS_SIZED.has(mnemonic) ? "" : `${word} `;
  }

  #memory(o: OperandSpec): string {
    const { d } = this, parts: string[] = [];
    const mask = (1n << BigInt(d.asize)) - 1n;
    const register = (n: number) => general(n, d.asize, false);
    if (d.base >= 0) parts.push(register(d.base));
    if (d.index >= 0) parts.push(register(d.index) + (d.scale ? `*${1 << d.scale}` : ""));
    const segment = d.override >= 0 ? `${SEGMENTS[d.override]}:` : "";
    let inner = parts.join("+");
    if (d.ripRelative) {
      const at = this.address + BigInt(d.length) + BigInt(d.disp);
      return `${this.#keyword(o)}[${d.asize === 32 ? "dword " : ""}rel ${segment}${hex(at & mask)}]`;
    }
    if (!parts.length) {
      const size = d.asize === this.code ? "" : `${KEYWORD[d.asize / 8]} `;
      inner = `${size}${hex(BigInt(d.disp) & mask)}`;
    } else if (d.disp) inner += `${d.disp > 0 ? "+" : "-"}${hex(BigInt(Math.abs(d.disp)))}`;
    // An index alone is scaled, or it would be a base.
    if (d.base < 0 && d.index >= 0 && !d.scale) inner = `nosplit ${inner.replace(register(d.index), "$&*1")}`;
    return `${this.#keyword(o)}[${segment}${inner}]`;
  }

  #offset(): string {
    const { d } = this, segment = d.override >= 0 ? `${SEGMENTS[d.override]}:` : "";
    const size = this.code === 64 || d.asize !== this.code ? `${KEYWORD[d.asize / 8]} ` : "";
    return `[${segment}${size}${hex(this.#wide(d.asize))}]`;
  }

  /** The immediate's low `bits` bits. */
  #wide(bits: number): bigint {
    const { immLow, immHigh } = this.d;
    return BigInt.asUintN(bits, BigInt(immHigh) << 32n | BigInt(immLow >>> 0));
  }

  #immediate(o: OperandSpec, i: number): string {
    const { d } = this, { form } = d;
    const first = form.operands.findIndex((x) => x.code === "I");
    if (i !== first) return hex(BigInt(d.immHigh & 0xff));
    const bits = widthOf(o, d.opsize);
    if (!o.signed) return hex(this.#wide(bits));
    const keyword = i === 0 && this.#strange ? `${KEYWORD[d.opsize / 8]} ` : "";
    if (o.size === "b") return keyword + hex(BigInt(d.immLow));
    const whole = i === 0 ? d.opsize : widthOf(form.operands[0], d.opsize);
    return keyword + hex(this.#wide(whole));
  }

  #target(): string {
    const { d } = this, { mnemonic } = d.form.row;
    const bits = d.opsize === 16 ? 16 : this.code === 64 ? 64 : 32;
    const at = BigInt.asUintN(bits, this.address + BigInt(d.length) + BigInt(d.disp));
    if (this.#isShort) return `${mnemonic === "JMP" || this.#strange && mnemonic === "Jcc" ? "short " : ""}${hex(at)}`;
    const near = d.form.cc >= 0 ? "near " : "";
    return `${this.#strange ? `${near}${KEYWORD[d.opsize / 8]} ` : ""}${hex(at)}`;
  }

  #far(): string {
    const { d } = this;
    const size = this.#strange ? `${KEYWORD[d.opsize / 8]} ` : "";
    return `${size}${hex(BigInt(d.immHigh & 0xffff))}:${hex(this.#wide(d.opsize === 16 ? 16 : 32))}`;
  }
}
