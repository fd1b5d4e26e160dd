/**
 * Memory of one machine: one WebAssembly memory that all slots and the processors' own memory live in, the guest-physical
 * map over it, dirty marks and the marks of pages that hold decoded code.
 * @module
 */
import type { BackendMemory, MappedRange } from "../kvm/backend.ts";
import { KvmError } from "../kvm/kvm_error.ts";

const PAGE = 4096;
const WASM_PAGE = 65536;

/** A piece of guest memory within the arena. */
export class RamBlock implements BackendMemory {
  /** Whether the host has ever been given a view of it: then code in it is verified whenever a run begins. */
  exposed = false;
  /** Whether code in it has ever been decoded. */
  holdsCode = false;
  /** Dirty marks, one bit a page. */
  readonly dirty: Uint8Array;

  /** `size` bytes at `start` of the arena. */
  constructor(readonly ram: Ram, readonly start: number, readonly size: number) {
    this.dirty = new Uint8Array(Math.ceil(size / PAGE / 8));
  }

  get bytes(): Uint8Array {
    this.exposed = true;
    return new Uint8Array(this.ram.memory.buffer, this.start, this.size);
  }

  read(offset: number, into: Uint8Array): void {
    const place = this.start + offset;
    into.set(this.ram.u8.subarray(place, place + into.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.ram.write(this.start + offset, bytes);
  }
}

/** A mapped range with its place in the arena. */
export interface RamRange {
  /** Guest-physical start. */
  readonly gpa: number;
  /** First address behind it. */
  readonly end: number;
  /** Place in the arena of `gpa`. */
  readonly place: number;
  /** The block. */
  readonly block: RamBlock;
  /** Whether writes mark pages dirty. */
  readonly log: boolean;
}

/** Sizes tried for the arena, in 64 KiB pages: what a host refuses is halved. */
const ARENA_SIZES = [65536, 32768, 16384, 8192, 4096];

/** The arena and the map. */
export class Ram {
  /** The memory of all emitted modules. */
  readonly memory: WebAssembly.Memory;
  /** The arena as bytes. */
  readonly u8: Uint8Array;
  /** The arena as 32-bit words. */
  readonly u32: Uint32Array;
  /** One byte for each arena page: nonzero if decoded code came from it. */
  readonly code: Uint8Array;
  /** The map, by address. */
  ranges: RamRange[] = [];
  /** Told of bytes, within one page that holds decoded code, that the host has written. */
  codeTouched: (place: number, length: number) => void = () => {};
  readonly #blocks: RamBlock[] = [];
  readonly #used: { start: number; end: number }[] = [];
  #last: RamRange | null = null;

  /** @throws KvmError ENOMEM when the host gives no memory at all. */
  constructor() {
    let memory: WebAssembly.Memory | undefined;
    for (const pages of ARENA_SIZES) {
      try {
        memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
        break;
      } catch {
        // The host refuses this much address space; the next size is half of it.
      }
    }
    if (!memory) throw new KvmError("ENOMEM", "create a machine", "the host refuses 256 MiB of address space");
    this.memory = memory;
    this.u8 = new Uint8Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.code = new Uint8Array(this.u8.length / PAGE);
  }

  /** Whether any block that holds decoded code has been handed to the host. */
  get exposed(): boolean {
    for (const b of this.#blocks) if (b.exposed && b.holdsCode) return true;
    return false;
  }

  /** Notes that code in the page at `place` is decoded. */
  markCode(place: number): void {
    this.code[place / PAGE] = 1;
    for (const b of this.#blocks) if (place >= b.start && place < b.start + b.size) b.holdsCode = true;
  }

  /** A zeroed block. */
  allocate(size: number): RamBlock {
    const need = Math.ceil(size / WASM_PAGE) * WASM_PAGE;
    let start = 0, i = 0;
    for (; i < this.#blocks.length; i++) {
      if (this.#blocks[i].start - start >= need) break;
      start = this.#blocks[i].start + Math.ceil(this.#blocks[i].size / WASM_PAGE) * WASM_PAGE;
    }
    if (start + need > this.u8.length) {
      throw new KvmError(
        "ENOMEM",
        `allocate ${size} bytes of guest memory`,
        `${this.u8.length} bytes are all there is`,
      );
    }
    const block = new RamBlock(this, start, size);
    this.#blocks.splice(i, 0, block);
    this.#clearUsed(start, start + need);
    return block;
  }

  /** Gives a block back. */
  release(block: RamBlock): void {
    this.#blocks.splice(this.#blocks.indexOf(block), 1);
    this.#used.push({ start: block.start, end: block.start + block.size });
  }

  /** Zeroes what earlier blocks left in `[start, end)`: fresh arena pages are zero and stay untouched. */
  #clearUsed(start: number, end: number): void {
    for (const u of this.#used) {
      if (u.start < end && u.end > start) this.u8.fill(0, Math.max(u.start, start), Math.min(u.end, end));
    }
  }

  /** A host write, of which those are told who have decoded code. */
  write(place: number, bytes: Uint8Array): void {
    this.u8.set(bytes, place);
    for (let at = place, end = place + bytes.length; at < end;) {
      const next = Math.min(at - at % PAGE + PAGE, end);
      if (this.code[Math.floor(at / PAGE)] !== 0) this.codeTouched(at, next - at);
      at = next;
    }
  }

  /** Replaces the map. */
  map(ranges: readonly MappedRange[]): void {
    this.#last = null;
    this.ranges = ranges.map((r) => {
      const block = r.memory as RamBlock;
      return { gpa: r.gpa, end: r.gpa + r.size, place: block.start + r.offset, block, log: r.log };
    });
  }

  /** The range that holds a guest-physical address, or null. */
  lookup(gpa: number): RamRange | null {
    const last = this.#last;
    if (last !== null && gpa >= last.gpa && gpa < last.end) return last;
    let low = 0, high = this.ranges.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      const r = this.ranges[mid];
      if (gpa < r.gpa) high = mid;
      else if (gpa >= r.end) low = mid + 1;
      else return this.#last = r;
    }
    return null;
  }

  /** Whether the page at `place` of a range is marked dirty. */
  isDirty(range: RamRange, place: number): boolean {
    const page = (place - range.block.start) >>> 12;
    return (range.block.dirty[page >> 3] & (1 << (page & 7))) !== 0;
  }

  /** Marks the page at `place` dirty if the range logs. */
  markDirty(range: RamRange, place: number): void {
    if (!range.log) return;
    const page = (place - range.block.start) >>> 12;
    range.block.dirty[page >> 3] |= 1 << (page & 7);
  }
}
