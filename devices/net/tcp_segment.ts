/**
 * Segments of TCP (RFC 9293, 3.1), with the options for the size of segments and the scale of windows (RFC 7323).
 * @module
 */

import { foldSum, internetChecksum, pseudoHeaderSum } from "./internet_checksum.ts";
import { IP_PROTOCOL, type Ipv4Packet } from "./ipv4.ts";

/** Bytes of a header without options. */
export const TCP_HEADER = 20;
/** Flags. */
export const TCP = { FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, ACK: 0x10 } as const;

/** Offsets in a header. */
const SOURCE = 0, DESTINATION = 2, SEQUENCE = 4, ACKNOWLEDGMENT = 8, OFFSET = 12, FLAGS = 13, WINDOW = 14;
const CHECKSUM = 16;
const FLAG_BITS = 0x3f;
/** Kinds of options, and their lengths. */
const END = 0, NOTHING = 1, SEGMENT_SIZE = 2, SCALE = 3;
const SEGMENT_SIZE_LENGTH = 4, SCALE_LENGTH = 3;
/** The largest scale of a window. */
const SCALE_MOST = 14;

/** What a header says. */
export interface TcpHeader {
  /** The sender's port. */
  readonly sourcePort: number;
  /** The port of who is to get it. */
  readonly destinationPort: number;
  /** The number of its first byte, 32 bits. */
  readonly sequence: number;
  /** The number of the next byte that the sender expects, 32 bits. */
  readonly acknowledgment: number;
  /** See {@linkcode TCP}. */
  readonly flags: number;
  /** How much the sender takes, not scaled, 16 bits. */
  readonly window: number;
  /** The most bytes of payload that the sender takes in a segment; only with SYN. */
  readonly segmentSize?: number;
  /** By how many bits the sender's windows are to be shifted; only with SYN. */
  readonly scale?: number;
}

/** A segment. */
export interface TcpSegment extends TcpHeader {
  /** What is in it. */
  readonly payload: Uint8Array;
}

/**
 * Understands a segment.
 * @param packet The packet that it is in.
 * @param options `unchecked`: whether the checksum is not looked at.
 * @returns It; none: it is damaged.
 */
export function parseTcp(
  packet: Pick<Ipv4Packet, "source" | "destination" | "payload">,
  options: { readonly unchecked?: boolean } = {},
): TcpSegment | undefined {
  const { source, destination, payload: bytes } = packet;
  if (bytes.length < TCP_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = (bytes[OFFSET] >> 4) * 4;
  if (headerLength < TCP_HEADER || headerLength > bytes.length) return undefined;
  if (!options.unchecked) {
    const pseudo = pseudoHeaderSum({ source, destination, protocol: IP_PROTOCOL.TCP, length: bytes.length });
    if (internetChecksum(bytes, pseudo) !== 0) return undefined;
  }
  return {
    sourcePort: view.getUint16(SOURCE),
    destinationPort: view.getUint16(DESTINATION),
    sequence: view.getUint32(SEQUENCE),
    acknowledgment: view.getUint32(ACKNOWLEDGMENT),
    flags: bytes[FLAGS] & FLAG_BITS,
    window: view.getUint16(WINDOW),
    ...((bytes[FLAGS] & TCP.SYN) !== 0 ? parseOptions(bytes.subarray(TCP_HEADER, headerLength)) : {}),
    payload: bytes.subarray(headerLength),
  };
}

function parseOptions(bytes: Uint8Array): Pick<TcpHeader, "segmentSize" | "scale"> {
  let segmentSize: number | undefined, scale: number | undefined;
  for (let at = 0; at < bytes.length && bytes[at] !== END;) {
    if (bytes[at] === NOTHING) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) break;
    if (bytes[at] === SEGMENT_SIZE && length === SEGMENT_SIZE_LENGTH) segmentSize = bytes[at + 2] << 8 | bytes[at + 3];
    if (bytes[at] === SCALE && length === SCALE_LENGTH) scale = Math.min(bytes[at + 2], SCALE_MOST);
    at += length;
  }
  return { segmentSize, scale };
}

/**
 * How long a header is.
 * @param header What it says.
 */
export function tcpHeaderLength({ segmentSize, scale }: Pick<TcpHeader, "segmentSize" | "scale">): number {
  return TCP_HEADER + (segmentSize === undefined ? 0 : SEGMENT_SIZE_LENGTH) + (scale === undefined ? 0 : 4);
}

/**
 * Writes a header in front of a payload that is there.
 * @param bytes The segment.
 * @param header What the header says.
 * @param ends The addresses, which the checksum covers. `partial`: the checksum is that of the pseudo header only, for somebody who
 * will cut the segment.
 */
export function writeTcp(
  bytes: Uint8Array,
  header: TcpHeader,
  ends: { readonly source: number; readonly destination: number; readonly partial?: boolean },
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { segmentSize, scale } = header;
  view.setUint16(SOURCE, header.sourcePort);
  view.setUint16(DESTINATION, header.destinationPort);
  view.setUint32(SEQUENCE, header.sequence);
  view.setUint32(ACKNOWLEDGMENT, header.acknowledgment);
  view.setUint16(OFFSET, tcpHeaderLength(header) / 4 << 12 | header.flags);
  view.setUint16(WINDOW, header.window);
  view.setUint32(CHECKSUM, 0);
  let at = TCP_HEADER;
  if (segmentSize !== undefined) {
    view.setUint32(at, (SEGMENT_SIZE << 24 | SEGMENT_SIZE_LENGTH << 16 | segmentSize) >>> 0);
    at += SEGMENT_SIZE_LENGTH;
  }
  if (scale !== undefined) view.setUint32(at, (NOTHING << 24 | SCALE << 16 | SCALE_LENGTH << 8 | scale) >>> 0);
  const { source, destination, partial } = ends;
  const pseudo = pseudoHeaderSum({ source, destination, protocol: IP_PROTOCOL.TCP, length: bytes.length });
  view.setUint16(CHECKSUM, partial ? foldSum(pseudo) : internetChecksum(bytes, pseudo));
}

/**
 * How far a number is behind another one, as numbers of TCP go round.
 * @param one A number, 32 bits.
 * @param other The other one.
 * @returns -2^31..2^31-1.
 */
export function tcpDistance(one: number, other: number): number {
  return one - other | 0;
}
