/**
 * The sample guests: each prints the same on every engine, and each image is what its source makes.
 * @module
 */

import { assertEquals } from "@std/assert";
import { assemble, imageUrl, sourceOf } from "../guests/build.ts";
import { SAMPLES } from "../guests/samples.ts";
import { cli, testOnBackends } from "./cli_support.ts";

for (const { image, options, output } of SAMPLES) {
  testOnBackends(`${image} prints what it must`, async (backend) => {
    const path = imageUrl(image).pathname;
    assertEquals(await cli(["run", "--backend", backend, "--timeout", "20", ...options, path]), {
      code: 0,
      stdout: output,
      stderr: "",
    });
  });
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

for (const { image } of SAMPLES) {
  Deno.test({
    name: `${image} is what NASM makes of its source${missing === undefined ? "" : ` (lacks: ${missing})`}`,
    ignore: missing !== undefined,
    async fn() {
      assertEquals(await assemble(sourceOf(image)), Deno.readFileSync(imageUrl(image)));
    },
  });
}
