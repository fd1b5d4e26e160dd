/**
 * Functions that several SIMD instructions share and that are too long to be emitted into each handler: WebAssembly
 * functions without memory, called by name through {@linkcode Ctx.support}.
 * @module
 */
import { type Expr, type I32, i32, type I64, i64, op, select, v, type V128, v128Const } from "../../wasm/expr.ts";
import type { F32, F64 } from "../../wasm/expr.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../wasm/module.ts";
import type { ValType } from "../../wasm/ops.ts";

/** One function: its type and its body over its parameters. */
interface Definition {
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  readonly build: (f: FunctionBuilder, p: readonly Expr[]) => void;
}

const k = (n: number): I32 => i32.const(n);
const splat = (n: I32): V128 => v("i8x16.splat", n);
const IOTA: V128 = v128Const(Array.from({ length: 16 }, (_, i) => i));

// AES.

/** The S-box of AES, computed as FIPS 197 defines it: the inverse in GF(2^8), then an affine map. */
function sBox(): Uint8Array {
  const box = new Uint8Array(256);
  // p runs through the powers of the generator 3, q through those of its inverse.
  for (let i = 0, p = 1, q = 1; i < 255; i++) {
    box[p] = [0, 1, 2, 3, 4].reduce((r, n) => r ^ (q << n | q >> (8 - n)), 0x63) & 0xff;
    p = (p ^ p << 1 ^ (p & 0x80 ? 0x11b : 0)) & 0xff;
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q = (q ^ (q & 0x80 ? 0x09 : 0)) & 0xff;
  }
  box[0] = 0x63;
  return box;
}

/** Looks 16 bytes up in a table of 256: sixteen tables of 16, each of which gives 0 for what is not its own. */
function lookUp(table: Uint8Array): (f: FunctionBuilder, p: readonly Expr[]) => void {
  return (f, [x]) => {
    const index = f.local("v128"), sum = f.local("v128");
    f.set(index, x as V128);
    for (let high = 0; high < 256; high += 16) {
      const part = v("i8x16.swizzle", v128Const(table.subarray(high, high + 16)), f.get(index));
      f.set(sum, high ? v("v128.or", f.get(sum), part) : part);
      f.set(index, v("i8x16.sub", f.get(index), splat(k(16))));
    }
    f.return(f.get(sum));
  };
}

// Carry-less multiplication.

/** Every fourth bit: products of such numbers have room for their carries. */
const FOURTH = 0x1111_1111_1111_1111n;

/**
 * The low half of the carry-less product: ordinary products of numbers that are sparse enough that no carry (at most 16
 * summands in a column of four bits, and the 64th only beyond the end) reaches a bit that counts.
 */
function clmulLow(f: FunctionBuilder, a: I64, b: I64): I64 {
  const parts = (x: I64) => [0, 1, 2, 3].map((n) => f.let(i64.and(x, i64.const(FOURTH << BigInt(n)))));
  const [p, q] = [parts(a), parts(b)];
  const columns = [0, 1, 2, 3].map((n) => {
    const products = p.map((x, i) => i64.mul(x, q[(n - i) & 3]));
    return i64.and(products.reduce((x, y) => i64.xor(x, y)), i64.const(FOURTH << BigInt(n)));
  });
  return f.let(columns.reduce((x, y) => i64.or(x, y)));
}

/** The bits in reverse order. */
function reverse(f: FunctionBuilder, x: I64): I64 {
  let r = x;
  const masks = [0x5555_5555_5555_5555n, 0x3333_3333_3333_3333n, 0x0f0f_0f0f_0f0f_0f0fn, 0x00ff_00ff_00ff_00ffn];
  masks.forEach((m, i) => {
    const by = i64.const(1 << i), mask = i64.const(m);
    r = f.let(i64.or(i64.and(i64.shr_u(r, by), mask), i64.shl(i64.and(r, mask), by)));
  });
  const words = i64.const(0x0000_ffff_0000_ffffn), by = i64.const(16);
  r = f.let(i64.or(i64.and(i64.shr_u(r, by), words), i64.shl(i64.and(r, words), by)));
  return f.let(i64.rotl(r, i64.const(32)));
}

// Approximations. RCPPS and RSQRTPS of Intel's processors give the exact value for the middle of an interval, rounded to
// 12 fraction bits; found by trying all intervals on one.

/** Bits of an f32 whose fraction is replaced by the middle of its interval of 2^`bits` units. */
function middle(x: I32, bits: number): F64 {
  const kept = i32.or(i32.and(x, k(-1 << bits)), k(1 << (bits - 1)));
  return op<"f64">("f64.promote_f32", op<"f32">("f32.reinterpret_i32", kept));
}

/** An f64 with its fraction rounded to 12 bits, as the bits of an f32; 0 where that would be denormal. */
function toTwelve(f: FunctionBuilder, value: F64): I32 {
  const half = 1n << 39n;
  const bits = i64.and(i64.add(op("i64.reinterpret_f64", value), i64.const(half)), i64.const(-2n * half));
  const single = op<"f32">("f32.demote_f64", op<"f64">("f64.reinterpret_i64", bits)) as F32;
  const r = f.let(op<"i32">("i32.reinterpret_f32", single));
  const normal = i32.and(r, k(0x7f80_0000));
  return f.let(select(normal, r, i32.and(r, k(0x8000_0000 | 0))));
}

const ONE = op<"f64">("f64.convert_i32_s", k(1));
const EXPONENT = 0x7f80_0000;

/** NaNs made quiet, and what each sign of zero and infinity gives. */
function special(f: FunctionBuilder, x: I32): I32 {
  const sign = f.let(i32.and(x, k(0x8000_0000 | 0)));
  const magnitude = f.let(i32.and(x, k(0x7fff_ffff)));
  f.if(i32.gt_u(magnitude, k(EXPONENT)), () => f.return(i32.or(x, k(0x0040_0000))));
  f.if(i32.lt_u(magnitude, k(0x0080_0000)), () => f.return(i32.or(sign, k(EXPONENT))));
  return sign;
}

function reciprocal(f: FunctionBuilder, [p]: readonly Expr[]): void {
  const x = p as I32, sign = special(f, x);
  f.if(i32.eq(i32.and(x, k(EXPONENT)), k(EXPONENT)), () => f.return(sign));
  f.return(toTwelve(f, op<"f64">("f64.div", ONE, middle(x, 12))));
}

function reciprocalRoot(f: FunctionBuilder, [p]: readonly Expr[]): void {
  const x = p as I32, sign = special(f, x);
  f.if(sign, () => f.return(k(0xffc0_0000 | 0)));
  f.if(i32.eq(x, k(EXPONENT)), () => f.return(k(0)));
  f.return(toTwelve(f, op<"f64">("f64.div", ONE, op<"f64">("f64.sqrt", middle(x, 13)))));
}

// String comparison.

/**
 * IntRes2 of PCMPESTRI and its relatives: both operands, how many of their elements are valid, the immediate.
 * Source: SDM volume 2, 4.1.
 */
function compareStrings(f: FunctionBuilder, p: readonly Expr[]): void {
  const [a, b] = p as V128[], [, , la, lb, imm] = p as I32[];
  const words = f.let(i32.and(imm, k(1)));
  const n = f.let(i32.shr_u(k(16), words)), all = f.let(i32.sub(i32.shl(k(1), n), k(1)));
  const valid = (count: I32): I32 => f.let(i32.sub(i32.shl(k(1), count), k(1)));
  const va = valid(la), vb = valid(lb);
  const kind = f.let(i32.and(i32.shr_u(imm, k(2)), k(3))), signed = f.let(i32.and(imm, k(2)));
  /** One bit for each element for which the comparison of this name holds. */
  const compare = (name: string, x: V128, y: V128): I32 => {
    const by = (shape: string) => op<"i32">(`${shape}.bitmask`, v(`${shape}.${name}`, x, y));
    return f.choose(words, () => by("i16x8"), () => by("i8x16"));
  };
  /** Element `i` of `a` everywhere. */
  const element = (i: I32): V128 => {
    const index = f.let(splat(i32.shl(i, words)));
    const odd = v("v128.and", IOTA, splat(words));
    return f.let(v("i8x16.swizzle", a, v("i8x16.add", index, odd)));
  };
  const result = f.local("i32"), i = f.local("i32");
  const each = (step: number, last: I32, body: (i: I32) => void): void => {
    f.set(i, k(0));
    f.block((out) =>
      f.loop((again) => {
        f.brIf(out, i32.ge_s(f.get(i), last));
        body(f.get(i));
        f.set(i, i32.add(f.get(i), k(step)));
        f.br(again);
      })
    );
  };
  const any = (hit: I32): void => f.set(result, i32.or(f.get(result), hit));
  const range = (order: "s" | "u", low: V128, high: V128): I32 =>
    i32.and(compare(`ge_${order}`, b, low), compare(`le_${order}`, b, high));
  const cases: (() => void)[] = [
    // Equal any.
    () => each(1, la, (at) => any(i32.and(compare("eq", b, element(at)), vb))),
    // Ranges.
    () =>
      each(2, i32.sub(la, k(1)), (at) => {
        const low = element(at), high = element(f.let(i32.add(at, k(1))));
        any(i32.and(f.choose(signed, () => range("s", low, high), () => range("u", low, high)), vb));
      }),
    // Equal each: what is invalid on both sides is equal.
    () => {
      const both = i32.and(va, vb), neither = i32.xor(i32.or(va, vb), k(-1));
      f.set(result, i32.or(i32.and(compare("eq", a, b), both), neither));
    },
    // Equal ordered: a place from which on `a` is found, as far as `b` has elements at all.
    () => {
      f.set(result, k(-1));
      each(1, la, (at) => {
        const hit = f.let(i32.and(compare("eq", b, element(at)), vb));
        const beyond = i32.shl(k(-1), i32.sub(n, at));
        f.set(result, i32.and(f.get(result), i32.or(i32.shr_u(hit, at), beyond)));
      });
    },
  ];
  cases.forEach((emit, c) => f.if(i32.eq(kind, k(c)), emit));
  const polarity = f.let(i32.and(i32.shr_u(imm, k(4)), k(3)));
  f.if(i32.eq(polarity, k(1)), () => f.set(result, i32.xor(f.get(result), k(-1))));
  f.if(i32.eq(polarity, k(3)), () => f.set(result, i32.xor(f.get(result), vb)));
  f.return(i32.and(f.get(result), all));
}

const AES = sBox();
const AES_INVERSE = new Uint8Array(256);
AES.forEach((s, i) => AES_INVERSE[s] = i);

const DEFINITIONS = {
  aes_sub: { params: ["v128"], results: ["v128"], build: lookUp(AES) },
  aes_inverse_sub: { params: ["v128"], results: ["v128"], build: lookUp(AES_INVERSE) },
  /** The low half of a carry-less product. */
  clmul_low: {
    params: ["i64", "i64"],
    results: ["i64"],
    build: (f, p) => f.return(clmulLow(f, p[0] as I64, p[1] as I64)),
  },
  /** Its high half: the low half of the product of the reversed factors, reversed, is the upper 64 of 127 bits. */
  clmul_high: {
    params: ["i64", "i64"],
    results: ["i64"],
    build: (f, p) => {
      const low = clmulLow(f, reverse(f, p[0] as I64), reverse(f, p[1] as I64));
      f.return(i64.shr_u(reverse(f, low), i64.const(1)));
    },
  },
  rcp: { params: ["i32"], results: ["i32"], build: reciprocal },
  rsqrt: { params: ["i32"], results: ["i32"], build: reciprocalRoot },
  pcmpstr: { params: ["v128", "v128", "i32", "i32", "i32"], results: ["i32"], build: compareStrings },
} as const satisfies Record<string, Definition>;

/** The name of a function. */
export type SimdFunction = keyof typeof DEFINITIONS;

/** Whether there is a function of this name. */
export function isSimdFunction(name: string): name is SimdFunction {
  return Object.hasOwn(DEFINITIONS, name);
}

/** Adds a function to a module. */
export function defineSimdFunction(m: ModuleBuilder, name: SimdFunction): FunctionBuilder {
  const { params, results, build }: Definition = DEFINITIONS[name];
  const f = m.function(name, params, results);
  build(f, params.map((t, i) => f.get(f.param(i, t))));
  return f;
}
