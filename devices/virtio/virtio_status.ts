/**
 * The negotiation between a virtio device and its driver (Virtual I/O Device 1.2, 2.1 and 3.1): status, features, and what keeps
 * both from going on.
 * @module
 */

import type { SavedReader, SavedState } from "../device.ts";
import { VIRTIO_FEATURE } from "./virtio_device.ts";

/** Bits of the status. */
export const VIRTIO_STATUS = {
  ACKNOWLEDGE: 0x01,
  DRIVER: 0x02,
  DRIVER_OK: 0x04,
  FEATURES_OK: 0x08,
  NEEDS_RESET: 0x40,
  FAILED: 0x80,
} as const;

const WORDS = 2;
const VERSION_1_WORD = VIRTIO_FEATURE.VERSION_1 >> 5;

/** Status and features. */
export class VirtioStatus {
  /** What the device offers, in words of 32 bits. */
  readonly #offered: Uint32Array = new Uint32Array(WORDS);
  readonly #accepted: Uint32Array = new Uint32Array(WORDS);
  #status = 0;

  /**
   * Begins without a driver.
   * @param features What the device offers, by bit.
   */
  constructor(features: readonly number[]) {
    for (const feature of features) this.#offered[feature >> 5] |= 1 << (feature & 31);
  }

  /** The status as the driver reads it. */
  get value(): number {
    return this.#status;
  }

  /** Whether the driver follows version 1 of the specification; one that is older uses a device before it says that it is ready. */
  get modern(): boolean {
    return this.accepted(VIRTIO_FEATURE.VERSION_1);
  }

  /** Whether the device may be used. */
  get running(): boolean {
    const { DRIVER_OK, NEEDS_RESET } = VIRTIO_STATUS;
    return (this.#status & NEEDS_RESET) === 0 && (!this.modern || (this.#status & DRIVER_OK) !== 0);
  }

  /**
   * Whether the driver has accepted a feature.
   * @param feature Its bit.
   */
  accepted(feature: number): boolean {
    return (this.#accepted[feature >> 5] >>> (feature & 31) & 1) !== 0;
  }

  /**
   * What the device offers.
   * @param word Which 32 bits; there are none above the second.
   * @param legacy Whether the driver is of the time before version 1.
   */
  offered(word: number, legacy = false): number {
    return legacy && word > 0 ? 0 : this.#offered[word] ?? 0;
  }

  /**
   * What the driver has accepted.
   * @param word Which 32 bits.
   */
  acceptedWord(word: number): number {
    return this.#accepted[word] ?? 0;
  }

  /**
   * The driver accepts features, as long as they are not settled.
   * @param word Which 32 bits.
   * @param bits They.
   */
  accept(word: number, bits: number): void {
    if (word < WORDS && (this.#status & VIRTIO_STATUS.FEATURES_OK) === 0) {
      this.#accepted[word] = bits & this.#offered[word];
    }
  }

  /**
   * The driver writes the status; 0 has to be looked at before, for it is a reset.
   * @param value What it writes.
   * @param legacy Whether that is by the interface of the time before version 1.
   */
  write(value: number, legacy: boolean): void {
    const { FEATURES_OK, NEEDS_RESET } = VIRTIO_STATUS;
    const kept = this.#status & NEEDS_RESET;
    // Features without version 1 are for the old interface.
    const refused = !legacy && (this.#accepted[VERSION_1_WORD] & 1) === 0 ? FEATURES_OK : 0;
    this.#status = value & ~refused & ~NEEDS_RESET & 0xff | kept;
  }

  /** The device cannot go on. */
  needsReset(): void {
    this.#status |= VIRTIO_STATUS.NEEDS_RESET;
  }

  /** Without a driver. */
  reset(): void {
    this.#status = 0;
    this.#accepted.fill(0);
  }

  /** All that is remembered. */
  save(): SavedState {
    return { status: this.#status, accepted: this.#accepted[0], acceptedHigh: this.#accepted[1] };
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(reader: SavedReader): () => void {
    const status = reader.integer("status", { max: 0xff });
    const accepted = [
      reader.integer("accepted", { max: 0xffffffff }),
      reader.integer("acceptedHigh", { max: 0xffffffff }),
    ];
    return () => {
      this.#status = status;
      accepted.forEach((bits, word) => this.#accepted[word] = bits & this.#offered[word]);
    };
  }
}
