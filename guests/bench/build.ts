/**
 * Builds the benchmark guests and compares them with the images in this folder; with `--write` the images are replaced.
 *
 *     deno run -A guests/bench/build.ts [--write] [NAME]...
 * @module
 */

import { BENCH_GUESTS, BENCH_PROGRAMS, type BenchGuest, COMMON_FLAGS } from "./list.ts";

const SOURCES = new URL("src/", import.meta.url);
const ROOT = new URL("../../", import.meta.url);

/** The compiler that made the images of this folder: only the same one is bound to make the same bytes. */
export const COMPILER = "gcc (Debian 12.2.0-14+deb12u1) 12.2.0";

/** The programs that a build needs. */
export const TOOLS: readonly string[] = ["gcc", "ld", "objcopy", "nasm"];

const SIZES = {
  32: { flags: ["-m32", "-march=pentium4", "-mfpmath=sse"], object: "elf32", linker: "elf_i386" },
  64: { flags: ["-m64", "-march=x86-64", "-mcmodel=small"], object: "elf64", linker: "elf_x86_64" },
} as const;

const BARE_FLAGS = ["-ffreestanding", "-fno-pic", "-fno-pie", "-fno-asynchronous-unwind-tables"];

/**
 * Builds one guest.
 * @param guest Which.
 * @returns The image.
 * @throws Error A tool is missing, not permitted, or refuses a source; the message is the tool's own.
 */
export async function buildGuest(guest: BenchGuest): Promise<Uint8Array<ArrayBuffer>> {
  const program = BENCH_PROGRAMS.find(({ name }) => name === guest.name);
  const size = SIZES[guest.bits];
  const folder = await Deno.makeTempDir();
  try {
    const objects: string[] = [];
    const object = (name: string): string => {
      objects.push(`${folder}/${name}.o`);
      return objects[objects.length - 1];
    };
    const assembly = [`start${guest.bits}`, ...(program?.assembly ?? []).map((each) => `${each}${guest.bits}`)];
    for (const name of assembly) {
      await run("nasm", ["-f", size.object, "-w+error", "-o", object(name), source(`${name}.asm`)]);
    }
    for (const name of ["runtime", guest.name]) {
      const flags = [
        ...COMMON_FLAGS,
        ...BARE_FLAGS,
        ...size.flags,
        ...(name === guest.name ? program?.flags ?? [] : []),
      ];
      await run("gcc", [...flags, "-c", "-o", object(name), source(`${name}.c`)]);
    }
    const linked = `${folder}/linked`, image = `${folder}/image`;
    const linkFlags = ["-m", size.linker, "-T", source("layout.ld"), "--build-id=none", "--no-warn-rwx-segments"];
    await run("ld", [...linkFlags, "-z", "noexecstack", "-o", linked, ...objects]);
    await run("objcopy", ["-O", "binary", linked, image]);
    return await Deno.readFile(image);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Where a guest's image is.
 * @param guest Which.
 */
export function benchImageUrl(guest: BenchGuest): URL {
  return new URL(guest.image, ROOT);
}

/**
 * The first line that the compiler says about its version.
 * @throws Error There is no compiler, or it is not permitted.
 */
export async function compilerVersion(): Promise<string> {
  return (await run("gcc", ["--version"])).split("\n")[0];
}

function source(name: string): string {
  return decodeURIComponent(new URL(name, SOURCES).pathname);
}

async function run(tool: string, args: readonly string[]): Promise<string> {
  const command = new Deno.Command(tool, { args: [...args], stdin: "null", stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`${tool}: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}

async function main(args: readonly string[]): Promise<number> {
  const write = args.includes("--write");
  const names = args.filter((each) => !each.startsWith("-"));
  let different = 0;
  for (const guest of BENCH_GUESTS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const built = await buildGuest(guest);
    const kept = await Deno.readFile(benchImageUrl(guest)).catch(() => new Uint8Array(0));
    const same = built.length === kept.length && built.every((byte, i) => byte === kept[i]);
    if (!same && write) await Deno.writeFile(benchImageUrl(guest), built);
    if (!same && !write) different++;
    console.log(
      `${guest.image}: ${built.length} bytes, ${same ? "the same" : write ? "written" : "differs from its source"}`,
    );
  }
  const version = await compilerVersion();
  if (version !== COMPILER) console.log(`The images are made by ${COMPILER}, this is ${version}`);
  return different === 0 ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(`Cannot build the benchmark guests: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
