import { assertEquals, assertThrows } from "@std/assert";
import { CONDITIONS, type Form, insn, InsnTable, VEX_MAP } from "./insn.ts";

const nothing = (): void => {};

function formsOf(forms: string, mnemonic = "TEST"): readonly Form[] {
  return new InsnTable([insn(mnemonic, forms, {}, nothing)]).forms;
}

/** A form without what the defaults are. */
function parts(f: Form): Partial<Form> {
  const { prefix, map, vexL, vexW, rexW, opcode, modrm, digit, exact, cc, memory } = f;
  const all = { prefix, map, vexL, vexW, rexW, opcode, modrm, digit, exact, cc, memory };
  const usual: Record<string, unknown> = {
    prefix: -1,
    map: 0,
    vexL: -1,
    vexW: -1,
    rexW: -1,
    modrm: false,
    digit: -1,
    exact: -1,
    cc: -1,
  };
  return Object.fromEntries(Object.entries(all).filter(([name, v]) => v !== usual[name]));
}

const CASES: readonly (readonly [string, Partial<Form>, string])[] = [
  ["04 AL,Ib", { opcode: 0x04 }, "Fb Ib"],
  ["01 /r Ev,Gv", { opcode: 0x01, modrm: true }, "Ev Gv"],
  ["83 /5 Ev,sIb", { opcode: 0x83, modrm: true, digit: 5 }, "Ev sIb"],
  ["0F 01 /D1", { map: 1, opcode: 0x01, modrm: true, exact: 0xd1, memory: false }, ""],
  ["0F 01 /0 Ms", { map: 1, opcode: 0x01, modrm: true, digit: 0, memory: true }, "Ms"],
  ["0F 38 F0 /r Gv,Mv", { map: 2, opcode: 0xf0, modrm: true, memory: true }, "Gv Mv"],
  ["66 0F 3A 0F /r Vx,Wx,Ib", { prefix: 0x66, map: 3, opcode: 0x0f, modrm: true }, "Vx Wx Ib"],
  ["NP 0F 38 00 /r Pq,Qq", { prefix: 0, map: 2, opcode: 0x00, modrm: true }, "Pq Qq"],
  ["F3 0F B8 /r Gv,Ev", { prefix: 0xf3, map: 1, opcode: 0xb8, modrm: true }, "Gv Ev"],
  ["REX.W1 0F C7 /1 Mdq", { rexW: 1, map: 1, opcode: 0xc7, modrm: true, digit: 1, memory: true }, "Mdq"],
  ["NFx 0F C7 /6 Rv", { prefix: -2, map: 1, opcode: 0xc7, modrm: true, digit: 6, memory: false }, "Rv"],
  ["F3 90", { prefix: 0xf3, opcode: 0x90 }, ""],
  ["0F 38 /r Gv,Ev", { map: 1, opcode: 0x38, modrm: true }, "Gv Ev"],
  ["0F 20 /r Ry,Cy", { map: 1, opcode: 0x20, modrm: true }, "Ry Cy"],
  ["D8 /0 STi", { opcode: 0xd8, modrm: true, digit: 0, memory: false }, "T"],
  ["C8 Iw,Ib", { opcode: 0xc8 }, "Iw Ib"],
  ["D1 /4 Ev,1", { opcode: 0xd1, modrm: true, digit: 4 }, "Ev 1b"],
  ["0F A0 FS", { map: 1, opcode: 0xa0 }, "Sw"],
  ["66 0F 38 10 /r Vdq,Wdq,XMM0", { prefix: 0x66, map: 2, opcode: 0x10, modrm: true }, "Vdq Wdq Vdq"],
  [
    "VEX.LZ.F2.0F38.W1 F7 /r Gy,Ey,By",
    { prefix: 0xf2, map: VEX_MAP + 2, vexL: 0, vexW: 1, opcode: 0xf7, modrm: true },
    "Gy Ey By",
  ],
  ["VEX.256.NP.0F.WIG 28 /r Vx,Wx", { prefix: 0, map: VEX_MAP + 1, vexL: 1, opcode: 0x28, modrm: true }, "Vx Wx"],
  [
    "VEX.LIG.66.0F3A.W0 F0 /r Gy,Ey,Ib",
    { prefix: 0x66, map: VEX_MAP + 3, vexW: 0, opcode: 0xf0, modrm: true },
    "Gy Ey Ib",
  ],
];

Deno.test("InsnTable reads a form as the manual writes it", () => {
  for (const [text, expected, operands] of CASES) {
    const [f, ...more] = formsOf(text);
    assertEquals(more.length, 0, text);
    assertEquals(parts(f), expected, text);
    assertEquals(f.operands.map((o) => (o.signed ? "s" : "") + o.code + o.size).join(" "), operands, text);
  }
});

Deno.test("InsnTable +r is eight opcodes, +cc sixteen with the condition in the mnemonic", () => {
  assertEquals(formsOf("50+r Zv").map((f) => f.opcode), [0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57]);
  const jumps = formsOf("0F 80+cc Jz", "Jcc");
  assertEquals(jumps.map((f) => f.cc), [...Array(16).keys()]);
  assertEquals(jumps.map((f) => f.mnemonic), CONDITIONS.map((c) => `J${c}`));
});

Deno.test("InsnTable an alternative is a form of its own, with numbers in order", () => {
  const forms = formsOf("FE /0 Eb|FF /0 Ev|40+r Zv");
  assertEquals(forms.map((f) => f.id), [...Array(10).keys()]);
  assertEquals(new Set(forms.map((f) => f.row)).size, 1);
});

Deno.test("candidates() gives the more specific forms first", () => {
  const table = new InsnTable([
    insn("ANY", "0F 01 /r Ev,Gv", {}, nothing),
    insn("NONE", "NP 0F 01 /2 Ev", {}, nothing),
    insn("WITH", "66 0F 01 /2 Ev", {}, nothing),
    insn("EXACT", "0F 01 /D1", {}, nothing),
  ]);
  assertEquals(table.candidates(1, 1).map((f) => f.mnemonic), ["EXACT", "WITH", "NONE", "ANY"]);
  assertEquals(table.candidates(0, 1), []);
});

Deno.test("InsnTable refuses what is no form", () => {
  const bad = ["ZZ /r Ev", "0F", "01 /r Ev,Xyz", "01 /r /r Ev", "VEX.L9.NP.0F.W0 01 /r Gy", "01 /r Ev,Kv"];
  for (const text of bad) assertThrows(() => formsOf(text), TypeError, "Cannot read", text);
});
