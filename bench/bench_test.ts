import { assert, assertEquals } from "@std/assert";
import { createSoftBackend } from "../core/engine/soft.ts";
import { assembleBench } from "./build.ts";
import { inProcess } from "./engines.ts";
import { BENCH_GUESTS, benchFile } from "./guests.ts";

for (const guest of BENCH_GUESTS) {
  Deno.test(`${guest.name}.img runs to its end with any number of rounds`, async () => {
    const soft = inProcess("soft", () => createSoftBackend());
    const counts: number[] = [];
    for (const rounds of [1, 2, 3]) counts.push((await soft.run(guest, rounds)).instructions!);
    assert(counts[1] > counts[0]);
    if (guest.unit === "exits") assertEquals(counts[2] - counts[1], counts[1] - counts[0]);
  });
}

/** What is missing to assemble the sources. */
function missingForNasm(): string | undefined {
  for (const query of [{ name: "run", command: "nasm" }, { name: "write" }] as const) {
    if (Deno.permissions.querySync(query).state !== "granted") return `--allow-${query.name}`;
  }
  try {
    new Deno.Command("nasm", { args: ["-v"], stdout: "null" }).outputSync();
    return undefined;
  } catch {
    return "NASM";
  }
}

const missing = missingForNasm();

Deno.test({
  name: `assembleBench() makes the images of their sources${missing === undefined ? "" : ` (lacks: ${missing})`}`,
  ignore: missing !== undefined,
  fn: () => {
    for (const { name } of BENCH_GUESTS) {
      assertEquals(
        assembleBench(name),
        Deno.readFileSync(benchFile(name, "img")),
        `${name}: run bench/build.ts --write`,
      );
    }
  },
});
