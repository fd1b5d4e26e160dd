/**
 * Where native cases run: fixed linear addresses in the host process, so that recorded vectors hold on every host. A guest
 * with 2 MB of memory has the same addresses.
 *
 *     0x100000 guard   0x101000 code, 2 pages   0x103000 guard
 *     0x10f000 guard   0x110000 data, 4 pages   0x114000 read-only data, 1 page   0x115000 guard … 0x120000
 *
 * Guard pages are not present in the sense of the page-fault error code. Code pages can be read and executed, not written.
 * Data pages cannot be executed.
 *
 * @module
 */

/** Bytes of a page. */
export const PAGE_SIZE = 0x1000;

/** First address of everything a case should touch. */
export const ARENA_ADDRESS = 0x100000;

/** Bytes of the arena, guards included. */
export const ARENA_SIZE = 0x20000;

/** First code address. */
export const CODE_ADDRESS = 0x101000;

/** Bytes of code pages. */
export const CODE_SIZE = 0x2000;

/** Where code is placed in the code pages unless a batch says otherwise: room for short branches on both sides. */
export const DEFAULT_CODE_OFFSET = 0x800;

/** First data address. */
export const DATA_ADDRESS = 0x110000;

/** Bytes of writable data pages. */
export const DATA_SIZE = 0x4000;

/** First address of the read-only page, right behind the writable pages. */
export const READ_ONLY_ADDRESS = 0x114000;

/** Bytes of the read-only page. */
export const READ_ONLY_SIZE = 0x1000;

/**
 * What data memory holds where no data window covers it, the read-only page included.
 *
 * @param address Linear address of a byte.
 * @returns Its value.
 */
export function backgroundByte(address: number): number {
  return (address * 0x3d + (address >>> 8) * 0x11 + 0xa5) & 0xff;
}
