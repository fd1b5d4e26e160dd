/**
 * The entropy device (Virtual I/O Device 1.2, 5.4): it fills what the driver offers with random bytes.
 * @module
 */

import { VirtioDevice } from "./virtio_device.ts";

const QUEUE_SIZE = 64;
/** The most bytes for one chain: the driver asks again for more. */
const MOST = 4096;

/** What the device is made from. */
export interface VirtioEntropyOptions {
  /** Fills bytes with random ones; one with a seed makes runs repeatable. */
  readonly fill: (bytes: Uint8Array<ArrayBuffer>) => void;
}

/** The device. */
export class VirtioEntropy extends VirtioDevice {
  readonly #fill: VirtioEntropyOptions["fill"];

  /**
   * Makes a device.
   * @param options What it is made from.
   */
  constructor(options: VirtioEntropyOptions) {
    super({
      name: "virtio entropy",
      type: 4,
      pciDevice: 0x1005,
      pciClass: 0xff0000,
      features: [],
      queues: [QUEUE_SIZE],
      configLength: 0,
    });
    this.#fill = options.fill;
  }

  /** The driver wants bytes. */
  notified(): void {
    const [queue] = this.host.queues;
    for (const chain of queue.chains()) {
      const bytes = new Uint8Array(Math.min(chain.writable, MOST));
      this.#fill(bytes);
      queue.give(chain, chain.write(0, bytes));
    }
  }
}
