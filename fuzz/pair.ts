/**
 * Runs a case on two machines that must stay alike, stop by stop.
 * @module
 */
import { Prng } from "../tests/differential/prng.ts";
import { compareSides, type Sides } from "./sides.ts";
import { registersOf, SELECTORS, type Variant } from "./guest_layout.ts";
import type { Start } from "./machine.ts";
import { minimise } from "./minimise.ts";
import { listing } from "./report.ts";

const EXIT_IO = 2, EXIT_HYPERCALL = 3, EXIT_MMIO = 6, EXIT_INTR = 10;
/** Exits that a case may come to in all. */
const MOST_EXITS = 60;
const IO_DATA = 4096, MMIO_DATA = 40, HYPERCALL_RET = 80;
/** The most instructions that are tried one by one to find where a difference begins. */
const MOST_SINGLE = 800;

/** A stop. */
export interface Stop {
  /** Instructions until then. */
  readonly budget: number;
  /** Interrupt that is queued before, or −1. */
  readonly interrupt: number;
}

/** Code with the offsets, from its beginning, that it may be entered at. */
export interface Built {
  readonly code: Uint8Array;
  readonly starts: readonly number[];
}

/** A case for two machines. */
export interface PairCase {
  /** The mode. */
  readonly variant: Variant;
  /** Parts that can be left out. */
  readonly count: number;
  /** Code of what is kept. */
  build(kept: readonly boolean[]): Built;
  /** RIP of the code's first byte. */
  readonly entry: number;
  /** What the machines begin with, without code. */
  readonly start: Start;
  /** Linear address of the code. */
  readonly codeAddress: number;
  /** Where it is stopped. */
  readonly stops: readonly Stop[];
  /** How often it is set on again behind something that ends it. */
  readonly recoveries: number;
  /** Seed of answers and of registers behind recoveries. */
  readonly seed: number;
}

/** A difference. */
export interface PairDifference {
  readonly lines: readonly string[];
  /** Instructions executed by then. */
  readonly progress: number;
}

/** Random general registers, of which some are pointers to data. */
export function randomRegisters(r: Prng, variant: Variant): bigint[] {
  const base = variant.mode === 16 ? 0 : 0x11_0000;
  return Array.from({ length: 16 }, (_, n) => {
    const pointer = n === 4 || n === 5 || r.once(3);
    const value = pointer ? BigInt(base + 0xf00 + r.below(0x200) * 4) : r.value();
    return variant.mode === 64 ? value : n < 8 ? BigInt.asUintN(32, value) : 0n;
  });
}

/** Runs a case. */
export function runPair(
  sides: Sides,
  c: PairCase,
  kept: readonly boolean[],
  stops: readonly Stop[] = c.stops,
): PairDifference | null {
  const { code, starts } = c.build(kept), random = new Prng(c.seed);
  sides.start({ ...c.start, memory: [...c.start.memory, [c.codeAddress, code]] });
  let recoveries = c.recoveries, exits = 0;
  for (const stop of stops) {
    if (stop.interrupt >= 0) sides.interrupt(stop.interrupt);
    const until = sides.progress + stop.budget;
    while (sides.progress < until) {
      const before = sides.progress;
      sides.run(until - before);
      const lines = compareSides(sides, false);
      if (lines.length) return { lines, progress: sides.progress };
      const reason = sides.reason;
      if (reason === EXIT_INTR) break;
      if (++exits > MOST_EXITS) return last(sides);
      if (reason === EXIT_IO || reason === EXIT_MMIO || reason === EXIT_HYPERCALL) {
        const bytes = Uint8Array.from({ length: 16 }, () => random.u32());
        sides.write(
          reason === EXIT_IO ? IO_DATA : reason === EXIT_MMIO ? MMIO_DATA : HYPERCALL_RET,
          bytes.subarray(0, reason === EXIT_IO ? 16 : 8),
        );
        continue;
      }
      if (recoveries-- <= 0) return last(sides);
      const at = random.once(3) ? 0 : random.pick(starts);
      const flags = 0x202 | random.u32() & 0x8d5;
      sides.moveTo({
        sregs: c.start.sregs,
        regs: registersOf(randomRegisters(random, c.variant), c.entry + at, flags).bytes,
      });
    }
  }
  return last(sides);
}

function last(sides: Sides): PairDifference | null {
  const lines = compareSides(sides, true);
  return lines.length ? { lines, progress: sides.progress } : null;
}

/** A case that differs, made small, as text. */
export function explain(make: () => Sides, c: PairCase, first: PairDifference): string {
  const everything = Array.from({ length: c.count }, () => true);
  const attempt = (kept: readonly boolean[], stops: readonly Stop[]): PairDifference | null => {
    using sides = make();
    return runPair(sides, c, kept, stops);
  };
  if (!attempt(everything, c.stops)) {
    return `${first.lines.join("\n")}\nIt does not happen without the cases before it: replay with --seed.`;
  }
  let stops: readonly Stop[] = c.stops;
  using shared = make();
  const quick = (kept: readonly boolean[], s: readonly Stop[]) => runPair(shared, c, kept, s) !== null;
  let kept: readonly boolean[] = minimise(c.count, (some) => quick(some, stops));
  const some = minimise(stops.length, (these) => quick(kept, merge(stops, these)));
  stops = merge(stops, some);
  kept = minimise(c.count, (these) => these.every((k, n) => !k || kept[n]) && quick(these, stops));
  let found = attempt(kept, stops) ?? first;
  for (let n = 1; n <= Math.min(found.progress, MOST_SINGLE); n++) {
    const single = [{ budget: n, interrupt: stops[0].interrupt }], difference = runPair(shared, c, kept, single);
    if (!difference) continue;
    stops = single;
    found = difference;
    break;
  }
  const { code } = c.build(kept);
  const { variant } = c;
  return [
    `${variant.name}; ${shared.title}`,
    listing(code, variant.mode, c.entry),
    shared.beginning({ ...c.start, memory: [...c.start.memory, [c.codeAddress, code]] }),
    `Stops after ${
      stops.map((s) => s.interrupt < 0 ? `${s.budget}` : `interrupt ${s.interrupt}, ${s.budget}`).join(", ")
    } instructions.`,
    `Where they differ, after ${found.progress} instructions (${shared.names.join(", ")}):`,
    ...found.lines.map((line) => `  ${line}`),
  ].join("\n");
}

/** Some stops; the budgets of those that are left out go to the next. */
function merge(stops: readonly Stop[], kept: readonly boolean[]): Stop[] {
  const out: Stop[] = [];
  let more = 0;
  stops.forEach((s, n) => {
    if (kept[n]) {
      out.push({ ...s, budget: s.budget + more });
      more = 0;
    } else more += s.budget;
  });
  if (more > 0) out.push({ budget: more, interrupt: -1 });
  return out;
}

/** Selectors that a variant's streams load: none in real mode, where they are paragraphs. */
export function selectorsOf(variant: Variant): readonly number[] {
  return variant.real ? [0, 0x1000, 0x10, 0xf000] : SELECTORS;
}
