/**
 * Ctrl-A in what is typed: the way from the guest's keys to ours.
 *
 * | after Ctrl-A | |
 * | --- | --- |
 * | X | the program ends |
 * | C | the monitor |
 * | Ctrl-A | Ctrl-A for the guest |
 *
 * @module
 */

/** What was typed: bytes for the guest, or what the user wants from the program. */
export type TypedPart =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "quit" | "monitor" };

const PREFIX = 0x01;

/** Takes the prefix and what follows out of a stream of bytes. */
export class TerminalPrefix {
  #pending = false;

  /**
   * Takes bytes.
   * @param bytes What was typed.
   * @returns Its parts, in order. Other keys after Ctrl-A are dropped with it.
   */
  feed(bytes: Uint8Array): TypedPart[] {
    const parts: TypedPart[] = [];
    let plain: number[] = [];
    const flush = (): void => {
      if (plain.length > 0) parts.push({ kind: "bytes", bytes: Uint8Array.from(plain) });
      plain = [];
    };
    for (const byte of bytes) {
      if (!this.#pending) {
        this.#pending = byte === PREFIX;
        if (!this.#pending) plain.push(byte);
        continue;
      }
      this.#pending = false;
      const letter = String.fromCharCode(byte).toLowerCase();
      if (byte === PREFIX) {
        plain.push(byte);
      } else if (letter === "x" || letter === "c") {
        flush();
        parts.push({ kind: letter === "x" ? "quit" : "monitor" });
      }
    }
    flush();
    return parts;
  }
}
