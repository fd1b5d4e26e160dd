/**
 * Translated regions: the hot part of a page's code as one WebAssembly function with real loops. Operands are constants,
 * general registers and flags live in locals, flags are computed where somebody looks at them. A region is entered like
 * any handler, through its first record, and leaves by tail call to a record or to the run loop.
 * @module
 */
import { constantOf, type Expr, type I32, i32, type I64, i64, load, node } from "../wasm/expr.ts";
import type { FunctionBuilder, Label, Local, Stmt } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import type { Width } from "../x86/context.ts";
import type { FlagWords } from "../x86/flags.ts";
import type { Form } from "../x86/insn.ts";
import * as S from "../x86/state.ts";
import { lowMask } from "../x86/table/arith_flags.ts";
import { type Home, InstructionContext, NeedsInterpreter, type Support } from "./instruction_context.ts";
import { emitBranch } from "./interpreter_home.ts";
import { type Block, isBack } from "./region_graph.ts";
import type { Shape } from "./shape.ts";

const K = (n: number): I32 => i32.const(n);
const GPRS = 16;

/** What a region needs to know of a record. */
export interface Instruction {
  /** The encoding. */
  readonly form: Form;
  /** Its shape. */
  readonly shape: Shape;
}

/** The views that record fields are read from. */
export interface RecordMemory {
  /** Bytes. */
  readonly u8: Uint8Array;
  /** 16-bit words. */
  readonly u16: Uint16Array;
  /** 32-bit words. */
  readonly i32: Int32Array;
}

/** Builds one region into a function of type (i32) → i32. */
export class Region {
  /** Address of the record being emitted. */
  #at = 0;
  /** Its place in its block. */
  #index = 0;
  /** Where the locals are loaded. */
  readonly #entry: Stmt[];
  readonly #registers: (Local<"i64"> | null)[] = Array.from({ length: GPRS }, () => null);
  readonly #written: Set<number> = new Set();
  #flagsWritten = false;
  readonly #spills: { hole: Stmt[]; flags: boolean }[] = [];
  readonly #res: Local<"i64">;
  readonly #aux: Local<"i64">;
  /** Instructions that may still run, at the start of the current block. */
  readonly #left: Local<"i32">;
  readonly #tlb: Local<"i32">;
  /** Whether a store has overwritten decoded code. */
  readonly #changed: Local<"i32">;
  /** Flag words since the last write in this block; null: in the locals. */
  #words: FlagWords | null = null;
  #shape!: Shape;
  readonly #loops: Map<Block, Label> = new Map();
  readonly #joins: Map<Block, Label> = new Map();

  constructor(
    readonly f: FunctionBuilder,
    readonly calls: Support,
    readonly memory: RecordMemory,
    readonly describe: (record: number) => Instruction,
  ) {
    this.#entry = f.hole();
    this.#res = f.local("i64");
    this.#aux = f.local("i64");
    this.#left = f.local("i32");
    this.#tlb = f.local("i32");
    this.#changed = f.local("i32");
  }

  /** Emits the blocks, of which the first is the entry. */
  build(blocks: readonly Block[]): void {
    const { f } = this;
    this.#tree(blocks[0]);
    for (const s of this.#spills) {
      f.fill(s.hole, () => {
        for (const n of this.#written) {
          f.store("i64.store", K(0), f.get(this.#registers[n]!), { offset: S.GPR + n * 8 });
        }
        if (s.flags && this.#flagsWritten) this.#storeFlags({ res: f.get(this.#res), aux: f.get(this.#aux) });
      });
    }
    f.fill(this.#entry, () => {
      this.#registers.forEach((l, n) => l && f.set(l, i64.load(K(0), { offset: S.GPR + n * 8 })));
      f.set(this.#res, i64.load(K(0), { offset: S.FRES }));
      f.set(this.#aux, i64.load(K(0), { offset: S.FAUX }));
      f.set(this.#tlb, i32.load(K(0), { offset: S.TLB_VIEW }));
      const seq = this.memory.u8[blocks[0].start + S.R_SEQ];
      f.set(this.#left, i32.sub(i32.load(K(0), { offset: S.BUDGET }), K(seq)));
    });
  }

  // Structure.

  #tree(b: Block): void {
    const joins = b.children.filter((c) => c.forward > 1).sort((x, y) => y.order - x.order);
    const body = (i: number): void => {
      if (i === joins.length) return this.#block(b);
      this.f.block((label) => {
        this.#joins.set(joins[i], label);
        body(i + 1);
      });
      this.#tree(joins[i]);
    };
    if (!b.loop) return body(0);
    this.f.loop((label) => {
      this.#loops.set(b, label);
      body(0);
    });
  }

  #block(b: Block): void {
    const { f } = this;
    this.#words = null;
    let ended = false;
    b.records.forEach((record, i) => {
      const { form, shape } = this.describe(record);
      this.#at = record;
      this.#index = i;
      this.#shape = shape;
      const last = i === b.records.length - 1;
      const home = new RegionHome(this, last ? b : null);
      new InstructionContext(f, form, shape, this.calls, home).build();
      ended = home.ended;
    });
    if (ended) return;
    this.#follow(b);
  }

  /** Goes on behind the block's last instruction. */
  #follow(b: Block): void {
    const n = b.records.length;
    if (b.following) return this.#edge(b, b.following, n);
    const { u8 } = this.memory;
    const behind = u8[b.exit + S.R_LENGTH] === 0 && u8[b.exit + S.R_SCALE] === 0xff ? 1 : 0;
    this.#settle(n, b.exit, behind);
    this.f.returnCallIndirect(this.calls.handlerType, 0, i32.load(K(b.exit), { offset: S.R_HANDLER }), K(b.exit));
  }

  /** To another block of the region, having executed `n` instructions of this one. */
  #edge(from: Block, to: Block, n: number): void {
    const { f } = this;
    if (this.#words) {
      const w = this.#words;
      f.set(this.#res, w.res);
      f.set(this.#aux, w.aux);
      this.#flagsWritten = true;
    }
    const words = this.#words;
    this.#words = null;
    f.set(this.#left, i32.sub(f.get(this.#left), K(n)));
    f.if(i32.lt_s(f.get(this.#left), K(this.memory.u8[to.start + S.R_RUN])), () => {
      this.#settle(0, to.start);
      f.return(f.callExpr(this.calls.leave, "i32", K(to.start)));
    });
    const loop = isBack(from, to) ? this.#loops.get(to) : undefined;
    if (loop) f.br(loop);
    else if (to.forward > 1) f.br(this.#joins.get(to)!);
    else this.#tree(to);
    this.#words = words;
  }

  /** Stores what the locals hold; the budget as it is at `record`, `n` instructions into the block. */
  #settle(n: number, record: number, more = 0): void {
    const { f } = this;
    const w = this.#words;
    this.#spills.push({ hole: f.hole(), flags: w === null });
    if (w) this.#storeFlags(w);
    const budget = i32.add(f.get(this.#left), K(this.memory.u8[record + S.R_SEQ] - n + more));
    f.store("i32.store", K(0), budget, { offset: S.BUDGET });
  }

  #storeFlags(w: FlagWords): void {
    this.f.store("i64.store", K(0), w.res, { offset: S.FRES });
    this.f.store("i64.store", K(0), w.aux, { offset: S.FAUX });
  }

  #register(n: number): Local<"i64"> {
    return this.#registers[n] ??= this.f.local("i64");
  }

  // What an instruction's home asks.

  /** Address of the current record. */
  get record(): number {
    return this.#at;
  }

  settle(): void {
    this.#settle(this.#index, this.#at);
  }

  read(at: number, width: Width): I64 {
    if (at === S.ZERO) return i64.const(0);
    const n = (at - S.GPR) >> 3;
    if (n < 0 || n >= GPRS) return load<"i64">(width === 64 ? "i64.load" : `i64.load${width}_u`, K(0), { offset: at });
    const v = this.f.get(this.#register(n));
    return i64.and(i64.shr_u(v, i64.const((at & 7) * 8)), lowMask(width));
  }

  write(at: number, width: Width, value: I64): void {
    const { f } = this;
    const n = (at - S.GPR) >> 3;
    if (n < 0 || n >= GPRS) throw new NeedsInterpreter();
    const l = this.#register(n);
    this.#written.add(n);
    if (width === 64) f.set(l, value);
    else if (width === 32) f.set(l, i64.and(value, lowMask(32)));
    else {
      const shift = (at & 7) * 8, mask = ((1n << BigInt(width)) - 1n) << BigInt(shift);
      const part = i64.shl(i64.and(value, lowMask(width)), i64.const(shift));
      f.set(l, i64.or(i64.and(f.get(l), i64.const(~mask)), part));
    }
  }

  flags(): FlagWords {
    const { f } = this;
    const w = this.#words ?? { res: f.get(this.#res), aux: f.get(this.#aux) };
    return { ...w, res: f.let(w.res), aux: f.let(w.aux) };
  }

  putFlags(words: FlagWords): void {
    this.#words = words;
  }

  tlb(): I32 {
    return this.f.get(this.#tlb);
  }

  branch(b: Block | null): void {
    if (!b) throw new NeedsInterpreter();
    const n = b.records.length;
    if (b.taken) return this.#edge(b, b.taken, n);
    this.settle();
    emitBranch(this.f, this.calls, K(this.#at), this.#shape);
  }

  stored(result: I32): void {
    this.f.set(this.#changed, i32.or(this.f.get(this.#changed), i32.eq(result, K(2))));
  }

  /** Leaves behind an instruction whose store has overwritten decoded code: it may be this very region's. */
  leaveIfChanged(): void {
    const { f } = this;
    f.if(f.get(this.#changed), () => {
      const next = this.#at + S.RECORD_SIZE;
      const behind = this.memory.u8[next + S.R_SCALE] === 0xff && this.memory.u8[next + S.R_LENGTH] === 0 ? 1 : 0;
      this.#settle(this.#index + 1, next, behind);
      f.returnCall(this.calls.dispatch, f.callExpr(this.calls.stale, "i32", K(next)));
    });
  }

  jump(rip: I64): void {
    this.settle();
    this.f.returnCall(this.calls.goto, K(this.#at), rip);
  }
}

/** The home of one instruction of a region. */
class RegionHome implements Home {
  readonly helpers = false;
  /** Whether control does not come out behind the instruction. */
  ended = true;
  #stores = false;
  readonly #depth: number;

  /** `block` is given for the last instruction of one. */
  constructor(readonly region: Region, readonly block: Block | null) {
    this.#depth = region.f.depth;
  }

  get record(): I32 {
    return K(this.region.record);
  }

  field<T extends ValType>(name: string, at: number): Expr<T> {
    const { u8, u16, i32: words } = this.region.memory;
    const a = this.region.record + at;
    const wide = (v: number | bigint) => node("i64", "const", "i64.const", [], BigInt.asIntN(64, BigInt(v)));
    const value = (): Expr => {
      switch (name) {
        // A branch's target may become known later.
        case "i32.load":
          return at === S.R_IMM ? i32.load(K(a)) : K(words[a >> 2]);
        case "i32.load16_u":
          return K(u16[a >> 1]);
        case "i32.load8_u":
          return K(u8[a]);
        case "i64.load8_u":
          return wide(u8[a]);
        case "i64.load32_s":
          return wide(words[a >> 2]);
        default:
          return wide(BigInt(words[(a >> 2) + 1]) << 32n | BigInt(words[a >> 2] >>> 0));
      }
    };
    return value() as Expr<T>;
  }

  #straight(): void {
    if (this.region.f.depth !== this.#depth) throw new NeedsInterpreter();
  }

  read(at: I32, width: Width): I64 {
    const a = constantOf(at);
    if (a === undefined) throw new NeedsInterpreter();
    return this.region.read(Number(a), width);
  }

  write(at: I32, width: Width, value: I64): void {
    this.#straight();
    const a = constantOf(at);
    if (a === undefined) throw new NeedsInterpreter();
    this.region.write(Number(a), width, value);
  }

  flags(): FlagWords {
    return this.region.flags();
  }

  putFlags(words: FlagWords): void {
    this.#straight();
    this.region.putFlags(words);
  }

  settle(): void {
    this.region.settle();
  }

  tlb(): I32 {
    return this.region.tlb();
  }

  stored(result: I32): void {
    this.#stores = true;
    this.region.stored(result);
  }

  next(): void {
    if (this.#stores) this.region.leaveIfChanged();
    this.ended = false;
  }

  branch(): void {
    this.region.branch(this.block);
  }

  jump(rip: I64): void {
    this.region.jump(rip);
  }

  again(): void {
    throw new NeedsInterpreter();
  }
}
