/**
 * The emitter interface: what the meaning of an instruction is written over. The interpreter's handlers and translated
 * regions are two implementations of it.
 *
 * Rules that make every instruction restartable:
 * - register and flag writes take effect at {@linkcode Ctx.commit}, which the end of the meaning implies; memory reads and
 *   writes happen at once and may fault, and then nothing was committed. So: do all memory accesses of a step first.
 * - integer values are i64, zero-extended from the operand's width, whatever the width.
 * - expressions handed out are bound to locals: they may be used any number of times.
 * @module
 */
import type { Expr, I32, I64, V128 } from "../wasm/expr.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import type { FlagWords } from "./flags.ts";
import type { Form } from "./insn.ts";

/** An operand width in bits. */
export type Width = 8 | 16 | 32 | 64;

/** A checked place in memory: the access rights hold for all its bytes. */
export interface Access {
  /**
   * Loads by WebAssembly name, such as `i64.load32_u`, whose size must be the access's. An access of another size is made
   * in parts, the one at `offset` 0 (the default) first, with no other access between them.
   */
  load<T extends Expr>(name: string, offset?: number): T;
  /** Stores by WebAssembly name; of several parts the one at `offset` 0 is the last, until which nothing is stored for good. */
  store(name: string, value: Expr, offset?: number): void;
  /**
   * The guest memory from the place on, to the end of its page: its address in the RAM memory, and how many bytes may be
   * accessed there without further checks, 0 if a check would be needed. Only where {@linkcode Operand.isFlat}.
   */
  span(): { readonly host: I32; readonly bytes: I32 };
}

/** An operand. */
export interface Operand {
  /** Width in bits of an integer access. */
  readonly width: Width;
  /** Whether it is memory. */
  readonly isMemory: boolean;
  /** Whether it is memory in a segment without a limit. */
  readonly isFlat: boolean;
  /** The value, zero-extended. */
  read(): I64;
  /** The value of an operand that will be written: memory is checked for writing first. */
  modify(): I64;
  /**
   * Writes the low `width` bits: a 32-bit register write clears the upper half, 8- and 16-bit ones keep the rest. With
   * `when` (registers only), all 64 bits stay as they are if it is zero.
   */
  write(value: I64, when?: I32): void;
  /** Memory: the offset in its segment, masked to the address size. */
  offset(): I64;
  /**
   * Memory: checks `bytes` bytes at `offset() + displacement` (displacement defaults to 0); with `aligned`, a linear
   * address that is not a multiple of `bytes`, or of the number given, is #GP(0).
   */
  access(bytes: number, how: "read" | "write" | "modify", displacement?: I64, aligned?: boolean | number): Access;
  /** Register: the state address of its low byte (general, MMX, XMM); segment, control, debug, ST(i): its number. */
  address(): I32;
}

/** The emitter that a meaning is handed. */
export interface Ctx {
  /** For locals, `if`, `choose`, `loop`. */
  readonly f: FunctionBuilder;
  /** The encoding. */
  readonly form: Form;
  /** Width of the first integer operand, or the operand size. */
  readonly width: Width;
  /** Operand size: 16, 32, 64. */
  readonly opsize: 16 | 32 | 64;
  /** Address size: 16, 32, 64. */
  readonly asize: 16 | 32 | 64;
  /** Code size: 16, 32, 64. */
  readonly code: 16 | 32 | 64;
  /** Stack address size: 16, 32, 64. */
  readonly stack: 16 | 32 | 64;
  /** 0: none, 1: REP/REPE (F3), 2: REPNE (F2). */
  readonly rep: 0 | 1 | 2;
  /** Whether LOCK is there. */
  readonly locked: boolean;
  /** First operand. */
  readonly dst: Operand;
  /** Second operand. */
  readonly src: Operand;
  /** Third operand. */
  readonly src2: Operand;
  /**
   * Immediate of the form, sign- or zero-extended as the form says. A second immediate (ENTER) and the selector of a far
   * pointer (operand code A) stand at bit 32.
   */
  imm(): I64;
  /** General register `n` (encoding order; for width 8, 4..7 are AH CH DH BH). */
  reg(n: number, width: Width): Operand;
  /** A string operand: `[segment:rSI]` with override, or `[ES:rDI]`. */
  stringOperand(which: "source" | "destination", width: Width): Operand;
  /** `[segment:offset]` with override, DS without; `offset` is masked to the address size. The row says `address`. */
  memory(offset: I64, width: Width): Operand;
  /** `[SS:offset]`, `offset` masked to the stack address size. */
  stackMemory(offset: I64, width: Width): Operand;

  /** The flag words as they stand before this instruction. */
  flags(): FlagWords;
  /** Sets both flag words; with `when`, only if it is not zero. */
  setFlags(words: FlagWords, when?: I32): void;
  /** Binds a part of flag words that stands in them more than once, unless they may never be evaluated. */
  share<T extends ValType>(value: Expr<T>): Expr<T>;
  /** CF, and so on, are derived by flags.ts; the condition `cc` (0..15) as i32 0 or 1. */
  condition(cc: number): I32;

  /** Applies pending register and flag writes now: the end of one iteration of a string instruction. */
  commit(): void;
  /** Copies `bytes` bytes within guest memory, as memmove does. */
  copyMemory(to: I32, from: I32, bytes: I32): void;
  /** Fills `bytes` bytes of guest memory, a multiple of `width`, with the low `width` bits of `value`. */
  fillMemory(to: I32, value: I64, bytes: I32, width: Width): void;
  /** Pushes the low `width` bits; several pushes in one instruction follow each other. */
  push(value: I64, width: Width): void;
  /** Pops. */
  pop(width: Width): I64;
  /** Offset of this instruction, masked to the code size. */
  rip(): I64;
  /** Offset of the next instruction (RIP after this one), masked to the code size. */
  nextRip(): I64;
  /** State address of the segment of the memory operand. */
  segment(): I32;

  /** Relative branch if `taken` (always, if left out) is not zero; else falls through. Last statement of a meaning. */
  branch(taken?: I32): void;
  /** Checks the target of the relative branch, before a CALL pushes. */
  checkBranch(): void;
  /** Checks an absolute near target against limit or canonical form, before a CALL or RET changes the stack. */
  checkTarget(rip: I64): void;
  /** Absolute near jump. Last statement of a meaning. */
  jump(rip: I64): void;
  /** Repeats this instruction (its pending writes are committed): a string instruction with iterations left. */
  again(): void;

  /** Raises an exception; the rest of the path is not run. */
  raise(vector: number | I32, errorCode?: I32): void;
  /**
   * Calls the TypeScript helper `name` with the operands in ARG 0…; whatever is pending is committed first. A helper may
   * fault, or leave the engine; else the path goes on, and results are read with {@linkcode Ctx.result}.
   */
  helper(name: string, ...args: I64[]): void;
  /** Result `n` of the last helper, from ARG n. */
  result(n: number): I64;
  /** Calls a helper that sets RIP, or changes how to go on. Last statement of a path. */
  transfer(name: string, ...args: I64[]): void;
  /** Calls a soft-float or other support function of the engine by name: last argument types as it declares. */
  support<T extends Expr>(name: string, ...args: Expr[]): T;
  /** Reads state: `state("i64.load", FIP)`. */
  state<T extends Expr>(load: string, address: number | I32): T;
  /** Writes state at commit. */
  setState(store: string, address: number | I32, value: Expr): void;
  /** Writes state now: only where nothing behind it can fault. */
  putState(store: string, address: number, value: Expr): void;
  /**
   * Raises if `fails`, a condition on state that nothing but helpers change: a region checks it once, by its name, before
   * it begins.
   */
  guard(name: string, fails: I32, raise: () => void): void;
  /** The meaning reads or writes the state block by addresses of its own: it cannot be part of a region. */
  wholeState(): void;
  /** A 128-bit register operand's or memory operand's value. */
  read128(o: Operand): V128;
}
