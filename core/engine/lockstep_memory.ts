/**
 * Guest memory of a machine that two engines run at once: the primary's, which the host sees; the secondary's; and the
 * shadow, what both had when they were last found alike. All three have the same layout, so a place in one arena is the
 * same place in the others.
 *
 * Which pages have been written is known from dirty marks, which are kept here whether the host asks for a log or not. A
 * write that leaves no mark is found by {@linkcode LockstepRam.compareAll}.
 * @module
 */
import type { BackendMemory, MappedRange } from "../kvm/backend.ts";
import { i32, load, op, v } from "../wasm/expr.ts";
import { ModuleBuilder } from "../wasm/module.ts";
import { Ram, type RamBlock } from "./ram.ts";
import type { SoftVm } from "./soft.ts";

const PAGE = 4096;
/** Bytes that are compared at once. */
const CHUNK = 128;
/** From so many marked pages on, the marks are taken back, so that comparing does not take longer and longer. */
const MANY_PAGES = 2048;

/** A piece of guest memory, three times. */
export class LockstepMemory implements BackendMemory {
  /** Whether the host wants a dirty log. */
  logs = false;
  /** What that log holds so far. */
  readonly log: Uint8Array;
  /** Dirty marks when both were last found alike. */
  readonly marksBefore: Uint8Array;

  /** Three blocks at the same place. */
  constructor(readonly primary: RamBlock, readonly secondary: RamBlock, readonly shadow: RamBlock) {
    this.log = new Uint8Array(primary.dirty.length);
    this.marksBefore = new Uint8Array(primary.dirty.length);
  }

  get bytes(): Uint8Array {
    this.secondary.exposed = true;
    return this.primary.bytes;
  }

  read(offset: number, into: Uint8Array): void {
    this.primary.read(offset, into);
  }

  write(offset: number, bytes: Uint8Array): void {
    for (const block of [this.primary, this.secondary, this.shadow]) block.write(offset, bytes);
  }

  /** Decoded code in it is to be compared with its bytes when it runs next: they are written behind the engines' backs. */
  expose(): void {
    this.primary.exposed = this.secondary.exposed = true;
  }
}

/** The memories. */
export class LockstepRam {
  readonly #primary: SoftVm;
  readonly #secondary: SoftVm;
  readonly #shadow: Ram = new Ram();
  readonly #memories: LockstepMemory[] = [];
  /** Where primary and secondary differ. */
  readonly #pair: Comparer;
  /** Where the primary differs from the shadow. */
  readonly #change: Comparer;

  /** @throws KvmError ENOMEM when the host gives no memory. */
  constructor(primary: SoftVm, secondary: SoftVm) {
    this.#primary = primary;
    this.#secondary = secondary;
    this.#pair = comparer(primary.ram, secondary.ram);
    this.#change = comparer(primary.ram, this.#shadow);
  }

  /** See BackendVm. */
  allocate(size: number): LockstepMemory {
    const blocks: [Ram, RamBlock][] = [];
    try {
      for (const ram of [this.#primary.ram, this.#secondary.ram, this.#shadow]) blocks.push([ram, ram.allocate(size)]);
    } catch (error) {
      for (const [ram, block] of blocks) ram.release(block);
      throw error;
    }
    const [[, primary], [, secondary], [, shadow]] = blocks;
    const memory = new LockstepMemory(primary, secondary, shadow);
    this.#memories.push(memory);
    return memory;
  }

  /** See BackendVm. */
  release(memory: LockstepMemory): void {
    this.#memories.splice(this.#memories.indexOf(memory), 1);
    this.#primary.ram.release(memory.primary);
    this.#secondary.ram.release(memory.secondary);
    this.#shadow.release(memory.shadow);
  }

  /** See BackendVm. */
  map(ranges: readonly MappedRange[]): void {
    for (const memory of this.#memories) {
      this.#takeMarks(memory);
      memory.logs = ranges.some((r) => r.memory === memory && r.log);
    }
    const of = (pick: (memory: LockstepMemory) => RamBlock) =>
      ranges.map((r) => ({ ...r, memory: pick(r.memory as LockstepMemory), log: true }));
    this.#primary.map(of((memory) => memory.primary));
    this.#secondary.map(of((memory) => memory.secondary));
  }

  /** See BackendVm. */
  harvestDirty(memory: LockstepMemory, bitmap: Uint8Array): void {
    this.#takeMarks(memory);
    for (let i = 0; i < memory.log.length; i++) bitmap[i] |= memory.log[i];
    memory.log.fill(0);
  }

  /** Moves the marks of both engines to the host's log. */
  #takeMarks(memory: LockstepMemory): void {
    if (memory.logs) memory.primary.dirty.forEach((byte, i) => memory.log[i] |= byte);
    const nobody = new Uint8Array(memory.log.length);
    this.#primary.harvestDirty(memory.primary, nobody);
    this.#secondary.harvestDirty(memory.secondary, nobody);
    memory.marksBefore.fill(0);
  }

  /** Gives the secondary and the shadow what the host has written since both were found alike. */
  takeHostWrites(): void {
    for (const memory of this.#memories) {
      if (!memory.primary.exposed) continue;
      for (const page of this.#changedPages(memory)) {
        this.#copy(this.#primary.ram, this.#secondary.ram, page);
        this.#copy(this.#primary.ram, this.#shadow, page);
      }
    }
  }

  /** A place where the memories differ in a page that was written; −1 if there is none. */
  compare(): number {
    for (const memory of this.#memories) {
      for (const page of markedPages(memory)) {
        const place = this.#pair(page, page + PAGE);
        if (place >= 0) return place;
      }
    }
    return -1;
  }

  /** All places in pages that were written where 8 bytes differ, a multiple of 8 each. */
  *differences(): Iterable<number> {
    for (const memory of this.#memories) {
      for (const page of markedPages(memory)) {
        for (let at = page; at < page + PAGE; at += 8) if (!this.#sameAt(at)) yield at;
      }
    }
  }

  /** The first 8 bytes, as a multiple of 8, where the memories differ at all; −1 if there are none. */
  compareAll(): number {
    for (const { primary: { start, size } } of this.#memories) {
      let place = this.#pair(start, start + size);
      if (place < 0) continue;
      while (this.#sameAt(place)) place += 8;
      return place;
    }
    return -1;
  }

  #sameAt(place: number): boolean {
    const a = this.#primary.ram.u32, b = this.#secondary.ram.u32, word = place >>> 2;
    return a[word] === b[word] && a[word + 1] === b[word + 1];
  }

  /** The first page that only one of the engines has marked dirty, as a place and who has; null if there is none. */
  markDifference(): { readonly place: number; readonly primary: boolean } | null {
    for (const { primary, secondary } of this.#memories) {
      const a = primary.dirty, b = secondary.dirty;
      for (let i = 0; i < a.length; i++) {
        if (a[i] === b[i]) continue;
        const bit = 31 - Math.clz32((a[i] ^ b[i]) & -(a[i] ^ b[i]));
        return { place: primary.start + (i * 8 + bit) * PAGE, primary: (a[i] >> bit & 1) !== 0 };
      }
    }
    return null;
  }

  /** Both are alike: this is what {@linkcode rewind} goes back to. */
  commit(): void {
    for (const memory of this.#memories) {
      const pages = markedPages(memory);
      for (const page of pages) this.#copy(this.#primary.ram, this.#shadow, page);
      if (pages.length >= MANY_PAGES) this.#takeMarks(memory);
      else memory.marksBefore.set(memory.primary.dirty);
    }
  }

  /** Puts both memories back to what they were at the last {@linkcode commit}. The TLBs must be flushed then. */
  rewind(): void {
    for (const memory of this.#memories) {
      const { primary, secondary, marksBefore } = memory;
      memory.expose();
      for (const page of markedPages(memory)) {
        this.#copy(this.#shadow, this.#primary.ram, page);
        this.#copy(this.#shadow, this.#secondary.ram, page);
      }
      primary.dirty.set(marksBefore);
      secondary.dirty.set(marksBefore);
    }
  }

  /** Both are alike everywhere, as {@linkcode compareAll} has found: as {@linkcode commit}, for writes without marks. */
  commitAll(): void {
    for (const memory of this.#memories) {
      for (const page of this.#changedPages(memory)) this.#copy(this.#primary.ram, this.#shadow, page);
    }
  }

  /** Places of the pages where the primary differs from the shadow, each found when the one before it was dealt with. */
  *#changedPages({ primary: { start, size } }: LockstepMemory): Iterable<number> {
    for (let from = start; from !== start + size;) {
      const place = this.#change(from, start + size);
      if (place < 0) return;
      const page = place - place % PAGE;
      yield page;
      from = page + PAGE;
    }
  }

  #copy(from: Ram, to: Ram, page: number): void {
    to.u8.set(from.u8.subarray(page, page + PAGE), page);
  }
}

/** Places of the pages that either engine has marked dirty. */
function markedPages({ primary, secondary }: LockstepMemory): number[] {
  const pages: number[] = [];
  for (let i = 0; i < primary.dirty.length; i++) {
    const byte = primary.dirty[i] | secondary.dirty[i];
    for (let bit = 0; byte >> bit !== 0; bit++) {
      if (byte >> bit & 1) pages.push(primary.start + (i * 8 + bit) * PAGE);
    }
  }
  return pages;
}

/** The first place of `[from, to)`, both multiples of a page, where two arenas differ, to a chunk; −1 if they do not. */
type Comparer = (from: number, to: number) => number;

let module: WebAssembly.Module | undefined;

function comparer(a: Ram, b: Ram): Comparer {
  module ??= new WebAssembly.Module(buildComparer());
  const { exports } = new WebAssembly.Instance(module, { e: { a: a.memory, b: b.memory } });
  const compare = exports.compare as Comparer;
  return (from, to) => {
    const place = compare(from, to);
    return place === (to | 0) ? -1 : place >>> 0;
  };
}

function buildComparer(): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const a = m.importMemory("e", "a", { initial: 1 }), b = m.importMemory("e", "b", { initial: 1 });
  const f = m.function("compare", ["i32", "i32"], ["i32"]);
  const at = f.param(0, "i32"), end = f.param(1, "i32");
  f.loop((again) => {
    const parts = Array.from({ length: CHUNK / 16 }, (_, n) => {
      const of = (memory: number) => load<"v128">("v128.load", f.get(at), { offset: n * 16, memory });
      return v("v128.xor", of(a), of(b));
    });
    f.if(op<"i32">("v128.any_true", parts.reduce((x, y) => v("v128.or", x, y))), () => f.return(f.get(at)));
    f.set(at, i32.add(f.get(at), i32.const(CHUNK)));
    f.brIf(again, i32.ne(f.get(at), f.get(end)));
  });
  f.return(f.get(end));
  m.export("compare", f);
  return m.toBytes();
}
