/**
 * Assembles the firmware's ROM with NASM and compares it with `bios_image.ts`; with `--write` that file is replaced.
 *
 *     deno run --allow-read --allow-write --allow-run=nasm devices/firmware/build.ts --write
 * @module
 */

const SOURCE = new URL("bios.asm", import.meta.url);
const IMAGE = new URL("bios_image.ts", import.meta.url);
const LINE = 116;

/**
 * Makes the module that holds the ROM.
 * @param image The ROM.
 * @returns Its source.
 */
export function imageModule(image: Uint8Array): string {
  const text = image.toBase64();
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += LINE) lines.push(text.slice(at, at + LINE));
  return `/**
 * The firmware's ROM, as \`build.ts\` has made it from \`bios.asm\`.
 * @module
 */

/** The ROM: 8 KiB, to be at 0xfe000. */
export const BIOS_IMAGE: Uint8Array = Uint8Array.fromBase64(\`
${lines.join("\n")}
\`);
`;
}

/**
 * Assembles the ROM.
 * @returns Its bytes.
 * @throws Error NASM is missing, not permitted, or refuses the source; the message is NASM's own.
 */
export async function assembleRom(): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    const args = ["-f", "bin", "-w+error", "-o", `${folder}/image`, decodeURIComponent(SOURCE.pathname)];
    const { success, stderr } = await new Deno.Command("nasm", { args, stderr: "piped" }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
    return await Deno.readFile(`${folder}/image`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    const built = imageModule(await assembleRom());
    const same = built === await Deno.readTextFile(IMAGE).catch(() => "");
    const write = Deno.args.includes("--write");
    if (!same && write) await Deno.writeTextFile(IMAGE, built);
    console.log(`bios_image.ts: ${same ? "the same" : write ? "written" : "differs from its source"}`);
    Deno.exit(same || write ? 0 : 1);
  } catch (error) {
    console.error(`Cannot build the firmware: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
