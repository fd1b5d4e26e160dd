/**
 * The built-in fonts of the text screen: code page 437 in 16, 14 and 8 rows. They were drawn for this project.
 * @module
 */

import { GLYPHS_16, GLYPHS_8 } from "./font_glyphs.ts";

/** Rows of a character. */
export type FontHeight = 8 | 14 | 16;

const CHARACTERS = 256;

/** Rows of an accent above a small letter, and its one row where there is no room for more. */
const ACCENTS: Readonly<Record<string, { readonly rows: readonly number[]; readonly row: number }>> = {
  diaeresis: { rows: [0x66, 0x66], row: 0x66 },
  acute: { rows: [0x0c, 0x18], row: 0x0c },
  grave: { rows: [0x30, 0x18], row: 0x30 },
  circumflex: { rows: [0x18, 0x66], row: 0x3c },
  tilde: { rows: [0x76, 0xdc], row: 0x7e },
  ring: { rows: [0x18, 0x24, 0x18], row: 0x18 },
};

/** Letters that are put together: code, letter, accent. */
const ACCENTED: readonly (readonly [code: number, letter: string, accent: string])[] = [
  [0x81, "u", "diaeresis"],
  [0x82, "e", "acute"],
  [0x83, "a", "circumflex"],
  [0x84, "a", "diaeresis"],
  [0x85, "a", "grave"],
  [0x86, "a", "ring"],
  [0x88, "e", "circumflex"],
  [0x89, "e", "diaeresis"],
  [0x8a, "e", "grave"],
  [0x8b, "i", "diaeresis"],
  [0x8c, "i", "circumflex"],
  [0x8d, "i", "grave"],
  [0x8e, "A", "diaeresis"],
  [0x8f, "A", "ring"],
  [0x90, "E", "acute"],
  [0x93, "o", "circumflex"],
  [0x94, "o", "diaeresis"],
  [0x95, "o", "grave"],
  [0x96, "u", "circumflex"],
  [0x97, "u", "grave"],
  [0x98, "y", "diaeresis"],
  [0x99, "O", "diaeresis"],
  [0x9a, "U", "diaeresis"],
  [0xa0, "a", "acute"],
  [0xa1, "i", "acute"],
  [0xa2, "o", "acute"],
  [0xa3, "u", "acute"],
  [0xa4, "n", "tilde"],
  [0xa5, "N", "tilde"],
];
const CEDILLAS = [[0x80, "C"], [0x87, "c"]] as const;
const CEDILLA = [0x18, 0x0c, 0x38];

/** Lines of box drawing from 0xb3 on: to the left, right, top and bottom; 1 is a single line, 2 a double one. */
const BOXES_B3 = "0011 1011 2011 1022 1002 2001 2022 0022 2002 2020 1020 2010 1001 " +
  "0110 1110 1101 0111 1100 1111 0211 0122 0220 0202 2220 2202 0222 2200 2222 2210 1120 2201 1102 0120 0210 0201 0102 1122 2211 " +
  "1010 0101";
const FIRST_BOX = 0xb3;

const fonts = new Map<FontHeight, Uint8Array>();

/**
 * Gives a font.
 * @param height Rows of a character.
 * @returns For each of the 256 characters its rows from the top, one byte each, the leftmost dot in bit 7. Shared: do not change it.
 */
export function font(height: FontHeight): Uint8Array {
  let bytes = fonts.get(height);
  if (bytes === undefined) fonts.set(height, bytes = makeFont(height));
  return bytes;
}

function makeFont(height: FontHeight): Uint8Array {
  const bytes = new Uint8Array(CHARACTERS * height);
  const put = (code: number, rows: Uint8Array): void => bytes.set(rows, code * height);
  const get = (letter: string): Uint8Array =>
    bytes.slice(letter.charCodeAt(0) * height, (letter.charCodeAt(0) + 1) * height);
  for (const [code, rows] of drawings(GLYPHS_16, 16)) {
    put(code, height === 16 ? rows : height === 14 ? rows.slice(1, 15) : pressed(rows));
  }
  if (height === 8) { for (const [code, rows] of drawings(GLYPHS_8, 8)) put(code, rows); }
  for (const [code, letter, accent] of ACCENTED) put(code, accented(get(letter), { capital: letter < "a", accent }));
  for (const [code, letter] of CEDILLAS) put(code, withCedilla(get(letter)));
  for (const [index, lines] of BOXES_B3.split(" ").entries()) put(FIRST_BOX + index, box(lines, height));
  shades(put, height);
  return bytes;
}

/** Reads drawings. */
function* drawings(text: string, height: number): Generator<readonly [code: number, rows: Uint8Array]> {
  for (const line of text.trim().split("\n")) {
    const [key, top, ...values] = line.split(" ");
    const rows = new Uint8Array(height);
    rows.set(values.map((value) => parseInt(value, 16)), Number(top));
    yield [key.length === 1 ? key.charCodeAt(0) : parseInt(key, 16), rows];
  }
}

/** Two rows become one. */
function pressed(rows: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: rows.length / 2 }, (_, row) => rows[row * 2] | rows[row * 2 + 1]);
}

/** Puts an accent above a letter. A capital gives up rows that are as their neighbours. */
function accented(letter: Uint8Array, { capital, accent }: { capital: boolean; accent: string }): Uint8Array {
  const { rows, row } = ACCENTS[accent];
  const height = letter.length;
  const small = height === 8;
  const mark = small ? [row] : rows;
  const first = letter.findIndex((bits) => bits !== 0);
  const out = new Uint8Array(height);
  if (!capital) {
    // An i loses its dot.
    const start = letter[first + 1] === 0 || letter[first + 2] === 0 ? letter.indexOf(0, first) : first;
    const body = letter.findIndex((bits, at) => at >= start && bits !== 0);
    out.set(letter.subarray(body), body);
    out.set(mark, Math.max(body - 1 - mark.length, 0));
    return out;
  }
  const start = small ? 2 : 3;
  const body = [...letter.subarray(first)];
  for (let drop = small ? 1 : start - first; drop > 0; drop--) {
    const same = drop % 2 === 1
      ? body.findIndex((bits, at) => at > 0 && bits === body[at - 1] && bits !== 0)
      : body.findLastIndex((bits, at) => at > 0 && bits === body[at - 1] && bits !== 0);
    body.splice(same, 1);
  }
  out.set(body.slice(0, height - start), start);
  out.set(mark, 0);
  return out;
}

function withCedilla(letter: Uint8Array): Uint8Array {
  const below = letter.findLastIndex((bits) => bits !== 0) + 1;
  const out = letter.slice();
  out.set(CEDILLA.slice(0, letter.length - below), below);
  return out;
}

/** A rectangle of dots. */
interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where the lines of box drawing are: single ones of two dots and one row, double ones with a gap between. */
const SINGLE = { left: 3, right: 4 };
const DOUBLE = { left: 2, right: 6, gap: 4 };

/** Draws lines that meet: first all of their area, then the gaps of double lines, then single lines that go through. */
function box(lines: string, height: number): Uint8Array {
  const [left, right, up, down] = [...lines].map(Number);
  const rows = new Uint8Array(height);
  const middle = (height - 1) >> 1;
  const fill = (area: Area, on: boolean): void => {
    for (let row = Math.max(area.top, 0); row <= Math.min(area.bottom, height - 1); row++) {
      for (let column = area.left; column <= area.right; column++) {
        const bit = 0x80 >> column;
        rows[row] = on ? rows[row] | bit : rows[row] & ~bit;
      }
    }
  };
  const across = Math.max(left, right), along = Math.max(up, down);
  // How far the crossing lines reach from the middle.
  const top = across === 2 ? middle - 1 : middle, bottom = across === 2 ? middle + 1 : middle;
  const columns = along === 2 ? DOUBLE : SINGLE;
  const both = { across: left !== 0 && right !== 0, along: up !== 0 && down !== 0 };
  /** Where a single line ends that meets a double one that goes on: at its near side. */
  const meets = (line: number, other: number, goesOn: boolean): boolean => line === 1 && other === 2 && goesOn;

  const rowsOf = (line: number): { top: number; bottom: number } =>
    line === 2 ? { top: middle - 1, bottom: middle + 1 } : { top: middle, bottom: middle };
  const columnsOf = (line: number): { left: number; right: number } => line === 2 ? DOUBLE : SINGLE;
  if (left !== 0) {
    fill({ left: 0, right: meets(left, along, both.along) ? 3 : columns.right, ...rowsOf(left) }, true);
  }
  if (right !== 0) {
    fill({ left: meets(right, along, both.along) ? 5 : columns.left, right: 7, ...rowsOf(right) }, true);
  }
  if (up !== 0) {
    const { left, right } = columnsOf(up);
    fill({ left, right, top: 0, bottom: meets(up, across, both.across) ? top : bottom }, true);
  }
  if (down !== 0) {
    const { left, right } = columnsOf(down);
    fill({ left, right, top: meets(down, across, both.across) ? bottom : top, bottom: height - 1 }, true);
  }

  const gapLeft = along === 2 ? DOUBLE.gap : along === 1 ? SINGLE.left - 1 : 7;
  const gapRight = along === 2 ? DOUBLE.gap : along === 1 ? SINGLE.right + 1 : 0;
  const through = both.across && along === 1 && !both.along;
  if (left === 2) fill({ left: 0, right: through ? 7 : gapLeft, top: middle, bottom: middle }, false);
  if (right === 2) fill({ left: through ? 0 : gapRight, right: 7, top: middle, bottom: middle }, false);
  const throughUp = both.along && across === 1 && !both.across;
  const gapTop = across === 1 && !throughUp ? middle - 1 : across === 0 ? height - 1 : middle;
  const gapBottom = across === 1 && !throughUp ? middle + 1 : across === 0 ? 0 : middle;
  const gap = { left: DOUBLE.gap, right: DOUBLE.gap };
  if (up === 2) fill({ ...gap, top: 0, bottom: throughUp ? height - 1 : gapTop }, false);
  if (down === 2) fill({ ...gap, top: throughUp ? 0 : gapBottom, bottom: height - 1 }, false);
  return rows;
}

/** Shades and blocks. */
function shades(put: (code: number, rows: Uint8Array) => void, height: number): void {
  const each = (code: number, row: (y: number) => number): void =>
    put(code, Uint8Array.from({ length: height }, (_, y) => row(y)));
  const half = height >> 1;
  each(0xb0, (y) => (y & 1) !== 0 ? 0x88 : 0x22);
  each(0xb1, (y) => (y & 1) !== 0 ? 0xaa : 0x55);
  each(0xb2, (y) => (y & 1) !== 0 ? 0x77 : 0xdd);
  each(0xdb, () => 0xff);
  each(0xdc, (y) => y >= half ? 0xff : 0);
  each(0xdd, () => 0xf0);
  each(0xde, () => 0x0f);
  each(0xdf, (y) => y < half ? 0xff : 0);
}
