/**
 * What a virtio device is apart from how the guest reaches it: its number, features, queues and configuration. A transport
 * (`virtio_pci.ts`) does all the rest.
 *
 * A device extends {@linkcode VirtioDevice}: it says what it is, and in {@linkcode VirtioDevice.notified} takes chains from its
 * queues and gives them back.
 * @module
 */

import type { SavedReader, SavedState } from "../device.ts";
import type { Virtqueue } from "./virtqueue.ts";

/** Features of all devices, by bit. */
export const VIRTIO_FEATURE = {
  NOTIFY_ON_EMPTY: 24,
  ANY_LAYOUT: 27,
  INDIRECT: 28,
  EVENT_INDEX: 29,
  VERSION_1: 32,
} as const;

/** What a device says it is. */
export interface VirtioIdentity {
  /** What it is called, also where states are kept. */
  readonly name: string;
  /** Its number (Virtual I/O Device 1.2, chapter 5): 1 network, 2 block, 3 console, 4 entropy, 9 file system. */
  readonly type: number;
  /** Its PCI number as a transitional device, from 0x1000 on. */
  readonly pciDevice: number;
  /** Its PCI class, 24 bits. */
  readonly pciClass: number;
  /** Its own features, by bit. */
  readonly features: readonly number[];
  /** For each queue the largest size, a power of two. */
  readonly queues: readonly number[];
  /** How many bytes of configuration it has. */
  readonly configLength: number;
}

/** What a transport gives to its device. */
export interface VirtioHost {
  /** The queues. */
  readonly queues: readonly Virtqueue[];
  /**
   * Whether the driver has accepted a feature.
   * @param feature Its bit.
   */
  accepted(feature: number): boolean;
  /** Whether the driver has said that it is ready (DRIVER_OK), and may be served. */
  readonly running: boolean;
  /** Tells the driver that the configuration is another one. */
  configChanged(): void;
  /** The driver breaks the rules: the device works no more until it is reset. */
  broken(): void;
}

/** A device. */
export abstract class VirtioDevice {
  /** What it says it is. */
  readonly identity: VirtioIdentity;
  /** Its configuration, as the driver reads it. */
  protected readonly config: DataView;
  #host: VirtioHost | undefined;

  /**
   * Makes a device.
   * @param identity What it says it is.
   */
  constructor(identity: VirtioIdentity) {
    this.identity = identity;
    this.config = new DataView(new ArrayBuffer(identity.configLength));
  }

  /** The transport. */
  protected get host(): VirtioHost {
    if (this.#host === undefined) throw new Error(`Cannot use ${this.identity.name}: it has no transport`);
    return this.#host;
  }

  /** Whether the driver is ready to be served. */
  protected get running(): boolean {
    return this.#host?.running ?? false;
  }

  /**
   * Gives the device its transport.
   * @param host The transport.
   */
  connect(host: VirtioHost): void {
    this.#host = host;
  }

  /**
   * Reads a byte of the configuration.
   * @param offset Which.
   * @returns The byte; 0 behind the end.
   */
  readConfig(offset: number): number {
    return offset < this.config.byteLength ? this.config.getUint8(offset) : 0;
  }

  /**
   * The driver writes a byte of the configuration; without effect unless the device overrides it.
   * @param _offset Which.
   * @param _value The byte.
   */
  writeConfig(_offset: number, _value: number): void {}

  /**
   * The driver offers buffers, or has become ready.
   * @param queue The number of the queue.
   */
  abstract notified(queue: number): void;

  /** The driver starts anew. */
  reset(): void {}

  /** What the device remembers itself. */
  save(): SavedState {
    return {};
  }

  /**
   * Reads what {@linkcode save} gave.
   * @param _reader Of it.
   * @returns Puts it in place.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(_reader: SavedReader): () => void {
    return () => {};
  }
}
