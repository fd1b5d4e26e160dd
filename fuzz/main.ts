/**
 * The fuzzer: `deno task fuzz`.
 * @module
 */
import type { Fuzzer, Kind } from "./kind.ts";
import { KINDS } from "./kinds.ts";
import { type FuzzOptions, HELP, readOptions, UsageError } from "./options.ts";

/** How long a kind has its turn, and how often a line tells how far it is, in milliseconds. */
const TURN_MS = 2_000, TELL_MS = 10_000;

/** A kind that runs. */
interface Running {
  readonly kind: Kind;
  readonly fuzzer: Fuzzer;
  /** The next case. */
  next: number;
  cases: number;
}

/** Tells what is found, and how to find it again. */
function tell(kind: Kind, number: number, seed: number, report: string): void {
  console.log(`${kind.name}: case ${number} differs.\n${report}`);
  console.log(`Replay: deno task fuzz --kind ${kind.name} --case ${number} (of the run with --seed ${seed})`);
}

/** Runs kinds in turns; false if something differs. */
function runAll(running: readonly Running[], { minutes, seed }: FuzzOptions): boolean {
  const start = performance.now(), end = start + minutes * 60_000;
  let told = start;
  const counts = () => running.map(({ kind, cases }) => `${kind.name} ${cases}`).join(", ");
  for (let turn = 0; performance.now() < end; turn++) {
    const each = running[turn % running.length], until = Math.min(end, performance.now() + TURN_MS);
    while (performance.now() < until) {
      const number = each.next, report = each.fuzzer.run(number);
      each.next = (number + 1) >>> 0;
      each.cases++;
      if (report === null) continue;
      tell(each.kind, number, seed, report);
      return false;
    }
    if (performance.now() - told < TELL_MS) continue;
    told = performance.now();
    console.error(`${((told - start) / 60_000).toFixed(1)} min: ${counts()}`);
  }
  console.log(`No difference in ${minutes} minutes: ${counts()}`);
  return true;
}

/**
 * Runs the fuzzer.
 * @param args The arguments.
 * @returns The exit code.
 */
export function main(args: readonly string[]): number {
  let options: FuzzOptions | null;
  try {
    options = readOptions(args, KINDS.map(({ name }) => name));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`fuzz: ${error.message}`);
    return 2;
  }
  if (options === null) {
    console.log(HELP + "\nKinds:\n" + KINDS.map((kind) => `  ${kind.name.padEnd(10)} ${kind.summary}`).join("\n"));
    return 0;
  }
  const { kinds, seed, only } = options;
  using stack = new DisposableStack();
  const running: Running[] = [];
  for (const kind of KINDS) {
    if (kinds.length > 0 && !kinds.includes(kind.name)) continue;
    const missing = kind.missing();
    if (missing === undefined) running.push({ kind, fuzzer: stack.use(kind.open()), next: seed, cases: 0 });
    else console.error(`${kind.name} is left out: ${missing}`);
  }
  if (running.length === 0) {
    console.error("fuzz: nothing can run here");
    return 2;
  }
  if (only !== undefined) {
    const report = running[0].fuzzer.run(only);
    if (report !== null) tell(running[0].kind, only, seed, report);
    else console.log(`${running[0].kind.name}: case ${only} does not differ`);
    return report === null ? 0 : 1;
  }
  console.error(`--seed ${seed}`);
  return runAll(running, options) ? 0 : 1;
}

if (import.meta.main) Deno.exit(main(Deno.args));
