/**
 * Screens as what a terminal has to be sent: only the places that have changed, with colours by SGR.
 * @module
 */

import { CP437 } from "../devices/video/cp437.ts";
import type { VgaFrame, VgaText } from "../devices/video/vga.ts";

/** How many characters a terminal shows. */
export interface TerminalSize {
  /** In a line. */
  readonly columns: number;
  /** Lines. */
  readonly rows: number;
}

/** ANSI's number for each colour of a PC. */
const ANSI = [0, 4, 2, 6, 1, 5, 3, 7];
const UPPER_HALF = "▀";
/** A picture fills a screen of 4 by 3, whatever its pixels. */
const ASPECT = 4 / 3;
/** No attribute, so that the first one is always written. */
const NO_STYLE = "?";
const LEVELS = 6;

/** Remembers what the terminal shows. */
export class TerminalPainter {
  readonly #trueColour: boolean;
  /** What stands where: style and character. */
  #shown: string[] = [];
  #size: TerminalSize = { columns: 0, rows: 0 };
  #kind = "";

  /**
   * Makes a painter for an empty terminal.
   * @param options `trueColour`: the terminal knows 24-bit colours, else 256 of them.
   */
  constructor(options: { readonly trueColour: boolean }) {
    this.#trueColour = options.trueColour;
  }

  /** Forgets what the terminal shows: all of it is drawn anew. */
  forget(): void {
    this.#kind = "";
  }

  /**
   * Draws a text screen. A terminal that is too small shows the part around the cursor.
   * @param text The screen.
   * @param size The terminal's.
   * @returns What to send.
   */
  text(text: VgaText, size: TerminalSize): string {
    const { columns, rows, cells, cursor } = text;
    const start = this.#begin(`text ${columns} ${rows}`, size);
    const top = visibleFrom(cursor?.row, rows, size.rows), left = visibleFrom(cursor?.column, columns, size.columns);
    const out = this.#cells(Math.min(size.rows, rows), Math.min(size.columns, columns), (row, column) => {
      const cell = cells[(row + top) * columns + column + left];
      return { style: textStyle(cell >> 8, text.blinks), character: CP437[cell & 0xff] };
    });
    const show = cursor === undefined
      ? "\x1b[?25l"
      : `\x1b[${cursor.row - top + 1};${cursor.column - left + 1}H\x1b[?25h`;
    return `${start}${out}${show}`;
  }

  /**
   * Draws a picture with two pixels in each character.
   * @param frame The picture.
   * @param size The terminal's.
   * @returns What to send.
   */
  frame(frame: VgaFrame, size: TerminalSize): string {
    const start = this.#begin("frame", size);
    const width = Math.max(Math.min(size.columns, Math.floor(size.rows * 2 * ASPECT)), 1);
    const height = Math.max(Math.min(size.rows, Math.round(width / ASPECT / 2)), 1);
    const pixels = scaled(frame, width, height * 2);
    const out = this.#cells(height, width, (row, column) => {
      const upper = pixels[row * 2 * width + column], lower = pixels[(row * 2 + 1) * width + column];
      return { style: `${this.#colour(38, upper)};${this.#colour(48, lower)}`, character: UPPER_HALF };
    });
    return `${start}${out}\x1b[?25l`;
  }

  /**
   * Draws a picture with sixels, a pixel for each of its own.
   * @param frame The picture.
   * @param size The terminal's.
   * @returns What to send.
   */
  sixels(frame: VgaFrame, size: TerminalSize): string {
    const start = this.#begin(`sixels ${frame.width} ${frame.height}`, size);
    return `${start}\x1b[?25l\x1b[1;1H${encodeSixels(frame)}`;
  }

  /** Clears the terminal if what it shows is of no use. */
  #begin(kind: string, size: TerminalSize): string {
    if (kind === this.#kind && size.columns === this.#size.columns && size.rows === this.#size.rows) return "";
    this.#kind = kind;
    this.#size = size;
    this.#shown = [];
    return "\x1b[0m\x1b[2J";
  }

  #cells(
    rows: number,
    columns: number,
    at: (row: number, column: number) => { readonly style: string; readonly character: string },
  ): string {
    let out = "", style = NO_STYLE;
    for (let row = 0; row < rows; row++) {
      // Where the terminal's cursor is in this row; none yet.
      let place = -1;
      for (let column = 0; column < columns; column++) {
        const cell = at(row, column);
        const index = row * columns + column, shown = cell.style + cell.character;
        if (this.#shown[index] === shown) continue;
        this.#shown[index] = shown;
        if (place !== column) out += `\x1b[${row + 1};${column + 1}H`;
        if (style !== cell.style) out += `\x1b[${cell.style}m`;
        style = cell.style;
        out += cell.character;
        place = column + 1;
      }
    }
    return style === NO_STYLE ? out : `${out}\x1b[0m`;
  }

  #colour(kind: 38 | 48, rgb: number): string {
    const [red, green, blue] = [rgb >> 16, rgb >> 8 & 0xff, rgb & 0xff];
    if (this.#trueColour) return `${kind};2;${red};${green};${blue}`;
    const level = (value: number): number => Math.round(value * (LEVELS - 1) / 255);
    return `${kind};5;${16 + (level(red) * LEVELS + level(green)) * LEVELS + level(blue)}`;
  }
}

/** The first row or column to show, so that the cursor is to be seen. */
function visibleFrom(cursor: number | undefined, all: number, room: number): number {
  if (cursor === undefined || all <= room) return 0;
  return Math.min(Math.max(cursor - room + 1, 0), all - room);
}

function textStyle(attribute: number, blinks: boolean): string {
  const fore = attribute & 0x0f, back = attribute >> 4 & (blinks ? 7 : 0x0f);
  const foreCode = ANSI[fore & 7] + (fore > 7 ? 90 : 30), backCode = ANSI[back & 7] + (back > 7 ? 100 : 40);
  return `0;${foreCode};${backCode}${blinks && (attribute & 0x80) !== 0 ? ";5" : ""}`;
}

/** A picture in another size, each pixel the mean of those that it stands for: 0xrrggbb. */
function scaled(frame: VgaFrame, width: number, height: number): Int32Array {
  const out = new Int32Array(width * height);
  for (let y = 0; y < height; y++) {
    const top = Math.floor(y * frame.height / height),
      bottom = Math.max(Math.floor((y + 1) * frame.height / height), top + 1);
    for (let x = 0; x < width; x++) {
      const left = Math.floor(x * frame.width / width),
        right = Math.max(Math.floor((x + 1) * frame.width / width), left + 1);
      let red = 0, green = 0, blue = 0;
      for (let row = top; row < bottom; row++) {
        for (let at = (row * frame.width + left) * 4; at < (row * frame.width + right) * 4; at += 4) {
          red += frame.rgba[at];
          green += frame.rgba[at + 1];
          blue += frame.rgba[at + 2];
        }
      }
      const count = (bottom - top) * (right - left);
      out[y * width + x] = Math.round(red / count) << 16 | Math.round(green / count) << 8 | Math.round(blue / count);
    }
  }
  return out;
}

/**
 * Writes a picture as sixels, in the 216 colours of a cube.
 * @param frame The picture.
 * @returns The sequence.
 */
export function encodeSixels(frame: VgaFrame): string {
  const { width, height, rgba } = frame;
  const level = (value: number): number => Math.round(value * (LEVELS - 1) / 255);
  const colours = new Uint8Array(width * height);
  for (let at = 0; at < colours.length; at++) {
    colours[at] = (level(rgba[at * 4]) * LEVELS + level(rgba[at * 4 + 1])) * LEVELS + level(rgba[at * 4 + 2]);
  }
  const percent = (value: number): number => value % LEVELS * 100 / (LEVELS - 1);
  let out = `\x1bPq"1;1;${width};${height}`;
  for (const colour of [...new Set(colours)].toSorted((a, b) => a - b)) {
    out += `#${colour};2;${percent(Math.floor(colour / 36))};${percent(Math.floor(colour / 6))};${percent(colour)}`;
  }
  for (let top = 0; top < height; top += 6) {
    const band = colours.subarray(top * width, Math.min(top + 6, height) * width);
    const lines = [...new Set(band)].map((colour) => `#${colour}${sixelLine(band, colour, width)}`);
    out += `${lines.join("$")}-`;
  }
  return `${out}\x1b\\`;
}

/** One colour of six lines, with repetitions counted. */
function sixelLine(band: Uint8Array, colour: number, width: number): string {
  let out = "", before = "", count = 0;
  const flush = (): void => {
    out += count > 3 ? `!${count}${before}` : before.repeat(count);
  };
  for (let x = 0; x < width; x++) {
    let bits = 0;
    for (let row = 0, at = x; at < band.length; row++, at += width) if (band[at] === colour) bits |= 1 << row;
    const sixel = String.fromCharCode(0x3f + bits);
    if (sixel !== before) {
      flush();
      before = sixel;
      count = 0;
    }
    count++;
  }
  // Nothing more of this colour needs no words.
  if (before !== "?") flush();
  return out;
}
