/**
 * TCP of the guest on connections of the host, and forwards from the host's ports to the guest's.
 * @module
 */

import type { Clock } from "../clock.ts";
import {
  type HostAddress,
  type HostListener,
  HostSocketError,
  type HostSockets,
  type HostStream,
} from "./host_sockets.ts";
import { ICMP_UNREACHABLE } from "./icmp.ts";
import type { Ipv4Packet } from "./ipv4.ts";
import type { TcpConnection, TcpOutput } from "./tcp_connection.ts";
import { TCP_WAITING_MOST, TcpRelay } from "./tcp_relay.ts";
import { TCP, type TcpSegment } from "./tcp_segment.ts";

/** The most connections unless told. */
export const TCP_CONNECTIONS_MOST = 512;

/** So many bytes wait on each way of all connections together, if each of them has enough with the least share. */
const WAITING_MOST = 0x2000000, SHARE_LEAST = 0x10000;

/** The ports that are tried for a peer whose own port is taken. */
const PORT_FIRST = 49152, PORT_LAST = 65535;

/** Between which ends a connection is: ports, and addresses as the guest sees them. */
export interface TcpEnds {
  /** The guest's address. */
  readonly guest: number;
  /** The guest's port. */
  readonly guestPort: number;
  /** The other side's address. */
  readonly peer: number;
  /** The other side's port. */
  readonly peerPort: number;
}

/** What is needed. */
export interface TcpNatWires {
  /** The time. */
  readonly clock: Clock;
  /** The host's network. */
  readonly sockets: HostSockets;
  /** The most connections at one time. */
  readonly connections: number;
  /** The most payload of a segment on the wire. */
  readonly segmentSize: number;
  /** See `TcpWires`. */
  readonly largest: () => number;
  /** Where on the host an address of the guest's world is; none: nowhere. */
  readonly toHost: (address: number) => number | undefined;
  /** How the guest is to see an address of the host's world. */
  readonly toGuest: (address: number) => number;
  /** Sends a segment to the guest; false: there is no room now. The connection is then flushed later. */
  readonly send: (ends: TcpEnds, output: TcpOutput, connection?: TcpConnection) => boolean;
  /** Asks for a flush of a connection soon. */
  readonly later: (connection: TcpConnection) => void;
  /** Tells the guest that something cannot be reached. */
  readonly unreachable: (
    packet: Pick<Ipv4Packet, "header" | "payload" | "source" | "destination">,
    code: number,
  ) => void;
}

/** A connection: what is joined, or how the attempt is given up. */
type Entry = { readonly relay: TcpRelay } | { readonly giveUp: AbortController };

/** The table of connections. */
export class TcpNat {
  readonly #wires: TcpNatWires;
  readonly #entries: Map<string, Entry> = new Map();
  readonly #listeners: HostListener[] = [];
  /** Connections of the host, with those that the guest has forgotten. */
  #streams = 0;

  /**
   * Makes an empty table.
   * @param wires What is needed.
   */
  constructor(wires: TcpNatWires) {
    this.#wires = wires;
  }

  /** How many connections there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many of the host's ports are forwarded. */
  get forwards(): number {
    return this.#listeners.length;
  }

  /**
   * Takes a segment from the guest.
   * @param segment The segment.
   * @param packet The packet that it was in.
   */
  receive(segment: TcpSegment, packet: Ipv4Packet): void {
    const { source: guest, destination: peer } = packet;
    const ends: TcpEnds = { guest, guestPort: segment.sourcePort, peer, peerPort: segment.destinationPort };
    const key = keyOf(ends);
    const entry = this.#entries.get(key);
    const isCall = (segment.flags & (TCP.SYN | TCP.ACK | TCP.RST)) === TCP.SYN;
    if (entry === undefined) {
      if (isCall) this.#connect(key, ends, segment, packet);
      else this.#refuse(ends, segment);
    } else if ("giveUp" in entry) {
      if ((segment.flags & TCP.RST) !== 0) {
        this.#entries.delete(key);
        entry.giveUp.abort();
      }
    } else if (isCall && entry.relay.connection.lingers) {
      entry.relay.connection.drop();
      this.#connect(key, ends, segment, packet);
    } else {
      entry.relay.connection.receive(segment);
    }
  }

  /**
   * Forwards a port of the host.
   * @param at The port.
   * @param to The guest's address and port.
   * @returns Where the host listens.
   * @throws HostSocketError That cannot be.
   */
  forward(at: HostAddress, to: HostAddress): HostAddress {
    const listener = this.#wires.sockets.listen(at, (stream, from) => this.#accept(stream, from, to));
    this.#listeners.push(listener);
    return listener.at;
  }

  /** Closes everything. */
  close(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
    for (const entry of [...this.#entries.values()]) {
      if ("giveUp" in entry) entry.giveUp.abort();
      else entry.relay.drop();
    }
    this.#entries.clear();
  }

  get #isFull(): boolean {
    return this.#streams >= this.#wires.connections;
  }

  async #connect(key: string, ends: TcpEnds, syn: TcpSegment, packet: Ipv4Packet): Promise<void> {
    const { sockets, toHost, unreachable } = this.#wires;
    // What is needed later must not lie in the guest's frame.
    const call: TcpSegment = { ...syn, payload: new Uint8Array(0) };
    const quoted = { ...packet, header: packet.header.slice(), payload: packet.payload.slice(0, 8) };
    const address = toHost(ends.peer);
    if (address === undefined) {
      unreachable(quoted, ICMP_UNREACHABLE.HOST);
      return;
    }
    if (this.#isFull) {
      this.#refuse(ends, call);
      return;
    }
    const giveUp = new AbortController(), entry: Entry = { giveUp };
    this.#entries.set(key, entry);
    this.#streams++;
    let stream: HostStream;
    try {
      stream = await sockets.connect({ address, port: ends.peerPort }, giveUp.signal);
    } catch (error) {
      this.#streams--;
      if (this.#entries.get(key) !== entry) return;
      this.#entries.delete(key);
      const refusal = error instanceof HostSocketError ? error.refusal : "refused";
      if (refusal === "refused") this.#refuse(ends, call);
      else unreachable(quoted, refusal === "forbidden" ? ICMP_UNREACHABLE.PROHIBITED : ICMP_UNREACHABLE.HOST);
      return;
    }
    if (this.#entries.get(key) !== entry) {
      this.#streams--;
      stream.close();
      return;
    }
    this.#join(key, ends, stream, call);
  }

  /** Somebody connects to a forwarded port. */
  #accept(stream: HostStream, from: HostAddress, to: HostAddress): void {
    const peer = this.#wires.toGuest(from.address);
    const place = { guest: to.address, guestPort: to.port, peer };
    const ends = this.#freeEnds({ ...place, peerPort: from.port });
    if (this.#isFull || ends === undefined) {
      stream.close();
      return;
    }
    this.#streams++;
    this.#join(keyOf(ends), ends, stream);
  }

  /** The same ends, or such with another port if they are taken. */
  #freeEnds(ends: TcpEnds): TcpEnds | undefined {
    if (!this.#entries.has(keyOf(ends))) return ends;
    for (let peerPort = PORT_FIRST; peerPort <= PORT_LAST; peerPort++) {
      if (!this.#entries.has(keyOf({ ...ends, peerPort }))) return { ...ends, peerPort };
    }
    return undefined;
  }

  #join(key: string, ends: TcpEnds, stream: HostStream, syn?: TcpSegment): void {
    const { clock, segmentSize, largest, send, later } = this.#wires;
    const relay = new TcpRelay(stream, {
      clock,
      segmentSize,
      largest,
      later,
      send: (connection, output) => send(ends, output, connection),
      share: () => Math.min(TCP_WAITING_MOST, Math.max(SHARE_LEAST, Math.floor(WAITING_MOST / this.#streams))),
      over: () => {
        if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
      closed: () => this.#streams--,
    }, { sequence: crypto.getRandomValues(new Uint32Array(1))[0], syn });
    const entry: Entry = { relay };
    this.#entries.set(key, entry);
    relay.connection.flush();
  }

  /** Tells the guest that there is no such connection (RFC 9293, 3.10.7.1). */
  #refuse(ends: TcpEnds, { flags, sequence, acknowledgment, payload }: TcpSegment): void {
    if ((flags & TCP.RST) !== 0) return;
    const answers = (flags & TCP.ACK) !== 0;
    const length = payload.length + (flags & TCP.SYN ? 1 : 0) + (flags & TCP.FIN ? 1 : 0);
    this.#wires.send(ends, {
      sequence: answers ? acknowledgment : 0,
      acknowledgment: answers ? 0 : sequence + length >>> 0,
      flags: answers ? TCP.RST : TCP.RST | TCP.ACK,
      window: 0,
      length: 0,
      segmentSize: this.#wires.segmentSize,
      fill: () => {},
    });
  }
}

function keyOf({ guest, guestPort, peer, peerPort }: TcpEnds): string {
  return `${guest}:${guestPort} ${peer}:${peerPort}`;
}
