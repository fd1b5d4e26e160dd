/**
 * The kind `engine`: longer streams in every mode, with system instructions, interrupts and code that changes itself, on
 * the interpreter against the translator, or against what users get. Both are stopped at random places, where registers,
 * `kvm_run` and the number of instructions must be the same, and memory in the end.
 * @module
 */
import type { Prng } from "../tests/differential/prng.ts";
import { DATA_ADDRESS, DATA_SIZE } from "../tests/host/memory_map.ts";
import { KvmSregs } from "../mod.ts";
import { CalmPrng } from "./calm.ts";
import { ENGINE_POOLS, type Pools } from "./forms.ts";
import { enterVariant, entryOf, registersOf, type Variant, VARIANTS } from "./guest_layout.ts";
import type { Fuzzer, Kind } from "./kind.ts";
import type { Start } from "./machine.ts";
import {
  explain,
  type PairCase,
  type PairDifference,
  randomRegisters,
  runPair,
  selectorsOf,
  type Stop,
} from "./pair.ts";
import { layOut } from "./program.ts";
import { fpuOf } from "./random_state.ts";
import { Executors, type Sides } from "./sides.ts";
import { RESERVED_ADDRESS, RESERVED_SIZE, stream } from "./stream.ts";

/** Linear address of a stream. */
const CODE = 0x10_1800;
/** Bytes that code may have: to the end of the code pages. */
const MOST_CODE = 0x17f0;
/** As a stream with hot loops needs to be translated by `auto`. */
const HOT_PASSES = 8000, HOT_BUDGET = 120_000;

/** What a stream begins with. */
export function startOf(variant: Variant, sregs: Uint8Array, random: Prng): Start {
  const s = new KvmSregs(sregs);
  enterVariant(s, variant);
  const data = new Uint8Array(DATA_SIZE);
  for (let i = 0; i < DATA_SIZE; i += 4) new DataView(data.buffer).setUint32(i, random.u32(), true);
  data.fill(0, RESERVED_ADDRESS - DATA_ADDRESS, RESERVED_ADDRESS - DATA_ADDRESS + RESERVED_SIZE);
  const flags = 0x202 | random.u32() & 0x8d5;
  return {
    sregs: s.bytes,
    regs: registersOf(randomRegisters(random, variant), entryOf(variant), flags).bytes,
    fpu: fpuOf(random, variant.mode),
    memory: [[DATA_ADDRESS, data]],
    seed: random.u32(),
  };
}

/** Random stops; about one in `interrupts` comes with an interrupt, none if that is 0. */
export function stopsOf(random: Prng, total: number, interrupts: number): Stop[] {
  const stops: Stop[] = [];
  for (let left = total; left > 0;) {
    const budget = Math.min(left, random.once(3) ? random.range(1, 8) : random.range(8, Math.max(16, total >> 2)));
    stops.push({ budget, interrupt: interrupts > 0 && random.once(interrupts) ? random.range(32, 255) : -1 });
    left -= budget;
  }
  return stops;
}

/** A case made of a stream. */
export function streamCase(number: number, sregs: Uint8Array, pools: Pools, hot: boolean): PairCase {
  const random = new CalmPrng(number), variant = random.pick(VARIANTS), { mode } = variant;
  const patch = random.once(3) ? variant.real ? "cs" : mode !== 16 ? "data" : undefined : undefined;
  const system = random.once(3) ? [] : pools.system;
  const parts = random.once(16) ? random.range(20, 90) : random.range(3, 16);
  const program = stream({
    mode,
    random,
    pools: { ...pools, system },
    parts: hot ? Math.min(parts, 14) : parts,
    passes: hot ? HOT_PASSES : random.once(4) ? 60 : 6,
    budget: hot ? HOT_BUDGET : 6000,
    selectors: selectorsOf(variant),
    patch,
  });
  const start = startOf(variant, sregs, random);
  const stops = stopsOf(random, hot ? HOT_BUDGET : random.pick([300, 1500, 5000]), random.once(2) ? 6 : 0);
  return {
    variant,
    count: program.parts.length,
    build: (kept) => {
      const { code, starts } = layOut(program, kept, entryOf(variant), mode === 16 ? CODE - entryOf(variant) : 0);
      return { code: code.subarray(0, MOST_CODE), starts };
    },
    entry: entryOf(variant),
    start,
    codeAddress: CODE,
    stops,
    recoveries: random.range(2, 8),
    seed: random.u32(),
  };
}

/** Runs cases on two machines, and explains what differs. */
export class PairFuzzer implements Fuzzer {
  #sides: Sides;

  /** `make` makes machines, `plan` a case; `sregs` of the processor after reset. */
  constructor(readonly make: () => Sides, readonly plan: (number: number, sregs: Uint8Array) => PairCase) {
    this.#sides = make();
  }

  run(number: number): string | null {
    const c = this.plan(number, this.#sides.first.resetSregs);
    const found: PairDifference | null = runPair(this.#sides, c, Array.from({ length: c.count }, () => true));
    if (!found) return null;
    this.#sides[Symbol.dispose]();
    this.#sides = this.make();
    return explain(this.make, c, found);
  }

  [Symbol.dispose](): void {
    this.#sides[Symbol.dispose]();
  }
}

/** One case in so many has hot loops, for `auto`. */
const HOT = 16;

class EngineFuzzer implements Fuzzer {
  readonly #translator: PairFuzzer = new PairFuzzer(
    () => new Executors("interpreter", "translator"),
    (number, sregs) => streamCase(number, sregs, ENGINE_POOLS, false),
  );
  readonly #auto: PairFuzzer = new PairFuzzer(
    () => new Executors("interpreter", "auto"),
    (number, sregs) => streamCase(number, sregs, ENGINE_POOLS, true),
  );

  run(number: number): string | null {
    return (number % HOT === 0 ? this.#auto : this.#translator).run(number);
  }

  [Symbol.dispose](): void {
    this.#translator[Symbol.dispose]();
    this.#auto[Symbol.dispose]();
  }
}

/** Streams on the executors. */
export const ENGINE: Kind = {
  name: "engine",
  summary: "streams in every mode, interpreter against translator and auto",
  missing: () => undefined,
  open: () => new EngineFuzzer(),
};
