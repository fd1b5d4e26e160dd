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
