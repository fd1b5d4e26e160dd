/**
 * A record of all that goes through a cable, in the format of libpcap with nanoseconds: `LINKTYPE_ETHERNET`, little-endian.
 *
 * Where card and driver leave checksums and the cutting of segments to the network, the record has what they say: long segments,
 * and checksums that are not there.
 * @module
 */

import type { Clock } from "../clock.ts";
import type { EthernetCard, EthernetPort, EthernetSendOptions } from "./ethernet.ts";

const MAGIC = 0xa1b23c4d;
const MAJOR = 2, MINOR = 4;
const FILE_HEADER = 24, PACKET_HEADER = 16;
/** The most bytes of a frame that are kept. */
const SNAP_LENGTH = 0x40000;
const ETHERNET = 1;
const SECOND_NS = 1e9;

/**
 * The beginning of a file.
 */
export function pcapHeader(): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER), view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, MAJOR, true);
  view.setUint16(6, MINOR, true);
  view.setUint32(16, SNAP_LENGTH, true);
  view.setUint32(20, ETHERNET, true);
  return bytes;
}

/**
 * A frame in a file.
 * @param frame The frame.
 * @param at When, in nanoseconds.
 */
export function pcapPacket(frame: Uint8Array, at: number): Uint8Array {
  const length = Math.min(frame.length, SNAP_LENGTH);
  const bytes = new Uint8Array(PACKET_HEADER + length), view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(at / SECOND_NS), true);
  view.setUint32(4, at % SECOND_NS, true);
  view.setUint32(8, length, true);
  view.setUint32(12, frame.length, true);
  bytes.set(frame.subarray(0, length), PACKET_HEADER);
  return bytes;
}

/** What a {@linkcode CapturedPort} is made from. */
export interface CapturedPortOptions {
  /** The end of the cable. */
  readonly port: EthernetPort;
  /** The time; its beginning is that of 1970 in the record. */
  readonly clock: Clock;
  /** Takes the file, piece by piece. */
  readonly write: (bytes: Uint8Array) => void;
}

/** A cable with a record. */
export class CapturedPort implements EthernetPort {
  readonly #port: EthernetPort;
  readonly #clock: Clock;
  readonly #write: (bytes: Uint8Array) => void;

  /**
   * Begins the record.
   * @param options What it is made from.
   */
  constructor({ port, clock, write }: CapturedPortOptions) {
    this.#port = port;
    this.#clock = clock;
    this.#write = write;
    write(pcapHeader());
  }

  /** Plugs a card in. */
  connect(card: EthernetCard): void {
    const record = (frame: Uint8Array): void => this.#record(frame);
    this.#port.connect({
      get largest() {
        return card.largest;
      },
      receive(frame, segmentSize) {
        const taken = card.receive(frame, segmentSize);
        if (taken) record(frame);
        return taken;
      },
    });
  }

  /** Takes a frame from the card. */
  send(frame: Uint8Array, options?: EthernetSendOptions): void {
    this.#record(frame);
    this.#port.send(frame, options);
  }

  /** The card has room again. */
  resume(): void {
    this.#port.resume();
  }

  #record(frame: Uint8Array): void {
    this.#write(pcapPacket(frame, this.#clock.now()));
  }
}
