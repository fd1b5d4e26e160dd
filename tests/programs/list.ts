/**
 * The programs of this folder: C of some size, compiled by gcc, that runs on the bare processor as well as in a process of Linux, and
 * says the same in both places.
 *
 * A guest is a flat image, entered at its first byte in the state of `planFlat`. It writes text to port 0xe9, and 0 to port 0xf4 when
 * it is done. In protected and long mode the program itself runs in ring 3 with all ports allowed.
 * @module
 */

/** How a program is compiled. */
export interface ProgramBuild {
  /** A short name: the size of its code, and what calculates with a point. */
  readonly name: "16" | "32-387" | "32-sse" | "64" | "64-v2";
  /** The mode in which the guest is entered. */
  readonly mode: "real" | "protected" | "long";
  /** Where the image is loaded. */
  readonly load: number;
  /** Flags of the compiler for the program. */
  readonly flags: readonly string[];
  /** Whether the compiler may use XMM registers. */
  readonly sse: boolean;
  /** What the processor must have beyond the baseline of its size, by Linux's names. */
  readonly features: readonly string[];
  /** The build of the program of the host, whose text this build says too. */
  readonly host: ProgramBuild["name"];
}

const X87: readonly string[] = ["-march=i686", "-mfpmath=387"];
const SSE: readonly string[] = ["-m32", "-march=pentium4", "-msse2", "-mfpmath=sse"];
const V2: readonly string[] = ["-m64", "-march=x86-64-v2", "-mbmi", "-mbmi2", "-mlzcnt", "-mmovbe"];
const V2_FEATURES: readonly string[] = ["sse4_2", "popcnt", "cx16", "bmi1", "bmi2", "abm", "movbe"];

/** All builds. */
// deno-fmt-ignore
export const PROGRAM_BUILDS: readonly ProgramBuild[] = [
  { name: "16", mode: "real", load: 0x1000, flags: ["-m16", ...X87], sse: false, features: [], host: "32-387" },
  { name: "32-387", mode: "protected", load: 0x10_0000, flags: ["-m32", ...X87], sse: false, features: [], host: "32-387" },
  { name: "32-sse", mode: "protected", load: 0x10_0000, flags: SSE, sse: true, features: [], host: "32-sse" },
  { name: "64", mode: "long", load: 0x10_0000, flags: ["-m64", "-march=x86-64"], sse: true, features: [], host: "64" },
  { name: "64-v2", mode: "long", load: 0x10_0000, flags: V2, sse: true, features: V2_FEATURES, host: "64-v2" },
];

/** A program: its source is `src/NAME.c`. */
export interface Program {
  /** Its name. */
  readonly name: string;
  /** What it does. */
  readonly work: string;
  /** Whether it calculates with a point: what it says may differ between builds then. */
  readonly point: boolean;
  /** The builds there are of it. */
  readonly builds: readonly ProgramBuild["name"][];
}

const ALL: Program["builds"] = PROGRAM_BUILDS.map(({ name }) => name);
const BASELINE: Program["builds"] = ALL.filter((name) => name !== "64-v2");

/** All programs. */
// deno-fmt-ignore
export const PROGRAMS: readonly Program[] = [
  { name: "integers", work: "edges of whole numbers in every width, bits, strings", point: false, builds: ALL },
  { name: "compress", work: "matches and Huffman codes, there and back", point: false, builds: BASELINE },
  { name: "crypto", work: "SHA-256, SHA-512, MD5, AES-128 and ChaCha20", point: false, builds: ALL },
  { name: "bignum", work: "products, division and powers of large numbers, RSA, digits of pi", point: false, builds: ALL },
  { name: "script", work: "a parser of JSON, a compiler and its machine", point: false, builds: BASELINE },
  { name: "containers", work: "sorting, a hash table, a tree, patterns of text", point: false, builds: BASELINE },
  { name: "floating", work: "transforms, equations, orbits, conversions, text, special values and rounding", point: true, builds: ALL },
  { name: "extended", work: "80-bit numbers: series, the x87's functions, edges of its operations", point: true, builds: ["16", "32-387", "64"] },
];

/** One guest: a program in one build. */
export interface ProgramGuest {
  /** The program. */
  readonly program: Program;
  /** The build. */
  readonly build: ProgramBuild;
  /** Name of program and build. */
  readonly name: string;
}

/** All guests. */
export const PROGRAM_GUESTS: readonly ProgramGuest[] = PROGRAMS.flatMap((program) =>
  PROGRAM_BUILDS.filter(({ name }) => program.builds.includes(name)).map((build) => ({
    program,
    build,
    name: `${program.name}-${build.name}`,
  }))
);

/** Where the image of a guest is. */
export function programImageUrl({ name }: ProgramGuest): URL {
  return new URL(`images/${name}.bin`, import.meta.url);
}

/** Where it is written what a guest says. */
export function programTextUrl({ program, build }: ProgramGuest): URL {
  return new URL(`expected/${program.name}${program.point ? `-${build.host}` : ""}.txt`, import.meta.url);
}
