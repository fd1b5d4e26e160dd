/**
 * What a drive reads from and writes to: a row of bytes that stays when the machine is gone.
 * @module
 */

/** The contents of a drive. All calls are done when they return. */
export interface Disk extends Disposable {
  /** How many bytes there are. */
  readonly size: number;
  /** Whether it cannot be written. */
  readonly readonly: boolean;
  /**
   * Reads.
   * @param offset The first byte; offset and length stay within {@linkcode size}.
   * @param into Filled whole.
   * @throws Error The host cannot read it.
   */
  read(offset: number, into: Uint8Array): void;
  /**
   * Writes; what was written is read back at once, and is safe from a loss of power after {@linkcode flush}.
   * @param offset The first byte; offset and length stay within {@linkcode size}.
   * @param bytes What is written.
   * @throws Error The host cannot write it, or it is read-only.
   */
  write(offset: number, bytes: Uint8Array): void;
  /**
   * Returns once all that was written is on the host's storage.
   * @throws Error The host cannot do that.
   */
  flush(): void;
}
