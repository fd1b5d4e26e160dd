/**
 * Assembles the benchmark guests with NASM and compares them with the images beside their sources; with `--write` the images
 * are replaced.
 *
 *     deno run --allow-read --allow-write --allow-run=nasm bench/build.ts --write
 * @module
 */
import { BENCH_GUESTS, benchFile } from "./guests.ts";

/**
 * Assembles one guest.
 * @param name Its name.
 * @returns The image.
 * @throws Error NASM is missing, not permitted, or refuses the source; the message is NASM's own.
 */
export function assembleBench(name: string): Uint8Array<ArrayBuffer> {
  const path = (url: URL) => decodeURIComponent(url.pathname), source = benchFile(name, "asm");
  const output = Deno.makeTempFileSync({ prefix: "kvm12_bench_" });
  try {
    const args = ["-f", "bin", "-w+error", "-I", path(new URL(".", source)), "-o", output, path(source)];
    const { success, stderr } = new Deno.Command("nasm", { args, stdin: "null" }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    return Deno.readFileSync(output);
  } finally {
    Deno.removeSync(output);
  }
}

if (import.meta.main) {
  let different = 0;
  for (const { name } of BENCH_GUESTS) {
    const built = assembleBench(name), file = benchFile(name, "img");
    const same = built.join() === Deno.readFileSync(file).join();
    if (!same && Deno.args.includes("--write")) Deno.writeFileSync(file, built);
    else if (!same) different++;
    console.log(`${name}.img: ${same ? "the same" : different ? "differs from its source" : "written"}`);
  }
  Deno.exit(different ? 1 : 0);
}
