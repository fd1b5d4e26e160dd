/**
 * What the tests of this folder have in common: a guest's way to drives.
 * @module
 */

import { assertEquals } from "@std/assert";
import { Bus } from "../bus.ts";
import type { Disk } from "../disk/disk.ts";
import { DiskError } from "../disk/disk_error.ts";
import { MemoryDisk } from "../disk/memory_disk.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { BusMaster } from "./bus_master.ts";
import { IDE_PRIMARY, IdeChannel } from "./ide_channel.ts";
import type { IdeDrive } from "./ide_drive.ts";

/** What the guest sets before a command. */
export interface Registers {
  features?: number;
  count?: number;
  lba?: number;
  mid?: number;
  high?: number;
  device?: number;
  /** LBA48. */
  ext?: boolean;
}

export const BM = 0xc000;

/** A guest with a channel of drives. */
export class IdeGuest {
  readonly ports = new Bus("port", 0x10000);
  readonly memory = new Uint8Array(0x80000);
  readonly channel: IdeChannel;
  readonly busMaster: BusMaster;
  /** The level of the interrupt wire, and how often it rose. */
  level = false;
  rises = 0;

  constructor(drives: [IdeDrive?, IdeDrive?], options: { dma?: boolean } = {}) {
    const { memory } = this;
    const access: GuestMemory = {
      read: (address, into) => void into.fill(0xff).set(memory.subarray(address, address + into.length)),
      write: (address, bytes) => {
        if (address < memory.length) memory.set(bytes.subarray(0, memory.length - address), address);
      },
    };
    this.busMaster = new BusMaster(access);
    this.channel = new IdeChannel({
      ...IDE_PRIMARY,
      drives,
      interrupt: (level) => {
        this.level = level;
        this.rises += level ? 1 : 0;
      },
      dma: options.dma ? this.busMaster.channel(0) : undefined,
    });
    this.channel.attach(this.ports);
    this.ports.attach({ name: "bus master", base: BM, length: 16 }, this.busMaster);
  }

  in(register: number, size = 1): number {
    return this.ports.in(0x1f0 + register, size);
  }

  out(register: number, value: number, size = 1): void {
    this.ports.out(0x1f0 + register, size, value);
  }

  control(value: number): void {
    this.ports.out(0x3f6, 1, value);
  }

  /** The status without an answer to the interrupt. */
  get status(): number {
    return this.ports.in(0x3f6, 1);
  }

  /** Sets registers and gives a command; the status after it, the interrupt answered. */
  command(code: number, registers: Registers = {}): number {
    const { features = 0, count = 0, lba = 0, device = 0xe0, ext = false } = registers;
    const { mid = lba >> 8 & 0xff, high = lba >> 16 & 0xff } = registers;
    this.out(6, ext ? device : device | Math.floor(lba / 2 ** 24) & 0xf);
    if (ext) {
      this.out(2, count >> 8);
      this.out(3, Math.floor(lba / 2 ** 24) & 0xff);
      this.out(4, Math.floor(lba / 2 ** 32) & 0xff);
      this.out(5, Math.floor(lba / 2 ** 40) & 0xff);
    }
    this.out(1, features);
    this.out(2, count & 0xff);
    this.out(3, lba & 0xff);
    this.out(4, mid);
    this.out(5, high);
    this.out(7, code);
    return this.status;
  }

  /** Reads the data port. */
  take(length: number, size = 2): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += size) {
      const value = this.in(0, size);
      for (let j = 0; j < size && i + j < length; j++) bytes[i + j] = value >>> 8 * j;
    }
    return bytes;
  }

  /** Writes the data port. */
  give(bytes: Uint8Array, size = 2): void {
    for (let i = 0; i < bytes.length; i += size) {
      let value = 0;
      for (let j = 0; j < size; j++) value |= bytes[i + j] << 8 * j;
      this.out(0, value >>> 0, size);
    }
  }

  /** Answers the interrupt. */
  answer(): number {
    assertEquals(this.level, true, "no interrupt");
    const status = this.in(7);
    assertEquals(this.level, false);
    return status;
  }

  /** Writes a list of regions at 0x100 and starts the bus master. */
  startDma(regions: readonly [address: number, length: number][], toMemory: boolean): void {
    const view = new DataView(this.memory.buffer);
    regions.forEach(([address, length], i) => {
      view.setUint32(0x100 + 8 * i, address, true);
      view.setUint32(0x104 + 8 * i, length & 0xffff | (i === regions.length - 1 ? 0x80000000 : 0), true);
    });
    this.ports.out(BM, 1, 0);
    this.ports.out(BM + 4, 4, 0x100);
    this.ports.out(BM + 2, 1, 6);
    this.ports.out(BM, 1, toMemory ? 8 : 0);
    this.ports.out(BM, 1, toMemory ? 9 : 1);
  }

  get dmaStatus(): number {
    return this.ports.in(BM + 2, 1);
  }
}

/** A disk whose sectors begin with their number. */
export function numbered(sectors: number, size = 512): MemoryDisk {
  const bytes = new Uint8Array(sectors * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < sectors; i++) view.setUint32(i * size, i, true);
  return new MemoryDisk(bytes);
}

/** Numbers at the beginning of sectors. */
export function numbers(bytes: Uint8Array, size = 512): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: bytes.length / size }, (_, i) => view.getUint32(i * size, true));
}

/** A disk that the host cannot read or write at one place, nor flush. */
export function broken(disk: Disk, bad: number): Disk {
  const check = (offset: number, length: number) => {
    if (offset <= bad && bad < offset + length) throw new DiskError("broken");
  };
  return {
    size: disk.size,
    readonly: false,
    read: (offset, into) => (check(offset, into.length), disk.read(offset, into)),
    write: (offset, bytes) => (check(offset, bytes.length), disk.write(offset, bytes)),
    flush: () => check(bad, 1),
    [Symbol.dispose]: () => {},
  };
}

/** The 16-bit words of an answer. */
export function words(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length / 2 }, (_, i) => bytes[2 * i] | bytes[2 * i + 1] << 8);
}
