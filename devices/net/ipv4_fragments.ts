/**
 * Puts datagrams together that came in fragments (RFC 791, 3.2). What overlaps, is too long or too old is lost.
 * @module
 */

import { IPV4_HEADER, IPV4_MOST, type Ipv4Packet } from "./ipv4.ts";

/** So many datagrams are put together at one time; the oldest has to go for one more. */
const DATAGRAMS_MOST = 16;
/** A datagram has to be whole after so many nanoseconds. */
const PATIENCE_NS = 15e9;
/** A datagram comes in no more fragments. */
const FRAGMENTS_MOST = 1024;
const PAYLOAD_MOST = IPV4_MOST - IPV4_HEADER;

/** A datagram of which some is missing. */
interface Partial {
  readonly since: number;
  readonly pieces: { readonly offset: number; readonly bytes: Uint8Array }[];
  /** Bytes that are there. */
  present: number;
  /** The end, once the last fragment is there. */
  length: number | undefined;
}

/** Collects fragments. */
export class Ipv4Fragments {
  readonly #partials: Map<string, Partial> = new Map();

  /**
   * Takes a packet.
   * @param packet It.
   * @param now The time in nanoseconds.
   * @returns The packet itself if it is whole, or the datagram that it completes; none: some is missing.
   */
  take(packet: Ipv4Packet, now: number): Ipv4Packet | undefined {
    const { offset, more, payload } = packet;
    if (offset === 0 && !more) return packet;
    const key = `${packet.source} ${packet.destination} ${packet.protocol} ${packet.identification}`;
    const end = offset + payload.length;
    if (payload.length === 0 || end > PAYLOAD_MOST || (more && payload.length % 8 !== 0)) {
      this.#partials.delete(key);
      return undefined;
    }
    const partial = this.#partial(key, now);
    const overlaps = partial.pieces.some((piece) => offset < piece.offset + piece.bytes.length && piece.offset < end);
    const length = partial.length ?? (more ? undefined : end);
    const outside = length !== undefined && (end > length || (!more && end !== length));
    if (overlaps || outside || partial.pieces.length >= FRAGMENTS_MOST) {
      this.#partials.delete(key);
      return undefined;
    }
    partial.pieces.push({ offset, bytes: payload.slice() });
    partial.present += payload.length;
    partial.length = length;
    if (partial.present !== length) return undefined;
    this.#partials.delete(key);
    const whole = new Uint8Array(length);
    for (const piece of partial.pieces) {
      if (piece.offset + piece.bytes.length > length) return undefined;
      whole.set(piece.bytes, piece.offset);
    }
    return { ...packet, offset: 0, more: false, payload: whole };
  }

  #partial(key: string, now: number): Partial {
    for (const [other, { since }] of this.#partials) {
      if (now - since > PATIENCE_NS || this.#partials.size > DATAGRAMS_MOST) this.#partials.delete(other);
    }
    let partial = this.#partials.get(key);
    if (partial === undefined) {
      partial = { since: now, pieces: [], present: 0, length: undefined };
      this.#partials.set(key, partial);
    }
    return partial;
  }
}
