import { assert, assertEquals } from "@std/assert";
import { Decoder, type DecodeStatus, MAX_LENGTH, widthOf } from "./decode.ts";
import { insn, InsnTable } from "./insn.ts";
import { CS, DS, ES, FS, GS, SS } from "./state.ts";
import { INSTRUCTIONS } from "./table/instructions.ts";

type Code = 16 | 32 | 64;

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (b) => parseInt(b, 16));
}

function decoded(code: Code, hex: string, has: (feature: string) => boolean = () => true): [Decoder, DecodeStatus] {
  const d = new Decoder(INSTRUCTIONS, has), bytes = bytesOf(hex);
  return [d, d.decode(bytes, 0, bytes.length, code)];
}

type Fields = Partial<Record<keyof Decoder, unknown>> & { readonly name: string };

// deno-fmt-ignore
const CASES: readonly (readonly [code: Code, hex: string, fields: Fields])[] = [
  // Sizes.
  [16, "01 c8", { name: "ADD", opsize: 16, asize: 16, reg: 1, rm: 0, memory: false }],
  [16, "66 01 c8", { name: "ADD", opsize: 32, asize: 16 }], [32, "66 01 c8", { name: "ADD", opsize: 16, asize: 32 }],
  [32, "67 8b 00", { name: "MOV", asize: 16, base: 3, index: 6 }], [64, "48 01 c8", { name: "ADD", opsize: 64, asize: 64 }],
  [64, "66 48 01 c8", { name: "ADD", opsize: 64 }], [64, "67 8b 00", { name: "MOV", asize: 32, base: 0 }],
  [64, "50", { name: "PUSH", opsize: 64 }], [64, "66 50", { name: "PUSH", opsize: 16 }], [64, "c3", { name: "RET", opsize: 64 }],
  [64, "66 e8 00 00 00 00", { name: "CALL", opsize: 64, length: 6 }], [64, "0f 20 c0", { name: "MOV", opsize: 64 }],
  [16, "66 0f 6f c1", { name: "MOVDQA", opsize: 32 }], [32, "c4 e2 f8 f2 c1", { name: "ANDN", opsize: 32 }],
  [64, "c4 e2 f8 f2 c1", { name: "ANDN", opsize: 64 }],
  // Registers.
  [64, "45 89 c8", { name: "MOV", reg: 9, rm: 8 }], [64, "41 57", { name: "PUSH", reg: 15 }], [64, "44 8b 00", { name: "MOV", reg: 8, base: 0 }],
  [64, "c4 c2 30 f2 c1", { name: "ANDN", reg: 0, rm: 9, vvvv: 9 }], [64, "c4 62 78 f2 c1", { name: "ANDN", reg: 8, vvvv: 0 }],
  [64, "44 8c d8", { name: "MOV", reg: 3 }], [64, "44 8e e0", { name: "MOV", reg: 4 }], [64, "44 0f 20 c0", { name: "MOV", reg: 8 }],
  [64, "48 66 01 c8", { name: "ADD", rex: 0, opsize: 16 }],
  // 16-bit addresses.
  [16, "8b 00", { name: "MOV", base: 3, index: 6, disp: 0, segment: DS }], [16, "8b 02", { name: "MOV", base: 5, index: 6, segment: SS }],
  [16, "8b 04", { name: "MOV", base: 6, index: -1, segment: DS }], [16, "8b 46 80", { name: "MOV", base: 5, index: -1, disp: -128, segment: SS }],
  [16, "8b 06 00 80", { name: "MOV", base: -1, index: -1, disp: -0x8000, segment: DS }], [16, "8b 87 ff ff", { name: "MOV", base: 3, disp: -1 }],
  // 32- and 64-bit addresses.
  [32, "8b 45 01", { name: "MOV", base: 5, disp: 1, segment: SS }], [32, "8b 04 24", { name: "MOV", base: 4, index: -1, segment: SS }],
  [32, "8b 04 ac", { name: "MOV", base: 4, index: 5, scale: 2, segment: SS }], [32, "8b 04 6d 00 00 00 80", { name: "MOV", base: -1, index: 5, scale: 1, disp: -0x8000_0000, segment: DS }],
  [32, "8b 05 78 56 34 12", { name: "MOV", base: -1, ripRelative: false, disp: 0x12345678 }], [64, "8b 05 78 56 34 12", { name: "MOV", ripRelative: true, disp: 0x12345678 }],
  [64, "8b 04 25 78 56 34 12", { name: "MOV", base: -1, ripRelative: false }], [64, "41 8b 45 00", { name: "MOV", base: 13, segment: DS }],
  [64, "42 8b 04 20", { name: "MOV", base: 0, index: 12 }], [64, "41 8b 04 24", { name: "MOV", base: 12, index: -1, segment: DS }],
  // Segments.
  [16, "36 8b 00", { name: "MOV", segment: SS, override: SS }], [16, "2e 3e 8b 46 00", { name: "MOV", segment: DS }],
  [64, "65 8b 00", { name: "MOV", segment: GS }], [64, "26 2e 8b 00", { name: "MOV", segment: DS, override: -1 }],
  [64, "64 2e 8b 00", { name: "MOV", segment: FS }], [32, "26 a4", { name: "MOVS", segment: ES, override: ES }], [32, "2e a1 00 00 00 00", { name: "MOV", segment: CS }],
  // Immediates and displacements.
  [32, "83 c0 ff", { name: "ADD", immLow: -1, immHigh: -1 }], [32, "04 ff", { name: "ADD", immLow: 0xff, immHigh: 0 }],
  [16, "81 c0 00 80", { name: "ADD", immLow: 0x8000 }], [64, "48 81 c0 00 00 00 80", { name: "ADD", immLow: -0x8000_0000, immHigh: -1 }],
  [64, "48 b8 01 00 00 00 02 00 00 00", { name: "MOV", immLow: 1, immHigh: 2 }], [64, "b8 01 00 00 00", { name: "MOV", immLow: 1, immHigh: 0, length: 5 }],
  [64, "a0 01 00 00 00 02 00 00 00", { name: "MOV", immLow: 1, immHigh: 2, memory: true }], [64, "67 a0 01 00 00 80", { name: "MOV", immLow: 1 | 0x8000_0000, immHigh: 0 }],
  [16, "a1 00 80", { name: "MOV", immLow: 0x8000, memory: true }], [16, "9a 00 80 00 f0", { name: "CALL", immLow: 0x8000, immHigh: 0xf000 }],
  [32, "c8 34 12 05", { name: "ENTER", immLow: 0x1234, immHigh: 5 }], [16, "74 80", { name: "JE", disp: -128 }], [16, "e9 00 80", { name: "JMP", disp: -0x8000 }],
  [32, "ca 04 80", { name: "RETF", immLow: 0x8004 }], [32, "dc 7d 10", { name: "FDIVR", immLow: 0x47d, disp: 0x10 }],
  // Prefixes.
  [32, "f3 f2 a4", { name: "MOVS", rep: 2 }], [32, "f2 f3 a4", { name: "MOVS", rep: 1 }], [32, "f0 01 08", { name: "ADD", lock: true }],
  [32, "f3 0f bc c1", { name: "TZCNT", rep: 1 }], [32, "66 f3 0f 6f c1", { name: "MOVDQU" }], [32, "f2 66 0f 10 c1", { name: "MOVSD" }], [32, "f3 90", { name: "PAUSE" }],
  [32, "66 90", { name: "XCHG", opsize: 16 }], [64, "41 90", { name: "XCHG", reg: 8 }],
  // What the mode decides.
  [64, "63 c1", { name: "MOVSXD" }], [32, "63 c1", { name: "ARPL" }], [32, "40", { name: "INC" }], [32, "c5 00", { name: "LDS" }], [32, "c4 c0 00", { name: "nothing" }],
  [32, "0f 22 00", { name: "MOV", memory: false, rm: 0, length: 3 }],
];

Deno.test("decode() takes prefixes, ModRM, SIB, displacement and immediates apart", () => {
  for (const [code, hex, { name, ...fields }] of CASES) {
    const [d, status] = decoded(code, hex), text = `${code} bits, ${hex}`;
    if (name === "nothing") {
      assertEquals(status, "invalid", text);
      continue;
    }
    assertEquals([status, d.form.mnemonic], ["ok", name], text);
    assertEquals(d.length, fields.length ?? bytesOf(hex).length, text);
    for (const [field, value] of Object.entries(fields)) {
      assertEquals(d[field as keyof Decoder], value, `${text}: ${field}`);
    }
  }
});

// deno-fmt-ignore
const INVALID: readonly (readonly [code: Code, hex: string, why: string])[] = [
  [32, "0f 04", "no such opcode"], [64, "06", "not in 64-bit mode"], [32, "0f 05", "only in 64-bit mode"], [32, "8d c0", "LEA of a register"],
  [32, "f0 01 c8", "LOCK of a register"], [32, "f0 8b 00", "LOCK of a load"], [32, "f0 90", "LOCK of what has no memory operand"],
  [64, "66 c4 e2 78 f2 c1", "VEX behind 66"], [64, "48 c4 e2 78 f2 c1", "VEX behind REX"], [64, "c4 e2 7c f2 c1", "VEX.L is 1"],
  [64, "c4 e3 73 f0 c0 05", "VEX.vvvv names something"], [64, "c4 e0 78 f2 c1", "no such VEX map"], [32, "fe f8", "no such digit"], [64, "f3 0f ae 00", "a register is needed"],
  [64, "0f 20 08", "CR1"], [64, "44 0f 22 c8", "CR9"], [64, "44 0f 21 c0", "DR8"], [32, "8e 08", "MOV to CS"], [32, "8c f0", "no such segment register"],
];

Deno.test("decode() tells what does not exist", () => {
  for (const [code, hex, why] of INVALID) {
    assertEquals(decoded(code, hex)[1], "invalid", `${code} bits, ${hex}: ${why}`);
  }
});

Deno.test("decode() an instruction whose feature is not offered does not exist", () => {
  const without = (feature: string) => (f: string) => f !== feature;
  assertEquals(decoded(32, "0f a2", without("i486"))[1], "invalid");
  assertEquals(decoded(32, "0f 10 c1", without("sse"))[1], "invalid");
  const [d, status] = decoded(32, "f3 0f bc c1", without("bmi1"));
  assertEquals([status, d.form.mnemonic], ["ok", "BSF"]);
});

Deno.test("decode() every instruction is truncated wherever it is cut", () => {
  for (const [code, hex, { name }] of CASES) {
    if (name === "nothing") continue;
    const bytes = bytesOf(hex), d = new Decoder(INSTRUCTIONS, () => true);
    for (let end = 0; end < bytes.length; end++) {
      assertEquals(d.decode(bytes, 0, end, code), "truncated", `${code} bits, ${hex} cut to ${end}`);
    }
    const within = new Uint8Array(40).fill(0xcc);
    within.set(bytes, 7);
    assertEquals(d.decode(within, 7, 7 + bytes.length, code), "ok", `${code} bits, ${hex} in the middle`);
    assertEquals(d.length, bytes.length);
  }
});

Deno.test("decode() no instruction has more than 15 bytes", () => {
  const prefixes = (n: number) => "2e ".repeat(n);
  const cases: readonly (readonly [string, DecodeStatus])[] = [
    [prefixes(14) + "90", "ok"],
    [prefixes(15) + "90", "long"],
    [prefixes(40), "long"],
    [prefixes(13) + "89 c8", "ok"],
    [prefixes(14) + "89 c8", "long"],
    [prefixes(5) + "81 84 88 00 00 00 00 00 00", "truncated"],
    [prefixes(6) + "81 84 88 00 00 00 00 00 00", "long"],
    [prefixes(14), "truncated"],
    [prefixes(15), "long"],
    [prefixes(14) + "81", "long"],
  ];
  for (const [hex, status] of cases) assertEquals(decoded(32, hex)[1], status, `${hex}: ${status}`);
  assertEquals(MAX_LENGTH, 15);
});

Deno.test("decode() any bytes end in a status and a length, whatever comes behind", () => {
  const d = new Decoder(INSTRUCTIONS, () => true), bytes = new Uint8Array(64);
  let x = 0x1234567, ok = 0;
  for (let round = 0; round < 60_000; round++) {
    for (let i = 0; i < 16; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      bytes[i] = x ^= x << 5;
    }
    const code = ([16, 32, 64] as const)[round % 3], status = d.decode(bytes, 0, 64, code);
    if (status === "long") {
      assert(d.length > MAX_LENGTH);
      continue;
    }
    assert(status === "ok" || status === "invalid");
    assert(d.length >= 1 && d.length <= MAX_LENGTH);
    if (status === "invalid") continue;
    ok++;
    const { form, length } = d;
    assertEquals(d.decode(bytes, 0, length, code), "ok");
    assert(d.form === form && d.length === length);
    if (length > 1) assertEquals(d.decode(bytes, 0, length - 1, code), "truncated");
  }
  assert(ok > 30_000);
});

Deno.test("widthOf() is the width that the manual's size code means", () => {
  const operands = "Eb,Gw,Md,Mq,Ev,Gz,Ey,Wss,Wsd,Wx".split(",");
  const { forms } = new InsnTable(operands.map((o) => insn("TEST", `01 /r ${o}`, {}, () => {})));
  const widths = (size: 16 | 32 | 64) => forms.map((f) => widthOf(f.operands[0], size));
  assertEquals(widths(16), [8, 16, 32, 64, 16, 16, 32, 32, 64, 16]);
  assertEquals(widths(32), [8, 16, 32, 64, 32, 32, 32, 32, 64, 32]);
  assertEquals(widths(64), [8, 16, 32, 64, 64, 32, 64, 32, 64, 64]);
});
