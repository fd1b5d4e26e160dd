/**
 * Resource descriptors of ACPI (specification 6.4, chapter 6.4): what a device uses, for its `_CRS`.
 * @module
 */

import { type Aml, buffer, join, little } from "./aml.ts";

const END_TAG = 0x79;

/** Triggers of {@linkcode interrupt}. */
const INTERRUPT = { CONSUMER: 0x01, SHARED: 0x08 } as const;

/** Kinds of the address space descriptors. */
const SPACE = { MEMORY: 0, IO: 1, BUS: 2 } as const;
/** General flags: both ends are fixed, and the device passes on what it decodes. */
const SPACE_FIXED_PRODUCER = 0x0c;
/** Memory that can be written and is not cached; caches; all of the I/O space, or the numbers of buses. */
const SPACE_FLAGS = { UNCACHED: 0x01, CACHED: 0x03, ENTIRE_IO: 0x03, NONE: 0 } as const;

/**
 * `ResourceTemplate`.
 * @param descriptors What is in it.
 */
export function resources(...descriptors: readonly Uint8Array[]): Aml {
  return buffer(join(...descriptors, END_TAG, 0));
}

/**
 * `IO`, fixed and decoded with 16 bits.
 * @param port The first port.
 * @param length How many.
 */
export function io(port: number, length: number): Uint8Array {
  return join(0x47, 1, little(port, 2), little(port, 2), 1, length);
}

/**
 * `IRQNoFlags`: edge-triggered, not shared.
 * @param irq 0..15.
 */
export function irq(irq: number): Uint8Array {
  return join(0x22, little(1 << irq, 2));
}

/**
 * `DMA`, for 8-bit transfers.
 * @param channel 0..3.
 */
export function dma(channel: number): Uint8Array {
  return join(0x2a, 1 << channel, 0);
}

/**
 * `Interrupt`: level-triggered, active high, shared. The number of the first one is at byte 5.
 * @param numbers Which ones.
 */
export function interrupt(...numbers: readonly number[]): Uint8Array {
  const each = numbers.map((number) => little(number, 4));
  const flags = INTERRUPT.CONSUMER | INTERRUPT.SHARED;
  return join(0x89, little(2 + 4 * numbers.length, 2), flags, numbers.length, ...each);
}

/**
 * `Memory32Fixed`, that can be written.
 * @param base The first address.
 * @param length Bytes.
 */
export function memory32(base: number, length: number): Uint8Array {
  return join(0x86, little(9, 2), 1, little(base, 4), little(length, 4));
}

/**
 * `WordBusNumber` of a bridge.
 * @param first The first bus.
 * @param last The last one.
 */
export function busNumbers(first: number, last: number): Uint8Array {
  return space(0x88, 2, SPACE.BUS, SPACE_FLAGS.NONE, first, last);
}

/**
 * `WordIO` of a bridge.
 * @param first The first port.
 * @param last The last one.
 */
export function ioWindow(first: number, last: number): Uint8Array {
  return space(0x88, 2, SPACE.IO, SPACE_FLAGS.ENTIRE_IO, first, last);
}

/**
 * `DWordMemory` of a bridge.
 * @param first The first address.
 * @param last The last one.
 * @param cached Whether it may be cached, as a screen's memory is said to be.
 */
export function memoryWindow(first: number, last: number, cached = false): Uint8Array {
  return space(0x87, 4, SPACE.MEMORY, cached ? SPACE_FLAGS.CACHED : SPACE_FLAGS.UNCACHED, first, last);
}

function space(tag: number, width: number, kind: number, flags: number, first: number, last: number): Uint8Array {
  const fields = [0, first, last, 0, last - first + 1].map((value) => little(value, width));
  return join(tag, little(3 + 5 * width, 2), kind, SPACE_FIXED_PRODUCER, flags, ...fields);
}
