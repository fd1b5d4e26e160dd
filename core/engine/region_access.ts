/**
 * Memory accesses of a region. A region remembers, for each base register, the page that was accessed last and where it
 * is: most accesses need one comparison. Behind that come the software TLB and the engine, out of the way.
 *
 * What is remembered was in the TLB when the region was entered, or has come there since. A region ends before anything
 * that takes a translation or a permission away.
 * @module
 */
import { type Expr, type I32, i32, type I64, i64, load, type storeType } from "../wasm/expr.ts";
import type { Label, Local } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import type { Access } from "../x86/context.ts";
import * as S from "../x86/state.ts";
import { HOW, type How, NeedsInterpreter, RAM, SLOW_REGION, SLOW_STACK } from "./instruction_context.ts";
import type { Region } from "./region.ts";
import { entryExpr } from "./tlb.ts";

const K32 = (n: number): I32 => i32.const(n);
const K64 = (n: number): I64 => i64.const(n);

/** In place of a page's linear address: a bit that is in none, nor in what alignment is looked at by. */
export const NO_PAGE = 0x800;

/** A remembered page. */
export interface RememberedPage {
  /** Linear address of the page; {@linkcode NO_PAGE} for none. */
  readonly page: Local<"i64">;
  /** What to add to a linear address to get its place in guest memory. */
  readonly addend: Local<"i32">;
}

/** How many bytes a load or store of this name takes. */
function bytesOf(name: string): number {
  const part = /(?:load|store)(\d+)/.exec(name);
  if (part) return Number(part[1]) / 8;
  return name.startsWith("v128") ? 16 : Number(name.slice(1, 3)) / 8;
}

/** An access of a region. */
export class RegionAccess implements Access {
  readonly #low: I32;
  readonly #high: I32;
  readonly #code: number;
  /** Whether the access may be made directly; for accesses of several steps. */
  #ok: Local<"i32"> | null = null;
  #place: I32 | null = null;

  constructor(
    readonly region: Region,
    readonly linear: I64,
    readonly bytes: number,
    readonly how: How,
    stack: boolean,
    readonly remembered: RememberedPage,
  ) {
    this.#low = i32.wrap_i64(linear);
    this.#high = i32.wrap_i64(i64.shr_u(linear, K64(32)));
    this.#code = bytes | (stack ? SLOW_STACK : 0) | SLOW_REGION;
  }

  #last(): I64 {
    return this.bytes === 1 ? this.linear : i64.add(this.linear, K64(this.bytes - 1));
  }

  get #host(): I32 {
    return this.#place ?? i32.add(this.#low, this.region.f.get(this.remembered.addend));
  }

  /** Goes to `hit` if the page is known or in the TLB. */
  #find(hit: Label): void {
    const { f } = this.region, { page, addend } = this.remembered;
    // The first byte decides where the access goes, and one that leaves its page is never a hit: what is aligned cannot.
    const below = 2 ** Math.ceil(Math.log2(this.bytes)) - 1;
    f.brIf(hit, i64.eq(i64.and(this.linear, K64(below - 4096)), f.get(page)), "likely");
    if (below > 0) {
      const inside = i64.lt_u(i64.sub(this.linear, f.get(page)), K64(4097 - this.bytes));
      f.brIf(hit, i32.and(inside, i64.eqz(i64.and(f.get(page), K64(NO_PAGE)))));
    }
    const last = f.let(i64.and(this.#last(), K64(-4096)));
    const entry = f.let(i32.add(i32.load(K32(0), { offset: S.TLB_VIEW }), entryExpr(this.linear)));
    const tag = i64.load(entry, { offset: this.how === "read" ? S.TLB_READ : S.TLB_WRITE });
    f.if(i64.eq(tag, last), () => {
      f.set(page, last);
      f.set(addend, i32.load(entry, { offset: S.TLB_ADDEND }));
      f.br(hit);
    });
  }

  #slow(how: How): void {
    this.region.slow(this.#low, this.#high, this.#code | HOW[how] << 8);
  }

  /** Finds the page once for several steps. */
  #steps(): I32 {
    const { f } = this.region;
    if (this.#ok) return f.get(this.#ok);
    const ok = this.#ok = f.temporary("i32"), place = f.temporary("i32");
    f.block((done) => {
      f.block((hit) => {
        this.#find(hit);
        f.set(ok, K32(0));
        f.br(done);
      });
      f.set(ok, K32(1));
      f.set(place, this.#host);
    });
    this.#place = f.get(place);
    return f.get(ok);
  }

  span(): never {
    throw new NeedsInterpreter();
  }

  load<T extends Expr>(name: string, offset = 0): T {
    const { f } = this.region;
    const direct = () => load<ValType>(name, this.#host, { memory: RAM, offset });
    const scratch = () => load<ValType>(name, K32(0), { offset: S.SCRATCH + offset });
    if (this.how === "modify" || bytesOf(name) !== this.bytes) {
      const v = f.choose(this.#steps(), direct, () => {
        if (offset === 0) this.#slow(this.how);
        return scratch();
      }, "likely");
      return v as Expr as T;
    }
    const v = f.temporary(direct().type);
    f.block((done) => {
      f.block((hit) => {
        this.#find(hit);
        this.#slow("read");
        f.set(v, scratch());
        f.br(done);
      });
      f.set(v, direct());
    });
    return f.get(v) as Expr as T;
  }

  store(name: string, value: Expr, offset = 0): void {
    const { f } = this.region;
    const v = f.let(value as Expr<ReturnType<typeof storeType>>);
    const direct = () => f.store(name, this.#host, v, { memory: RAM, offset });
    const slow = () => {
      f.store(name, K32(0), v, { offset: S.SCRATCH + offset });
      if (offset === 0) this.#slow("write");
    };
    if (this.how === "modify" || bytesOf(name) !== this.bytes) return f.if(this.#steps(), direct, slow, "likely");
    f.block((done) => {
      f.block((hit) => {
        this.#find(hit);
        slow();
        f.br(done);
      });
      direct();
    });
  }
}
