/**
 * Functions that emitted code calls by name and that are WebAssembly themselves: soft-float, and what SIMD instructions
 * share. Each is a module of its own with what it calls, made when first asked for and kept for all processors; an
 * instance works on one processor's memory.
 * @module
 */
import { type FunctionType, ModuleBuilder } from "../wasm/module.ts";
import { defineSoftFloat, SOFT_FLOAT_SIGNATURES, type SoftFloatName } from "../x86/softfloat/softfloat.ts";
import { FP_FLAGS } from "../x86/state.ts";
import { importMemories, type ProcessorMemory } from "./processor_memory.ts";
import { defineSimdFunction, isSimdFunction } from "../x86/table/simd_functions.ts";
import { defineLaneFunction, isLaneFunction } from "../x86/table/simd_lanes.ts";

/** A support function. */
export interface SupportFunction {
  /** Its type. */
  readonly type: FunctionType;
  /** The exported function. */
  readonly func: CallableFunction;
}

/** Functions compiled so far, by name and by size and part of the memory. */
const compiled: Map<string, { readonly type: FunctionType; readonly module: WebAssembly.Module }> = new Map();
/** Instances, by the memory that they work on. */
const instances: WeakMap<WebAssembly.Memory, Map<string, SupportFunction>> = new WeakMap();
/** The processor's part, in the functions. */
const CPU = 0;

function build(name: string, processor: ProcessorMemory): { type: FunctionType; module: WebAssembly.Module } {
  const m = new ModuleBuilder();
  importMemories(m, processor);
  let type: FunctionType;
  if (isSimdFunction(name) || isLaneFunction(name)) {
    const f = isSimdFunction(name)
      ? defineSimdFunction(m, name)
      : defineLaneFunction(m, defineSoftFloat(m, CPU, FP_FLAGS, []), name);
    m.export(name, f);
    type = f.type;
  } else {
    const signature = SOFT_FLOAT_SIGNATURES.get(name as SoftFloatName);
    if (!signature) throw new TypeError(`Cannot find the support function ${name}`);
    type = { params: signature.params, results: signature.results };
    defineSoftFloat(m, CPU, FP_FLAGS, [name as SoftFloatName]);
  }
  return { type, module: new WebAssembly.Module(m.toBytes()) };
}

/**
 * The support function `name` over a processor's memory.
 * @throws {TypeError} for an unknown name: a mistake in the instruction table.
 */
export function supportFunctions(processor: ProcessorMemory, name: string): SupportFunction {
  const { memory, base } = processor;
  let known = instances.get(memory);
  if (!known) instances.set(memory, known = new Map());
  const id = `${name} ${memory.buffer.byteLength} ${base}`;
  let f = known.get(id);
  if (f) return f;
  let made = compiled.get(id);
  if (!made) compiled.set(id, made = build(name, processor));
  const instance = new WebAssembly.Instance(made.module, { e: { memory } });
  f = { type: made.type, func: instance.exports[name] as CallableFunction };
  known.set(id, f);
  return f;
}
