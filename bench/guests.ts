/**
 * The benchmark guests: boot sectors in `bench/guests/`, source beside image.
 * @module
 */

/** A benchmark guest. */
export interface BenchGuest {
  /** Name of the image without its ending. */
  readonly name: string;
  /** What it does. */
  readonly about: string;
  /** What is counted: instructions, or rounds by what one round is. */
  readonly unit: "instructions" | "exits" | "bytes";
  /** Units of one round, where they are not instructions. */
  readonly perRound?: number;
}

/** All of them. */
export const BENCH_GUESTS: readonly BenchGuest[] = [
  { name: "alu16", about: "16-bit arithmetic in real mode", unit: "instructions" },
  { name: "sieve32", about: "sieve of 8 KiB in protected mode", unit: "instructions" },
  { name: "calls64", about: "recursive fib(16) in long mode", unit: "instructions" },
  { name: "hash64", about: "hash of 32 KiB in long mode", unit: "instructions" },
  { name: "float64", about: "SSE2 iteration in long mode", unit: "instructions" },
  { name: "copy64", about: "REP MOVSQ and STOSB of 64 KiB", unit: "bytes", perRound: 131_072 },
  { name: "exits16", about: "OUT to a port", unit: "exits", perRound: 1 },
];

/** What a guest writes to COM1 before and behind its work. */
export const MARK_BEGIN = 5, MARK_END = 6;
/** The debug-exit port that ends a guest. */
export const DEBUG_EXIT = 0x501;
/** Where the number of rounds is in the image. */
const ROUNDS = 4;

/** Where an image or its source is. */
export function benchFile(name: string, ending: "img" | "asm"): URL {
  return new URL(`guests/${name}.${ending}`, import.meta.url);
}

/** The image of a guest that does so many rounds. */
export function imageWith(guest: BenchGuest, rounds: number): Uint8Array<ArrayBuffer> {
  const image = Deno.readFileSync(benchFile(guest.name, "img"));
  new DataView(image.buffer).setUint32(ROUNDS, rounds, true);
  return image;
}
