/**
 * What each WebAssembly operator gives, by its name, computed with BigInt and numbers: the other side of the comparison
 * in core/wasm/ops_test.ts. Values are 16 bytes, little-endian; a scalar is in the first of them.
 * Source: WebAssembly core specification 3.0, numerics.
 * @module
 */

type Lanes = readonly bigint[];
type Binary = (a: bigint, b: bigint, bits: number) => bigint | boolean;

const u = (bits: number, v: bigint): bigint => BigInt.asUintN(bits, v);
const s = (bits: number, v: bigint): bigint => BigInt.asIntN(bits, v);
const clamp = (v: bigint, low: bigint, high: bigint): bigint => v < low ? low : v > high ? high : v;
const satS = (bits: number, v: bigint): bigint => clamp(v, -(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n);
const satU = (bits: number, v: bigint): bigint => clamp(v, 0n, (1n << BigInt(bits)) - 1n);

/** Reads lanes of `bits` bits, unsigned. */
export function lanes(bytes: Uint8Array, bits: number): bigint[] {
  const out: bigint[] = [];
  for (let at = 0; at < bytes.length; at += bits / 8) {
    let v = 0n;
    for (let i = bits / 8 - 1; i >= 0; i--) v = v << 8n | BigInt(bytes[at + i]);
    out.push(v);
  }
  return out;
}

/** Writes lanes of `bits` bits into 16 bytes; what is left over is zero. */
export function fromLanes(values: Lanes, bits: number): Uint8Array {
  const out = new Uint8Array(16);
  values.forEach((v, i) => {
    for (let k = 0; k < bits / 8; k++) out[i * bits / 8 + k] = Number(u(bits, v) >> BigInt(8 * k) & 0xffn);
  });
  return out;
}

const view = new DataView(new ArrayBuffer(8));

/** The float with these bits. */
export function toFloat(v: bigint, bits: number): number {
  view.setBigUint64(0, v, true);
  return bits === 32 ? view.getFloat32(0, true) : view.getFloat64(0, true);
}

function fromFloat(v: number, bits: number): bigint {
  view.setBigUint64(0, 0n, true);
  if (bits === 32) view.setFloat32(0, v, true);
  else view.setFloat64(0, v, true);
  return view.getBigUint64(0, true);
}

/** Throws RangeError where the quotient does not fit, as for division by zero. */
function divide(a: bigint, b: bigint, bits: number): bigint {
  const q = s(bits, a) / s(bits, b);
  if (satS(bits, q) !== q) throw new RangeError("quotient");
  return q;
}

// deno-fmt-ignore
const INTEGER: Readonly<Record<string, Binary>> = {
  add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b,
  div_s: divide, div_u: (a, b) => a / b,
  rem_s: (a, b, n) => s(n, a) % s(n, b), rem_u: (a, b) => a % b,
  and: (a, b) => a & b, or: (a, b) => a | b, xor: (a, b) => a ^ b, andnot: (a, b) => a & ~b,
  shl: (a, b, n) => a << b % BigInt(n), shr_u: (a, b, n) => a >> b % BigInt(n), shr_s: (a, b, n) => s(n, a) >> b % BigInt(n),
  rotl: (a, b, n) => a << b % BigInt(n) | a >> (BigInt(n) - b % BigInt(n)),
  rotr: (a, b, n) => a >> b % BigInt(n) | a << (BigInt(n) - b % BigInt(n)),
  eq: (a, b) => a === b, ne: (a, b) => a !== b,
  lt_s: (a, b, n) => s(n, a) < s(n, b), lt_u: (a, b) => a < b, gt_s: (a, b, n) => s(n, a) > s(n, b), gt_u: (a, b) => a > b,
  le_s: (a, b, n) => s(n, a) <= s(n, b), le_u: (a, b) => a <= b, ge_s: (a, b, n) => s(n, a) >= s(n, b), ge_u: (a, b) => a >= b,
  add_sat_s: (a, b, n) => satS(n, s(n, a) + s(n, b)), add_sat_u: (a, b, n) => satU(n, a + b),
  sub_sat_s: (a, b, n) => satS(n, s(n, a) - s(n, b)), sub_sat_u: (a, b, n) => satU(n, a - b),
  min_s: (a, b, n) => s(n, a) < s(n, b) ? a : b, min_u: (a, b) => a < b ? a : b,
  max_s: (a, b, n) => s(n, a) > s(n, b) ? a : b, max_u: (a, b) => a > b ? a : b,
  avgr_u: (a, b) => (a + b + 1n) >> 1n,
  q15mulr_sat_s: (a, b, n) => satS(n, (s(n, a) * s(n, b) + 0x4000n) >> 15n),
};

function countLeading(a: bigint, bits: number): bigint {
  let n = 0;
  while (n < bits && !(a >> BigInt(bits - 1 - n) & 1n)) n++;
  return BigInt(n);
}

function countTrailing(a: bigint, bits: number): bigint {
  let n = 0;
  while (n < bits && !(a >> BigInt(n) & 1n)) n++;
  return BigInt(n);
}

const ones = (a: bigint): bigint => BigInt(a.toString(2).replaceAll("0", "").length);

const INTEGER_UNARY: Readonly<Record<string, (a: bigint, bits: number) => bigint>> = {
  clz: countLeading,
  ctz: countTrailing,
  popcnt: ones,
  eqz: (a) => a === 0n ? 1n : 0n,
  abs: (a, n) => s(n, a) < 0n ? -s(n, a) : a,
  neg: (a) => -a,
  not: (a) => ~a,
  extend8_s: (a) => s(8, a),
  extend16_s: (a) => s(16, a),
  extend32_s: (a) => s(32, a),
};

function nearest(v: number): number {
  if (!Number.isFinite(v) || Math.abs(v) >= 2 ** 52) return v;
  const down = Math.floor(v), rest = v - down;
  const r = rest < 0.5 || rest === 0.5 && down % 2 === 0 ? down : down + 1;
  return r === 0 && (v < 0 || Object.is(v, -0)) ? -0 : r;
}

// deno-fmt-ignore
const FLOAT: Readonly<Record<string, (a: number, b: number) => number | boolean>> = {
  add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b, div: (a, b) => a / b,
  min: Math.min, max: Math.max, pmin: (a, b) => b < a ? b : a, pmax: (a, b) => a < b ? b : a,
  eq: (a, b) => a === b, ne: (a, b) => a !== b, lt: (a, b) => a < b, gt: (a, b) => a > b, le: (a, b) => a <= b, ge: (a, b) => a >= b,
};
const FLOAT_UNARY: Readonly<Record<string, (a: number) => number>> = {
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  nearest,
  sqrt: Math.sqrt,
};
/** Those that only look at the sign, whatever the rest is. */
const SIGN: Readonly<Record<string, (a: bigint, b: bigint, sign: bigint) => bigint>> = {
  abs: (a, _, sign) => a & ~sign,
  neg: (a, _, sign) => a ^ sign,
  copysign: (a, b, sign) => a & ~sign | b & sign,
};

function floatLane(name: string, a: bigint, b: bigint, bits: number, truth: bigint): bigint {
  if (name in SIGN) return SIGN[name](a, b, 1n << BigInt(bits - 1));
  const x = toFloat(a, bits);
  if (name in FLOAT_UNARY) return fromFloat(FLOAT_UNARY[name](x), bits);
  const r = FLOAT[name](x, toFloat(b, bits));
  return typeof r === "boolean" ? (r ? truth : 0n) : fromFloat(r, bits);
}

/** Rounds once: the low bits of what a number cannot hold are gathered in one. */
function integerToFloat(v: bigint, bits: number): bigint {
  const rest = v & 0xffffn;
  const exact = v > -(1n << 53n) && v < 1n << 53n;
  return fromFloat(Number(exact || bits === 64 ? v : v - rest | (rest ? 0x8000n : 0n)), bits);
}

function truncate(v: number, bits: number, signed: boolean): bigint {
  if (Number.isNaN(v)) return 0n;
  if (!Number.isFinite(v)) return (signed ? satS : satU)(bits, BigInt(Math.sign(v)) << 70n);
  return (signed ? satS : satU)(bits, BigInt(Math.trunc(v)));
}

/** Conversions of one lane to another: `from` and `to` are types such as `i32`, `f64`. */
function convert(name: string, a: bigint, from: string, to: string): bigint {
  const n = Number(from.slice(1)), m = Number(to.slice(1)), signed = /_s($|_)/.test(name);
  if (name.startsWith("reinterpret") || name.startsWith("wrap")) return a;
  if (name.startsWith("extend")) return signed ? s(n, a) : a;
  if (name.startsWith("convert")) return integerToFloat(signed ? s(n, a) : a, m);
  if (name.startsWith("trunc_sat")) return truncate(toFloat(a, n), m, signed);
  return fromFloat(toFloat(a, n), m);
}

function scalar(shape: string, name: string, x: readonly Uint8Array[]): Uint8Array {
  const bits = Number(shape.slice(1)), conversion = /_([if])(32|64)(_[su])?$/.exec(name);
  if (conversion) {
    const from = Number(conversion[2]);
    return fromLanes([convert(name, lanes(x[0], from)[0], conversion[1] + from, shape)], bits);
  }
  const [a, b] = x.map((l) => lanes(l, bits)[0]);
  if (shape[0] === "f") return fromLanes([floatLane(name, a, b, bits, 1n)], bits);
  if (name in INTEGER_UNARY) return fromLanes([INTEGER_UNARY[name](a, bits)], bits);
  return fromLanes([BigInt(INTEGER[name](a, b, bits))], bits);
}

/** Lane operations between shapes; `x` are the operands. */
function reshaping(shape: string, name: string, x: readonly Uint8Array[]): Uint8Array | undefined {
  const bits = Number(/\d+/.exec(shape)![0]), signed = name.endsWith("_s");
  const wide = (v: bigint) => signed ? s(bits / 2, v) : v;
  const half = (b: Uint8Array, high: boolean) => lanes(high ? b.subarray(8) : b.subarray(0, 8), bits / 2).map(wide);
  const all = (b: Uint8Array) => lanes(b, bits / 2).map(wide);
  const high = name.includes("_high_");
  const pairs = (l: Lanes) => l.flatMap((v, i) => i % 2 ? [] : [v + l[i + 1]]);
  if (name.startsWith("extend_")) return fromLanes(half(x[0], high), bits);
  if (name.startsWith("extmul_")) {
    const b = half(x[1], high);
    return fromLanes(half(x[0], high).map((a, i) => a * b[i]), bits);
  }
  if (name.startsWith("extadd_")) return fromLanes(pairs(all(x[0])), bits);
  if (name.startsWith("dot_")) {
    const b = all(x[1]);
    return fromLanes(pairs(all(x[0]).map((a, i) => a * b[i])), bits);
  }
  if (name.startsWith("narrow_")) {
    const both = [...lanes(x[0], bits * 2), ...lanes(x[1], bits * 2)].map((v) => s(bits * 2, v));
    return fromLanes(both.map((v) => (signed ? satS : satU)(bits, v)), bits);
  }
  const m = /^(demote|promote_low|convert|convert_low|trunc_sat)_([if])(\d+)x(\d)(?:_[su])?(?:_zero)?$/.exec(name);
  if (!m) return undefined;
  const count = Math.min(Number(m[4]), 128 / bits);
  return fromLanes(
    lanes(x[0], Number(m[3])).slice(0, count).map((v) => convert(name, v, m[2] + m[3], shape[0] + bits)),
    bits,
  );
}

function vector(shape: string, name: string, x: readonly Uint8Array[]): Uint8Array {
  if (shape === "v128") {
    const [a, b, c] = x.map((v) => lanes(v, 64));
    if (name === "any_true") return fromLanes([a.some((v) => v) ? 1n : 0n], 32);
    if (name === "bitselect") return fromLanes(a.map((v, i) => v & c[i] | b[i] & ~c[i]), 64);
    return fromLanes(a.map((v, i) => name === "not" ? ~v : BigInt(INTEGER[name](v, b[i], 64))), 64);
  }
  if (name === "swizzle") return x[1].map((i) => i < 16 ? x[0][i] : 0);
  const bits = Number(/\d+/.exec(shape)![0]), a = lanes(x[0], bits);
  if (name === "splat") return fromLanes(a.map(() => a[0]), bits);
  const other = reshaping(shape, name, x);
  if (other) return other;
  const truth = (1n << BigInt(bits)) - 1n;
  if (name === "all_true") return fromLanes([a.every((v) => v) ? 1n : 0n], 32);
  if (name === "bitmask") return fromLanes([a.reduce((m, v, i) => m | v >> BigInt(bits - 1) << BigInt(i), 0n)], 32);
  const b = x.length > 1 ? lanes(x[1], bits) : a;
  if (shape[0] === "f") return fromLanes(a.map((v, i) => floatLane(name, v, b[i], bits, truth)), bits);
  if (name in INTEGER_UNARY && x.length === 1) return fromLanes(a.map((v) => INTEGER_UNARY[name](v, bits)), bits);
  const shifts = /^sh[lr]/.test(name), count = shifts ? lanes(x[1], 32)[0] : 0n;
  return fromLanes(
    a.map((v, i) => {
      const r = INTEGER[name](v, shifts ? count : b[i], bits);
      return typeof r === "boolean" ? (r ? truth : 0n) : r;
    }),
    bits,
  );
}

/**
 * What the operator `name` gives for `operands`, or undefined where it traps.
 * @param name As in the text format.
 * @param operands 16 bytes each.
 */
export function reference(name: string, operands: readonly Uint8Array[]): Uint8Array | undefined {
  const dot = name.indexOf("."), shape = name.slice(0, dot), operator = name.slice(dot + 1);
  try {
    if (/^[if](32|64)$/.test(shape)) return scalar(shape, operator, operands);
    return vector(shape, operator, operands);
  } catch (e) {
    if (e instanceof RangeError) return undefined;
    throw e;
  }
}
