/**
 * Instructions as interpreter handlers: fields are read from the record at run time, registers and flags live in the
 * state block, and every handler ends in a tail call to the next record's.
 * @module
 */
import { constantOf, type Expr, type I32, i32, type I64, i64, load, select, type storeType } from "../wasm/expr.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import type { Access, Width } from "../x86/context.ts";
import type { FlagWords } from "../x86/flags.ts";
import * as S from "../x86/state.ts";
import { loadName, lowMask, storeName } from "../x86/table/arith_flags.ts";
import { codeLimit, ELSEWHERE, relativeTarget } from "./branch_target.ts";
import type { Shape } from "./shape.ts";
import { entryExpr } from "./tlb.ts";
import { type Home, HOW, type How, RAM, SLOW_STACK, type Support } from "./instruction_context.ts";

const K = (n: number): I32 => i32.const(n);

/** The home of an interpreter handler. */
export class InterpreterHome implements Home {
  readonly record: I32;
  readonly helpers = true;
  readonly lazyFlags = false;

  constructor(readonly f: FunctionBuilder, readonly calls: Support, readonly shape: Shape) {
    this.record = f.get(f.param(0, "i32"));
  }

  field<T extends ValType>(name: string, at: number): Expr<T> {
    return load<T>(name, this.record, { offset: at });
  }

  read(at: I32, width: Width): I64 {
    return load<"i64">(loadName(width), ...placed(at));
  }

  write(at: I32, width: Width, value: I64): void {
    const v = width === 32 ? i64.and(value, lowMask(32)) : value;
    this.f.store(width === 32 ? "i64.store" : storeName(width), placed(at)[0], v, placed(at)[1]);
  }

  readState<T extends ValType>(name: string, at: I32): Expr<T> {
    return load<T>(name, ...placed(at));
  }

  writeState(name: string, at: I32, value: Expr): void {
    const [base, argument] = placed(at);
    this.f.store(name, base, value, argument);
  }

  guard(_name: string, fails: I32, raise: () => void): void {
    this.f.if(fails, raise, null, "unlikely");
  }

  wholeState(): void {}

  flags(): FlagWords {
    return {
      res: this.f.let(i64.load(K(0), { offset: S.FRES })),
      aux: this.f.let(i64.load(K(0), { offset: S.FAUX })),
    };
  }

  putFlags(words: FlagWords): void {
    this.f.store("i64.store", K(0), words.res, { offset: S.FRES });
    this.f.store("i64.store", K(0), words.aux, { offset: S.FAUX });
  }

  codeBase(): I64 {
    return i64.load(K(0), { offset: S.CODE_BASE });
  }

  access(linear: I64, bytes: number, how: How, stack: boolean): Access {
    return new InterpreterAccess(this, linear, bytes, how, stack);
  }

  raise(vector: I32, errorCode: I32): void {
    this.f.return(this.f.callExpr(this.calls.raise, "i32", this.record, vector, errorCode));
  }

  checkBranch(): void {
    const { f, record } = this;
    const check = () => {
      f.if(i32.eqz(f.callExpr(this.calls.checkBranch, "i32", record)), () => f.return(K(0)));
    };
    const target = f.let(i32.load(record, { offset: S.R_IMM }));
    if (this.shape.code === 64) return f.if(i32.eqz(target), check);
    // A target in another page was within the limit once; in this page it is as long as the page's records are.
    f.if(i32.le_u(target, K(ELSEWHERE)), () => {
      const beyond = i64.gt_u(relativeTarget(record, this.shape), codeLimit());
      f.if(i32.or(i32.eqz(target), beyond), check);
    });
  }

  next(helped: boolean): void {
    const { f } = this;
    if (helped) {
      f.if(i32.load(K(0), { offset: S.ATTENTION }), () => {
        f.returnCall(this.calls.dispatch, f.callExpr(this.calls.attend, "i32", this.record));
      });
    }
    this.#dispatch(f.let(i32.add(this.record, K(S.RECORD_SIZE))));
  }

  #dispatch(record: I32): void {
    this.f.returnCallIndirect(this.calls.handlerType, 0, i32.load(record, { offset: S.R_HANDLER }), record);
  }

  branch(): void {
    emitBranch(this.f, this.calls, this.record, this.shape);
  }

  jump(rip: I64): void {
    this.f.returnCall(this.calls.goto, this.record, rip);
  }

  again(): void {
    const { f, record: p } = this;
    const budget = f.let(i32.sub(i32.load(K(0), { offset: S.BUDGET }), K(1)));
    f.if(i32.ge_s(budget, i32.load8_u(p, { offset: S.R_RUN })), () => {
      f.store("i32.store", K(0), budget, { offset: S.BUDGET });
      this.#dispatch(p);
    });
    f.return(f.callExpr(this.calls.againSlow, "i32", p));
  }
}

/** An access that went through the software TLB. */
class InterpreterAccess implements Access {
  readonly #ok: I32;
  readonly #host: I32;
  readonly #low: I32;
  readonly #high: I32;
  readonly #code: number;

  constructor(
    readonly home: InterpreterHome,
    linear: I64,
    readonly bytes: number,
    readonly how: How,
    stack: boolean,
  ) {
    const { f } = home;
    const entry = f.let(i32.add(i32.load(K(0), { offset: S.TLB_VIEW }), entryExpr(linear)));
    const last = bytes === 1 ? linear : i64.add(linear, i64.const(bytes - 1));
    const tag = i64.load(entry, { offset: how === "read" ? S.TLB_READ : S.TLB_WRITE });
    this.#ok = f.let(i64.eq(tag, i64.and(last, i64.const(-4096))));
    this.#low = f.let(i32.wrap_i64(linear));
    this.#high = i32.wrap_i64(i64.shr_u(linear, i64.const(32)));
    this.#host = f.let(i32.add(this.#low, i32.load(entry, { offset: S.TLB_ADDEND })));
    this.#code = bytes | (stack ? SLOW_STACK : 0);
  }

  #slow(how: How): void {
    const { f, calls, record } = this.home;
    const code = K(this.#code | HOW[how] << 8);
    f.if(i32.eqz(f.callExpr(calls.slow, "i32", record, this.#low, this.#high, code)), () => f.return(K(0)));
  }

  span(): { readonly host: I32; readonly bytes: I32 } {
    const toEnd = i32.sub(K(4096), i32.and(this.#low, K(4095)));
    return { host: this.#host, bytes: this.home.f.let(select(this.#ok, toEnd, K(0))) };
  }

  load<T extends Expr>(name: string, offset = 0): T {
    const { f } = this.home;
    const v = f.choose(
      this.#ok,
      () => load<ValType>(name, this.#host, { memory: RAM, offset }),
      () => {
        if (offset === 0) this.#slow(this.how);
        return load<ValType>(name, K(0), { offset: S.SCRATCH + offset });
      },
      "likely",
    );
    return v as Expr as T;
  }

  store(name: string, value: Expr, offset = 0): void {
    const { f } = this.home;
    const v = f.let(value as Expr<ReturnType<typeof storeType>>);
    f.if(this.#ok, () => f.store(name, this.#host, v, { memory: RAM, offset }), () => {
      f.store(name, K(0), v, { offset: S.SCRATCH + offset });
      if (offset === 0) this.#slow("write");
    }, "likely");
  }
}

/**
 * Takes the relative branch whose record is `p`: to the record in its immediate once that is known; by the jump cache if
 * it leads out of the page, which the immediate {@linkcode ELSEWHERE} tells; through the engine the first time.
 */
function emitBranch(f: FunctionBuilder, calls: Support, p: I32, shape: Shape): void {
  const target = f.let(i32.load(p, { offset: S.R_IMM }));
  f.if(i32.gt_u(target, K(ELSEWHERE)), () => {
    const budget = f.let(i32.add(i32.load(K(0), { offset: S.BUDGET }), i32.load(p, { offset: S.R_IMM + 4 })));
    f.if(i32.ge_s(budget, i32.load8_u(target, { offset: S.R_RUN })), () => {
      f.store("i32.store", K(0), budget, { offset: S.BUDGET });
      f.returnCallIndirect(calls.handlerType, 0, i32.load(target, { offset: S.R_HANDLER }), target);
    });
  }, () => {
    f.if(target, () => {
      const rip = f.let(relativeTarget(p, shape));
      // Another segment may have another limit.
      const go = () => f.returnCall(calls.goto, p, rip);
      if (shape.code === 64) go();
      else f.if(i64.le_u(rip, codeLimit()), go);
    });
  });
  f.returnCall(calls.dispatch, f.callExpr(calls.branchSlow, "i32", p));
}

/** A state address as base and constant offset. */
function placed(at: I32): [I32, { offset: number }] {
  const c = constantOf(at);
  return c === undefined ? [at, { offset: 0 }] : [K(0), { offset: Number(c) }];
}
