/**
 * Characters, cursor and scrolling in the standard modes, by the BIOS data area and the screen's memory.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import type { LinearMemory } from "../linear_memory.ts";
import { VgaPorts } from "../vga_ports.ts";
import { drawGlyph, glyphHeight, moveLines, readGlyph } from "./video_graphics.ts";
import { videoMode, type VideoModeInfo } from "./video_modes.ts";

const BELL = 7, BACKSPACE = 8, LINE_FEED = 10, RETURN = 13;
const CURSOR_HIGH = 0x0e,
  CURSOR_LOW = 0x0f,
  START_HIGH = 0x0c,
  START_LOW = 0x0d,
  CURSOR_START = 0x0a,
  CURSOR_END = 0x0b;
const NO_CURSOR_EMULATION = 0x01;
const PAGES = 8;
/** The last byte of the memory for text. */
const TEXT_WINDOW = 0x7fff;

/** A place on the screen, from 0. */
export interface Place {
  /** Line of characters. */
  readonly row: number;
  /** Column. */
  readonly column: number;
}

/** What is to be scrolled, by how much. */
export interface Scroll {
  /** Lines; 0: all of them. */
  readonly lines: number;
  /** Attribute or colour of the new lines. */
  readonly fill: number;
  /** The first line and column. */
  readonly from: Place;
  /** The last ones. */
  readonly to: Place;
  /** Whether the contents go down. */
  readonly down: boolean;
}

/** The screen. */
export class Screen {
  readonly #memory: LinearMemory;
  readonly #vga: VgaPorts;

  /**
   * Makes it.
   * @param board The board.
   */
  constructor(board: FirmwareBoard) {
    this.#memory = board.memory;
    this.#vga = new VgaPorts(board.ports);
  }

  /** The mode; none: it is none of the standard ones. */
  get mode(): VideoModeInfo | undefined {
    return videoMode(this.#memory.get8(BDA.VIDEO_MODE));
  }

  /** Characters in a line. */
  get columns(): number {
    return this.#memory.get16(BDA.VIDEO_COLUMNS);
  }

  /** Lines of characters. */
  get rows(): number {
    return this.#memory.get8(BDA.VIDEO_LAST_ROW) + 1;
  }

  /** The page that is to be seen. */
  get activePage(): number {
    return this.#memory.get8(BDA.VIDEO_PAGE);
  }

  /** Shows a page. */
  showPage(page: number): void {
    const mode = this.mode;
    if (mode === undefined || page >= mode.pages) return;
    const start = page * this.#memory.get16(BDA.VIDEO_PAGE_SIZE);
    this.#memory.set16(BDA.VIDEO_PAGE_START, start);
    this.#memory.set8(BDA.VIDEO_PAGE, page);
    const address = mode.kind === "text" ? start >> 1 : start;
    this.#vga.setCrtc(START_HIGH, address >> 8);
    this.#vga.setCrtc(START_LOW, address & 0xff);
    this.moveCursor(page, this.cursor(page));
  }

  /** Where the cursor of a page is. */
  cursor(page: number): Place {
    const at = this.#memory.get16(BDA.CURSORS + 2 * (page % PAGES));
    return { row: at >> 8, column: at & 0xff };
  }

  /** Moves the cursor of a page. */
  moveCursor(page: number, { row, column }: Place): void {
    this.#memory.set16(BDA.CURSORS + 2 * (page % PAGES), row << 8 | column);
    if (page !== this.activePage || this.mode?.kind !== "text") return;
    const address = (this.#memory.get16(BDA.VIDEO_PAGE_START) >> 1) + row * this.columns + column;
    this.#vga.setCrtc(CURSOR_HIGH, address >> 8 & 0xff);
    this.#vga.setCrtc(CURSOR_LOW, address & 0xff);
  }

  /** The lines of the cursor, as programs have set them: first line in the high byte. */
  get cursorShape(): number {
    return this.#memory.get16(BDA.CURSOR_SHAPE);
  }
  set cursorShape(shape: number) {
    this.#memory.set16(BDA.CURSOR_SHAPE, shape);
    const height = this.#memory.get16(BDA.CHARACTER_HEIGHT);
    let start = shape >> 8 & 0x3f, end = shape & 0x1f;
    const emulate = (this.#memory.get8(BDA.VIDEO_CONTROL) & NO_CURSOR_EMULATION) === 0;
    // Programs think of 8 lines.
    if (emulate && height > 8 && end < 8 && (start & 0x1f) < 8) {
      const scale = (line: number): number => Math.floor((line + 1) * height / 8) - 1;
      end = end === 7 && (start & 0x1f) === 6 ? height - 2 : scale(end);
      start = start & 0x20 | ((start & 0x1f) === 6 ? height - 3 : scale(start & 0x1f));
    }
    this.#vga.setCrtc(CURSOR_START, start);
    this.#vga.setCrtc(CURSOR_END, end);
  }

  /**
   * Draws a character where the cursor is, some times; the cursor stays.
   * @param page The page.
   * @param character Its code.
   * @param colour Attribute, or colour in graphics; none: the attribute stays.
   * @param count How many times.
   */
  write(page: number, character: number, colour: number | undefined, count = 1): void {
    const { row, column } = this.cursor(page);
    this.#draw(page, { row, column }, character, colour, count);
  }

  /** Character and attribute where the cursor is, the attribute in the high byte. */
  read(page: number): number {
    const mode = this.mode;
    const place = this.cursor(page);
    if (mode === undefined) return 0;
    if (mode.kind === "text") return this.#memory.get16(this.#cell(mode, page, place));
    return readGlyph(this.#memory, { mode, vga: this.#vga, page, place });
  }

  /**
   * Writes a character and moves the cursor on, as a teletype does.
   * @param page The page.
   * @param character Its code; bell, backspace, line feed and carriage return do what they say.
   * @param colour Colour in graphics, attribute with `attribute`.
   * @param attribute Whether the attribute is written in text modes.
   */
  teletype(page: number, character: number, colour: number, attribute = false): void {
    let { row, column } = this.cursor(page);
    switch (character) {
      case BELL:
        return;
      case BACKSPACE:
        if (column > 0) column--;
        break;
      case LINE_FEED:
        row++;
        break;
      case RETURN:
        column = 0;
        break;
      default:
        this.#draw(page, { row, column }, character, attribute || this.mode?.kind !== "text" ? colour : undefined, 1);
        if (++column >= this.columns) {
          column = 0;
          row++;
        }
    }
    if (row >= this.rows) {
      row = this.rows - 1;
      this.moveCursor(page, { row, column });
      const fill = this.mode?.kind === "text" ? this.read(page) >> 8 : 0;
      const to = { row, column: this.columns - 1 };
      this.scroll(page, { lines: 1, fill, from: { row: 0, column: 0 }, to, down: false });
    }
    this.moveCursor(page, { row, column });
  }

  /** Scrolls a part of a page. */
  scroll(page: number, what: Scroll): void {
    const mode = this.mode;
    if (mode === undefined) return;
    const { from, down, fill } = what;
    const to = { row: Math.min(what.to.row, this.rows - 1), column: Math.min(what.to.column, this.columns - 1) };
    const height = to.row - from.row + 1, width = to.column - from.column + 1;
    if (height <= 0 || width <= 0) return;
    const lines = what.lines === 0 || what.lines > height ? height : what.lines;
    if (mode.kind !== "text") {
      const height = glyphHeight(this.#memory);
      moveLines(this.#memory, { mode, vga: this.#vga, page, height }, { lines, fill, down, from, to });
      return;
    }
    const row = new Uint8Array(2 * width);
    for (let n = 0; n < height; n++) {
      const target = down ? to.row - n : from.row + n;
      const source = down ? target - lines : target + lines;
      if (n < height - lines) {
        this.#memory.read(this.#cell(mode, page, { row: source, column: from.column }), row);
      } else {
        for (let at = 0; at < row.length; at += 2) [row[at], row[at + 1]] = [0x20, fill];
      }
      this.#memory.write(this.#cell(mode, page, { row: target, column: from.column }), row);
    }
  }

  #draw(page: number, { row, column }: Place, character: number, colour: number | undefined, count: number): void {
    const mode = this.mode;
    if (mode === undefined) return;
    if (mode.kind !== "text") {
      const { columns } = this;
      const most = Math.min(count, columns - column);
      for (let n = 0; n < most; n++) {
        const place = { row, column: column + n };
        drawGlyph(this.#memory, { mode, vga: this.#vga, page, place }, character, colour ?? 7);
      }
      return;
    }
    const at = this.#cell(mode, page, { row, column });
    count = Math.min(count, (mode.base + TEXT_WINDOW + 1 - at) / 2);
    if (count === 1 && colour !== undefined) {
      this.#memory.set16(at, colour << 8 | character);
    } else if (colour !== undefined) {
      this.#memory.write(at, Uint8Array.from({ length: 2 * count }, (_, n) => n % 2 === 0 ? character : colour));
    } else {
      for (let n = 0; n < count; n++) this.#memory.set8(at + 2 * n, character);
    }
  }

  #cell(mode: VideoModeInfo, page: number, { row, column }: Place): number {
    const offset = page * this.#memory.get16(BDA.VIDEO_PAGE_SIZE) + 2 * (row * this.columns + column);
    return mode.base + (offset & TEXT_WINDOW);
  }
}
