/**
 * Numbers and bytes as hexadecimal text, in the forms of gdb's remote protocol and of traces.
 * @module
 */

/** Bytes as pairs of digits, without anything between. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * Bytes from pairs of digits.
 * @returns The bytes, or null if `text` is anything else.
 */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let n = 0; n < bytes.length; n++) bytes[n] = parseInt(text.slice(n * 2, n * 2 + 2), 16);
  return bytes;
}

/** A number as so many digits at least. */
export function digits(value: bigint | number, count: number): string {
  return value.toString(16).padStart(count, "0");
}

/** Text as pairs of digits, UTF-8. */
export function textToHex(text: string): string {
  return toHex(new TextEncoder().encode(text));
}

/**
 * An address as gdb writes it: hexadecimal digits without 0x, up to 64 bits.
 * @returns The address, or null if `text` is anything else.
 */
export function parseAddress(text: string | undefined): bigint | null {
  return text !== undefined && /^[0-9a-f]{1,16}$/i.test(text) ? BigInt(`0x${text}`) : null;
}

/**
 * A length as gdb writes it.
 * @returns The number, or null if `text` is no number or above `most`.
 */
export function parseLength(text: string | undefined, most: number): number | null {
  if (text === undefined || !/^[0-9a-f]{1,8}$/i.test(text)) return null;
  const value = parseInt(text, 16);
  return value <= most ? value : null;
}
