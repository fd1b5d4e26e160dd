/**
 * The status flags inside a region. Flag words are kept as expressions over the operands of the instruction that set
 * them, and evaluated only where a condition, or somebody who leaves the region, wants them.
 *
 * Where paths meet, the words of each path would be other expressions. If an instruction behind wants them, each path
 * evaluates them into two locals; if only exits do, each path notes its own number, and an exit chooses by it.
 * @module
 */
import { type Expr, i32, type I64 } from "../wasm/expr.ts";
import type { FunctionBuilder, Local, Stmt } from "../wasm/module.ts";
import type { FlagWords } from "../x86/flags.ts";
import type { Block } from "./region_graph.ts";

/** Largest expression that is kept: what is larger is evaluated where it is made, as it may be used more than once. */
const LARGEST = 96;

/** The words of a path that leads to where others meet, under the number that it notes. */
interface Site {
  readonly number: number;
  readonly words: FlagWords;
}

interface Meeting {
  /** Whether an instruction wants the words. */
  wanted: boolean;
  readonly sites: Set<Site>;
}

interface Arrival {
  readonly hole: Stmt[];
  readonly to: Block;
  /** The words, or where the path's own words come from. */
  readonly from: Site | Block;
}

/** The flags of one region. */
export class RegionFlags {
  /** FRES and FAUX where they are evaluated: at entry, at exits, where wanted paths meet. */
  readonly res: Local<"i64">;
  readonly aux: Local<"i64">;
  readonly #number: Local<"i32">;
  readonly #meetings: Map<Block, Meeting> = new Map();
  readonly #arrivals: Arrival[] = [];
  readonly #leaves: { readonly hole: Stmt[]; readonly origin: Block }[] = [];
  #numbers = 0;
  /** Whether any instruction sets flags. */
  written = false;
  /** What the path at hand has: words, or (null) what has arrived at `origin`. */
  #words: FlagWords | null = null;
  #origin: Block;

  constructor(readonly f: FunctionBuilder, entry: Block) {
    this.res = f.local("i64");
    this.aux = f.local("i64");
    this.#number = f.local("i32");
    this.#origin = entry;
  }

  /** The state of the path at hand, to go back to it. */
  get state(): readonly [FlagWords | null, Block] {
    return [this.#words, this.#origin];
  }

  set state([words, origin]: readonly [FlagWords | null, Block]) {
    this.#words = words;
    this.#origin = origin;
  }

  #meeting(block: Block): Meeting {
    let m = this.#meetings.get(block);
    if (!m) this.#meetings.set(block, m = { wanted: false, sites: new Set() });
    return m;
  }

  /** The words as an instruction wants them. */
  read(): FlagWords {
    if (this.#words) return this.#words;
    this.#meeting(this.#origin).wanted = true;
    return { res: this.f.get(this.res), aux: this.f.get(this.aux) };
  }

  /** An instruction has set them. */
  write(words: FlagWords): void {
    const { f } = this;
    const small = size(words.res, size(words.aux, LARGEST)) > 0;
    this.#words = small ? words : { ...words, res: f.let(words.res), aux: f.let(words.aux) };
    this.written = true;
  }

  /** The path at hand comes to a block where others arrive, too. */
  arrive(to: Block): void {
    this.#meeting(to);
    const from = this.#words ? { number: ++this.#numbers, words: this.#words } : this.#origin;
    this.#arrivals.push({ hole: this.f.hole(), to, from });
    this.meet(to);
  }

  /** Goes on behind the point where paths meet. */
  meet(block: Block): void {
    this.#words = null;
    this.#origin = block;
  }

  /** Emitted where the region is left for good: puts the words into `res` and `aux`. */
  leave(): void {
    if (this.#words) this.#evaluate(this.#words);
    else this.#leaves.push({ hole: this.f.hole(), origin: this.#origin });
  }

  #evaluate(words: FlagWords): void {
    const { f } = this;
    const res = f.let(words.res), aux = f.let(words.aux);
    f.set(this.res, res);
    f.set(this.aux, aux);
  }

  /** Emits what could not be known before. */
  finish(): void {
    const { f } = this;
    const meeting = (b: Block): Meeting => this.#meeting(b);
    const through = this.#arrivals.filter((a): a is Arrival & { from: Block } => "records" in a.from);
    for (const { from, to } of this.#arrivals) if (!("records" in from)) meeting(to).sites.add(from);
    for (let changed = true; changed;) {
      changed = false;
      for (const { from, to } of through) {
        if (meeting(to).wanted && !meeting(from).wanted) meeting(from).wanted = changed = true;
        const sites = meeting(to).sites, before = sites.size;
        if (!meeting(from).wanted) { for (const s of meeting(from).sites) sites.add(s); }
        if (sites.size !== before) changed = true;
      }
    }
    const chosen = new Set<Site>();
    for (const { hole, origin } of this.#leaves) {
      const m = meeting(origin);
      if (m.wanted) continue;
      f.fill(hole, () => {
        for (const s of m.sites) {
          chosen.add(s);
          f.keep(s.words.res);
          f.keep(s.words.aux);
          f.if(i32.eq(f.get(this.#number), i32.const(s.number)), () => this.#evaluate(s.words));
        }
      });
    }
    for (const { hole, to, from } of this.#arrivals) {
      if ("records" in from) continue;
      f.fill(hole, () => {
        if (meeting(to).wanted) {
          this.#evaluate(from.words);
          if (chosen.size) f.set(this.#number, i32.const(0));
        } else if (chosen.has(from)) f.set(this.#number, i32.const(from.number));
      });
    }
  }
}

/** What is left of `most` nodes behind an expression's. */
function size(e: Expr | I64, most: number): number {
  let left = most - 1;
  for (const a of e.args) if (left > 0) left = size(a, left);
  return left;
}
