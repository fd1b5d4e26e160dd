/**
 * The clock chip behind its two ports.
 * @module
 */

import type { Bus } from "../bus.ts";

const INDEX = 0x70, DATA = 0x71;

/** Indexes of the MC146818. */
export const CMOS = {
  SECONDS: 0x00,
  SECONDS_ALARM: 0x01,
  MINUTES: 0x02,
  MINUTES_ALARM: 0x03,
  HOURS: 0x04,
  HOURS_ALARM: 0x05,
  WEEKDAY: 0x06,
  DAY: 0x07,
  MONTH: 0x08,
  YEAR: 0x09,
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  CENTURY: 0x32,
} as const;

/** Bits of register A and B. */
export const CMOS_BITS = {
  UPDATING: 0x80,
  SET: 0x80,
  PERIODIC: 0x40,
  ALARM: 0x20,
  HOURS_24: 0x02,
  DAYLIGHT: 0x01,
} as const;

/** Reads one byte. */
export function readCmos(ports: Bus, index: number): number {
  ports.out(INDEX, 1, index);
  return ports.in(DATA, 1);
}

/** Writes one byte. */
export function writeCmos(ports: Bus, index: number, value: number): void {
  ports.out(INDEX, 1, index);
  ports.out(DATA, 1, value);
}

/** The number that two decimal digits stand for. */
export function fromBcd(value: number): number {
  return (value >> 4) * 10 + (value & 15);
}
