/**
 * The picture of a VGA, scan line by scan line as its CRT controller goes through the memory: text, planes, CGA's interleaved
 * pairs of bits, 256 colours, split screens and panning; and the pictures of the DISPI.
 *
 * A picture has one pixel for each pixel of the mode: scan lines that are the same twice are there once, and the border is not.
 * @module
 */

import type { DispiMode } from "./vga_dispi.ts";
import {
  ATTR_COLOR_SELECT,
  ATTR_MODE,
  ATTR_MODE_8_BIT,
  ATTR_MODE_BLINK,
  ATTR_MODE_LINE_GRAPHICS,
  ATTR_MODE_MONO,
  ATTR_MODE_P54,
  ATTR_MODE_PAN_TOP,
  ATTR_PANNING,
  ATTR_PLANE_ENABLE,
  CLOCKING_8_DOTS,
  CRTC_CURSOR_HIGH,
  CRTC_MAXIMUM_SCAN_LINE,
  CRTC_MODE,
  CRTC_OFFSET,
  CRTC_PRESET_ROW_SCAN,
  CRTC_UNDERLINE,
  displayedLines,
  GFX_GRAPHICS,
  GFX_MISCELLANEOUS,
  GFX_MODE,
  GFX_MODE_SHIFT_256,
  GFX_MODE_SHIFT_INTERLEAVE,
  lineCompare,
  SEQ_CHARACTER_MAP,
  SEQ_CLOCKING,
  type VgaRegisters,
} from "./vga_registers.ts";
import { cursorLines, cursorOn, textStart } from "./vga_text.ts";

/** A picture. */
export interface VgaFrame {
  /** Pixels in a line. */
  readonly width: number;
  /** Lines. */
  readonly height: number;
  /** Red, green, blue and 255 for each pixel, line by line. */
  readonly rgba: Uint8Array;
}

/** What blinks, and whether it is to be seen now. */
export interface BlinkPhase {
  /** The cursor is visible. */
  readonly cursor: boolean;
  /** Blinking characters are visible. */
  readonly characters: boolean;
}

const OPAQUE = 0xff000000;
const BLACK = OPAQUE | 0;
/** Row scan 0 in place of address bit 13 (14 with 1): not while these bits of the CRT controller's mode are set. */
const MODE_NO_CGA = 0x01;
const MODE_NO_HERCULES = 0x02;
/** A line of text or planes may begin up to so many pixels early. */
const MARGIN = 16;

/** Draws what a VGA shows in its own modes. */
export function renderVga(registers: VgaRegisters, words: Int32Array, blink: BlinkPhase): VgaFrame {
  return new Renderer(registers, words, blink).frame();
}

class Renderer {
  readonly #registers: VgaRegisters;
  readonly #words: Int32Array;
  readonly #blink: BlinkPhase;
  readonly #crtc: Uint8Array;
  readonly #attribute: Uint8Array;
  readonly #colours: Int32Array;
  /** For a value of four planes what goes to the DAC. */
  readonly #palette: Uint8Array;
  readonly #wide: boolean;

  constructor(registers: VgaRegisters, words: Int32Array, blink: BlinkPhase) {
    this.#registers = registers;
    this.#words = words;
    this.#blink = blink;
    this.#crtc = registers.crtc;
    this.#attribute = registers.attribute;
    this.#colours = dacColours(registers);
    this.#palette = paletteOf(registers.attribute);
    this.#wide =
      ((registers.graphics[GFX_MODE] & GFX_MODE_SHIFT_256) | (registers.attribute[ATTR_MODE] & ATTR_MODE_8_BIT)) !== 0;
  }

  frame(): VgaFrame {
    const crtc = this.#crtc;
    const graphics = (this.#registers.graphics[GFX_MISCELLANEOUS] & GFX_GRAPHICS) !== 0;
    const characters = crtc[1] + 1;
    const dots = graphics ? this.#wide ? 4 : 8 : this.#dots();
    const width = characters * dots;
    const lastRow = crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x1f;
    const doubled = (crtc[CRTC_MAXIMUM_SCAN_LINE] & 0x80) !== 0;
    const interleaved = (~crtc[CRTC_MODE] & (MODE_NO_CGA | MODE_NO_HERCULES)) !== 0;
    const same = (doubled ? 2 : 1) * (graphics && !interleaved ? lastRow + 1 : 1);
    const lines = displayedLines(this.#registers);
    const height = Math.max(Math.floor(lines / same), 1);
    const pixels = new Int32Array(width * height).fill(BLACK);
    const frame = { width, height, rgba: new Uint8Array(pixels.buffer) };
    if (!this.#registers.screenOn || crtc[1] === 0) return frame;

    const line = new Uint8Array(width + 2 * MARGIN);
    const draw = graphics ? this.#planner() : this.#writer();
    const compare = lineCompare(this.#registers);
    let pan = this.#pan(graphics);
    let address = textStart(this.#registers);
    let rowScan = crtc[CRTC_PRESET_ROW_SCAN] & 0x1f;
    for (let y = 0, out = 0; y < lines && out < height; y++) {
      if (y % same === 0) {
        draw(line, characters + 2, address, rowScan);
        for (let x = 0; x < width; x++) pixels[out * width + x] = this.#colours[line[x + pan]];
        out++;
      }
      if (y === compare) {
        address = rowScan = 0;
        if ((this.#attribute[ATTR_MODE] & ATTR_MODE_PAN_TOP) !== 0) pan = 0;
      } else if (!doubled || (y & 1) === 1) {
        if (rowScan === lastRow) {
          rowScan = 0;
          address += crtc[CRTC_OFFSET] * 2;
        } else {
          rowScan = (rowScan + 1) & 0x1f;
        }
      }
    }
    return frame;
  }

  #dots(): 8 | 9 {
    return (this.#registers.sequencer[SEQ_CLOCKING] & CLOCKING_8_DOTS) !== 0 ? 8 : 9;
  }

  /** Pixels at the beginning of a line that are not shown. */
  #pan(graphics: boolean): number {
    const value = this.#attribute[ATTR_PANNING] & 0x0f;
    if (graphics && this.#wide) return value >> 1 & 3;
    if (!graphics && this.#dots() === 9) return value > 7 ? 0 : value + 1;
    return value & 7;
  }

  /** Gives a function that draws a line of text. */
  #writer(): (line: Uint8Array, characters: number, address: number, rowScan: number) => void {
    const words = this.#words, palette = this.#palette, crtc = this.#crtc;
    const mode = this.#attribute[ATTR_MODE];
    const dots = this.#dots();
    const select = this.#registers.sequencer[SEQ_CHARACTER_MAP];
    const fontB = fontOffset(select & 3 | select >> 2 & 4), fontA = fontOffset(select >> 2 & 3 | select >> 3 & 4);
    const blinks = (mode & ATTR_MODE_BLINK) !== 0, mono = (mode & ATTR_MODE_MONO) !== 0;
    const ninth = (mode & ATTR_MODE_LINE_GRAPHICS) !== 0;
    const underline = crtc[CRTC_UNDERLINE] & 0x1f;
    const { top, bottom } = cursorLines(crtc);
    const cursor = cursorOn(crtc) && this.#blink.cursor ? crtc[CRTC_CURSOR_HIGH] << 8 | crtc[CRTC_CURSOR_HIGH + 1] : -1;
    return (line, characters, address, rowScan) => {
      for (let n = 0, x = 0; n < characters && x + dots <= line.length; n++, x += dots) {
        const place = (address + n) & 0xffff;
        const word = words[place];
        const code = word & 0xff, attribute = word >>> 8 & 0xff;
        let bits = words[((attribute & 8) !== 0 ? fontA : fontB) + code * 32 + rowScan] >>> 16 & 0xff;
        bits = bits << 1 | (ninth && (code & 0xe0) === 0xc0 ? bits & 1 : 0);
        let fore = attribute & 0x0f, back = attribute >> 4;
        if (blinks) {
          if ((attribute & 0x80) !== 0 && !this.#blink.characters) bits = 0;
          back &= 7;
        }
        if (mono && (attribute & 7) === 1 && rowScan === underline) bits = 0x1ff;
        if (place === cursor && rowScan >= top && rowScan <= bottom) bits = 0x1ff;
        fore = palette[fore];
        back = palette[back];
        for (let dot = 0; dot < dots; dot++) line[x + dot] = (bits & 0x100 >> dot) !== 0 ? fore : back;
      }
    };
  }

  /** Gives a function that draws a line of graphics. */
  #planner(): (line: Uint8Array, characters: number, address: number, rowScan: number) => void {
    const words = this.#words, palette = this.#palette, mode = this.#crtc[CRTC_MODE];
    // Word mode leaves out every other address: bit 13 of the address is bit 12 here (see vga_memory.ts).
    const byteMode = (mode & 0x40) !== 0 ? 1 : 0;
    const bit13 = (mode & MODE_NO_CGA) === 0 ? 0x1000 << byteMode : 0;
    const bit14 = (mode & MODE_NO_HERCULES) === 0 ? 0x2000 << byteMode : 0;
    const interleave = (this.#registers.graphics[GFX_MODE] & GFX_MODE_SHIFT_INTERLEAVE) !== 0;
    const wide = this.#wide;
    const mask = this.#attribute[ATTR_MODE] & ATTR_MODE_8_BIT;
    return (line, characters, address, rowScan) => {
      let x = 0;
      for (let n = 0; n < characters && x + 8 <= line.length; n++) {
        let place = (address + n) & 0xffff;
        if (bit13 !== 0) place = place & ~bit13 | ((rowScan & 1) !== 0 ? bit13 : 0);
        if (bit14 !== 0) place = place & ~bit14 | ((rowScan & 2) !== 0 ? bit14 : 0);
        const word = words[place];
        if (wide) {
          for (let plane = 0; plane < 4; plane++) {
            const value = word >>> 8 * plane & 0xff;
            line[x++] = mask !== 0 ? value : palette[value & 0x0f];
          }
        } else if (interleave) {
          for (let pair = 0; pair < 2; pair++) {
            for (let shift = 6; shift >= 0; shift -= 2) {
              const low = word >>> (8 * pair + shift) & 3, high = word >>> (16 + 8 * pair + shift) & 3;
              line[x++] = palette[low | high << 2];
            }
          }
        } else {
          planarByte(line, x, word, palette);
          x += 8;
        }
      }
    };
  }
}

/**
 * Draws what the DISPI shows.
 * @param mode Its mode.
 * @param registers The adapter's, for palettes.
 * @param bytes Its memory.
 */
export function renderDispi(mode: DispiMode, registers: VgaRegisters, bytes: Uint8Array): VgaFrame {
  const { width, height, bits, pitch, start } = mode;
  const pixels = new Int32Array(width * height);
  const frame = { width, height, rgba: new Uint8Array(pixels.buffer) };
  if (bits <= 8) {
    const colours = dacColours(registers);
    if (bits === 4) renderPlanes(mode, registers, { bytes, pixels, colours });
    else {
      for (let y = 0, out = 0; y < height; y++) {
        for (let x = 0, at = start + y * pitch; x < width; x++) pixels[out++] = colours[bytes[at++]];
      }
    }
    return frame;
  }
  for (let y = 0, out = 0; y < height; y++) {
    let at = start + y * pitch;
    for (let x = 0; x < width; x++) {
      let red: number, green: number, blue: number;
      if (bits >= 24) {
        [blue, green, red] = [bytes[at], bytes[at + 1], bytes[at + 2]];
        at += bits >> 3;
      } else {
        const value = bytes[at] | bytes[at + 1] << 8;
        at += 2;
        blue = expand5(value);
        if (bits === 15) {
          green = expand5(value >> 5);
          red = expand5(value >> 10);
        } else {
          green = (value >> 3 & 0xfc) | (value >> 9 & 3);
          red = expand5(value >> 11);
        }
      }
      pixels[out++] = OPAQUE | blue << 16 | green << 8 | red;
    }
  }
  return frame;
}

function renderPlanes(
  mode: DispiMode,
  registers: VgaRegisters,
  { bytes, pixels, colours }: { bytes: Uint8Array; pixels: Int32Array; colours: Int32Array },
): void {
  const { width, height, pitch, start, skip } = mode;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const palette = paletteOf(registers.attribute);
  const line = new Uint8Array(width + MARGIN);
  for (let y = 0; y < height; y++) {
    for (let n = 0; n * 8 < width + skip; n++) {
      planarByte(line, n * 8, words[(start + y * pitch + n) & (words.length - 1)], palette);
    }
    for (let x = 0; x < width; x++) pixels[y * width + x] = colours[line[x + skip]];
  }
}

/** Eight pixels of four planes. */
function planarByte(line: Uint8Array, x: number, word: number, palette: Uint8Array): void {
  for (let bit = 7; bit >= 0; bit--) {
    const value = word >>> bit;
    line[x++] = palette[value & 1 | value >>> 7 & 2 | value >>> 14 & 4 | value >>> 21 & 8];
  }
}

function expand5(value: number): number {
  return (value & 0x1f) << 3 | (value & 0x1f) >> 2;
}

/** Where a font begins in plane 2. */
function fontOffset(select: number): number {
  return (select & 3) << 14 | (select & 4) << 11;
}

function paletteOf(attribute: Uint8Array): Uint8Array {
  const enabled = attribute[ATTR_PLANE_ENABLE] & 0x0f, select = attribute[ATTR_COLOR_SELECT];
  return Uint8Array.from({ length: 16 }, (_, value) => {
    const colour = attribute[value & enabled];
    return (attribute[ATTR_MODE] & ATTR_MODE_P54) !== 0
      ? colour & 0x0f | (select & 3) << 4 | (select & 0x0c) << 4
      : colour & 0x3f | (select & 0x0c) << 4;
  });
}

/** For each value that goes to the DAC its colour as a word of RGBA. */
function dacColours({ dac, dacMask, dac8Bit }: VgaRegisters): Int32Array {
  const level = (value: number): number => dac8Bit ? value : (value & 0x3f) << 2 | (value & 0x3f) >> 4;
  return Int32Array.from({ length: 256 }, (_, value) => {
    const at = (value & dacMask) * 3;
    return OPAQUE | level(dac[at + 2]) << 16 | level(dac[at + 1]) << 8 | level(dac[at]);
  });
}
