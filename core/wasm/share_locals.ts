/**
 * Lets temporaries share locals: compilers take time for each local at each place where paths meet, and a function may have
 * thousands of temporaries of which few are alive at once.
 * @module
 */
import type { Expr } from "./expr.ts";
import type { FunctionBuilder, Stmt } from "./module.ts";
import type { ValType } from "./ops.ts";

/** A loop that is being walked through. */
interface OpenLoop {
  readonly start: number;
  /** Temporaries from before it that it uses: they live until its end. */
  readonly used: Set<number>;
}

/** Where locals live: from where they are first set to where they are last read, in the order of statements. */
class Lives {
  readonly first: Int32Array;
  readonly last: Int32Array;
  /** Locals in the order in which they are first set, and those that are read before. */
  readonly order: number[] = [];
  readonly early: Set<number> = new Set();
  #position = 0;
  readonly #loops: OpenLoop[] = [];

  constructor(locals: number, readonly params: number) {
    this.first = new Int32Array(locals).fill(-1);
    this.last = new Int32Array(locals).fill(-1);
  }

  #read(e: Expr): void {
    const { args } = e;
    for (let n = 0; n < args.length; n++) this.#read(args[n]);
    if (e.kind !== "local") return;
    const local = e.imm as number - this.params;
    if (local < 0) return;
    const first = this.first[local];
    if (first < 0) this.early.add(local);
    this.last[local] = this.#position;
    for (const loop of this.#loops) {
      if (loop.start < first) continue;
      loop.used.add(local);
      break;
    }
  }

  walk(body: readonly Stmt[]): void {
    for (const s of body) {
      this.#position++;
      switch (s.kind) {
        case "set": {
          this.#read(s.value);
          const local = s.index - this.params;
          if (local < 0) break;
          if (this.first[local] < 0) {
            this.first[local] = this.#position;
            this.order.push(local);
          }
          this.last[local] = Math.max(this.last[local], this.#position);
          break;
        }
        case "global.set":
          this.#read(s.value);
          break;
        case "store":
          this.#read(s.address);
          this.#read(s.value);
          break;
        case "if":
          this.#read(s.condition);
          this.walk(s.then);
          this.walk(s.else);
          break;
        case "block":
        case "group":
          this.walk(s.body);
          break;
        case "loop": {
          const loop = { start: this.#position, used: new Set<number>() };
          this.#loops.push(loop);
          this.walk(s.body);
          this.#loops.pop();
          this.#position++;
          for (const local of loop.used) this.last[local] = Math.max(this.last[local], this.#position);
          break;
        }
        case "br":
          if (s.condition) this.#read(s.condition);
          break;
        case "br_table":
          this.#read(s.index);
          break;
        case "return":
          for (const v of s.values) this.#read(v);
          break;
        case "call":
        case "return_call":
        case "memory.fill":
        case "memory.copy":
          for (const a of s.args) this.#read(a);
          break;
        case "return_call_indirect":
          for (const a of s.args) this.#read(a);
          this.#read(s.index);
          break;
        case "unreachable":
          break;
      }
    }
  }
}

/** The locals of a function as they are written out. */
export interface SharedLocals {
  /** Their types, without the parameters. */
  readonly types: readonly ValType[];
  /** The number of each local by the number that its builder gave it. */
  readonly index: ArrayLike<number>;
}

/**
 * Assigns numbers to the locals of a function.
 * @param f The function.
 */
export function shareLocals(f: FunctionBuilder): SharedLocals {
  const params = f.type.params.length, { locals, temporaries } = f;
  const index = Int32Array.from({ length: params + locals.length }, (_, n) => n < params ? n : -1);
  const types: ValType[] = [];
  const fresh = (type: ValType): number => params + types.push(type) - 1;
  const { first, last, order, early } = lives(f);
  locals.forEach((type, n) => {
    if (!temporaries.has(params + n) || early.has(n)) index[params + n] = fresh(type);
  });
  const free = new Map<ValType, number[]>();
  // Those alive, sorted by where they end; the next to end comes last.
  const alive: number[] = [];
  for (const local of order) {
    if (index[params + local] >= 0) continue;
    while (alive.length && last[alive[alive.length - 1]] <= first[local]) {
      const ended = alive.pop()!, type = locals[ended];
      if (!free.has(type)) free.set(type, []);
      free.get(type)!.push(index[params + ended]);
    }
    index[params + local] = free.get(locals[local])?.pop() ?? fresh(locals[local]);
    let low = 0, high = alive.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (last[alive[middle]] > last[local]) low = middle + 1;
      else high = middle;
    }
    alive.splice(low, 0, local);
  }
  return { types, index };
}

function lives(f: FunctionBuilder): Lives {
  const all = new Lives(f.locals.length, f.type.params.length);
  all.walk(f.body);
  return all;
}
