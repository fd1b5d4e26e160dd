/**
 * The emitter for one instruction, for both executors: operands from the fields of its record, memory accesses through
 * the software TLB, the stack, pending writes. Where fields, registers and flags are kept and how an instruction is left
 * is up to its home: an interpreter handler or a translated region.
 * @module
 */
import { constantOf, type Expr, type I32, i32, type I64, i64, select, type V128 } from "../wasm/expr.ts";
import type { Callee, FunctionBuilder } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import type { Access, Ctx, Operand, Width } from "../x86/context.ts";
import { cfOf, type FlagWords, ofOf, pfOf, sfOf, zfOf } from "../x86/flags.ts";
import { widthOf } from "../x86/decode.ts";
import type { Form, OperandSpec } from "../x86/insn.ts";
import * as S from "../x86/state.ts";
import { loadName, lowMask, storeName } from "../x86/table/arith_flags.ts";
import { codeLimit } from "./branch_target.ts";
import * as shapes from "./shape.ts";

/** What handlers call, as known to the module under construction. */
export interface Support {
  /** Slow memory access `(record, low, high, size | how << 8 | stack << 12) → ok`. */
  readonly slow: Callee;
  /** Raises an exception `(record, vector, errorCode) → 0`. */
  readonly raise: Callee;
  /** Relative branch that is not resolved `(record) → record or 0`. */
  readonly branchSlow: Callee;
  /** Checks a relative branch `(record) → ok`. */
  readonly checkBranch: Callee;
  /** Back to the run loop, at the record's instruction `(record) → 0`. */
  readonly leave: Callee;
  /** Finds the code at the record's address anew `(record) → record or 0`. */
  readonly stale: Callee;
  /** Instruction repeats but the budget is used up `(record) → 0`. */
  readonly againSlow: Callee;
  /** Keeps a copy of the state for a helper that faults. */
  readonly begin: Callee;
  /** Continues behind a helper that asked for attention `(record) → record or 0`. */
  readonly attend: Callee;
  /** Continues with the record, or returns if it is 0: `(record) → 0`. */
  readonly dispatch: Callee;
  /** Absolute jump `(record, rip) → 0`. */
  readonly goto: Callee;
  /** A TypeScript helper `(record) → record or ok`. */
  helper(name: string): Callee;
  /** A function of the support module. */
  support(name: string): Callee;
  /** Type index of handlers. */
  readonly handlerType: number;
}

/** Memory index of guest memory in emitted modules; the state block is in memory 0. */
export const RAM = 1;

/** Thrown when an instruction cannot be part of a translated region. */
export class NeedsInterpreter {}

/** How an access is made, as `slow` is told in bits 8 and 9. */
export const HOW = { read: 0, write: 1, modify: 2 } as const;
/** How an access is made. */
export type How = keyof typeof HOW;
/** Told to `slow`: the access is to the stack. */
export const SLOW_STACK = 0x1000;
/** Told to `slow`: a region asks. It must not overwrite decoded code, as it may be its own. */
export const SLOW_REGION = 0x2000;
/** What an address is made of: a ModRM or moffs operand, rSI, rDI, the stack pointer. */
export type Place = "ea" | "source" | "destination" | "stack";

const K32 = (n: number): I32 => i32.const(n);
const K64 = (n: number | bigint): I64 => i64.const(n);

interface Pending {
  readonly depth: number;
  readonly key: string;
  readonly emit: () => void;
}

/** Where an instruction's code is put: what differs between interpreter handlers and translated regions. */
export interface Home {
  /** Address of the instruction's record. */
  readonly record: I32;
  /** A field of the record. */
  field<T extends ValType>(name: string, at: number): Expr<T>;
  /** A general register, zero-extended from `width`. */
  read(at: I32, width: Width): I64;
  /** Writes the low `width` bits of a general register, now; `value` is bound. */
  write(at: I32, width: Width, value: I64): void;
  /** Reads state that is no general register. */
  readState<T extends ValType>(name: string, at: I32): Expr<T>;
  /** Writes state that is no general register, now; `value` is bound. */
  writeState(name: string, at: I32, value: Expr): void;
  /** Raises if a condition holds that only helpers change. */
  guard(name: string, fails: I32, raise: () => void): void;
  /** The instruction reaches for the state block by itself. */
  wholeState(): void;
  /** The flag words; they do not change any more. */
  flags(): FlagWords;
  /** Whether flag words are expressions that may never be evaluated. */
  readonly lazyFlags: boolean;
  /** Sets the flag words, now. */
  putFlags(words: FlagWords): void;
  /** RIP of the first byte of the instruction's page. */
  codeBase(): I64;
  /** An access of `bytes` bytes at a linear address, through the software TLB. */
  access(linear: I64, bytes: number, how: How, stack: boolean, place: Place): Access;
  /** Raises an exception and leaves. */
  raise(vector: I32, errorCode: I32): void;
  /** Leaves with a fault if the relative branch must not be taken. */
  checkBranch(): void;
  /** Whether helpers may be called here. */
  readonly helpers: boolean;
  /** Goes on with the next instruction. */
  next(helped: boolean): void;
  /** Takes the relative branch. */
  branch(): void;
  /** Near absolute jump. */
  jump(rip: I64): void;
  /** Begins the same instruction again. */
  again(): void;
}

/** One instruction under construction. */
export class InstructionContext implements Ctx {
  readonly dst: Operand;
  readonly src: Operand;
  readonly src2: Operand;
  readonly width: Width;
  readonly opsize: 16 | 32 | 64;
  readonly asize: 16 | 32 | 64;
  readonly code: 16 | 32 | 64;
  readonly stack: 16 | 32 | 64;
  readonly rep: 0 | 1 | 2;
  readonly locked: boolean;
  #pending: Pending[] = [];
  #sp: I64 | null = null;
  #popped = 0;
  #ended = false;
  #helped = false;
  /** How deep the instruction itself is nested. */
  readonly #depth: number;

  constructor(
    readonly f: FunctionBuilder,
    readonly form: Form,
    readonly shape: shapes.Shape,
    readonly calls: Support,
    readonly home: Home,
  ) {
    this.#depth = f.depth;
    this.opsize = shape.opsize;
    this.asize = shape.asize;
    this.code = shape.code;
    this.stack = shapes.AM_SIZE[shape.stackMode];
    this.rep = shape.rep;
    this.locked = shape.locked;
    const absent = new MissingOperand(form);
    const operands = form.operands.map((o) => this.#operand(o));
    this.dst = operands[0] ?? absent;
    this.src = operands[1] ?? absent;
    this.src2 = operands[2] ?? absent;
    this.width = operands.length && form.operands[0].code !== "J" ? this.dst.width : this.opsize;
  }

  /** Emits the meaning and what follows it. */
  build(): void {
    this.form.row.meaning(this);
    if (this.#ended) return;
    this.commit();
    this.home.next(this.#helped);
  }

  #field16(at: number): I32 {
    return this.home.field<"i32">("i32.load16_u", at);
  }

  #operand(spec: OperandSpec): Operand {
    const width = widthOf(spec, this.opsize);
    switch (spec.code) {
      case "E":
      case "W":
      case "Q":
        if (this.shape.ea === shapes.EA_NONE) return new RegisterOperand(this, width, this.#field16(S.R_RM));
        return new MemoryOperand(this, width, this.shape.am, this.#field16(S.R_SEG), "ea", () => this.#effective());
      case "M":
      case "O":
        return new MemoryOperand(this, width, this.shape.am, this.#field16(S.R_SEG), "ea", () => this.#effective());
      case "G":
      case "V":
      case "P":
      case "Z":
        if (spec.fixed >= 0) return new RegisterOperand(this, width, K32(S.XMM + spec.fixed * 16));
        return new RegisterOperand(this, width, this.#field16(S.R_REG));
      case "R":
      case "U":
      case "N":
        return new RegisterOperand(this, width, this.#field16(S.R_RM));
      case "B":
      case "H":
        return new RegisterOperand(this, width, this.home.field<"i32">("i32.load", S.R_VVVV));
      case "F":
        return this.reg(spec.fixed, width);
      case "S":
        return new NumberOperand(this, spec.fixed >= 0 ? K32(spec.fixed) : this.#field16(S.R_REG));
      case "C":
      case "D":
        return new NumberOperand(this, this.#field16(S.R_REG));
      case "T":
        return new NumberOperand(this, this.#field16(S.R_RM));
      case "I":
        return new ValueOperand(width, () => this.#imm(width, spec));
      case "1":
        return new ValueOperand(width, () => K64(1));
      case "X":
        return this.stringOperand("source", width);
      case "Y":
        return this.stringOperand("destination", width);
      default:
        return new MissingOperand(this.form);
    }
  }

  #imm(width: number, spec: OperandSpec): I64 {
    const w = Math.max(width, spec.signed ? this.#signedWidth() : 0);
    return this.f.let(i64.and(this.home.field<"i64">("i64.load", S.R_IMM), lowMask(w)));
  }

  #signedWidth(): number {
    const first = this.form.operands[0];
    return first.code === "I" ? this.opsize : widthOf(first, this.opsize);
  }

  imm(): I64 {
    return this.f.let(this.home.field<"i64">("i64.load", S.R_IMM));
  }

  reg(n: number, width: Width): Operand {
    const high = width === 8 && n >= 4;
    return new RegisterOperand(this, width, K32(S.GPR + (high ? (n - 4) * 8 + 1 : n * 8)));
  }

  stringOperand(which: "source" | "destination", width: Width): Operand {
    const source = which === "source";
    const am = source ? this.shape.am : this.shape.destinationMode;
    const seg = source ? this.#field16(S.R_SEG) : K32(am === shapes.AM_BASE32 ? S.SEG + S.FLAT * S.SEG_SIZE : S.SEG);
    return new MemoryOperand(this, width, am, seg, which, () => this.reg(source ? 6 : 7, this.asize).read(), false);
  }

  memory(offset: I64, width: Width): Operand {
    const at = this.f.let(offset);
    return new MemoryOperand(this, width, this.shape.am, this.#field16(S.R_SEG), "ea", () => at);
  }

  stackMemory(offset: I64, width: Width): Operand {
    const at = this.f.let(offset);
    return new MemoryOperand(this, width, this.shape.stackMode, K32(S.SEG + S.SS * S.SEG_SIZE), "stack", () => at);
  }

  #effective(): I64 {
    const { home } = this;
    if (this.form.operands.some((o) => o.code === "O")) return home.field<"i64">("i64.load", S.R_IMM);
    const disp = home.field<"i64">("i64.load32_s", S.R_DISP);
    const register = (at: number) => home.read(this.#field16(at), 64);
    switch (this.shape.ea) {
      case shapes.EA_DISP:
        return disp;
      case shapes.EA_BASE:
        return i64.add(this.#base(register(S.R_BASE)), disp);
      case shapes.EA_INDEX: {
        const scaled = i64.shl(register(S.R_INDEX), home.field<"i64">("i64.load8_u", S.R_SCALE));
        return i64.add(i64.add(this.#base(register(S.R_BASE)), scaled), disp);
      }
      default:
        return i64.add(this.#nextOffset(), disp);
    }
  }

  /** POP [RSP+…] addresses with the RSP after the pop. */
  #base(value: I64): I64 {
    if (!this.#popped) return value;
    const isSp = i32.eq(this.#field16(S.R_BASE), K32(S.GPR + 4 * 8));
    return i64.add(value, i64.extend_i32_u(i32.mul(isSp, K32(this.#popped))));
  }

  #nextOffset(): I64 {
    const { home } = this;
    const offset = home.field<"i32">("i32.load16_u", S.R_OFFSET), length = home.field<"i32">("i32.load8_u", S.R_LENGTH);
    return i64.add(home.codeBase(), i64.extend_i32_u(i32.add(offset, length)));
  }

  rip(): I64 {
    const at = i64.add(this.home.codeBase(), i64.extend_i32_u(this.#field16(S.R_OFFSET)));
    return this.f.let(i64.and(at, lowMask(this.code === 64 ? 64 : 32)));
  }

  segment(): I32 {
    return this.f.let(this.#field16(S.R_SEG));
  }

  nextRip(): I64 {
    return this.f.let(i64.and(this.#nextOffset(), lowMask(this.code === 64 ? 64 : 32)));
  }

  // Flags.

  flags(): FlagWords {
    return this.home.flags();
  }

  setFlags(words: FlagWords, when?: I32): void {
    let now = words;
    if (when) {
      const old = this.home.flags(), condition = this.f.let(when);
      now = {
        res: this.share(this.#select(condition, words.res, old.res)),
        aux: this.share(this.#select(condition, words.aux, old.aux)),
      };
    }
    this.defer("flags", () => this.home.putFlags(now));
  }

  #select(when: I32, a: I64, b: I64): I64 {
    const c = constantOf(when);
    if (c !== undefined) return c ? a : b;
    if (this.home.lazyFlags) return select(when, a, b);
    return this.f.choose(when, () => a, () => b);
  }

  share<T extends ValType>(value: Expr<T>): Expr<T> {
    return this.home.lazyFlags ? value : this.f.let(value);
  }

  condition(cc: number): I32 {
    const w = this.flags();
    const less = () => i32.xor(sfOf(w), ofOf(w));
    const [a, b] = w.difference ?? [];
    if (a && b) {
      // B, E, BE, L, LE and their opposites compare; the order of sign-extended values is the same unsigned.
      const compared = [, i64.lt_u, i64.eq, i64.le_u, , , i64.lt_s, i64.le_s][cc >> 1]?.(a, b);
      if (compared) return this.f.let(cc & 1 ? i32.xor(compared, K32(1)) : compared);
    }
    const value = [
      () => ofOf(w),
      () => cfOf(w),
      () => zfOf(w),
      () => i32.or(cfOf(w), zfOf(w)),
      () => sfOf(w),
      () => pfOf(w),
      less,
      () => i32.or(zfOf(w), less()),
    ][cc >> 1]();
    return this.f.let(cc & 1 ? i32.xor(value, K32(1)) : value);
  }

  // Pending writes.

  /** Puts off a state write until {@linkcode commit}; a later one with the same key replaces it. */
  defer(key: string, emit: () => void): void {
    const depth = this.f.depth;
    this.#pending = this.#pending.filter((p) => !(p.key === key && p.depth >= depth));
    this.#pending.push({ depth, key, emit });
  }

  commit(): void {
    const depth = this.f.depth;
    for (const p of this.#pending) p.emit();
    this.#pending = this.#pending.filter((p) => p.depth < depth);
    if (!this.#pending.length) this.#sp = null;
  }

  // Memory in bulk.

  copyMemory(to: I32, from: I32, bytes: I32): void {
    this.f.memoryCopy(RAM, RAM, to, from, bytes);
  }

  fillMemory(to: I32, value: I64, bytes: I32, width: Width): void {
    const { f } = this;
    if (width === 8) return f.memoryFill(RAM, to, i32.wrap_i64(value), bytes);
    const at = f.local("i32"), end = f.let(i32.add(to, bytes));
    f.set(at, to);
    f.loop((next) => {
      f.store(storeName(width), f.get(at), value, { memory: RAM });
      f.set(at, i32.add(f.get(at), K32(width / 8)));
      f.brIf(next, i32.ne(f.get(at), end));
    });
  }

  // Stack.

  #stackPointer(): I64 {
    return this.#sp ?? this.reg(4, this.stack).read();
  }

  #setStackPointer(value: I64): I64 {
    const sp = this.f.let(i64.and(value, lowMask(this.stack)));
    this.#sp = sp;
    this.reg(4, this.stack).write(sp);
    return sp;
  }

  #stackAccess(sp: I64, width: Width, how: How): Access {
    return this.access(this.shape.stackMode, K32(S.SEG + S.SS * S.SEG_SIZE), sp, width / 8, how, "stack");
  }

  push(value: I64, width: Width): void {
    const v = this.f.let(value);
    const sp = this.f.let(i64.and(i64.sub(this.#stackPointer(), K64(width / 8)), lowMask(this.stack)));
    this.#stackAccess(sp, width, "write").store(storeName(width), v);
    this.#setStackPointer(sp);
  }

  pop(width: Width): I64 {
    const sp = this.f.let(this.#stackPointer());
    const v = this.f.let(this.#stackAccess(sp, width, "read").load<I64>(loadName(width)));
    this.#setStackPointer(i64.add(sp, K64(width / 8)));
    this.#popped += width / 8;
    return v;
  }

  // Memory.

  /** Checks `bytes` bytes at `offset` of the segment whose state is at `segment`, in the way `am`. */
  access(
    am: number,
    segment: I32,
    offset: I64,
    bytes: number,
    how: How,
    place: Place,
    aligned: boolean | number = false,
  ): Access {
    const { f } = this;
    const off = f.let(offset);
    const stack = constantOf(segment) === S.SEG + S.SS * S.SEG_SIZE;
    let linear = off;
    const align = () => {
      if (!aligned) return;
      const unit = aligned === true ? bytes : aligned;
      f.if(i64.ne(i64.and(linear, K64(unit - 1)), K64(0)), () => this.home.raise(K32(13), K32(0)), null, "unlikely");
    };
    if (am === shapes.AM_SEG16 || am === shapes.AM_SEG32) {
      const seg = f.let(segment);
      linear = f.let(i64.and(i64.add(i64.load(seg, { offset: S.SEG_BASE }), off), lowMask(32)));
      // An address that is not aligned is the first thing that processors notice.
      align();
      const last = bytes === 1 ? off : i64.add(off, K64(bytes - 1));
      const limit = i64.load(seg, { offset: how === "read" ? S.SEG_READ : S.SEG_WRITE });
      const outside = i32.or(i64.lt_s(off, i64.load(seg, { offset: S.SEG_LOW })), i64.gt_s(last, limit));
      f.if(
        outside,
        () => {
          const vector = stack ? K32(12) : i32.sub(K32(13), i32.eq(seg, K32(S.SEG + S.SS * S.SEG_SIZE)));
          this.home.raise(vector, K32(0));
        },
        null,
        "unlikely",
      );
    } else {
      if (am === shapes.AM_BASE64 || am === shapes.AM_BASE32) {
        linear = f.let(i64.add(i64.load(segment, { offset: S.SEG_BASE }), off));
      }
      align();
    }
    return this.home.access(linear, bytes, how, stack, place);
  }

  // Control.

  branch(taken?: I32): void {
    this.commit();
    if (taken) this.f.if(taken, () => this.home.branch());
    else {
      this.#ended = true;
      this.home.branch();
    }
  }

  checkBranch(): void {
    this.home.checkBranch();
  }

  checkTarget(rip: I64): void {
    const bad = this.code === 64 ? i64.ne(i64.shr_s(i64.shl(rip, K64(16)), K64(16)), rip) : i64.gt_u(rip, codeLimit());
    this.f.if(bad, () => this.raise(13, K32(0)), null, "unlikely");
  }

  jump(rip: I64): void {
    this.commit();
    this.#ended = this.f.depth === this.#depth;
    this.home.jump(rip);
  }

  again(): void {
    this.commit();
    this.home.again();
  }

  raise(vector: number | I32, errorCode: I32 = K32(-1)): void {
    this.#ended ||= this.f.depth === this.#depth;
    this.home.raise(typeof vector === "number" ? K32(vector) : vector, errorCode);
  }

  #prepare(args: readonly I64[]): void {
    if (!this.home.helpers) throw new NeedsInterpreter();
    const values = args.map((a) => this.f.let(a));
    if (this.#pending.length) this.f.call(this.calls.begin);
    this.commit();
    values.forEach((a, i) => this.f.store("i64.store", K32(0), a, { offset: S.ARG + i * 8 }));
  }

  helper(name: string, ...args: I64[]): void {
    const { f } = this;
    this.#prepare(args);
    this.#helped = true;
    f.if(i32.eqz(f.callExpr(this.calls.helper(name), "i32", this.home.record)), () => f.return(K32(0)));
  }

  result(n: number): I64 {
    return this.f.let(i64.load(K32(0), { offset: S.ARG + n * 8 }));
  }

  transfer(name: string, ...args: I64[]): void {
    const { f } = this;
    this.#prepare(args);
    this.#ended ||= f.depth === this.#depth;
    f.returnCall(this.calls.dispatch, f.callExpr(this.calls.helper(`${name}!`), "i32", this.home.record));
  }

  support<T extends Expr>(name: string, ...args: Expr[]): T {
    const callee = this.calls.support(name);
    if (!callee.type.results.length) {
      this.f.call(callee, ...args);
      return K32(0) as Expr as T;
    }
    return this.f.let(this.f.callExpr(callee, callee.type.results[0], ...args)) as Expr as T;
  }

  state<T extends Expr>(name: string, address: number | I32): T {
    const at = typeof address === "number" ? K32(address) : address;
    return this.f.let(this.home.readState(name, at)) as Expr as T;
  }

  setState(name: string, address: number | I32, value: Expr): void {
    const v = this.f.let(value), at = typeof address === "number" ? K32(address) : this.f.let(address);
    const key = typeof address === "number" ? `s${address}` : `x${this.#pending.length}`;
    this.defer(key, () => this.home.writeState(name, at, v));
  }

  putState(name: string, address: number, value: Expr): void {
    this.home.writeState(name, K32(address), this.f.let(value));
  }

  guard(name: string, fails: I32, raise: () => void): void {
    this.home.guard(name, fails, raise);
  }

  wholeState(): void {
    this.home.wholeState();
  }

  read128(o: Operand): V128 {
    if (o.isMemory) return this.f.let(o.access(16, "read").load<V128>("v128.load"));
    return this.state("v128.load", o.address());
  }
}

/** A general, MMX or XMM register at a state address. */
class RegisterOperand implements Operand {
  readonly isMemory = false;
  readonly isFlat = false;
  constructor(readonly c: InstructionContext, readonly width: Width, readonly at: I32) {}

  read(): I64 {
    return this.c.f.let(this.c.home.read(this.at, this.width));
  }

  modify(): I64 {
    return this.read();
  }

  write(value: I64, when?: I32): void {
    const { f, home } = this.c;
    let v = f.let(value);
    let width = this.width;
    if (when) {
      // A 32-bit register that is not written keeps its upper half.
      if (width === 32) width = 64;
      const old = home.read(this.at, width);
      v = f.let(select(when, this.width === 32 ? i64.and(v, lowMask(32)) : v, old));
    }
    const constant = constantOf(this.at);
    const key = constant !== undefined ? `r${constant}.${width}` : `o${this.#id()}`;
    this.c.defer(key, () => home.write(this.at, width, v));
  }

  #id(): string {
    const e = this.at;
    return `${e.name}${e.imm}`;
  }

  offset(): I64 {
    throw new TypeError(`Cannot take the offset of an operand of ${this.c.form.text}: it is a register`);
  }

  access(): Access {
    throw new TypeError(`Cannot access an operand of ${this.c.form.text}: it is a register`);
  }

  address(): I32 {
    return this.at;
  }
}

/** A memory operand. */
class MemoryOperand implements Operand {
  readonly isMemory = true;
  readonly isFlat: boolean;
  #access: Access | null = null;
  #offset: I64 | null = null;

  constructor(
    readonly c: InstructionContext,
    readonly width: Width,
    readonly am: number,
    readonly segment: I32,
    readonly place: Place,
    readonly effective: () => I64,
    /** Whether the address is the same each time it is asked for: not so for strings. */
    readonly fixed: boolean = true,
  ) {
    this.isFlat = am !== shapes.AM_SEG16 && am !== shapes.AM_SEG32;
  }

  offset(): I64 {
    const make = () => this.c.f.let(i64.and(this.effective(), lowMask(shapes.AM_SIZE[this.am])));
    if (!this.fixed) return make();
    return this.#offset ??= make();
  }

  access(bytes: number, how: How, displacement?: I64, aligned: boolean | number = false): Access {
    let off = this.offset();
    if (displacement) off = i64.and(i64.add(off, displacement), lowMask(shapes.AM_SIZE[this.am]));
    return this.c.access(this.am, this.segment, off, bytes, how, this.place, aligned);
  }

  read(): I64 {
    return this.c.f.let(this.access(this.width / 8, "read").load<I64>(loadName(this.width)));
  }

  modify(): I64 {
    this.#access = this.access(this.width / 8, "modify");
    return this.c.f.let(this.#access.load<I64>(loadName(this.width)));
  }

  write(value: I64): void {
    const v = this.c.f.let(value);
    (this.#access ?? this.access(this.width / 8, "write")).store(storeName(this.width), v);
  }

  address(): I32 {
    throw new TypeError(`Cannot take the state address of an operand of ${this.c.form.text}: it is memory`);
  }
}

/** A segment, control, debug or x87 register: known by its number. */
class NumberOperand implements Operand {
  readonly isMemory = false;
  readonly isFlat = false;
  readonly width = 16;
  constructor(readonly c: InstructionContext, readonly number: I32) {}
  read(): I64 {
    return this.c.f.let(i64.extend_i32_u(this.number));
  }
  modify(): I64 {
    return this.read();
  }
  write(): void {
    throw new TypeError(`Cannot write an operand of ${this.c.form.text} directly`);
  }
  offset(): I64 {
    throw new TypeError(`Cannot take the offset of an operand of ${this.c.form.text}: it is a register`);
  }
  access(): Access {
    throw new TypeError(`Cannot access an operand of ${this.c.form.text}: it is a register`);
  }
  address(): I32 {
    return this.number;
  }
}

/** An immediate. */
class ValueOperand implements Operand {
  readonly isMemory = false;
  readonly isFlat = false;
  constructor(readonly width: Width, readonly value: () => I64) {}
  read(): I64 {
    return this.value();
  }
  modify(): I64 {
    return this.value();
  }
  write(): void {
    throw new TypeError("Cannot write an immediate");
  }
  offset(): I64 {
    throw new TypeError("Cannot take the offset of an immediate");
  }
  access(): Access {
    throw new TypeError("Cannot access an immediate");
  }
  address(): I32 {
    throw new TypeError("Cannot take the address of an immediate");
  }
}

/** What stands where a form has no operand. */
class MissingOperand implements Operand {
  readonly isMemory = false;
  readonly isFlat = false;
  readonly width = 32;
  constructor(readonly form: Form) {}
  #no(): never {
    throw new TypeError(`Cannot use an operand of ${this.form.mnemonic} ${this.form.text}: it has none there`);
  }
  read(): I64 {
    return this.#no();
  }
  modify(): I64 {
    return this.#no();
  }
  write(): void {
    this.#no();
  }
  offset(): I64 {
    return this.#no();
  }
  access(): Access {
    return this.#no();
  }
  address(): I32 {
    return this.#no();
  }
}
