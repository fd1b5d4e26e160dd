/**
 * What protected and long mode need in guest memory before the first instruction: a descriptor table and identity page tables.
 *
 * | at | what |
 * | --- | --- |
 * | 0x1000 | GDT: null, 0x08 code, 0x10 data, both flat; the code is 64-bit in long mode |
 * | 0x2000 | long mode: PML4, one entry |
 * | 0x3000 | long mode: page-directory pointers, four entries |
 * | 0x4000 to 0x7fff | long mode: four page directories of 2 MiB pages, the first 4 GiB at their own addresses |
 * @module
 */

/** Address of the first byte of the tables. */
export const LOW_TABLES = 0x1000;

const PROTECTED_END = 0x2000;
const LONG_END = 0x8000;

/** Address of the PML4, for CR3. */
export const PML4 = 0x2000;

/** Selectors in the descriptor table. */
export const DESCRIPTORS: { readonly code: 0x08; readonly data: 0x10; readonly limit: 0x17 } = {
  code: 0x08,
  data: 0x10,
  limit: 0x17,
};

/** Flat 32-bit code, ring 0, readable, already accessed. */
const CODE32 = 0x00cf9b000000ffffn;
/** Flat 64-bit code, ring 0, readable, already accessed. */
const CODE64 = 0x00af9b000000ffffn;
/** Flat 32-bit data, ring 0, writable, already accessed. */
const DATA = 0x00cf93000000ffffn;

const PRESENT_WRITABLE = 0x3n;
const PAGE_SIZE_BIT = 0x80n;
const LARGE_PAGE = 0x200000n;

/**
 * Makes the tables.
 * @param mode In long mode the code descriptor is 64-bit and there are page tables.
 * @returns The bytes from {@linkcode LOW_TABLES} on: 4 KiB, or 28 KiB in long mode.
 */
export function lowTables(mode: "protected" | "long"): Uint8Array {
  const bytes = new Uint8Array((mode === "long" ? LONG_END : PROTECTED_END) - LOW_TABLES);
  const view = new DataView(bytes.buffer);
  const put = (address: number, value: bigint): void => view.setBigUint64(address - LOW_TABLES, value, true);
  put(LOW_TABLES + DESCRIPTORS.code, mode === "long" ? CODE64 : CODE32);
  put(LOW_TABLES + DESCRIPTORS.data, DATA);
  if (mode === "long") {
    put(PML4, 0x3000n | PRESENT_WRITABLE);
    for (let i = 0; i < 4; i++) put(0x3000 + 8 * i, (0x4000n + 0x1000n * BigInt(i)) | PRESENT_WRITABLE);
    for (let i = 0; i < 2048; i++) put(0x4000 + 8 * i, (BigInt(i) * LARGE_PAGE) | PAGE_SIZE_BIT | PRESENT_WRITABLE);
  }
  return bytes;
}
