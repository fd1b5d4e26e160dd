/**
 * Packed floating-point operations by soft-float, lane by lane, as functions: what the short way of an instruction leaves
 * over. Called by name through {@linkcode Ctx.support}: `f32x4_add` and so on, operands and MXCSR.
 * @module
 */
import { type Expr, type I32, i32, lane, replaceLane, v, type V128 } from "../../wasm/expr.ts";
import type { FunctionBuilder, ModuleBuilder } from "../../wasm/module.ts";
import type { SoftFloat } from "../softfloat/softfloat.ts";
import { DOUBLE, type Float, isOrdinary, SINGLE } from "./simd_kit.ts";
import { allLanes, type Arithmetic, exactZero, plainLanes, safeLanes } from "./sse_float.ts";

/** Operations: the four of arithmetic, with zeros where they are exact; others by soft-float alone. */
const ARITHMETIC = ["add", "sub", "mul", "div"] as const, OTHER = ["addsub", "min", "max", "sqrt"] as const;
type Operation = typeof ARITHMETIC[number] | typeof OTHER[number];

/** The name of a function. */
export type LaneFunction = `${Float["shape"]}_${Operation}`;

const NAME = new RegExp(`^(f32x4|f64x2)_(${[...ARITHMETIC, ...OTHER].join("|")})$`);

/** Whether there is a function of this name. */
export function isLaneFunction(name: string): name is LaneFunction {
  return NAME.test(name);
}

/** Adds a function to a module in which soft-float is. */
export function defineLaneFunction(m: ModuleBuilder, soft: SoftFloat, name: LaneFunction): FunctionBuilder {
  const [shape, operation] = name.split("_") as [Float["shape"], Operation];
  const t = shape === "f32x4" ? SINGLE : DOUBLE, unary = operation === "sqrt";
  const f = m.function(name, unary ? ["v128", "i32"] : ["v128", "v128", "i32"], ["v128"]);
  const all: Expr[] = f.type.params.map((type, i) => f.get(f.param(i, type)));
  const operands = all.slice(0, -1) as V128[], csr = all[all.length - 1] as I32;
  if ((ARITHMETIC as readonly string[]).includes(operation)) withZeros(f, t, operation as Arithmetic, operands, csr);
  const lanes = Array.from({ length: t.lanes }, (_, n) => {
    const scalar = operation === "addsub" ? (n & 1 ? "add" : "sub") : operation;
    const args = operands.map((x) => lane(`${t.bits}.extract_lane`, x, n));
    return f.let(f.callExpr(soft.callee(`${t.name}_${scalar}`), t.type, ...args, csr));
  });
  f.return(
    lanes.slice(1).reduce<V128>(
      (r, x, n) => replaceLane(`${t.bits}.replace_lane`, r, n + 1, x),
      v(`${t.bits}.splat`, lanes[0]),
    ),
  );
  return f;
}

/** Returns what the operator of WebAssembly gives if zeros are all that the short way was left for. */
function withZeros(f: FunctionBuilder, t: Float, name: Arithmetic, [a, b]: readonly V128[], csr: I32): void {
  const r = f.let(v(`${t.shape}.${name}`, a, b));
  const safe = [plainLanes(t, b), safeLanes(t, r, exactZero(t, name, a, b))]
    .reduce((x, y) => v("v128.and", x, y), plainLanes(t, a));
  f.if(i32.and(isOrdinary(csr), allLanes(t, safe)), () => f.return(r));
}
