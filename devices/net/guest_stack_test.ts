/**
 * A guest's network for tests: a card that keeps frames, and a TCP of its own that is as simple as can be; and a host's network that
 * is not there.
 * @module
 */

import { assertEquals } from "@std/assert";
import { VirtualClock } from "../clock.ts";
import type { DnsData, DnsType } from "./dns_message.ts";
import { ETHERNET_MOST, type EthernetCard } from "./ethernet.ts";
import {
  type HostAddress,
  type HostDatagrams,
  type HostListener,
  type HostRefusal,
  HostSocketError,
  type HostSockets,
  type HostStream,
} from "./host_sockets.ts";
import { internetChecksum } from "./internet_checksum.ts";
import { type Ipv4Packet, parseIpv4, writeIpv4 } from "./ipv4.ts";
import { parseTcp, TCP, type TcpSegment, writeTcp } from "./tcp_segment.ts";
import { buildUdp, parseUdp, type UdpDatagram } from "./udp.ts";
import { USER_GATEWAY_MAC, USER_GUEST, UserNetwork, type UserNetworkOptions } from "./user_network.ts";

export const MAC = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);

/** Lets promises of a few steps come true. */
export async function settle(): Promise<void> {
  for (let n = 0; n < 200; n++) await Promise.resolve();
}

/** Bytes that tell where they are from. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, n) => n * 31 + (n >> 8) * 7 + (n >> 16));
}

/** The host's side of a connection, in the hands of a test. */
export class FakeStream implements HostStream {
  /** What the guest has sent. */
  written: number[] = [];
  /** How much more is taken; then writes wait. */
  room = Infinity;
  ended = false;
  closed = false;
  fails = false;
  readonly #incoming: Uint8Array[] = [];
  #end = false;
  #wake: () => void = () => {};
  #takes: () => void = () => {};

  /** Something comes for the guest. */
  push(bytes: Uint8Array): void {
    this.#incoming.push(bytes);
    this.#wake();
  }

  /** The other side sends no more. */
  finish(): void {
    this.#end = true;
    this.#wake();
  }

  /** The connection breaks. */
  break(): void {
    this.fails = true;
    this.#wake();
    this.#takes();
  }

  /** Takes more. */
  take(count: number): void {
    this.room += count;
    this.#takes();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#incoming.length === 0 && !this.#end && !this.fails && !this.closed) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.fails || this.closed) throw new Error("broken");
    const [first] = this.#incoming;
    if (first === undefined) return null;
    const part = first.subarray(0, into.length);
    into.set(part);
    if (part.length === first.length) this.#incoming.shift();
    else this.#incoming[0] = first.subarray(part.length);
    return part.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.room === 0 && !this.fails && !this.closed) await new Promise<void>((resolve) => this.#takes = resolve);
    if (this.fails || this.closed) throw new Error("broken");
    const part = bytes.subarray(0, this.room);
    for (const byte of part) this.written.push(byte);
    this.room -= part.length;
    return part.length;
  }

  closeWrite(): Promise<void> {
    this.ended = true;
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.#wake();
    this.#takes();
  }
}

/** A host's network in the hands of a test. */
export class FakeSockets implements HostSockets {
  readonly streams: { to: HostAddress; stream: FakeStream; signal: AbortSignal }[] = [];
  readonly listeners: { at: HostAddress; accepted: (stream: HostStream, from: HostAddress) => void }[] = [];
  readonly udp: {
    at: HostAddress;
    received: (bytes: Uint8Array, from: HostAddress) => void;
    sent: { bytes: Uint8Array; to: HostAddress }[];
    closed: boolean;
  }[] = [];
  /** What the host does not do; undefined: all is done. */
  refusal: HostRefusal | undefined;
  readonly names: Map<string, readonly DnsData[]> = new Map();
  closed = 0;

  // deno-lint-ignore require-await
  async connect(to: HostAddress, signal: AbortSignal): Promise<HostStream> {
    if (this.refusal !== undefined) throw new HostSocketError(this.refusal, "no");
    const stream = new FakeStream();
    this.streams.push({ to, stream, signal });
    return stream;
  }

  listen(at: HostAddress, accepted: (stream: HostStream, from: HostAddress) => void): HostListener {
    this.listeners.push({ at, accepted });
    return { at, close: () => this.closed++ };
  }

  datagrams(at: HostAddress, received: (bytes: Uint8Array, from: HostAddress) => void): HostDatagrams {
    const socket = { at, received, sent: [] as { bytes: Uint8Array; to: HostAddress }[], closed: false };
    this.udp.push(socket);
    return {
      opened: Promise.resolve(at),
      send: (bytes, to) => {
        if (this.refusal !== undefined) return false;
        socket.sent.push({ bytes: bytes.slice(), to });
        return true;
      },
      close: () => {
        socket.closed = true;
      },
    };
  }

  resolve(name: string, type: DnsType): Promise<readonly DnsData[]> {
    if (this.refusal !== undefined) return Promise.reject(new HostSocketError(this.refusal, "no"));
    return Promise.resolve(this.names.get(`${name} ${type}`) ?? []);
  }
}

/** A guest with its card, and the network behind it. */
export class TestGuest implements EthernetCard {
  largest: number = ETHERNET_MOST;
  readonly clock = new VirtualClock();
  readonly sockets = new FakeSockets();
  readonly network: UserNetwork;
  readonly address: number;
  /** What has come and was not looked at. */
  frames: Uint8Array[] = [];
  /** How many more frames there is room for. */
  room = Infinity;
  /** Looks at each frame first; false: it is lost. */
  passes: (frame: Uint8Array) => boolean = () => true;
  /** Sees each TCP segment in place of {@linkcode frames}. */
  onTcp: ((segment: TcpSegment, packet: Ipv4Packet) => void) | undefined;

  constructor(options: Partial<UserNetworkOptions> = {}, address: number = USER_GUEST) {
    this.address = address;
    this.network = new UserNetwork({ clock: this.clock, sockets: this.sockets, ...options });
    this.network.connect(this);
  }

  receive(frame: Uint8Array, segmentSize?: number): boolean {
    assertEquals(frame.length <= this.largest, true);
    const isCut = segmentSize !== undefined;
    assertEquals(isCut ? this.largest > ETHERNET_MOST : frame.length <= ETHERNET_MOST, true, "what is to be cut");
    if (this.room === 0) return false;
    this.room--;
    if (!this.passes(frame)) return true;
    const packet = frame[12] === 8 && frame[13] === 0 ? parseIpv4(frame.subarray(14)) : undefined;
    const segment = packet?.protocol === 6 ? parseTcp(packet, { unchecked: segmentSize !== undefined }) : undefined;
    if (segment !== undefined && this.onTcp !== undefined) {
      // A guest does not answer while its card takes a frame.
      queueMicrotask(() => this.onTcp?.({ ...segment, payload: segment.payload.slice() }, packet!));
    } else {
      this.frames.push(frame.slice());
    }
    return true;
  }

  /** What has come since somebody looked last, as packets. */
  packets(): Ipv4Packet[] {
    const frames = this.frames;
    this.frames = [];
    return frames.filter((frame) => frame[12] === 8 && frame[13] === 0).map((frame) => {
      const packet = parseIpv4(frame.subarray(14));
      assertEquals(packet === undefined, false, "a sound packet");
      return packet!;
    });
  }

  /** The same as datagrams. */
  datagrams(): (UdpDatagram & { from: number; to: number })[] {
    return this.packets().filter(({ protocol }) => protocol === 17).map((packet) => {
      const datagram = parseUdp(packet);
      assertEquals(datagram === undefined, false, "a sound datagram");
      return { ...datagram!, from: packet.source, to: packet.destination };
    });
  }

  /** The same as types and codes of ICMP. */
  icmp(): [type: number, code: number][] {
    return this.packets().filter(({ protocol }) => protocol === 1).map(({ payload }) => {
      assertEquals(internetChecksum(payload), 0);
      return [payload[0], payload[1]];
    });
  }

  /** Sends a frame with a payload of IP. */
  sendIp(
    destination: number,
    protocol: number,
    payload: Uint8Array,
    more: Partial<{ offset: number; more: boolean; identification: number; source: number }> = {},
  ): void {
    const frame = new Uint8Array(34 + payload.length);
    frame.set(USER_GATEWAY_MAC);
    frame.set(MAC, 6);
    frame[12] = 8;
    writeIpv4(frame.subarray(14), { source: this.address, destination, protocol, length: payload.length, ...more });
    frame.set(payload, 34);
    this.network.send(frame);
  }

  sendUdp(destination: number, destinationPort: number, payload: Uint8Array, sourcePort = 5000): void {
    const bytes = buildUdp({ sourcePort, destinationPort, payload }, { source: this.address, destination });
    this.sendIp(destination, 17, bytes);
  }
}

/** A TCP connection in the guest: it sends one window at a time, and acknowledges each segment. */
export class TestTcp {
  readonly guest: TestGuest;
  readonly peer: number;
  readonly peerPort: number;
  readonly port: number;
  /** What has come. */
  received: number[] = [];
  /** How many more bytes are taken. */
  room = 60000;
  state: "new" | "calling" | "open" | "reset" = "new";
  peerEnded = false;
  ended = false;
  endAcknowledged = false;
  /** The network's answer to SYN, and its last window. */
  synAck: TcpSegment | undefined;
  window = 0;
  scale = 0;
  /** Windows that are told are shifted by so many bits. */
  ownScale = 0;
  segmentSize = 1460;
  sequence = 1000;
  acknowledged = 1000;
  expected = 0;
  /** All that has been sent since the beginning. */
  outgoing: Uint8Array = new Uint8Array(0);
  largestSegment = 0;

  constructor(guest: TestGuest, options: { peer: number; peerPort: number; port?: number }) {
    this.guest = guest;
    this.peer = options.peer;
    this.peerPort = options.peerPort;
    this.port = options.port ?? 40000;
    guest.onTcp = (segment, packet) => {
      if (packet.source === this.peer && segment.destinationPort === this.port) this.receive(segment);
    };
  }

  send(flags: number, payload: Uint8Array = new Uint8Array(0), sequence: number = this.sequence): void {
    const syn = (flags & TCP.SYN) !== 0;
    const bytes = new Uint8Array(20 + (syn ? 8 : 0) + payload.length);
    bytes.set(payload, bytes.length - payload.length);
    const header = {
      sourcePort: this.port,
      destinationPort: this.peerPort,
      sequence: sequence >>> 0,
      acknowledgment: this.expected,
      flags,
      window: Math.min(0xffff, syn ? this.room : this.room >> this.ownScale),
      ...(syn ? { segmentSize: this.segmentSize, scale: this.ownScale } : {}),
    };
    writeTcp(bytes, header, { source: this.guest.address, destination: this.peer });
    this.guest.sendIp(this.peer, 6, bytes);
  }

  async connect(): Promise<void> {
    this.state = "calling";
    this.send(TCP.SYN);
    await settle();
  }

  /** Sends bytes behind all that was sent before. */
  write(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.outgoing.length + bytes.length);
    joined.set(this.outgoing);
    joined.set(bytes, this.outgoing.length);
    this.outgoing = joined;
    this.pump();
  }

  end(): void {
    this.ended = true;
    this.pump();
  }

  /** Sends as far as the window goes. */
  pump(): void {
    if (this.state !== "open") return;
    for (;;) {
      const done = this.sequence - 1001, flying = this.sequence - this.acknowledged;
      const length = Math.min(this.segmentSize, this.outgoing.length - done, this.window - flying);
      if (length <= 0) break;
      this.send(TCP.ACK | TCP.PSH, this.outgoing.subarray(done, done + length));
      this.sequence += length;
    }
    if (this.ended && this.sequence - 1001 === this.outgoing.length) {
      this.send(TCP.ACK | TCP.FIN);
      this.sequence++;
    }
  }

  /** Sends again what was not acknowledged. */
  retry(): void {
    this.sequence = this.acknowledged;
    this.pump();
  }

  receive(segment: TcpSegment): void {
    const { flags, sequence, acknowledgment, payload, window } = segment;
    this.largestSegment = Math.max(this.largestSegment, payload.length);
    if ((flags & TCP.RST) !== 0) {
      this.state = "reset";
      return;
    }
    if ((flags & TCP.SYN) !== 0) {
      this.synAck = segment;
      this.expected = sequence + 1 >>> 0;
      this.scale = segment.scale ?? 0;
      this.window = window;
      if (this.state === "new") {
        this.send(TCP.SYN | TCP.ACK); // called
        this.sequence++;
        this.state = "open";
        return;
      }
      if (this.state === "calling") this.sequence++;
      this.acknowledged = acknowledgment;
      this.state = "open";
      this.send(TCP.ACK);
      return;
    }
    if ((acknowledgment - this.acknowledged | 0) > 0) this.acknowledged = acknowledgment;
    this.window = window << this.scale;
    if (this.ended && this.acknowledged - 1001 === this.outgoing.length + 1) this.endAcknowledged = true;
    const fin = (flags & TCP.FIN) !== 0;
    if (payload.length > 0 || fin) {
      if (sequence === this.expected) {
        const taken = Math.min(payload.length, this.room);
        for (let n = 0; n < taken; n++) this.received.push(payload[n]);
        this.room -= taken;
        this.expected = this.expected + taken >>> 0;
        if (fin && taken === payload.length) {
          this.expected = this.expected + 1 >>> 0;
          this.peerEnded = true;
        }
      }
      this.send(TCP.ACK);
    }
  }
}
