/**
 * A gate in an interrupt line: while it is closed, the line is low, whatever drives it.
 * @module
 */

/** A gate, open at first. */
export class LineGate {
  readonly #line: (level: boolean) => void;
  #input = false;
  #open = true;

  /**
   * Puts a gate before a line.
   * @param line The line.
   */
  constructor(line: (level: boolean) => void) {
    this.#line = line;
  }

  /** Whether the gate is open. */
  get open(): boolean {
    return this.#open;
  }

  set open(open: boolean) {
    if (open === this.#open) return;
    this.#open = open;
    if (this.#input) this.#line(open);
  }

  /**
   * Drives the gate's input.
   * @param level Its level.
   */
  drive(level: boolean): void {
    this.#input = level;
    if (this.#open) this.#line(level);
  }
}
