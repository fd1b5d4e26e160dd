/**
 * Builds WebAssembly modules: functions of statements over typed expressions, imports, memories, tables, globals,
 * exports. {@linkcode ModuleBuilder.toBytes} writes the binary, {@linkcode ModuleBuilder.toText} the readable form that
 * golden tests compare. Source: WebAssembly core specification 3.0 with tail calls and multi-memory.
 * @module
 */
import { type Expr, type I32, type MemoryArgument, node, storeType } from "./expr.ts";
import type { ValType } from "./ops.ts";
import { encodeModule } from "./encode.ts";
import { printModule } from "./print.ts";

/** A function type. */
export interface FunctionType {
  /** Parameter types. */
  readonly params: readonly ValType[];
  /** Result types. */
  readonly results: readonly ValType[];
}

/** A local variable or parameter of a function under construction. */
export interface Local<T extends ValType = ValType> {
  /** Its type. */
  readonly type: T;
  /** Its index. */
  readonly index: number;
}

/** A branch target. */
export interface Label {
  /** Name in the text form. */
  readonly name: string;
}

/**
 * What is known of a condition: a compiler keeps the unlikely side out of the way. Written as branch hints, a proposal
 * that is part of WebAssembly since 2025; who does not know them ignores them.
 */
export type Hint = "likely" | "unlikely" | null;

/** A statement of a function body. */
export type Stmt =
  | { readonly kind: "set"; readonly index: number; readonly value: Expr }
  | { readonly kind: "global.set"; readonly index: number; readonly value: Expr }
  // deno-fmt-ignore
  | { readonly kind: "store"; readonly name: string; readonly address: I32; readonly value: Expr; readonly offset: number; readonly memory: number }
  // deno-fmt-ignore
  | { readonly kind: "if"; readonly condition: I32; readonly then: Stmt[]; readonly else: Stmt[]; readonly hint: Hint }
  | { readonly kind: "block" | "loop"; readonly label: Label; readonly body: Stmt[] }
  | { readonly kind: "br"; readonly label: Label; readonly condition: I32 | null; readonly hint: Hint }
  | { readonly kind: "br_table"; readonly labels: readonly Label[]; readonly otherwise: Label; readonly index: I32 }
  | { readonly kind: "return"; readonly values: readonly Expr[] }
  | { readonly kind: "call"; readonly func: number; readonly args: readonly Expr[]; readonly drop: number }
  | { readonly kind: "return_call"; readonly func: number; readonly args: readonly Expr[] }
  // deno-fmt-ignore
  | { readonly kind: "return_call_indirect"; readonly type: number; readonly table: number; readonly args: readonly Expr[]; readonly index: I32 }
  | { readonly kind: "memory.fill"; readonly memory: number; readonly args: readonly I32[] }
  | { readonly kind: "memory.copy"; readonly memory: number; readonly source: number; readonly args: readonly I32[] }
  | { readonly kind: "group"; readonly body: Stmt[] }
  | { readonly kind: "unreachable" };

/** Something imported. */
export interface Import {
  /** Module name. */
  readonly module: string;
  /** Field name. */
  readonly name: string;
}

/** Page limits of a memory or entry limits of a table. */
export interface Limits {
  /** Initial size: 64 KiB pages or table entries. */
  readonly initial: number;
  /** Largest size. */
  readonly maximum?: number;
  /** Whether a memory is shared between agents. */
  readonly shared?: boolean;
}

/** Marks the reading of a local that nothing sets again. */
const BOUND = 1;

/** Builds one function. */
export class FunctionBuilder {
  /** Local types beyond the parameters. */
  readonly locals: ValType[] = [];
  /** Locals that may share one with others when the function is written out. */
  readonly temporaries: Set<number> = new Set();
  /** The statements. */
  readonly body: Stmt[] = [];
  #current: Stmt[] = this.body;
  #depth = 0;
  #labels = 0;

  /** Used by {@linkcode ModuleBuilder.function}. */
  constructor(
    /** Name in the text form. */
    readonly name: string,
    /** Its type. */
    readonly type: FunctionType,
    /** Index among the functions built here. */
    readonly index: number,
  ) {}

  /** How many blocks, loops and branches are open around the next statement. */
  get depth(): number {
    return this.#depth;
  }

  /** Parameter `i`, which must be of type `type`. */
  param<T extends ValType>(i: number, type: T): Local<T> {
    if (this.type.params[i] !== type) throw new TypeError(`Cannot use parameter ${i}: it is ${this.type.params[i]}`);
    return { type, index: i };
  }

  /** A new local, zero at function entry. */
  local<T extends ValType>(type: T): Local<T> {
    this.locals.push(type);
    return { type, index: this.type.params.length + this.locals.length - 1 };
  }

  /**
   * A new local that is set before it is read: on every way there, and again in each iteration of a loop that holds all its
   * uses. It may then share its place with others.
   */
  temporary<T extends ValType>(type: T): Local<T> {
    const local = this.local(type);
    this.temporaries.add(local.index);
    return local;
  }

  /** Keeps the locals of an expression as they are, for it is used where they may have been set long before. */
  keep(e: Expr): void {
    if (e.kind === "local") this.temporaries.delete(e.imm as number);
    for (const a of e.args) this.keep(a);
  }

  /** Reads a local. */
  get<T extends ValType>(local: Local<T>): Expr<T> {
    return node(local.type, "local", "local.get", [], local.index);
  }

  /** Evaluates now, into a fresh local that nothing else sets; constants and such locals pass through. */
  let<T extends ValType>(value: Expr<T>): Expr<T> {
    if (value.kind === "const" || value.kind === "local" && value.index === BOUND) return value;
    const l = this.temporary(value.type);
    this.set(l, value);
    return node(value.type, "local", "local.get", [], l.index, BOUND);
  }

  /** Sets a local. */
  set<T extends ValType>(local: Local<T>, value: Expr<T>): void {
    if (value.type !== local.type) throw new TypeError(`Cannot set ${local.type} local: value is ${value.type}`);
    this.#current.push({ kind: "set", index: local.index, value });
  }

  /** Sets a global. */
  setGlobal(index: number, value: Expr): void {
    this.#current.push({ kind: "global.set", index, value });
  }

  /** Stores: `f.store("i64.store8", address, value, { offset, memory })`. */
  store(name: string, address: I32, value: Expr, at: MemoryArgument = {}): void {
    if (value.type !== storeType(name)) throw new TypeError(`Cannot build ${name}: value is ${value.type}`);
    this.#current.push({ kind: "store", name, address, value, offset: at.offset ?? 0, memory: at.memory ?? 0 });
  }

  #nested(body: Stmt[], fill: () => void): void {
    const outer = this.#current;
    this.#current = body;
    this.#depth++;
    fill();
    this.#depth--;
    this.#current = outer;
  }

  /** `if … else …`; a constant condition emits only the side that runs. */
  if(condition: I32, then: () => void, otherwise?: (() => void) | null, hint: Hint = null): void {
    if (condition.kind === "const") {
      if (condition.imm !== 0) then();
      else otherwise?.();
      return;
    }
    const s: Stmt = { kind: "if", condition, then: [], else: [], hint };
    this.#nested(s.then, then);
    if (otherwise) this.#nested(s.else, otherwise);
    this.#current.push(s);
  }

  /** A value by cases: evaluates one side only. */
  choose<T extends ValType>(
    condition: I32,
    then: () => Expr<T>,
    otherwise: () => Expr<T>,
    hint: Hint = null,
  ): Expr<T> {
    if (condition.kind === "const") return condition.imm !== 0 ? then() : otherwise();
    const s: Stmt = { kind: "if", condition, then: [], else: [], hint };
    let result: Local<T> | undefined;
    this.#nested(s.then, () => {
      const e = then();
      result = this.temporary(e.type);
      this.set(result, e);
    });
    this.#nested(s.else, () => this.set(result!, otherwise()));
    this.#current.push(s);
    return this.get(result!);
  }

  /** A block; branching to its label leaves it. */
  block(body: (label: Label) => void): void {
    this.#labelled("block", body);
  }

  /** A loop; branching to its label repeats it. */
  loop(body: (label: Label) => void): void {
    this.#labelled("loop", body);
  }

  #labelled(kind: "block" | "loop", fill: (label: Label) => void): void {
    const label = { name: `$${kind[0]}${this.#labels++}` };
    const s: Stmt = { kind, label, body: [] };
    this.#nested(s.body, () => fill(label));
    this.#current.push(s);
  }

  /** Branches. */
  br(label: Label): void {
    this.#current.push({ kind: "br", label, condition: null, hint: null });
  }

  /** Branches if `condition` is not zero. */
  brIf(label: Label, condition: I32, hint: Hint = null): void {
    this.#current.push({ kind: "br", label, condition, hint });
  }

  /** Branches to `labels[index]`, or to `otherwise`. */
  brTable(index: I32, labels: readonly Label[], otherwise: Label): void {
    this.#current.push({ kind: "br_table", labels, otherwise, index });
  }

  /** Returns. */
  return(...values: Expr[]): void {
    this.#current.push({ kind: "return", values });
  }

  /** Calls for effect; results are dropped. */
  call(callee: Callee, ...args: Expr[]): void {
    this.#current.push({ kind: "call", func: callee.index, args, drop: callee.type.results.length });
  }

  /** Calls a function with one result; evaluated where the expression is used, so bind it with `let`. */
  callExpr<T extends ValType>(callee: Callee, type: T, ...args: Expr[]): Expr<T> {
    if (callee.type.results[0] !== type) throw new TypeError(`Cannot call for ${type}: ${callee.name} gives another`);
    return node(type, "call", "call", args, callee.index);
  }

  /** Tail call. */
  returnCall(callee: Callee, ...args: Expr[]): void {
    this.#current.push({ kind: "return_call", func: callee.index, args });
  }

  /** Tail call through table `table` of a function of type index `type`. */
  returnCallIndirect(type: number, table: number, index: I32, ...args: Expr[]): void {
    this.#current.push({ kind: "return_call_indirect", type, table, args, index });
  }

  /** `memory.fill`: destination, byte value, length. */
  memoryFill(memory: number, to: I32, value: I32, length: I32): void {
    this.#current.push({ kind: "memory.fill", memory, args: [to, value, length] });
  }

  /** `memory.copy` between or within memories: destination, source, length. */
  memoryCopy(memory: number, source: number, to: I32, from: I32, length: I32): void {
    this.#current.push({ kind: "memory.copy", memory, source, args: [to, from, length] });
  }

  /** A place in the body that statements can be put into later, by {@linkcode FunctionBuilder.fill}. */
  hole(): Stmt[] {
    const body: Stmt[] = [];
    this.#current.push({ kind: "group", body });
    return body;
  }

  /** Emits into a {@linkcode FunctionBuilder.hole}. */
  fill(hole: Stmt[], emit: () => void): void {
    this.#nested(hole, emit);
  }

  /** Traps. */
  unreachable(): void {
    this.#current.push({ kind: "unreachable" });
  }
}

/** A function that can be called: imported or built here. */
export interface Callee {
  /** Name in the text form. */
  readonly name: string;
  /** Its type. */
  readonly type: FunctionType;
  /** Index among the functions built here; −1 − index of an imported one. */
  readonly index: number;
}

/** Builds one module. Functions may be imported at any time: their final numbers are settled when it is encoded. */
export class ModuleBuilder {
  /** Distinct function types. */
  readonly types: FunctionType[] = [];
  /** Imported functions with their type index. */
  readonly importedFunctions: (Import & { readonly type: number })[] = [];
  /** Imported memories. */
  readonly importedMemories: (Import & Limits)[] = [];
  /** What loads and stores name by number: a memory, and what is added to addresses. */
  readonly memories: { readonly index: number; readonly base: number }[] = [];
  /** Imported tables of functions. */
  readonly importedTables: (Import & Limits)[] = [];
  /** Imported globals. */
  readonly importedGlobals: (Import & { readonly type: ValType; readonly mutable: boolean })[] = [];
  /** Functions built here. */
  readonly functions: FunctionBuilder[] = [];
  /** Exported functions. */
  readonly exports: { readonly name: string; readonly func: number }[] = [];
  /** Functions put into a table at instantiation. */
  readonly elements: { readonly table: number; readonly offset: number; readonly functions: readonly number[] }[] = [];

  /** The index of a function type. */
  type(params: readonly ValType[], results: readonly ValType[]): number {
    const same = (a: readonly ValType[], b: readonly ValType[]) =>
      a.length === b.length && a.every((t, i) => t === b[i]);
    const i = this.types.findIndex((t) => same(t.params, params) && same(t.results, results));
    return i >= 0 ? i : this.types.push({ params, results }) - 1;
  }

  /** Imports a function. */
  // deno-fmt-ignore
  importFunction(module: string, name: string, params: readonly ValType[], results: readonly ValType[] = []): Callee {
    this.importedFunctions.push({ module, name, type: this.type(params, results) });
    return { name: `$${name}`, type: { params, results }, index: -this.importedFunctions.length };
  }

  /**
   * Imports a memory, or the part of it from `base` on, a constant that is added to every address; returns the number by
   * which loads and stores of this module name it. The same memory can be imported more than once, for several parts.
   */
  importMemory(module: string, name: string, limits: Limits, base = 0): number {
    let index = this.importedMemories.findIndex((m) => m.module === module && m.name === name);
    if (index < 0) index = this.importedMemories.push({ module, name, ...limits }) - 1;
    return this.memories.push({ index, base }) - 1;
  }

  /** Imports a table of functions; returns its index. */
  importTable(module: string, name: string, limits: Limits): number {
    return this.importedTables.push({ module, name, ...limits }) - 1;
  }

  /** Imports a global; returns its index. */
  importGlobal(module: string, name: string, type: ValType, mutable = false): number {
    return this.importedGlobals.push({ module, name, type, mutable }) - 1;
  }

  /** Begins a function. */
  function(name: string, params: readonly ValType[], results: readonly ValType[] = []): FunctionBuilder {
    this.type(params, results);
    const f = new FunctionBuilder(
      `$${name}`,
      { params, results },
      this.functions.length,
    );
    this.functions.push(f);
    return f;
  }

  /** Exports a function. */
  export(name: string, func: Callee): void {
    this.exports.push({ name, func: func.index });
  }

  /** Puts functions into a table from `offset` on when the module is instantiated. */
  element(table: number, offset: number, functions: readonly Callee[]): void {
    this.elements.push({ table, offset, functions: functions.map((f) => f.index) });
  }

  /** The binary module. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return encodeModule(this);
  }

  /** The module in folded text form. */
  toText(): string {
    return printModule(this);
  }
}
