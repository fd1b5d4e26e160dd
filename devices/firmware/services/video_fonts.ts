/**
 * INT 10h AH=11h: fonts.
 * @module
 */

import { font, type FontHeight } from "../../video/font.ts";
import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { linear, type ServiceFrame } from "../service_frame.ts";
import { VgaPorts } from "../vga_ports.ts";
import { FONT_14, FONT_16, FONT_8, VIDEO_ROM_SEGMENT } from "../video_rom.ts";
import { Screen } from "./video_screen.ts";

const WINDOW = 0xa0000, BLOCK = 0x2000, GLYPH = 32;
const FONT_VECTOR = 0x43 * 4, UPPER_FONT_VECTOR = 0x1f * 4;
const MAP_MASK = 2, CHARACTER_MAP = 3, MEMORY_MODE = 4;
const READ_MAP = 4, MODE = 5, MISCELLANEOUS = 6;
const MAXIMUM_SCAN_LINE = 0x09,
  CURSOR_START = 0x0a,
  CURSOR_END = 0x0b,
  DISPLAY_END = 0x12,
  OVERFLOW = 0x07,
  UNDERLINE = 0x14;
const ROM_FONTS: Readonly<Record<number, FontHeight>> = { 1: 14, 2: 8, 4: 16 };
/** Lines of pixels in text modes. */
const TEXT_LINES = 400;
const ROWS: readonly number[] = [0, 14, 25, 43];

/** Pixels of characters. */
interface Glyphs {
  readonly rows: Uint8Array;
  readonly height: number;
  /** Code of the first. */
  readonly first: number;
  /** Which of eight fonts. */
  readonly block: number;
}

/**
 * Loads one of the ROM's fonts into the adapter.
 * @param board The board.
 * @param height Its height.
 * @param block Which of eight fonts it becomes.
 */
export function loadRomFont(board: FirmwareBoard, height: FontHeight, block: number): void {
  loadGlyphs(board, { rows: font(height), height, first: 0, block });
}

/** INT 10h AH=11h. */
export function fontService(frame: ServiceFrame, board: FirmwareBoard): void {
  const { memory } = board;
  const { al } = frame;
  const what = al & 0x0f;
  if (al < 0x20 && what !== 3) {
    const block = frame.bl & 7;
    const height = what === 0 ? frame.bh : ROM_FONTS[what];
    if (height === undefined || height < 1 || height > GLYPH) return;
    if (what === 0) {
      const rows = new Uint8Array(frame.cx * height);
      memory.read(linear(frame.es, frame.bp), rows);
      loadGlyphs(board, { rows, height, first: frame.dx, block });
    } else {
      loadRomFont(board, height as FontHeight, block);
    }
    if (al >= 0x10) setHeight(board, height);
    return;
  }
  switch (al) {
    case 0x03:
      new VgaPorts(board.ports).setSequencer(CHARACTER_MAP, frame.bl);
      return;
    case 0x20:
      memory.set32(UPPER_FONT_VECTOR, (frame.es << 16 | frame.bp) >>> 0);
      return;
    case 0x21:
      memory.set32(FONT_VECTOR, (frame.es << 16 | frame.bp) >>> 0);
      return graphicsRows(frame, board, frame.cx);
    case 0x22:
      return romGraphicsFont(frame, board, FONT_14, 14);
    case 0x23:
      return romGraphicsFont(frame, board, FONT_8, 8);
    case 0x24:
      return romGraphicsFont(frame, board, FONT_16, 16);
    case 0x30:
      return information(frame, board);
  }
}

/** Writes into plane 2, where the adapter looks for pixels of characters. */
function loadGlyphs({ memory, ports }: FirmwareBoard, { rows, height, first, block }: Glyphs): void {
  const vga = new VgaPorts(ports);
  const sequencer = [MAP_MASK, MEMORY_MODE].map((index) => [index, vga.sequencer(index)] as const);
  const graphics = [READ_MAP, MODE, MISCELLANEOUS].map((index) => [index, vga.graphics(index)] as const);
  vga.setSequencer(MAP_MASK, 0x04);
  vga.setSequencer(MEMORY_MODE, 0x07);
  vga.setGraphics(READ_MAP, 2);
  vga.setGraphics(MODE, 0);
  vga.setGraphics(MISCELLANEOUS, 0x04);
  const start = WINDOW + (block & 3) * 2 * BLOCK + (block >> 2) * BLOCK;
  const count = Math.min(Math.floor(rows.length / height), 0x100 - first);
  for (let n = 0; n < count; n++) {
    const glyph = new Uint8Array(GLYPH);
    glyph.set(rows.subarray(n * height, (n + 1) * height));
    memory.write(start + (first + n) * GLYPH, glyph);
  }
  for (const [index, value] of sequencer) vga.setSequencer(index, value);
  for (const [index, value] of graphics) vga.setGraphics(index, value);
}

/** As many lines of characters as there is room for. */
function setHeight(board: FirmwareBoard, height: number): void {
  const { memory, ports } = board;
  const vga = new VgaPorts(ports);
  const overflow = vga.crtc(OVERFLOW);
  const rows = Math.floor(TEXT_LINES / height), last = rows * height - 1;
  vga.setCrtc(MAXIMUM_SCAN_LINE, vga.crtc(MAXIMUM_SCAN_LINE) & 0xe0 | height - 1);
  vga.setCrtc(DISPLAY_END, last & 0xff);
  vga.setCrtc(OVERFLOW, overflow & ~0x42 | (last & 0x100) >> 7 | (last & 0x200) >> 3);
  vga.setCrtc(CURSOR_START, height - 2);
  vga.setCrtc(CURSOR_END, height - 1);
  if (memory.get8(BDA.VIDEO_MODE) === 7) vga.setCrtc(UNDERLINE, height - 1);
  memory.set16(BDA.CHARACTER_HEIGHT, height);
  memory.set8(BDA.VIDEO_LAST_ROW, rows - 1);
  memory.set16(BDA.VIDEO_PAGE_SIZE, rows * new Screen(board).columns * 2);
}

function romGraphicsFont(frame: ServiceFrame, board: FirmwareBoard, offset: number, height: FontHeight): void {
  board.memory.set32(FONT_VECTOR, (VIDEO_ROM_SEGMENT << 16 | offset) >>> 0);
  graphicsRows(frame, board, height);
}

/** How many lines of characters there are in graphics: BL 1 to 3, or DL. */
function graphicsRows(frame: ServiceFrame, { memory }: FirmwareBoard, height: number): void {
  memory.set16(BDA.CHARACTER_HEIGHT, height);
  const rows = frame.bl === 0 ? frame.dl : ROWS[frame.bl] ?? 25;
  memory.set8(BDA.VIDEO_LAST_ROW, rows - 1);
}

/** AL=30h. */
function information(frame: ServiceFrame, { memory }: FirmwareBoard): void {
  const pointer = (vector: number): readonly [segment: number, offset: number] => [
    memory.get16(vector + 2),
    memory.get16(vector),
  ];
  const places: readonly (readonly [segment: number, offset: number])[] = [
    pointer(UPPER_FONT_VECTOR),
    pointer(FONT_VECTOR),
    [VIDEO_ROM_SEGMENT, FONT_14],
    [VIDEO_ROM_SEGMENT, FONT_8],
    [VIDEO_ROM_SEGMENT, FONT_8 + 128 * 8],
    [VIDEO_ROM_SEGMENT, FONT_14],
    [VIDEO_ROM_SEGMENT, FONT_16],
    [VIDEO_ROM_SEGMENT, FONT_16],
  ];
  const place = places[frame.bh];
  if (place === undefined) return;
  [frame.es, frame.bp] = place;
  frame.cx = memory.get16(BDA.CHARACTER_HEIGHT);
  frame.dl = memory.get8(BDA.VIDEO_LAST_ROW);
}
