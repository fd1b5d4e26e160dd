import { assertEquals, assertThrows } from "@std/assert";
import { CliError } from "../cli/errors.ts";
import { BENCH_GUESTS } from "../guests/bench/list.ts";
import { EXECUTOR_NAMES } from "./executors.ts";
import { type BenchOptions, parseBench } from "./options.ts";

function parse(...args: string[]): BenchOptions {
  const options = parseBench(args);
  if (options === "help") throw new Error("this is the help");
  return options;
}

Deno.test("parseBench() measures everything unless it is told otherwise", () => {
  assertEquals(parse(), {
    rounds: 3,
    guests: BENCH_GUESTS,
    executors: EXECUTOR_NAMES,
    deadlineMs: 60_000,
    quick: false,
    exits: true,
    format: "text",
  });
  assertEquals(parseBench(["--rounds", "x", "--help"]), "help");
});

Deno.test("parseBench() takes lists of guests and executors, together or one by one", () => {
  const { guests, executors, exits } = parse("--guest", "sieve,lz64", "--guest=fib32", "--executor", "soft,tcg");
  assertEquals(guests.map(({ name, bits }) => `${name}${bits}`), ["sieve32", "sieve64", "lz64", "fib32"]);
  assertEquals([executors, exits], [["soft", "tcg"], false]);
});

Deno.test("parseBench() takes numbers and the format", () => {
  const { rounds, deadlineMs, quick, format } = parse("--rounds", "5", "--deadline", "1.5", "--quick", "--json");
  assertEquals([rounds, deadlineMs, quick, format], [5, 1500, true, "json"]);
  assertEquals(parse("--markdown").format, "markdown");
});

Deno.test("parseBench() refuses what makes no sense", () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--rounds", "0"], "--rounds"],
    [["--guest", "nothing"], "Cannot use 'nothing' for --guest"],
    [["--executor", "bochs"], "Cannot use 'bochs' for --executor"],
    [["sieve"], "--guest names guests"],
    [["--json", "--markdown"], "--json with --markdown"],
    [["--runs", "3"], "there is no such option"],
  ];
  for (const [args, message] of cases) assertThrows(() => parse(...args), CliError, message);
});
