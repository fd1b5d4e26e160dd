/**
 * Instructions as interpreter handlers: fields are read from the record at run time, registers and flags live in the
 * state block, and every handler ends in a tail call to the next record's.
 * @module
 */
import { constantOf, type Expr, type I32, i32, type I64, i64, load } from "../wasm/expr.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import type { Width } from "../x86/context.ts";
import type { FlagWords } from "../x86/flags.ts";
import * as S from "../x86/state.ts";
import { loadName, lowMask, storeName } from "../x86/table/arith_flags.ts";
import { codeLimit, ELSEWHERE, relativeTarget } from "./branch_target.ts";
import type { Shape } from "./shape.ts";
import { type Home, type Support } from "./instruction_context.ts";

const K = (n: number): I32 => i32.const(n);

/** The home of an interpreter handler. */
export class InterpreterHome implements Home {
  readonly record: I32;
  readonly helpers = true;

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

  settle(): void {}

  stored(): void {}

  tlb(): I32 {
    return i32.load(K(0), { offset: S.TLB_VIEW });
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

/**
 * Takes the relative branch whose record is `p`: to the record in its immediate once that is known; by the jump cache if
 * it leads out of the page, which the immediate {@linkcode ELSEWHERE} tells; through the engine the first time.
 */
export function emitBranch(f: FunctionBuilder, calls: Support, p: I32, shape: Shape): void {
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
