/**
 * ICMP (RFC 792): echo, and telling that something cannot be reached.
 * @module
 */

import { internetChecksum } from "./internet_checksum.ts";
import type { Ipv4Packet } from "./ipv4.ts";

/** Why something cannot be reached. */
export const ICMP_UNREACHABLE = { HOST: 1, PROTOCOL: 2, PORT: 3, PROHIBITED: 13 } as const;

const ECHO_REPLY = 0, UNREACHABLE = 3, ECHO = 8;
const HEADER = 8, CHECKSUM = 2;
/** How much of a payload an error repeats. */
const QUOTED = 8;

/**
 * The answer to an echo request.
 * @param message What came.
 * @returns What is sent back; none: that is no sound echo request.
 */
export function answerEcho(message: Uint8Array): Uint8Array | undefined {
  if (message.length < HEADER || message[0] !== ECHO || message[1] !== 0 || internetChecksum(message) !== 0) {
    return undefined;
  }
  const answer = message.slice();
  answer[0] = ECHO_REPLY;
  return sealed(answer);
}

/** Whether a message is an echo request, whatever else it may be. */
export function isEcho(message: Uint8Array): boolean {
  return message.length >= HEADER && message[0] === ECHO;
}

/**
 * Tells the sender of a packet that it cannot get there.
 * @param packet The packet.
 * @param code Why: see {@linkcode ICMP_UNREACHABLE}.
 */
export function unreachable(packet: Pick<Ipv4Packet, "header" | "payload">, code: number): Uint8Array {
  const { header, payload } = packet;
  const quoted = payload.subarray(0, QUOTED);
  const message = new Uint8Array(HEADER + header.length + quoted.length);
  message[0] = UNREACHABLE;
  message[1] = code;
  message.set(header, HEADER);
  message.set(quoted, HEADER + header.length);
  return sealed(message);
}

function sealed(message: Uint8Array): Uint8Array {
  message[CHECKSUM] = message[CHECKSUM + 1] = 0;
  const sum = internetChecksum(message);
  message[CHECKSUM] = sum >> 8;
  message[CHECKSUM + 1] = sum;
  return message;
}
