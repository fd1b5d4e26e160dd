/**
 * The self-checking guests of `tests/guests`: system behaviour, a line a check. Where NASM is installed, each image is
 * compared with its source.
 * @module
 */

import { assertEquals } from "@std/assert";
import { BACKENDS, cli } from "./cli_support.ts";

const FOLDER = new URL("./guests/", import.meta.url);
const NAMES = ["segments", "tasks", "v86", "paging", "long", "debug", "fpu", "registers"];
/** What a guest gives debug-exit when no check has failed. */
const SUCCESS = 1;
/** The engine cannot go on. */
const LIMIT = 4;

function path(file: string): string {
  return decodeURIComponent(new URL(file, FOLDER).pathname);
}

function run(name: string, backend: string): ReturnType<typeof cli> {
  const options = ["--load", "0x8000", "--mode", "real", "--debug-exit", "--timeout", "30"];
  return cli(["run", "--backend", backend, ...options, path(`${name}.bin`)]);
}

/** How many checks a source has. */
function checksIn(name: string): number {
  const source = Deno.readTextFileSync(path(`${name}.asm`));
  const count = (pattern: RegExp) => source.split("\n").filter((line) => pattern.test(line)).length;
  return count(/^\s+(faults|equals|cr2_is) "/) + 2 * count(/^\s+stopped "/) - count(/^\s+equals "its DR6"/);
}

for (const { name: backend, missing } of BACKENDS) {
  let lacks = missing;
  // Some devices run guest kernels through an emulator, which gives up on INT n in ring 0.
  if (lacks === undefined && backend === "kvm" && (await run("segments", backend)).code === LIMIT) {
    lacks = "a /dev/kvm that runs all of ring 0";
  }
  for (const name of NAMES) {
    Deno.test({
      name: `${name}.bin finds nothing wrong [${backend}]${lacks === undefined ? "" : ` (lacks: ${lacks})`}`,
      ignore: lacks !== undefined,
      async fn() {
        const { code, stdout, stderr } = await run(name, backend);
        const lines = stdout.split("\n");
        assertEquals(lines.filter((line) => line.startsWith("FAIL")), []);
        assertEquals([stderr, code], ["", SUCCESS]);
        assertEquals(lines.filter((line) => line.startsWith("ok ")).length, checksIn(name));
      },
    });
  }
}

/** Assembles a source; its includes are beside it. */
async function assemble(name: string): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    const args = ["-f", "bin", "-w+error", "-i", path(""), "-o", `${folder}/image`, path(`${name}.asm`)];
    const { success, stderr } = await new Deno.Command("nasm", { args, stderr: "piped" }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    return await Deno.readFile(`${folder}/image`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is missing to assemble the sources here. */
async function missingForNasm(): Promise<string | undefined> {
  if (Deno.permissions.querySync({ name: "run", command: "nasm" }).state !== "granted") return "--allow-run";
  try {
    await new Deno.Command("nasm", { args: ["-v"], stdout: "null", stderr: "null" }).output();
    return undefined;
  } catch {
    return "NASM";
  }
}

const missing = await missingForNasm();

for (const name of NAMES) {
  Deno.test({
    name: `${name}.bin is what NASM makes of its source${missing === undefined ? "" : ` (lacks: ${missing})`}`,
    ignore: missing !== undefined,
    async fn() {
      assertEquals(await assemble(name), Deno.readFileSync(path(`${name}.bin`)));
    },
  });
}
