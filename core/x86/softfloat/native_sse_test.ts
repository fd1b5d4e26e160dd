/** Soft-float against the host processor: SSE scalars. @module */
import { assert, assertEquals } from "@std/assert";
import { NativeCpu } from "../../../tests/host/native_cpu.ts";
import { FLAG, STATE_SIZE, StateBlock, TRAP } from "../../../tests/host/state_block.ts";
import { F32, F64, type Format } from "./format.ts";
import type { SoftFloatName } from "./softfloat.ts";
import { Instance, Operands } from "./support_test.ts";

const CASES = 1500;
const FLAGS = 0x3f;
/** #XM. */
const SIMD_EXCEPTION = 19;

const missing = NativeCpu.unavailable();
const soft = new Instance();

/** How an instruction is written and where its operands and result are. */
interface Row {
  /** Opcode bytes after the prefix that chooses the format; ModRM says xmm0, xmm1 or eax, xmm1 or xmm0, rax. */
  readonly code: readonly number[];
  readonly kind: "binary" | "unary" | "toInteger" | "fromInteger" | "compare" | "round";
  /** REX.W. */
  readonly wide?: boolean;
}

const round = (immediate: number): Row => ({ code: [0x3a, 0, 0xc1, immediate], kind: "round" });
// deno-fmt-ignore
const ROWS: Readonly<Record<string, Row>> = {
  add: { code: [0x58, 0xc1], kind: "binary" }, sub: { code: [0x5c, 0xc1], kind: "binary" },
  mul: { code: [0x59, 0xc1], kind: "binary" }, div: { code: [0x5e, 0xc1], kind: "binary" },
  min: { code: [0x5d, 0xc1], kind: "binary" }, max: { code: [0x5f, 0xc1], kind: "binary" },
  sqrt: { code: [0x51, 0xc1], kind: "unary" }, convert: { code: [0x5a, 0xc1], kind: "unary" },
  compare: { code: [0x2f, 0xc1], kind: "compare" }, compare_quiet: { code: [0x2e, 0xc1], kind: "compare" },
  to_i32: { code: [0x2d, 0xc1], kind: "toInteger" }, to_i64: { code: [0x2d, 0xc1], kind: "toInteger", wide: true },
  to_i32_trunc: { code: [0x2c, 0xc1], kind: "toInteger" },
  to_i64_trunc: { code: [0x2c, 0xc1], kind: "toInteger", wide: true },
  from_i32: { code: [0x2a, 0xc0], kind: "fromInteger" },
  from_i64: { code: [0x2a, 0xc0], kind: "fromInteger", wide: true },
  round_0: round(0), round_1: round(1), round_2: round(2), round_3: round(3), round_4: round(4), round_8: round(8),
  round_15: round(15),
};

function encode(row: Row, format: Format): Uint8Array {
  const double = format === F64;
  if (row.kind === "round") return Uint8Array.of(0x66, 0x0f, 0x3a, double ? 0x0b : 0x0a, ...row.code.slice(2));
  const prefix = row.kind === "compare" ? (double ? [0x66] : []) : [double ? 0xf2 : 0xf3];
  return Uint8Array.of(...prefix, ...(row.wide ? [0x48] : []), 0x0f, ...row.code);
}

function softCall(name: string, format: Format, row: Row, a: bigint, b: bigint, mxcsr: number): bigint {
  const typed = (v: bigint): number | bigint => format === F32 ? Number(v) | 0 : v;
  const full = `${format.name}_${name}` as SoftFloatName;
  switch (row.kind) {
    case "binary":
    case "compare":
      return soft.call(full, typed(a), typed(b), mxcsr);
    case "round":
      return soft.call(`${format.name as "f32"}_round`, typed(b), row.code[3], mxcsr);
    case "fromInteger":
      return soft.call(full, row.wide ? a : Number(BigInt.asIntN(32, a)), mxcsr);
  }
  if (name !== "convert") return soft.call(full, typed(b), mxcsr);
  return soft.call(format === F32 ? "f32_to_f64" : "f64_to_f32", typed(b), mxcsr);
}

function relation(flags: number): bigint {
  const known = flags & (FLAG.zf | FLAG.pf | FLAG.cf);
  return known & FLAG.pf ? 2n : known & FLAG.zf ? 0n : known & FLAG.cf ? 0xffffffffn : 1n;
}

function compareRow(cpu: NativeCpu, name: string, format: Format, row: Row): void {
  const operands = new Operands(name.length * 31 + format.sigBits);
  const inputs = new Uint8Array(CASES * STATE_SIZE), outputs = new Uint8Array(inputs.length);
  const state = new StateBlock(inputs), view = new DataView(inputs.buffer);
  const values: [bigint, bigint, number][] = [];
  for (let i = 0; i < CASES; i++) {
    state.at(i * STATE_SIZE).reset();
    cpu.prepare(state, 64);
    const a = row.kind === "fromInteger" ? operands.pattern(64) >> BigInt(operands.below(64)) : operands.sse(format);
    const b = operands.sse(format, a), mxcsr = operands.mxcsr();
    values.push([a, b, mxcsr]);
    state.mxcsr = mxcsr;
    state.setGpr("rax", a);
    for (const [register, value] of [a, b].entries()) {
      view.setBigUint64(state.xmm(register).byteOffset, value, true);
    }
  }
  cpu.runBatch({ mode: 64, code: encode(row, format), inputs, outputs });
  const out = new StateBlock(outputs), result = new DataView(outputs.buffer);
  values.forEach(([a, b, mxcsr], i) => {
    out.at(i * STATE_SIZE);
    const got = softCall(name, format, row, a, b, mxcsr);
    const trapped = out.trap === SIMD_EXCEPTION;
    assert(trapped || out.trap === TRAP.none, `${name}: trap ${out.trap}`);
    const wantFlags = out.mxcsr & FLAGS;
    const unmasked = wantFlags & ~(mxcsr >> 7) & FLAGS;
    const wide = format === F64 !== (name === "convert");
    const xmm = result.getBigUint64(out.xmm(0).byteOffset, true) & (wide ? ~0n : 0xffffffffn);
    const want = row.kind === "compare" ? relation(out.flags) : row.kind === "toInteger" ? out.gpr("rax") : xmm;
    const same = soft.flags === wantFlags && trapped === (unmasked !== 0) && (trapped || got === want);
    if (!same) assertEquals([got, soft.flags], [want, wantFlags], `${name} ${a} ${b} mxcsr ${mxcsr} trap ${out.trap}`);
  });
}

for (const format of [F32, F64]) {
  Deno.test({
    name: `defineSoftFloat() agrees with the host processor on ${format.name}${missing ? `: ${missing}` : ""}`,
    ignore: missing !== undefined,
    fn() {
      using cpu = NativeCpu.open();
      for (const [name, row] of Object.entries(ROWS)) compareRow(cpu, name, format, row);
    },
  });
}
