/**
 * The block device (Virtual I/O Device 1.2, 5.2) over a {@linkcode Disk}: read, write, flush, identify, write zeroes.
 *
 * A request is done when its notification returns, but for those behind the first megabytes of a batch, which are done at the next
 * chance, so that no guest can keep the machine for itself.
 * @module
 */

import type { CancelTimer, Clock } from "../clock.ts";
import type { Disk } from "../disk/disk.ts";
import { VirtioDevice } from "./virtio_device.ts";
import type { VirtqueueChain } from "./virtqueue.ts";

/** Bytes of a sector. */
export const VIRTIO_SECTOR = 512;

const QUEUE_SIZE = 256;
/** Features. */
const SEG_MAX = 2, GEOMETRY = 4, READ_ONLY = 5, BLOCK_SIZE = 6, FLUSH = 9, WRITE_ZEROES = 14;
/** Offsets in the configuration. */
const CONFIG = {
  CAPACITY: 0,
  SEG_MAX: 12,
  CYLINDERS: 16,
  HEADS: 18,
  SECTORS: 19,
  BLOCK_SIZE: 20,
  ZEROES_SECTORS: 48,
  ZEROES_SEGMENTS: 52,
  ZEROES_UNMAP: 56,
  LENGTH: 60,
} as const;
/** What QEMU says of a disk whose geometry nobody knows. */
const HEADS = 16, SECTORS = 63, CYLINDERS_MOST = 16383;
const SEGMENTS = QUEUE_SIZE - 2;

const REQUEST = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, WRITE_ZEROES: 13 } as const;
const HEADER = 16;
const STATUS = { OK: 0, ERROR: 1, UNSUPPORTED: 2 } as const;
const ID_LENGTH = 20;
const ZEROES_LENGTH = 16, ZEROES_SECTORS = 0x8000;

/** Data moves in pieces of so many bytes. */
const PIECE = 0x10000;
/** So many bytes are moved before others get their turn. */
const BATCH = 8 << 20;

/** What the device is made from. */
export interface VirtioBlockOptions {
  /** The disk; its last sector, if it is not whole, is left out. */
  readonly disk: Disk;
  /** The time, by which long batches are cut. */
  readonly clock: Clock;
  /** What the guest is told as its serial number, at most 20 characters of ASCII; `"kvm12"` unless told. */
  readonly serial?: string;
  /** Told what the host says when it cannot read or write; the guest sees an error in any case. */
  readonly failed?: (error: Error) => void;
}

/** A request that cannot be done; the guest is told so. */
class RequestError extends Error {
  readonly status: number;

  constructor(status: number) {
    super();
    this.status = status;
  }
}

/** The device. */
export class VirtioBlock extends VirtioDevice {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #serial: Uint8Array;
  readonly #failed: (error: Error) => void;
  readonly #sectors: number;
  readonly #piece: Uint8Array = new Uint8Array(PIECE);
  readonly #header = new DataView(new ArrayBuffer(HEADER));
  #cancel: CancelTimer | undefined;

  /**
   * Makes a device.
   * @param options What it is made from.
   * @throws RangeError The serial number is too long.
   */
  constructor(options: VirtioBlockOptions) {
    const { disk, clock, serial = "kvm12", failed = () => {} } = options;
    const features = [SEG_MAX, GEOMETRY, BLOCK_SIZE, FLUSH, ...(disk.readonly ? [READ_ONLY] : [WRITE_ZEROES])];
    super({
      name: "virtio block",
      type: 2,
      pciDevice: 0x1001,
      pciClass: 0x010000,
      features,
      queues: [QUEUE_SIZE],
      configLength: CONFIG.LENGTH,
    });
    this.#disk = disk;
    this.#clock = clock;
    this.#failed = failed;
    this.#serial = new TextEncoder().encode(serial);
    if (this.#serial.length > ID_LENGTH) throw new RangeError(`Cannot use the serial number ${serial}: it is too long`);
    const sectors = this.#sectors = Math.floor(disk.size / VIRTIO_SECTOR);
    const { config } = this;
    config.setBigUint64(CONFIG.CAPACITY, BigInt(sectors), true);
    config.setUint32(CONFIG.SEG_MAX, SEGMENTS, true);
    config.setUint16(CONFIG.CYLINDERS, Math.min(Math.floor(sectors / (HEADS * SECTORS)), CYLINDERS_MOST), true);
    config.setUint8(CONFIG.HEADS, HEADS);
    config.setUint8(CONFIG.SECTORS, SECTORS);
    config.setUint32(CONFIG.BLOCK_SIZE, VIRTIO_SECTOR, true);
    config.setUint32(CONFIG.ZEROES_SECTORS, ZEROES_SECTORS, true);
    config.setUint32(CONFIG.ZEROES_SEGMENTS, 1, true);
  }

  /** The driver has requests. */
  notified(): void {
    if (this.#cancel !== undefined) return;
    const [queue] = this.host.queues;
    let moved = 0;
    for (const chain of queue.chains()) {
      if (chain.readable < HEADER || chain.writable < 1) {
        queue.break();
        return;
      }
      moved += chain.readable + chain.writable;
      queue.give(chain, this.#serve(chain));
      if (moved >= BATCH) {
        this.#later();
        return;
      }
    }
  }

  /** What is put off is forgotten. */
  override reset(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** What was put off is done at the next chance. */
  override prepareRestore(): () => void {
    return () => this.#later();
  }

  #later(): void {
    this.reset();
    this.#cancel = this.#clock.schedule(this.#clock.now(), () => {
      this.#cancel = undefined;
      if (this.running) this.notified();
    });
  }

  /** Does a request; gives how many bytes were written into the guest's memory. */
  #serve(chain: VirtqueueChain): number {
    let status: number = STATUS.OK, written = 0;
    try {
      written = this.#do(chain);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      status = error instanceof RequestError ? error.status : STATUS.ERROR;
      if (!(error instanceof RequestError)) this.#failed(error);
    }
    // The status is the last byte that can be written.
    chain.write(chain.writable - 1, Uint8Array.of(status));
    return status === STATUS.OK ? written + 1 : chain.writable;
  }

  #do(chain: VirtqueueChain): number {
    const header = this.#header;
    chain.read(0, new Uint8Array(header.buffer));
    const type = header.getUint32(0, true);
    const sector = header.getUint32(8, true) + header.getUint32(12, true) * 2 ** 32;
    switch (type) {
      case REQUEST.IN:
        return this.#read(chain, sector);
      case REQUEST.OUT:
        this.#write(chain, sector);
        return 0;
      case REQUEST.FLUSH:
        this.#disk.flush();
        return 0;
      case REQUEST.GET_ID: {
        const id = new Uint8Array(Math.min(ID_LENGTH, chain.writable - 1));
        id.set(this.#serial.subarray(0, id.length));
        return chain.write(0, id);
      }
      case REQUEST.WRITE_ZEROES:
        this.#zero(chain);
        return 0;
      default:
        throw new RequestError(STATUS.UNSUPPORTED);
    }
  }

  #read(chain: VirtqueueChain, sector: number): number {
    const length = chain.writable - 1, from = this.#place(sector, length);
    for (let done = 0; done < length; done += PIECE) {
      const piece = this.#piece.subarray(0, Math.min(PIECE, length - done));
      this.#disk.read(from + done, piece);
      chain.write(done, piece);
    }
    return length;
  }

  #write(chain: VirtqueueChain, sector: number): void {
    const length = chain.readable - HEADER, to = this.#place(sector, length);
    if (this.#disk.readonly) throw new RequestError(STATUS.ERROR);
    for (let done = 0; done < length; done += PIECE) {
      const piece = this.#piece.subarray(0, Math.min(PIECE, length - done));
      chain.read(HEADER + done, piece);
      this.#disk.write(to + done, piece);
    }
    this.#settle();
  }

  #zero(chain: VirtqueueChain): void {
    if (this.#disk.readonly || chain.readable !== HEADER + ZEROES_LENGTH) throw new RequestError(STATUS.ERROR);
    const segment = new DataView(new ArrayBuffer(ZEROES_LENGTH));
    chain.read(HEADER, new Uint8Array(segment.buffer));
    const sector = segment.getUint32(0, true) + segment.getUint32(4, true) * 2 ** 32;
    const sectors = segment.getUint32(8, true), flags = segment.getUint32(12, true);
    if (flags !== 0) throw new RequestError(STATUS.UNSUPPORTED);
    if (sectors > ZEROES_SECTORS) throw new RequestError(STATUS.ERROR);
    const length = sectors * VIRTIO_SECTOR, to = this.#place(sector, length);
    this.#piece.fill(0);
    for (let done = 0; done < length; done += PIECE) {
      this.#disk.write(to + done, this.#piece.subarray(0, Math.min(PIECE, length - done)));
    }
    this.#settle();
  }

  /** A driver that knows of no flush takes what is written for safe. */
  #settle(): void {
    if (!this.host.accepted(FLUSH)) this.#disk.flush();
  }

  /** Where a sector is. */
  #place(sector: number, length: number): number {
    if (length % VIRTIO_SECTOR !== 0 || sector + length / VIRTIO_SECTOR > this.#sectors) {
      throw new RequestError(STATUS.ERROR);
    }
    return sector * VIRTIO_SECTOR;
  }
}
