/**
 * Compares how fast engines run the benchmark guests: the software engine, its interpreter alone, the real device, and
 * QEMU's translator where there is one. Runs are interleaved, so that a busy host hits all alike; what counts is the median.
 *
 *     deno task bench
 *     deno task bench --json --runs 5 --only hash64
 * @module
 */
import { parseArgs } from "@std/cli";
import { type BenchEngine, findEngines } from "./engines.ts";
import { BENCH_GUESTS, type BenchGuest } from "./guests.ts";
import { findStarters } from "./start_time.ts";

/** How long one run of the work should take. */
const AIM_MS = 300, ENOUGH_MS = 20;
const MOST_ROUNDS = 0x7fff_ffff;

/** Units per second of one guest, by engine. */
interface Row {
  readonly guest: string;
  readonly about: string;
  readonly unit: string;
  readonly perSecond: Readonly<Record<string, number>>;
}

/** Median milliseconds to the first byte, by engine. */
type StartRow = Readonly<Record<string, number>>;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), n = sorted.length;
  return (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
}

/** So many rounds that a run takes about as long as it should; what is cold at first is not counted. */
async function calibrate(engine: BenchEngine, guest: BenchGuest): Promise<number> {
  let rounds = 1;
  const scale = (milliseconds: number) =>
    Math.max(1, Math.min(MOST_ROUNDS, Math.round(rounds * AIM_MS / milliseconds)));
  for (;; rounds *= 8) {
    const { milliseconds } = await engine.run(guest, rounds);
    if (milliseconds < ENOUGH_MS && rounds * 8 <= MOST_ROUNDS) continue;
    rounds = scale(milliseconds);
    return scale((await engine.run(guest, rounds)).milliseconds);
  }
}

/** Units of one round: instructions are what the software engine counts. */
async function unitsOf(soft: BenchEngine, guest: BenchGuest): Promise<number> {
  if (guest.perRound !== undefined) return guest.perRound;
  const [one, two] = [await soft.run(guest, 1), await soft.run(guest, 2)];
  return two.instructions! - one.instructions!;
}

async function measureGuest(engines: readonly BenchEngine[], guest: BenchGuest, runs: number): Promise<Row> {
  const units = await unitsOf(engines[0], guest);
  const rounds = new Map<BenchEngine, number>(), results = new Map<BenchEngine, number[]>();
  for (const engine of engines) {
    try {
      rounds.set(engine, await calibrate(engine, guest));
      results.set(engine, []);
    } catch (error) {
      console.error(error instanceof Error ? `${engine.name}: ${error.message}` : error);
    }
  }
  for (let run = 0; run < runs; run++) {
    for (const [engine, n] of rounds) {
      const { milliseconds } = await engine.run(guest, n);
      results.get(engine)!.push(units * n / milliseconds * 1000);
    }
  }
  const perSecond = Object.fromEntries([...results].map(([engine, list]) => [engine.name, median(list)]));
  return { guest: guest.name, about: guest.about, unit: guest.unit, perSecond };
}

async function measureStart(runs: number): Promise<StartRow> {
  const starters = findStarters(), times = starters.map((): number[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [i, starter] of starters.entries()) times[i].push(await starter.run());
  }
  return Object.fromEntries(starters.map((s, i) => [s.name, median(times[i])]));
}

/** Millions a second with as many digits as mean something, and the ratio to the first column. */
function cell(value: number | undefined, first: number): string {
  if (value === undefined) return "-";
  const millions = value / 1e6, ratio = value / first;
  return `${millions.toFixed(millions < 10 ? 2 : 0)} (${ratio.toFixed(2)})`;
}

function printTable(engines: readonly string[], rows: readonly Row[], start: StartRow): void {
  const line = (cells: readonly string[]) =>
    console.log(cells.map((c, i) => i < 2 ? c.padEnd([10, 34][i]) : c.padStart(15)).join(" "));
  line(["guest", "millions a second", ...engines]);
  for (const { guest, about, unit, perSecond } of rows) {
    const what = unit === "instructions" ? about : `${about}, ${unit}`;
    line([guest, what, ...engines.map((e) => cell(perSecond[e], perSecond[engines[0]]))]);
  }
  line(["start", "ms to the first byte of output", ...engines.map((e) => e in start ? start[e].toFixed(0) : "-")]);
}

async function main(args: string[]): Promise<void> {
  const { json, runs, only } = parseArgs(args, { boolean: ["json"], string: ["runs", "only"] });
  const times = Number(runs ?? 5);
  if (!Number.isInteger(times) || times < 1) throw new TypeError(`Cannot measure: --runs ${runs} is no number of runs`);
  const guests = BENCH_GUESTS.filter((g) => only === undefined || g.name === only);
  if (!guests.length) throw new TypeError(`Cannot measure ${only}: there is no such guest`);
  const folder = Deno.makeTempDirSync({ prefix: "kvm12_bench_" });
  try {
    const { engines, missing } = findEngines(folder);
    for (const why of missing) console.error(why);
    const rows: Row[] = [];
    for (const guest of guests) rows.push(await measureGuest(engines, guest, times));
    const start = await measureStart(times);
    if (json) console.log(JSON.stringify({ rows, start }, null, 2));
    else printTable(engines.map((e) => e.name), rows, start);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
