/**
 * IP version 4 (RFC 791): headers and addresses. Addresses are numbers, 0..2^32-1, the first byte uppermost.
 * @module
 */

import { internetChecksum } from "./internet_checksum.ts";

/** Bytes of a header without options. */
export const IPV4_HEADER = 20;
/** The most bytes of a packet. */
export const IPV4_MOST = 65535;
/** Numbers of protocols. */
export const IP_PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;

/** Offsets in a header. */
const LENGTH = 2, IDENTIFICATION = 4, FRAGMENT = 6, TIME_TO_LIVE = 8, PROTOCOL = 9, CHECKSUM = 10, SOURCE = 12;
const DESTINATION = 16;
const MORE = 0x2000, OFFSET = 0x1fff;
const FIRST_BYTE = 0x45;
const HOPS = 64;

/** What is known of a packet. */
export interface Ipv4Packet {
  /** From whom. */
  readonly source: number;
  /** To whom. */
  readonly destination: number;
  /** What is in it. */
  readonly protocol: number;
  /** By which fragments know each other, 16 bits. */
  readonly identification: number;
  /** Where in its datagram the payload is, in bytes. */
  readonly offset: number;
  /** Whether there is more of the datagram behind. */
  readonly more: boolean;
  /** The header with its options. */
  readonly header: Uint8Array;
  /** What it carries. */
  readonly payload: Uint8Array;
}

/**
 * Understands a packet.
 * @param bytes The packet, perhaps with bytes behind it.
 * @returns It; none: it is damaged, or no packet of this version.
 */
export function parseIpv4(bytes: Uint8Array): Ipv4Packet | undefined {
  if (bytes.length < IPV4_HEADER || bytes[0] >> 4 !== 4) return undefined;
  const headerLength = (bytes[0] & 0xf) * 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint16(LENGTH);
  if (headerLength < IPV4_HEADER || length < headerLength || bytes.length < length) return undefined;
  const header = bytes.subarray(0, headerLength);
  if (internetChecksum(header) !== 0) return undefined;
  const fragment = view.getUint16(FRAGMENT);
  return {
    source: view.getUint32(SOURCE),
    destination: view.getUint32(DESTINATION),
    protocol: bytes[PROTOCOL],
    identification: view.getUint16(IDENTIFICATION),
    offset: (fragment & OFFSET) * 8,
    more: (fragment & MORE) !== 0,
    header,
    payload: bytes.subarray(headerLength, length),
  };
}

/** What a header says. */
export interface Ipv4Header {
  /** From whom. */
  readonly source: number;
  /** To whom. */
  readonly destination: number;
  /** What is in it. */
  readonly protocol: number;
  /** Bytes of what it carries. */
  readonly length: number;
  /** By which fragments know each other; 0 unless told. */
  readonly identification?: number;
  /** Where in its datagram the payload is, a multiple of 8; 0 unless told. */
  readonly offset?: number;
  /** Whether there is more of the datagram behind; no unless told. */
  readonly more?: boolean;
}

/**
 * Writes a header of 20 bytes.
 * @param bytes Where to, from its beginning on.
 * @param header What it says.
 */
export function writeIpv4(bytes: Uint8Array, header: Ipv4Header): void {
  const { source, destination, protocol, length, identification = 0, offset = 0, more = false } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, IPV4_HEADER);
  view.setUint16(0, FIRST_BYTE << 8);
  view.setUint16(LENGTH, IPV4_HEADER + length);
  view.setUint16(IDENTIFICATION, identification);
  view.setUint16(FRAGMENT, offset / 8 | (more ? MORE : 0));
  view.setUint8(TIME_TO_LIVE, HOPS);
  view.setUint8(PROTOCOL, protocol);
  view.setUint16(CHECKSUM, 0);
  view.setUint32(SOURCE, source);
  view.setUint32(DESTINATION, destination);
  view.setUint16(CHECKSUM, internetChecksum(bytes.subarray(0, IPV4_HEADER)));
}

/**
 * Reads an address as people write it.
 * @param text Four numbers with dots between them.
 * @returns The address; none: it is no such text.
 */
export function parseIpv4Address(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  const bytes = text.split(".").map(Number);
  return bytes.some((byte) => byte > 255) ? undefined : bytes.reduce((address, byte) => address * 256 + byte, 0);
}

/**
 * Writes an address as people do.
 * @param address The address.
 */
export function formatIpv4Address(address: number): string {
  return [24, 16, 8, 0].map((shift) => address >>> shift & 0xff).join(".");
}
