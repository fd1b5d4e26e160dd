/**
 * The host's end of a serial line.
 * @module
 */

/** Where a guest's serial output goes and its input comes from. */
export interface HostEnd extends Disposable {
  /**
   * Takes a byte from the guest.
   * @param byte 0..255.
   * @throws Error What the host said when the output could not be written.
   */
  send(byte: number): void;
  /** Gives the next byte for the guest, 0..255, or -1 while there is none. */
  receive(): number;
  /** Whether no byte will come any more, as far as that is known. Left out: there is never a byte. */
  readonly ended?: boolean;
  /**
   * Asks to be told when bytes have come or the input has ended, so that nobody has to look again and again.
   * @param listener Called from the event loop; it takes the place of an earlier one.
   */
  onInput?(listener: () => void): void;
  /**
   * Makes everything sent so far visible.
   * @throws Error What the host said when the output could not be written.
   */
  flush(): void;
}

/** How {@linkcode BufferedOutput} writes: as `Deno.FsFile` and `Deno.stdout` do. */
export interface SyncWriter {
  /** Writes some of the bytes and tells how many. */
  writeSync(bytes: Uint8Array): number;
}

const CAPACITY = 4096;
const NEWLINE = 0x0a;

/** Collects bytes into few writes. A full buffer is written at once, and each line where that is asked for. */
export class BufferedOutput {
  readonly #writer: SyncWriter;
  readonly #byLine: boolean;
  readonly #buffer: Uint8Array = new Uint8Array(CAPACITY);
  #length = 0;

  /**
   * Makes an empty buffer.
   * @param writer Where the bytes go.
   * @param options `byLine`: whether the end of a line is written at once.
   */
  constructor(writer: SyncWriter, options: { readonly byLine: boolean }) {
    this.#writer = writer;
    this.#byLine = options.byLine;
  }

  /** Adds a byte. */
  put(byte: number): void {
    this.#buffer[this.#length++] = byte;
    if (this.#length === CAPACITY || (this.#byLine && byte === NEWLINE)) this.flush();
  }

  /** Writes what is there. A writer that would block is waited for. */
  flush(): void {
    const length = this.#length;
    this.#length = 0;
    for (let done = 0; done < length;) {
      try {
        done += this.#writer.writeSync(this.#buffer.subarray(done, length));
      } catch (error) {
        if (!(error instanceof Deno.errors.WouldBlock)) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  }
}
