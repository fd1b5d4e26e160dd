/**
 * Encodings of a form of the instruction table with random operands, and states for which they do something sensible:
 * addresses in the data window, divisors that divide, branch targets that exist.
 * @module
 */
import { widthOf } from "../../core/x86/decode.ts";
import { type Form, type OperandSpec, VEX_MAP } from "../../core/x86/insn.ts";
import {
  CODE_ADDRESS,
  DATA_ADDRESS,
  DATA_SIZE,
  DEFAULT_CODE_OFFSET,
  READ_ONLY_ADDRESS,
  READ_ONLY_SIZE,
} from "../host/memory_map.ts";
import type { DataWindow, NativeMode } from "../host/native_cpu.ts";
import type { Prng } from "./prng.ts";

/** One encoding. */
export interface Encoding {
  /** Code size it is meant for. */
  readonly mode: NativeMode;
  /** The bytes. */
  readonly code: Uint8Array;
  /** Operand size. */
  readonly opsize: 16 | 32 | 64;
  /** Address size. */
  readonly asize: 16 | 32 | 64;
  /** Whether it has a REP prefix that it obeys. */
  readonly repeats: boolean;
  /** The data it works on. */
  readonly window: DataWindow;
  /** Makes registers and data of a random state fit; the window's bytes are behind the state block. */
  readonly fit: (state: DataView, data: DataView, random: Prng) => void;
}

type Sizes = 16 | 32 | 64;

/** Where operands are by default: across a page boundary. */
const WINDOW: DataWindow = { address: DATA_ADDRESS + 0xe00, length: 0x400 };
/** For bit offsets that reach far. */
const WHOLE: DataWindow = { address: DATA_ADDRESS, length: DATA_SIZE };

const SEGMENTS = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const STACK_MNEMONICS = /^(PUSH|POP|PUSHA|POPA|CALL|RET|ENTER|LEAVE)$/;

/** A register of a state block. */
function setRegister(state: DataView, n: number, value: bigint): void {
  state.setBigUint64(n * 8, BigInt.asUintN(64, value), true);
}

function register(state: DataView, n: number): bigint {
  return state.getBigUint64(n * 8, true);
}

/** Linear address of offset 0 of a mode's data segments. */
export function dataBase(mode: NativeMode): number {
  return mode === 16 ? DATA_ADDRESS : 0;
}

/** RIP of the first byte of the code. */
export function startRip(mode: NativeMode): number {
  return (mode === 16 ? 0 : CODE_ADDRESS) + DEFAULT_CODE_OFFSET;
}

/** Builds one encoding at a time. */
class Builder {
  readonly prefixes: number[] = [];
  readonly tail: number[] = [];
  rex = 0;
  opsize: Sizes = 32;
  asize: Sizes = 32;
  segment = 0;
  modrm = -1;
  memory = false;
  vvvv = 0;
  window: DataWindow = WINDOW;
  readonly fits: Encoding["fit"][] = [];
  /** Where a RIP-relative displacement stands in the tail, and its target. */
  ripAt = -1;
  ripTarget = 0;

  constructor(readonly form: Form, readonly mode: NativeMode, readonly random: Prng) {}

  get vex(): boolean {
    return this.form.map >= VEX_MAP;
  }

  /** Prefixes, and the sizes that follow from them. */
  sizes(): void {
    const { form, mode, random } = this;
    const { attributes } = form.row;
    const has66 = !this.vex && form.prefix !== 0x66 && form.prefix !== 0 && random.once(3);
    if (has66) this.prefixes.push(0x66);
    if (form.prefix > 0 && !this.vex) this.prefixes.push(form.prefix);
    const has67 = random.once(6);
    if (has67) this.prefixes.push(0x67);
    this.asize = mode === 64 ? (has67 ? 32 : 64) : (mode === 16) !== has67 ? 16 : 32;
    if (mode === 64 && (this.vex || random.once(2))) this.rex = 0x40 | random.below(16);
    if (form.rexW === 1) this.rex |= 0x48;
    else if (form.rexW === 0) this.rex &= ~8;
    const w = (this.rex & 8) !== 0;
    if (mode === 64) {
      if (attributes.long === "force64" || w) this.opsize = 64;
      else if (has66) this.opsize = 16;
      else this.opsize = attributes.long === "default64" ? 64 : 32;
    } else if (form.prefix === 0x66 || this.vex) this.opsize = 32;
    else this.opsize = (mode === 16) !== has66 ? 16 : 32;
    if (random.once(8)) {
      this.segment = random.pick(SEGMENTS);
      this.prefixes.push(this.segment);
    }
  }

  /** Displacement of `bytes` bytes. */
  #displacement(bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.tail.push(value >> i * 8 & 0xff);
  }

  /** The first byte of the operand's segment. */
  #base(stack: boolean): number {
    const { mode, segment } = this;
    if (mode === 64) return 0;
    if (segment === 0x2e && mode === 16) return CODE_ADDRESS;
    void stack;
    return dataBase(mode);
  }

  /** Chooses ModRM and what belongs to it. */
  operands(): void {
    const { form, random } = this;
    if (!form.modrm) return;
    if (form.exact >= 0) {
      this.modrm = form.exact;
      return;
    }
    const reg = form.digit >= 0 ? form.digit : random.below(8);
    if (this.vex && form.operands.some((o) => o.code === "B")) this.vvvv = random.below(this.mode === 64 ? 16 : 8);
    this.memory = form.memory ?? random.once(2);
    if (!this.memory) {
      this.modrm = 0xc0 | reg << 3 | random.below(8);
      return;
    }
    if (this.asize === 16) this.#address16(reg);
    else this.#address32(reg);
  }

  #address16(reg: number): void {
    const { random } = this;
    const mod = random.below(3), rm = random.below(8);
    this.modrm = mod << 6 | reg << 3 | rm;
    const absolute = mod === 0 && rm === 6;
    const disp = absolute ? this.target(random) - this.#base(false) : mod === 0 ? 0 : random.range(-128, 127);
    this.#displacement(absolute ? 2 : mod, disp);
    if (absolute) return;
    const registers = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]][rm];
    this.fits.push((state, _, r) => {
      const offset = this.target(r) - this.#base(rm === 2 || rm === 3 || rm === 6) - disp;
      const index = registers.length > 1 ? r.below(0x10000) : 0;
      const keep = (n: number) => register(state, n) & ~0xffffn;
      if (registers.length > 1) setRegister(state, registers[1], keep(registers[1]) | BigInt(index));
      setRegister(state, registers[0], keep(registers[0]) | BigInt((offset - index) & 0xffff));
    });
  }

  #address32(reg: number): void {
    const { random, mode } = this;
    const mod = random.below(3);
    const rm = random.below(8), sib = rm === 4;
    this.modrm = mod << 6 | reg << 3 | rm;
    let base = rm | (this.rex & 1) << 3, index = -1, scale = 0;
    if (sib) {
      const low = random.below(8);
      let high = random.below(8);
      // A base that is its own index has no simple solution.
      if ((low | (this.rex & 1) << 3) === (high | (this.rex & 2) << 2)) high = high ^ 1;
      scale = random.below(4);
      this.tail.push(scale << 6 | high << 3 | low);
      base = low | (this.rex & 1) << 3;
      index = high | (this.rex & 2) << 2;
      if (index === 4) index = -1;
      if (low === 5 && mod === 0) base = -1;
    } else if (rm === 5 && mod === 0) {
      if (mode === 64) {
        this.ripAt = this.tail.length;
        this.ripTarget = this.target(random);
        this.#displacement(4, 0);
        return;
      }
      base = -1;
    }
    const disp = base < 0
      ? this.target(random) - this.#base(false)
      : mod === 0
      ? 0
      : mod === 1
      ? random.range(-128, 127)
      : random.range(-0x10000, 0x10000);
    this.#displacement(base < 0 ? 4 : [0, 1, 4][mod], disp);
    this.fits.push((state, _, r) => this.#fit32(state, r, base, index, scale, disp));
  }

  #fit32(state: DataView, r: Prng, base: number, index: number, scale: number, disp: number): void {
    const garbage = () => this.mode === 64 && this.asize === 32 && r.once(2) ? BigInt(r.u32()) << 32n : 0n;
    const small = base < 0 ? 0 : r.range(-32, 32);
    if (index >= 0) setRegister(state, index, BigInt(small) + garbage());
    if (base < 0) return;
    const stack = base === 4 || base === 5;
    const at = BigInt(this.target(r) - this.#base(stack) - disp) - (index >= 0 ? BigInt(small) << BigInt(scale) : 0n);
    if (this.asize === 64 && r.once(40)) {
      setRegister(
        state,
        base,
        r.pick([0x7fff_ffff_fff8n + BigInt(r.below(8)), 0x8000_0000_0000n, r.u64() | 1n << 60n]),
      );
      return;
    }
    const wrapped = this.asize === 32 ? BigInt.asUintN(32, at) + garbage() : at;
    setRegister(state, base, this.mode === 64 ? wrapped : BigInt.asUintN(32, wrapped));
  }

  /** Whether the memory operand has more than one byte. */
  #wide(): boolean {
    return this.form.operands.some((o) => "EMOWQ".includes(o.code) && o.size !== "b");
  }

  /** A linear address to work on: mostly in the window, sometimes where a fault waits. */
  target(r: Prng): number {
    const at = this.#target(r);
    return this.#vector && !r.once(6) ? at & ~15 : at;
  }

  /** Whether there is an MMX or XMM operand. */
  get #vector(): boolean {
    return this.form.operands.some((o) => "VWUPQN".includes(o.code));
  }

  #target(r: Prng): number {
    if (r.once(24)) {
      const bad = [READ_ONLY_ADDRESS + r.below(64), READ_ONLY_ADDRESS + READ_ONLY_SIZE, DATA_ADDRESS - 0x100];
      if (this.#wide()) bad.push(READ_ONLY_ADDRESS - 1, READ_ONLY_ADDRESS + READ_ONLY_SIZE - 1, DATA_ADDRESS - 1);
      return r.pick(bad);
    }
    if (/^(CALL|JMP)$/.test(this.form.mnemonic)) return this.window.address + 0x80 + 8 * r.below(0x60);
    if (this.window === WHOLE) return DATA_ADDRESS + r.range(0x1800, 0x2800);
    if (r.once(6)) return DATA_ADDRESS + 0x1000 - r.below(16);
    return this.window.address + r.range(0x80, this.window.length - 0x80);
  }

  /** Immediates and relative branches. */
  immediates(): void {
    const { random } = this;
    for (const o of this.form.operands) {
      if (o.code === "I") this.#immediate(o);
      else if (o.code === "J") this.#branch(o);
      else if (o.code === "O") this.#absolute();
    }
    if (this.form.mnemonic === "ENTER") {
      this.tail[0] = random.below(256);
      this.tail[1] = random.once(8) ? random.below(256) : 0;
      this.tail[2] = random.once(4) ? random.below(256) : random.below(4);
    }
  }

  #immediate(o: OperandSpec): void {
    const width = widthOf(o, this.opsize);
    let value = this.random.value();
    for (let i = 0; i < (o.size === "v" ? width : Math.min(width, 32)); i += 8, value >>= 8n) {
      this.tail.push(Number(value & 0xffn));
    }
  }

  /** A branch to somewhere in the code pages, but not into the instruction itself. */
  #branch(o: OperandSpec): void {
    const { random } = this;
    const bytes = o.size === "b" ? 1 : this.opsize === 16 ? 2 : 4;
    const distance = bytes === 1
      ? random.pick([random.range(-128, -32), random.range(16, 127)])
      : random.pick([random.range(-0x700, -32), random.range(16, 0x1700)]);
    this.#displacement(bytes, bytes > 1 && random.once(10) ? random.u32() : distance);
  }

  #absolute(): void {
    const address = this.target(this.random) - this.#base(false);
    this.#displacement(this.asize / 8, address);
    if (this.asize === 64) this.tail.fill(0, this.tail.length - 4);
  }

  /** The finished bytes. */
  finish(): Uint8Array {
    const { form, rex } = this;
    const bytes = [...this.prefixes];
    if (this.vex) {
      const inverse = this.mode === 64 ? (~rex & 7) << 5 : 0xe0;
      const pp = [0, 0x66, 0xf3, 0xf2].indexOf(form.prefix);
      const vvvv = form.operands.some((o) => o.code === "B") ? ~this.vvvv & 15 : 15;
      bytes.push(0xc4, inverse | (form.map - VEX_MAP), (rex & 8) << 4 | vvvv << 3 | pp);
    } else {
      if (rex) bytes.push(rex);
      if (form.map > 0) bytes.push(0x0f);
      if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
    }
    bytes.push(form.opcode);
    if (form.modrm) bytes.push(this.modrm);
    const length = bytes.length + this.tail.length;
    if (this.ripAt >= 0) {
      const disp = this.ripTarget - (startRip(this.mode) + length);
      for (let i = 0; i < 4; i++) this.tail[this.ripAt + i] = disp >> i * 8 & 0xff;
    }
    bytes.push(...this.tail);
    return Uint8Array.from(bytes);
  }
}

/**
 * A random encoding of `form` in `mode`.
 * @returns null if there is none there.
 */
export function encode(form: Form, mode: NativeMode, random: Prng): Encoding | null {
  const { attributes } = form.row;
  if (mode === 64 ? attributes.long === "invalid" : attributes.long === "only") return null;
  const b = new Builder(form, mode, random);
  const bitOffset = /^BT[SRC]?$/.test(form.mnemonic) && form.operands[1].code === "G";
  if (bitOffset) b.window = WHOLE;
  b.sizes();
  b.operands();
  b.immediates();
  if (attributes.lock && b.memory ? random.once(4) : random.once(40)) b.prefixes.unshift(0xf0);
  const repeats = attributes.string !== undefined && random.below(3) > 0;
  if (repeats) b.prefixes.unshift(random.pick([0xf2, 0xf3]));
  const fit: Encoding["fit"] = (state, data, r) => {
    special(b, state, r);
    for (const f of b.fits) f(state, data, r);
    afterwards(b, state, data, r);
  };
  const { opsize, asize, window } = b;
  return { mode, code: b.finish(), opsize, asize, repeats, window, fit };
}

/** An offset in the data segments, of the middle of the window. */
function somewhere(b: Builder, r: Prng): bigint {
  const at = b.window.address + r.range(0x140, b.window.length - 0x140);
  return BigInt(at - dataBase(b.mode));
}

/** Registers that instructions use implicitly; before the memory operand's. */
function special(b: Builder, state: DataView, r: Prng): void {
  const { mnemonic } = b.form;
  const upper = (n: number) => b.mode === 64 && b.asize === 32 && r.once(2) ? register(state, n) & ~0xffff_ffffn : 0n;
  if (STACK_MNEMONICS.test(mnemonic)) {
    setRegister(state, 4, somewhere(b, r) & (r.once(2) ? -1n : -8n));
    if (r.below(4) > 0) setRegister(state, 5, somewhere(b, r));
  } else if (b.form.row.attributes.string !== undefined) {
    setRegister(state, 6, somewhere(b, r) | upper(6));
    setRegister(state, 7, somewhere(b, r) | upper(7));
    setRegister(state, 1, BigInt(r.below(24)) | upper(1));
    if (r.once(12)) setRegister(state, r.pick([6, 7]), BigInt(READ_ONLY_ADDRESS + r.below(9) - dataBase(b.mode)));
  } else if (mnemonic === "XLAT") {
    setRegister(state, 3, BigInt(b.window.address + r.below(0x200) - dataBase(b.mode)) | upper(3));
  } else if (/^(LOOP|JCXZ)/.test(mnemonic)) {
    if (r.below(4) > 0) setRegister(state, 1, BigInt(r.below(3)) | upper(1));
  } else if (/^I?DIV$/.test(mnemonic)) {
    divisible(b, state, r);
  } else if (/^BT[SRC]?$/.test(mnemonic) && b.memory && b.form.operands[1].code === "G") {
    const n = (b.modrm >> 3 & 7) | (b.rex & 4) << 1;
    const low = BigInt.asUintN(b.opsize, BigInt(r.range(-0x4000, 0x4000)));
    const mask = (1n << BigInt(b.opsize)) - 1n;
    setRegister(state, n, (register(state, n) & ~mask) | low);
  }
}

/** Dividends whose quotient often fits. */
function divisible(b: Builder, state: DataView, r: Prng): void {
  const high = r.below(5);
  if (high === 0) return;
  const width = widthOf(b.form.operands[0], b.opsize);
  const top = high === 1 ? 0n : high === 2 ? -1n : BigInt(r.range(-3, 3));
  if (width === 8) {
    const ax = BigInt.asUintN(16, high < 3 ? top << 8n | BigInt(r.below(256)) : BigInt(r.range(-0x800, 0x800)));
    setRegister(state, 0, (register(state, 0) & ~0xffffn) | ax);
  } else setRegister(state, 2, top);
}

/** The value that a form's first operand has in a state, if it is memory: a place in the window, by reading the data. */
function afterwards(b: Builder, state: DataView, data: DataView, r: Prng): void {
  const { mnemonic } = b.form;
  const target = () => BigInt(startRip(b.mode) + r.pick([r.range(-0x700, -32), r.range(16, 0x1700)]));
  if (mnemonic === "RET" && r.below(6) > 0) {
    const at = Number(register(state, 4)) + dataBase(b.mode) - b.window.address;
    if (at >= 0 && at + 8 <= data.byteLength) data.setBigUint64(at, target(), true);
  } else if ((mnemonic === "CALL" || mnemonic === "JMP") && b.modrm >= 0 && r.below(6) > 0) {
    if (!b.memory) setRegister(state, (b.modrm & 7) | (b.rex & 1) << 3, target());
    else fill(data, target());
  } else if (mnemonic.startsWith("CMPXCHG") && r.once(2)) {
    equalise(b, state, data, r);
  } else if (/^(BSF|BSR|TZCNT|LZCNT|POPCNT)$/.test(mnemonic) && r.once(6)) {
    if (b.memory) data.setBigUint64(0, 0n), fill(data, 0n);
    else setRegister(state, (b.modrm & 7) | (b.rex & 1) << 3, 0n);
  }
}

/** The same value everywhere, whatever the alignment of the address turns out to be, if all its bytes are the same. */
function fill(data: DataView, value: bigint): void {
  for (let i = 0; i + 8 <= data.byteLength; i += 8) data.setBigUint64(i, value, true);
}

/** Makes a comparison find what it looks for. */
function equalise(b: Builder, state: DataView, data: DataView, r: Prng): void {
  if (b.memory) {
    const byte = BigInt(r.below(256)) * 0x0101_0101_0101_0101n;
    fill(data, byte);
    setRegister(state, 0, b.mode === 64 ? byte : BigInt.asUintN(32, byte));
    if (/^CMPXCHG\d/.test(b.form.mnemonic)) setRegister(state, 2, b.mode === 64 ? byte : BigInt.asUintN(32, byte));
  } else setRegister(state, (b.modrm & 7) | (b.rex & 1) << 3, register(state, 0));
}
