/**
 * The one soft-float of the engine, as WebAssembly functions: SSE scalars over bits, x87 over 16-byte slots of the
 * state memory. Each gives the masked response of Intel's processors and ORs its exceptions into an i32 of the state
 * memory (IE 1, DE 2, ZE 4, OE 8, UE 0x10, PE 0x20); x87 functions also leave C1 (0x200) there.
 *
 * SSE functions take MXCSR last. After an unmasked exception their result is meaningless and must not be written.
 *
 * x87 functions take slot addresses (u64 significand, u16 sign and exponent at +8), then the destination, then the
 * control word; destinations may be operands. They return exceptions and C0 to C3 at their places in the status word,
 * and {@linkcode NO_RESULT} if an unmasked exception left the destination unwritten. Unmasked overflow and underflow
 * write a register result whose exponent is adjusted by 24576, and leave memory results unwritten.
 * @module
 */
import type { Callee, FunctionBuilder, ModuleBuilder } from "../../wasm/module.ts";
import { type Expr, type I32, type I64, i64 } from "../../wasm/expr.ts";
import { add, div, mul, sqrt } from "./arithmetic.ts";
import { compare, minmax } from "./compare.ts";
import { convertSse, loadFloat, loadOperand, storeFloat } from "./convert.ts";
import { F32, F64, type Format, type Signature } from "./format.ts";
import * as integer from "./integer.ts";
import { Kit, parameters } from "./kit.ts";
import type { Operation } from "./operation.ts";
import { SseOperation } from "./sse.ts";
import { X87Operation } from "./x87.ts";
import { extract, remainder, scale } from "./x87_special.ts";

/** An SSE format by name. */
type Sse = "f32" | "f64";
/** Operations that exist for f32 and f64 alike. */
// deno-fmt-ignore
type SseName = "add" | "sub" | "mul" | "div" | "sqrt" | "min" | "max" | "compare" | "compare_quiet" | "round" | "from_i32" | "from_i64"
  | "to_i32" | "to_i64" | "to_i32_trunc" | "to_i64_trunc";
/** Operations on slots. */
// deno-fmt-ignore
type X87Name = "add" | "sub" | "mul" | "div" | "sqrt" | "prem" | "prem1" | "round" | "scale" | "extract" | "compare" | "compare_quiet"
  | "from_f32" | "from_f64" | "from_f32_operand" | "from_f64_operand" | "from_i64" | "from_bcd"
  | "to_f32" | "to_f64" | "to_i16" | "to_i32" | "to_i64" | "to_i16_trunc" | "to_i32_trunc" | "to_i64_trunc" | "to_bcd";
/** The name of a soft-float function. */
export type SoftFloatName = `${Sse}_${SseName}` | "f32_to_f64" | "f64_to_f32" | `f80_${X87Name}`;

/** One function: its type and the generator of its body. */
interface Row extends Signature {
  readonly build: (kit: Kit, f: FunctionBuilder) => void;
}

const rows = new Map<SoftFloatName, Row>();

// deno-fmt-ignore
const ARITHMETIC: Readonly<Record<"add" | "sub" | "mul" | "div", (op: Operation) => void>> = {
  add: (op) => add(op, false), sub: (op) => add(op, true), mul, div,
};

function sse(format: Format): void {
  const t = format.type, name = format.name as Sse;
  const row = (
    operation: SseName,
    params: Signature["params"],
    result: "i32" | "i64",
    build: (op: SseOperation, p: Expr[]) => void,
    operands: number,
  ): void => {
    rows.set(`${name}_${operation}`, {
      params,
      results: [result],
      build: (kit, f) => build(new SseOperation(kit, f, format, operands), parameters(f)),
    });
  };
  const unary = [t, "i32"] as const, binary = [t, t, "i32"] as const;
  for (const [k, build] of Object.entries(ARITHMETIC)) row(k as keyof typeof ARITHMETIC, binary, t, build, 2);
  row("sqrt", unary, t, sqrt, 1);
  row("min", binary, t, (op) => minmax(op, false), 2);
  row("max", binary, t, (op) => minmax(op, true), 2);
  row("compare", binary, "i32", (op) => compare(op, true), 2);
  row("compare_quiet", binary, "i32", (op) => compare(op, false), 2);
  row("round", [t, "i32", "i32"], t, (op, p) => integer.roundSse(op, p[1] as I32), 1);
  for (const type of ["i32", "i64"] as const) {
    row(`to_${type}`, unary, type, (op) => integer.toInteger(op, type, false), 1);
    row(`to_${type}_trunc`, unary, type, (op) => integer.toInteger(op, type, true), 1);
    row(`from_${type}`, [type, "i32"], t, (op, p) => integer.fromInteger(op, op.f.let(signed(p[0]))), 0);
  }
}

function signed(value: Expr): I64 {
  return value.type === "i32" ? i64.extend_i32_s(value as I32) : value as I64;
}

function x87(): void {
  const row = (name: X87Name, operands: number, build: (op: X87Operation) => void, destinations: number = 1): void => {
    rows.set(`f80_${name}`, {
      params: Array(operands + destinations + 1).fill("i32"),
      results: ["i32"],
      build: (kit, f) => build(new X87Operation(kit, f, operands)),
    });
  };
  for (const [k, build] of Object.entries(ARITHMETIC)) row(k as keyof typeof ARITHMETIC, 2, build);
  row("sqrt", 1, sqrt);
  row("prem", 2, (op) => remainder(op, false));
  row("prem1", 2, (op) => remainder(op, true));
  row("round", 1, integer.roundX87);
  row("scale", 2, scale);
  row("extract", 1, extract, 2);
  row("compare", 2, (op) => compare(op, true), 0);
  row("compare_quiet", 2, (op) => compare(op, false), 0);
  for (const format of [F32, F64]) {
    const name = format.name as Sse, t = format.type;
    row(`to_${name}`, 1, (op) => storeFloat(op, format));
    rows.set(`f80_from_${name}`, {
      params: [t, "i32", "i32"],
      results: ["i32"],
      build: (kit, f) => loadFloat(kit, f, format),
    });
    rows.set(`f80_from_${name}_operand`, {
      params: [t, "i32"],
      results: ["i32"],
      build: (kit, f) => loadOperand(kit, f, format),
    });
  }
  for (const width of [16, 32, 64] as const) {
    row(`to_i${width}`, 1, (op) => integer.storeInteger(op, width, false));
    row(`to_i${width}_trunc`, 1, (op) => integer.storeInteger(op, width, true));
  }
  row("to_bcd", 1, integer.storeDecimal);
  rows.set("f80_from_i64", { params: ["i64", "i32"], results: ["i32"], build: integer.loadInteger });
  rows.set("f80_from_bcd", { params: ["i32", "i32"], results: ["i32"], build: integer.loadDecimal });
}

sse(F32);
sse(F64);
// deno-fmt-ignore
for (const [name, from, to] of [["f32_to_f64", F32, F64], ["f64_to_f32", F64, F32]] as const) {
  rows.set(name, { params: [from.type, "i32"], results: [to.type], build: (kit, f) => convertSse(new SseOperation(kit, f, from, 1, to)) });
}
x87();

/** The names of all soft-float functions. */
export const SOFT_FLOAT_NAMES: readonly SoftFloatName[] = [...rows.keys()];

/** The type of each function. */
export const SOFT_FLOAT_SIGNATURES: ReadonlyMap<SoftFloatName, Signature> = rows;

/** Soft-float functions that a module can call. */
export interface SoftFloat {
  /** A function by name; made at first use where the module defines them. */
  callee(name: SoftFloatName): Callee;
}

/**
 * Adds soft-float functions to a module and exports them under their names.
 * @param module where they go; its imports must be complete
 * @param memory index of the state memory in it
 * @param flagsAt address of the i32 that accumulates flags
 * @param names the functions to make; others are made when asked for, and not exported
 */
export function defineSoftFloat(
  module: ModuleBuilder,
  memory: number,
  flagsAt: number,
  names: readonly SoftFloatName[] = SOFT_FLOAT_NAMES,
): SoftFloat {
  const kit = new Kit(module, memory, flagsAt);
  const callee = (name: SoftFloatName): Callee => {
    const row = rows.get(name)!;
    return kit.helper(name, row.params, row.results, (f) => row.build(kit, f));
  };
  for (const name of names) module.export(name, callee(name));
  return { callee };
}

/** Imports soft-float functions that another module exports, under their names. */
export function importSoftFloat(module: ModuleBuilder, from: string, names: readonly SoftFloatName[]): SoftFloat {
  const made = new Map<SoftFloatName, Callee>();
  for (const name of names) {
    const { params, results } = rows.get(name)!;
    made.set(name, module.importFunction(from, name, params, results));
  }
  return {
    callee(name: SoftFloatName): Callee {
      const known = made.get(name);
      if (!known) throw new TypeError(`Cannot call ${name}: it is not imported`);
      return known;
    },
  };
}
