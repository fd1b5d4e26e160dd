/**
 * ARP (RFC 826): whose Ethernet address belongs to an IPv4 address.
 * @module
 */

import { ETHER_TYPE, ETHERNET_HEADER, MAC_BROADCAST, MAC_LENGTH, writeEthernet } from "./ethernet.ts";

/** What a message does. */
export const ARP_OPERATION = { REQUEST: 1, REPLY: 2 } as const;

const LENGTH = 28;
const ETHERNET = 1;
/** Offsets in a message. */
const HARDWARE = 0, PROTOCOL = 2, SIZES = 4, OPERATION = 6, SENDER_MAC = 8, SENDER = 14, TARGET_MAC = 18, TARGET = 24;
const SIZES_VALUE = MAC_LENGTH << 8 | 4;

/** A message. */
export interface ArpMessage {
  /** See {@linkcode ARP_OPERATION}. */
  readonly operation: number;
  /** The Ethernet address of who speaks. */
  readonly senderMac: Uint8Array;
  /** The IPv4 address of who speaks. */
  readonly sender: number;
  /** The IPv4 address that is asked for, or of who is spoken to. */
  readonly target: number;
}

/**
 * Understands a message.
 * @param bytes What follows the header of the frame.
 * @returns It; none: it is damaged, or not about Ethernet and IPv4.
 */
export function parseArp(bytes: Uint8Array): ArpMessage | undefined {
  if (bytes.length < LENGTH) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, LENGTH);
  const known = view.getUint16(HARDWARE) === ETHERNET && view.getUint16(PROTOCOL) === ETHER_TYPE.IPV4 &&
    view.getUint16(SIZES) === SIZES_VALUE;
  if (!known) return undefined;
  return {
    operation: view.getUint16(OPERATION),
    senderMac: bytes.slice(SENDER_MAC, SENDER_MAC + MAC_LENGTH),
    sender: view.getUint32(SENDER),
    target: view.getUint32(TARGET),
  };
}

/**
 * Makes a frame with a message.
 * @param message The message.
 * @param to The Ethernet address of who is spoken to; everybody unless told.
 */
export function buildArp(message: ArpMessage, to?: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER + LENGTH);
  writeEthernet(frame, { to: to ?? MAC_BROADCAST, from: message.senderMac, type: ETHER_TYPE.ARP });
  const view = new DataView(frame.buffer, ETHERNET_HEADER);
  view.setUint16(HARDWARE, ETHERNET);
  view.setUint16(PROTOCOL, ETHER_TYPE.IPV4);
  view.setUint16(SIZES, SIZES_VALUE);
  view.setUint16(OPERATION, message.operation);
  frame.set(message.senderMac, ETHERNET_HEADER + SENDER_MAC);
  view.setUint32(SENDER, message.sender);
  if (to !== undefined) frame.set(to, ETHERNET_HEADER + TARGET_MAC);
  view.setUint32(TARGET, message.target);
  return frame;
}
