/**
 * Conversions of SSE and SSE2. Source: SDM volume 2; volume 1, 4.8 and E.4 for what an invalid conversion gives.
 * @module
 */
import { type Expr, type F64, type I32, i32, type I64, i64, lane, op, v, type V128 } from "../../wasm/expr.ts";
import type { Ctx } from "../context.ts";
import { insn, type Row } from "../insn.ts";
import {
  bitsOf,
  convertWithMmx,
  DOUBLE,
  everywhere,
  type Float,
  formatOf,
  inexactFlag,
  isInexact,
  isNearest,
  isOrdinary,
  isUsual,
  join64,
  k,
  laneOf,
  mxcsr,
  read128,
  read64,
  readScalar,
  SINGLE,
  slowly,
  soft,
  sse,
  valueOf,
  vectorOf,
  withLow64,
  write128,
  writeMmx,
  writeScalar,
  ZERO,
} from "./simd_kit.ts";
import { isPlain, isSafe, plainLanes, safeLanes } from "./sse_float.ts";

const both = (...all: readonly I32[]): I32 => all.reduce((a, b) => i32.and(a, b));
const all64 = (mask: V128): I32 => op("i64x2.all_true", mask);
const all32 = (mask: V128): I32 => op("i32x4.all_true", mask);

// Between scalars.

/** CVTSI2SS, CVTSI2SD. */
function fromInteger(c: Ctx): void {
  sse(c);
  const { f, dst, src } = c, { format: t } = formatOf(c), wide = src.width === 64;
  const a = src.read(), value: Expr = wide ? a : f.let(i32.wrap_i64(a));
  const fast = (): Expr => op(`${t.name}.convert_${value.type}_s`, value);
  if (t === DOUBLE && !wide) return writeScalar(c, dst, t, f.let(fast()));
  const csr = mxcsr(c), name = `${t.name}_from_${wide ? "i64" : "i32"}` as const;
  // Numbers with no more bits than the significand has are exact.
  const least = 1n << (t === DOUBLE ? 53n : 24n), signed = wide ? a : i64.extend_i32_s(value as I32);
  const exact = i64.le_u(i64.add(signed, i64.const(least)), i64.const(2n * least));
  const slow = () => slowly(c, csr, () => valueOf(t, soft(c, name, csr, value)));
  writeScalar(c, dst, t, f.choose(i32.or(exact, isNearest(csr)), fast, slow, "likely"));
}

/** CVTSS2SI and its like, for f64 and with truncation. */
const toInteger = (truncate: boolean) => (c: Ctx): void => {
  sse(c);
  const { f, dst, src } = c, { format: t } = formatOf(c), wide = dst.width === 64, type = wide ? "i64" : "i32";
  const x = readScalar(c, src, t), csr = mxcsr(c);
  // All magnitudes below are in range; the largest f64 below 2^31 rounds to 2^31.
  const limit = op<"f64">("f64.convert_i64_u", i64.const(wide ? 1n << 63n : (1n << 31n) - 1n));
  const bound = t === SINGLE ? op("f32.demote_f64", limit) : limit;
  const inRange = op<"i32">(`${t.name}.lt`, op(`${t.name}.abs`, x), bound);
  const exact = op<"i32">(`${t.name}.eq`, x, op(`${t.name}.trunc`, x));
  const r = f.choose(
    both(i32.or(truncate ? isInexact(csr) : isNearest(csr), exact), inRange),
    () => op(`${type}.trunc_sat_${t.name}_s`, truncate ? x : op(`${t.name}.nearest`, x)) as Expr,
    () => {
      const name = truncate ? `${t.name}_to_${type}_trunc` as const : `${t.name}_to_${type}` as const;
      return slowly(c, csr, () => soft(c, name, csr, bitsOf(t, x)));
    },
    "likely",
  );
  dst.write(wide ? r as I64 : i64.extend_i32_u(r as I32));
};

/** CVTSS2SD. */
function widen(c: Ctx): void {
  sse(c);
  const { f } = c, x = readScalar(c, c.src, SINGLE);
  const r = f.choose(isPlain(SINGLE, x), () => op("f64.promote_f32", x), () => {
    const csr = mxcsr(c);
    return slowly(c, csr, () => valueOf(DOUBLE, soft(c, "f32_to_f64", csr, bitsOf(SINGLE, x))));
  }, "likely");
  writeScalar(c, c.dst, DOUBLE, r);
}

/** CVTSD2SS. */
function narrow(c: Ctx): void {
  sse(c);
  const { f } = c, x = readScalar(c, c.src, DOUBLE) as F64, csr = mxcsr(c), r = f.let(op<"f32">("f32.demote_f64", x));
  const zero = op<"i32">("f64.eq", x, op<"f64">("f64.convert_i32_s", k(0)));
  const silent = i32.or(inexactFlag(csr), op("f64.eq", op("f64.promote_f32", r), x));
  const fast = both(isUsual(csr), silent, isPlain(DOUBLE, x), isSafe(SINGLE, r, zero));
  const slow = () => slowly(c, csr, () => valueOf(SINGLE, soft(c, "f64_to_f32", csr, bitsOf(DOUBLE, x))));
  writeScalar(c, c.dst, SINGLE, f.choose(fast, () => r, slow, "likely"));
}

// Vectors.

/** Lanes of integers, by soft-float, of the first `count` lanes of `t`; the rest is zero. */
function integersOf(c: Ctx, t: Float, csr: I32, a: V128, truncate: boolean): V128 {
  const name = truncate ? `${t.name}_to_i32_trunc` as const : `${t.name}_to_i32` as const;
  const lanes = Array.from({ length: t.lanes }, (_, n) => soft(c, name, csr, laneOf(t, a, n)));
  return vectorOf(c, t === SINGLE ? lanes : [...lanes, k(0), k(0)]);
}

/** CVTPS2DQ and CVTTPS2DQ. */
function singlesToIntegers(c: Ctx, a: V128, truncate: boolean): V128 {
  const { f } = c, csr = mxcsr(c);
  const inRange = v("f32x4.lt", v("f32x4.abs", a), everywhere(SINGLE, 0x4f00_0000n));
  return f.choose(
    both(truncate ? isInexact(csr) : isNearest(csr), all32(inRange)),
    () => v("i32x4.trunc_sat_f32x4_s", truncate ? a : v("f32x4.nearest", a)),
    () => slowly(c, csr, () => integersOf(c, SINGLE, csr, a, truncate)),
  );
}

/** CVTPD2DQ and CVTTPD2DQ, CVTPD2PI and CVTTPD2PI. */
function doublesToIntegers(c: Ctx, a: V128, truncate: boolean): V128 {
  const { f } = c, csr = mxcsr(c);
  // Below 2^31 − 1 in magnitude.
  const inRange = v("f64x2.lt", v("f64x2.abs", a), everywhere(DOUBLE, 0x41df_ffff_ffc0_0000n));
  return f.choose(
    both(truncate ? isInexact(csr) : isNearest(csr), all64(inRange)),
    () => v("i32x4.trunc_sat_f64x2_s_zero", truncate ? a : v("f64x2.nearest", a)),
    () => slowly(c, csr, () => integersOf(c, DOUBLE, csr, a, truncate)),
  );
}

/** CVTDQ2PS and CVTPI2PS: the first `count` lanes; others are not looked at. */
function integersToSingles(c: Ctx, a: V128, count: number): V128 {
  const { f } = c, csr = mxcsr(c);
  return f.choose(
    isNearest(csr),
    () => v("f32x4.convert_i32x4_s", a),
    () =>
      slowly(c, csr, () =>
        vectorOf(
          c,
          Array.from(
            { length: 4 },
            (_, n) => n < count ? soft(c, "f32_from_i32", csr, lane("i32x4.extract_lane", a, n)) : k(0),
          ),
        )),
  );
}

/** CVTPS2PD of the low two lanes. */
function widenLanes(c: Ctx, a: V128): V128 {
  const { f } = c, low = f.let(join64(a, ZERO));
  return f.choose(all32(plainLanes(SINGLE, low)), () => v("f64x2.promote_low_f32x4", low), () => {
    const csr = mxcsr(c);
    return slowly(c, csr, () => vectorOf(c, [0, 1].map((n) => soft(c, "f32_to_f64", csr, laneOf(SINGLE, a, n)))));
  });
}

/** CVTPD2PS. */
function narrowLanes(c: Ctx, a: V128): V128 {
  const { f } = c, csr = mxcsr(c), r = f.let(v("f32x4.demote_f64x2_zero", a));
  // Zeros may come from tiny numbers: only zeros themselves may give them.
  const zeros = all64(v("v128.or", v("f64x2.eq", a, ZERO), v("f64x2.ne", v("f64x2.promote_low_f32x4", r), ZERO)));
  const safe = both(
    isOrdinary(csr),
    all64(plainLanes(DOUBLE, a)),
    all32(safeLanes(SINGLE, r, v("i32x4.eq", ZERO, ZERO))),
  );
  return f.choose(both(safe, zeros), () => r, () =>
    slowly(c, csr, () => {
      const lanes = [0, 1].map((n) => soft(c, "f64_to_f32", csr, laneOf(DOUBLE, a, n)));
      return vectorOf(c, [...lanes, k(0), k(0)]);
    }));
}

/** An instruction on a whole register or aligned memory, or on 64 bits. */
const convert = (half: boolean, f: (c: Ctx, a: V128) => V128) => (c: Ctx): void => {
  sse(c);
  write128(c, c.dst, f(c, half ? read64(c, c.src) : read128(c, c.src)));
};

// With MMX registers.

/** To an MMX register. */
const toMmx = (half: boolean, f: (c: Ctx, a: V128) => V128) => (c: Ctx): void => {
  const a = convertWithMmx(c, () => half ? read64(c, c.src) : read128(c, c.src));
  writeMmx(c, c.dst, f(c, a));
};

/** The operand of CVTPI2PS and CVTPI2PD: one in memory leaves the x87 state alone. */
function integersFrom(c: Ctx): V128 {
  if (!c.src.isMemory) return convertWithMmx(c, () => read64(c, c.src));
  sse(c);
  return read64(c, c.src);
}

/** CVTPI2PS. */
function singlesFromMmx(c: Ctx): void {
  const a = integersFrom(c), keep = c.read128(c.dst);
  write128(c, c.dst, withLow64(integersToSingles(c, a, 2), keep));
}

/** CVTPI2PD. */
function doublesFromMmx(c: Ctx): void {
  write128(c, c.dst, v("f64x2.convert_low_i32x4_s", integersFrom(c)));
}

const SSE = { cpuid: "sse" } as const, SSE2 = { cpuid: "sse2" } as const;

/** Conversions. */
// deno-fmt-ignore
export const SSE_CONVERT: readonly Row[] = [
  insn("CVTPI2PS", "NP 0F 2A /r Vps,Qq", SSE, singlesFromMmx),
  insn("CVTPI2PD", "66 0F 2A /r Vpd,Qq", SSE2, doublesFromMmx),
  insn("CVTSI2SS", "F3 0F 2A /r Vss,Ey", SSE, fromInteger),
  insn("CVTSI2SD", "F2 0F 2A /r Vsd,Ey", SSE2, fromInteger),
  insn("CVTTPS2PI", "NP 0F 2C /r Pq,Wq", SSE, toMmx(true, (c, a) => singlesToIntegers(c, a, true))),
  insn("CVTTPD2PI", "66 0F 2C /r Pq,Wpd", SSE2, toMmx(false, (c, a) => doublesToIntegers(c, a, true))),
  insn("CVTTSS2SI", "F3 0F 2C /r Gy,Wss", SSE, toInteger(true)),
  insn("CVTTSD2SI", "F2 0F 2C /r Gy,Wsd", SSE2, toInteger(true)),
  insn("CVTPS2PI", "NP 0F 2D /r Pq,Wq", SSE, toMmx(true, (c, a) => singlesToIntegers(c, a, false))),
  insn("CVTPD2PI", "66 0F 2D /r Pq,Wpd", SSE2, toMmx(false, (c, a) => doublesToIntegers(c, a, false))),
  insn("CVTSS2SI", "F3 0F 2D /r Gy,Wss", SSE, toInteger(false)),
  insn("CVTSD2SI", "F2 0F 2D /r Gy,Wsd", SSE2, toInteger(false)),
  insn("CVTPS2PD", "NP 0F 5A /r Vpd,Wq", SSE2, convert(true, widenLanes)),
  insn("CVTPD2PS", "66 0F 5A /r Vps,Wpd", SSE2, convert(false, narrowLanes)),
  insn("CVTSS2SD", "F3 0F 5A /r Vsd,Wss", SSE2, widen),
  insn("CVTSD2SS", "F2 0F 5A /r Vss,Wsd", SSE2, narrow),
  insn("CVTDQ2PS", "NP 0F 5B /r Vps,Wdq", SSE2, convert(false, (c, a) => integersToSingles(c, a, 4))),
  insn("CVTPS2DQ", "66 0F 5B /r Vdq,Wps", SSE2, convert(false, (c, a) => singlesToIntegers(c, a, false))),
  insn("CVTTPS2DQ", "F3 0F 5B /r Vdq,Wps", SSE2, convert(false, (c, a) => singlesToIntegers(c, a, true))),
  insn("CVTDQ2PD", "F3 0F E6 /r Vpd,Wq", SSE2, convert(true, (_, a) => v("f64x2.convert_low_i32x4_s", a))),
  insn("CVTTPD2DQ", "66 0F E6 /r Vdq,Wpd", SSE2, convert(false, (c, a) => doublesToIntegers(c, a, true))),
  insn("CVTPD2DQ", "F2 0F E6 /r Vdq,Wpd", SSE2, convert(false, (c, a) => doublesToIntegers(c, a, false))),
];
