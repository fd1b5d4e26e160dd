/**
 * A screen in the terminal: text modes as text, pictures with half blocks, or with sixels where the terminal draws them.
 * @module
 */

import type { VgaFrame, VgaText } from "../devices/video/vga.ts";
import { TerminalPainter, type TerminalSize } from "./terminal_painter.ts";

/** Shows the terminal's second screen, cleared, and hides its cursor. */
export const ENTER_DISPLAY = "\x1b[?1049h\x1b[0m\x1b[2J\x1b[?25l";
/** Goes back to the first screen, with a cursor. */
export const LEAVE_DISPLAY = "\x1b[0m\x1b[?25h\x1b[?1049l";

/** From one picture to the next at least, in milliseconds: 30 a second. */
const PERIOD_MS = 33;

/** What is shown; `Vga` is one. */
export interface Screen {
  /** Another number whenever there may be something new. */
  readonly changes: number;
  /** The text; none: there is no text mode. */
  text(): VgaText | undefined;
  /** The picture. */
  frame(): VgaFrame;
}

/** What a display is made from. */
export interface TerminalDisplayOptions {
  /** What it shows. */
  readonly screen: Screen;
  /** Writes to the terminal. */
  readonly write: (text: string) => void;
  /** How large the terminal is now. */
  readonly size: () => TerminalSize;
  /** Whether the terminal knows 24-bit colours; else 256. */
  readonly trueColour: boolean;
}

/** The display. Between {@linkcode start} and {@linkcode stop} it draws by itself whenever the event loop gets its turn. */
export class TerminalDisplay implements Disposable {
  /** Whether pictures are drawn with sixels. */
  sixel = false;
  readonly #options: TerminalDisplayOptions;
  readonly #painter: TerminalPainter;
  #changes = -1;
  #size: TerminalSize = { columns: 0, rows: 0 };
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Makes a display that has not drawn yet.
   * @param options What it is made from.
   */
  constructor(options: TerminalDisplayOptions) {
    this.#options = options;
    this.#painter = new TerminalPainter({ trueColour: options.trueColour });
  }

  /** Draws 30 times a second at most, for as long as something else keeps the program running. */
  start(): void {
    if (this.#timer !== undefined) return;
    const timer = setInterval(() => this.draw(), PERIOD_MS);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  /** Draws no more by itself. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Draws all of it the next time, as after somebody else wrote to the terminal. */
  forget(): void {
    this.#painter.forget();
    this.#changes = -1;
  }

  /**
   * Draws what has changed since the last time.
   * @throws Error What the host said when the terminal could not be written.
   */
  draw(): void {
    const { screen } = this.#options;
    const size = this.#options.size(), changes = screen.changes;
    const same = size.columns === this.#size.columns && size.rows === this.#size.rows;
    if (same && changes === this.#changes) return;
    this.#size = size;
    this.#changes = changes;
    const text = screen.text();
    const out = text !== undefined
      ? this.#painter.text(text, size)
      : this.sixel
      ? this.#painter.sixels(screen.frame(), size)
      : this.#painter.frame(screen.frame(), size);
    if (out !== "") this.#options.write(out);
  }

  /** Stops. */
  [Symbol.dispose](): void {
    this.stop();
  }
}
