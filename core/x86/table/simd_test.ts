import { assert, assertEquals } from "@std/assert";
import { type EngineImports, Handlers } from "../../engine/handlers.ts";
import { shapeOf } from "../../engine/shape.ts";
import { supportFunctions } from "../../engine/support.ts";
import { Decoder } from "../decode.ts";
import { type Form, InsnTable } from "../insn.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { SIMD } from "./simd.ts";

const TABLE = new InsnTable(SIMD);
const MAPS: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

/** Bytes that mean a form. */
function bytesOf(form: Form, memory: boolean, rex: number): Uint8Array {
  const modrm = form.modrm ? [(memory ? 0x05 : 0xc1) | (form.digit >= 0 ? form.digit : 2) << 3] : [];
  const prefixes = [...(form.prefix > 0 ? [form.prefix] : []), ...(rex ? [rex] : [])];
  return Uint8Array.from([...prefixes, ...MAPS[form.map], form.opcode, ...modrm, ...new Array(8).fill(0)]);
}

/** Every way in which a form can be decoded in the whole table, as far as operands are built differently. */
function* decodings(form: Form): Generator<{ code: 16 | 32 | 64; decoder: Decoder }> {
  for (const code of [16, 32, 64] as const) {
    for (const memory of form.memory === undefined && form.modrm ? [false, true] : [form.memory ?? false]) {
      for (const rex of code === 64 ? [0, 0x48, 0x45] : [0]) {
        const decoder = new Decoder(INSTRUCTIONS, () => true), bytes = bytesOf(form, memory, rex);
        const status = decoder.decode(bytes, 0, bytes.length, code);
        assertEquals(status, "ok", `${form.mnemonic} ${form.text} in ${code} bits`);
        yield { code, decoder };
      }
    }
  }
}

Deno.test("SIMD each form is reached by its bytes in the whole table", () => {
  for (const form of TABLE.forms) {
    for (const { decoder } of decodings(form)) {
      assertEquals([decoder.form.mnemonic, decoder.form.text], [form.mnemonic, form.text]);
    }
  }
});

Deno.test("SIMD each form needs a feature, and no other prefix than its own reaches it", () => {
  for (const form of TABLE.forms) {
    assert(form.row.attributes.cpuid !== undefined, `${form.mnemonic} ${form.text}`);
    assert(form.prefix >= 0, `${form.mnemonic} ${form.text} says neither NP nor a prefix`);
  }
});

Deno.test("SIMD no two forms overlap", () => {
  const key = (f: Form, memory: boolean) => `${f.prefix} ${f.map} ${f.opcode} ${f.digit} ${memory}`;
  const seen = new Map<string, Form>();
  for (const form of TABLE.forms) {
    for (const memory of form.memory === undefined ? [false, true] : [form.memory]) {
      const other = seen.get(key(form, memory));
      assert(!other, `${form.mnemonic} ${form.text} overlaps ${other?.mnemonic} ${other?.text}`);
      seen.set(key(form, memory), form);
    }
  }
});

Deno.test("SIMD each meaning can be built in every size and, but for whole images, translated, and what it calls exists", () => {
  const cpu = { memory: new WebAssembly.Memory({ initial: 1024, maximum: 1024 }), base: 0 };
  const handlers = new Handlers({
    ...cpu,
    imports: new Proxy({} as EngineImports, { get: () => (_record: number) => 0 }),
    helper: (name) => {
      throw new Error(`Cannot give the helper ${name}: SIMD instructions need none`);
    },
    support: (name) => supportFunctions(cpu, name),
  });
  const memory = { u8: new Uint8Array(256), u16: new Uint16Array(128), i32: new Int32Array(64) };
  for (const form of TABLE.forms) {
    for (const { code, decoder } of decodings(form)) {
      const shape = shapeOf(decoder, (code === 16 ? 0 : code === 32 ? 1 : 2) | (code === 16 ? 0 : 4));
      assert(handlers.textOf(decoder.form, shape).length > 0);
      const whole = /^F?X(SAVE|RSTOR)/.test(form.mnemonic); // these reach for the whole state
      assertEquals(
        handlers.translatable(0, memory, decoder.form, shape),
        !whole,
        `${form.mnemonic} ${form.text} in ${code} bits`,
      );
    }
  }
});

Deno.test("SIMD an instruction that CPUID does not offer does not exist", () => {
  const decode = (absent: string, ...bytes: number[]) => {
    const d = new Decoder(INSTRUCTIONS, (feature) => feature !== absent);
    return d.decode(Uint8Array.from(bytes), 0, bytes.length, 64) === "ok" ? d.form.mnemonic : null;
  };
  assertEquals(decode("", 0x66, 0x0f, 0x38, 0xdc, 0xc1), "AESENC");
  assertEquals(decode("aes", 0x66, 0x0f, 0x38, 0xdc, 0xc1), null);
  assertEquals(decode("sse4.2", 0x66, 0x0f, 0x3a, 0x63, 0xc1, 0), null);
  assertEquals(decode("sse2", 0x66, 0x0f, 0xfc, 0xc1), null);
  assertEquals(decode("sse2", 0x0f, 0xfc, 0xc1), "PADDB");
  assertEquals(decode("mmx", 0x0f, 0xfc, 0xc1), null);
  assertEquals(decode("xsave", 0x0f, 0xae, 0x20), null);
});
