/**
 * A serial line to the terminal or pipe that the program runs in.
 *
 * The terminal stays in its ordinary line mode: a line reaches the guest when Enter is pressed, ended by a line feed, and Ctrl-C
 * ends the program.
 * @module
 */

import { BufferedOutput, type HostEnd, type SyncWriter } from "./host_end.ts";

/** The two streams of a {@linkcode StdioEnd}. */
export interface StdioStreams {
  /** Where output goes. */
  readonly output: SyncWriter;
  /** Opens where input comes from; called when the guest first asks for input. */
  readonly input: () => ReadableStream<Uint8Array>;
}

/**
 * Writes output line by line, and reads input in the background. Input arrives only while the event loop gets its turn, and a
 * read that never ends does not keep the process alive if the program ends with `Deno.exit`.
 */
export class StdioEnd implements HostEnd {
  readonly #streams: StdioStreams;
  readonly #output: BufferedOutput;
  readonly #chunks: Uint8Array[] = [];
  #offset = 0;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #exhausted = false;
  #listener: () => void = () => {};

  /**
   * Makes the end.
   * @param streams Standard output and input, or what stands for them.
   */
  constructor(streams: StdioStreams) {
    this.#streams = streams;
    this.#output = new BufferedOutput(streams.output, { byLine: true });
  }

  /** Takes a byte. */
  send(byte: number): void {
    this.#output.put(byte);
  }

  /** Gives the next byte, or -1 while there is none. */
  receive(): number {
    if (this.#reader === undefined) {
      this.#reader = this.#streams.input().getReader();
      this.#pump(this.#reader);
    }
    const chunk = this.#chunks[0];
    if (chunk === undefined) return -1;
    const byte = chunk[this.#offset++];
    if (this.#offset === chunk.length) {
      this.#chunks.shift();
      this.#offset = 0;
    }
    return byte;
  }

  /** Whether the stream was read to its end and all of it was received. */
  get ended(): boolean {
    return this.#exhausted && this.#chunks.length === 0;
  }

  /**
   * Asks to be told when bytes have come or the stream has ended.
   * @param listener Called from the event loop.
   */
  onInput(listener: () => void): void {
    this.#listener = listener;
  }

  /** Writes what was collected. */
  flush(): void {
    this.#output.flush();
  }

  /** Stops reading. */
  [Symbol.dispose](): void {
    this.#reader?.cancel().catch(() => {}); // a stream that already failed has nothing left to cancel
  }

  async #pump(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        if (value.length === 0) continue;
        this.#chunks.push(value);
        this.#listener();
      }
    } catch {
      // unreadable input is the same to the guest as a line on which nothing comes
    }
    this.#exhausted = true;
    this.#listener();
  }
}
