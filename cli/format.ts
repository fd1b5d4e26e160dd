/**
 * Numbers and bytes for people's eyes.
 * @module
 */

/** A number with 0x. */
export function hex(value: number | bigint): string {
  return "0x" + value.toString(16);
}

/** A number as so many hexadecimal digits. */
export function digits(value: number | bigint, count: number): string {
  return value.toString(16).padStart(count, "0");
}

/** Bytes as pairs of digits with spaces between. */
export function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => digits(byte, 2)).join(" ");
}

/** Bytes as text between quotes, a dot for each that cannot be printed. */
export function quoted(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => {
    if (byte === 0x0a) return "\\n";
    if (byte === 0x0d) return "\\r";
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  });
  return `"${text.join("")}"`;
}
