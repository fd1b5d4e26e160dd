/** The binary encoder behind {@linkcode ModuleBuilder.toBytes}. @module */
import type { Expr } from "./expr.ts";
import type { FunctionBuilder, Hint, Label, Limits, ModuleBuilder, Stmt } from "./module.ts";
import { LANES, LOADS, STORES, type ValType } from "./ops.ts";
import { shareLocals } from "./share_locals.ts";

const VALTYPE: Readonly<Record<ValType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** A growing byte buffer with WebAssembly's number forms. */
class Writer {
  /** How many functions are imported: they come first in the function index space. */
  imported = 0;
  /** The memories that loads and stores name. */
  memories: ModuleBuilder["memories"] = [];
  /** The numbers of the function's locals. */
  locals: ArrayLike<number> = [];
  /** Branch hints of the function that is written: where, and whether the branch is taken. */
  readonly hints: [number, Hint][] = [];
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  length = 0;

  #reserve(n: number): void {
    if (this.length + n <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + n));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  u8(v: number): void {
    if (this.length === this.bytes.length) this.#reserve(1);
    this.bytes[this.length++] = v;
  }

  u32(v: number): void {
    v >>>= 0;
    while (v > 0x7f) {
      this.u8(v & 0x7f | 0x80);
      v >>>= 7;
    }
    this.u8(v);
  }

  s32(v: number): void {
    for (;;) {
      const low = v & 0x7f;
      v >>= 7;
      if (v === 0 && !(low & 0x40) || v === -1 && (low & 0x40)) return this.u8(low);
      this.u8(low | 0x80);
    }
  }

  s64(v: bigint): void {
    if (v >= -0x8000_0000n && v <= 0x7fff_ffffn) return this.s32(Number(v));
    for (;;) {
      const low = Number(v & 0x7fn);
      v >>= 7n;
      if (v === 0n && !(low & 0x40) || v === -1n && (low & 0x40)) return this.u8(low);
      this.u8(low | 0x80);
    }
  }

  float(v: number, size: 4 | 8): void {
    this.#reserve(8);
    const view = new DataView(this.bytes.buffer);
    if (size === 4) view.setFloat32(this.length, v, true);
    else view.setFloat64(this.length, v, true);
    this.length += size;
  }

  raw(b: Uint8Array): void {
    this.#reserve(b.length);
    this.bytes.set(b, this.length);
    this.length += b.length;
  }

  /** A function index, from a callee's. */
  func(index: number): void {
    this.u32(index < 0 ? -1 - index : this.imported + index);
  }

  name(s: string): void {
    const b = new TextEncoder().encode(s);
    this.u32(b.length);
    this.raw(b);
  }

  opcode(code: number): void {
    if (code < 0x100) return this.u8(code);
    this.u8(code >> 12);
    this.u32(code & 0xfff);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }
}

function memarg(w: Writer, align: number, offset: number, memory: number): void {
  const { index, base } = w.memories[memory];
  if (index === 0) w.u32(align);
  else {
    w.u32(align | 0x40);
    w.u32(index);
  }
  w.u32(base + offset);
}

/** An address of a bulk operation, which has no place for a constant. */
function bulkAddress(w: Writer, address: Expr, memory: number): void {
  expression(w, address);
  const { base } = w.memories[memory];
  if (base === 0) return;
  w.u8(0x41);
  w.s32(base);
  w.u8(0x6a);
}

function expression(w: Writer, e: Expr): void {
  for (const a of e.args) expression(w, a);
  switch (e.kind) {
    case "const":
      if (e.type === "i32") {
        w.u8(0x41);
        w.s32(e.imm as number);
      } else if (e.type === "i64") {
        w.u8(0x42);
        w.s64(e.imm as bigint);
      } else if (e.type === "f32") {
        w.u8(0x43);
        w.float(e.imm as number, 4);
      } else if (e.type === "f64") {
        w.u8(0x44);
        w.float(e.imm as number, 8);
      } else {
        w.opcode(0xfd00c);
        w.raw(e.bytes!);
      }
      break;
    case "local":
      w.u8(0x20);
      w.u32(w.locals[e.imm as number]);
      break;
    case "global":
      w.u8(0x23);
      w.u32(e.imm as number);
      break;
    case "op":
      w.opcode(e.imm as number);
      break;
    case "load":
      w.opcode(LOADS[e.name][0]);
      memarg(w, 0, e.imm as number, e.index);
      break;
    case "lane":
      w.opcode(LANES[e.name][0]);
      w.u8(e.imm as number);
      break;
    case "shuffle":
      w.opcode(0xfd00d);
      w.raw(e.bytes!);
      break;
    case "select":
      if (e.type === "v128") {
        w.u8(0x1c);
        w.u8(1);
        w.u8(VALTYPE.v128);
      } else w.u8(0x1b);
      break;
    case "call":
      w.u8(0x10);
      w.func(e.imm as number);
      break;
    case "indirect":
      w.u8(0x11);
      w.u32(e.imm as number);
      w.u32(e.index);
      break;
  }
}

function depth(labels: readonly (Label | null)[], label: Label): number {
  const i = labels.lastIndexOf(label);
  if (i < 0) throw new TypeError(`Cannot branch to ${label.name}: not inside it`);
  return labels.length - 1 - i;
}

function statements(w: Writer, body: readonly Stmt[], labels: (Label | null)[]): void {
  for (const s of body) {
    switch (s.kind) {
      case "set":
        expression(w, s.value);
        w.u8(0x21);
        w.u32(w.locals[s.index]);
        break;
      case "global.set":
        expression(w, s.value);
        w.u8(0x24);
        w.u32(s.index);
        break;
      case "store":
        expression(w, s.address);
        expression(w, s.value);
        w.opcode(STORES[s.name][0]);
        memarg(w, 0, s.offset, s.memory);
        break;
      case "if":
        expression(w, s.condition);
        if (s.hint) w.hints.push([w.length, s.hint]);
        w.u8(0x04);
        w.u8(0x40);
        labels.push(null);
        statements(w, s.then, labels);
        if (s.else.length) {
          w.u8(0x05);
          statements(w, s.else, labels);
        }
        labels.pop();
        w.u8(0x0b);
        break;
      case "block":
      case "loop":
        w.u8(s.kind === "block" ? 0x02 : 0x03);
        w.u8(0x40);
        labels.push(s.label);
        statements(w, s.body, labels);
        labels.pop();
        w.u8(0x0b);
        break;
      case "br":
        if (s.condition) expression(w, s.condition);
        if (s.hint) w.hints.push([w.length, s.hint]);
        w.u8(s.condition ? 0x0d : 0x0c);
        w.u32(depth(labels, s.label));
        break;
      case "br_table":
        expression(w, s.index);
        w.u8(0x0e);
        w.u32(s.labels.length);
        for (const l of [...s.labels, s.otherwise]) w.u32(depth(labels, l));
        break;
      case "return":
        for (const v of s.values) expression(w, v);
        w.u8(0x0f);
        break;
      case "call":
        for (const a of s.args) expression(w, a);
        w.u8(0x10);
        w.func(s.func);
        for (let i = 0; i < s.drop; i++) w.u8(0x1a);
        break;
      case "return_call":
        for (const a of s.args) expression(w, a);
        w.u8(0x12);
        w.func(s.func);
        break;
      case "return_call_indirect":
        for (const a of s.args) expression(w, a);
        expression(w, s.index);
        w.u8(0x13);
        w.u32(s.type);
        w.u32(s.table);
        break;
      case "memory.fill":
        bulkAddress(w, s.args[0], s.memory);
        for (const a of s.args.slice(1)) expression(w, a);
        w.opcode(0xfc00b);
        w.u32(w.memories[s.memory].index);
        break;
      case "memory.copy":
        bulkAddress(w, s.args[0], s.memory);
        bulkAddress(w, s.args[1], s.source);
        expression(w, s.args[2]);
        w.opcode(0xfc00a);
        w.u32(w.memories[s.memory].index);
        w.u32(w.memories[s.source].index);
        break;
      case "group":
        statements(w, s.body, labels);
        break;
      case "unreachable":
        w.u8(0x00);
        break;
    }
  }
}

function functionBody(f: FunctionBuilder, m: ModuleBuilder): Writer {
  const w = new Writer();
  w.imported = m.importedFunctions.length;
  w.memories = m.memories;
  const runs: [number, ValType][] = [];
  const { types, index } = shareLocals(f);
  w.locals = index;
  for (const t of types) {
    const last = runs[runs.length - 1];
    if (last && last[1] === t) last[0]++;
    else runs.push([1, t]);
  }
  w.u32(runs.length);
  for (const [n, t] of runs) {
    w.u32(n);
    w.u8(VALTYPE[t]);
  }
  statements(w, f.body, [null]);
  if (f.type.results.length) w.u8(0x00);
  w.u8(0x0b);
  return w;
}

function section(w: Writer, id: number, fill: (w: Writer) => void): void {
  const inner = new Writer();
  inner.imported = w.imported;
  fill(inner);
  w.u8(id);
  w.u32(inner.length);
  w.raw(inner.done());
}

function limits(w: Writer, l: Limits): void {
  w.u8((l.maximum !== undefined ? 1 : 0) | (l.shared ? 2 : 0));
  w.u32(l.initial);
  if (l.maximum !== undefined) w.u32(l.maximum);
}

/** Writes a module in the binary format. */
export function encodeModule(m: ModuleBuilder): Uint8Array<ArrayBuffer> {
  const w = new Writer();
  w.imported = m.importedFunctions.length;
  w.raw(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  section(w, 1, (s) => {
    s.u32(m.types.length);
    for (const t of m.types) {
      s.u8(0x60);
      for (const list of [t.params, t.results]) {
        s.u32(list.length);
        for (const v of list) s.u8(VALTYPE[v]);
      }
    }
  });
  section(w, 2, (s) => {
    const { importedFunctions: f, importedMemories: mem, importedTables: t, importedGlobals: g } = m;
    s.u32(f.length + mem.length + t.length + g.length);
    const head = (i: { module: string; name: string }, kind: number) => {
      s.name(i.module);
      s.name(i.name);
      s.u8(kind);
    };
    for (const i of f) {
      head(i, 0);
      s.u32(i.type);
    }
    for (const i of t) {
      head(i, 1);
      s.u8(0x70);
      limits(s, i);
    }
    for (const i of mem) {
      head(i, 2);
      limits(s, i);
    }
    for (const i of g) {
      head(i, 3);
      s.u8(VALTYPE[i.type]);
      s.u8(i.mutable ? 1 : 0);
    }
  });
  section(w, 3, (s) => {
    s.u32(m.functions.length);
    for (const f of m.functions) s.u32(m.type(f.type.params, f.type.results));
  });
  section(w, 7, (s) => {
    s.u32(m.exports.length);
    for (const e of m.exports) {
      s.name(e.name);
      s.u8(0);
      s.func(e.func);
    }
  });
  if (m.elements.length) {
    section(w, 9, (s) => {
      s.u32(m.elements.length);
      for (const e of m.elements) {
        s.u32(2);
        s.u32(e.table);
        s.u8(0x41);
        s.s32(e.offset);
        s.u8(0x0b);
        s.u8(0x00);
        s.u32(e.functions.length);
        for (const f of e.functions) s.func(f);
      }
    });
  }
  const bodies = m.functions.map((f) => functionBody(f, m));
  if (bodies.some((b) => b.hints.length)) {
    section(w, 0, (s) => {
      s.name("metadata.code.branch_hint");
      s.u32(bodies.filter((b) => b.hints.length).length);
      bodies.forEach((b, i) => {
        if (!b.hints.length) return;
        s.func(i);
        s.u32(b.hints.length);
        for (const [at, hint] of b.hints) {
          s.u32(at);
          s.u8(1);
          s.u8(hint === "likely" ? 1 : 0);
        }
      });
    });
  }
  section(w, 10, (s) => {
    s.u32(m.functions.length);
    for (const b of bodies) {
      s.u32(b.length);
      s.raw(b.done());
    }
  });
  return w.done();
}
