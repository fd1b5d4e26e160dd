/**
 * The colours that a video BIOS puts into the DAC.
 * @module
 */

/** The 16 colours of text, in order: red, green, blue, each 0..63. */
export const TEXT_COLOURS: readonly (readonly [number, number, number])[] = Array.from({ length: 16 }, (_, colour) => {
  const bright = (colour & 8) !== 0 ? 21 : 0;
  const level = (bit: number): number => ((colour & bit) !== 0 ? 42 : 0) + bright;
  // Dark yellow is brown.
  return [level(4), colour === 6 ? 21 : level(2), level(1)];
});

/** The attribute controller's palette for 16 colours out of the 64 of {@linkcode ega64}. */
export const EGA_PALETTE: readonly number[] = [
  0,
  1,
  2,
  3,
  4,
  5,
  0x14,
  7,
  0x38,
  0x39,
  0x3a,
  0x3b,
  0x3c,
  0x3d,
  0x3e,
  0x3f,
];

/** The 64 colours of an EGA, two bits for each of red, green and blue: 192 bytes for the DAC, 0..63. */
export function ega64(): Uint8Array {
  const bytes = new Uint8Array(192);
  for (let colour = 0; colour < 64; colour++) {
    for (const [part, bit] of [4, 2, 1].entries()) {
      bytes[colour * 3 + part] = ((colour & bit) !== 0 ? 42 : 0) + ((colour & bit << 3) !== 0 ? 21 : 0);
    }
  }
  return bytes;
}

/** The 64 colours of modes with 200 lines, of which the palette takes 0 to 7 and 16 to 23: 192 bytes for the DAC, 0..63. */
export function cga64(): Uint8Array {
  const bytes = new Uint8Array(192);
  for (let colour = 0; colour < 64; colour++) bytes.set(TEXT_COLOURS[(colour & 7) | (colour & 0x10) >> 1], colour * 3);
  return bytes;
}

/**
 * The 256 colours of mode 13h: the 16 of text, 16 greys, and 24 hues in three saturations and three intensities; the last 8 are
 * black. 768 bytes for the DAC, 0..63.
 */
export function vga256(): Uint8Array {
  const bytes = new Uint8Array(768);
  TEXT_COLOURS.forEach((colour, index) => bytes.set(colour, index * 3));
  const greys = [0, 5, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40, 45, 50, 56, 63];
  greys.forEach((grey, index) => bytes.fill(grey, (16 + index) * 3, (17 + index) * 3));
  let at = 32 * 3;
  for (const most of [63, 28, 16]) {
    for (const least of [0, 31, 45]) {
      for (let hue = 0; hue < 24; hue++) {
        for (const part of [16, 8, 0]) bytes[at++] = rounded(most * (least + (63 - least) * share(hue + part)) / 63);
      }
    }
  }
  return bytes;
}

/** How much of a primary colour there is at one of 24 hues: full for a third of the circle, none opposite, 0..1. */
function share(hue: number): number {
  const turn = (hue + 24) % 24;
  return Math.max(0, Math.min(1, (8 - Math.min(turn, 24 - turn)) / 4));
}

/** Halves go down. */
function rounded(value: number): number {
  return Math.ceil(value - 0.5);
}
