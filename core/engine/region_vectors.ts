/**
 * The XMM registers and MXCSR of a region, in locals.
 * @module
 */
import { type Expr, type I32, i32, i64, lane, load, replaceLane, v, type V128, v128Const } from "../wasm/expr.ts";
import type { FunctionBuilder, Local } from "../wasm/module.ts";
import type { ValType } from "../wasm/ops.ts";
import * as S from "../x86/state.ts";
import { NeedsInterpreter } from "./instruction_context.ts";

const K = (n: number): I32 => i32.const(n);
const REGISTERS = 16;
/** Loads of a whole lane, by name: shape and bytes. */
const LANES: Readonly<Record<string, readonly [shape: string, bytes: number]>> = {
  "i32.load": ["i32x4", 4],
  "i64.load": ["i64x2", 8],
  "f32.load": ["f32x4", 4],
  "f64.load": ["f64x2", 8],
  "i32.store": ["i32x4", 4],
  "i64.store": ["i64x2", 8],
  "f32.store": ["f32x4", 4],
  "f64.store": ["f64x2", 8],
};
/** Loads and stores of parts of an i64: the lane's shape and bytes. */
const PARTS: Readonly<Record<string, readonly [lane: string, bytes: number]>> = {
  "i64.load8_u": ["i8x16.extract_lane_u", 1],
  "i64.load16_u": ["i16x8.extract_lane_u", 2],
  "i64.load32_u": ["i32x4.extract_lane", 4],
  "i64.store8": ["i8x16.replace_lane", 1],
  "i64.store16": ["i16x8.replace_lane", 2],
  "i64.store32": ["i32x4.replace_lane", 4],
};

/** The low `bytes` bytes. */
function low(value: V128, bytes: number): V128 {
  return v("v128.and", value, v128Const(Array.from({ length: 16 }, (_, i) => i < bytes ? 0xff : 0)));
}

/** What a region keeps of the SSE state: each register that it names, from its beginning to its end. */
export class RegionVectors {
  readonly #registers: (Local<"v128"> | null)[] = Array.from({ length: REGISTERS }, () => null);
  readonly #written: Set<number> = new Set();
  #mxcsr: Local<"i32"> | null = null;
  #mxcsrWritten = false;

  constructor(readonly f: FunctionBuilder) {}

  /** Whether a state address is kept here. */
  has(at: number): boolean {
    return at === S.MXCSR || at >= S.XMM && at < S.XMM + REGISTERS * 16;
  }

  /**
   * Reads a register or a lane of it.
   * @throws NeedsInterpreter It is neither.
   */
  read<T extends ValType>(name: string, at: number): Expr<T> {
    const { f } = this;
    if (at === S.MXCSR) return f.get(this.#control()) as Expr as Expr<T>;
    const value = f.get(this.#register((at - S.XMM) >> 4)), offset = (at - S.XMM) & 15;
    const make = (): Expr => {
      if (name === "v128.load") return value;
      if (name === "v128.load32_zero") return low(value, 4);
      if (name === "v128.load64_zero") return low(value, 8);
      const [shape, bytes] = LANES[name] ?? [];
      if (shape && offset % bytes === 0) return lane(`${shape}.extract_lane`, value, offset / bytes);
      const [part, size] = PARTS[name] ?? [];
      if (!part || offset % size) throw new NeedsInterpreter();
      return i64.extend_i32_u(lane<"i32">(part, value, offset / size));
    };
    return make() as Expr<T>;
  }

  /**
   * Writes a register or a lane of it, now.
   * @throws NeedsInterpreter It is neither.
   */
  write(name: string, at: number, value: Expr): void {
    const { f } = this;
    if (at === S.MXCSR) {
      this.#mxcsrWritten = true;
      return f.set(this.#control(), value as I32);
    }
    const n = (at - S.XMM) >> 4, offset = (at - S.XMM) & 15, l = this.#register(n);
    this.#written.add(n);
    if (name === "v128.store") return f.set(l, value as V128);
    const [shape, bytes] = LANES[name] ?? [];
    if (shape && offset % bytes === 0) {
      return f.set(l, replaceLane(`${shape}.replace_lane`, f.get(l), offset / bytes, value));
    }
    const [part, size] = PARTS[name] ?? [];
    if (!part || offset % size) throw new NeedsInterpreter();
    f.set(l, replaceLane(part, f.get(l), offset / size, i32.wrap_i64(value as Expr<"i64">)));
  }

  #register(n: number): Local<"v128"> {
    return this.#registers[n] ??= this.f.local("v128");
  }

  #control(): Local<"i32"> {
    return this.#mxcsr ??= this.f.local("i32");
  }

  /** Emits the loads for the beginning of the region, once all of it is emitted. */
  load(): void {
    const { f } = this;
    this.#registers.forEach((l, n) => l && f.set(l, load<"v128">("v128.load", K(0), { offset: S.XMM + n * 16 })));
    if (this.#mxcsr) f.set(this.#mxcsr, i32.load(K(0), { offset: S.MXCSR }));
  }

  /** Emits the stores for an end of the region. */
  store(): void {
    const { f } = this;
    for (const n of this.#written) f.store("v128.store", K(0), f.get(this.#registers[n]!), { offset: S.XMM + n * 16 });
    if (this.#mxcsrWritten) f.store("i32.store", K(0), f.get(this.#mxcsr!), { offset: S.MXCSR });
  }
}
