/**
 * Functions that emitted code calls by name and that are WebAssembly themselves: soft-float. One instance for each
 * processor, made when first asked for.
 * @module
 */
import type { FunctionType } from "../wasm/module.ts";

/** A support function. */
export interface SupportFunction {
  /** Its type. */
  readonly type: FunctionType;
  /** The exported function. */
  readonly func: CallableFunction;
}

/**
 * The support function `name` over a processor's memory.
 * @throws {TypeError} for an unknown name: a mistake in the instruction table.
 */
export function supportFunctions(_memory: WebAssembly.Memory, name: string): SupportFunction {
  throw new TypeError(`Cannot find the support function ${name}`);
}
