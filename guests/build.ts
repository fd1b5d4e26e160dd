/**
 * Assembles the sample guests with NASM and compares them with the images in this folder; with `--write` the images are replaced.
 *
 *     deno task guests
 *     deno task guests --write
 * @module
 */

import { SAMPLES } from "./samples.ts";

const FOLDER = new URL(".", import.meta.url);

/**
 * Assembles one source.
 * @param source Where the source is.
 * @returns The flat binary.
 * @throws Error NASM is missing, not permitted, or refuses the source; the message is NASM's own.
 */
export async function assemble(source: URL): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await Deno.makeTempDir();
  try {
    const output = `${folder}/image`;
    const { success, stderr } = await new Deno.Command("nasm", {
      args: ["-f", "bin", "-w+error", "-o", output, decodeURIComponent(source.pathname)],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Where the source of an image is. */
export function sourceOf(image: string): URL {
  return new URL(image.replace(/\.[a-z]+$/, ".asm"), FOLDER);
}

/** Where an image is. */
export function imageUrl(image: string): URL {
  return new URL(image, FOLDER);
}

async function main(args: readonly string[]): Promise<number> {
  const write = args.includes("--write");
  let different = 0;
  for (const { image } of SAMPLES) {
    const built = await assemble(sourceOf(image));
    const kept = await Deno.readFile(imageUrl(image)).catch(() => new Uint8Array(0));
    const same = built.length === kept.length && built.every((byte, i) => byte === kept[i]);
    if (!same && write) await Deno.writeFile(imageUrl(image), built);
    if (!same && !write) different++;
    console.log(
      `${image}: ${built.length} bytes, ${same ? "the same" : write ? "written" : "differs from its source"}`,
    );
  }
  return different === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(`Cannot build the sample guests: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
