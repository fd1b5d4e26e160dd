/**
 * Recorded cases: what the host processor did, for machines that have none to ask. A case is stored as the seed of its
 * random state, what of the state differs from that, and what the instruction changed.
 *
 * The file is gzip of: for each encoding mnemonic and operands (length and characters), mode, flags that count (u32),
 * code, window address and length, REP, count; for each case seed, patch from the seed's record to the input, patch from
 * the input to the output. Numbers are LEB128. A patch is a list of (gap, length, bytes), ended by length 0.
 * @module
 */
import type { NativeMode } from "../host/native_cpu.ts";
import { STATE_SIZE } from "../host/state_block.ts";
import { baseRecord } from "./batch.ts";
import type { Encoding } from "./encode.ts";

/** Recorded cases of one encoding. */
export interface Vectors {
  /** Mnemonic and form. */
  readonly name: string;
  /** What was run. */
  readonly encoding: Pick<Encoding, "mode" | "code" | "window" | "repeats">;
  /** Flags to compare. */
  readonly flags: number;
  /** Seeds of the states. */
  readonly seeds: readonly number[];
  /** Records in. */
  readonly inputs: Uint8Array;
  /** Records that the host processor gave. */
  readonly outputs: Uint8Array;
}

/** Writes numbers, blocks and patches. */
export class Writer {
  /** What is written so far. */
  readonly bytes: number[] = [];

  /** LEB128. */
  number(v: number): void {
    for (; v > 127; v = Math.floor(v / 128)) this.bytes.push(v % 128 | 128);
    this.bytes.push(v);
  }

  /** Length and bytes. */
  block(b: Uint8Array): void {
    this.number(b.length);
    for (const x of b) this.bytes.push(x);
  }

  /** Where `to` differs from `from`. */
  patch(from: Uint8Array, to: Uint8Array): void {
    let last = 0;
    for (let i = 0; i < to.length; i++) {
      if (from[i] === to[i]) continue;
      let end = i + 1;
      // Runs that are close together are one.
      for (let j = end; j < Math.min(to.length, end + 3); j++) if (from[j] !== to[j]) end = j + 1;
      this.number(i - last);
      this.block(to.subarray(i, end));
      last = i = end;
      i--;
    }
    this.number(0);
    this.number(0);
  }
}

/** Reads what {@linkcode Writer} wrote. */
export class Reader {
  #at = 0;
  /** Reads from the start of `bytes`. */
  constructor(readonly bytes: Uint8Array) {}

  /** Whether there is more. */
  get more(): boolean {
    return this.#at < this.bytes.length;
  }

  /** LEB128. */
  number(): number {
    let v = 0;
    for (let scale = 1;; scale *= 128) {
      const b = this.bytes[this.#at++];
      v += (b & 127) * scale;
      if (b < 128) return v;
    }
  }

  /** Bytes with their length. */
  block(): Uint8Array {
    const n = this.number();
    this.#at += n;
    return this.bytes.subarray(this.#at - n, this.#at);
  }

  /** Applies a patch. */
  patch(to: Uint8Array): void {
    for (let at = 0;;) {
      at += this.number();
      const b = this.block();
      if (!b.length) return;
      to.set(b, at);
      at += b.length;
    }
  }
}

/** Bytes through gzip, one way or the other. */
export async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const out = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await out.arrayBuffer());
}

/** The file for recorded cases. */
export function encodeVectors(all: readonly Vectors[]): Promise<Uint8Array> {
  const w = new Writer();
  for (const { name, encoding: e, flags, seeds, inputs, outputs } of all) {
    const size = STATE_SIZE + e.window.length;
    w.block(new TextEncoder().encode(name));
    for (const n of [e.mode, flags]) w.number(n);
    w.block(e.code);
    for (const n of [e.window.address, e.window.length, e.repeats ? 1 : 0, seeds.length]) w.number(n);
    const base = new Uint8Array(size);
    seeds.forEach((seed, i) => {
      const input = inputs.subarray(i * size, (i + 1) * size);
      baseRecord(e.mode, seed, new DataView(base.buffer));
      w.number(seed);
      w.patch(base, input);
      w.patch(input, outputs.subarray(i * size, (i + 1) * size));
    });
  }
  return through(Uint8Array.from(w.bytes), new CompressionStream("gzip"));
}

/** The cases of a file. */
export async function decodeVectors(file: Uint8Array<ArrayBuffer>): Promise<Vectors[]> {
  const r = new Reader(await through(file, new DecompressionStream("gzip")));
  const all: Vectors[] = [];
  while (r.more) {
    const name = new TextDecoder().decode(r.block());
    const mode = r.number() as NativeMode, flags = r.number(), code = r.block();
    const window = { address: r.number(), length: r.number() };
    const repeats = r.number() === 1, count = r.number();
    const size = STATE_SIZE + window.length;
    const inputs = new Uint8Array(count * size), outputs = new Uint8Array(count * size);
    const seeds: number[] = [];
    for (let i = 0; i < count; i++) {
      const seed = r.number();
      const input = inputs.subarray(i * size, (i + 1) * size), output = outputs.subarray(i * size, (i + 1) * size);
      baseRecord(mode, seed, new DataView(inputs.buffer, i * size, size));
      r.patch(input);
      output.set(input);
      r.patch(output);
      seeds.push(seed);
    }
    all.push({ name, encoding: { mode, code, window, repeats }, flags, seeds, inputs, outputs });
  }
  return all;
}
