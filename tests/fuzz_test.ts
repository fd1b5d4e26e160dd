import { assertEquals, assertThrows } from "@std/assert";
import { KINDS } from "../fuzz/kinds.ts";
import { readOptions, UsageError } from "../fuzz/options.ts";

/** Cases that are tried of each kind: the same in each run. */
const CASES: Readonly<Record<string, number>> = { host: 60, engine: 17, restore: 25, bytes: 25, "9p": 50 };
const FIRST = 12;

for (const kind of KINDS) {
  const missing = kind.missing();
  Deno.test({
    name: `fuzz ${kind.name}: no difference in ${CASES[kind.name]} cases${
      missing === undefined ? "" : ` (${missing})`
    }`,
    ignore: missing !== undefined,
    fn: () => {
      using fuzzer = kind.open();
      for (let n = FIRST; n < FIRST + CASES[kind.name]; n++) assertEquals(fuzzer.run(n), null, `case ${n}`);
    },
  });
}

Deno.test("readOptions() reads kinds, minutes, seed and case, and refuses what makes no sense", () => {
  const known = ["host", "engine"];
  assertEquals(readOptions(["--kind", "host", "--case", "7", "--minutes=2", "--seed", "5"], known), {
    kinds: ["host"],
    minutes: 2,
    seed: 5,
    only: 7,
  });
  assertEquals(readOptions(["--help"], known), null);
  const wrong = [["--kind", "x"], ["--case", "7"], ["--minutes", "0"], ["--seed", "-1"], ["--seed", "x"], ["--what"], [
    "y",
  ]];
  for (const args of wrong) assertThrows(() => readOptions(args, known), UsageError, undefined, args.join(" "));
});
