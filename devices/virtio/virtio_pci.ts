/**
 * Virtio over PCI (Virtual I/O Device 1.2, 4.1), transitional: the registers of version 1 in memory, found by capabilities, and those
 * of the time before (4.1.4.10) in ports.
 *
 * | BAR | |
 * | --- | --- |
 * | 0 | ports: the old registers (`virtio_legacy.ts`) |
 * | 1 | MSI-X: a message for each queue, and one for the configuration |
 * | 4 | memory, 16 KiB: common configuration, 0x1000 interrupt status, 0x2000 configuration of the device, 0x3000 notification |
 *
 * @module
 */

import type { BusDevice } from "../bus.ts";
import type { SavedReader, SavedState } from "../device.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { Msix, MSIX_NONE } from "../pci/msix.ts";
import { PciFunction } from "../pci/pci_function.ts";
import { PCI_CAPABILITY } from "../pci/pci_registers.ts";
import { VIRTIO_FEATURE, type VirtioDevice, type VirtioHost } from "./virtio_device.ts";
import { VirtioLegacy, virtioLegacyLength } from "./virtio_legacy.ts";
import { VirtioModern } from "./virtio_modern.ts";
import { VIRTIO_STATUS, VirtioStatus } from "./virtio_status.ts";
import { Virtqueue } from "./virtqueue.ts";

const VENDOR = 0x1af4;
const LEGACY_BAR = 0, MSIX_BAR = 1, MODERN_BAR = 4;
const MODERN_SIZE = 0x4000;
/** What a capability tells about: its type, and where it is in the window. */
const AREA = { COMMON: 1, NOTIFY: 2, ISR: 3, DEVICE: 4, ACCESS: 5 } as const;
const AREA_SIZE = 0x1000;
const CAPABILITY_LENGTH = 16, NOTIFY_LENGTH = 20, ACCESS_LENGTH = 20;
const CAP_LENGTH = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_SIZE = 12, CAP_MORE = 16;
/** Notification of queue n is at 4 n. */
const NOTIFY_STEP = 4;

const ISR_QUEUE = 1, ISR_CONFIG = 2;

/** What both kinds of registers work on. */
export interface VirtioRegisters extends VirtioHost {
  /** Status and features. */
  readonly status: VirtioStatus;
  /** The device. */
  readonly device: VirtioDevice;
  /** Whether the interrupts are messages. */
  readonly messages: boolean;
  /** A number that is another one after each change of the configuration, 8 bits. */
  readonly generation: number;
  /** The number of the message for the configuration; 0xffff: none. */
  configVector: number;
  /** The queue whose registers are shown. */
  selected: number;
  /** Which 32 bits of the device's features are shown. */
  featureWord: number;
  /** Which 32 bits of the driver's features are shown. */
  driverFeatureWord: number;
  /** The number of the message of a queue; 0xffff: none. */
  readonly vectors: Uint16Array;
  /**
   * Whether there is such a message.
   * @param vector Its number.
   * @returns The same, or 0xffff.
   */
  vector(vector: number): number;
  /**
   * The driver writes the status.
   * @param value What.
   * @param legacy By which registers.
   */
  writeStatus(value: number, legacy: boolean): void;
  /**
   * The driver tells of new buffers.
   * @param queue Which queue.
   */
  notify(queue: number): void;
  /** Reads the interrupt status, which clears it. */
  readIsr(): number;
}

/**
 * A virtio device as PCI function.
 *
 * @example
 * ```ts
 * import { VirtioEntropy } from "./virtio_entropy.ts";
 * import { VirtioPci } from "./virtio_pci.ts";
 *
 * const memory = { read: () => {}, write: () => {} };
 * const entropy = new VirtioPci(new VirtioEntropy({ fill: (bytes) => crypto.getRandomValues(bytes) }), memory);
 * entropy.readConfig(0, 4).toString(16); // "10051af4"
 * ```
 */
export class VirtioPci extends PciFunction implements VirtioRegisters {
  /** The device. */
  readonly device: VirtioDevice;
  /** The queues. */
  readonly queues: readonly Virtqueue[];
  /** Status and features. */
  readonly status: VirtioStatus;
  /** For each queue the number of its message; 0xffff: none. */
  readonly vectors: Uint16Array;
  /** The number of the message for the configuration; 0xffff: none. */
  configVector: number = MSIX_NONE;
  /** The queue whose registers are shown. */
  selected: number = 0;
  /** Which 32 bits of the device's features are shown. */
  featureWord: number = 0;
  /** Which 32 bits of the driver's features are shown. */
  driverFeatureWord: number = 0;
  readonly #msix: Msix;
  readonly #modern: BusDevice;
  /** Where the capability is by which the window is reached through the configuration space. */
  readonly #access: number;
  #isr = 0;
  #generation = 0;

  /**
   * Makes a function of a device.
   * @param device The device.
   * @param memory The guest's memory.
   */
  constructor(device: VirtioDevice, memory: GuestMemory) {
    const { name, type, pciDevice, pciClass, features, queues } = device.identity;
    super(name, {
      vendor: VENDOR,
      device: pciDevice,
      class: pciClass,
      subsystemVendor: VENDOR,
      subsystem: type,
      pin: 1,
    });
    this.device = device;
    const { ANY_LAYOUT, INDIRECT, EVENT_INDEX, VERSION_1 } = VIRTIO_FEATURE;
    this.status = new VirtioStatus([...features, ANY_LAYOUT, INDIRECT, EVENT_INDEX, VERSION_1]);
    this.vectors = new Uint16Array(queues.length).fill(MSIX_NONE);
    this.queues = queues.map((most, n) =>
      new Virtqueue(most, {
        memory,
        interrupt: () => this.#raise(ISR_QUEUE, this.vectors[n]),
        broken: () => this.broken(),
        eventIndex: () => this.status.accepted(EVENT_INDEX),
      })
    );
    this.#msix = new Msix(this, this.config, {
      vectors: queues.length + 1,
      bar: MSIX_BAR,
      changed: () => this.#drive(),
    });
    const legacy = new VirtioLegacy(this);
    this.addWindow(LEGACY_BAR, { name, kind: "io", size: virtioLegacyLength(device), target: legacy });
    this.#modern = new VirtioModern(this, { area: AREA_SIZE, step: NOTIFY_STEP });
    this.addWindow(MODERN_BAR, { name, kind: "memory", size: MODERN_SIZE, target: this.#modern });
    this.#describe(AREA.COMMON, CAPABILITY_LENGTH, 0);
    this.#describe(AREA.ISR, CAPABILITY_LENGTH, 1);
    this.#describe(AREA.DEVICE, CAPABILITY_LENGTH, 2);
    this.config.define(this.#describe(AREA.NOTIFY, NOTIFY_LENGTH, 3) + CAP_MORE, { value: NOTIFY_STEP, size: 4 });
    const access = this.#access = this.#describe(AREA.ACCESS, ACCESS_LENGTH, 0);
    this.config.define(access + CAP_BAR, { value: 0, size: 1, writable: 0xff });
    for (const at of [CAP_OFFSET, CAP_SIZE, CAP_MORE]) {
      this.config.define(access + at, { value: 0, size: 4, writable: 0xffffffff });
    }
    device.connect(this);
  }

  /** Whether the device may be used. */
  get running(): boolean {
    return this.status.running;
  }

  /** Whether the interrupts are messages. */
  get messages(): boolean {
    return this.#msix.enabled;
  }

  /** A number that is another one after each change of the configuration. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Whether the driver has accepted a feature.
   * @param feature Its bit.
   */
  accepted(feature: number): boolean {
    return this.status.accepted(feature);
  }

  /** Whether there is such a message. */
  vector(vector: number): number {
    return vector < this.#msix.vectors ? vector : MSIX_NONE;
  }

  /** The configuration is another one. */
  configChanged(): void {
    this.#generation = this.#generation + 1 & 0xff;
    if ((this.status.value & VIRTIO_STATUS.DRIVER_OK) !== 0) this.#raise(ISR_CONFIG, this.configVector);
  }

  /** The driver breaks the rules. */
  broken(): void {
    this.status.needsReset();
    this.configChanged();
  }

  /** The driver writes the status. */
  writeStatus(value: number, legacy: boolean): void {
    if (value === 0) {
      this.#restart();
      return;
    }
    const before = this.running;
    this.status.write(value, legacy);
    if (!this.running) return;
    const started = !before || (value & VIRTIO_STATUS.DRIVER_OK) !== 0;
    if (started) this.queues.forEach((_, n) => this.notify(n));
  }

  /** The driver tells of new buffers. */
  notify(queue: number): void {
    if (this.running && this.queues[queue]?.ready) this.device.notified(queue);
  }

  /** Reads and clears the interrupt status. */
  readIsr(): number {
    const isr = this.#isr;
    this.#isr = 0;
    this.#drive();
    return isr;
  }

  /**
   * Reads the configuration space.
   * @param offset 0..255.
   * @param size 1, 2 or 4.
   * @returns The value, unsigned.
   */
  override readConfig(offset: number, size: number): number {
    const target = this.#accessed(offset, size);
    if (target !== undefined) {
      this.config.set(this.#access + CAP_MORE, this.#modern.read(target.offset, target.size), target.size);
    }
    return super.readConfig(offset, size);
  }

  /**
   * Writes the configuration space.
   * @param offset 0..255.
   * @param value The value, unsigned.
   * @param size 1, 2 or 4.
   */
  override writeConfig(offset: number, value: number, size: number): void {
    super.writeConfig(offset, value, size);
    const target = this.#accessed(offset, size);
    if (target === undefined) return;
    this.#modern.write(target.offset, this.config.get(this.#access + CAP_MORE, target.size), target.size);
  }

  /** Without a driver. */
  protected override resetFunction(): void {
    this.#restart();
    this.#msix.reset();
  }

  /** All that the device remembers. */
  protected override saveFunction(): SavedState {
    return {
      status: [this.status.save()],
      queues: this.queues.map((queue, n) => ({ ...queue.save(), vector: this.vectors[n] })),
      configVector: this.configVector,
      selected: this.selected,
      featureWord: this.featureWord,
      driverFeatureWord: this.driverFeatureWord,
      isr: this.#isr,
      generation: this.#generation,
      messages: [this.#msix.save()],
      device: [this.device.save()],
    };
  }

  /** Reads what {@linkcode saveFunction} gave. */
  protected override prepareRestoreFunction(reader: SavedReader): () => void {
    const put = [
      this.status.prepareRestore(reader.parts("status", 1)[0]),
      this.#msix.prepareRestore(reader.parts("messages", 1)[0]),
      this.device.prepareRestore(reader.parts("device", 1)[0]),
    ];
    const queues = reader.parts("queues", this.queues.length);
    const vectors = queues.map((queue) => reader16(queue, "vector"));
    queues.forEach((queue, n) => put.push(this.queues[n].prepareRestore(queue)));
    const configVector = reader16(reader, "configVector"), selected = reader16(reader, "selected");
    const featureWord = reader.integer("featureWord", { max: 0xffffffff });
    const driverFeatureWord = reader.integer("driverFeatureWord", { max: 0xffffffff });
    const isr = reader.integer("isr", { max: ISR_QUEUE | ISR_CONFIG });
    const generation = reader.integer("generation", { max: 0xff });
    return () => {
      for (const each of put) each();
      this.vectors.set(vectors);
      this.configVector = configVector;
      this.selected = selected;
      this.featureWord = featureWord;
      this.driverFeatureWord = driverFeatureWord;
      this.#isr = isr;
      this.#generation = generation;
    };
  }

  #describe(type: number, length: number, area: number): number {
    const at = this.addCapability(PCI_CAPABILITY.VENDOR, length);
    this.config.define(at + CAP_LENGTH, { value: length, size: 1 });
    this.config.define(at + CAP_TYPE, { value: type, size: 1 });
    this.config.define(at + CAP_BAR, { value: MODERN_BAR, size: 4 });
    this.config.define(at + CAP_OFFSET, { value: area * AREA_SIZE, size: 4 });
    this.config.define(at + CAP_SIZE, { value: AREA_SIZE, size: 4 });
    return at;
  }

  /** What an access to the configuration space reaches in the window; none: nothing. */
  #accessed(offset: number, size: number): { readonly offset: number; readonly size: number } | undefined {
    const at = this.#access + CAP_MORE;
    if (offset >= at + 4 || offset + size <= at) return undefined;
    const bar = this.config.get(this.#access + CAP_BAR, 1);
    const target = this.config.get(this.#access + CAP_OFFSET, 4), length = this.config.get(this.#access + CAP_SIZE, 4);
    const possible = bar === MODERN_BAR && (length === 1 || length === 2 || length === 4) && target % length === 0 &&
      target + length <= MODERN_SIZE;
    return possible ? { offset: target, size: length } : undefined;
  }

  #restart(): void {
    this.status.reset();
    for (const queue of this.queues) queue.reset();
    this.vectors.fill(MSIX_NONE);
    this.configVector = MSIX_NONE;
    this.selected = this.featureWord = this.driverFeatureWord = 0;
    this.device.reset();
    this.#isr = 0;
    this.#drive();
  }

  #raise(isr: number, vector: number): void {
    if (this.messages) {
      this.#msix.send(vector);
      return;
    }
    this.#isr |= isr;
    this.#drive();
  }

  #drive(): void {
    this.interrupt(this.#isr !== 0 && !this.messages);
  }
}

function reader16(reader: SavedReader, name: string): number {
  return reader.integer(name, { max: 0xffff });
}
