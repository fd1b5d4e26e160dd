/**
 * The registers of virtio version 1 in memory (Virtual I/O Device 1.2, 4.1.4.3 to 4.1.4.6): four areas one behind the other:
 * common configuration, interrupt status, configuration of the device, notification.
 *
 * A field of the common configuration is only written as a whole; addresses are two fields of 32 bits.
 * @module
 */

import type { BusDevice } from "../bus.ts";
import { MSIX_NONE } from "../pci/msix.ts";
import type { VirtioRegisters } from "./virtio_pci.ts";
import type { Virtqueue, VirtqueuePlace } from "./virtqueue.ts";

const FEATURE_SELECT = 0x00, FEATURE = 0x04, DRIVER_FEATURE_SELECT = 0x08, DRIVER_FEATURE = 0x0c, CONFIG_VECTOR = 0x10;
const STATUS = 0x14, QUEUE_SELECT = 0x16, QUEUE_SIZE = 0x18, QUEUE_VECTOR = 0x1a, QUEUE_ENABLE = 0x1c;
const QUEUE_ADDRESSES = 0x20, COMMON_LENGTH = 0x38;
/** The addresses in their order. */
const PARTS = ["descriptors", "driver", "device"] as const satisfies readonly (keyof VirtqueuePlace)[];
const FOUR_GIB = 2 ** 32;

/** The areas. */
const COMMON_AREA = 0, ISR_AREA = 1, DEVICE_AREA = 2, NOTIFY_AREA = 3;

/** The registers. */
export class VirtioModern implements BusDevice {
  /** Up to 32 bits. */
  readonly width = 4;
  readonly #host: VirtioRegisters;
  readonly #area: number;
  readonly #step: number;

  /**
   * Makes the registers.
   * @param host What they work on.
   * @param layout `area`: the size of an area. `step`: from one queue's notification to the next.
   */
  constructor(host: VirtioRegisters, layout: { readonly area: number; readonly step: number }) {
    this.#host = host;
    this.#area = layout.area;
    this.#step = layout.step;
  }

  /**
   * Reads.
   * @param offset Which byte.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    const at = offset % this.#area;
    switch (Math.floor(offset / this.#area)) {
      case COMMON_AREA: {
        const word = at < COMMON_LENGTH ? this.#word(at & ~3) : 0;
        const bits = word >>> 8 * (at & 3);
        return size === 4 ? bits : bits & (1 << 8 * size) - 1;
      }
      case ISR_AREA:
        return at === 0 ? this.#host.readIsr() : 0;
      case DEVICE_AREA: {
        let value = 0;
        for (let n = 0; n < size; n++) value |= this.#host.device.readConfig(at + n) << 8 * n;
        return value >>> 0;
      }
      default:
        return 0;
    }
  }

  /**
   * Writes.
   * @param offset Which byte.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    const at = offset % this.#area;
    switch (Math.floor(offset / this.#area)) {
      case COMMON_AREA:
        if (at >= QUEUE_ADDRESSES) this.#writeAddress(at, value, size);
        else this.#writeCommon(at, value, size);
        break;
      case DEVICE_AREA:
        for (let n = 0; n < size; n++) this.#host.device.writeConfig(at + n, value >>> 8 * n & 0xff);
        break;
      case NOTIFY_AREA:
        this.#host.notify(Math.floor(at / this.#step));
        break;
    }
  }

  get #queue(): Virtqueue | undefined {
    return this.#host.queues[this.#host.selected];
  }

  #word(at: number): number {
    const host = this.#host, queue = this.#queue;
    switch (at) {
      case FEATURE_SELECT:
        return host.featureWord;
      case FEATURE:
        return host.status.offered(host.featureWord);
      case DRIVER_FEATURE_SELECT:
        return host.driverFeatureWord;
      case DRIVER_FEATURE:
        return host.status.acceptedWord(host.driverFeatureWord);
      case CONFIG_VECTOR:
        return (host.configVector | host.queues.length << 16) >>> 0;
      case STATUS:
        return (host.status.value | host.generation << 8 | host.selected << 16) >>> 0;
      case QUEUE_SIZE:
        return ((queue?.size ?? 0) | (host.vectors[host.selected] ?? MSIX_NONE) << 16) >>> 0;
      case QUEUE_ENABLE:
        return queue === undefined ? 0 : ((queue.ready ? 1 : 0) | host.selected << 16) >>> 0;
    }
    const address = queue?.place[PARTS[at - QUEUE_ADDRESSES >> 3]] ?? 0;
    return (at & 4) === 0 ? address % FOUR_GIB : Math.floor(address / FOUR_GIB) % FOUR_GIB;
  }

  #writeCommon(at: number, value: number, size: number): void {
    const host = this.#host;
    switch (at * 8 + size) {
      case FEATURE_SELECT * 8 + 4:
        host.featureWord = value;
        break;
      case DRIVER_FEATURE_SELECT * 8 + 4:
        host.driverFeatureWord = value;
        break;
      case DRIVER_FEATURE * 8 + 4:
        host.status.accept(host.driverFeatureWord, value);
        break;
      case CONFIG_VECTOR * 8 + 2:
        host.configVector = host.vector(value);
        break;
      case STATUS * 8 + 1:
        host.writeStatus(value, false);
        break;
      case QUEUE_SELECT * 8 + 2:
        host.selected = value;
        break;
      case QUEUE_SIZE * 8 + 2:
        this.#queue?.resize(value);
        break;
      case QUEUE_VECTOR * 8 + 2:
        if (host.selected < host.vectors.length) host.vectors[host.selected] = host.vector(value);
        break;
      case QUEUE_ENABLE * 8 + 2:
        if (value === 1) this.#queue?.enable();
        break;
    }
  }

  #writeAddress(at: number, value: number, size: number): void {
    const queue = this.#queue;
    if (queue === undefined || size !== 4 || (at & 3) !== 0 || at >= COMMON_LENGTH) return;
    const part = PARTS[at - QUEUE_ADDRESSES >> 3], before = queue.place[part];
    const low = before % FOUR_GIB;
    const address = (at & 4) === 0 ? before - low + value : value * FOUR_GIB + low;
    queue.move({ [part]: address });
  }
}
