import { assert, assertEquals } from "@std/assert";
import { InstructionContext, type Support } from "../../engine/instruction_context.ts";
import * as shapes from "../../engine/shape.ts";
import type { I32 } from "../../wasm/expr.ts";
import { type Callee, type FunctionType, ModuleBuilder } from "../../wasm/module.ts";
import type { FlagWords } from "../flags.ts";
import { type Form, InsnTable, VEX_MAP } from "../insn.ts";
import { INTEGER } from "./integer.ts";

const TABLE = new InsnTable(INTEGER);
const PREFIXES = [0, 0x66, 0xf2, 0xf3];

/** An instruction as far as forms are told apart. */
interface Encoding {
  readonly prefix: number;
  readonly long: boolean;
  readonly modrm: number;
}

function accepts(form: Form, e: Encoding): boolean {
  const { long } = form.row.attributes;
  if (long === (e.long ? "invalid" : "only")) return false;
  if (form.prefix >= 0 && form.prefix !== e.prefix) return false;
  if (!form.modrm) return true;
  if (form.exact >= 0 && form.exact !== e.modrm) return false;
  if (form.digit >= 0 && form.digit !== (e.modrm >> 3 & 7)) return false;
  return form.memory === undefined || form.memory === e.modrm < 0xc0;
}

function encodings(): Encoding[] {
  const all: Encoding[] = [];
  for (const prefix of PREFIXES) {
    for (const long of [false, true]) for (let modrm = 0; modrm < 256; modrm++) all.push({ prefix, long, modrm });
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

function callee(m: ModuleBuilder, field: string, params: FunctionType["params"]): Callee {
  return m.importFunction("e", field, params, ["i32"]);
}

/** The meaning of `form`, built as an interpreter handler of a module that must be valid. */
function build(m: ModuleBuilder, calls: Support, form: Form, shape: shapes.Shape): Recorder {
  const c = new Recorder(m.function(`f${m.functions.length}`, ["i32"], ["i32"]), form, shape, calls);
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
    const sizes = code !== 64
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

Deno.test("INTEGER each meaning makes a valid handler in every width, and its flags are as declared", () => {
  const m = new ModuleBuilder();
  m.importMemory("e", "cpu", { initial: 1 });
  m.importMemory("e", "ram", { initial: 1 });
  m.importTable("e", "table", { initial: 1 });
  const helper = callee(m, "helper", ["i32"]);
  const i32s = (n: number) => Array.from({ length: n }, () => "i32" as const);
  const calls: Support = {
    slow: callee(m, "slow", i32s(4)),
    raise: callee(m, "raise", i32s(3)),
    branchSlow: callee(m, "branch", ["i32"]),
    checkBranch: callee(m, "check", ["i32"]),
    againSlow: callee(m, "again", ["i32"]),
    dispatch: callee(m, "dispatch", ["i32"]),
    goto: callee(m, "goto", ["i32", "i64"]),
    begin: callee(m, "begin", []),
    attend: callee(m, "attend", ["i32"]),
    helper: () => helper,
    support: () => helper,
    handlerType: m.type(["i32"], ["i32"]),
  };
  for (const form of TABLE.forms) {
    const { reads = "", writes = "", undefined: undef = "" } = form.row.attributes;
    for (const shape of shapesOf(form)) {
      const c = build(m, calls, form, shape);
      const some = writes + undef !== "", partial = some && (writes + undef).length < 6;
      assertEquals(c.sets, some && form.mnemonic !== "DIV" && form.mnemonic !== "IDIV", `${name(form)} sets flags`);
      if (reads) assert(c.reads, `${name(form)} reads flags`);
      else if (!partial) assert(!c.reads, `${name(form)} does not read flags`);
    }
  }
  assert(WebAssembly.validate(m.toBytes()));
});
