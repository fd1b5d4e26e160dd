/**
 * Between a drive and the one who moves its data to and from memory (DMA).
 * @module
 */

/** A drive in the middle of a transfer by DMA. */
export interface IdeDmaDrive {
  /** Which way data waits to go, seen from the guest; undefined: the drive wants nothing moved. */
  readonly dma: "in" | "out" | undefined;
  /** The next bytes to be taken, or the room for them; at least one byte while there is something to move. */
  readonly window: Uint8Array;
  /**
   * Tells that bytes of the window were taken or filled.
   * @param count How many, from its start.
   */
  advance(count: number): void;
}

/** Who moves the data of a channel. */
export interface IdeDma {
  /**
   * Tells where the data comes from.
   * @param drive Gives the selected drive, if it is there.
   */
  connect(drive: () => IdeDmaDrive | undefined): void;
  /** The selected drive has something to move (DMARQ). */
  request(): void;
  /**
   * The interrupt wire of the channel has changed.
   * @param level Its level.
   */
  interrupt(level: boolean): void;
}
