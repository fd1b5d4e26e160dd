/**
 * The guest's side of virtio for tests: memory, and a driver that goes by the specification, with the registers of version 1 or
 * those before it.
 * @module
 */

import { assertEquals } from "@std/assert";
import { Bus } from "../bus.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { PciBus } from "../pci/pci_bus.ts";
import { PCI } from "../pci/pci_registers.ts";
import type { VirtioDevice } from "./virtio_device.ts";
import { VirtioPci } from "./virtio_pci.ts";

export const SLOT = 3;
export const PORTS = 0xc000, MSIX_WINDOW = 0xfeb00000, WINDOW = 0xfeb10000;
const VERSION_1 = 32;

/** Memory from 0 on; what is not there reads as ones and loses writes. */
export class FakeMemory implements GuestMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  read(address: number, into: Uint8Array): void {
    assertEquals(Number.isSafeInteger(address) && address >= 0, true, `address ${address}`);
    const part = address < this.bytes.length ? this.bytes.subarray(address, address + into.length) : new Uint8Array(0);
    into.fill(0xff);
    into.set(part);
  }

  write(address: number, bytes: Uint8Array): void {
    assertEquals(Number.isSafeInteger(address) && address >= 0, true, `address ${address}`);
    if (address < this.bytes.length) this.bytes.set(bytes.subarray(0, this.bytes.length - address), address);
  }
}

/** A board with one virtio device at 3.0. */
export class VirtioBench {
  readonly memory: FakeMemory;
  readonly ports = new Bus("port", 0x10000);
  readonly mmio = new Bus("address", 2 ** 52);
  readonly pci: PciBus;
  readonly one: VirtioPci;
  /** The level of the interrupt line, and the messages that have come. */
  line = false;
  readonly messages: [address: number, data: number][] = [];

  constructor(device: VirtioDevice, memorySize = 0x100000) {
    this.memory = new FakeMemory(memorySize);
    this.pci = new PciBus({
      interrupt: (_, level) => this.line = level,
      message: (address, data) => this.messages.push([address, data]),
    });
    this.pci.attach(this.ports, this.mmio);
    this.one = this.pci.plug(new VirtioPci(device, this.memory), { device: SLOT });
    this.config(PCI.BAR0, PORTS, 4);
    this.config(PCI.BAR0 + 4, MSIX_WINDOW, 4);
    this.config(PCI.BAR0 + 16, WINDOW, 4);
    this.config(PCI.COMMAND, 7, 2);
  }

  config(offset: number, value: number, size: number): void {
    this.ports.out(0xcf8, 4, (0x80000000 | SLOT << 11 | offset & 0xfc) >>> 0);
    this.ports.out(0xcfc + (offset & 3), size, value);
  }

  readConfig(offset: number, size: number): number {
    this.ports.out(0xcf8, 4, (0x80000000 | SLOT << 11 | offset & 0xfc) >>> 0);
    return this.ports.in(0xcfc + (offset & 3), size);
  }

  /** Where a capability is: the n-th with an identifier. */
  capability(id: number, n = 0): number {
    for (let at = this.readConfig(PCI.CAPABILITIES, 1); at !== 0; at = this.readConfig(at + 1, 1)) {
      if (this.readConfig(at, 1) === id && n-- === 0) return at;
    }
    return 0;
  }

  /** Switches MSI-X on, message n with data 0x40 + n. */
  enableMessages(): void {
    const at = this.capability(0x11);
    const vectors = (this.readConfig(at + 2, 2) & 0x7ff) + 1;
    for (let n = 0; n < vectors; n++) {
      [0xfee00000, 0, 0x40 + n, 0].forEach((value, field) => this.mmio.out(MSIX_WINDOW + 16 * n + 4 * field, 4, value));
    }
    this.config(at + 2, 0x8000, 2);
  }

  common(offset: number, size: number): number {
    return this.mmio.in(WINDOW + offset, size);
  }

  setCommon(offset: number, value: number, size: number): void {
    this.mmio.out(WINDOW + offset, size, value);
  }

  get isr(): number {
    return this.mmio.in(WINDOW + 0x1000, 1);
  }

  get status(): number {
    return this.common(0x14, 1);
  }
}

/** A queue in the driver's eyes. */
export class DriverQueue {
  readonly bench: VirtioBench;
  readonly number: number;
  readonly size: number;
  readonly descriptors: number;
  readonly driver: number;
  readonly device: number;
  /** Whether chains are put into tables of their own. */
  indirect = false;
  #free: number;
  #available = 0;
  #seen = 0;
  readonly #notify: () => void;
  readonly #chains: Map<number, { address: number; length: number }[]> = new Map();

  constructor(
    bench: VirtioBench,
    options: { number: number; size: number; descriptors: number; driver: number; device: number; notify: () => void },
  ) {
    this.bench = bench;
    this.number = options.number;
    this.size = options.size;
    this.descriptors = options.descriptors;
    this.driver = options.driver;
    this.device = options.device;
    this.#notify = options.notify;
    this.#free = 0x40000 + options.number * 0x40000;
  }

  /** Memory for a request. */
  allocate(length: number): number {
    const at = this.#free;
    this.#free += length + 15 & ~15;
    return at;
  }

  descriptor(
    table: number,
    n: number,
    fields: { address: number; length: number; flags: number; next?: number },
  ): void {
    const { view } = this.bench.memory, at = table + 16 * n;
    view.setBigUint64(at, BigInt(fields.address), true);
    view.setUint32(at + 8, fields.length, true);
    view.setUint16(at + 12, fields.flags, true);
    view.setUint16(at + 14, fields.next ?? 0, true);
  }

  /** Offers a chain whose first descriptor is known. */
  offer(head: number): void {
    const { view } = this.bench.memory;
    view.setUint16(this.driver + 4 + 2 * (this.#available % this.size), head, true);
    this.#available = this.#available + 1 & 0xffff;
    view.setUint16(this.driver + 2, this.#available, true);
  }

  /** Puts buffers into the table, from its n-th entry on, and offers them. */
  add(buffers: readonly (Uint8Array | number)[], head = 0): void {
    const places = buffers.map((data) => {
      const length = typeof data === "number" ? data : data.length;
      const address = this.allocate(length);
      if (typeof data !== "number") this.bench.memory.bytes.set(data, address);
      return { address, length, flags: typeof data === "number" ? 2 : 0 };
    });
    const table = this.indirect ? this.allocate(16 * places.length) : this.descriptors;
    const first = this.indirect ? 0 : head;
    places.forEach((place, n) => {
      const more = n + 1 < places.length;
      this.descriptor(table, first + n, { ...place, flags: place.flags | (more ? 1 : 0), next: first + n + 1 });
    });
    if (this.indirect) {
      this.descriptor(this.descriptors, head, { address: table, length: 16 * places.length, flags: 4 });
    }
    this.#chains.set(head, places.filter(({ flags }) => flags === 2));
    this.offer(head);
  }

  notify(): void {
    this.#notify();
  }

  /** What the device has given back since somebody looked last: its length, and all bytes that it could write. */
  used(): { head: number; length: number; bytes: Uint8Array }[] {
    const { view, bytes } = this.bench.memory;
    const found = [];
    for (; this.#seen !== view.getUint16(this.device + 2, true); this.#seen = this.#seen + 1 & 0xffff) {
      const at = this.device + 4 + 8 * (this.#seen % this.size);
      const head = view.getUint32(at, true), length = view.getUint32(at + 4, true);
      const places = this.#chains.get(head) ?? [];
      const written = new Uint8Array(places.reduce((sum, { length }) => sum + length, 0));
      let done = 0;
      for (const { address, length } of places) {
        written.set(bytes.subarray(address, address + length), done);
        done += length;
      }
      found.push({ head, length, bytes: written });
    }
    return found;
  }

  /** Sends one request and gives its answer. */
  request(...buffers: readonly (Uint8Array | number)[]): { length: number; bytes: Uint8Array } {
    this.add(buffers);
    this.notify();
    const [answer, ...others] = this.used();
    assertEquals(others.length, 0);
    return answer;
  }
}

/** Brings a device up by the registers of version 1. Features are those wanted of what is offered; queues are of 16 entries. */
export function startModern(bench: VirtioBench, features: readonly number[] = [], queueSize = 16): DriverQueue[] {
  bench.setCommon(0x14, 0, 1);
  bench.setCommon(0x14, 1, 1);
  bench.setCommon(0x14, 3, 1);
  for (let word = 0; word < 2; word++) {
    bench.setCommon(0, word, 4);
    const offered = bench.common(4, 4);
    let wanted = 0;
    for (const bit of [...features, VERSION_1]) if (bit >> 5 === word) wanted |= 1 << (bit & 31);
    assertEquals((wanted & ~offered) >>> 0, 0, "not offered");
    bench.setCommon(8, word, 4);
    bench.setCommon(12, wanted >>> 0, 4);
  }
  bench.setCommon(0x14, 11, 1);
  assertEquals(bench.status, 11);
  const queues = Array.from({ length: bench.common(0x12, 2) }, (_, number) => {
    const base = 0x1000 + 0x3000 * number;
    const queue = { number, size: queueSize, descriptors: base, driver: base + 0x1000, device: base + 0x2000 };
    bench.setCommon(0x16, number, 2);
    bench.setCommon(0x18, queueSize, 2);
    bench.setCommon(0x1a, number + 1, 2);
    bench.setCommon(0x20, queue.descriptors, 4);
    bench.setCommon(0x28, queue.driver, 4);
    bench.setCommon(0x30, queue.device, 4);
    bench.setCommon(0x1c, 1, 2);
    const at = WINDOW + 0x3000 + 4 * bench.common(0x1e, 2);
    return new DriverQueue(bench, { ...queue, notify: () => bench.mmio.out(at, 2, number) });
  });
  bench.setCommon(0x10, 0, 2);
  bench.setCommon(0x14, 15, 1);
  return queues;
}

/** Brings a device up by the registers before version 1. */
export function startLegacy(bench: VirtioBench, features: readonly number[] = []): DriverQueue[] {
  const { ports } = bench;
  for (const status of [0, 1, 3]) ports.out(PORTS + 18, 1, status);
  const wanted = features.reduce((bits, bit) => bits | 1 << bit, 0) >>> 0;
  assertEquals((wanted & ~ports.in(PORTS, 4)) >>> 0, 0, "not offered");
  ports.out(PORTS + 4, 4, wanted);
  const queues: DriverQueue[] = [];
  for (let number = 0;; number++) {
    ports.out(PORTS + 14, 2, number);
    const size = ports.in(PORTS + 12, 2);
    if (size === 0) break;
    const descriptors = 0x10000 + 0x8000 * number, driver = descriptors + 16 * size;
    const device = Math.ceil((driver + 6 + 2 * size) / 4096) * 4096;
    ports.out(PORTS + 8, 4, descriptors / 4096);
    const notify = (): void => ports.out(PORTS + 16, 2, number);
    queues.push(new DriverQueue(bench, { number, size, descriptors, driver, device, notify }));
  }
  ports.out(PORTS + 18, 1, 7);
  return queues;
}
