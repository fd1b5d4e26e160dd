/**
 * Decoded code: for each page of guest memory and mode, the records of the instructions found in it, in runs that the
 * interpreter threads through.
 * @module
 */
import { Decoder, MAX_LENGTH } from "../x86/decode.ts";
import type { InsnTable } from "../x86/insn.ts";
import { MODE_BITS, MODE_CODE, MODE_PROTECTED, MODE_USER } from "../x86/mode.ts";
import * as S from "../x86/state.ts";
import { FIRST_FREE, H_NEXT, H_RAISE, H_STALE, H_STRADDLE, type Handlers } from "./handlers.ts";
import type { Ram } from "./ram.ts";
import { type Block, otherEntries, type RecordInfo, regionGraph } from "./region_graph.ts";
import { type Shape, shapeOf, unpackShape } from "./shape.ts";
import { ELSEWHERE } from "./branch_target.ts";

/** Most instructions in a run: also how far a budget can be overrun before stepping takes over. */
export const RUN_MAX = 48;
/** Records are handed to pages in chunks of this many bytes. */
const CHUNK = 4096;
/** A record is hot that two samples have met, which stand for so many instructions together. */
const HOT = 100_000;
/** The same for a page's records together that are in no region. */
const HOT_PAGE = 500_000;
/** The same for a record that is in a region already, but not its first: another one would have the same code. */
const HOT_AGAIN = 3_000_000;
/** How often a region is made anew with code that was not known before. */
const REMADE_MAX = 4;
/** Most targets of an absolute jump. */
const TARGETS_MAX = 32;
/** Most pages in a region. */
const PAGES_MAX = 5;
const LEAVE: RecordInfo = { kind: "leave", target: 0 };
const RETURN: RecordInfo = { kind: "return", target: 0 };
const END: RecordInfo = { kind: "end", target: 0 };
const PLAIN: RecordInfo = { kind: "plain", target: 0 };
const CODE_SIZES = [16, 32, 64] as const;
/** R_SCALE of the record that ends a run: it is no instruction, and its place is that of the one before. */
export const BEHIND = 0xff;
/** #UD and #GP. */
const UD = 6, GP = 13;

function pageKey(place: number, mode: number, limit: number): number {
  return (place / 4096 * (1 << MODE_BITS) + mode) * 4096 + (limit & 4095);
}

/** An instruction that reaches into the next page. */
interface Straddling {
  /** The record that executes it. */
  readonly record: number;
  /** Arena address of the next page. */
  readonly next: number;
  /** Bytes of the instruction, or, if it is none, those that say so. */
  readonly length: number;
  /** The bytes in the next page. */
  readonly bytes: Uint8Array;
  /** Epoch in which they were last compared. */
  epoch: number;
}

interface TranslatedRegion {
  /** Table index. */
  readonly slot: number;
  /** The records that it is entered at, with the table indices of their interpreter's handlers. */
  readonly entries: ReadonlyMap<number, number>;
  /** Linear address of the page that it begins in. */
  readonly base: number;
  /** The pages whose code it holds. */
  readonly pages: ReadonlySet<CodePage>;
  /** Its records. */
  readonly records: readonly number[];
  /** Records that it is left for. */
  readonly exits: ReadonlySet<number>;
}

/** The decoded code of one page in one mode, as far as one segment limit reaches. */
class CodePage {
  /** Record of the instruction at an offset. */
  readonly records: Map<number, number> = new Map();
  /** Chunks owned. */
  readonly chunks: number[] = [];
  /** Next free record and end of the last chunk. */
  cursor = 0;
  end = 0;
  /** Bytes decoded, as [start, end) pairs, and a copy of them, to find host writes. */
  readonly spans: { start: number; bytes: Uint8Array }[] = [];
  /** Entries of the regions that hold code of it. */
  readonly regions: Set<number> = new Set();
  /** For how many instructions samples of records in no region stand, since the last region was made. */
  heat = 0;
  /** Epoch in which it was last verified. */
  epoch: number;

  /** `limit`: the offset in the page from which the code segment does not reach, 4096 if it reaches the end. */
  constructor(readonly place: number, readonly mode: number, readonly limit: number, epoch: number) {
    this.epoch = epoch;
  }

  /** The key by which it is found. */
  get key(): number {
    return pageKey(this.place, this.mode, this.limit);
  }
}

/** Decoded code of one processor. */
export class CodeCache {
  readonly #pages: Map<number, CodePage> = new Map();
  /** Which pages exist for a place, so that a write finds them. */
  readonly #places: Map<number, CodePage[]> = new Map();
  /** Byte map of each place: a bit for each byte that is part of a decoded instruction. */
  readonly #covered: Map<number, Uint8Array> = new Map();
  readonly #owner: (CodePage | null)[] = [];
  readonly #free: number[] = [];
  #quarantine: number[] = [];
  #top = S.RECORDS + CHUNK;
  readonly #decoder: Decoder;
  /** What straddling instructions are, by the record at which they begin. */
  readonly #straddling: Map<number, Straddling> = new Map();
  /** The records at which instructions begin that reach into a page. */
  readonly #reaching: Map<number, Set<number>> = new Map();

  /** The records of single steps and straddling instructions. */
  static readonly SCRATCH: number = S.RECORDS;

  constructor(
    readonly table: InsnTable,
    readonly handlers: Handlers,
    readonly ram: Ram,
    readonly memory: { readonly u8: Uint8Array; readonly u16: Uint16Array; readonly i32: Int32Array },
    has: (feature: string) => boolean,
    /** The record of the code at a linear address, if that is known in the present mode; or 0. */
    readonly recall: (linear: number) => number,
  ) {
    this.#decoder = new Decoder(table, has);
  }

  /** The code page that a record belongs to; null for scratch records. */
  ownerOf(record: number): unknown {
    return this.#owner[(record - S.RECORDS) >> 12] ?? null;
  }

  /**
   * The record of the instruction at `offset` of the arena page at `place`, decoding if need be.
   * @param limit Offset in the page from which the code segment does not reach, or 4096 and more.
   */
  lookup(place: number, offset: number, mode: number, limit: number, epoch: number): number {
    const reach = Math.min(limit, 4096), key = pageKey(place, mode, reach);
    let page = this.#pages.get(key);
    if (page !== undefined && page.epoch !== epoch) {
      page.epoch = epoch;
      if (!this.#intact(page)) {
        this.invalidate(place);
        page = undefined;
      }
    }
    if (page === undefined) {
      page = new CodePage(place, mode, reach, epoch);
      this.#pages.set(key, page);
      const list = this.#places.get(place);
      if (list) list.push(page);
      else this.#places.set(place, [page]);
      this.ram.markCode(place);
    }
    return page.records.get(offset) ?? this.#decodeRun(page, offset);
  }

  #intact(page: CodePage): boolean {
    const { u8 } = this.ram;
    for (const s of page.spans) {
      const at = page.place + s.start;
      for (let i = 0; i < s.bytes.length; i++) if (u8[at + i] !== s.bytes[i]) return false;
    }
    return true;
  }

  /** Whether a write of `length` bytes at arena address `at` (within a page) changes decoded bytes. */
  covers(at: number, length: number): boolean {
    const map = this.#covered.get(at & ~4095 | 0) ?? this.#covered.get(Math.floor(at / 4096) * 4096);
    if (!map) return false;
    for (let i = at % 4096, n = Math.min(i + length, 4096); i < n; i++) if (map[i >> 3] & (1 << (i & 7))) return true;
    return false;
  }

  /** Whether code of the arena page at `place` is decoded here. */
  holds(place: number): boolean {
    return this.#places.has(place);
  }

  /** Forgets the code of an arena page; records in it send whoever runs them back to the run loop. */
  invalidate(place: number): void {
    for (const record of this.#reaching.get(place) ?? []) this.#straddling.delete(record);
    this.#reaching.delete(place);
    this.#covered.delete(place);
    const list = this.#places.get(place);
    if (!list) return;
    for (const page of list) {
      for (const entry of page.regions) this.#dropRegion(entry);
      for (const chunk of page.chunks) {
        for (let r = chunk; r < chunk + CHUNK; r += S.RECORD_SIZE) {
          this.#heat.delete(r);
          this.#targets.delete(r);
          this.#straddling.delete(r);
        }
        for (let r = chunk; r < chunk + CHUNK; r += S.RECORD_SIZE) this.memory.i32[r >> 2] = H_STALE;
        this.#quarantine.push(chunk);
      }
      this.#pages.delete(page.key);
    }
    this.#places.delete(place);
  }

  /** Forgets everything: CPUID or guest memory changed. */
  clear(): void {
    for (const place of [...this.#places.keys(), ...this.#reaching.keys()]) this.invalidate(place);
  }

  /** Frees the records of forgotten pages; no record may be running. Returns whether the jump cache must be cleared. */
  reclaim(): boolean {
    if (!this.#quarantine.length) return false;
    for (const chunk of this.#quarantine) {
      this.#owner[(chunk - S.RECORDS) >> 12] = null;
      this.#free.push(chunk);
    }
    this.#quarantine = [];
    return true;
  }

  #room(page: CodePage): void {
    if (page.end - page.cursor >= (RUN_MAX + 1) * S.RECORD_SIZE) return;
    let chunk = this.#free.pop();
    if (chunk === undefined) {
      if (this.#top + CHUNK > this.memory.u8.length) {
        // The oldest page makes room; Map keeps insertion order.
        for (const place of this.#places.keys()) {
          if (place === page.place) continue;
          this.invalidate(place);
          if (this.#quarantine.length > 64) break;
        }
        this.reclaim();
        chunk = this.#free.pop()!;
        this.memory.u8.fill(0xff, S.JUMP_CACHE, S.JUMP_CACHE + S.JUMP_ENTRIES * 16);
      } else {
        chunk = this.#top;
        this.#top += CHUNK;
      }
    }
    for (let r = chunk; r < chunk + CHUNK; r += S.RECORD_SIZE) this.memory.i32[r >> 2] = H_STALE;
    page.chunks.push(chunk);
    page.cursor = chunk;
    page.end = chunk + CHUNK;
    this.#owner[(chunk - S.RECORDS) >> 12] = page;
  }

  #decodeRun(page: CodePage, start: number): number {
    this.#room(page);
    const d = this.#decoder;
    const { u8 } = this.ram, { limit } = page;
    const code = CODE_SIZES[page.mode & MODE_CODE];
    const first = page.cursor;
    let at = first, offset = start, count = 0;
    for (;;) {
      const known = page.records.get(offset);
      if (known !== undefined && count > 0 || count === RUN_MAX || (offset >= 4096 && count > 0)) {
        this.#pseudo(at, H_NEXT, offset, count - 1);
        at += S.RECORD_SIZE;
        break;
      }
      const status = d.decode(u8, page.place + offset, page.place + limit, code);
      page.records.set(offset, at);
      if (status === "truncated") {
        if (limit < 4096) this.#raise(at, offset, count, GP, 0);
        else this.#pseudo(at, H_STRADDLE, offset, count);
        at += S.RECORD_SIZE;
        count++;
        break;
      }
      if (status === "ok") this.#record(at, offset, count, page.mode);
      else this.#raise(at, offset, count, status === "long" ? GP : UD, status === "long" ? 0 : -1);
      at += S.RECORD_SIZE;
      count++;
      offset += d.length;
      if (status !== "ok" || d.form.row.attributes.ends) {
        this.#pseudo(at, H_NEXT, offset, count - 1);
        at += S.RECORD_SIZE;
        break;
      }
    }
    for (let r = first; r < at; r += S.RECORD_SIZE) this.memory.u8[r + S.R_RUN] = count;
    page.cursor = at;
    this.#cover(page, start, Math.min(offset, 4096));
    this.handlers.flush();
    return first;
  }

  #cover(page: CodePage, start: number, end: number): void {
    let map = this.#covered.get(page.place);
    if (!map) this.#covered.set(page.place, map = new Uint8Array(512));
    // A straddling or undecodable instruction depends on bytes up to the longest length.
    const last = Math.min(end + MAX_LENGTH, 4096);
    for (let i = start; i < last; i++) map[i >> 3] |= 1 << (i & 7);
    page.spans.push({ start, bytes: this.ram.u8.slice(page.place + start, page.place + last) });
  }

  #pseudo(at: number, handler: number, offset: number, seq: number): void {
    const m = this.memory;
    m.i32[(at + S.R_HANDLER) >> 2] = handler;
    m.u16[(at + S.R_OFFSET) >> 1] = offset;
    m.u8[at + S.R_LENGTH] = 0;
    m.u8[at + S.R_SEQ] = seq;
    // Tells a stale record that it stands behind the instruction that its place in the run names.
    m.u8[at + S.R_SCALE] = handler === H_NEXT ? BEHIND : 0;
  }

  #raise(at: number, offset: number, seq: number, vector: number, errorCode: number): void {
    this.#pseudo(at, H_RAISE, offset, seq);
    this.memory.i32[(at + S.R_IMM) >> 2] = vector;
    this.memory.i32[(at + S.R_IMM + 4) >> 2] = errorCode;
  }

  /** Writes the record of what the decoder has just decoded. */
  #record(at: number, offset: number, seq: number, mode: number): void {
    const d = this.#decoder, m = this.memory, { form } = d, { attributes } = form.row;
    if (attributes.protected && !(mode & MODE_PROTECTED)) return this.#raise(at, offset, seq, UD, -1);
    if (attributes.cpl0 && mode & MODE_USER) return this.#raise(at, offset, seq, GP, 0);
    m.i32[(at + S.R_HANDLER) >> 2] = this.handlers.index(form, shapeOf(d, mode));
    m.u16[(at + S.R_OFFSET) >> 1] = offset;
    m.u8[at + S.R_LENGTH] = d.length;
    m.u8[at + S.R_SEQ] = seq;
    m.u16[(at + S.R_BASE) >> 1] = d.memory && d.base >= 0 ? S.GPR + d.base * 8 : S.ZERO;
    m.u16[(at + S.R_INDEX) >> 1] = d.memory && d.index >= 0 ? S.GPR + d.index * 8 : S.ZERO;
    m.i32[(at + S.R_DISP) >> 2] = d.disp;
    // In 64-bit mode only FS and GS have a base; that SS is meant still decides which fault a bad address gives.
    const flat = (mode & MODE_CODE) === 2 && d.segment < S.FS && (d.segment !== S.SS || d.asize !== 64);
    const segment = flat ? S.FLAT : d.segment;
    m.u16[(at + S.R_SEG) >> 1] = S.SEG + segment * S.SEG_SIZE;
    m.u8[at + S.R_SCALE] = d.scale;
    m.i32[(at + S.R_IMM) >> 2] = d.immLow;
    m.i32[(at + S.R_IMM + 4) >> 2] = d.immHigh;
    let reg = 0, rm = 0;
    for (const o of form.operands) {
      if (o.code === "G" || o.code === "Z") reg = this.#general(d.reg, o.size === "b");
      else if (o.code === "V" && o.fixed < 0) reg = S.XMM + d.reg * 16;
      else if (o.code === "P") reg = S.FPR + (d.reg & 7) * 16;
      else if (o.code === "S") reg = d.reg & 7;
      else if (o.code === "C" || o.code === "D") reg = d.reg;
      else if (o.code === "E" || o.code === "R") rm = this.#general(d.rm, o.size === "b");
      else if (o.code === "W" || o.code === "U") rm = S.XMM + d.rm * 16;
      else if (o.code === "Q" || o.code === "N") rm = S.FPR + (d.rm & 7) * 16;
      else if (o.code === "T") rm = d.modrm & 7;
      else if (o.code === "B") m.i32[(at + S.R_VVVV) >> 2] = S.GPR + d.vvvv * 8;
      else if (o.code === "H") m.i32[(at + S.R_VVVV) >> 2] = S.XMM + d.vvvv * 16;
      else if (o.code === "J") {
        m.i32[(at + S.R_IMM) >> 2] = 0;
        m.u8[at + S.R_SCALE] = d.opsize === 16 ? 1 : 0;
      }
    }
    m.u16[(at + S.R_REG) >> 1] = reg;
    m.u16[(at + S.R_RM) >> 1] = rm;
  }

  #general(n: number, byte: boolean): number {
    return byte && !this.#decoder.rex && n >= 4 && n < 8 ? S.GPR + (n - 4) * 8 + 1 : S.GPR + n * 8;
  }

  /**
   * Decodes one instruction from `bytes` into records at `at`, followed by one that goes on behind it: for stepping and
   * for instructions that straddle a page.
   * @returns whether `bytes` were enough.
   */
  single(at: number, bytes: Uint8Array, length: number, offset: number, mode: number): boolean {
    const d = this.#decoder;
    const status = d.decode(bytes, 0, length, CODE_SIZES[mode & MODE_CODE]);
    if (status === "truncated") return false;
    if (status === "ok") this.#record(at, offset, 0, mode);
    else this.#raise(at, offset, 0, status === "long" ? GP : UD, status === "long" ? 0 : -1);
    this.#pseudo(at + S.RECORD_SIZE, H_NEXT, offset + d.length, 0);
    this.memory.u8[at + S.R_RUN] = this.memory.u8[at + S.RECORD_SIZE + S.R_RUN] = 1;
    this.handlers.flush();
    return true;
  }

  /** The instruction that straddles two pages and begins at `record`, if it is known to reach into the page `next`. */
  straddling(record: number, next: number, reach: number, epoch: number): number {
    const known = this.#straddling.get(record);
    if (!known || known.next !== next || reach < known.length) return 0;
    if (known.epoch !== epoch) {
      if (known.bytes.some((b, i) => b !== this.ram.u8[next + i])) return 0;
      known.epoch = epoch;
    }
    return known.record;
  }

  /**
   * Decodes the instruction at `offset` that begins at `record` and reaches into the page `next`.
   * @param bytes Its bytes, of which `length` can be fetched.
   * @returns the record that executes it; 0 if it is longer.
   */
  straddle(
    record: number,
    next: number,
    offset: number,
    mode: number,
    bytes: Uint8Array,
    length: number,
    epoch: number,
  ): number {
    const page = this.#owner[(record - S.RECORDS) >> 12];
    if (!page) return 0;
    let at = this.#straddling.get(record)?.record;
    if (at === undefined) {
      this.#room(page);
      at = page.cursor;
      page.cursor += 2 * S.RECORD_SIZE;
    }
    if (!this.single(at, bytes, length, offset, mode)) return 0;
    // What is no instruction may become one by any of its bytes.
    const whole = this.memory.u8[at + S.R_LENGTH] || length, first = 4096 - offset;
    this.#straddling.set(record, { record: at, next, length: whole, bytes: bytes.slice(first, whole), epoch });
    const reaching = this.#reaching.get(next);
    if (reaching) reaching.add(record);
    else this.#reaching.set(next, new Set([record]));
    let map = this.#covered.get(next);
    if (!map) this.#covered.set(next, map = new Uint8Array(512));
    for (let i = 0; i < whole - first; i++) map[i >> 3] |= 1 << (i & 7);
    this.ram.markCode(next);
    return at;
  }

  // Regions.

  /** How often a sample of the run loop has met a record. */
  readonly #heat: Map<number, number> = new Map();
  /** By their first entry. */
  readonly #regions: Map<number, TranslatedRegion> = new Map();
  /** The first entry of the region that a record enters. */
  readonly #entered: Map<number, number> = new Map();
  /** Where absolute jumps have led: target records and linear addresses, by the jump's record. */
  readonly #targets: Map<number, Map<number, number>> = new Map();
  /** In how many regions a record is. */
  readonly #held: Map<number, number> = new Map();
  /** Entries of the regions that are left for a record. */
  readonly #leftFor: Map<number, Set<number>> = new Map();
  /** How often the region of an entry has been made anew. */
  readonly #remade: Map<number, number> = new Map();

  /**
   * Notes that the run loop has met `record`, and translates what begins there once that happens often.
   * @param base Linear address of the record's page.
   * @param weight For how many instructions the sample stands.
   * @returns whether to look again soon: there is a new region, or may be one.
   */
  sample(record: number, base: number, weight: number): boolean {
    if (this.#entered.has(record)) return false;
    const remade = (entry: number): number => this.#remade.get(entry) ?? 0;
    const growing = [...this.#leftFor.get(record) ?? []].filter((entry) => remade(entry) < REMADE_MAX);
    // The more often a region was made anew already, the more its next part must be worth.
    const hot = this.#held.has(record) ? HOT_AGAIN : growing.length ? HOT * 2 ** Math.min(...growing.map(remade)) : HOT;
    const page = this.#owner[(record - S.RECORDS) >> 12];
    const warm = page && !this.#held.has(record) && growing.length === 0 && (page.heat += weight) >= HOT_PAGE;
    const old = this.#heat.get(record) ?? 0, heat = old === 0 ? Math.min(weight, HOT - 1) : old + weight;
    this.#heat.set(record, heat);
    if (!warm && (heat < hot || old >= hot)) return !this.#held.has(record);
    if (page) page.heat = 0;
    // A region that has been left for this record is to have its code.
    let held = false;
    for (const entry of this.#held.has(record) ? [] : growing) {
      const { base } = this.#regions.get(entry)!;
      this.#remade.set(entry, remade(entry) + 1);
      this.#dropRegion(entry);
      held = (this.#translate(entry, base)?.some((b) => b.records.includes(record)) ?? false) || held;
    }
    return held || this.#translateLoop(record, base) || this.translate(record, base);
  }

  /** Makes a region that has `record` and is entered where its loop begins, which each round comes past; false: there is none. */
  #translateLoop(record: number, base: number): boolean {
    if (!this.#owner[(record - S.RECORDS) >> 12]) return false;
    const { distances, blocks } = this.#graph(record, base);
    const address = (r: number): number =>
      distances.get(this.#owner[(r - S.RECORDS) >> 12]!)! + this.memory.u16[(r + S.R_OFFSET) >> 1];
    const here = address(record);
    let head = 0, at = -Infinity;
    for (const b of blocks) {
      if (b.last !== "branch" && b.last !== "jump" && b.last !== "end") continue;
      if (address(b.records[b.records.length - 1]) < here) continue;
      for (const { start } of b.taken ? [b.taken, ...b.targets] : b.targets) {
        const there = address(start);
        if (there <= here && there > at) [head, at] = [start, there];
      }
    }
    if (head === 0 || head === record || this.#entered.has(head)) return false;
    if (this.#owner[(head - S.RECORDS) >> 12] !== this.#owner[(record - S.RECORDS) >> 12]) return false;
    return this.#translate(head, base)?.some((b) => b.records.includes(record)) ?? false;
  }

  /** The code that can be reached from a record, and how far its pages are from the record's at `base`. */
  #graph(
    record: number,
    base: number,
  ): { readonly distances: Map<CodePage, number>; readonly blocks: readonly Block[] } {
    const page = this.#owner[(record - S.RECORDS) >> 12]!;
    const distances = new Map<CodePage, number>([[page, 0]]);
    const near = (r: number) => this.#owner[(r - S.RECORDS) >> 12] === page;
    return { distances, blocks: regionGraph(record, S.RECORD_SIZE, (r) => this.#info(r, base, distances), near) };
  }

  /**
   * Makes the region that is entered at `record`; false if nothing there can be translated.
   * @param base Linear address of the record's page.
   */
  translate(record: number, base: number): boolean {
    return this.#entered.has(record) || this.#translate(record, base) !== null;
  }

  /** The blocks of the region that is made; null if nothing can be translated. */
  #translate(record: number, base: number): readonly Block[] | null {
    if (!this.#owner[(record - S.RECORDS) >> 12]) return null;
    const { distances, blocks } = this.#graph(record, base);
    if (!blocks.length || !blocks.some((b) => b.start === record && b.records.length > 0)) return null;
    const starts = [record, ...otherEntries(blocks).map((b) => b.start)].filter((r) => !this.#entered.has(r));
    const entries = new Map(starts.map((r) => [r, this.memory.i32[r >> 2]]));
    const slot = this.handlers.addRegion({
      blocks,
      memory: this.memory,
      describe: (r) => {
        const handler = this.#handler(r), { form, shape } = this.handlers.at(handler);
        return { form, shape: unpackShape(shape), handler };
      },
      distance: (r) => distances.get(this.#owner[(r - S.RECORDS) >> 12]!)!,
    });
    const pages = new Set(blocks.map((b) => this.#owner[(b.start - S.RECORDS) >> 12]!));
    const exits = new Set<number>();
    for (const b of blocks) {
      if (!b.following && b.exit) exits.add(b.exit);
      const target = b.taken || !b.records.length
        ? 0
        : this.memory.i32[(b.records[b.records.length - 1] + S.R_IMM) >> 2];
      if ((b.last === "branch" || b.last === "jump") && target > ELSEWHERE) exits.add(target);
    }
    const records = blocks.flatMap((b) => b.records);
    for (const r of records) this.#held.set(r, (this.#held.get(r) ?? 0) + 1);
    this.#regions.set(record, { slot, entries, base, pages, exits, records });
    for (const p of pages) p.regions.add(record);
    for (const r of exits) {
      const entries = this.#leftFor.get(r);
      if (entries) entries.add(record);
      else this.#leftFor.set(r, new Set([record]));
    }
    for (const r of entries.keys()) {
      this.#entered.set(r, record);
      this.memory.i32[r >> 2] = slot;
    }
    return blocks;
  }

  /** The interpreter's handler of a record. */
  #handler(record: number): number {
    const entry = this.#entered.get(record);
    return entry === undefined ? this.memory.i32[record >> 2] : this.#regions.get(entry)!.entries.get(record)!;
  }

  #info(record: number, base: number, distances: Map<CodePage, number>): RecordInfo {
    const handler = this.#handler(record), page = this.#owner[(record - S.RECORDS) >> 12];
    if (!page) return LEAVE;
    if (handler === H_NEXT) {
      return { kind: "next", target: page.records.get(this.memory.u16[(record + S.R_OFFSET) >> 1]) ?? 0 };
    }
    if (handler < FIRST_FREE) return LEAVE;
    const { form, shape } = this.handlers.at(handler);
    if (!this.handlers.translatable(record, this.memory, form, shape)) return LEAVE;
    const { ends, stack } = form.row.attributes;
    if (form.mnemonic === "RET") return RETURN;
    if (!form.operands.some((o) => o.code === "J")) {
      if (!ends) return PLAIN;
      const targets = this.#knownTargets(record, base, distances);
      return { kind: targets.length && stack ? "call" : "end", target: 0, targets };
    }
    let target = this.memory.i32[(record + S.R_IMM) >> 2];
    // Before its target is known, a call or a loop is better made by the interpreter.
    if (target === 0 && (stack || form.row.attributes.address)) return LEAVE;
    if (target === ELSEWHERE) target = this.#elsewhere(record, unpackShape(shape), base, distances);
    if (stack && target === 0) return END;
    return { kind: stack ? "call" : ends ? "jump" : "branch", target };
  }

  /** Notes where an absolute jump has led: to `target`, at `linear`. */
  noteTarget(record: number, target: number, linear: number): void {
    if (!this.#owner[(record - S.RECORDS) >> 12] || !this.#owner[(target - S.RECORDS) >> 12]) return;
    const known = this.#targets.get(record);
    if (!known) this.#targets.set(record, new Map([[target, linear]]));
    else if (known.get(target) !== linear && known.size < TARGETS_MAX) known.set(target, linear);
  }

  /** The targets of an absolute jump that a region may hold. */
  #knownTargets(record: number, base: number, distances: Map<CodePage, number>): number[] {
    const out: number[] = [];
    for (const [target, linear] of this.#targets.get(record) ?? []) {
      // The page may have been mapped there then, and not now.
      if (this.recall(linear) === target && this.#reach(target, linear, base, distances)) out.push(target);
    }
    return out;
  }

  /** Whether a region entered in the page at `base` may hold the code of a record at `linear`. */
  #reach(target: number, linear: number, base: number, distances: Map<CodePage, number>): boolean {
    const page = this.#owner[(target - S.RECORDS) >> 12];
    if (!page) return false;
    let distance = linear - this.memory.u16[(target + S.R_OFFSET) >> 1] - base;
    if ((page.mode & MODE_CODE) !== 2) distance |= 0;
    const known = distances.get(page);
    if (known === undefined && distances.size < PAGES_MAX) distances.set(page, distance);
    return distances.get(page) === distance;
  }

  /** The target of a branch to another page, if the region may hold that page; 0 if not. */
  #elsewhere(record: number, { opsize, code }: Shape, base: number, distances: Map<CodePage, number>): number {
    if (opsize === 16 || code === 16) return 0;
    const { u8, u16, i32 } = this.memory;
    const from = distances.get(this.#owner[(record - S.RECORDS) >> 12]!)!;
    let linear = base + from + u16[(record + S.R_OFFSET) >> 1] + u8[record + S.R_LENGTH] +
      i32[(record + S.R_DISP) >> 2];
    if (code === 32) linear = linear >>> 0;
    const target = this.recall(linear);
    return target && this.#reach(target, linear, base, distances) ? target : 0;
  }

  #dropRegion(entry: number): void {
    const region = this.#regions.get(entry);
    if (!region) return;
    this.#regions.delete(entry);
    for (const [record, handler] of region.entries) {
      this.#entered.delete(record);
      this.memory.i32[record >> 2] = handler;
    }
    this.handlers.removeRegion(region.slot);
    for (const page of region.pages) page.regions.delete(entry);
    for (const r of region.records) {
      const count = this.#held.get(r)! - 1;
      if (count > 0) this.#held.set(r, count);
      else this.#held.delete(r);
    }
    for (const r of region.exits) {
      const entries = this.#leftFor.get(r)!;
      entries.delete(entry);
      if (entries.size === 0) this.#leftFor.delete(r);
    }
  }
}
