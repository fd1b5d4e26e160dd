/**
 * A serial line to nowhere.
 * @module
 */

import type { HostEnd } from "./host_end.ts";

/** Loses all output and has no input. */
export class NullEnd implements HostEnd {
  /** Loses a byte. */
  send(_byte: number): void {}

  /** There is never a byte. */
  receive(): number {
    return -1;
  }

  /** Nothing to do. */
  flush(): void {}

  /** Nothing to do. */
  [Symbol.dispose](): void {}
}
