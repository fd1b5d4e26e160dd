/**
 * UDP (RFC 768).
 * @module
 */

import { internetChecksum, pseudoHeaderSum } from "./internet_checksum.ts";
import { IP_PROTOCOL, type Ipv4Packet } from "./ipv4.ts";

/** Bytes of a header. */
export const UDP_HEADER = 8;

const SOURCE = 0, DESTINATION = 2, LENGTH = 4, CHECKSUM = 6;

/** A datagram. */
export interface UdpDatagram {
  /** The sender's port. */
  readonly sourcePort: number;
  /** The port of who is to get it. */
  readonly destinationPort: number;
  /** What is in it. */
  readonly payload: Uint8Array;
}

/** Between whom. */
interface Ends {
  readonly source: number;
  readonly destination: number;
}

/**
 * Understands a datagram.
 * @param packet The packet that it is in.
 * @param options `unchecked`: whether the checksum is not looked at.
 * @returns It; none: it is damaged.
 */
export function parseUdp(
  packet: Pick<Ipv4Packet, "source" | "destination" | "payload">,
  options: { readonly unchecked?: boolean } = {},
): UdpDatagram | undefined {
  const { source, destination, payload: bytes } = packet;
  if (bytes.length < UDP_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint16(LENGTH);
  if (length < UDP_HEADER || length > bytes.length) return undefined;
  const datagram = bytes.subarray(0, length);
  if (view.getUint16(CHECKSUM) !== 0 && !options.unchecked) {
    const pseudo = pseudoHeaderSum({ source, destination, protocol: IP_PROTOCOL.UDP, length });
    if (internetChecksum(datagram, pseudo) !== 0) return undefined;
  }
  return {
    sourcePort: view.getUint16(SOURCE),
    destinationPort: view.getUint16(DESTINATION),
    payload: datagram.subarray(UDP_HEADER),
  };
}

/**
 * Makes the bytes of a datagram.
 * @param datagram The datagram.
 * @param ends The addresses, which the checksum covers.
 */
export function buildUdp(datagram: UdpDatagram, { source, destination }: Ends): Uint8Array {
  const { sourcePort, destinationPort, payload } = datagram;
  const length = UDP_HEADER + payload.length;
  const bytes = new Uint8Array(length), view = new DataView(bytes.buffer);
  view.setUint16(SOURCE, sourcePort);
  view.setUint16(DESTINATION, destinationPort);
  view.setUint16(LENGTH, length);
  bytes.set(payload, UDP_HEADER);
  const sum = internetChecksum(bytes, pseudoHeaderSum({ source, destination, protocol: IP_PROTOCOL.UDP, length }));
  view.setUint16(CHECKSUM, sum === 0 ? 0xffff : sum);
  return bytes;
}
