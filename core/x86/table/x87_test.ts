import { assertEquals } from "@std/assert";
import { type Form, InsnTable } from "../insn.ts";
import type { Machine } from "../machine.ts";
import * as S from "../state.ts";
import { X87 } from "./x87.ts";
import { loadEnvironment, saveState, setWords, storeEnvironment, tagWord } from "./x87_environment.ts";
import { X87_HELPERS } from "./x87_helpers.ts";

const TABLE = new InsnTable(X87);
const CODE = S.SEG + S.CS * S.SEG_SIZE;

function accepts(f: Form, modrm: number): boolean {
  if (f.exact >= 0) return f.exact === modrm;
  return f.digit === (modrm >> 3 & 7) && f.memory === modrm < 0xc0;
}

Deno.test("X87 no two forms overlap unless one is a single encoding", () => {
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (let modrm = 0; modrm < 256; modrm++) {
      const all = TABLE.candidates(0, opcode).filter((f) => accepts(f, modrm) && f.exact < 0);
      assertEquals(all.length <= 1, true, `${opcode.toString(16)} ${modrm.toString(16)}: ${all.map((f) => f.text)}`);
    }
  }
});

Deno.test("X87 every form has a mnemonic of the FPU and needs one", () => {
  for (const { mnemonic, row, opcode } of TABLE.forms) {
    assertEquals(mnemonic[0], "F");
    assertEquals(row.attributes.cpuid === undefined, opcode === 0x9b, mnemonic);
  }
});

/** A machine of state and memory alone: flat, at the linear address 0x100 for the instruction's operand. */
class Memory implements Pick<Machine, "read" | "write" | "probeWrite" | "has"> {
  readonly u8: Uint8Array = new Uint8Array(0x1000);
  readonly u16: Uint16Array = new Uint16Array(this.u8.buffer);
  readonly i32: Int32Array = new Int32Array(this.u8.buffer);
  readonly u32: Uint32Array = new Uint32Array(this.u8.buffer);
  readonly u64: BigUint64Array = new BigUint64Array(this.u8.buffer);
  readonly ram: DataView = new DataView(new ArrayBuffer(0x1000));
  readonly segment: number = S.SEG + S.DS * S.SEG_SIZE;

  constructor(readonly features: readonly string[], readonly isProtected: boolean) {
    this.i32[S.CR0 >> 2] = isProtected ? 1 : 0;
    this.i32[S.FEMPTY >> 2] = 0xff;
    this.i32[S.FCW >> 2] = 0x37f;
    this.u16[(CODE + S.SEG_SELECTOR) >> 1] = 0x1234;
  }

  /** Calls a helper with its operand at 0x100. */
  call(helper: (m: Machine) => void, small: boolean): void {
    this.u32[S.ARG >> 2] = 0x100;
    this.u32[(S.ARG + 8) >> 2] = small ? 1 : 0;
    helper(this as unknown as Machine);
  }

  has(feature: string): boolean {
    return this.features.includes(feature);
  }

  read(at: number, size: number): number {
    return size === 2 ? this.ram.getUint16(at, true) : this.ram.getUint32(at, true);
  }

  write(at: number, size: number, value: number): void {
    if (size === 2) this.ram.setUint16(at, value, true);
    else this.ram.setUint32(at, value, true);
  }

  probeWrite(): void {}

  /** Sets the last instruction 1234:56789abc with opcode 5a5 and operand 4321:0fedcba9. */
  last(): this {
    this.u32[S.FSEL >> 2] = 0x4321_1234;
    this.u32[S.FIP >> 2] = 0x5678_9abc;
    this.u32[S.FDP >> 2] = 0x0fed_cba9;
    this.u32[S.FOP >> 2] = 0x5a5;
    return this;
  }

  words(size: 2 | 4): string[] {
    return Array.from({ length: 7 }, (_, n) => this.read(0x100 + n * size, size).toString(16));
  }
}

Deno.test("storeEnvironment() has a layout for each operand size and mode", () => {
  // deno-fmt-ignore
  const cases: readonly [isProtected: boolean, small: boolean, words: string[]][] = [
    [true, false, ["ffff037f", "ffff0000", "ffffffff", "56789abc", "5a51234", "fedcba9", "ffff4321"]],
    [true, true, ["37f", "0", "ffff", "9abc", "1234", "cba9", "4321"]],
    // 1234 × 16 + 56789abc = 5679bdfc; 4321 × 16 + 0fedcba9 = 0ff1fdb9.
    [false, false, ["ffff037f", "ffff0000", "ffffffff", "ffffbdfc", "56795a5", "ffff" + "fdb9", "ff1000"]],
    [false, true, ["37f", "0", "ffff", "bdfc", "95a5", "fdb9", "1000"]],
  ];
  for (const [isProtected, small, words] of cases) {
    const m = new Memory([], isProtected).last();
    m.call(storeEnvironment, small);
    assertEquals(m.words(small ? 2 : 4), words);
  }
});

Deno.test("storeEnvironment() stores no selectors where CPUID has fpu_cs_ds", () => {
  const m = new Memory(["fpu_cs_ds"], true).last();
  m.call(storeEnvironment, false);
  assertEquals(m.words(4).slice(3), ["56789abc", "5a50000", "fedcba9", "ffff0000"]);
});

Deno.test("loadEnvironment() takes back what storeEnvironment() stored", () => {
  for (const small of [false, true]) {
    const m = new Memory([], true).last();
    if (small) m.u64[S.FIP >> 3] = m.u64[S.FDP >> 3] = 0x1234n;
    m.u32[S.FSW >> 2] = 0x4123;
    m.u32[S.FTOP >> 2] = 5;
    m.u32[S.FEMPTY >> 2] = 0xa5;
    if (small) m.u32[S.FOP >> 2] = 0;
    const before = m.u8.slice(S.FCW, S.FP_FLAGS);
    m.call(storeEnvironment, small);
    m.u8.fill(0, S.FCW, S.FP_FLAGS);
    m.call(loadEnvironment, small);
    assertEquals(m.u8.slice(S.FCW, S.FP_FLAGS), before);
  }
});

Deno.test("saveState() initialises, and frstor takes the registers back", () => {
  const m = new Memory([], true);
  for (let i = 0; i < 8; i++) {
    m.u64[(S.FPR + i * 16) >> 3] = 0x8000_0000_0000_0000n + BigInt(i);
    m.u16[(S.FPR + i * 16 + 8) >> 1] = 0x4000 + i;
  }
  m.i32[S.FEMPTY >> 2] = 0;
  m.i32[S.FTOP >> 2] = 3;
  const registers = m.u8.slice(S.FPR, S.FCW);
  m.call(saveState, false);
  assertEquals([m.i32[S.FTOP >> 2], m.i32[S.FEMPTY >> 2], m.i32[S.FCW >> 2]], [0, 0xff, 0x37f]);
  assertEquals(m.ram.getUint16(0x100 + 28 + 8, true), 0x4003);
  m.u8.fill(0, S.FPR, S.FCW);
  m.call(X87_HELPERS.frstor, false);
  assertEquals(m.u8.slice(S.FPR, S.FCW), registers);
  assertEquals([m.i32[S.FTOP >> 2], m.i32[S.FEMPTY >> 2]], [3, 0]);
});

Deno.test("tagWord() tells valid, zero, special and empty", () => {
  const m = new Memory([], true);
  // deno-fmt-ignore
  const values: readonly [significand: bigint, signExponent: number, tag: number][] = [
    [1n << 63n, 0x3fff, 0], [0n, 0x8000, 1], [1n << 63n, 0x7fff, 2], [1n, 0, 2], [1n << 63n, 0, 2], [1n, 0x4000, 2], [0n, 0x4000, 2],
  ];
  values.forEach(([significand, signExponent], i) => {
    m.u64[(S.FPR + i * 16) >> 3] = significand;
    m.u16[(S.FPR + i * 16 + 8) >> 1] = signExponent;
  });
  m.i32[S.FEMPTY >> 2] = 0x80;
  assertEquals(tagWord(m as unknown as Machine), values.reduce((w, [, , tag], i) => w | tag << i * 2, 3 << 14));
});

Deno.test("setWords() derives ES and B", () => {
  const m = new Memory([], true);
  // deno-fmt-ignore
  for (const [fcw, fsw, control, status, top] of [
    [0x340, 1, 0x340, 0x8081, 0], [0x37f, 0xb881, 0x37f, 1, 7], [0xffff, 0x4000, 0x1f7f, 0x4000, 0], [0, 0x2840, 0x40, 0x40, 5],
  ]) {
    setWords(m as unknown as Machine, fcw, fsw);
    assertEquals([m.i32[S.FCW >> 2], m.i32[S.FSW >> 2], m.i32[S.FTOP >> 2]], [control, status, top]);
  }
});
