/**
 * The modes of the VBE: those that VESA has numbered, and Bochs' numbers for 32 bits.
 * @module
 */

/** A mode. */
export interface VbeMode {
  /** Its number. */
  readonly number: number;
  /** Pixels in a line. */
  readonly width: number;
  /** Lines. */
  readonly height: number;
  /** Bits of a pixel: 8, 15, 16, 24 or 32. */
  readonly bits: number;
}

/** All of them, by number. */
export const VBE_MODES: readonly VbeMode[] = ([
  [0x100, 640, 400, 8],
  [0x101, 640, 480, 8],
  [0x103, 800, 600, 8],
  [0x105, 1024, 768, 8],
  [0x107, 1280, 1024, 8],
  [0x10d, 320, 200, 15],
  [0x10e, 320, 200, 16],
  [0x10f, 320, 200, 24],
  [0x110, 640, 480, 15],
  [0x111, 640, 480, 16],
  [0x112, 640, 480, 24],
  [0x113, 800, 600, 15],
  [0x114, 800, 600, 16],
  [0x115, 800, 600, 24],
  [0x116, 1024, 768, 15],
  [0x117, 1024, 768, 16],
  [0x118, 1024, 768, 24],
  [0x119, 1280, 1024, 15],
  [0x11a, 1280, 1024, 16],
  [0x11b, 1280, 1024, 24],
  [0x11c, 1600, 1200, 8],
  [0x11d, 1600, 1200, 15],
  [0x11e, 1600, 1200, 16],
  [0x11f, 1600, 1200, 24],
  [0x140, 320, 200, 32],
  [0x141, 640, 400, 32],
  [0x142, 640, 480, 32],
  [0x143, 800, 600, 32],
  [0x144, 1024, 768, 32],
  [0x145, 1280, 1024, 32],
  [0x146, 320, 200, 8],
  [0x147, 1600, 1200, 32],
] as const).map(([number, width, height, bits]) => ({ number, width, height, bits }));

/**
 * A mode by its number.
 * @param number The number, without the flags above it.
 */
export function vbeMode(number: number): VbeMode | undefined {
  return VBE_MODES.find((mode) => mode.number === number);
}

/** Bytes of a pixel. */
export function pixelBytes(bits: number): number {
  return bits + 7 >> 3;
}
