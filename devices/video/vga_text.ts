/**
 * What stands on the screen of a VGA in a text mode.
 * @module
 */

import { CP437 } from "./cp437.ts";
import {
  ATTR_MODE,
  ATTR_MODE_BLINK,
  CRTC_CURSOR_END,
  CRTC_CURSOR_HIGH,
  CRTC_CURSOR_START,
  CRTC_MAXIMUM_SCAN_LINE,
  CRTC_OFFSET,
  CRTC_PRESET_ROW_SCAN,
  CRTC_START_HIGH,
  displayedLines,
  GFX_GRAPHICS,
  GFX_MISCELLANEOUS,
  lineCompare,
  type VgaRegisters,
} from "./vga_registers.ts";

/** A text cursor. */
export interface VgaCursor {
  /** From 0. */
  readonly column: number;
  /** From 0. */
  readonly row: number;
  /** Scan lines of the character that it covers: the first, from 0. */
  readonly top: number;
  /** The last of them. */
  readonly bottom: number;
}

/** A text screen. */
export interface VgaText {
  /** Characters in a line. */
  readonly columns: number;
  /** Lines. */
  readonly rows: number;
  /** Row by row, for each place the character code (code page 437) in the low byte and the attribute in the high byte. */
  readonly cells: Uint16Array;
  /** Whether bit 7 of an attribute means blinking; else it is a bright background. */
  readonly blinks: boolean;
  /** The cursor; none: it is off, or outside of the screen. */
  readonly cursor: VgaCursor | undefined;
}

/** Addresses of the CRT controller wrap at 16 bits. */
const ADDRESS_MASK = 0xffff;
const CURSOR_OFF = 0x20;

/**
 * Reads the screen.
 * @param registers The adapter's.
 * @param bytes Its memory.
 * @returns The screen; none: it is a graphics mode, or no mode at all.
 */
export function readText(registers: VgaRegisters, bytes: Uint8Array): VgaText | undefined {
  const { crtc, graphics, attribute } = registers;
  if ((graphics[GFX_MISCELLANEOUS] & GFX_GRAPHICS) !== 0 || crtc[1] === 0) return undefined;
  const columns = crtc[1] + 1;
  const height = (crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x1f) + 1;
  const scans = (crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x80) !== 0 ? 2 : 1;
  const lines = displayedLines(registers) / scans;
  const rows = Math.max(Math.floor(lines / height), 1);
  const split = (lineCompare(registers) + 1) / scans;
  const location = crtc[CRTC_CURSOR_HIGH] << 8 | crtc[CRTC_CURSOR_HIGH + 1];
  const cells = new Uint16Array(columns * rows);
  let address = textStart(registers), cursor: VgaCursor | undefined;
  for (let row = 0; row < rows; row++) {
    if (row * height >= split && (row - 1) * height < split) address = 0;
    for (let column = 0; column < columns; column++) {
      const place = (address + column) & ADDRESS_MASK;
      cells[row * columns + column] = bytes[place * 4] | bytes[place * 4 + 1] << 8;
      if (place === location) cursor ??= { row, column, ...cursorLines(crtc) };
    }
    address += crtc[CRTC_OFFSET] * 2;
  }
  const blinks = (attribute[ATTR_MODE] & ATTR_MODE_BLINK) !== 0;
  return { columns, rows, cells, blinks, cursor: cursorOn(crtc) ? cursor : undefined };
}

/** The address of the first character. */
export function textStart({ crtc }: VgaRegisters): number {
  return (crtc[CRTC_START_HIGH] << 8 | crtc[CRTC_START_HIGH + 1]) + (crtc[CRTC_PRESET_ROW_SCAN] >> 5 & 3);
}

/** Whether there is a cursor at all. */
export function cursorOn(crtc: Uint8Array): boolean {
  const { top, bottom } = cursorLines(crtc);
  return (crtc[CRTC_CURSOR_START] & CURSOR_OFF) === 0 && top <= bottom && top <= (crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x1f);
}

/** The scan lines of the cursor. */
export function cursorLines(crtc: Uint8Array): { readonly top: number; readonly bottom: number } {
  return { top: crtc[CRTC_CURSOR_START] & 0x1f, bottom: crtc[CRTC_CURSOR_END] & 0x1f };
}

/**
 * Gives the lines of a screen as text.
 * @param text The screen.
 * @returns A string for each line, in Unicode, without blanks at its end.
 */
export function textLines(text: VgaText): string[] {
  const { columns, rows, cells } = text;
  return Array.from({ length: rows }, (_, row) => {
    let line = "";
    for (let i = row * columns; i < (row + 1) * columns; i++) line += CP437[cells[i] & 0xff];
    return line.trimEnd();
  });
}
