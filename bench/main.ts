/**
 * Compares how fast this project and its peers run the guests of `guests/bench/`: in turns, by medians, on the same images.
 *
 *     deno task bench
 *     deno task bench --guest sieve,crc32 --executor soft,tcg --rounds 5
 * @module
 */

import { CliError, EXIT, lineOf } from "../cli/errors.ts";
import { findExecutors } from "./executors.ts";
import { type ExitRate, measureExits } from "./exits.ts";
import { describeMachine } from "./machine.ts";
import { type GuestResult, Measurement } from "./measure.ts";
import { type BenchOptions, HELP, parseBench } from "./options.ts";
import { milliseconds, renderJson, renderReport, type Report } from "./report.ts";

/** What a program ended by Ctrl-C gives. */
const BROKEN_OFF = 130;
const EXITS_MS = 1000;

/** Why the measurement ends early. */
class Interruption extends Error {}

async function main(args: readonly string[]): Promise<number> {
  const options = parseBench(args);
  if (options === "help") {
    console.log(HELP.trimEnd());
    return EXIT.OK;
  }
  const abort = new AbortController();
  const stop = (): void => abort.abort(new Interruption("Cannot measure: it was broken off"));
  const signals: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  const folder = await Deno.makeTempDir({ prefix: "kvm12_bench_" });
  try {
    const report = await measure(options, folder, abort.signal);
    const text = options.format === "json" ? renderJson(report) : renderReport(report, options.format);
    console.log(text.trimEnd());
    for (const error of report.errors) console.error(`Wrong checksum: ${error}`);
    if (report.interrupted) return BROKEN_OFF;
    return report.errors.length === 0 ? EXIT.OK : EXIT.IO;
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    return BROKEN_OFF;
  } finally {
    await Deno.remove(folder, { recursive: true });
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
  }
}

async function measure(options: BenchOptions, folder: string, signal: AbortSignal): Promise<Report> {
  const { rounds, quick, deadlineMs } = options;
  const limits = { deadlineMs, signal };
  const { executors, missing } = await findExecutors(options.executors, { ...limits, folder });
  const names = executors.map(({ name }) => name);
  const machine = await describeMachine(names, limits);
  const measurement = new Measurement({ ...limits, rounds, quick });
  const guests: GuestResult[] = [];
  let exits: readonly ExitRate[] = [];
  let interrupted = false;
  try {
    for (const guest of options.guests) {
      const result = await measurement.guest(guest, executors);
      guests.push(result);
      console.error(progressLine(result, `${guests.length}/${options.guests.length}`));
    }
    if (options.exits) exits = await measureExits({ ...limits, rounds, milliseconds: EXITS_MS, folder });
  } catch (error) {
    if (!(error instanceof Interruption)) throw error;
    interrupted = true;
  }
  const { errors } = measurement;
  const start = measurement.starts();
  return { machine, rounds, quick, executors: names, missing, guests, start, exits, errors, interrupted };
}

function progressLine({ name, bits, cells }: GuestResult, count: string): string {
  const times = Object.entries(cells).map(([executor, cell]) =>
    `${executor} ${"median" in cell ? milliseconds(cell.median) : "-"}`
  );
  return `${count} ${name}${bits}: ${times.join(", ")}`;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    const known = error instanceof CliError;
    console.error(`bench: ${known ? error.message : lineOf(error)}`);
    Deno.exit(known ? error.exitCode : EXIT.IO);
  }
}
