import { assertEquals } from "@std/assert";
import type { VgaFrame, VgaText } from "../devices/video/vga.ts";
import { encodeSixels, TerminalPainter } from "./terminal_painter.ts";

function screen(lines: readonly string[], attribute = 0x07): VgaText {
  const columns = lines[0].length;
  const cells = Uint16Array.from([...lines.join("")], (character) => character.charCodeAt(0) | attribute << 8);
  return { columns, rows: lines.length, cells, blinks: true, cursor: { row: 1, column: 0, top: 13, bottom: 14 } };
}

function frame(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): VgaFrame {
  const rgba = new Uint8Array(width * height * 4);
  for (let at = 0; at < width * height; at++) rgba.set([...colour(at % width, Math.floor(at / width)), 255], at * 4);
  return { width, height, rgba };
}

const LARGE = { columns: 100, rows: 40 };

Deno.test("TerminalPainter.text() draws all of a screen and then what changes", () => {
  const painter = new TerminalPainter({ trueColour: true });
  const all = painter.text(screen(["ab", "\xc4\x01"]), LARGE);
  assertEquals(all, "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0;37;40mab\x1b[2;1H─☺\x1b[0m\x1b[2;1H\x1b[?25h");
  assertEquals(painter.text(screen(["ab", "\xc4\x01"]), LARGE), "\x1b[2;1H\x1b[?25h");
  assertEquals(painter.text(screen(["aX", "\xc4\x01"]), LARGE), "\x1b[1;2H\x1b[0;37;40mX\x1b[0m\x1b[2;1H\x1b[?25h");
  painter.forget();
  assertEquals(painter.text(screen(["ab", "\xc4\x01"]), LARGE), all);
  assertEquals(painter.text(screen(["ab", "\xc4\x01"]), { columns: 90, rows: 40 }), all, "another size");
});

Deno.test("TerminalPainter.text() has the colours of a PC", () => {
  const style = (attribute: number, blinks = true): string | undefined => {
    const text = { ...screen(["a"], attribute), blinks, cursor: undefined };
    // deno-lint-ignore no-control-regex
    return /\x1b\[(0;[\d;]+)m/.exec(new TerminalPainter({ trueColour: true }).text(text, LARGE))?.[1];
  };
  assertEquals([style(0x1e), style(0x4f), style(0x8c), style(0x8c, false)], [
    "0;93;44",
    "0;97;41",
    "0;91;40;5",
    "0;91;100",
  ]);
});

Deno.test("TerminalPainter.text() shows the part around the cursor in a small terminal", () => {
  const lines = ["one ", "two ", "tree", "four"];
  const text = { ...screen(lines), cursor: { row: 2, column: 3, top: 0, bottom: 1 } };
  const out = new TerminalPainter({ trueColour: true }).text(text, { columns: 3, rows: 2 });
  assertEquals(out, "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0;37;40mwo \x1b[2;1Hree\x1b[0m\x1b[2;3H\x1b[?25h");
});

Deno.test("TerminalPainter.frame() draws two pixels in each character", () => {
  const picture = frame(8, 6, (x, y) => y < 3 ? [255, 0, 0] : [0, x < 4 ? 0 : 255, 255]);
  const out = new TerminalPainter({ trueColour: true }).frame(picture, { columns: 4, rows: 10 });
  assertEquals(
    out,
    "\x1b[0m\x1b[2J\x1b[1;1H\x1b[38;2;255;0;0;48;2;255;0;0m▀▀▀▀\x1b[2;1H" +
      "\x1b[38;2;0;0;255;48;2;0;0;255m▀▀\x1b[38;2;0;255;255;48;2;0;255;255m▀▀\x1b[0m\x1b[?25l",
  );
  const few = new TerminalPainter({ trueColour: false }).frame(picture, { columns: 4, rows: 10 });
  assertEquals(few.includes("\x1b[38;5;196;48;5;196m"), true);
});

Deno.test("encodeSixels() draws bands of six lines", () => {
  const picture = frame(6, 7, (x, y) => y === 6 || x < 5 ? [255, 255, 255] : [0, 0, 0]);
  assertEquals(encodeSixels(picture), '\x1bPq"1;1;6;7#0;2;0;0;0#215;2;100;100;100#215!5~$#0!5?~-#215!6@-\x1b\\');
});
