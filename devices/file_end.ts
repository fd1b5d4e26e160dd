/**
 * A serial line into a file.
 * @module
 */

import { BufferedOutput, type HostEnd } from "./host_end.ts";

/** Writes all output into a file, emptied at the start, and has no input. Needs write permission for the path. */
export class FileEnd implements HostEnd {
  readonly #file: Deno.FsFile;
  readonly #output: BufferedOutput;

  /**
   * Opens the file.
   * @param path Its path.
   * @throws Error What the host said: not permitted, no such folder, a folder, and so on.
   */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
    this.#output = new BufferedOutput(this.#file, { byLine: false });
  }

  /** Takes a byte. */
  send(byte: number): void {
    this.#output.put(byte);
  }

  /** There is never a byte. */
  receive(): number {
    return -1;
  }

  /** Writes what was collected. */
  flush(): void {
    this.#output.flush();
  }

  /** Closes the file without a last {@linkcode flush}. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}
