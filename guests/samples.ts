/**
 * The sample guests: what each needs on the command line, and what it prints.
 * @module
 */

/** A sample guest. */
export interface Sample {
  /** The image, in this folder. Its source is beside it, with the ending `.asm`. */
  readonly image: string;
  /** The options of `kvm12 run` that it needs. */
  readonly options: readonly string[];
  /** What it prints on COM1. */
  readonly output: string;
}

/** All sample guests. */
export const SAMPLES: readonly Sample[] = [
  {
    image: "hello.img",
    options: [],
    output: "Hello from a boot sector at 0:7C00.\n",
  },
  {
    image: "tiny.bin",
    options: ["--load", "0x1000", "--reg", "rax=2", "--reg", "rbx=2"],
    output: "4\n",
  },
  {
    image: "peek.bin",
    options: [
      ...["--load", "0x1000", "-m", "64K", "--alias", "gpa=0x20000,size=4K,target=0x8000"],
      ...["--cpuid", "0=1,0x316d766b,0x656c706d,0x61732032"],
    ],
    output: `written at 20010, read at 08010: cafef00d
written at 08014, read at 20014: 600df00d
written at 30000, read there:    ffffffff
CPUID leaf 0: 00000001 kvm12 sample
`,
  },
];
