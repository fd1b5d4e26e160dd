/**
 * A DHCP server (RFC 2131, RFC 2132) with one address to give, always the same.
 * @module
 */

import { MAC_LENGTH } from "./ethernet.ts";

/** Types of messages. */
export const DHCP_TYPE = {
  DISCOVER: 1,
  OFFER: 2,
  REQUEST: 3,
  DECLINE: 4,
  ACK: 5,
  NAK: 6,
  RELEASE: 7,
  INFORM: 8,
} as const;

/** The server's port, and the client's. */
export const DHCP_SERVER_PORT = 67, DHCP_CLIENT_PORT = 68;

const HEADER = 236, COOKIE = 0x63825363, OPTIONS = 240, LEAST = 300;
const REQUEST = 1, REPLY = 2, ETHERNET = 1;
/** Offsets in a message. */
const HARDWARE = 1, HARDWARE_LENGTH = 2, TRANSACTION = 4, FLAGS = 10, CLIENT = 12, YOURS = 16, SERVER = 20, MAC = 28;
/** Options. */
const PAD = 0, SUBNET_MASK = 1, ROUTER = 3, DNS_SERVER = 6, REQUESTED = 50, LEASE_TIME = 51, TYPE = 53, SERVER_ID = 54;
const RENEWAL = 58, REBINDING = 59, END = 255;
/** How long the address is the guest's, in seconds. */
const LEASE = 86400;

/** What the server tells. */
export interface DhcpLease {
  /** The guest's address. */
  readonly address: number;
  /** Which part of it is the network's. */
  readonly mask: number;
  /** The way out; also the server. */
  readonly gateway: number;
  /** Who knows names. */
  readonly dns: number;
}

/** An answer. */
export interface DhcpAnswer {
  /** The message. */
  readonly bytes: Uint8Array;
  /** The address that the guest has already, to which it goes; none: to everybody. */
  readonly to?: number;
}

/**
 * Answers a message.
 * @param bytes The message.
 * @param lease What is told.
 * @returns The answer; none: there is nothing to say.
 */
export function answerDhcp(bytes: Uint8Array, lease: DhcpLease): DhcpAnswer | undefined {
  if (bytes.length < OPTIONS) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const known = bytes[0] === REQUEST && bytes[HARDWARE] === ETHERNET && bytes[HARDWARE_LENGTH] === MAC_LENGTH &&
    view.getUint32(HEADER) === COOKIE;
  if (!known) return undefined;
  const options = readOptions(bytes);
  const server = number(options.get(SERVER_ID));
  if (server !== undefined && server !== lease.gateway) return undefined;
  const client = view.getUint32(CLIENT);
  switch (options.get(TYPE)?.[0]) {
    case DHCP_TYPE.DISCOVER:
      return { bytes: reply(bytes, DHCP_TYPE.OFFER, lease) };
    case DHCP_TYPE.REQUEST: {
      const wanted = number(options.get(REQUESTED)) ?? client;
      if (wanted !== lease.address) return { bytes: reply(bytes, DHCP_TYPE.NAK, lease) };
      return { bytes: reply(bytes, DHCP_TYPE.ACK, lease), to: client === 0 ? undefined : client };
    }
    case DHCP_TYPE.INFORM:
      return { bytes: reply(bytes, DHCP_TYPE.ACK, lease, true), to: client === 0 ? undefined : client };
    default:
      return undefined;
  }
}

/** The options by number. */
function readOptions(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = OPTIONS; at + 1 < bytes.length && bytes[at] !== END;) {
    if (bytes[at] === PAD) {
      at++;
      continue;
    }
    const end = at + 2 + bytes[at + 1];
    if (end > bytes.length) break;
    options.set(bytes[at], bytes.subarray(at + 2, end));
    at = end;
  }
  return options;
}

function number(option: Uint8Array | undefined): number | undefined {
  return option?.length === 4 ? option.reduce((value, byte) => value * 256 + byte, 0) : undefined;
}

/** Writes an answer; `informs`: the guest has its address from somebody else. */
function reply(request: Uint8Array, type: number, lease: DhcpLease, informs = false): Uint8Array {
  const options: number[] = [TYPE, 1, type];
  const add = (option: number, value: number): void => {
    options.push(option, 4, value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff);
  };
  add(SERVER_ID, lease.gateway);
  if (type !== DHCP_TYPE.NAK) {
    add(SUBNET_MASK, lease.mask);
    add(ROUTER, lease.gateway);
    add(DNS_SERVER, lease.dns);
    if (!informs) {
      add(LEASE_TIME, LEASE);
      add(RENEWAL, LEASE / 2);
      add(REBINDING, LEASE / 8 * 7);
    }
  }
  options.push(END);
  const bytes = new Uint8Array(Math.max(LEAST, OPTIONS + options.length)), view = new DataView(bytes.buffer);
  bytes[0] = REPLY;
  bytes[HARDWARE] = ETHERNET;
  bytes[HARDWARE_LENGTH] = MAC_LENGTH;
  bytes.set(request.subarray(TRANSACTION, TRANSACTION + 4), TRANSACTION);
  bytes.set(request.subarray(FLAGS, FLAGS + 2), FLAGS);
  if (type !== DHCP_TYPE.NAK) {
    bytes.set(request.subarray(CLIENT, CLIENT + 4), CLIENT);
    if (!informs) view.setUint32(YOURS, lease.address);
    view.setUint32(SERVER, lease.gateway);
  }
  bytes.set(request.subarray(MAC, MAC + 16), MAC);
  view.setUint32(HEADER, COOKIE);
  bytes.set(options, OPTIONS);
  return bytes;
}
