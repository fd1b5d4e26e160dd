/**
 * The home of one instruction of a translated region.
 * @module
 */
import { constantOf, type Expr, type I32, i32, type I64, node } from "../wasm/expr.ts";
import type { ValType } from "../wasm/ops.ts";
import type { Access, Width } from "../x86/context.ts";
import type { FlagWords } from "../x86/flags.ts";
import * as S from "../x86/state.ts";
import { type Home, type How, NeedsInterpreter, type Place } from "./instruction_context.ts";
import type { Region } from "./region.ts";
import type { Block } from "./region_graph.ts";
import type { Shape } from "./shape.ts";

const K = (n: number): I32 => i32.const(n);

/** The home of one instruction of a region. */
export class RegionHome implements Home {
  readonly helpers = false;
  readonly lazyFlags = true;
  /** Whether control does not come out behind the instruction. */
  ended = true;
  readonly #depth: number;

  /** `block` is given for the last instruction of one. */
  constructor(readonly region: Region, readonly shape: Shape, readonly block: Block | null) {
    this.#depth = region.f.depth;
  }

  get record(): I32 {
    return K(this.region.record);
  }

  field<T extends ValType>(name: string, at: number): Expr<T> {
    const { u8, u16, i32: words } = this.region.code.memory;
    const a = this.region.record + at;
    const wide = (v: number | bigint) => node("i64", "const", "i64.const", [], BigInt.asIntN(64, BigInt(v)));
    const value = (): Expr => {
      switch (name) {
        case "i32.load":
          return K(words[a >> 2]);
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

  readState<T extends ValType>(name: string, at: I32): Expr<T> {
    return this.region.readState(name, at);
  }

  writeState(name: string, at: I32, value: Expr): void {
    this.region.writeState(name, at, value);
  }

  guard(name: string, fails: I32): void {
    this.region.guard(name, fails);
  }

  wholeState(): void {
    throw new NeedsInterpreter();
  }

  flags(): FlagWords {
    return this.region.flags.read();
  }

  putFlags(words: FlagWords): void {
    this.#straight();
    this.region.flags.write(words);
  }

  codeBase(): I64 {
    return this.region.pageBase(this.region.code.distance(this.region.record));
  }

  access(linear: I64, bytes: number, how: How, stack: boolean, place: Place): Access {
    return this.region.access(linear, bytes, how, stack, this.#key(place));
  }

  /** Names what an address depends on: its base register, else its index, else the page of its displacement. */
  #key(place: Place): string {
    if (place !== "ea") return place;
    const { u16, i32: words } = this.region.code.memory, at = this.region.record;
    const base = u16[(at + S.R_BASE) >> 1], index = u16[(at + S.R_INDEX) >> 1];
    if (base === S.GPR + 4 * 8) return "stack";
    if (base !== S.ZERO) return `b${base}`;
    return index !== S.ZERO ? `i${index}` : `d${words[(at + S.R_DISP) >> 2] >> 12}`;
  }

  raise(vector: I32, errorCode: I32): void {
    this.region.raise(vector, errorCode);
  }

  checkBranch(): void {
    this.region.checkBranch(this.shape);
  }

  next(): void {
    this.ended = false;
  }

  branch(): void {
    this.region.branch(this.block, this.shape);
  }

  jump(rip: I64): void {
    this.region.jump(this.block, rip);
  }

  again(): void {
    throw new NeedsInterpreter();
  }
}
