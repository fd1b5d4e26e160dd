/**
 * Pixels and characters in the standard graphics modes.
 * @module
 */

import { BDA } from "../bda.ts";
import type { LinearMemory } from "../linear_memory.ts";
import { linear } from "../service_frame.ts";
import type { VgaPorts } from "../vga_ports.ts";
import type { VideoModeInfo } from "./video_modes.ts";
import type { Place, Scroll } from "./video_screen.ts";

const FONT_VECTOR = 0x43 * 4, UPPER_FONT_VECTOR = 0x1f * 4;
const CGA_BANK = 0x2000, CGA_WINDOW = 0x7fff, WINDOW = 0xffff;
/** Lines of the highest character. */
const MOST_HEIGHT = 32;
const DATA_ROTATE = 3, READ_MAP = 4, MODE = 5, BIT_MASK = 8;
const WRITE_COPY = 1, WRITE_COLOUR = 2, XOR = 0x18;
const PLANES = 4;
const XOR_COLOUR = 0x80;

/** What is drawn on. */
export interface Canvas {
  /** The mode. */
  readonly mode: VideoModeInfo;
  /** The registers. */
  readonly vga: VgaPorts;
  /** The page. */
  readonly page: number;
}

/** A place of a character on it. */
export interface GlyphPlace extends Canvas {
  /** Where. */
  readonly place: Place;
}

/** Bytes of a line. */
function pitch({ columns, kind }: VideoModeInfo, bits: number): number {
  return kind === "planar" ? columns : columns * bits;
}

/** The address of a byte, by its line and its place in the line; as on an adapter it stays in the mode's window. */
function byteAt(canvas: Canvas, line: number, at: number): number {
  const { mode, page } = canvas;
  const bytes = pitch(mode, mode.bits);
  if (mode.kind === "cga") return mode.base + ((line & 1) * CGA_BANK + (line >> 1) * bytes + at & CGA_WINDOW);
  return mode.base + (page * mode.pageSize + line * bytes + at & WINDOW);
}

/** Lines of pixels of a character, as the BIOS data area says it. */
export function glyphHeight(memory: LinearMemory): number {
  return Math.min(memory.get16(BDA.CHARACTER_HEIGHT), MOST_HEIGHT);
}

/** The pixels of a character: from the vectors that programs may change. */
function glyph(memory: LinearMemory, mode: VideoModeInfo, character: number): Uint8Array {
  const height = glyphHeight(memory);
  const upper = mode.kind === "cga" && character >= 0x80;
  const vector = upper ? UPPER_FONT_VECTOR : FONT_VECTOR;
  const rows = new Uint8Array(height);
  const index = upper ? character - 0x80 : character;
  memory.read(linear(memory.get16(vector + 2), memory.get16(vector)) + index * height, rows);
  return rows;
}

/**
 * Draws a character.
 * @param memory Memory.
 * @param where On what, and where.
 * @param character Its code.
 * @param colour Its colour; with bit 7 it is laid over what is there by exclusive or (not in mode 13h).
 */
export function drawGlyph(memory: LinearMemory, where: GlyphPlace, character: number, colour: number): void {
  const { mode, vga, place: { row, column } } = where;
  const rows = glyph(memory, mode, character);
  const top = row * rows.length;
  const xor = (colour & XOR_COLOUR) !== 0 && mode.kind !== "bytes";
  if (mode.kind === "planar") {
    vga.setGraphics(MODE, WRITE_COLOUR);
    if (xor) vga.setGraphics(DATA_ROTATE, XOR);
    rows.forEach((bits, n) => {
      const at = byteAt(where, top + n, column);
      memory.get8(at);
      vga.setGraphics(BIT_MASK, bits);
      memory.set8(at, colour & 0x0f);
      if (xor) return;
      memory.get8(at);
      vga.setGraphics(BIT_MASK, ~bits & 0xff);
      memory.set8(at, 0);
    });
    vga.setGraphics(BIT_MASK, 0xff);
    vga.setGraphics(DATA_ROTATE, 0);
    vga.setGraphics(MODE, 0);
    return;
  }
  const depth = mode.bits, mask = (1 << depth) - 1;
  rows.forEach((bits, n) => {
    const bytes = new Uint8Array(depth);
    for (let pixel = 0; pixel < 8; pixel++) {
      const bit = pixel * depth;
      if ((bits & 0x80 >> pixel) !== 0) bytes[bit >> 3] |= (colour & mask) << 8 - depth - (bit & 7);
    }
    const at = byteAt(where, top + n, column * depth);
    if (xor) {
      const old = new Uint8Array(depth);
      memory.read(at, old);
      old.forEach((byte, at) => bytes[at] ^= byte);
    }
    memory.write(at, bytes);
  });
}

/**
 * Which character stands at a place.
 * @returns Its code; 0: none that is known.
 */
export function readGlyph(memory: LinearMemory, where: GlyphPlace): number {
  const { mode, place: { row, column } } = where;
  const height = glyphHeight(memory);
  const rows = new Uint8Array(height);
  for (let line = 0; line < height; line++) {
    for (let pixel = 0; pixel < 8; pixel++) {
      if (readPixel(memory, where, column * 8 + pixel, row * height + line) !== 0) rows[line] |= 0x80 >> pixel;
    }
  }
  // Of characters that look alike the first from the blank on is meant.
  for (let n = 0; n < 0x100; n++) {
    const character = 0x20 + n & 0xff;
    if (glyph(memory, mode, character).every((bits, n) => bits === rows[n])) return character;
  }
  return 0;
}

/**
 * Writes a pixel.
 * @param memory Memory.
 * @param canvas On what.
 * @param at Column and line.
 * @param colour Its colour; with bit 7 by exclusive or (not in mode 13h).
 */
export function writePixel(
  memory: LinearMemory,
  canvas: Canvas,
  at: { readonly x: number; readonly y: number },
  colour: number,
): void {
  const { mode, vga } = canvas;
  const { x, y } = at;
  if (mode.kind === "planar") {
    const place = byteAt(canvas, y, x >> 3);
    vga.setGraphics(MODE, WRITE_COLOUR);
    if ((colour & XOR_COLOUR) !== 0) vga.setGraphics(DATA_ROTATE, XOR);
    vga.setGraphics(BIT_MASK, 0x80 >> (x & 7));
    memory.get8(place);
    memory.set8(place, colour & 0x0f);
    vga.setGraphics(BIT_MASK, 0xff);
    vga.setGraphics(DATA_ROTATE, 0);
    vga.setGraphics(MODE, 0);
    return;
  }
  const depth = mode.bits;
  const place = byteAt(canvas, y, x * depth >> 3);
  if (depth === 8) return memory.set8(place, colour);
  const shift = 8 - depth - (x * depth & 7), mask = (1 << depth) - 1;
  const old = memory.get8(place), bits = (colour & mask) << shift;
  memory.set8(place, (colour & XOR_COLOUR) !== 0 ? old ^ bits : old & ~(mask << shift) | bits);
}

/** Reads a pixel. */
export function readPixel(memory: LinearMemory, canvas: Canvas, x: number, y: number): number {
  const { mode, vga } = canvas;
  if (mode.kind === "planar") {
    let colour = 0;
    for (let plane = 0; plane < PLANES; plane++) {
      vga.setGraphics(READ_MAP, plane);
      if ((memory.get8(byteAt(canvas, y, x >> 3)) & 0x80 >> (x & 7)) !== 0) colour |= 1 << plane;
    }
    vga.setGraphics(READ_MAP, 0);
    return colour;
  }
  const depth = mode.bits;
  const byte = memory.get8(byteAt(canvas, y, x * depth >> 3));
  return byte >> 8 - depth - (x * depth & 7) & (1 << depth) - 1;
}

/**
 * Scrolls.
 * @param memory Memory.
 * @param canvas On what, and the height of a character.
 * @param what What; its lines are those of characters, from 1 to the height of the part.
 */
export function moveLines(
  memory: LinearMemory,
  canvas: Canvas & { readonly height: number },
  what: Scroll,
): void {
  const { mode, vga, height } = canvas;
  const { lines, fill, down, from, to } = what;
  const unit = mode.kind === "planar" ? 1 : mode.bits;
  const bytes = (to.column - from.column + 1) * unit;
  const first = from.row * height, last = (to.row + 1) * height - 1, by = lines * height;
  const row = new Uint8Array(bytes);
  const planar = mode.kind === "planar";
  const total = last - first + 1;
  for (let n = 0; n < total; n++) {
    const target = down ? last - n : first + n;
    const source = down ? target - by : target + by;
    const at = byteAt(canvas, target, from.column * unit);
    if (n < total - by) {
      const old = byteAt(canvas, source, from.column * unit);
      if (planar) {
        // Each byte goes through the latches, all planes at once.
        if (n === 0) vga.setGraphics(MODE, WRITE_COPY);
        for (let byte = 0; byte < bytes; byte++) {
          memory.get8(old + byte);
          memory.set8(at + byte, 0);
        }
      } else {
        memory.read(old, row);
        memory.write(at, row);
      }
      continue;
    }
    if (planar) {
      if (n === Math.max(0, total - by)) vga.setGraphics(MODE, WRITE_COLOUR);
      memory.write(at, row.fill(fill & 0x0f));
    } else {
      memory.write(
        at,
        row.fill(mode.bits === 8 ? fill : (fill & (1 << mode.bits) - 1) * (mode.bits === 2 ? 0x55 : 0xff)),
      );
    }
  }
  if (planar) vga.setGraphics(MODE, 0);
}
