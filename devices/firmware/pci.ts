/**
 * PCI configuration space behind ports 0xcf8 and 0xcfc (configuration mechanism 1).
 * @module
 */

import type { Bus } from "../bus.ts";

const ADDRESS = 0xcf8, DATA = 0xcfc;
const ENABLE = 0x80000000;
const NOBODY = 0xffffffff;
const FUNCTIONS = 8, MULTIFUNCTION = 0x80;

/** Offsets in configuration space. */
export const PCI = {
  VENDOR: 0x00,
  DEVICE: 0x02,
  COMMAND: 0x04,
  CLASS: 0x08,
  HEADER: 0x0e,
  BAR0: 0x10,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

/** The last bus. */
export const LAST_PCI_BUS = 0;

/**
 * Reads configuration space.
 * @param ports The I/O ports.
 * @param place Device and function: device in bits 3 to 7, function in bits 0 to 2; the bus above.
 * @param offset 0..255.
 * @param size 1, 2 or 4, which the offset is a multiple of.
 */
export function readPci(ports: Bus, place: number, offset: number, size: number): number {
  ports.out(ADDRESS, 4, (ENABLE | place << 8 | offset & 0xfc) >>> 0);
  return ports.in(DATA + (offset & 3), size);
}

/**
 * Writes configuration space.
 * @param ports The I/O ports.
 * @param at Place and offset as {@linkcode readPci} has them.
 * @param size 1, 2 or 4.
 * @param value What.
 */
export function writePci(
  ports: Bus,
  at: { readonly place: number; readonly offset: number },
  size: number,
  value: number,
): void {
  ports.out(ADDRESS, 4, (ENABLE | at.place << 8 | at.offset & 0xfc) >>> 0);
  ports.out(DATA + (at.offset & 3), size, value);
}

/** Whether there is PCI. */
export function hasPci(ports: Bus): boolean {
  ports.out(ADDRESS, 4, ENABLE);
  return ports.in(ADDRESS, 4) === ENABLE;
}

/**
 * The functions that there are.
 * @param ports The I/O ports.
 * @returns Their places.
 */
export function pciFunctions(ports: Bus): number[] {
  const found: number[] = [];
  if (!hasPci(ports)) return found;
  for (let bus = 0; bus <= LAST_PCI_BUS; bus++) {
    for (let device = 0; device < 32; device++) {
      for (let number = 0; number < FUNCTIONS; number++) {
        const place = bus << 8 | device << 3 | number;
        if (readPci(ports, place, PCI.VENDOR, 4) === NOBODY) {
          if (number === 0) break;
          continue;
        }
        found.push(place);
        if (number === 0 && (readPci(ports, place, PCI.HEADER, 1) & MULTIFUNCTION) === 0) break;
      }
    }
  }
  return found;
}
