/**
 * The standard video modes as programs see them.
 * @module
 */

/** How the memory of a mode is laid out. */
export type VideoKind = "text" | "cga" | "planar" | "bytes";

/** A mode. */
export interface VideoModeInfo {
  /** Layout. */
  readonly kind: VideoKind;
  /** Characters in a line. */
  readonly columns: number;
  /** Lines of characters. */
  readonly rows: number;
  /** Pixel lines of a character. */
  readonly height: 8 | 14 | 16;
  /** Linear address of the memory. */
  readonly base: number;
  /** Bytes from page to page, and how many pages. */
  readonly pageSize: number;
  /** How many pages. */
  readonly pages: number;
  /** Bits of a pixel; 0 for text. */
  readonly bits: number;
}

const COLOUR = 0xb8000, MONO = 0xb0000, GRAPHICS = 0xa0000;

// deno-fmt-ignore
const MODES: ReadonlyMap<number, VideoModeInfo> = new Map<number, VideoModeInfo>([
  [0x00, { kind: "text", columns: 40, rows: 25, height: 16, base: COLOUR, pageSize: 0x800, pages: 8, bits: 0 }],
  [0x01, { kind: "text", columns: 40, rows: 25, height: 16, base: COLOUR, pageSize: 0x800, pages: 8, bits: 0 }],
  [0x02, { kind: "text", columns: 80, rows: 25, height: 16, base: COLOUR, pageSize: 0x1000, pages: 8, bits: 0 }],
  [0x03, { kind: "text", columns: 80, rows: 25, height: 16, base: COLOUR, pageSize: 0x1000, pages: 8, bits: 0 }],
  [0x04, { kind: "cga", columns: 40, rows: 25, height: 8, base: COLOUR, pageSize: 0x4000, pages: 1, bits: 2 }],
  [0x05, { kind: "cga", columns: 40, rows: 25, height: 8, base: COLOUR, pageSize: 0x4000, pages: 1, bits: 2 }],
  [0x06, { kind: "cga", columns: 80, rows: 25, height: 8, base: COLOUR, pageSize: 0x4000, pages: 1, bits: 1 }],
  [0x07, { kind: "text", columns: 80, rows: 25, height: 16, base: MONO, pageSize: 0x1000, pages: 8, bits: 0 }],
  [0x0d, { kind: "planar", columns: 40, rows: 25, height: 8, base: GRAPHICS, pageSize: 0x2000, pages: 8, bits: 4 }],
  [0x0e, { kind: "planar", columns: 80, rows: 25, height: 8, base: GRAPHICS, pageSize: 0x4000, pages: 4, bits: 4 }],
  [0x0f, { kind: "planar", columns: 80, rows: 25, height: 14, base: GRAPHICS, pageSize: 0x8000, pages: 2, bits: 1 }],
  [0x10, { kind: "planar", columns: 80, rows: 25, height: 14, base: GRAPHICS, pageSize: 0x8000, pages: 2, bits: 4 }],
  [0x11, { kind: "planar", columns: 80, rows: 30, height: 16, base: GRAPHICS, pageSize: 0xa000, pages: 1, bits: 1 }],
  [0x12, { kind: "planar", columns: 80, rows: 30, height: 16, base: GRAPHICS, pageSize: 0xa000, pages: 1, bits: 4 }],
  [0x13, { kind: "bytes", columns: 40, rows: 25, height: 8, base: GRAPHICS, pageSize: 0x10000, pages: 1, bits: 8 }],
]);

/**
 * A mode by its number.
 * @param number 0..0x7f.
 */
export function videoMode(number: number): VideoModeInfo | undefined {
  return MODES.get(number);
}
