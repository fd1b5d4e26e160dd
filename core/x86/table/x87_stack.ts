/**
 * What the meanings of x87 instructions share: the checks before, the register stack, responses to its faults, and the
 * bookkeeping behind. Source: SDM volume 1, chapter 8; where it is silent, what processors do.
 *
 * All memory accesses of an instruction come before its first change of state; then nothing can fault, so state is
 * stored directly.
 * @module
 */
import { type Expr, type I32, i32, type I64, i64, load, select, type V128 } from "../../wasm/expr.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import type { Ctx } from "../context.ts";
import { C1, IE, NO_RESULT, QUIET, TOP } from "../softfloat/format.ts";
import * as S from "../state.ts";

/** Stack fault: in the status word, with IE. */
export const SF = 0x40;
/** Error summary and busy: an unmasked exception is pending. */
export const PENDING = 0x8080;
/** Exception flags of the status word. */
export const EXCEPTIONS = 0x3f;
/** CR0: monitor coprocessor, emulation, task switched. */
const CR0_MP = 2, CR0_EM = 4, CR0_TS = 8;
const NM = 7, MF = 16;

/** Slots of the scratch area. */
export const SLOT = S.WORK, SLOT2 = S.WORK + 16;

/** An i32 constant. */
export const k32 = (n: number): I32 => i32.const(n);

const state = (at: number): I32 => i32.load(k32(0), { offset: at });

/**
 * #NM where the FPU is emulated or another task's; with `waits`, #MF for an exception that is pending. That is so with
 * CR0.NE clear too: this API has no FERR# line and interrupt 13 behind it, and VMX keeps NE set whatever the guest sees.
 */
export function checkFpu(c: Ctx, waits: boolean): void {
  const absent = i32.and(state(S.CR0), k32(CR0_EM | CR0_TS));
  if (!waits) return c.f.if(absent, () => c.raise(NM));
  c.f.if(i32.or(absent, i32.and(state(S.FSW), k32(0x80))), () => {
    c.raise(select(i32.and(state(S.CR0), k32(CR0_EM | CR0_TS)), k32(NM), k32(MF)));
  });
}

/** WAIT: #NM only if CR0.MP is set with TS; then as the others. */
export function wait(c: Ctx): void {
  const both = i32.eq(i32.and(state(S.CR0), k32(CR0_MP | CR0_TS)), k32(CR0_MP | CR0_TS));
  c.f.if(both, () => c.raise(NM));
  c.f.if(i32.and(state(S.FSW), k32(0x80)), () => c.raise(MF));
}

/** A register of the stack. */
export interface Register {
  /** Physical number. */
  readonly number: I32;
  /** State address of its slot. */
  readonly at: I32;
}

/** The masked response to a stack fault: registers that become indefinite, or what is to be done. */
export type Response = readonly Register[] | (() => void);

/** An x87 instruction that waits and may raise exceptions. */
export class Fpu {
  readonly f: FunctionBuilder;
  /** Control word. */
  readonly fcw: I32;
  readonly #top: I32;
  readonly #empty: I32;
  readonly #known: Map<number, Register> = new Map();

  /** Makes the checks. */
  constructor(readonly c: Ctx) {
    this.f = c.f;
    checkFpu(c, true);
    this.fcw = this.f.let(state(S.FCW));
    this.#top = this.f.let(state(S.FTOP));
    this.#empty = this.f.let(state(S.FEMPTY));
  }

  /** ST(i), `i` 0 … 7; ST(7) is where a push goes. */
  st(i: number): Register {
    let r = this.#known.get(i);
    if (!r) this.#known.set(i, r = this.#register(i ? i32.and(i32.add(this.#top, k32(i)), k32(7)) : this.#top));
    return r;
  }

  /** The register that the form's operand `STi` names. */
  operand(): Register {
    return this.#register(i32.and(i32.add(this.#top, this.c.dst.address()), k32(7)));
  }

  #register(number: I32): Register {
    const n = this.f.let(number);
    return { number: n, at: this.f.let(i32.add(i32.shl(n, k32(4)), k32(S.FPR))) };
  }

  /** Not zero if the register is empty. */
  isEmpty(r: Register): I32 {
    return i32.and(i32.shr_u(this.#empty, r.number), k32(1));
  }

  /** Flags of `compute`, unless one of `needed` is empty: then those of a stack fault with its masked response. */
  unlessEmpty(needed: readonly Register[], response: Response, compute: () => I32): I32 {
    const empty = needed.map((r) => this.isEmpty(r)).reduce((a, b) => i32.or(a, b));
    return this.f.let(this.f.choose(empty, () => this.#fault(0, response), compute));
  }

  /** Flags of `compute`, unless a push would go to a register that is not empty. */
  unlessFull(response: Response, compute: () => I32): I32 {
    return this.f.let(this.f.choose(this.isEmpty(this.st(7)), compute, () => this.#fault(C1, response)));
  }

  #fault(c1: number, response: Response): I32 {
    const masked = i32.and(this.fcw, k32(IE));
    this.f.if(masked, () => {
      if (typeof response === "function") response();
      else response.forEach((r) => this.setIndefinite(r));
    });
    return select(masked, k32(IE | SF | c1), k32(IE | SF | c1 | NO_RESULT));
  }

  /** C1 as it is, for instructions that clear it only in a stack fault. */
  c1(): I32 {
    return i32.and(state(S.FSW), k32(C1));
  }

  /** Sets a register, not empty then, to the indefinite NaN. */
  setIndefinite(r: Register): void {
    indefinite(this.f, r.at);
    this.fill(r);
  }

  /** Marks a register as not empty. */
  fill(r: Register): void {
    this.put("i32.store", S.FEMPTY, i32.and(state(S.FEMPTY), i32.rotl(k32(-2), r.number)));
  }

  /** Marks a register as empty. */
  free(r: Register): void {
    this.put("i32.store", S.FEMPTY, i32.or(state(S.FEMPTY), i32.shl(k32(1), r.number)));
  }

  /** Copies a register. */
  copy(to: Register, from: Register): void {
    this.f.store("v128.store", to.at, load<"v128">("v128.load", from.at));
  }

  /** Exchanges two registers. */
  exchange(a: Register, b: Register): void {
    const [x, y] = [a, b].map((r) => this.f.let(load<"v128">("v128.load", r.at) as V128));
    this.f.store("v128.store", a.at, y);
    this.f.store("v128.store", b.at, x);
  }

  /** Stores to a place in the state. */
  put(name: string, at: number, value: Expr): void {
    this.f.store(name, k32(0), value, { offset: at });
  }

  /** Moves TOP; registers are marked by {@linkcode fill} and {@linkcode free}. */
  rotate(by: number): void {
    this.put("i32.store", S.FTOP, i32.and(i32.add(this.#top, k32(by)), k32(7)));
  }

  /** Pops `count` registers, unless `flags` say that an unmasked exception is in the way. */
  pop(flags: I32, count = 1): void {
    this.f.if(i32.eqz(i32.and(flags, k32(NO_RESULT))), () => {
      for (let i = 0; i < count; i++) this.free(this.st(i));
      this.rotate(count);
    });
  }

  /** Makes ST(7) the new ST(0), unless `flags` say that an unmasked exception is in the way. */
  push(flags: I32): void {
    this.f.if(i32.eqz(i32.and(flags, k32(NO_RESULT))), () => {
      this.fill(this.st(7));
      this.rotate(7);
    });
  }

  /**
   * Puts exceptions and the condition bits `codes` among `flags` into the status word, and keeps where the instruction
   * and its operand are.
   */
  finish(flags: I32, codes: number = C1): void {
    const { f, c } = this;
    const unmasked = f.let(i32.and(i32.and(flags, i32.xor(this.fcw, k32(-1))), k32(EXCEPTIONS)));
    const kept = i32.and(state(S.FSW), k32(~codes));
    const raised = i32.or(i32.and(flags, k32(EXCEPTIONS | SF | codes)), select(unmasked, k32(PENDING), k32(0)));
    this.put("i32.store", S.FSW, i32.or(kept, raised));
    this.put("i64.store", S.FIP, c.rip());
    this.put("i32.store16", S.FSEL, i32.load16_u(k32(0), { offset: S.SEG + S.CS * S.SEG_SIZE + S.SEG_SELECTOR }));
    f.if(i32.or(unmasked, state(S.FPU_FOLLOWS)), () => {
      this.put("i64.store32", S.FOP, c.imm());
      if (!c.dst.isMemory) return;
      this.put("i64.store", S.FDP, c.dst.offset());
      this.put("i32.store16", S.FSEL + 2, i32.load16_u(c.segment(), { offset: S.SEG_SELECTOR }));
    });
  }
}

/** Stores the indefinite NaN to a slot. */
export function indefinite(f: FunctionBuilder, at: I32): void {
  storeSlot(f, at, i64.const(TOP | QUIET), k32(0xffff));
}

/** Stores a value to a slot. */
export function storeSlot(f: FunctionBuilder, at: I32, significand: I64, signExponent: I32): void {
  f.store("i64.store", at, significand);
  f.store("i32.store16", at, signExponent, { offset: 8 });
}
