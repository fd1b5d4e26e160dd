/**
 * CPUID features by name: where each has its bit. Names are mostly those of Linux's `/proc/cpuinfo`.
 * Source: SDM volume 2, CPUID; AMD APM volume 3, appendix E.
 * @module
 */

/** Registers of a CPUID answer. */
export type CpuidRegister = "eax" | "ebx" | "ecx" | "edx";

/** Where a feature has its bit. */
export interface FeatureBit {
  /** Leaf. */
  readonly leaf: number;
  /** Register. */
  readonly register: CpuidRegister;
  /** Bit number. */
  readonly bit: number;
}

/** Names of 32 bits, from bit 0; "" where we have no name. */
const WORDS: readonly (readonly [leaf: number, register: CpuidRegister, names: string])[] = [
  [
    1,
    "edx",
    "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - ds acpi mmx fxsr " +
    "sse sse2 ss ht tm ia64 pbe",
  ],
  [
    1,
    "ecx",
    "sse3 pclmul dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4.1 " +
    "sse4.2 x2apic movbe popcnt tsc_deadline aes xsave osxsave avx f16c rdrand hypervisor",
  ],
  [
    7,
    "ebx",
    "fsgsbase tsc_adjust sgx bmi1 hle avx2 fdp_excptn smep bmi2 erms invpcid rtm cqm fpu_cs_ds mpx rdt_a " +
    "avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha avx512bw " +
    "avx512vl",
  ],
  [7, "ecx", "- avx512vbmi umip pku ospke waitpkg - - gfni vaes vpclmulqdq - - - - - la57 - - - - - rdpid"],
  [
    7,
    "edx",
    "- - - - - - - - - - md_clear - - - - - - - - - - - - - - - spec_ctrl stibp flush_l1d arch_capabilities - ssbd",
  ],
  [
    0x8000_0001,
    "edx",
    "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm " +
    "3dnowext 3dnow",
  ],
  [0x8000_0001, "ecx", "lahf_lm cmp_legacy svm extapic cr8_legacy lzcnt sse4a misalignsse 3dnowprefetch"],
];

function place(): Record<string, FeatureBit> {
  const all: Record<string, FeatureBit> = {};
  for (const [leaf, register, names] of WORDS) {
    names.split(" ").forEach((name, bit) => {
      if (name !== "-") all[name] = { leaf, register, bit };
    });
  }
  return all;
}

/** Features by name. */
export const FEATURES: Readonly<Record<string, FeatureBit>> = place();

/**
 * Features that no bit tells, by the family in leaf 1 from which processors have them: 3 the 386, 4 the 486, 5 Pentium.
 */
export const FAMILY_FEATURES: Readonly<Record<string, number>> = {
  i186: 1,
  i286: 2,
  i386: 3,
  i486: 4,
  i586: 5,
  i686: 6,
};
