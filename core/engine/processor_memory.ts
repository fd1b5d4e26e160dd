/**
 * The memory of emitted modules. There is one WebAssembly memory a machine, which a compiler can keep at hand: a part of it
 * is the processor's (memory 0 in emitted code), and guest memory is reached from its beginning on (memory 1).
 * @module
 */
import type { ModuleBuilder } from "../wasm/module.ts";

/** Where a processor's state and guest memory are. */
export interface ProcessorMemory {
  /** The machine's memory, which does not grow. */
  readonly memory: WebAssembly.Memory;
  /** Where state block, TLBs and records begin. */
  readonly base: number;
}

const WASM_PAGE = 65536;

/** Imports both parts. */
export function importMemories(m: ModuleBuilder, { memory, base }: ProcessorMemory): void {
  const pages = memory.buffer.byteLength / WASM_PAGE;
  const limits = { initial: pages, maximum: pages };
  m.importMemory("e", "memory", limits, base);
  m.importMemory("e", "memory", limits);
}
