/**
 * Where there is memory, as INT 15h tells it.
 * @module
 */

import { EBDA, EBDA_SIZE } from "../bda.ts";
import type { FirmwareMachine } from "../board.ts";

const KIB = 1024, MIB = 1024 * KIB;
const SIXTEEN_MIB = 16 * MIB, UNIT = 64 * KIB;
const ROM = 0xe0000;
const FOUR_GIB = 2 ** 32;
const USABLE = 1, RESERVED = 2;
/** I/O APIC to local APIC, and the firmware's flash. */
const CHIPS = [{ base: 0xfec00000, size: 0x1000 }, { base: 0xfee00000, size: 0x1000 }, {
  base: 0xfffc0000,
  size: 0x40000,
}];

/** One range of INT 15h E820h. */
export interface MapRange {
  /** Its first address. */
  readonly base: number;
  /** Its length. */
  readonly size: number;
  /** 1 usable, 2 reserved, 3 ACPI data, 4 ACPI non-volatile. */
  readonly type: number;
}

/**
 * All ranges in order; none meets another.
 * @param machine The machine.
 */
export function memoryMap(machine: FirmwareMachine): MapRange[] {
  const { memory, memoryAbove4G = 0, reserved = [] } = machine;
  let map: MapRange[] = [
    { base: 0, size: EBDA, type: USABLE },
    { base: EBDA, size: EBDA_SIZE, type: RESERVED },
    { base: ROM, size: MIB - ROM, type: RESERVED },
    { base: MIB, size: memory - MIB, type: USABLE },
    ...CHIPS.map((chip) => ({ ...chip, type: RESERVED })),
    { base: FOUR_GIB, size: memoryAbove4G, type: USABLE },
  ];
  for (const { base, size, type = RESERVED } of reserved) map = [...cut(map, base, base + size), { base, size, type }];
  return map.filter(({ size }) => size > 0).sort((a, b) => a.base - b.base);
}

/** The ranges without what lies from one address to another. */
function cut(map: readonly MapRange[], from: number, to: number): MapRange[] {
  return map.flatMap(({ base, size, type }) => [
    { base, size: Math.min(base + size, from) - base, type },
    { base: Math.max(base, to), size: base + size - Math.max(base, to), type },
  ]).filter(({ size }) => size > 0);
}

/** The end of usable memory below 4 GiB. */
function top(machine: FirmwareMachine): number {
  const usable = memoryMap(machine).filter(({ base, type }) => type === USABLE && base >= MIB && base < FOUR_GIB);
  return usable.length === 0 ? MIB : usable[0].base + usable[0].size;
}

/**
 * KiB from 1 MiB on.
 * @param machine The machine.
 */
export function extendedKib(machine: FirmwareMachine): number {
  return Math.floor((top(machine) - MIB) / KIB);
}

/**
 * KiB from 1 to 16 MiB, and 64 KiB from 16 MiB on.
 * @param machine The machine.
 */
export function splitExtended(machine: FirmwareMachine): { readonly low: number; readonly high: number } {
  const end = top(machine);
  return {
    low: Math.floor((Math.min(end, SIXTEEN_MIB) - MIB) / KIB),
    high: Math.min(0xffff, Math.floor(Math.max(0, end - SIXTEEN_MIB) / UNIT)),
  };
}
