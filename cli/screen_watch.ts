/**
 * What is on the guest's screen: waited for, and kept.
 * @module
 */

import { encodePng } from "../devices/video/png.ts";
import type { Vga } from "../devices/video/vga.ts";
import { CliError, EXIT, lineOf } from "./errors.ts";
import { needPermission } from "./host.ts";
import type { ScreenOptions } from "./screen_options.ts";

/** How often the screen is looked at, in milliseconds. */
const LOOK_MS = 50;
/** So many of the last characters of the serial line are searched. */
const SERIAL_KEPT = 0x10000;

/** Looks at a machine's screen and serial line while it runs. */
export class ScreenWatch {
  readonly #options: ScreenOptions;
  readonly #vga: Vga | undefined;
  readonly #found: () => void;
  #serial = "";
  #looked = 0;

  /**
   * Begins to look.
   * @param options What for, and where the screen goes in the end.
   * @param vga The screen; a machine may have none.
   * @param found Called once the text is there.
   * @throws CliError A file must not be written.
   */
  constructor(options: ScreenOptions, vga: Vga | undefined, found: () => void) {
    this.#options = options;
    this.#vga = vga;
    this.#found = found;
    for (const path of [options.screenshot, options.screenText]) {
      if (path !== undefined) needPermission("the screen", "write", path);
    }
  }

  /** Takes what the guest has sent by COM1. */
  sent(byte: number): void {
    if (this.#options.untilText === undefined) return;
    this.#serial += String.fromCharCode(byte);
    if (this.#serial.length > 2 * SERIAL_KEPT) this.#serial = this.#serial.slice(-SERIAL_KEPT);
  }

  /** Looks, unless it has just done so; to be called often. */
  look(): void {
    const { untilText } = this.#options, now = performance.now();
    if (untilText === undefined || now - this.#looked < LOOK_MS) return;
    this.#looked = now;
    if (untilText.test(this.#serial) || untilText.test(this.#lines())) this.#found();
  }

  #lines(): string {
    return this.#vga?.lines().join("\n") ?? "";
  }

  /**
   * Writes the screen to the files that were asked for.
   * @throws CliError It cannot be written, or there is none.
   */
  async keep(): Promise<void> {
    const { screenshot, screenText } = this.#options;
    const write = (path: string, bytes: Uint8Array): void => {
      try {
        Deno.writeFileSync(path, bytes);
      } catch (error) {
        throw new CliError(EXIT.IO, `Cannot write the screen '${path}': ${lineOf(error)}`);
      }
    };
    if (screenText !== undefined) write(screenText, new TextEncoder().encode(`${this.#lines().trimEnd()}\n`));
    if (screenshot === undefined) return;
    if (this.#vga === undefined) throw new CliError(EXIT.IO, "Cannot write the screenshot: the machine has no screen");
    write(screenshot, await encodePng(this.#vga.frame()));
  }
}
