/**
 * The benchmark guests: programs that run on the bare processor, say on COM1 when they begin and what came out, and end.
 *
 * A guest is a multiboot-1 image. At once it prints `NAME start` and a line feed; when its work is done, `NAME CHECKSUM` with eight
 * hexadecimal digits; then it writes 0 to port 0xf4 and halts. It reads no clock: who wants a time takes the time between the lines.
 * The word `quick` on the multiboot command line asks for about a fortieth of the work.
 * @module
 */

/** A benchmark guest. */
export interface BenchGuest {
  /** What it calls itself. */
  readonly name: string;
  /** The size of its registers: the mode in which the work is done is 32-bit protected mode or long mode. */
  readonly bits: 32 | 64;
  /** Path of the image, from the root of the project. */
  readonly image: string;
  /** What one run does. */
  readonly work: string;
  /** Whether the same C can be built as a program of the host, by {@linkcode nativeArguments}. */
  readonly native: boolean;
  /** What it prints as its checksum. */
  readonly checksum: string;
  /** The same if the command line has the word `quick`. */
  readonly quickChecksum: string;
}

/** A program: its source is `src/NAME.c`. */
export interface BenchProgram extends Omit<BenchGuest, "bits" | "image"> {
  /** Flags of the compiler behind the common ones. */
  readonly flags?: readonly string[];
  /** What there is of assembly beside the C: `src/EACH32.asm` and `src/EACH64.asm`. */
  readonly assembly?: readonly string[];
}

const X87: readonly string[] = ["-mfpmath=387"];

/** All programs. Each is built in both sizes, and each gives the same checksum in both. */
// deno-fmt-ignore
export const BENCH_PROGRAMS: readonly BenchProgram[] = [
  { name: "intmix", work: "4 million rounds of multiplications, divisions, shifts and carries", native: true, checksum: "80188b3d", quickChecksum: "e1ceb7f7" },
  { name: "sieve", work: "40 sieves of Eratosthenes over half a million bytes", native: true, checksum: "d5f55fd4", quickChecksum: "e54eab3c" },
  { name: "crc32", work: "CRC-32 by table over 50 MiB", native: true, checksum: "a3c8d7fb", quickChecksum: "1a1a7269" },
  { name: "sha256", work: "SHA-256 over 11 MiB", native: true, checksum: "489355e1", quickChecksum: "c4c6382e" },
  { name: "quicksort", work: "40 times quicksort of 50,000 numbers", native: true, checksum: "1541c4ed", quickChecksum: "80f9ef3f" },
  { name: "memrep", work: "copies, fills, comparisons and scans by REP, 130 MiB", native: true, checksum: "11b2ae87", quickChecksum: "3984847d" },
  { name: "memloop", work: "copies, fills, comparisons and sums by loops, 130 MiB", native: true, checksum: "61001d7e", quickChecksum: "09f8fd75" },
  { name: "mat387", work: "20 products of 64 by 64 matrices of doubles on the x87", native: true, checksum: "e4a1efdb", quickChecksum: "acac382b", flags: X87 },
  { name: "matsse", work: "40 products of 64 by 64 matrices of doubles with scalar SSE2", native: true, checksum: "d7187287", quickChecksum: "acac382b" },
  { name: "matpacked", work: "45 products of 64 by 64 matrices of floats with packed SSE2, and as many of whole numbers element by element", native: true, checksum: "c3ba8085", quickChecksum: "f355f908" },
  { name: "mandelbrot", work: "256 by 256 points of the Mandelbrot set in doubles, at most 400 steps each", native: true, checksum: "dde9c4a4", quickChecksum: "69445fd6" },
  { name: "interp", work: "an interpreter of bytecode that counts Collatz steps", native: true, checksum: "df1ca38a", quickChecksum: "58e31598" },
  { name: "chase", work: "4 million pointers in random order through 4 MiB", native: true, checksum: "c0251dcf", quickChecksum: "f123ff35" },
  { name: "strsearch", work: "7 words 60 times in 60,000 letters, plainly and by Horspool's table", native: true, checksum: "4473ccfa", quickChecksum: "a9be5bcd" },
  { name: "statemach", work: "a state machine over 26 million random letters", native: true, checksum: "042f2c7f", quickChecksum: "684c7f98" },
  { name: "fib", work: "recursive calls: 30 times Fibonacci and Takeuchi", native: true, checksum: "a42a9f74", quickChecksum: "2426f8ae" },
  { name: "lz", work: "120 times compressing and expanding 64 KiB", native: true, checksum: "3edf3327", quickChecksum: "32fa74dc" },
  { name: "smc", work: "20,000 calls of code that is changed before each", native: true, checksum: "86e69e48", quickChecksum: "87222be7" },
  { name: "paging", work: "2048 pages of 4 KiB: touched in order and at random, exchanged with INVLPG, forgotten by CR3", native: false, checksum: "dd13db10", quickChecksum: "50c0492a" },
  { name: "syscall", work: "2.5 million SYSENTER and SYSEXIT (64-bit: SYSCALL and SYSRET) round trips", native: false, checksum: "bf28c873", quickChecksum: "a694b517", assembly: ["rings"] },
  { name: "interrupt", work: "200,000 INT and IRET round trips in ring 0, and as many from ring 3", native: false, checksum: "567ef662", quickChecksum: "8ade17e1", assembly: ["rings"] },
  { name: "portio", work: "500,000 times OUT to port 0x80", native: false, checksum: "73e7ec0f", quickChecksum: "dd50aff5" },
  { name: "mmio", work: "100,000 times two reads and two writes where there is no memory", native: false, checksum: "8f058ffb", quickChecksum: "32f61a99" },
];

/** All guests. */
export const BENCH_GUESTS: readonly BenchGuest[] = BENCH_PROGRAMS.flatMap((program) => {
  const { name, work, native, checksum, quickChecksum } = program;
  const common = { name, work, native, checksum, quickChecksum };
  return ([32, 64] as const).map((bits) => ({ ...common, bits, image: `guests/bench/${name}${bits}.img` }));
});

/** Flags that every build has: the guests' in both sizes, and the native programs'. */
export const COMMON_FLAGS: readonly string[] = [
  ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-mno-red-zone", "-fno-tree-vectorize"],
  ...["-fno-stack-protector", "-fcf-protection=none", "-fno-tree-loop-distribute-patterns"],
];

/**
 * The arguments with which gcc makes a program of the host out of a guest's C. It prints what the guest prints; its first argument may
 * be `quick`.
 * @param guest The guest, with `native` set.
 * @param output Path of the program.
 * @returns The arguments; the paths of the sources are from the root of the project.
 */
export function nativeArguments(guest: BenchGuest, output: string): string[] {
  const flags = BENCH_PROGRAMS.find(({ name }) => name === guest.name)?.flags ?? [];
  const sources = ["guests/bench/src/native.c", `guests/bench/src/${guest.name}.c`];
  return [...COMMON_FLAGS, ...flags, "-DNATIVE", "-march=x86-64", "-o", output, ...sources];
}
