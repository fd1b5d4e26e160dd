/**
 * Translated regions: hot code as one WebAssembly function with real loops. Operands are constants, general registers live
 * in locals, flags are computed where somebody looks at them. A region is entered like any handler, through its first
 * record, and leaves through one of a few exits at its end, where the locals are stored.
 * @module
 */
import { constantOf, type Expr, type I32, i32, type I64, i64, load } from "../wasm/expr.ts";
import type { FunctionBuilder, Label, Local, Stmt } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import type { Width } from "../x86/context.ts";
import type { Form } from "../x86/insn.ts";
import * as S from "../x86/state.ts";
import { lowMask } from "../x86/table/arith_flags.ts";
import { codeLimit, ELSEWHERE } from "./branch_target.ts";
import { type How, InstructionContext, NeedsInterpreter, type Support } from "./instruction_context.ts";
import { NO_PAGE, RegionAccess, type RememberedPage } from "./region_access.ts";
import { RegionFlags } from "./region_flags.ts";
import { type Block, isBack, otherEntries, successors } from "./region_graph.ts";
import { RegionHome } from "./region_home.ts";
import { RegionVectors } from "./region_vectors.ts";
import type { Shape } from "./shape.ts";

const K = (n: number): I32 => i32.const(n);
const GPRS = 16;
const RCX = 1;

/** What a region needs to know of a record. */
export interface Instruction {
  /** The encoding. */
  readonly form: Form;
  /** Its shape. */
  readonly shape: Shape;
  /** Table index of the interpreter's handler. */
  readonly handler: number;
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

/** The code that a region is made of. */
export interface RegionCode {
  /** The blocks, of which the first is the entry. */
  readonly blocks: readonly Block[];
  /** Where records are. */
  readonly memory: RecordMemory;
  /** The instruction of a record. */
  describe(record: number): Instruction;
  /** How far the page of a record is from the entry's, in bytes of linear addresses. */
  distance(record: number): number;
}

interface PathState {
  readonly flags: RegionFlags["state"];
  readonly count: number;
}

/** How a region is left, in the order of the blocks around its code, innermost first. */
type ExitKind = "fault" | "leave" | "run" | "interpret" | "goto";
const EXITS: readonly ExitKind[] = ["fault", "leave", "run", "interpret", "goto"];

/** Builds one region into a function of type (i32) → i32. */
export class Region {
  readonly flags: RegionFlags;
  readonly #vectors: RegionVectors;
  /** What must not be so for the region to run at all: conditions by name. */
  readonly #guards: Map<string, I32> = new Map();
  /** Address of the record being emitted. */
  #at = 0;
  /** Its place in its block. */
  #index = 0;
  /** Instructions on this path that are not taken off `#left` yet, without those of the block. */
  #count = 0;
  readonly #registers: (Local<"i64"> | null)[] = Array.from({ length: GPRS }, () => null);
  readonly #written: Set<number> = new Set();
  readonly #pages: Map<string, RememberedPage> = new Map();
  readonly #storing: Stmt[][] = [];
  readonly #storingRcx: Stmt[][] = [];
  /** Instructions that may still run, less those on the path. */
  readonly #left: Local<"i32">;
  /** The record to go on with. */
  readonly #next: Local<"i32">;
  /** The handler to go on with. */
  readonly #handler: Local<"i32">;
  /** Where to go on. */
  readonly #rip: Local<"i64">;
  /** RIP of the first byte of the entry's page. */
  readonly #base: Local<"i64">;
  #baseUsed = false;
  /** Pages other than the entry's: bit n is set once the nth has been found where it was. */
  readonly #seen: Local<"i32">;
  readonly #others: number[];
  /** Number of the target that the dispatch goes to. */
  readonly #selected: Local<"i32">;
  /** Number of the loop that the region is entered at, until it is there; then 0. */
  #resumed: Local<"i32"> | null = null;
  readonly #loops: Map<Block, Label> = new Map();
  readonly #joins: Map<Block, Label> = new Map();
  /** What is known on the only path to a block that stands behind a loop. */
  readonly #carried: Map<Block, PathState> = new Map();
  readonly #exits: Map<ExitKind, Label> = new Map();
  readonly #used: Set<ExitKind> = new Set();
  readonly #longest: Map<Block, number> = new Map();
  readonly #entry: Block;
  readonly #codeSize: 16 | 32 | 64;

  constructor(readonly f: FunctionBuilder, readonly calls: Support, readonly code: RegionCode) {
    this.#entry = code.blocks[0];
    this.flags = new RegionFlags(f, this.#entry);
    this.#vectors = new RegionVectors(f);
    this.#left = f.local("i32");
    this.#next = f.local("i32");
    this.#handler = f.local("i32");
    this.#rip = f.local("i64");
    this.#base = f.local("i64");
    this.#seen = f.local("i32");
    this.#selected = f.local("i32");
    const pages = new Set(code.blocks.map((b) => code.distance(b.start)));
    pages.delete(0);
    this.#others = [...pages];
    this.#codeSize = code.describe(this.#entry.start).shape.code;
  }

  /** Emits everything. */
  build(): void {
    const { f } = this, entry = this.#entry, { u8 } = this.code.memory;
    const record = f.get(f.param(0, "i32"));
    const others = otherEntries(this.code.blocks);
    const place = others.length ? i32.load8_u(record, { offset: S.R_SEQ }) : K(u8[entry.start + S.R_SEQ]);
    f.set(this.#left, i32.sub(i32.load(K(0), { offset: S.BUDGET }), place));
    const interpret = () => {
      const go = (at: number) =>
        f.returnCallIndirect(this.calls.handlerType, 0, K(this.code.describe(at).handler), K(at));
      for (const { start } of others) f.if(i32.eq(record, K(start)), () => go(start));
      go(entry.start);
    };
    f.if(i32.lt_s(f.get(this.#left), K(this.#longestPath(entry))), interpret, null, "unlikely");
    const loading = f.hole();
    const nest = (i: number): void => {
      if (i < 0) return this.#tree(entry);
      f.block((label) => {
        this.#exits.set(EXITS[i], label);
        nest(i - 1);
      });
      if (this.#used.has(EXITS[i])) this.#exit(EXITS[i]);
      else f.unreachable();
    };
    nest(EXITS.length - 1);
    this.flags.finish();
    for (const hole of this.#storing) {
      f.fill(hole, () => {
        for (const n of this.#written) this.#store(n);
        this.#vectors.store();
        if (!this.flags.written) return;
        f.store("i64.store", K(0), f.get(this.flags.res), { offset: S.FRES });
        f.store("i64.store", K(0), f.get(this.flags.aux), { offset: S.FAUX });
      });
    }
    if (this.#written.has(RCX)) { for (const hole of this.#storingRcx) f.fill(hole, () => this.#store(RCX)); }
    f.fill(loading, () => {
      const guards = [...this.#guards.values()];
      if (guards.length) f.if(guards.reduce((a, b) => i32.or(a, b)), interpret, null, "unlikely");
      this.#vectors.load();
      this.#registers.forEach((l, n) => l && f.set(l, i64.load(K(0), { offset: S.GPR + n * 8 })));
      f.set(this.flags.res, i64.load(K(0), { offset: S.FRES }));
      f.set(this.flags.aux, i64.load(K(0), { offset: S.FAUX }));
      for (const { page } of this.#pages.values()) f.set(page, i64.const(NO_PAGE));
      if (this.#baseUsed) f.set(this.#base, i64.load(K(0), { offset: S.CODE_BASE }));
      if (others.length === 0) return;
      f.if(i32.ne(record, K(entry.start)), () => {
        for (const b of others) {
          const [local, number] = b.number ? [this.#resumed!, b.number] : [this.#selected, entry.targets.indexOf(b)];
          f.if(i32.eq(record, K(b.start)), () => f.set(local, K(number)));
        }
      });
    });
  }

  #store(n: number): void {
    this.f.store("i64.store", K(0), this.f.get(this.#registers[n]!), { offset: S.GPR + n * 8 });
  }

  // Structure.

  /** Emits a block and all that is dominated by it. */
  #tree(b: Block): void {
    const state = this.#path;
    const joins = b.children.filter((c) => c.forward > 1 && !c.behind);
    if (!b.loop) this.#before(joins, () => this.#block(b));
    else {
      if (b.forward === 1 && b !== this.#entry) this.#arrive(b, 0);
      const loop = () =>
        this.f.loop((label) => {
          this.#loops.set(b, label);
          this.#before(joins, () => this.#block(b));
        });
      this.#before(this.code.blocks.filter((c) => c.behind === b), loop);
    }
    this.#path = state;
  }

  /** Emits `blocks` behind what `body` emits and branches there from. */
  #before(blocks: readonly Block[], body: () => void): void {
    const list = [...blocks].sort((x, y) => y.order - x.order);
    const nest = (i: number): void => {
      if (i === list.length) return body();
      this.f.block((label) => {
        this.#joins.set(list[i], label);
        nest(i + 1);
      });
      if (list[i].forward > 1) this.#meet(list[i]);
      else this.#path = this.#carried.get(list[i])!;
      this.#tree(list[i]);
    };
    nest(0);
  }

  /** What is known on the path at hand. */
  get #path(): PathState {
    return { flags: this.flags.state, count: this.#count };
  }

  set #path({ flags, count }: PathState) {
    this.flags.state = flags;
    this.#count = count;
  }

  #meet(b: Block): void {
    this.flags.meet(b);
    this.#count = 0;
  }

  /** Brings the path at hand, `n` instructions into its block, into the form that paths have where they meet. */
  #arrive(to: Block, n: number): void {
    const { f } = this;
    this.flags.arrive(to);
    if (this.#count + n) f.set(this.#left, i32.sub(f.get(this.#left), K(this.#count + n)));
    this.#count = 0;
  }

  #block(b: Block): void {
    const { f } = this;
    if (b.resumes.length) this.#resume(b);
    if (b.selects) f.set(this.#selected, K(this.#entry.targets.indexOf(b.selects)));
    if (b.last === "dispatch") return this.#dispatch(b);
    let ended = false;
    b.records.forEach((record, i) => {
      const { form, shape } = this.code.describe(record);
      this.#at = record;
      this.#index = i;
      const home = new RegionHome(this, shape, i === b.records.length - 1 ? b : null);
      new InstructionContext(f, form, shape, this.calls, home).build();
      ended = home.ended;
    });
    if (ended) return;
    const n = b.records.length;
    if (b.following) return this.#edge(b, b.following, n);
    this.#index = n;
    this.#run(b.exit);
  }

  /** Goes to the loop that the region was entered at, if that is within a block's. */
  #resume(b: Block): void {
    const { f } = this, local = this.#resumed ??= f.local("i32");
    const resumed = f.get(local), arrived = () => f.set(local, K(0));
    const lead = () => {
      if (b.number) f.if(i32.eq(resumed, K(b.number)), arrived);
      for (const inner of b.resumes) {
        const { firstNumber, lastNumber } = inner;
        f.if(i32.lt_u(i32.sub(resumed, K(firstNumber)), K(lastNumber - firstNumber + 1)), () => {
          if (inner.resumes.length === 0) arrived();
          this.#edge(b, inner, 0);
        });
      }
    };
    f.if(resumed, lead, null, "unlikely");
  }

  /** Goes on in the interpreter, or another region, at `record`. */
  #run(record: number): void {
    const { u8 } = this.code.memory;
    const behind = u8[record + S.R_LENGTH] === 0 && u8[record + S.R_SCALE] === 0xff ? 1 : 0;
    this.#depart("run", record, behind);
  }

  /** To another block of the region, having executed `n` instructions of this one. */
  #edge(from: Block, to: Block, n: number): void {
    const { f } = this, back = isBack(from, to), at = this.#at, index = this.#index;
    if (this.code.distance(from.start) !== this.code.distance(to.start)) this.#cross(to);
    const state = this.#path;
    if (!back && to.forward === 1) {
      this.#count += n;
      if (to.behind) {
        this.#carried.set(to, this.#path);
        f.br(this.#joins.get(to)!);
      } else this.#tree(to);
      this.#path = state;
      this.#at = at;
      this.#index = index;
      return;
    }
    this.#arrive(to, n);
    if (back) {
      f.if(
        i32.lt_s(f.get(this.#left), K(this.#longestPath(to))),
        () => {
          this.#index = 0;
          this.#depart("leave", (from.selects ?? to).start);
        },
        null,
        "unlikely",
      );
    }
    f.br(back ? this.#loops.get(to)! : this.#joins.get(to)!);
    this.#index = index;
    this.#path = state;
  }

  /** Most instructions that may run from a block on before the budget is looked at. */
  #longestPath(b: Block): number {
    let n = this.#longest.get(b);
    if (n === undefined) {
      n = 0;
      for (const s of successors(b)) if (!isBack(b, s)) n = Math.max(n, this.#longestPath(s));
      this.#longest.set(b, n += b.records.length);
    }
    return n;
  }

  // Pages.

  /** RIP of the first byte of the page that is `distance` from the entry's. */
  pageBase(distance: number): I64 {
    this.#baseUsed = true;
    return i64.add(this.f.get(this.#base), i64.const(distance));
  }

  /** RIP of a record. */
  #ripOf(record: number): I64 {
    const { u16 } = this.code.memory;
    const rip = this.pageBase(this.code.distance(record) + u16[(record + S.R_OFFSET) >> 1]);
    return i64.and(rip, lowMask(this.#codeSize === 64 ? 64 : 32));
  }

  /** Makes sure, once in each run of the region, that the page of `to` is still where it was: by the jump cache. */
  #cross(to: Block): void {
    const { f } = this, distance = this.code.distance(to.start), code = this.#codeSize;
    if (distance === 0) return;
    const bit = K(1 << this.#others.indexOf(distance));
    f.if(
      i32.eqz(i32.and(f.get(this.#seen), bit)),
      () => {
        const rip = f.let(this.#ripOf(to.start));
        const flat = i64.and(
          i64.add(rip, i64.load(K(0), { offset: S.SEG + S.CS * S.SEG_SIZE + S.SEG_BASE })),
          lowMask(32),
        );
        const linear = code === 64 ? rip : f.let(flat), low = i32.wrap_i64(linear);
        const slot = i32.and(i32.xor(low, i32.shr_u(low, K(12))), K(S.JUMP_ENTRIES - 1));
        const entry = f.let(i32.shl(slot, K(4)));
        const key = i32.load(K(0), { offset: S.KEY });
        let known = i32.and(
          i64.eq(i64.load(entry, { offset: S.JUMP_CACHE }), linear),
          i32.and(
            i32.eq(i32.load(entry, { offset: S.JUMP_CACHE + 8 }), key),
            i32.eq(i32.load(entry, { offset: S.JUMP_CACHE + 12 }), K(to.start)),
          ),
        );
        // What the cache knows reaches to the end of its page, if the segment does.
        if (code !== 64) known = i32.and(known, i64.le_u(i64.or(rip, i64.const(4095)), codeLimit()));
        f.if(i32.eqz(known), () => {
          this.#elsewhere(rip);
        });
        f.set(this.#seen, i32.or(f.get(this.#seen), bit));
      },
      null,
      "unlikely",
    );
  }

  // Exits.

  #exit(kind: ExitKind): void {
    const { f, calls } = this, next = f.get(this.#next);
    this.#storing.push(f.hole());
    switch (kind) {
      case "fault":
        return f.return(K(0));
      case "leave":
        return f.return(f.callExpr(calls.leave, "i32", next));
      case "run":
      case "interpret": {
        const handler = kind === "run" ? i32.load(next, { offset: S.R_HANDLER }) : f.get(this.#handler);
        f.if(
          i32.lt_s(i32.load(K(0), { offset: S.BUDGET }), i32.load8_u(next, { offset: S.R_RUN })),
          () => f.return(f.callExpr(calls.leave, "i32", next)),
          null,
          "unlikely",
        );
        return f.returnCallIndirect(calls.handlerType, 0, handler, next);
      }
      case "goto":
        return f.returnCall(calls.goto, next, f.get(this.#rip));
    }
  }

  /** Tells the engine where the path is: at `record`, with as many instructions behind it. */
  #settle(record: number, behind = 0): void {
    const { f } = this;
    const budget = this.code.memory.u8[record + S.R_SEQ] + behind - this.#count - this.#index;
    f.store("i32.store", K(0), i32.add(f.get(this.#left), K(budget)), { offset: S.BUDGET });
    if (this.#others.length === 0) return;
    f.store("i64.store", K(0), this.pageBase(this.code.distance(record)), { offset: S.CODE_BASE });
  }

  #depart(kind: ExitKind, record: number, behind = 0): void {
    const { f } = this;
    this.#settle(record, behind);
    this.flags.leave();
    f.set(this.#next, K(record));
    this.#used.add(kind);
    f.br(this.#exits.get(kind)!);
  }

  /** Leaves the current instruction to the interpreter: this region may begin with it. */
  #interpret(): void {
    this.f.set(this.#handler, K(this.code.describe(this.#at).handler));
    this.#depart("interpret", this.#at);
  }

  /** Goes on at `rip`, having executed the current instruction. */
  #goto(rip: I64): void {
    this.f.set(this.#rip, rip);
    this.#depart("goto", this.#at);
  }

  /** Takes the current instruction, a branch, out of the region to `rip`, which may be beyond the limit of CS. */
  #elsewhere(rip: I64): void {
    if (this.#codeSize !== 64) {
      this.f.if(i64.gt_u(rip, codeLimit()), () => this.#interpret(), null, "unlikely");
    }
    this.#goto(rip);
  }

  // What an instruction's home asks.

  /** Address of the current record. */
  get record(): number {
    return this.#at;
  }

  /** Makes an access by the engine; leaves if that fails. */
  slow(low: I32, high: I32, code: number): void {
    const { f } = this;
    this.#settle(this.#at);
    // A repeated access to memory-mapped I/O is recognised by RCX.
    this.#storingRcx.push(f.hole());
    const done = f.callExpr(this.calls.slow, "i32", K(this.#at), low, high, K(code));
    f.if(i32.eqz(done), () => this.#fault());
  }

  #fault(): void {
    this.flags.leave();
    this.#used.add("fault");
    this.f.br(this.#exits.get("fault")!);
  }

  raise(vector: I32, errorCode: I32): void {
    this.#settle(this.#at);
    this.f.call(this.calls.raise, K(this.#at), vector, errorCode);
    this.#fault();
  }

  read(at: number, width: Width): I64 {
    if (at === S.ZERO) return i64.const(0);
    const n = (at - S.GPR) >> 3;
    if (n < 0 || n >= GPRS) return load<"i64">(width === 64 ? "i64.load" : `i64.load${width}_u`, K(0), { offset: at });
    const v = this.f.get(this.#register(n));
    return i64.and(i64.shr_u(v, i64.const((at & 7) * 8)), lowMask(width));
  }

  #register(n: number): Local<"i64"> {
    return this.#registers[n] ??= this.f.local("i64");
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

  /** Reads state that is no general register. */
  readState<T extends ValType>(name: string, at: I32): Expr<T> {
    const a = constantOf(at);
    return a !== undefined && this.#vectors.has(Number(a)) ? this.#vectors.read(name, Number(a)) : load<T>(name, at);
  }

  /** Writes state that is no general register, now. */
  writeState(name: string, at: I32, value: Expr): void {
    const a = constantOf(at);
    if (a !== undefined && this.#vectors.has(Number(a))) this.#vectors.write(name, Number(a), value);
    else this.f.store(name, at, value);
  }

  /** Lets the region run only while a condition, which nothing in it changes, does not hold. */
  guard(name: string, fails: I32): void {
    this.#guards.set(name, fails);
  }

  /** An access; those of the same `key` are expected on the same page. */
  access(linear: I64, bytes: number, how: How, stack: boolean, key: string): RegionAccess {
    const name = `${key}${how === "read" ? "r" : "w"}`;
    let remembered = this.#pages.get(name);
    if (!remembered) {
      this.#pages.set(name, remembered = { page: this.f.local("i64"), addend: this.f.local("i32") });
    }
    return new RegionAccess(this, linear, bytes, how, stack, remembered);
  }

  branch(b: Block | null, shape: Shape): void {
    if (!b) throw new NeedsInterpreter();
    if (b.taken) return this.#edge(b, b.taken, b.records.length);
    const target = this.#target;
    if (target > ELSEWHERE) {
      this.#index++;
      this.#run(target);
      this.#index--;
    } else if (target === ELSEWHERE) this.#elsewhere(this.f.let(this.#relativeTarget(shape)));
    else this.#interpret();
  }

  /** The target of a relative branch: a record, {@linkcode ELSEWHERE}, or 0 if it has never been taken. */
  get #target(): number {
    return this.code.memory.i32[(this.#at + S.R_IMM) >> 2];
  }

  #relativeTarget(shape: Shape): I64 {
    const { u8, u16, i32: words } = this.code.memory, at = this.#at;
    const end = this.code.distance(at) + u16[(at + S.R_OFFSET) >> 1] + u8[at + S.R_LENGTH];
    const mask = shape.opsize === 16 ? 16 : shape.code === 64 ? 64 : 32;
    return i64.and(this.pageBase(end + words[(at + S.R_DISP) >> 2]), lowMask(mask));
  }

  /** Checks the target of a relative branch. It is within the limit of CS in 64-bit mode, and in the same page once taken. */
  checkBranch(shape: Shape): void {
    const { f } = this, target = this.#target;
    if (target > ELSEWHERE || target === ELSEWHERE && shape.code === 64) return;
    const check = () => {
      this.#settle(this.#at);
      f.if(i32.eqz(f.callExpr(this.calls.checkBranch, "i32", K(this.#at))), () => this.#fault(), null, "unlikely");
    };
    if (target === 0) check();
    else f.if(i64.gt_u(this.#relativeTarget(shape), codeLimit()), check, null, "unlikely");
  }

  jump(b: Block | null, rip: I64): void {
    if (!b) throw new NeedsInterpreter();
    if (b.targets.length) this.#choose(b, rip);
    this.#goto(rip);
  }

  /** Goes to that of a block's targets that is at `rip`, if any. */
  #choose(b: Block, rip: I64): void {
    const { f } = this, { u16 } = this.code.memory;
    const place = (t: Block) => this.code.distance(t.start) + u16[(t.start + S.R_OFFSET) >> 1];
    const sorted = b.targets.map((t) => [place(t), t] as const).sort((x, y) => x[0] - y[0]);
    const from = i64.sub(rip, this.pageBase(0));
    const at = f.let(this.#codeSize === 64 ? from : i64.extend32_s(from));
    this.#search(sorted, at, (t) => this.#edge(b, t, b.records.length));
  }

  /** Goes to the target that was selected. */
  #dispatch(b: Block): void {
    const selected = this.f.let(i64.extend_i32_u(this.f.get(this.#selected)));
    this.#search(b.targets.map((t, n) => [n, t]), selected, (t) => this.#edge(b, t, 0));
    this.f.unreachable();
  }

  /** Emits `go` for that of a sorted list whose number is `at`. */
  #search(list: readonly (readonly [n: number, target: Block])[], at: I64, go: (target: Block) => void): void {
    const { f } = this;
    if (list.length <= 3) {
      for (const [n, t] of list) f.if(i64.eq(at, i64.const(n)), () => go(t));
      return;
    }
    const middle = list.length >> 1;
    const low = () => this.#search(list.slice(0, middle), at, go),
      high = () => this.#search(list.slice(middle), at, go);
    f.if(i64.lt_s(at, i64.const(list[middle][0])), low, high);
  }
}
