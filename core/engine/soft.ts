/**
 * The soft backend: a machine is an arena of guest memory and its processors.
 * @module
 */
import type { Backend, BackendMemory, BackendVcpu, BackendVm, MappedRange } from "../kvm/backend.ts";
import { MSR_INDEX_LIST } from "../x86/system/msr.ts";
import { SoftVcpu } from "./cpu.ts";
import { Ram, type RamBlock } from "./ram.ts";

/**
 * Which executor runs the guest: `auto` interprets and translates what is hot; `interpreter` never translates;
 * `translator` translates whatever can be before it first runs, for tests.
 */
export type Engine = "auto" | "interpreter" | "translator";

/** How the soft backend is made. */
export interface SoftOptions {
  /** The executor; `auto` unless told. */
  readonly engine?: Engine;
  /** What the time-stamp counters count; the instructions unless told. */
  readonly timestamp?: Timestamp;
}

/**
 * What a time-stamp counter counts, given how many instructions its processor has executed: a whole number of ticks below
 * 2^53 that never goes back.
 */
export type Timestamp = (instructions: number) => number;

/** A machine of the soft backend. */
export class SoftVm implements BackendVm {
  /** Its memory. */
  readonly ram: Ram = new Ram();
  readonly #vcpus: SoftVcpu[] = [];

  constructor(readonly engine: Engine = "auto", readonly timestamp: Timestamp = (instructions) => instructions) {
    this.ram.codeTouched = (place, length) => this.codeTouched(place, length);
  }

  allocate(size: number): BackendMemory {
    return this.ram.allocate(size);
  }

  release(memory: BackendMemory): void {
    this.ram.release(memory as RamBlock);
  }

  map(ranges: readonly MappedRange[]): void {
    this.ram.map(ranges);
    for (const v of this.#vcpus) v.memoryChanged();
  }

  harvestDirty(memory: BackendMemory, bitmap: Uint8Array): void {
    const { dirty } = memory as RamBlock;
    for (let i = 0; i < dirty.length; i++) bitmap[i] |= dirty[i];
    dirty.fill(0);
    for (const v of this.#vcpus) v.flushTlb(true);
  }

  createVcpu(_id: number): BackendVcpu {
    const v = new SoftVcpu(this);
    this.#vcpus.push(v);
    return v;
  }

  /** An arena page now holds decoded code: no processor may write it unseen. */
  protectPage(place: number): void {
    for (const v of this.#vcpus) v.protectPage(place);
  }

  /** Whether a write changes bytes that some processor has decoded. */
  changesCode(place: number, length: number): boolean {
    return this.#vcpus.some((v) => v.covers(place, length));
  }

  /** A processor wrote to a page that holds decoded code. */
  codeTouched(place: number, length: number): void {
    const page = Math.floor(place / 4096) * 4096;
    if (!this.changesCode(place, length)) return;
    for (const v of this.#vcpus) v.codeWritten(page);
    this.ram.code[page / 4096] = 0;
  }

  /** A processor was closed. */
  forget(vcpu: SoftVcpu): void {
    const i = this.#vcpus.indexOf(vcpu);
    if (i >= 0) this.#vcpus.splice(i, 1);
  }

  [Symbol.dispose](): void {
    this.#vcpus.length = 0;
  }
}

/** The software engine. Needs no permission and runs wherever WebAssembly has tail calls. */
export function createSoftBackend(options: SoftOptions = {}): Backend {
  return {
    name: "soft",
    msrIndexList: () => Uint32Array.from(MSR_INDEX_LIST),
    createVm: () => new SoftVm(options.engine, options.timestamp),
    [Symbol.dispose]() {},
  };
}
