import { assert, assertEquals } from "@std/assert";
import { assertGolden } from "../../tests/golden.ts";
import { ModuleBuilder } from "../wasm/module.ts";
import { Decoder } from "../x86/decode.ts";
import { MODE_FLAT, MODE_PROTECTED, MODE_STACK32 } from "../x86/mode.ts";
import * as S from "../x86/state.ts";
import { INSTRUCTIONS } from "../x86/table/instructions.ts";
import { CodeCache } from "./code_cache.ts";
import { type EngineImports, FIRST_FREE, Handlers } from "./handlers.ts";
import type { Support } from "./instruction_context.ts";
import { Ram } from "./ram.ts";
import { importMemories } from "./processor_memory.ts";
import { Region, type RegionCode } from "./region.ts";
import { shapeOf } from "./shape.ts";

/** Flat 32-bit protected mode, and 64-bit mode. */
const FLAT32 = 1 | MODE_STACK32 | MODE_FLAT | MODE_PROTECTED, LONG = 2 | MODE_PROTECTED;
const CODE_SIZES = [16, 32, 64] as const;
const ALL = (): boolean => true;

/** An engine that notes what is asked of it, and ends execution. */
class Engine implements EngineImports {
  readonly calls: string[] = [];
  #note(name: string): number {
    this.calls.push(name);
    return 0;
  }
  slow(_record: number, _low: number, _high: number, _how: number): number {
    return this.#note("slow");
  }
  raise(_record: number, _vector: number, _errorCode: number): number {
    return this.#note("raise");
  }
  branch_slow(_record: number): number {
    return this.#note("branch_slow");
  }
  check_branch(_record: number): number {
    return this.#note("check_branch");
  }
  begin(): void {
    this.#note("begin");
  }
  leave(_record: number): number {
    return this.#note("leave");
  }
  attend(_record: number): number {
    return this.#note("attend");
  }
  again_slow(_record: number): number {
    return this.#note("again_slow");
  }
  goto_slow(_record: number): number {
    return this.#note("goto_slow");
  }
  stale(_record: number): number {
    return this.#note("stale");
  }
  straddle(_record: number): number {
    return this.#note("straddle");
  }
}

/** The functions that a region calls, as imports: only the region itself is in the text. */
function declared(m: ModuleBuilder): Support {
  const declare = (name: string, params: number) => {
    return m.importFunction("h", name, Array.from({ length: params }, () => "i32" as const), ["i32"]);
  };
  return {
    begin: m.importFunction("h", "begin", [], []),
    attend: declare("attend", 1),
    slow: declare("slow", 4),
    raise: declare("raise", 3),
    branchSlow: declare("branch_slow", 1),
    checkBranch: declare("check_branch", 1),
    leave: declare("leave", 1),
    stale: declare("stale", 1),
    againSlow: declare("again_slow", 1),
    dispatch: declare("dispatch", 1),
    goto: m.importFunction("h", "goto", ["i32", "i64"], ["i32"]),
    helper: (name) => declare(`helper:${name}`, 1),
    support: (name) => {
      throw new TypeError(`Cannot declare ${name}: no region of this test calls it`);
    },
    handlerType: m.type(["i32"], ["i32"]),
  };
}

/** Handlers that keep the text of each region. */
class ReadableHandlers extends Handlers {
  readonly texts: string[] = [];

  override addRegion(code: RegionCode): number {
    const m = new ModuleBuilder();
    importMemories(m, this.env);
    m.importTable("e", "table", { initial: 1 });
    const calls = declared(m);
    new Region(m.function("region", ["i32"], ["i32"]), calls, code).build();
    this.texts.push(m.toText());
    return super.addRegion(code);
  }
}

/** Bytes of the processor's own memory. */
const OWN_SIZE = 0x80000;
/** Where in the machine's memory the code is. */
const CODE = OWN_SIZE;

/** A processor's memory with handlers and a code cache, and no run loop. */
class Bench {
  readonly ram = new Ram();
  readonly own = this.ram.allocate(OWN_SIZE);
  readonly u8 = new Uint8Array(this.ram.memory.buffer, this.own.start, OWN_SIZE);
  readonly u16 = new Uint16Array(this.ram.memory.buffer, this.own.start, OWN_SIZE / 2);
  readonly i32 = new Int32Array(this.ram.memory.buffer, this.own.start, OWN_SIZE / 4);
  readonly engine = new Engine();
  readonly helpers: string[] = [];
  readonly handlers: ReadableHandlers;
  readonly code: CodeCache;

  constructor() {
    this.handlers = new ReadableHandlers({
      memory: this.ram.memory,
      base: this.own.start,
      imports: this.engine,
      helper: (name) => () => {
        this.helpers.push(name);
        return 0;
      },
      support: (name) => {
        throw new TypeError(`Cannot call ${name}: no instruction of this test does`);
      },
    });
    this.code = new CodeCache(INSTRUCTIONS, this.handlers, this.ram, this, ALL, () => 0);
  }

  /** Decodes `bytes` at the beginning of guest memory; returns the first record. */
  decode(bytes: readonly number[], mode: number): number {
    this.ram.u8.set(bytes, CODE);
    return this.code.lookup(CODE, 0, mode, 4096, 1);
  }

  /** Makes a branch known, as the engine does when it is first taken. */
  resolve(branch: number, target: number): void {
    this.i32[(branch + S.R_IMM) >> 2] = target;
    this.i32[(branch + S.R_IMM + 4) >> 2] = this.u8[target + S.R_SEQ] - this.u8[branch + S.R_SEQ] - 1;
  }

  register(n: number): number {
    return this.i32[(S.GPR + n * 8) >> 2];
  }
}

/** The text of the handler for an instruction, without what all modules begin with. */
function handlerText(bench: Bench, bytes: readonly number[], mode: number): string {
  const d = new Decoder(INSTRUCTIONS, ALL);
  assertEquals(d.decode(Uint8Array.from(bytes), 0, bytes.length, CODE_SIZES[mode & 3]), "ok");
  const text = bench.handlers.textOf(d.form, shapeOf(d, mode));
  const at = text.indexOf(`(func $${d.form.mnemonic}_`);
  assert(at > 0, text);
  return `;; ${d.form.mnemonic} ${d.form.text}\n${text.slice(at).replace(/\)\n$/, "")}`;
}

const HANDLERS: readonly (readonly [name: string, bytes: readonly number[], mode: number])[] = [
  // add eax, ecx
  ["add_registers", [0x01, 0xc8], FLAT32],
  // mov rax, [rbx+8]
  ["load_64", [0x48, 0x8b, 0x43, 0x08], LONG],
  // jne
  ["branch", [0x75, 0xfd], FLAT32],
  // hlt
  ["helper", [0xf4], FLAT32],
];

for (const [name, bytes, mode] of HANDLERS) {
  Deno.test(`textOf() the handler ${name} is what testdata/${name}.wat has`, () => {
    assertGolden(new URL(`testdata/${name}.wat`, import.meta.url), handlerText(new Bench(), bytes, mode));
  });
}

/** add eax, ecx; dec ecx; jne back to the first; hlt. */
const SUM = [0x01, 0xc8, 0x49, 0x75, 0xfb, 0xf4];

/** The records of {@linkcode SUM}, its branch resolved. */
function sum(bench: Bench): { first: number; branch: number } {
  const first = bench.decode(SUM, FLAT32), branch = first + 2 * S.RECORD_SIZE;
  bench.resolve(branch, first);
  bench.i32[(S.GPR + 8) >> 2] = 10;
  bench.i32[S.BUDGET >> 2] = 1000;
  return { first, branch };
}

Deno.test("addRegion() a loop is what testdata/region.wat has", () => {
  const bench = new Bench(), { first } = sum(bench);
  assert(bench.code.translate(first, 0));
  assertGolden(
    new URL("testdata/region.wat", import.meta.url),
    `;; add eax, ecx; dec ecx; jne first\n${bench.handlers.texts[0]}`,
  );
});

Deno.test("enter() interpreted and translated code leave the same state", () => {
  const results = [false, true].map((translated) => {
    const bench = new Bench(), { first } = sum(bench);
    if (translated) assert(bench.code.translate(first, 0));
    bench.handlers.enter(first);
    const { engine, helpers } = bench;
    return {
      eax: bench.register(0),
      ecx: bench.register(1),
      budget: bench.i32[S.BUDGET >> 2],
      engine: engine.calls,
      helpers,
    };
  });
  assertEquals(results[0].eax, 55);
  assertEquals(results[0].ecx, 0);
  assertEquals(results[1], results[0]);
});

Deno.test("enter() a budget that is used up leaves before an instruction, in both executors", () => {
  for (const translated of [false, true]) {
    const bench = new Bench(), { first } = sum(bench);
    if (translated) assert(bench.code.translate(first, 0));
    bench.i32[S.BUDGET >> 2] = 12;
    bench.handlers.enter(first);
    assertEquals(bench.engine.calls, [translated ? "leave" : "branch_slow"]);
    assert(bench.register(1) > 0, "the loop ended");
    assertEquals(bench.register(0), 55 - bench.register(1) * (bench.register(1) + 1) / 2);
  }
});

Deno.test("index() one handler serves all instructions of one form and shape", () => {
  const { handlers } = new Bench(), d = new Decoder(INSTRUCTIONS, ALL);
  const indexOf = (...bytes: number[]): number => {
    assertEquals(d.decode(Uint8Array.from(bytes), 0, bytes.length, 32), "ok");
    return handlers.index(d.form, shapeOf(d, FLAT32));
  };
  const first = indexOf(0x01, 0xc8);
  assertEquals(first, FIRST_FREE);
  assertEquals(indexOf(0x01, 0xd1), first, "other registers");
  assert(indexOf(0x66, 0x01, 0xc8) !== first, "another operand size");
  assert(indexOf(0x01, 0x08) !== first, "memory");
  assertEquals(handlers.size, 3);
  assertEquals(handlers.at(first).form.mnemonic, "ADD");
});

Deno.test("translatable() plain instructions are, those that need a helper are not", () => {
  const bench = new Bench(), first = bench.decode(SUM, FLAT32);
  const can = (record: number): boolean => {
    const { form, shape } = bench.handlers.at(bench.i32[record >> 2]);
    return bench.handlers.translatable(record, bench, form, shape);
  };
  assert(can(first));
  assert(!can(bench.code.lookup(CODE, 5, FLAT32, 4096, 1)), "HLT");
});

Deno.test("invalidate() sends whoever runs forgotten code to the engine", () => {
  const bench = new Bench(), { first } = sum(bench);
  assert(bench.code.translate(first, 0));
  bench.code.invalidate(CODE);
  bench.handlers.enter(first);
  assertEquals(bench.engine.calls, ["stale"]);
  assertEquals(bench.register(0), 0);
});
