/**
 * What a VGA has at 0xc0000: no code but one little routine, for the services are in `services/video.ts`; fonts and tables that programs
 * find by pointers.
 * @module
 */

import { font } from "../video/font.ts";
import { VBE_MODES } from "./services/vbe_modes.ts";

/** Its address and segment. */
export const VIDEO_ROM = 0xc0000, VIDEO_ROM_SEGMENT = 0xc000;
/** Offsets of the fonts of 16, 14 and 8 lines. */
export const FONT_16 = 0x200, FONT_14 = 0x1200, FONT_8 = 0x2000;
/** Offset of the routine that moves VBE's window. */
export const VBE_WINDOW_ROUTINE = 0x30;
/** Offset of what INT 10h AH=1Bh points to. */
export const FUNCTIONALITY = 0x40;
/** Offset of the table of further tables that the BIOS data area points to. */
export const SAVE_POINTERS = 0x50;
/** Offset of the name that VBE gives. */
export const VBE_NAME = 0x80;
/** Offset of the numbers of VBE's modes. */
export const VBE_MODE_LIST = 0xc0;

const SIZE = 0x2800;
const BLOCK = 512;
const RETF = 0xcb;
const MARK = 0x1e;
/** mov ax, 4f05h; int 10h; retf */
const MOVE_WINDOW = [0xb8, 0x05, 0x4f, 0xcd, 0x10, RETF];
/** All modes to 13h, 200, 350 and 400 lines, 8 fonts of which 2 at once, and what INT 10h does. */
const FUNCTIONS = [0xff, 0xe0, 0x0f, 0, 0, 0, 0, 0x07, 8, 2, 0xe7, 0x0c, 0, 0, 0, 0];

/**
 * Makes it.
 * @returns Its bytes, for {@linkcode VIDEO_ROM}.
 */
export function videoRom(): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  const text = (at: number, what: string): void => bytes.set(new TextEncoder().encode(what), at);
  bytes.set([0x55, 0xaa, SIZE / BLOCK, RETF]);
  text(MARK, "IBM");
  bytes.set(MOVE_WINDOW, VBE_WINDOW_ROUTINE);
  bytes.set(FUNCTIONS, FUNCTIONALITY);
  text(VBE_NAME, "KVM12 VBE");
  const view = new DataView(bytes.buffer);
  VBE_MODES.forEach(({ number }, n) => view.setUint16(VBE_MODE_LIST + 2 * n, number, true));
  view.setUint16(VBE_MODE_LIST + 2 * VBE_MODES.length, 0xffff, true);
  bytes.set(font(16), FONT_16);
  bytes.set(font(14), FONT_14);
  bytes.set(font(8), FONT_8);
  bytes[SIZE - 1] = -bytes.reduce((sum, byte) => sum + byte, 0);
  return bytes;
}
