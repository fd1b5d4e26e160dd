/**
 * What a benchmark guest prints, and when it arrived: `NAME start` before its work, `NAME CHECKSUM` behind it.
 * @module
 */

/** Reads the output of one run. Times are in milliseconds, of whatever clock the caller has. */
export class GuestOutput {
  /** When the first byte arrived. */
  firstByteAt: number | undefined;
  /** When the line before the work was complete. */
  startedAt: number | undefined;
  /** When the line behind the work was complete. */
  endedAt: number | undefined;
  /** What came out: eight hexadecimal digits. */
  checksum: string | undefined;

  readonly #name: string;
  #line = "";

  /**
   * Makes a reader.
   * @param name What the guest calls itself.
   */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Takes what arrived.
   * @param bytes Any part of the output.
   * @param now When it arrived.
   */
  take(bytes: Uint8Array, now: number): void {
    if (bytes.length === 0) return;
    this.firstByteAt ??= now;
    for (const byte of bytes) {
      if (byte !== 0x0a) this.#line += String.fromCharCode(byte);
      else {
        this.#takeLine(this.#line.trimEnd(), now);
        this.#line = "";
      }
    }
  }

  #takeLine(line: string, now: number): void {
    const [name, word, ...more] = line.split(" ");
    if (name !== this.#name || more.length > 0 || this.endedAt !== undefined) return;
    if (this.startedAt === undefined) {
      if (word === "start") this.startedAt = now;
    } else if (/^[0-9a-f]{8}$/.test(word ?? "")) {
      this.checksum = word;
      this.endedAt = now;
    }
  }
}
