/**
 * Decoding: bytes to a form and its operands. Happens once for each instruction in a cached page.
 * Source: SDM volume 2, chapter 2.
 * @module
 */
import { type Form, type InsnTable, type OperandSpec, VEX_MAP } from "./insn.ts";
import { CS, DS, ES, FS, GS, SS } from "./state.ts";

/** How decoding ended. */
export type DecodeStatus = "ok" | "invalid" | "truncated" | "long";

/** The longest instruction, bytes. */
export const MAX_LENGTH = 15;

/** An operand's integer width in bits under an operand size; `s`, `dq` and other wide ones count as the operand size. */
export function widthOf(spec: OperandSpec, opsize: 16 | 32 | 64): 8 | 16 | 32 | 64 {
  switch (spec.size) {
    case "b":
      return 8;
    case "w":
      return 16;
    case "d":
    case "ss":
      return 32;
    case "q":
    case "sd":
      return 64;
    case "z":
      return opsize === 16 ? 16 : 32;
    case "y":
      return opsize === 64 ? 64 : 32;
    default:
      return opsize;
  }
}

const PREFIX_SEGMENT: Readonly<Record<number, number>> = { 0x26: ES, 0x2e: CS, 0x36: SS, 0x3e: DS, 0x64: FS, 0x65: GS };
const CONTROL_REGISTERS: ReadonlySet<number> = new Set([0, 2, 3, 4, 8]);
const BASE16 = [3, 3, 5, 5, -1, -1, 5, 3], INDEX16 = [6, 7, 6, 7, 6, 7, -1, -1];

/** Decodes one instruction after the other into its own fields. */
export class Decoder {
  /** The form, if the status is ok. */
  form!: Form;
  /** Bytes. */
  length = 0;
  /** Operand size. */
  opsize: 16 | 32 | 64 = 16;
  /** Address size. */
  asize: 16 | 32 | 64 = 16;
  /** Segment of the memory operand, override applied. */
  segment: number = DS;
  /** Segment override, or −1. */
  override = -1;
  /** 0 none, 1 F3, 2 F2. */
  rep: 0 | 1 | 2 = 0;
  /** LOCK prefix. */
  lock = false;
  /** REX, or 0. */
  rex = 0;
  /** ModRM byte. */
  modrm = 0;
  /** Register number in ModRM.reg or the opcode, extended by REX. */
  reg = 0;
  /** Register number in ModRM.rm, extended by REX. */
  rm = 0;
  /** Register number in VEX.vvvv. */
  vvvv = 0;
  /** VEX.L. */
  vexL = 0;
  /** Whether the ModRM operand is memory. */
  memory = false;
  /** Base register or −1. */
  base = -1;
  /** Index register or −1. */
  index = -1;
  /** log2 of the scale. */
  scale = 0;
  /** Displacement, or the distance of a relative branch: i32. */
  disp = 0;
  /** RIP-relative. */
  ripRelative = false;
  /** Immediate, low and high half. */
  immLow = 0;
  /** High half, signed. */
  immHigh = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  readonly #table: InsnTable;
  readonly #has: (feature: string) => boolean;

  /** Decodes by `table`; forms whose CPUID feature `has` denies do not exist. */
  constructor(table: InsnTable, has: (feature: string) => boolean) {
    this.#table = table;
    this.#has = has;
  }

  #u8(): number {
    return this.#at < this.#end ? this.#bytes[this.#at++] : (this.#at++, 0);
  }

  #peek(): number {
    return this.#at < this.#end ? this.#bytes[this.#at] : 0xff;
  }

  #i8(): number {
    return this.#u8() << 24 >> 24;
  }

  #i16(): number {
    return (this.#u8() | this.#u8() << 8) << 16 >> 16;
  }

  #i32(): number {
    return this.#u8() | this.#u8() << 8 | this.#u8() << 16 | this.#u8() << 24;
  }

  /**
   * Decodes the instruction at `bytes[start]`, `bytes` ending at `end`.
   * @param code Code segment size.
   * @returns "truncated" if it does not end before `end`; "long" if it has more than 15 bytes; "invalid" for #UD.
   */
  decode(bytes: Uint8Array, start: number, end: number, code: 16 | 32 | 64): DecodeStatus {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const status = this.#decode(code);
    this.length = this.#at - start;
    // What was read behind the end counts as 0; it may be something shorter.
    if (this.#at > end && end - start < MAX_LENGTH) return "truncated";
    return this.length > MAX_LENGTH ? "long" : status;
  }

  #decode(code: 16 | 32 | 64): DecodeStatus {
    const start = this.#at;
    this.rex = 0;
    this.override = -1;
    this.rep = 0;
    this.lock = false;
    this.modrm = 0;
    this.memory = false;
    this.disp = 0;
    this.immLow = this.immHigh = 0;
    let has66 = false, has67 = false, byte: number;
    for (;;) {
      byte = this.#u8();
      if (this.#at - start > MAX_LENGTH) return "long";
      if (byte === 0x66) has66 = true;
      else if (byte === 0x67) has67 = true;
      else if (byte === 0xf0) this.lock = true;
      else if (byte === 0xf2) this.rep = 2;
      else if (byte === 0xf3) this.rep = 1;
      else if (byte in PREFIX_SEGMENT) {
        const s = PREFIX_SEGMENT[byte];
        if (code !== 64 || s === FS || s === GS) this.override = s;
      } else if (code === 64 && (byte & 0xf0) === 0x40) {
        this.rex = byte;
        continue;
      } else break;
      this.rex = 0;
    }
    let map = 0, vexPrefix = -1, unnamed = true;
    if ((byte === 0xc4 || byte === 0xc5) && (code === 64 || this.#peek() >= 0xc0)) {
      // Outside 64-bit mode the next byte tells VEX from LES and LDS.
      if (code !== 64 && this.#at >= this.#end) {
        this.#at++;
        return "truncated";
      }
      // #UD for VEX behind 66, F2, F3, LOCK or REX.
      if (has66 || this.rep || this.lock || this.rex) return this.#at > this.#end ? "truncated" : "invalid";
      const p1 = this.#u8(), p2 = byte === 0xc4 ? this.#u8() : p1;
      map = VEX_MAP + (byte === 0xc4 ? p1 & 31 : 1);
      this.rex = 0x40 | (~p1 >> 5 & 4) | (byte === 0xc4 ? (~p1 >> 5 & 3) | (p2 >> 4 & 8) : 0);
      if (code !== 64) this.rex &= 8;
      this.vvvv = ~p2 >> 3 & (code === 64 ? 15 : 7);
      unnamed = (p2 & 0x78) === 0x78;
      this.vexL = p2 >> 2 & 1;
      vexPrefix = [0, 0x66, 0xf3, 0xf2][p2 & 3];
      if (map <= VEX_MAP || map > VEX_MAP + 3) return this.#at > this.#end ? "truncated" : "invalid";
      byte = this.#u8();
    } else if (byte === 0x0f) {
      map = 1;
      byte = this.#u8();
      if (byte === 0x38 || byte === 0x3a) {
        map = byte === 0x38 ? 2 : 3;
        byte = this.#u8();
      }
    }
    this.asize = code === 64 ? (has67 ? 32 : 64) : (code === 16) !== has67 ? 16 : 32;

    const candidates = this.#table.candidates(map, byte);
    let peeked = false, modrm = 0, form: Form | undefined;
    for (const f of candidates) {
      if (vexPrefix >= 0) {
        if (f.prefix !== vexPrefix || f.vexL >= 0 && f.vexL !== this.vexL) continue;
        if (f.vexW >= 0 && f.vexW !== (this.rex >> 3 & 1)) continue;
      } else if (f.rexW >= 0 && f.rexW !== (this.rex >> 3 & 1)) continue;
      else if (f.prefix === -2 && this.rep) continue;
      else if (f.prefix >= 0) {
        const now = this.rep === 1 ? 0xf3 : this.rep === 2 ? 0xf2 : has66 ? 0x66 : 0;
        if (f.prefix !== now) continue;
      }
      const long = f.row.attributes.long;
      if (code === 64 ? long === "invalid" : long === "only") continue;
      if (f.modrm) {
        if (!peeked) {
          modrm = this.#u8();
          peeked = true;
        }
        if (f.exact >= 0 && f.exact !== modrm) continue;
        if (f.digit >= 0 && f.digit !== (modrm >> 3 & 7)) continue;
        if (f.memory !== undefined && f.memory !== (modrm < 0xc0)) continue;
      }
      if (f.row.attributes.cpuid !== undefined && !this.#has(f.row.attributes.cpuid)) continue;
      form = f;
      break;
    }
    if (!form) {
      if (this.#at > this.#end) return "truncated";
      return "invalid";
    }
    // VEX.vvvv that names no operand must be 1111.
    if (!unnamed && !form.operands.some((o) => o.code === "B" || o.code === "H")) {
      return this.#at > this.#end ? "truncated" : "invalid";
    }
    this.form = form;
    const { attributes } = form.row;
    const opsizePrefix = has66 && form.prefix !== 0x66;
    if (code === 64) {
      if (attributes.long === "force64") this.opsize = 64;
      else if (this.rex & 8) this.opsize = 64;
      else if (opsizePrefix) this.opsize = 16;
      else this.opsize = attributes.long === "default64" ? 64 : 32;
    } else if (form.prefix === 0x66 || form.map >= VEX_MAP) this.opsize = 32;
    else this.opsize = (code === 16) !== opsizePrefix ? 16 : 32;

    this.reg = (byte & 7) | (this.rex & 1) << 3;
    this.segment = this.override >= 0 ? this.override : DS;
    if (form.modrm) {
      this.modrm = modrm;
      this.reg = (modrm >> 3 & 7) | (this.rex & 4) << 1;
      this.rm = (modrm & 7) | (this.rex & 1) << 3;
      this.memory = modrm < 0xc0 && !form.operands.some((o) => o.code === "C" || o.code === "D");
      if (this.memory) this.#address(modrm, code);
      // An x87 instruction's immediate is its opcode as the FPU keeps it.
      if (map === 0 && (byte & 0xf8) === 0xd8) this.immLow = (byte & 7) << 8 | modrm;
    }
    this.ripRelative &&= this.memory;
    for (const o of form.operands) this.#immediate(o, code);
    if (this.lock && !(attributes.lock && this.memory && /[EM]/.test(form.operands[0].code))) return "invalid";
    return form.modrm && !this.#registerExists(form) ? "invalid" : "ok";
  }

  /** Whether ModRM.reg names a control, debug or segment register that there is. Segment registers ignore REX.R. */
  #registerExists(form: Form): boolean {
    for (let i = 0; i < form.operands.length; i++) {
      const { code, fixed } = form.operands[i];
      if (code === "C") return CONTROL_REGISTERS.has(this.reg);
      if (code === "D") return this.reg < 8;
      if (code !== "S" || fixed >= 0) continue;
      this.reg &= 7;
      // CS cannot be loaded.
      return this.reg < 6 && (this.reg !== 1 || i > 0);
    }
    return true;
  }

  #address(modrm: number, code: 16 | 32 | 64): void {
    const mod = modrm >> 6, rm = modrm & 7;
    this.base = this.index = -1;
    this.scale = 0;
    this.ripRelative = false;
    let stack = false;
    if (this.asize === 16) {
      this.base = BASE16[rm];
      this.index = INDEX16[rm];
      if (rm >= 4) {
        this.index = -1;
        this.base = [6, 7, 5, 3][rm - 4];
      }
      stack = this.base === 5;
      if (mod === 0 && rm === 6) {
        this.base = -1;
        stack = false;
        this.disp = this.#i16();
      }
      if (mod === 1) this.disp = this.#i8();
      if (mod === 2) this.disp = this.#i16();
    } else {
      if (rm === 4) {
        const sib = this.#u8();
        this.scale = sib >> 6;
        const index = (sib >> 3 & 7) | (this.rex & 2) << 2;
        if (index !== 4) this.index = index;
        this.base = (sib & 7) | (this.rex & 1) << 3;
        if ((sib & 7) === 5 && mod === 0) {
          this.base = -1;
          this.disp = this.#i32();
        }
      } else if (rm === 5 && mod === 0) {
        this.disp = this.#i32();
        this.ripRelative = code === 64;
      } else this.base = this.rm;
      stack = this.base === 4 || this.base === 5;
      if (mod === 1) this.disp = this.#i8();
      if (mod === 2) this.disp = this.#i32();
    }
    if (this.override < 0) this.segment = stack ? SS : DS;
  }

  #immediate(o: OperandSpec, code: 16 | 32 | 64): void {
    if (o.code === "J") {
      if (o.size === "b") this.disp = this.#i8();
      else this.disp = this.opsize === 16 ? this.#i16() : this.#i32();
    } else if (o.code === "O") {
      this.base = this.index = -1;
      this.ripRelative = false;
      this.memory = true;
      if (this.asize === 16) this.immLow = this.#i16() & 0xffff;
      else this.immLow = this.#i32();
      if (code === 64 && this.asize === 64) this.immHigh = this.#i32();
    } else if (o.code === "A") {
      this.immLow = this.opsize === 16 ? this.#i16() & 0xffff : this.#i32();
      this.immHigh = this.#i16() & 0xffff;
    } else if (o.code === "I") {
      if (o !== this.form.operands.find((x) => x.code === "I")) {
        this.immHigh = this.#u8();
      } else if (o.size === "b") {
        this.immLow = o.signed ? this.#i8() : this.#u8();
        if (o.signed) this.immHigh = this.immLow >> 31;
      } else if (o.size === "w" || this.opsize === 16) {
        this.immLow = this.#i16() & 0xffff;
      } else {
        this.immLow = this.#i32();
        if (this.opsize === 64) this.immHigh = o.size === "v" ? this.#i32() : this.immLow >> 31;
      }
    }
  }
}
