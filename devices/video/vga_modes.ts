/**
 * The standard modes of a VGA: what a video BIOS writes into the registers for each of them.
 * @module
 */

import { cga64, ega64, EGA_PALETTE, vga256 } from "./palette.ts";

/** What the registers hold in a mode. */
export interface VgaMode {
  /** The number that a BIOS knows it by. */
  readonly number: number;
  /** Miscellaneous output. */
  readonly misc: number;
  /** Sequencer registers 1 to 4. */
  readonly sequencer: readonly number[];
  /** CRT controller registers 0 to 0x18. */
  readonly crtc: readonly number[];
  /** Graphics controller registers 0 to 8. */
  readonly graphics: readonly number[];
  /** Attribute controller registers 0 to 0x14. */
  readonly attribute: readonly number[];
  /** Colours of the DAC from 0 on, three bytes each, 0..63. */
  readonly dac: () => Uint8Array;
}

const CGA_PALETTE = [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
const MONO_PALETTE = [0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18];
const CGA4_PALETTE = [0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
const MODE_F_PALETTE = [0, 8, 0, 0, 0x18, 0x18, 0, 0, 0, 8, 0, 0, 0, 0x18, 0, 0];
const IDENTITY = Array.from({ length: 16 }, (_, colour) => colour);

/** CRT controller registers 0 to 5: 80 or 40 characters of 9 or 8 dots. */
const TEXT_80 = [0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81];
const TEXT_40 = [0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0];
const DOTS_640 = [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80];
const DOTS_320 = [0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80];
const START_AND_CURSOR = [0, 0, 0, 0, 0, 0];
const TEXT_CURSOR = [0x0d, 0x0e, 0, 0, 0, 0];

/** Registers 6 to 0x18 for 400 lines. */
function lines400(scan: number, offset: number, underline: number, mode: number): number[] {
  const cursor = scan === 0x4f ? TEXT_CURSOR : START_AND_CURSOR;
  return [0xbf, 0x1f, 0, scan, ...cursor, 0x9c, 0x8e, 0x8f, offset, underline, 0x96, 0xb9, mode, 0xff];
}

/** Registers 6 to 0x18 for 350 lines. */
const LINES_350 = [0xbf, 0x1f, 0, 0x40, ...START_AND_CURSOR, 0x83, 0x85, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff];

/** Registers 6 to 0x18 for 480 lines. */
function lines480(mode: number): number[] {
  return [0x0b, 0x3e, 0, 0x40, ...START_AND_CURSOR, 0xea, 0x8c, 0xdf, 0x28, 0, 0xe7, 0x04, mode, 0xff];
}

function graphics(mode: number, miscellaneous: number, dontCare: number): number[] {
  return [0, 0, 0, 0, 0, mode, miscellaneous, dontCare, 0xff];
}

const TEXT: Omit<VgaMode, "number"> = {
  misc: 0x67,
  sequencer: [0x00, 0x03, 0x00, 0x02],
  crtc: [...TEXT_80, ...lines400(0x4f, 0x28, 0x1f, 0xa3)],
  graphics: graphics(0x10, 0x0e, 0x00),
  attribute: [...EGA_PALETTE, 0x0c, 0x00, 0x0f, 0x08, 0x00],
  dac: ega64,
};
const TEXT_NARROW: Omit<VgaMode, "number"> = {
  ...TEXT,
  sequencer: [0x08, 0x03, 0x00, 0x02],
  crtc: [...TEXT_40, ...lines400(0x4f, 0x14, 0x1f, 0xa3)],
};
const CGA_4: Omit<VgaMode, "number"> = {
  misc: 0x63,
  sequencer: [0x09, 0x03, 0x00, 0x02],
  crtc: [...DOTS_320, ...lines400(0xc1, 0x14, 0x00, 0xa2)],
  graphics: graphics(0x30, 0x0f, 0x00),
  attribute: [...CGA4_PALETTE, 0x01, 0x00, 0x03, 0x00, 0x00],
  dac: cga64,
};
const PLANES_640 = { misc: 0x63, sequencer: [0x01, 0x0f, 0x00, 0x06], graphics: graphics(0x00, 0x05, 0x0f) };

/** All standard modes. */
export const VGA_MODES: readonly VgaMode[] = [
  { number: 0x00, ...TEXT_NARROW },
  { number: 0x01, ...TEXT_NARROW },
  { number: 0x02, ...TEXT },
  { number: 0x03, ...TEXT },
  { number: 0x04, ...CGA_4 },
  { number: 0x05, ...CGA_4 },
  {
    number: 0x06,
    misc: 0x63,
    sequencer: [0x01, 0x01, 0x00, 0x06],
    crtc: [...DOTS_640, ...lines400(0xc1, 0x28, 0x00, 0xc2)],
    graphics: graphics(0x00, 0x0d, 0x00),
    attribute: [0, ...new Array<number>(15).fill(0x17), 0x01, 0x00, 0x01, 0x00, 0x00],
    dac: cga64,
  },
  {
    ...TEXT,
    number: 0x07,
    misc: 0x66,
    crtc: [...TEXT_80, ...lines400(0x4f, 0x28, 0x0d, 0xa3)],
    graphics: graphics(0x10, 0x0a, 0x00),
    attribute: [...MONO_PALETTE, 0x0e, 0x00, 0x0f, 0x08, 0x00],
    dac: mono64,
  },
  {
    ...PLANES_640,
    number: 0x0d,
    sequencer: [0x09, 0x0f, 0x00, 0x06],
    crtc: [...DOTS_320, ...lines400(0xc0, 0x14, 0x00, 0xe3)],
    attribute: [...CGA_PALETTE, 0x01, 0x00, 0x0f, 0x00, 0x00],
    dac: cga64,
  },
  {
    ...PLANES_640,
    number: 0x0e,
    crtc: [...DOTS_640, ...lines400(0xc0, 0x28, 0x00, 0xe3)],
    attribute: [...CGA_PALETTE, 0x01, 0x00, 0x0f, 0x00, 0x00],
    dac: cga64,
  },
  {
    ...PLANES_640,
    number: 0x0f,
    misc: 0xa2,
    crtc: [...DOTS_640, ...LINES_350],
    graphics: graphics(0x00, 0x05, 0x05),
    attribute: [...MODE_F_PALETTE, 0x0b, 0x00, 0x05, 0x00, 0x00],
    dac: mono64,
  },
  {
    ...PLANES_640,
    number: 0x10,
    misc: 0xa3,
    crtc: [...DOTS_640, ...LINES_350],
    attribute: [...EGA_PALETTE, 0x01, 0x00, 0x0f, 0x00, 0x00],
    dac: ega64,
  },
  {
    ...PLANES_640,
    number: 0x11,
    misc: 0xe3,
    crtc: [...DOTS_640, ...lines480(0xc3)],
    graphics: graphics(0x00, 0x05, 0x01),
    attribute: [0, ...new Array<number>(15).fill(0x3f), 0x01, 0x00, 0x0f, 0x00, 0x00],
    dac: ega64,
  },
  {
    ...PLANES_640,
    number: 0x12,
    misc: 0xe3,
    crtc: [...DOTS_640, ...lines480(0xe3)],
    attribute: [...EGA_PALETTE, 0x01, 0x00, 0x0f, 0x00, 0x00],
    dac: ega64,
  },
  {
    number: 0x13,
    misc: 0x63,
    sequencer: [0x01, 0x0f, 0x00, 0x0e],
    crtc: [...DOTS_640, ...lines400(0x41, 0x28, 0x40, 0xa3)],
    graphics: graphics(0x40, 0x05, 0x0f),
    attribute: [...IDENTITY, 0x41, 0x00, 0x0f, 0x00, 0x00],
    dac: vga256,
  },
];

/** Black, grey, and their bright fellows, as the 64 colours of a monochrome screen. */
function mono64(): Uint8Array {
  return Uint8Array.from({ length: 192 }, (_, at) => [0, 42, 21, 63][Math.floor(at / 3) >> 3 & 3]);
}
