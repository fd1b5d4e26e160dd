/**
 * Interpreter handlers: one WebAssembly function for each form and shape, made when a decoded instruction first needs it,
 * compiled in batches, and gathered into one module from time to time so that tail calls stay within an instance.
 * @module
 */
import { type Expr, type I32, i32, type I64, i64, select } from "../wasm/expr.ts";
import { type Callee, type FunctionType, ModuleBuilder } from "../wasm/module.ts";
import type { Form } from "../x86/insn.ts";
import * as S from "../x86/state.ts";
import { lowMask } from "../x86/table/arith_flags.ts";
import { type RecordMemory, Region, type RegionCode } from "./region.ts";
import { codeLimit } from "./branch_target.ts";
import { singleBlock } from "./region_graph.ts";
import { InstructionContext, NeedsInterpreter, type Support } from "./instruction_context.ts";
import { InterpreterHome } from "./interpreter_home.ts";
import { importMemories, type ProcessorMemory } from "./processor_memory.ts";
import { unpackShape } from "./shape.ts";

/** Handlers with fixed places in the table. */
export const H_NEXT = 1, H_STALE = 2, H_STRADDLE = 3, H_RAISE = 4;
/** First table index that is not fixed. */
export const FIRST_FREE = 5;

/** The functions of the engine that emitted code calls; the names are the imports'. */
export interface EngineImports {
  /** Slow memory access. */
  slow(record: number, low: number, high: number, how: number): number;
  /** Raises an exception. */
  raise(record: number, vector: number, errorCode: number): number;
  /** Unresolved relative branch. */
  branch_slow(record: number): number;
  /** Checks a relative branch's target. */
  check_branch(record: number): number;
  /** Keeps a copy of the state for a helper that may fault. */
  begin(): void;
  /** Ends emitted code at a record, whose instruction has not run. */
  leave(record: number): number;
  /** Continues behind an instruction whose helper asked for attention. */
  attend(record: number): number;
  /** Budget used up in a repeated instruction. */
  again_slow(record: number): number;
  /** Jump that the jump cache does not know; RIP is set in the state block. */
  goto_slow(record: number): number;
  /** A record whose code was overwritten. */
  stale(record: number): number;
  /** An instruction that straddles a page. */
  straddle(record: number): number;
}

/** What a handler set is made for. */
export interface HandlerEnvironment extends ProcessorMemory {
  /** The engine. */
  readonly imports: EngineImports;
  /** A TypeScript helper by name; a trailing `!` asks for the control-transfer form. */
  helper(name: string): (record: number) => number;
  /** A function of the support module with its type. */
  support(name: string): { readonly type: Callee["type"]; readonly func: CallableFunction };
}

interface Handler {
  readonly form: Form;
  readonly shape: number;
  readonly index: number;
}

const K = (n: number): I32 => i32.const(n);

/** The handlers of one processor. */
export class Handlers {
  /** The table that records index. */
  readonly table: WebAssembly.Table;
  /** Starts execution at a record. */
  readonly enter: (record: number) => number;
  readonly #byForm: (Map<number, number> | undefined)[] = [];
  readonly #all: Handler[] = [];
  #pending: Handler[] = [];
  #next = FIRST_FREE;
  readonly #position: number[] = [];
  readonly #free: number[] = [];
  readonly #translatable: Map<number, boolean> = new Map();
  #modules = 0;
  #gathered = 0;

  constructor(readonly env: HandlerEnvironment) {
    this.table = new WebAssembly.Table({ initial: 1024, element: "anyfunc" });
    const m = new ModuleBuilder();
    const s = this.#support(m);
    const base = (name: string, fill: (p: I32, f: ReturnType<ModuleBuilder["function"]>) => void) => {
      const f = m.function(name, ["i32"], ["i32"]);
      fill(f.get(f.param(0, "i32")), f);
      return f;
    };
    const next = base("next", (p, f) => {
      const offset = i64.extend_i32_u(i32.load16_u(p, { offset: S.R_OFFSET }));
      f.returnCall(s.calls.goto, p, i64.add(i64.load(K(0), { offset: S.CODE_BASE }), offset));
    });
    const viaEngine = (name: "stale" | "straddle") =>
      base(name, (p, f) => f.returnCall(s.calls.dispatch, f.callExpr(s.engine(name), "i32", p)));
    const stale = viaEngine("stale"), straddle = viaEngine("straddle");
    const raise = base("raise_record", (p, f) => {
      const imm = (o: number) => i32.load(p, { offset: S.R_IMM + o });
      f.return(f.callExpr(s.calls.raise, "i32", p, imm(0), imm(4)));
    });
    const enter = base("enter", (p, f) => f.returnCall(s.calls.dispatch, p));
    m.export("enter", enter);
    m.element(0, H_NEXT, [next, stale, straddle, raise]);
    this.enter = this.#instantiate(m, s.imports).exports.enter as (record: number) => number;
  }

  /** The table index of the handler for a form in a shape; {@linkcode flush} must run before it is called. */
  index(form: Form, shape: number): number {
    const known = this.#byForm[form.id] ??= new Map();
    let i = known.get(shape);
    if (i === undefined) {
      i = this.#next++;
      this.#grow();
      known.set(shape, i);
      const h = { form, shape, index: i };
      this.#position[i] = this.#all.length;
      this.#all.push(h);
      this.#pending.push(h);
    }
    return i;
  }

  /** Form and shape of the handler at a table index. */
  at(index: number): { readonly form: Form; readonly shape: number } {
    return this.#all[this.#position[index]];
  }

  /** Compiles a region; returns its table index. */
  addRegion(code: RegionCode): number {
    const m = new ModuleBuilder();
    const s = this.#support(m);
    const f = m.function("region", ["i32"], ["i32"]);
    new Region(f, s.calls, code).build();
    const slot = this.#free.pop() ?? this.#next++;
    this.#grow();
    m.element(0, slot, [f]);
    this.#instantiate(m, s.imports);
    return slot;
  }

  /** Forgets a region: its module can go. */
  removeRegion(slot: number): void {
    this.table.set(slot, null);
    this.#free.push(slot);
  }

  /** Whether the instruction at a record can be part of a region: none that needs a helper or repeats. */
  translatable(record: number, memory: RecordMemory, form: Form, shape: number): boolean {
    const key = form.id * 0x20_0000 + shape;
    let can = this.#translatable.get(key);
    if (can === undefined) {
      const m = new ModuleBuilder();
      const { calls } = this.#support(m);
      const unpacked = { form, shape: unpackShape(shape), handler: 0 };
      try {
        const blocks = [singleBlock(record)];
        const code = { blocks, memory, describe: () => unpacked, distance: () => 0 };
        new Region(m.function("trial", ["i32"], ["i32"]), calls, code).build();
        can = true;
      } catch (e) {
        if (!(e instanceof NeedsInterpreter)) throw e;
        can = false;
      }
      this.#translatable.set(key, can);
    }
    return can;
  }

  #grow(): void {
    if (this.#next >= this.table.length) this.table.grow(this.table.length);
  }

  /** How many handlers exist. */
  get size(): number {
    return this.#all.length;
  }

  /** Compiles what is pending. */
  flush(): void {
    if (!this.#pending.length) return;
    const gather = ++this.#modules > 16 && this.#all.length >= this.#gathered * 1.25;
    const list = gather ? this.#all : this.#pending;
    this.#pending = [];
    if (gather) {
      this.#modules = 0;
      this.#gathered = this.#all.length;
    }
    const m = new ModuleBuilder();
    const s = this.#support(m);
    const functions = list.map((h) => this.#emit(m, s.calls, h));
    let i = 0;
    while (i < list.length) {
      let n = 1;
      while (i + n < list.length && list[i + n].index === list[i].index + n) n++;
      m.element(0, list[i].index, functions.slice(i, i + n));
      i += n;
    }
    this.#instantiate(m, s.imports);
  }

  /** The text of one handler, for golden tests and the curious. */
  textOf(form: Form, shape: number): string {
    const m = new ModuleBuilder();
    const s = this.#support(m);
    this.#emit(m, s.calls, { form, shape, index: 0 });
    return m.toText();
  }

  #emit(m: ModuleBuilder, calls: Support, h: Handler): Callee {
    const f = m.function(`${h.form.mnemonic}_${h.shape.toString(16)}`, ["i32"], ["i32"]);
    const shape = unpackShape(h.shape);
    new InstructionContext(f, h.form, shape, calls, new InterpreterHome(f, calls, shape)).build();
    return f;
  }

  #instantiate(m: ModuleBuilder, engine: Record<string, CallableFunction>): WebAssembly.Instance {
    return new WebAssembly.Instance(new WebAssembly.Module(m.toBytes()), {
      e: { memory: this.env.memory, table: this.table },
      h: engine as WebAssembly.ModuleImports,
    });
  }

  /** Declares what handlers call; a function is imported when it is first asked for. */
  #support(m: ModuleBuilder): {
    readonly calls: Support;
    readonly engine: (name: keyof EngineImports) => Callee;
    readonly imports: Record<string, CallableFunction>;
  } {
    const { env } = this;
    const known: Record<string, Callee> = {};
    const imports: Record<string, CallableFunction> = {};
    importMemories(m, env);
    m.importTable("e", "table", { initial: 1 });
    const declare = (name: string, func: CallableFunction, { params, results }: FunctionType): Callee => {
      imports[name] = func;
      return m.importFunction("h", name, params, results);
    };
    const i32s = (n: number): FunctionType => ({
      params: Array.from({ length: n }, () => "i32"),
      results: n ? ["i32"] : [],
    });
    const engine = (name: keyof EngineImports): Callee =>
      known[name] ??= declare(name, env.imports[name].bind(env.imports), i32s(env.imports[name].length));

    const type = m.type(["i32"], ["i32"]);
    const dispatch = m.function("dispatch", ["i32"], ["i32"]);
    {
      const p = dispatch.get(dispatch.param(0, "i32"));
      dispatch.if(i32.eqz(p), () => dispatch.return(K(0)));
      dispatch.returnCallIndirect(type, 0, i32.load(p, { offset: S.R_HANDLER }), p);
    }
    const goto = m.function("goto", ["i32", "i64"], ["i32"]);
    this.#emitGoto(goto, type, engine("goto_slow"), dispatch);
    const calls: Support = {
      get begin() {
        return engine("begin");
      },
      get attend() {
        return engine("attend");
      },
      get slow() {
        return engine("slow");
      },
      get raise() {
        return engine("raise");
      },
      get branchSlow() {
        return engine("branch_slow");
      },
      get checkBranch() {
        return engine("check_branch");
      },
      get leave() {
        return engine("leave");
      },
      get stale() {
        return engine("stale");
      },
      get againSlow() {
        return engine("again_slow");
      },
      dispatch,
      goto,
      helper: (name) => known[`helper:${name}`] ??= declare(`helper:${name}`, env.helper(name), i32s(1)),
      support: (name) => {
        const { func, type } = env.support(name);
        return known[`support:${name}`] ??= declare(`support:${name}`, func, type);
      },
      handlerType: type,
    };
    return { calls, engine, imports };
  }

  /** `goto(record, rip)`: continues at RIP by the jump cache, having executed `record`. */
  #emitGoto(f: ReturnType<ModuleBuilder["function"]>, type: number, slow: Callee, dispatch: Callee): void {
    const p = f.get(f.param(0, "i32"));
    const target: I64 = f.get(f.param(1, "i64"));
    const key = f.let(i32.load(K(0), { offset: S.KEY }));
    const state = <T extends Expr>(e: T): T => f.let(e) as T;
    const linear = f.choose(
      i32.eq(i32.and(key, K(3)), K(2)),
      () => target,
      () => {
        const flat = f.let(
          i64.and(i64.add(target, i64.load(K(0), { offset: S.SEG + S.CS * S.SEG_SIZE + S.SEG_BASE })), lowMask(32)),
        );
        // What the cache knows reaches to the end of its page: it is for segments that do, too.
        const rest = i64.xor(i64.and(flat, i64.const(4095)), i64.const(4095));
        const within = i64.le_u(i64.add(target, rest), codeLimit());
        return select(within, flat, i64.const(-1));
      },
    );
    const low = i32.wrap_i64(linear);
    const slot = i32.and(i32.xor(low, i32.shr_u(low, K(12))), K(S.JUMP_ENTRIES - 1));
    const entry = state(i32.shl(slot, K(4)));
    const hit = i32.and(
      i64.eq(i64.load(entry, { offset: S.JUMP_CACHE }), linear),
      i32.eq(i32.load(entry, { offset: S.JUMP_CACHE + 8 }), key),
    );
    f.if(hit, () => {
      const t = f.let(i32.load(entry, { offset: S.JUMP_CACHE + 12 }));
      const left = i32.sub(
        i32.sub(i32.load(K(0), { offset: S.BUDGET }), i32.load8_u(p, { offset: S.R_SEQ })),
        K(1),
      );
      const budget = f.let(i32.add(left, i32.load8_u(t, { offset: S.R_SEQ })));
      f.if(i32.ge_s(budget, i32.load8_u(t, { offset: S.R_RUN })), () => {
        f.store("i32.store", K(0), budget, { offset: S.BUDGET });
        const base = i64.sub(target, i64.extend_i32_u(i32.load16_u(t, { offset: S.R_OFFSET })));
        f.store("i64.store", K(0), base, { offset: S.CODE_BASE });
        f.returnCallIndirect(type, 0, i32.load(t, { offset: S.R_HANDLER }), t);
      });
    });
    f.store("i64.store", K(0), target, { offset: S.RIP });
    f.returnCall(dispatch, f.callExpr(slow, "i32", p));
  }
}
