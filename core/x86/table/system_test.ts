import { assert, assertEquals } from "@std/assert";
import { type EngineImports, Handlers } from "../../engine/handlers.ts";
import { shapeOf } from "../../engine/shape.ts";
import { Decoder } from "../decode.ts";
import type { Form } from "../insn.ts";
import { InsnTable } from "../insn.ts";
import { HELPERS } from "../system/helpers.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { SYSTEM } from "./system.ts";

const TABLE = new InsnTable(SYSTEM);
const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

/** Bytes that mean a form, with a memory operand or registers where both can be. */
function bytesOf(form: Form, memory: boolean, prefixes: readonly number[]): Uint8Array {
  const prefix = form.prefix > 0 ? [form.prefix] : [];
  const modrm = form.exact >= 0
    ? [form.exact]
    : form.modrm
    ? [(memory ? 0x05 : 0xc0) | (form.digit >= 0 ? form.digit : 0) << 3]
    : [];
  return Uint8Array.from([...prefixes, ...prefix, ...MAPS[form.map], form.opcode, ...modrm, ...new Array(10).fill(0)]);
}

/** Every way in which a form of SYSTEM can be decoded in the whole table, as far as operands are built differently. */
function* decodings(form: Form): Generator<{ code: 16 | 32 | 64; memory: boolean; decoder: Decoder }> {
  for (const code of [16, 32, 64] as const) {
    if (form.row.attributes.long === (code === 64 ? "invalid" : "only")) continue;
    for (const memory of form.memory === undefined && form.modrm ? [false, true] : [form.memory ?? false]) {
      for (const prefixes of [[], [0x66], [0x67], [0xf3]]) {
        if (prefixes[0] === form.prefix || (form.prefix >= 0 && prefixes.length > 0)) continue;
        if (prefixes[0] === 0xf3 && !form.row.attributes.string) continue;
        const decoder = new Decoder(INSTRUCTIONS, () => true), bytes = bytesOf(form, memory, prefixes);
        assertEquals(
          decoder.decode(bytes, 0, bytes.length, code),
          "ok",
          `${form.mnemonic} ${form.text} in ${code} bits`,
        );
        yield { code, memory, decoder };
      }
    }
  }
}

Deno.test("SYSTEM each form is reached by its bytes in the whole table", () => {
  for (const form of TABLE.forms) {
    for (const { decoder } of decodings(form)) {
      assertEquals([decoder.form.mnemonic, decoder.form.text], [form.mnemonic, form.text]);
    }
  }
});

Deno.test("SYSTEM each meaning can be built in every size, and the helpers that it calls exist", () => {
  const asked = new Set<string>();
  const handlers = new Handlers({
    memory: new WebAssembly.Memory({ initial: 1024, maximum: 1024 }),
    base: 0,
    imports: new Proxy({} as EngineImports, { get: () => (_record: number) => 0 }),
    helper: (name) => {
      asked.add(name.replace("!", ""));
      return () => 0;
    },
    support: (name) => {
      throw new Error(`Cannot give the support function ${name}: system instructions need none`);
    },
  });
  for (const form of TABLE.forms) {
    for (const { code, decoder } of decodings(form)) {
      const mode = (code === 16 ? 0 : code === 32 ? 1 : 2) | (code === 16 ? 0 : 4);
      assert(handlers.textOf(decoder.form, shapeOf(decoder, mode)).length > 0);
    }
  }
  assertEquals([...asked].filter((name) => !Object.hasOwn(HELPERS, name)), []);
});

Deno.test("SYSTEM privileged instructions say so", () => {
  const privileged = ["HLT", "LGDT", "LIDT", "LLDT", "LTR", "LMSW", "CLTS", "INVD", "WBINVD", "INVLPG", "INVPCID"];
  privileged.push("RDMSR", "WRMSR", "SWAPGS", "SYSRET", "SYSEXIT", "XSETBV");
  for (const { mnemonic, forms, attributes } of SYSTEM) {
    const moves = mnemonic === "MOV" && /[CD]y/.test(forms);
    assertEquals(attributes.cpl0 === true, moves || privileged.includes(mnemonic), `${mnemonic} ${forms}`);
  }
});
