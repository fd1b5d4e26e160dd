/**
 * What protected and long mode need in guest memory before the first instruction: a descriptor table and identity page tables.
 *
 * | at | what |
 * | --- | --- |
 * | 0x1000 | GDT: null, 0x08 code, 0x10 data (for Linux: 0x10 and 0x18), both flat; the code is 64-bit in long mode |
 * | 0x2000 | long mode: PML4, one entry |
 * | 0x3000 | long mode: page-directory pointers, four entries |
 * | 0x4000 to 0x7fff | long mode: four page directories of 2 MiB pages, the first 4 GiB at their own addresses |
 * @module
 */

import { buildPageTables } from "../core/abi/page_tables.ts";
import { buildDescriptorTable, longModeSegments, protectedModeSegments } from "../core/abi/segments.ts";

/** Address of the first byte of the tables. */
export const LOW_TABLES = 0x1000;

/** Address behind the tables of protected mode. */
export const PROTECTED_END = 0x2000;
const LONG_END = 0x8000;

/** Address of the PML4, for CR3. */
export const PML4 = 0x2000;

/** Where the two descriptors are. */
export interface Descriptors {
  /** Selector of the code. */
  readonly code: number;
  /** Selector of the data, the last one. */
  readonly data: number;
  /** Limit of the table. */
  readonly limit: number;
}

/** Selectors in the descriptor table. */
export const DESCRIPTORS: { readonly code: 0x08; readonly data: 0x10; readonly limit: 0x17 } = {
  code: 0x08,
  data: 0x10,
  limit: 0x17,
};

/** Selectors that Linux wants to be entered with. */
export const LINUX_DESCRIPTORS: Descriptors = { code: 0x10, data: 0x18, limit: 0x1f };

/** Bytes that the page tables map: all that the entry state can reach. */
const MAPPED = 2 ** 32;

/**
 * Makes the tables.
 * @param mode In long mode the code descriptor is 64-bit and there are page tables.
 * @param descriptors Where the descriptors are.
 * @returns The bytes from {@linkcode LOW_TABLES} on: 4 KiB, or 28 KiB in long mode.
 */
export function lowTables(mode: "protected" | "long", descriptors: Descriptors = DESCRIPTORS): Uint8Array {
  const long = mode === "long";
  const bytes = new Uint8Array((long ? LONG_END : PROTECTED_END) - LOW_TABLES);
  const { cs, ds } = long ? longModeSegments(descriptors) : protectedModeSegments(descriptors);
  bytes.set(buildDescriptorTable([cs, ds]), descriptors.code);
  if (long) bytes.set(buildPageTables({ address: PML4, size: MAPPED }), PML4 - LOW_TABLES);
  return bytes;
}
