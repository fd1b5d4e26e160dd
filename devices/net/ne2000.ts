/**
 * The network card NE2000: a DP8390 (National Semiconductor data sheet, DP8390D/NS32490D) with 32 KiB of memory of its own, which
 * the processor reaches through a data port. Also as Realtek's RTL8029 has it on PCI.
 *
 * | offset | |
 * | --- | --- |
 * | 0x00 to 0x0f | the registers of the chip, in pages that its command register chooses |
 * | 0x10 to 0x17 | data: what remote DMA moves |
 * | 0x18 to 0x1f | reset, when it is read |
 *
 * Transmission takes no time. A ring that is full holds frames back rather than losing them; loopback sends nothing.
 * @module
 */

import type { BusDevice } from "../bus.ts";
import { savedBytes, type SavedReader, type SavedState } from "../device.ts";
import { ETHERNET_MOST, type EthernetCard, type EthernetPort, MAC_BROADCAST, MAC_LENGTH } from "./ethernet.ts";

/** How many ports there are. */
export const NE2000_PORTS = 32;

const DATA = 0x10, RESET = 0x18;

/** The command register, in all pages. */
const COMMAND = { STOP: 0x01, START: 0x02, TRANSMIT: 0x04, READ: 0x08, WRITE: 0x10, DMA: 0x38, PAGE_SHIFT: 6 } as const;

/** The registers of page 0 when they are read. */
const READ0 = {
  DMA_LOW: 0x01,
  DMA_HIGH: 0x02,
  BOUNDARY: 0x03,
  TRANSMIT_STATUS: 0x04,
  INTERRUPTS: 0x07,
  REMOTE_LOW: 0x08,
  REMOTE_HIGH: 0x09,
  ID0: 0x0a,
  ID1: 0x0b,
  RECEIVE_STATUS: 0x0c,
} as const;

/** The registers of page 0 when they are written; page 2 reads most of them. */
const WRITE0 = {
  START: 0x01,
  STOP: 0x02,
  BOUNDARY: 0x03,
  TRANSMIT_PAGE: 0x04,
  TRANSMIT_LOW: 0x05,
  TRANSMIT_HIGH: 0x06,
  INTERRUPTS: 0x07,
  REMOTE_LOW: 0x08,
  REMOTE_HIGH: 0x09,
  COUNT_LOW: 0x0a,
  COUNT_HIGH: 0x0b,
  RECEIVE: 0x0c,
  TRANSMIT: 0x0d,
  DATA: 0x0e,
  MASK: 0x0f,
} as const;

/** Page 1: the addresses, and between them the page that is filled next. */
const PAGE1 = { ADDRESS: 0x01, CURRENT: 0x07, MULTICAST: 0x08 } as const;

/** Page 3 of the RTL8029: what it says of its cable (full duplex, no BNC). */
const PAGE3 = { CONFIG2: 0x05, CONFIG3: 0x06, VALUE: 0x40 } as const;

/** "PC", by which drivers know Realtek's chip. */
const ID = [0x50, 0x43] as const;

/** Interrupts. */
const INTERRUPT = { RECEIVED: 0x01, TRANSMITTED: 0x02, REMOTE_DONE: 0x40, RESET: 0x80 } as const;
const RECEIVE = { BROADCAST: 0x04, MULTICAST: 0x08, PROMISCUOUS: 0x10, BITS: 0x3f } as const;
const RECEIVED_WELL = 0x01, RECEIVED_FOR_MANY = 0x20, TRANSMITTED_WELL = 0x01;
/** Loopback, in the register for transmission; words, in that for data. */
const LOOPBACK = 0x06, WORDS = 0x01;

/** The address PROM, 32 bytes from 0 on, and the memory, pages of 256 bytes. */
const PROM_LENGTH = 32, PROM_MARK = 14, PROM_MARK_VALUE = 0x57;
const MEMORY_FIRST = 0x4000, MEMORY_END = 0xc000;
const PAGE = 256, PAGE_SHIFT = 8;
/** In front of a frame in the ring: status, next page, and length. */
const RING_HEADER = 4;
/** A frame is at least so long, and has a check sequence behind it. */
const FRAME_LEAST = 60, CHECK_SEQUENCE = 4;
const FILTER_LENGTH = 8;
const POLYNOMIAL = 0x04c11db7;

/** What the card is made from. */
export interface Ne2000Options {
  /** The end of the cable. */
  readonly port: EthernetPort;
  /** The card's address, six bytes. */
  readonly mac: Uint8Array;
  /** The interrupt line. */
  readonly interrupt: (level: boolean) => void;
}

/** The card. */
export class Ne2000 implements BusDevice, EthernetCard {
  /** The data port has 16 bits. */
  readonly width = 2;
  /** The longest frame. */
  readonly largest: number = ETHERNET_MOST;
  readonly #port: EthernetPort;
  readonly #interrupt: (level: boolean) => void;
  readonly #memory: Uint8Array = new Uint8Array(MEMORY_END);
  readonly #address: Uint8Array = new Uint8Array(MAC_LENGTH);
  readonly #filter: Uint8Array = new Uint8Array(FILTER_LENGTH);
  #command: number = COMMAND.STOP;
  /** The ring: its first page, the one behind it, up to where it was read, and the page that is filled next. */
  #start = 0;
  #stop = 0;
  #boundary = 0;
  #current = 0;
  #transmitPage = 0;
  #transmitCount = 0;
  #transmitStatus = 0;
  #interrupts: number = INTERRUPT.RESET;
  #mask = 0;
  #remote = 0;
  #remoteCount = 0;
  #receive = 0;
  #receiveStatus = 0;
  #transmit = 0;
  #data = 0;
  #level = false;

  /**
   * Makes a card and plugs the cable in.
   * @param options What it is made from.
   */
  constructor({ port, mac, interrupt }: Ne2000Options) {
    this.#port = port;
    this.#interrupt = interrupt;
    // Each byte twice, for it is read as words.
    for (let n = 0; n < PROM_LENGTH / 2; n++) {
      this.#memory.fill(mac[n] ?? (n >= PROM_MARK ? PROM_MARK_VALUE : 0), 2 * n, 2 * n + 2);
    }
    port.connect(this);
  }

  /** The reset pin: the registers, but not the memory. */
  reset(): void {
    this.#command = COMMAND.STOP;
    this.#start =
      this.#stop =
      this.#boundary =
      this.#current =
        0;
    this.#transmitPage = this.#transmitCount = this.#transmitStatus = 0;
    this.#remote = this.#remoteCount = 0;
    this.#receive =
      this.#receiveStatus =
      this.#transmit =
      this.#data =
      this.#mask =
        0;
    this.#address.fill(0);
    this.#filter.fill(0);
    this.#interrupts = INTERRUPT.RESET;
    this.#drive();
  }

  /**
   * Takes a frame for the guest.
   * @param frame The frame.
   * @returns Whether it was taken, or lost: the chip is stopped, or the frame is not for it.
   */
  receive(frame: Uint8Array): boolean {
    if ((this.#command & COMMAND.STOP) !== 0 || !this.#isInRing(this.#current) || !this.#accepts(frame)) return true;
    const size = Math.max(frame.length, FRAME_LEAST);
    const length = size + CHECK_SEQUENCE;
    const pages = Math.ceil((RING_HEADER + length) / PAGE);
    // Drivers write the page before the next one that they will read, also if that is before the first one.
    const boundary = this.#isInRing(this.#boundary) ? this.#boundary : this.#stop - 1;
    const free = boundary - this.#current;
    // As many pages as the ring has are free when it is empty: then the chip cannot tell it from a full one.
    if (pages >= (free > 0 ? free : free + this.#stop - this.#start)) return this.#stop - this.#start <= pages;
    const padded = new Uint8Array(RING_HEADER + length);
    padded.set(frame, RING_HEADER);
    let next = this.#current + pages;
    if (next >= this.#stop) next -= this.#stop - this.#start;
    this.#receiveStatus = RECEIVED_WELL | ((frame[0] & 1) !== 0 ? RECEIVED_FOR_MANY : 0);
    padded.set([this.#receiveStatus, next, length & 0xff, length >> 8]);
    const at = this.#current << PAGE_SHIFT, before = Math.min(padded.length, (this.#stop << PAGE_SHIFT) - at);
    this.#store(at, padded.subarray(0, before));
    this.#store(this.#start << PAGE_SHIFT, padded.subarray(before));
    this.#current = next;
    this.#raise(INTERRUPT.RECEIVED);
    return true;
  }

  /**
   * Reads a register.
   * @param offset 0..31.
   * @param size 1 or 2; only data has 2.
   * @returns The value, unsigned.
   */
  read(offset: number, size: number): number {
    if (offset >= RESET) {
      this.reset();
      return 0;
    }
    if (offset >= DATA) return this.#readData();
    return size === 1 ? this.#readRegister(offset) : this.read(offset, 1) | this.read(offset + 1, 1) << 8;
  }

  /**
   * Writes a register.
   * @param offset 0..31.
   * @param value The value, unsigned.
   * @param size 1 or 2; only data has 2.
   */
  write(offset: number, value: number, size: number): void {
    if (offset >= RESET) return;
    if (offset >= DATA) {
      this.#writeData(value);
    } else if (size === 2) {
      this.write(offset, value & 0xff, 1);
      this.write(offset + 1, value >> 8, 1);
    } else {
      this.#writeRegister(offset, value);
    }
  }

  /** All that the card remembers. */
  save(): SavedState {
    return {
      memory: savedBytes(this.#memory.subarray(MEMORY_FIRST)),
      address: savedBytes(this.#address),
      filter: savedBytes(this.#filter),
      command: this.#command,
      start: this.#start,
      stop: this.#stop,
      boundary: this.#boundary,
      current: this.#current,
      transmitPage: this.#transmitPage,
      transmitCount: this.#transmitCount,
      transmitStatus: this.#transmitStatus,
      interrupts: this.#interrupts,
      mask: this.#mask,
      remote: this.#remote,
      remoteCount: this.#remoteCount,
      receive: this.#receive,
      receiveStatus: this.#receiveStatus,
      transmit: this.#transmit,
      data: this.#data,
    };
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(reader: SavedReader): () => void {
    const memory = reader.bytes("memory", MEMORY_END - MEMORY_FIRST);
    const address = reader.bytes("address", MAC_LENGTH), filter = reader.bytes("filter", FILTER_LENGTH);
    const byte = (name: string): number => reader.integer(name, { max: 0xff });
    const word = (name: string): number => reader.integer(name, { max: 0xffff });
    const command = byte("command"), start = byte("start"), stop = byte("stop"), boundary = byte("boundary");
    const current = byte("current"), transmitPage = byte("transmitPage"), transmitCount = word("transmitCount");
    const transmitStatus = byte("transmitStatus"), interrupts = byte("interrupts"), mask = byte("mask");
    const remote = word("remote"), remoteCount = word("remoteCount");
    const receive = byte("receive"), receiveStatus = byte("receiveStatus");
    const transmit = byte("transmit"), data = byte("data");
    return () => {
      this.#memory.set(memory, MEMORY_FIRST);
      this.#address.set(address);
      this.#filter.set(filter);
      this.#command = command;
      this.#start = start;
      this.#stop = stop;
      this.#boundary = boundary;
      this.#current = current;
      this.#transmitPage = transmitPage;
      this.#transmitCount = transmitCount;
      this.#transmitStatus = transmitStatus;
      this.#interrupts = interrupts;
      this.#mask = mask;
      this.#remote = remote;
      this.#remoteCount = remoteCount;
      this.#receive = receive;
      this.#receiveStatus = receiveStatus;
      this.#transmit = transmit;
      this.#data = data;
      this.#drive();
    };
  }

  /** Whether a page is in the ring. */
  #isInRing(page: number): boolean {
    return page >= this.#start && page < this.#stop;
  }

  #readRegister(offset: number): number {
    if (offset === 0) return this.#command;
    switch (this.#command >> COMMAND.PAGE_SHIFT) {
      case 0:
        return this.#readPage0(offset);
      case 1:
        if (offset < PAGE1.CURRENT) return this.#address[offset - PAGE1.ADDRESS];
        return offset === PAGE1.CURRENT ? this.#current : this.#filter[offset - PAGE1.MULTICAST];
      case 2:
        return this.#readPage2(offset);
      default:
        return offset === PAGE3.CONFIG2 || offset === PAGE3.CONFIG3 ? PAGE3.VALUE : 0;
    }
  }

  #readPage0(offset: number): number {
    switch (offset) {
      case READ0.DMA_LOW:
      case READ0.REMOTE_LOW:
        return this.#remote & 0xff;
      case READ0.DMA_HIGH:
      case READ0.REMOTE_HIGH:
        return this.#remote >> 8;
      case READ0.BOUNDARY:
        return this.#boundary;
      case READ0.TRANSMIT_STATUS:
        return this.#transmitStatus;
      case READ0.INTERRUPTS:
        return this.#interrupts;
      case READ0.ID0:
      case READ0.ID1:
        return ID[offset - READ0.ID0];
      case READ0.RECEIVE_STATUS:
        return this.#receiveStatus;
      default:
        return 0; // no collisions, nothing in the FIFO, no errors
    }
  }

  #readPage2(offset: number): number {
    switch (offset) {
      case WRITE0.START:
        return this.#start;
      case WRITE0.STOP:
        return this.#stop;
      case WRITE0.TRANSMIT_PAGE:
        return this.#transmitPage;
      case WRITE0.RECEIVE:
        return this.#receive;
      case WRITE0.TRANSMIT:
        return this.#transmit;
      case WRITE0.DATA:
        return this.#data;
      case WRITE0.MASK:
        return this.#mask;
      default:
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    if (offset === 0) {
      this.#writeCommand(value);
      return;
    }
    switch (this.#command >> COMMAND.PAGE_SHIFT) {
      case 0:
        this.#writePage0(offset, value);
        return;
      case 1:
        if (offset < PAGE1.CURRENT) this.#address[offset - PAGE1.ADDRESS] = value;
        else if (offset === PAGE1.CURRENT) this.#current = value;
        else this.#filter[offset - PAGE1.MULTICAST] = value;
    }
  }

  #writeCommand(value: number): void {
    this.#command = value & ~COMMAND.TRANSMIT;
    if ((value & COMMAND.STOP) !== 0) {
      this.#interrupts |= INTERRUPT.RESET;
      return;
    }
    this.#interrupts &= ~INTERRUPT.RESET;
    // A transfer of nothing is done at once.
    if ((value & (COMMAND.READ | COMMAND.WRITE)) !== 0 && this.#remoteCount === 0) this.#raise(INTERRUPT.REMOTE_DONE);
    if ((value & COMMAND.TRANSMIT) !== 0) this.#send();
    if ((value & COMMAND.START) !== 0) this.#resume();
  }

  #writePage0(offset: number, value: number): void {
    switch (offset) {
      case WRITE0.START:
        this.#start = value;
        return;
      case WRITE0.STOP:
        this.#stop = value;
        return;
      case WRITE0.BOUNDARY:
        this.#boundary = value;
        this.#resume();
        return;
      case WRITE0.TRANSMIT_PAGE:
        this.#transmitPage = value;
        return;
      case WRITE0.TRANSMIT_LOW:
        this.#transmitCount = this.#transmitCount & 0xff00 | value;
        return;
      case WRITE0.TRANSMIT_HIGH:
        this.#transmitCount = this.#transmitCount & 0xff | value << 8;
        return;
      case WRITE0.INTERRUPTS:
        this.#interrupts &= ~value | INTERRUPT.RESET;
        this.#drive();
        this.#resume();
        return;
      case WRITE0.REMOTE_LOW:
        this.#remote = this.#remote & 0xff00 | value;
        return;
      case WRITE0.REMOTE_HIGH:
        this.#remote = this.#remote & 0xff | value << 8;
        return;
      case WRITE0.COUNT_LOW:
        this.#remoteCount = this.#remoteCount & 0xff00 | value;
        return;
      case WRITE0.COUNT_HIGH:
        this.#remoteCount = this.#remoteCount & 0xff | value << 8;
        return;
      case WRITE0.RECEIVE:
        this.#receive = value & RECEIVE.BITS;
        return;
      case WRITE0.TRANSMIT:
        this.#transmit = value;
        return;
      case WRITE0.DATA:
        this.#data = value;
        return;
      case WRITE0.MASK:
        this.#mask = value;
        this.#drive();
    }
  }

  #send(): void {
    const at = this.#transmitPage << PAGE_SHIFT, end = at + this.#transmitCount;
    const isReal = (this.#transmit & LOOPBACK) === 0 && at >= MEMORY_FIRST && end <= MEMORY_END;
    if (isReal) this.#port.send(this.#memory.subarray(at, end));
    this.#transmitStatus = TRANSMITTED_WELL;
    this.#raise(INTERRUPT.TRANSMITTED);
  }

  #readData(): number {
    if (this.#remoteCount === 0) return 0;
    const isWord = (this.#data & WORDS) !== 0;
    const low = this.#load(this.#remote);
    const value = isWord ? low | this.#load(this.#remote + 1) << 8 : low;
    this.#advance(isWord ? 2 : 1);
    return value;
  }

  #writeData(value: number): void {
    if (this.#remoteCount === 0) return;
    const isWord = (this.#data & WORDS) !== 0;
    this.#storeByte(this.#remote, value);
    if (isWord) this.#storeByte(this.#remote + 1, value >> 8);
    this.#advance(isWord ? 2 : 1);
  }

  /** Remote DMA goes on, around the ring if it is in there. */
  #advance(count: number): void {
    this.#remote = this.#remote + count & 0xffff;
    if (this.#remote === this.#stop << PAGE_SHIFT) this.#remote = this.#start << PAGE_SHIFT;
    this.#remoteCount = Math.max(0, this.#remoteCount - count);
    if (this.#remoteCount === 0) this.#raise(INTERRUPT.REMOTE_DONE);
  }

  #load(address: number): number {
    const isThere = address < PROM_LENGTH || (address >= MEMORY_FIRST && address < MEMORY_END);
    return isThere ? this.#memory[address] : 0xff;
  }

  #storeByte(address: number, byte: number): void {
    if (address >= MEMORY_FIRST && address < MEMORY_END) this.#memory[address] = byte;
  }

  #store(address: number, bytes: Uint8Array): void {
    if (address < MEMORY_FIRST || address >= MEMORY_END) return;
    this.#memory.set(bytes.subarray(0, MEMORY_END - address), address);
  }

  /** Whether a frame is for this card. */
  #accepts(frame: Uint8Array): boolean {
    if (frame.length < MAC_LENGTH || frame.length > ETHERNET_MOST) return false;
    if ((this.#receive & RECEIVE.PROMISCUOUS) !== 0) return true;
    const to = frame.subarray(0, MAC_LENGTH);
    if ((to[0] & 1) === 0) return same(to, this.#address);
    if (same(to, MAC_BROADCAST)) return (this.#receive & RECEIVE.BROADCAST) !== 0;
    const bit = hash(to);
    return (this.#receive & RECEIVE.MULTICAST) !== 0 && (this.#filter[bit >> 3] >> (bit & 7) & 1) !== 0;
  }

  /**
   * Asks for frames that were held back, unless the driver has yet to take note of the last ones: one that reads a few and then takes
   * note of all would find no more of those that have come in between.
   */
  #resume(): void {
    if ((this.#interrupts & INTERRUPT.RECEIVED) === 0) this.#port.resume();
  }

  #raise(interrupt: number): void {
    this.#interrupts |= interrupt;
    this.#drive();
  }

  #drive(): void {
    const level = (this.#interrupts & this.#mask & ~INTERRUPT.RESET) !== 0;
    if (level === this.#level) return;
    this.#level = level;
    this.#interrupt(level);
  }
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, n) => byte === other[n]);
}

/** The bit of the filter for an address: the first six bits of its checksum. */
function hash(mac: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of mac) {
    for (let bit = 0; bit < 8; bit++) {
      const carry = (sum >>> 31) ^ (byte >> bit & 1);
      sum = sum << 1 ^ (carry ? POLYNOMIAL : 0);
    }
  }
  return sum >>> 26;
}
