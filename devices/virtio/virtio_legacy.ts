/**
 * The registers of virtio before version 1, in ports (Virtual I/O Device 1.2, 4.1.4.10).
 *
 * | offset | |
 * | --- | --- |
 * | 0, 4 | features of the device, of the driver; 32 bits |
 * | 8 | the queue's page |
 * | 12, 14, 16 | the queue's size, its number, notification; 16 bits |
 * | 18, 19 | status, interrupt status; 8 bits |
 * | 20, 22 | with MSI-X only: messages for the configuration and for the queue |
 * | then | configuration of the device |
 *
 * @module
 */

import type { BusDevice } from "../bus.ts";
import { MSIX_NONE } from "../pci/msix.ts";
import type { VirtioDevice } from "./virtio_device.ts";
import type { VirtioRegisters } from "./virtio_pci.ts";

const DEVICE_FEATURES = 0,
  DRIVER_FEATURES = 4,
  QUEUE_PAGE = 8,
  QUEUE_SIZE = 12,
  QUEUE_SELECT = 14,
  NOTIFY = 16,
  STATUS = 18;
const ISR = 19, CONFIG_VECTOR = 20, QUEUE_VECTOR = 22;
const CONFIG = 20, CONFIG_WITH_VECTORS = 24;
const LEAST_PORTS = 32;
const PAGE = 4096;
const DESCRIPTOR = 16;

/**
 * How many ports a device takes.
 * @param device The device.
 * @returns A power of two.
 */
export function virtioLegacyLength(device: VirtioDevice): number {
  return Math.max(LEAST_PORTS, 2 ** Math.ceil(Math.log2(CONFIG_WITH_VECTORS + device.identity.configLength)));
}

/** The registers. */
export class VirtioLegacy implements BusDevice {
  /** Up to 32 bits. */
  readonly width = 4;
  readonly #host: VirtioRegisters;

  /**
   * Makes the registers.
   * @param host What they work on.
   */
  constructor(host: VirtioRegisters) {
    this.#host = host;
  }

  /**
   * Reads a port.
   * @param offset Which.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    const config = this.#config;
    if (offset < config) return size === 4 ? this.#register(offset) : this.#register(offset) & (1 << 8 * size) - 1;
    let value = 0;
    for (let n = 0; n < size; n++) value |= this.#host.device.readConfig(offset - config + n) << 8 * n;
    return value >>> 0;
  }

  #register(offset: number): number {
    const host = this.#host;
    const queue = host.queues[host.selected];
    switch (offset) {
      case DEVICE_FEATURES:
        return host.status.offered(0, true);
      case DRIVER_FEATURES:
        return host.status.acceptedWord(0);
      case QUEUE_PAGE:
        return queue?.ready ? Math.floor(queue.place.descriptors / PAGE) >>> 0 : 0;
      case QUEUE_SIZE:
        return queue?.size ?? 0;
      case QUEUE_SELECT:
        return host.selected;
      case STATUS:
        return host.status.value;
      case ISR:
        return host.readIsr();
      case CONFIG_VECTOR:
        return host.configVector;
      case QUEUE_VECTOR:
        return host.vectors[host.selected] ?? MSIX_NONE;
      default:
        return 0;
    }
  }

  /**
   * Writes a port.
   * @param offset Which.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  write(offset: number, value: number, size: number): void {
    const host = this.#host;
    const config = this.#config;
    if (offset >= config) {
      for (let n = 0; n < size; n++) host.device.writeConfig(offset - config + n, value >>> 8 * n & 0xff);
      return;
    }
    switch (offset) {
      case DRIVER_FEATURES:
        if (size === 4) host.status.accept(0, value);
        break;
      case QUEUE_PAGE:
        if (size === 4) this.#place(value);
        break;
      case QUEUE_SELECT:
        if (size === 2) host.selected = value;
        break;
      case NOTIFY:
        if (size === 2) host.notify(value);
        break;
      case STATUS:
        host.writeStatus(value & 0xff, true);
        break;
      case CONFIG_VECTOR:
        if (size === 2) host.configVector = host.vector(value);
        break;
      case QUEUE_VECTOR:
        if (size === 2 && host.selected < host.vectors.length) host.vectors[host.selected] = host.vector(value);
        break;
    }
  }

  get #config(): number {
    return this.#host.messages ? CONFIG_WITH_VECTORS : CONFIG;
  }

  /** The parts of a queue are one behind the other, the ring of the device on a page of its own. */
  #place(page: number): void {
    const queue = this.#host.queues[this.#host.selected];
    if (queue === undefined) return;
    queue.reset();
    if (page === 0) return;
    const descriptors = page * PAGE, driver = descriptors + DESCRIPTOR * queue.size;
    const end = driver + 4 + 2 * queue.size + 2;
    queue.move({ descriptors, driver, device: Math.ceil(end / PAGE) * PAGE });
    queue.enable();
  }
}
