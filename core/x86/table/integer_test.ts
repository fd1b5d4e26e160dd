import { assert, assertEquals } from "@std/assert";
import { InstructionContext, type Support } from "../../engine/instruction_context.ts";
import { InterpreterHome } from "../../engine/interpreter_home.ts";
import * as shapes from "../../engine/shape.ts";
import type { I32 } from "../../wasm/expr.ts";
import { ModuleBuilder } from "../../wasm/module.ts";
import { Decoder } from "../decode.ts";
import type { FlagWords } from "../flags.ts";
import { type Form, InsnTable, VEX_MAP } from "../insn.ts";
import { INTEGER } from "./integer.ts";

const TABLE = new InsnTable(INTEGER);
const PREFIXES = [0, 0x66, 0xf2, 0xf3];

/** An instruction as far as forms are told apart. */
interface Encoding {
  readonly prefix: number;
  readonly long: boolean;
  readonly wide: number;
  readonly modrm: number;
}

function accepts(form: Form, e: Encoding): boolean {
  const { long } = form.row.attributes;
  if (long === (e.long ? "invalid" : "only")) return false;
  if (form.prefix === -2 && e.prefix >= 0xf2) return false;
  if (form.prefix >= 0 && form.prefix !== e.prefix || form.rexW >= 0 && form.rexW !== e.wide) return false;
  if (!form.modrm) return true;
  if (form.exact >= 0 && form.exact !== e.modrm) return false;
  if (form.digit >= 0 && form.digit !== (e.modrm >> 3 & 7)) return false;
  return form.memory === undefined || form.memory === e.modrm < 0xc0;
}

function encodings(): Encoding[] {
  const all: Encoding[] = [];
  for (const prefix of PREFIXES) {
    for (const [long, wide] of [[false, 0], [true, 0], [true, 1]] as const) {
      for (let modrm = 0; modrm < 256; modrm++) all.push({ prefix, long, wide, modrm });
    }
  }
  return all;
}

/** Forms of each opcode, in the order in which decoding tries them. */
function opcodes(): (readonly Form[])[] {
  const all: (readonly Form[])[] = [];
  for (let map = 0; map < 2 * VEX_MAP; map++) for (let op = 0; op < 256; op++) all.push(TABLE.candidates(map, op));
  return all.filter((list) => list.length);
}

const name = (f: Form) => `${f.mnemonic} ${f.text}`;

Deno.test("INTEGER no two forms overlap unless the first has a mandatory prefix or is a special case", () => {
  const all = encodings();
  for (const list of opcodes()) {
    const domains = list.map((f) => all.filter((e) => accepts(f, e)));
    list.forEach((first, i) => {
      for (let j = i + 1; j < list.length; j++) {
        const second = new Set(domains[j]);
        const common = domains[i].filter((e) => second.has(e));
        if (!common.length || (first.prefix > 0 && list[j].prefix < 0)) continue;
        assertEquals(common.length, domains[i].length, `${name(first)} overlaps ${name(list[j])}`);
        assert(domains[i].length < domains[j].length, `${name(first)} is the same as ${name(list[j])}`);
      }
    });
  }
});

Deno.test("INTEGER each form is reachable, whatever CPUID offers", () => {
  const all = encodings();
  const reached = new Set<Form>();
  for (const list of opcodes()) {
    for (const e of all) {
      const f = list.find((x) => accepts(x, e));
      if (f) reached.add(f);
    }
  }
  assertEquals(TABLE.forms.filter((f) => !reached.has(f)).map(name), []);
});

Deno.test("INTEGER declares flags once each, by their letters", () => {
  for (const { mnemonic, attributes } of INTEGER) {
    const { reads = "", writes = "", undefined: undef = "" } = attributes;
    assert(/^O?S?Z?A?P?C?$/.test(reads), `${mnemonic} reads ${reads}`);
    assert(/^O?S?Z?A?P?C?$/.test(writes), `${mnemonic} writes ${writes}`);
    assert(/^O?S?Z?A?P?C?$/.test(undef), `${mnemonic} undefined ${undef}`);
    assertEquals([...writes].filter((l) => undef.includes(l)), [], mnemonic);
  }
});

/** Notes what a meaning does to the flags. */
class Recorder extends InstructionContext {
  reads = false;
  sets = false;
  override flags(): FlagWords {
    this.reads = true;
    return super.flags();
  }
  override setFlags(words: FlagWords, when?: I32): void {
    this.sets = true;
    super.setFlags(words, when);
  }
}

/** What a meaning calls stands for itself: nothing here is run. */
function build(m: ModuleBuilder, form: Form, shape: shapes.Shape): Recorder {
  const callee = { name: "$callee", type: { params: [], results: ["i32"] }, index: 0 } as const;
  const calls = new Proxy({} as Support, {
    get: (_, key) => key === "handlerType" ? 0 : key === "helper" || key === "support" ? () => callee : callee,
  });
  const f = m.function("handler", ["i32"], ["i32"]);
  const c = new Recorder(f, form, shape, calls, new InterpreterHome(f, calls, shape));
  c.build();
  return c;
}

/** The shapes in which a form can occur, as far as they change what is built. */
function* shapesOf(form: Form): Generator<shapes.Shape> {
  const { attributes } = form.row;
  const string = attributes.string !== undefined || attributes.address === true;
  const operand = form.modrm && form.exact < 0;
  const eas = form.operands.some((o) => o.code === "O")
    ? [shapes.EA_DISP]
    : !operand
    ? [shapes.EA_NONE]
    : form.memory === undefined
    ? [shapes.EA_NONE, shapes.EA_INDEX]
    : [form.memory ? shapes.EA_BASE : shapes.EA_NONE];
  for (const code of [16, 32, 64] as const) {
    if (code === 64 ? attributes.long === "invalid" : attributes.long === "only") continue;
    if (form.map >= VEX_MAP && code === 16) continue;
    const sizes = form.map >= VEX_MAP
      ? code === 64 ? [32, 64] as const : [32] as const
      : code !== 64
      ? [16, 32] as const
      : attributes.long === "force64"
      ? [64] as const
      : [16, 32, 64] as const;
    for (const opsize of sizes) {
      if (attributes.long === "default64" && code === 64 && opsize === 32) continue;
      for (const ea of eas) {
        for (const rep of attributes.string ? [0, 1, 2] as const : [0] as const) {
          const am = code === 64 ? shapes.AM_FLAT64 : code === 32 ? shapes.AM_FLAT32 : shapes.AM_SEG16;
          yield {
            opsize,
            code,
            asize: code,
            ea,
            am: ea !== shapes.EA_NONE || string ? am : 0,
            stackMode: am,
            destinationMode: am,
            rep,
            locked: false,
          };
        }
      }
    }
  }
}

Deno.test("INTEGER each meaning can be built in every width, and its flags are as declared", () => {
  const m = new ModuleBuilder();
  for (const form of TABLE.forms) {
    const { reads = "", writes = "", undefined: undef = "" } = form.row.attributes;
    for (const shape of shapesOf(form)) {
      const c = build(m, form, shape);
      const some = writes + undef !== "", partial = some && (writes + undef).length < 6;
      assertEquals(c.sets, some && form.mnemonic !== "DIV" && form.mnemonic !== "IDIV", `${name(form)} sets flags`);
      if (reads) assert(c.reads, `${name(form)} reads flags`);
      else if (!partial) assert(!c.reads, `${name(form)} does not read flags`);
    }
  }
});

/** What bytes are in 64-bit mode for a processor without `absent`; null if nothing. */
function decoded(absent: string, ...bytes: number[]): string | null {
  const d = new Decoder(TABLE, (feature) => feature !== absent);
  return d.decode(Uint8Array.from(bytes), 0, bytes.length, 64) === "ok" ? d.form.mnemonic : null;
}

Deno.test("INTEGER an instruction that CPUID does not offer is what its bytes meant before, or none", () => {
  assertEquals(decoded("", 0xf3, 0x0f, 0xbc, 0xc0), "TZCNT");
  assertEquals(decoded("bmi1", 0xf3, 0x0f, 0xbc, 0xc0), "BSF");
  assertEquals(decoded("", 0xf3, 0x0f, 0xbd, 0xc0), "LZCNT");
  assertEquals(decoded("lzcnt", 0xf3, 0x0f, 0xbd, 0xc0), "BSR");
  assertEquals(decoded("popcnt", 0xf3, 0x0f, 0xb8, 0xc0), null);
  assertEquals(decoded("i186", 0xc1, 0xe0, 4), null);
  assertEquals(decoded("i186", 0xd1, 0xe0), "SHL");
  assertEquals(decoded("i486", 0x0f, 0xc8), null);
  assertEquals(decoded("bmi2", 0xc4, 0xe2, 0x7b, 0xf7, 0xc0), null);
  assertEquals(decoded("", 0x66, 0x0f, 0xc7, 0xf0), "RDRAND");
  for (const prefix of [0xf2, 0xf3]) assertEquals(decoded("", prefix, 0x0f, 0xc7, 0xf0), null);
  assertEquals(decoded("cx8", 0x48, 0x0f, 0xc7, 0x08), "CMPXCHG16B");
  assertEquals(decoded("cx8", 0x0f, 0xc7, 0x08), null);
  assertEquals(decoded("cx16", 0x48, 0x0f, 0xc7, 0x08), null);
  assertEquals(decoded("cx16", 0x0f, 0xc7, 0x08), "CMPXCHG8B");
});

Deno.test("INTEGER LOCK is for rows that say so, with memory as their first operand", () => {
  assertEquals(decoded("", 0xf0, 0x00, 0x00), "ADD");
  assertEquals(decoded("", 0xf0, 0x00, 0xc0), null);
  assertEquals(decoded("", 0xf0, 0x02, 0x00), null);
  assertEquals(decoded("", 0xf0, 0x38, 0x00), null);
});
