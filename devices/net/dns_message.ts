/**
 * Messages of DNS (RFC 1035) as far as a forwarder needs them: one question understood, an answer written.
 * @module
 */

import { parseIpv4Address } from "./ipv4.ts";

/** The types of records that are forwarded, by number. */
export const DNS_TYPES = { A: 1, NS: 2, CNAME: 5, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 } as const;

/** A type of records. */
export type DnsType = keyof typeof DNS_TYPES;

/** What a record says. */
export type DnsData =
  | { readonly type: "A" | "AAAA" | "NS" | "CNAME" | "PTR"; readonly value: string }
  | { readonly type: "MX"; readonly preference: number; readonly exchange: string }
  | { readonly type: "TXT"; readonly texts: readonly string[] }
  | {
    readonly type: "SRV";
    readonly priority: number;
    readonly weight: number;
    readonly port: number;
    readonly target: string;
  };

/** How a question was answered. */
export const DNS_CODE = {
  NO_ERROR: 0,
  FORMAT_ERROR: 1,
  SERVER_FAILURE: 2,
  NO_NAME: 3,
  NOT_IMPLEMENTED: 4,
  REFUSED: 5,
} as const;

/** A question. */
export interface DnsQuestion {
  /** By which the answer is known, 16 bits. */
  readonly id: number;
  /** Whether the asker wishes recursion. */
  readonly recursion: boolean;
  /** The name, without a dot at its end. */
  readonly name: string;
  /** The number of the type. */
  readonly type: number;
  /** The class: 1 is the Internet. */
  readonly class: number;
  /** The question as it came. */
  readonly bytes: Uint8Array;
  /** The most bytes that the answer may have. */
  readonly room: number;
}

const HEADER = 12;
const FLAGS = 2, QUESTIONS = 4, ANSWERS = 6, AUTHORITIES = 8, ADDITIONAL = 10;
const RESPONSE = 0x8000, OPERATION = 0x7800, TRUNCATED = 0x0200, RECURSION = 0x0100, AVAILABLE = 0x0080;
const LABEL_MOST = 63, NAME_MOST = 255, TEXT_MOST = 255;
const EDNS = 41, ROOM_LEAST = 512, ROOM_MOST = 1232;
/** The name of the question, as a reference. */
const POINTER = 0xc000 | HEADER;
const INTERNET = 1;
/** How long an answer holds, in seconds. */
const TIME_TO_LIVE = 60;

/**
 * Understands a question.
 * @param bytes The message.
 * @returns It; none: that is no message with one question.
 */
export function parseDnsQuestion(bytes: Uint8Array): DnsQuestion | undefined {
  if (bytes.length < HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint16(FLAGS);
  if ((flags & (RESPONSE | OPERATION)) !== 0 || view.getUint16(QUESTIONS) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > LABEL_MOST || at + 1 + length > bytes.length) return undefined;
    if (at - HEADER > NAME_MOST) return undefined;
    at++;
    if (length === 0) break;
    labels.push(String.fromCharCode(...bytes.subarray(at, at + length)));
    at += length;
  }
  if (at + 4 > bytes.length) return undefined;
  const end = at + 4;
  return {
    id: view.getUint16(0),
    recursion: (flags & RECURSION) !== 0,
    name: labels.join("."),
    type: view.getUint16(at),
    class: view.getUint16(at + 2),
    bytes: bytes.slice(HEADER, end),
    room: roomOf(view, end),
  };
}

/** What an extension (RFC 6891) says right behind the question, if there is one. */
function roomOf(view: DataView, at: number): number {
  const extended = view.getUint16(ANSWERS) === 0 && view.getUint16(AUTHORITIES) === 0 &&
    view.getUint16(ADDITIONAL) > 0 && at + 5 <= view.byteLength && view.getUint8(at) === 0 &&
    view.getUint16(at + 1) === EDNS;
  return extended ? Math.min(ROOM_MOST, Math.max(ROOM_LEAST, view.getUint16(at + 3))) : ROOM_LEAST;
}

/**
 * Writes an answer. Records for which there is no room are left out, and the answer says so.
 * @param question The question.
 * @param code See {@linkcode DNS_CODE}.
 * @param records What was found.
 */
export function buildDnsAnswer(question: DnsQuestion, code: number, records: readonly DnsData[] = []): Uint8Array {
  const bytes: number[] = new Array<number>(HEADER).fill(0);
  bytes.push(...question.bytes);
  let count = 0;
  let truncated = false;
  for (const record of records) {
    const data = dataBytes(record);
    if (data === undefined) continue;
    if (bytes.length + 12 + data.length > question.room) {
      truncated = true;
      break;
    }
    bytes.push(...word(POINTER), ...word(DNS_TYPES[record.type]), ...word(INTERNET));
    bytes.push(...word(0), ...word(TIME_TO_LIVE), ...word(data.length), ...data);
    count++;
  }
  const answer = Uint8Array.from(bytes), view = new DataView(answer.buffer);
  view.setUint16(0, question.id);
  const flags = RESPONSE | AVAILABLE | (question.recursion ? RECURSION : 0) | (truncated ? TRUNCATED : 0);
  view.setUint16(FLAGS, flags | code);
  view.setUint16(QUESTIONS, 1);
  view.setUint16(ANSWERS, count);
  return answer;
}

/** The bytes of a record; none: the host has said something that no record can hold. */
function dataBytes(record: DnsData): number[] | undefined {
  switch (record.type) {
    case "A": {
      const address = parseIpv4Address(record.value);
      return address === undefined ? undefined : [...word(address >>> 16), ...word(address & 0xffff)];
    }
    case "AAAA":
      return ipv6Bytes(record.value);
    case "NS":
    case "CNAME":
    case "PTR":
      return nameBytes(record.value);
    case "MX": {
      const name = nameBytes(record.exchange);
      return name && [...word(record.preference), ...name];
    }
    case "SRV": {
      const name = nameBytes(record.target);
      return name && [...word(record.priority), ...word(record.weight), ...word(record.port), ...name];
    }
    case "TXT":
      return record.texts.flatMap((text) => {
        const bytes = new TextEncoder().encode(text).subarray(0, TEXT_MOST);
        return [bytes.length, ...bytes];
      });
  }
}

function word(value: number): [number, number] {
  return [value >> 8 & 0xff, value & 0xff];
}

function nameBytes(name: string): number[] | undefined {
  const labels = name.split(".").filter((label) => label !== "");
  const bytes = labels.flatMap((label) => [label.length, ...Array.from(label, (char) => char.charCodeAt(0) & 0xff)]);
  const long = labels.some((label) => label.length > LABEL_MOST) || bytes.length >= NAME_MOST;
  return long ? undefined : [...bytes, 0];
}

function ipv6Bytes(text: string): number[] | undefined {
  const [front, back, ...more] = text.split("::").map((half) => half === "" ? [] : half.split(":").flatMap(group));
  if (more.length > 0) return undefined;
  const missing = 8 - front.length - (back?.length ?? 0);
  if (back === undefined ? missing !== 0 : missing < 0) return undefined;
  const words = [...front, ...new Array<number>(missing).fill(0), ...back ?? []];
  return words.some((each) => !(each >= 0 && each <= 0xffff)) ? undefined : words.flatMap(word);
}

/** The words that a group stands for: one, or two if it is an IPv4 address. */
function group(text: string): number[] {
  const address = parseIpv4Address(text);
  if (address !== undefined) return [address >>> 16, address & 0xffff];
  return [/^[0-9a-f]{1,4}$/i.test(text) ? Number.parseInt(text, 16) : NaN];
}
