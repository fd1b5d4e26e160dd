/**
 * What decoding depends on besides the bytes, as bits of one number: the key of decoded code.
 * @module
 */

/** Code segment size: 0 16-bit, 1 32-bit, 2 64-bit. */
export const MODE_CODE = 3;
/** The stack address size is 32 bits (16 if clear); 64-bit mode ignores it. */
export const MODE_STACK32 = 4;
/** ES, SS, DS (and the CS for reading) have base 0 and a limit of 4 GiB and may be written. */
export const MODE_FLAT = 8;
/** CPL is 3. */
export const MODE_USER = 16;
/** CR0.PE is set and VM is not: protected or long mode. */
export const MODE_PROTECTED = 32;
/** Bits of the mode in a key; the epoch is above them. */
export const MODE_BITS = 6;
