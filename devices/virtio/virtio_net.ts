/**
 * The network card (Virtual I/O Device 1.2, 5.1) with one pair of queues: queue 0 takes what the guest is to receive, queue 1 has what
 * it sends.
 *
 * Checksums of TCP and UDP may be left to the device, and TCP segments may be up to 64 KiB long both ways: nothing here is ever on
 * a wire.
 * @module
 */

import { ETHERNET_MOST, type EthernetCard, type EthernetPort, MAC_LENGTH } from "../net/ethernet.ts";
import { VIRTIO_FEATURE, VirtioDevice } from "./virtio_device.ts";
import type { VirtqueueChain } from "./virtqueue.ts";

const QUEUE_SIZE = 256;
const RECEIVE = 0, TRANSMIT = 1;
/** Features. */
const CHECKSUM = 0, GUEST_CHECKSUM = 1, MAC = 5, GUEST_TSO4 = 7, HOST_TSO4 = 11, MERGED_BUFFERS = 15, STATUS = 16;
/** Offsets in the configuration. */
const CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_LENGTH = 8;
const LINK_UP = 1;

/** The header of a frame: its length, with and without the number of buffers. */
const HEADER = 12, HEADER_OLD = 10;
/** Offsets in the header. */
const FLAGS = 0, SEGMENTS = 1, HEADERS_LENGTH = 2, SEGMENT_SIZE = 4, SUM_START = 6, SUM_OFFSET = 8, BUFFERS = 10;
const NEEDS_SUM = 1, SUM_VALID = 2;
const NO_SEGMENTS = 0, TCP4_SEGMENTS = 1;
/** Where TCP begins in a frame without options, its length, and where its checksum is. */
const TCP_AT = 34, TCP_LENGTH = 20, TCP_SUM = 16;

/** The longest frame: the longest packet of IPv4, and the header of the frame. */
const FRAME_MOST = 65535 + 14;

/** What the card is made from. */
export interface VirtioNetOptions {
  /** The end of the cable. */
  readonly port: EthernetPort;
  /** The card's address, six bytes. */
  readonly mac: Uint8Array;
}

/** The card. */
export class VirtioNet extends VirtioDevice implements EthernetCard {
  readonly #port: EthernetPort;
  readonly #buffer: Uint8Array = new Uint8Array(HEADER + FRAME_MOST);
  readonly #header: DataView = new DataView(new ArrayBuffer(HEADER));

  /**
   * Makes a card and plugs the cable in.
   * @param options What it is made from.
   */
  constructor({ port, mac }: VirtioNetOptions) {
    super({
      name: "virtio net",
      type: 1,
      pciDevice: 0x1000,
      pciClass: 0x020000,
      features: [CHECKSUM, GUEST_CHECKSUM, MAC, GUEST_TSO4, HOST_TSO4, MERGED_BUFFERS, STATUS],
      queues: [QUEUE_SIZE, QUEUE_SIZE],
      configLength: CONFIG_LENGTH,
    });
    this.#port = port;
    mac.subarray(0, MAC_LENGTH).forEach((byte, n) => this.config.setUint8(CONFIG_MAC + n, byte));
    this.config.setUint16(CONFIG_STATUS, LINK_UP, true);
    port.connect(this);
  }

  /** The longest frame with TCP that the driver takes. */
  get largest(): number {
    return this.running && this.host.accepted(GUEST_TSO4) ? FRAME_MOST : ETHERNET_MOST;
  }

  /**
   * Takes a frame for the guest.
   * @param frame The frame.
   * @param segmentSize Given for TCP that is to be cut.
   * @returns Whether it was taken, or lost: there is no driver, or its buffers are too short.
   */
  receive(frame: Uint8Array, segmentSize?: number): boolean {
    const queue = this.running ? this.host.queues[RECEIVE] : undefined;
    if (!queue?.ready) return true;
    const length = this.#headerLength, wanted = length + frame.length;
    const merges = this.host.accepted(MERGED_BUFFERS);
    const chains: VirtqueueChain[] = [];
    let room = 0;
    do {
      const chain = queue.take();
      if (chain === undefined) {
        queue.putBack(chains.length);
        return false;
      }
      chains.push(chain);
      room += chain.writable;
    } while (merges && room < wanted && chains.length < queue.size);
    if (room < wanted || chains[0].writable < length) {
      queue.putBack(chains.length);
      return true;
    }
    const header = this.#describe(chains.length, segmentSize);
    let done = 0;
    const given = chains.map((chain, n) => {
      const at = n === 0 ? length : 0;
      if (n === 0) chain.write(0, header.subarray(0, length));
      const part = frame.subarray(done, done + chain.writable - at);
      done += part.length;
      return { chain, written: at + chain.write(at, part) };
    });
    queue.giveAll(given);
    return true;
  }

  /**
   * The driver has room, or something to send.
   * @param number Which queue.
   */
  notified(number: number): void {
    if (number === RECEIVE) {
      this.#port.resume();
      return;
    }
    const queue = this.host.queues[TRANSMIT];
    const length = this.#headerLength;
    const bytes = this.#buffer.subarray(0, length + FRAME_MOST);
    for (const chain of queue.chains()) {
      const count = chain.readable <= bytes.length ? chain.read(0, bytes) : 0;
      queue.give(chain, 0);
      if (count <= length) continue;
      const unchecked = (bytes[FLAGS] & NEEDS_SUM) !== 0 || bytes[SEGMENTS] !== NO_SEGMENTS;
      this.#port.send(bytes.subarray(length, count), { unchecked });
    }
  }

  get #headerLength(): number {
    const { host } = this;
    return host.accepted(MERGED_BUFFERS) || host.accepted(VIRTIO_FEATURE.VERSION_1) ? HEADER : HEADER_OLD;
  }

  /** The header of a frame for the guest. */
  #describe(buffers: number, segmentSize: number | undefined): Uint8Array {
    const header = this.#header;
    const isLarge = segmentSize !== undefined;
    header.setUint8(FLAGS, isLarge ? NEEDS_SUM : this.host.accepted(GUEST_CHECKSUM) ? SUM_VALID : 0);
    header.setUint8(SEGMENTS, isLarge ? TCP4_SEGMENTS : NO_SEGMENTS);
    header.setUint16(HEADERS_LENGTH, isLarge ? TCP_AT + TCP_LENGTH : 0, true);
    header.setUint16(SEGMENT_SIZE, segmentSize ?? 0, true);
    header.setUint16(SUM_START, isLarge ? TCP_AT : 0, true);
    header.setUint16(SUM_OFFSET, isLarge ? TCP_SUM : 0, true);
    header.setUint16(BUFFERS, buffers, true);
    return new Uint8Array(header.buffer);
  }
}
