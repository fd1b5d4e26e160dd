/**
 * The benchmark guests: each does a little of its work on the software engine and gives the right checksum, the same as a program of
 * the host; and each image is what its sources make.
 * @module
 */

import { assertEquals } from "@std/assert";
import { benchImageUrl, buildGuest, COMPILER, compilerVersion, TOOLS } from "../guests/bench/build.ts";
import { BENCH_GUESTS, nativeArguments } from "../guests/bench/list.ts";
import { cli, TestFolder } from "./cli_support.ts";

const ROOT = new URL("../", import.meta.url).pathname;

for (const guest of BENCH_GUESTS) {
  const { name, bits, quickChecksum } = guest;
  Deno.test(`${name}${bits}.img gives its checksum`, async () => {
    const path = benchImageUrl(guest).pathname;
    assertEquals(await cli(["run", "--timeout", "20", "--append", "quick", path]), {
      code: 0,
      stdout: `${name} start\n${name} ${quickChecksum}\n`,
      stderr: "",
    });
  });
}

/** What is missing to build here. */
async function missingForBuild(): Promise<string | undefined> {
  for (const command of TOOLS) {
    if (Deno.permissions.querySync({ name: "run", command }).state !== "granted") return "--allow-run";
    try {
      await new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).output();
    } catch {
      return command;
    }
  }
  const version = await compilerVersion();
  return version === COMPILER ? undefined : `${COMPILER}; this is ${version}`;
}

const missing = await missingForBuild();
const lacks = missing === undefined ? "" : ` (lacks: ${missing})`;

Deno.test({
  name: `buildGuest() makes the images of the benchmark guests${lacks}`,
  ignore: missing !== undefined,
  async fn() {
    const left = [...BENCH_GUESTS];
    const worker = async (): Promise<void> => {
      for (let guest = left.pop(); guest !== undefined; guest = left.pop()) {
        assertEquals(await buildGuest(guest), await Deno.readFile(benchImageUrl(guest)), guest.image);
      }
    };
    await Promise.all([worker(), worker()]);
  },
});

const native = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

Deno.test({
  name: `nativeArguments() makes programs with the checksums of the guests${native ? lacks : " (lacks: x86-64 Linux)"}`,
  ignore: !native || missing !== undefined,
  async fn() {
    using folder = new TestFolder();
    for (const guest of BENCH_GUESTS.filter(({ native, bits }) => native && bits === 64)) {
      const program = `${folder.path}/${guest.name}`;
      const built = await new Deno.Command("gcc", { args: nativeArguments(guest, program), cwd: ROOT }).output();
      assertEquals(new TextDecoder().decode(built.stderr), "");
      const { stdout } = await new Deno.Command(program, { args: ["quick"] }).output();
      const expected = `${guest.name} start\n${guest.name} ${guest.quickChecksum}\n`;
      assertEquals(new TextDecoder().decode(stdout), expected);
    }
  },
});
