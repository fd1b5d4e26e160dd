/**
 * Builds the programs and compares them with what is kept here: the guests with `images/`, what they say as programs of this host with
 * `expected/`. With `--write` the kept files are replaced.
 *
 *     deno run --allow-read --allow-write --allow-run tests/programs/build.ts [--write] [NAME]...
 *
 * A program is compiled once for a set of flags; guest and host program are linked from the very same object, but for real mode.
 * @module
 */

import { type Program, PROGRAM_BUILDS, PROGRAM_GUESTS, type ProgramBuild, type ProgramGuest } from "./list.ts";
import { programImageUrl, programTextUrl } from "./list.ts";

const SOURCES = new URL("src/", import.meta.url);

/** The compiler that made the kept images: only the same one is bound to make the same bytes. */
export const COMPILER = "gcc (Debian 12.2.0-14+deb12u1) 12.2.0";

/** The programs that a build needs. */
export const TOOLS: readonly string[] = ["gcc", "ld", "objcopy", "nasm"];

// deno-fmt-ignore
const FLAGS: readonly string[] = [
  "-O2", "-pipe", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fwrapv", "-frounding-math", "-fno-pic", "-fno-pie",
  "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fcf-protection=none", "-fno-tree-loop-distribute-patterns",
];

const RUNTIME: readonly string[] = ["runtime", "int64"];

/**
 * A folder for building, gone afterwards. What several guests share is made once.
 *
 * @example
 * ```ts
 * await using builder = new ProgramBuilder();
 * const image = await builder.image(PROGRAM_GUESTS[0]);
 * ```
 */
export class ProgramBuilder implements AsyncDisposable {
  readonly #folder: string = Deno.makeTempDirSync({ prefix: "kvm12_programs_" });
  readonly #made = new Map<string, Promise<string>>();

  /**
   * Makes the image of a guest.
   * @param guest Which.
   * @returns The image.
   * @throws Error A tool is missing, not permitted, or refuses a source; the message is the tool's own.
   */
  async image(guest: ProgramGuest): Promise<Uint8Array<ArrayBuffer>> {
    const { program, build } = guest;
    const start = await this.#start(build, program.point);
    const objects = await this.#objects(program, build, "guest");
    const linked = `${this.#folder}/${guest.name}.linked`, image = `${this.#folder}/${guest.name}.image`;
    const script = [`--defsym=LOAD=${build.load}`, "-T", source("layout.ld")];
    await run("ld", [...linkFlags(build), ...script, "-o", linked, start, ...objects]);
    await run("objcopy", ["-O", "binary", linked, image]);
    return await Deno.readFile(image);
  }

  /**
   * Runs a program in a process of this host.
   * @param guest Which.
   * @returns What it says.
   * @throws Error As {@linkcode image}; or it fails.
   */
  async text({ program, build }: ProgramGuest): Promise<string> {
    const hosted = PROGRAM_BUILDS.find(({ name }) => name === build.host) ?? build;
    const objects = await this.#objects(program, hosted, "host");
    const path = `${this.#folder}/${program.name}-${hosted.name}.host`;
    await this.#once(path, () => run("ld", [...linkFlags(hosted), "-o", path, ...objects]));
    return await run(path, []);
  }

  /** Removes the folder, when nothing is under way in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#made.values());
    await Deno.remove(this.#folder, { recursive: true });
  }

  #objects({ name, point }: Program, build: ProgramBuild, side: "guest" | "host"): Promise<string[]> {
    return Promise.all([name, ...RUNTIME, ...(point ? ["format"] : []), side].map((name) => {
      const object = `${this.#folder}/${name}${build.flags.join("")}.o`;
      return this.#once(object, () => run("gcc", [...FLAGS, ...build.flags, "-c", "-o", object, source(`${name}.c`)]));
    }));
  }

  #start({ mode, sse }: ProgramBuild, point: boolean): Promise<string> {
    const name = `start${mode === "real" ? 16 : mode === "protected" ? 32 : 64}`;
    const flags = [`-DFPU=${Number(point || sse)}`, `-DSSE=${Number(sse)}`];
    const object = `${this.#folder}/${name}${flags.join("")}.o`;
    const format = ["-f", mode === "long" ? "elf64" : "elf32", "-w+error", ...flags];
    return this.#once(object, () => run("nasm", [...format, "-o", object, source(`${name}.asm`)]));
  }

  #once(path: string, make: () => Promise<unknown>): Promise<string> {
    const made = this.#made.get(path) ?? make().then(() => path);
    this.#made.set(path, made);
    return made;
  }
}

function linkFlags({ mode }: ProgramBuild): string[] {
  const machine = mode === "long" ? "elf_x86_64" : "elf_i386";
  return ["-m", machine, "-static", "--build-id=none", "--no-warn-rwx-segments", "-z", "noexecstack"];
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

/** Compares a file with what was made, or writes it, and says so. */
async function keep(url: URL, made: Uint8Array, write: boolean): Promise<boolean> {
  const kept = await Deno.readFile(url).catch(() => new Uint8Array(0));
  const same = made.length === kept.length && made.every((byte, i) => byte === kept[i]);
  if (!same && write) await Deno.writeFile(url, made);
  const name = url.pathname.split("/").slice(-2).join("/");
  console.log(`${name}: ${made.length} bytes, ${same ? "the same" : write ? "written" : "differs"}`);
  return same || write;
}

async function main(args: readonly string[]): Promise<number> {
  const write = args.includes("--write");
  const names = args.filter((each) => !each.startsWith("-"));
  await using builder = new ProgramBuilder();
  let good = true;
  const texts = new Set<string>();
  for (const guest of PROGRAM_GUESTS) {
    if (names.length > 0 && !names.includes(guest.program.name) && !names.includes(guest.name)) continue;
    good = await keep(programImageUrl(guest), await builder.image(guest), write) && good;
    const text = programTextUrl(guest);
    // Whole numbers are the same in every build: the first writes, the others compare.
    const first = !texts.has(text.href);
    texts.add(text.href);
    good = await keep(text, new TextEncoder().encode(await builder.text(guest)), write && first) && good;
  }
  const version = await compilerVersion();
  if (version !== COMPILER) console.log(`The images are made by ${COMPILER}, this is ${version}`);
  return good ? 0 : 1;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(`Cannot build the programs: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
