/**
 * The 9P device (Virtual I/O Device 1.2, 5.11) over a {@linkcode NinepServer}: a folder of the host, which the guest finds by a tag.
 *
 * A request is done when its notification returns, but for those behind the first megabytes of a batch, which are done at the next
 * chance, so that no guest can keep the machine for itself.
 * @module
 */

import type { CancelTimer, Clock } from "../clock.ts";
import type { SavedReader, SavedState } from "../device.ts";
import type { HostFiles } from "../ninep/host_files.ts";
import { NinepServer } from "../ninep/ninep_server.ts";
import { MESSAGE_MOST, RLERROR_LENGTH } from "../ninep/protocol.ts";
import { VirtioDevice } from "./virtio_device.ts";

/** The longest tag, in bytes: what Linux accepts. */
export const TAG_MOST = 31;

const QUEUE_SIZE = 128;
const MOUNT_TAG = 0;
/** Before the tag, its length. */
const TAG = 2;
/** What a request counts besides its bytes, and how much is done before others get their turn. */
const REQUEST_WEIGHT = 0x8000, BATCH = 8 << 20;

/** What the device is made from. */
export interface Virtio9pOptions {
  /** The folder. */
  readonly files: HostFiles;
  /** What the guest finds it by: 1 to {@linkcode TAG_MOST} bytes. */
  readonly tag: string;
  /** Whether the guest can change nothing; it can unless told. */
  readonly readonly?: boolean;
  /** The time, by which long batches are cut. */
  readonly clock: Clock;
  /** Told of errors that should not be; the guest sees EIO. */
  readonly failed?: (error: unknown) => void;
}

/** The device. */
export class Virtio9p extends VirtioDevice {
  readonly #server: NinepServer;
  readonly #clock: Clock;
  readonly #request: Uint8Array = new Uint8Array(MESSAGE_MOST);
  #cancel: CancelTimer | undefined;

  /**
   * Makes a device.
   * @param options What it is made from.
   * @throws RangeError The tag is empty or too long.
   */
  constructor(options: Virtio9pOptions) {
    const { tag, clock } = options;
    const bytes = new TextEncoder().encode(tag);
    if (bytes.length === 0 || bytes.length > TAG_MOST) {
      throw new RangeError(`Cannot use the tag '${tag}': it has not 1 to ${TAG_MOST} bytes`);
    }
    super({
      name: "virtio 9p",
      type: 9,
      pciDevice: 0x1009,
      pciClass: 0x018000,
      features: [MOUNT_TAG],
      queues: [QUEUE_SIZE],
      configLength: TAG + bytes.length,
    });
    this.#clock = clock;
    this.#server = new NinepServer(options);
    this.config.setUint16(0, bytes.length, true);
    bytes.forEach((byte, n) => this.config.setUint8(TAG + n, byte));
  }

  /** The driver has requests. */
  notified(): void {
    if (this.#cancel !== undefined) return;
    const [queue] = this.host.queues;
    let done = 0;
    for (const chain of queue.chains()) {
      if (chain.writable < RLERROR_LENGTH) {
        queue.break();
        return;
      }
      const length = chain.read(0, this.#request);
      const answer = this.#server.serve(this.#request.subarray(0, length), chain.writable);
      queue.give(chain, chain.write(0, answer));
      done += length + answer.length + REQUEST_WEIGHT;
      if (done >= BATCH) {
        this.#later();
        return;
      }
    }
  }

  /** What is put off is forgotten, and so is what the guest has open. */
  override reset(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#server.reset();
  }

  /** What the guest has open. */
  override save(): SavedState {
    return this.#server.save();
  }

  /** Reads what {@linkcode save} gave. */
  override prepareRestore(reader: SavedReader): () => void {
    const restore = this.#server.prepareRestore(reader);
    return () => {
      restore();
      this.#later();
    };
  }

  #later(): void {
    this.#cancel?.();
    this.#cancel = this.#clock.schedule(this.#clock.now(), () => {
      this.#cancel = undefined;
      if (this.running) this.notified();
    });
  }
}
