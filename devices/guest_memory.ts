/**
 * The guest's memory as devices that read and write it by themselves (DMA) see it.
 * @module
 */

/** Guest-physical memory. */
export interface GuestMemory {
  /**
   * Reads memory; what is not there reads as all ones.
   * @param address The guest-physical address of the first byte.
   * @param into Filled whole.
   */
  read(address: number, into: Uint8Array): void;
  /**
   * Writes memory; what is not there loses what is written.
   * @param address The guest-physical address of the first byte.
   * @param bytes What is written.
   */
  write(address: number, bytes: Uint8Array): void;
}
