/**
 * A serial line whose other end is a program: what the guest sends is kept, and what it is to receive is put in.
 * @module
 */

import type { HostEnd } from "./host_end.ts";

/**
 * The line.
 *
 * @example
 * ```ts
 * import { BufferEnd } from "./buffer_end.ts";
 *
 * const line = new BufferEnd();
 * line.write("ls\n");
 * String.fromCharCode(line.receive()); // "l"
 * ```
 */
export class BufferEnd implements HostEnd {
  /** Nobody knows what the program will still put in. */
  readonly ended = false;
  readonly #decoder = new TextDecoder();
  #sent: number[] = [];
  #input: Uint8Array = new Uint8Array(0);
  #received = 0;
  #text = "";
  #inputListener: () => void = () => {};
  #outputListener: () => void = () => {};

  /** All that the guest has sent, as UTF-8. */
  get text(): string {
    if (this.#sent.length > 0) {
      this.#text += this.#decoder.decode(Uint8Array.from(this.#sent), { stream: true });
      this.#sent = [];
    }
    return this.#text;
  }

  /**
   * Puts in what the guest is to receive.
   * @param data Bytes, or a text, as UTF-8.
   */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const left = this.#input.subarray(this.#received);
    const all = new Uint8Array(left.length + bytes.length);
    all.set(left);
    all.set(bytes, left.length);
    this.#input = all;
    this.#received = 0;
    this.#inputListener();
  }

  /** Takes a byte from the guest. */
  send(byte: number): void {
    this.#sent.push(byte);
  }

  /** Gives the guest its next byte, or -1. */
  receive(): number {
    return this.#received < this.#input.length ? this.#input[this.#received++] : -1;
  }

  /**
   * Asks to be told when something was put in.
   * @param listener Called by {@linkcode write}.
   */
  onInput(listener: () => void): void {
    this.#inputListener = listener;
  }

  /**
   * Asks to be told that the guest may have sent something.
   * @param listener Called by {@linkcode flush}.
   */
  onOutput(listener: () => void): void {
    this.#outputListener = listener;
  }

  /** Tells whoever listens. */
  flush(): void {
    if (this.#sent.length > 0) this.#outputListener();
  }

  /** Nothing to do. */
  [Symbol.dispose](): void {}
}
