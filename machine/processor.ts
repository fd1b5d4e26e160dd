/**
 * What CPUID says on the board: what the engine can do, and how fast the board's clocks are.
 * @module
 */

import { type CpuidEntry, cpuModel } from "../mod.ts";

/**
 * The local APIC is a device, and the API of version 12 has no exit for WRMSR: nobody could tell it of a deadline. With x2APIC it
 * would have no registers in memory at all.
 */
const UNREACHABLE = "-tsc_deadline,-x2apic";

/** The leaves that tell of clocks: crystal and time-stamp counter; processor, its most, and the bus. */
const CRYSTAL = 0x15, FREQUENCIES = 0x16;
/** Time-stamp counter and APIC timer count nanoseconds. */
const HERTZ = 1_000_000_000, MEGAHERTZ = 1000, BUS_MEGAHERTZ = 100;
/** A processor that knows fewer leaves than these is older than the leaves for clocks. */
const RECENT = 0x0d;

/** How {@linkcode boardCpuid} is to describe a processor. */
export interface BoardCpuidOptions {
  /**
   * Whether the time-stamp counter has 1 GHz, as on the software engine, and it is told in leaves 0x15 and 0x16, if the model is
   * recent enough to have leaves of that kind. Yes unless told.
   */
  readonly clocks?: boolean;
}

/**
 * The CPUID leaves of a processor for the board.
 * @param model A model of `cpuModel`, with features added and removed: `"max"` or `"x86-64-v2,-sse4.2"`.
 * @param options What else it says.
 * @throws RangeError There is no such model or feature.
 */
export function boardCpuid(model: string = "max", options: BoardCpuidOptions = {}): CpuidEntry[] {
  const [name, ...features] = model.split(",");
  const entries = cpuModel([name, UNREACHABLE, ...features].join(","));
  const first = entries.find(({ function: leaf }) => leaf === 0);
  if (options.clocks === false || first === undefined || first.eax < RECENT) return entries;
  const clocks: CpuidEntry[] = [
    { function: CRYSTAL, eax: 1, ebx: 1, ecx: HERTZ, edx: 0 },
    { function: FREQUENCIES, eax: MEGAHERTZ, ebx: MEGAHERTZ, ecx: BUS_MEGAHERTZ, edx: 0 },
  ];
  first.eax = Math.max(first.eax, FREQUENCIES);
  const others = entries.filter(({ function: leaf }) => clocks.every((each) => each.function !== leaf));
  return [...others, ...clocks].toSorted((a, b) => a.function - b.function);
}

/** What CPUID leaf 1 has in EBX: number of logical processors in the package, and ID of the local APIC; in EDX: several of them. */
const COUNT_SHIFT = 16, APIC_ID_SHIFT = 24, LINE_SIZE = 0xffff;
const HTT = 0x1000_0000;
/** Leaf 4: caches, of which one is told, for the number of cores is there. Its EAX: data, level 1, needs no software, cores less 1. */
const CACHES = 4, CACHE_DATA = 1 | 1 << 5 | 1 << 8, CORES_SHIFT = 26;
/** Eight ways of 64 lines of 64 bytes: 32 KiB. */
const CACHE_LINES = 7 << 22 | 63, CACHE_SETS = 63;

/**
 * The CPUID leaves of one of several processors: cores of one package, as QEMU's `-smp N` makes them.
 * @param entries Those of a processor that is alone.
 * @param index Its number, which is the ID of its local APIC.
 * @param count How many there are; for 1 the entries are given back as they are.
 */
export function processorCpuid(entries: readonly CpuidEntry[], index: number, count: number): readonly CpuidEntry[] {
  if (count === 1) return entries;
  return entries.map((entry) => {
    const { function: leaf, ebx, edx } = entry;
    if (leaf === 1) {
      const id = (ebx & LINE_SIZE | count << COUNT_SHIFT | index << APIC_ID_SHIFT) >>> 0;
      return { ...entry, ebx: id, edx: (edx | HTT) >>> 0 };
    }
    if (leaf !== CACHES) return entry;
    // Leaf 0xb, which tells more, cannot be told: its answer depends on ECX, and the API of version 12 has no entries for that.
    const eax = (CACHE_DATA | coreIds(count) - 1 << CORES_SHIFT) >>> 0;
    return { function: CACHES, eax, ebx: CACHE_LINES, ecx: CACHE_SETS, edx: 0 };
  });
}

/** How many IDs a package has for its cores: a power of two. */
function coreIds(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
