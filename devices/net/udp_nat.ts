/**
 * UDP of the guest on sockets of the host: one for each of the guest's ports, to which anybody may answer, and forwards from the
 * host's ports to the guest's.
 * @module
 */

import type { Clock } from "../clock.ts";
import { type HostAddress, type HostDatagrams, HostSocketError, type HostSockets } from "./host_sockets.ts";
import { ICMP_UNREACHABLE } from "./icmp.ts";
import type { Ipv4Packet } from "./ipv4.ts";
import type { UdpDatagram } from "./udp.ts";

/** The most sockets; the one that was used longest ago has to go for one more. */
const SOCKETS_MOST = 256;
/** A socket that is not used for so long is closed, in nanoseconds. */
const IDLE_NS = 60e9;
/** So many peers of a forward are remembered. */
const PEERS_MOST = 1024;
const ANY_PORT = 0;

/** What is needed. */
export interface UdpNatWires {
  /** The time. */
  readonly clock: Clock;
  /** The host's network. */
  readonly sockets: HostSockets;
  /** Where on the host an address of the guest's world is; none: nowhere. */
  readonly toHost: (address: number) => number | undefined;
  /** How the guest is to see an address of the host's world. */
  readonly toGuest: (address: number) => number;
  /** At which address of the host a socket has to be to reach an address of the host. */
  readonly local: (address: number) => number;
  /** Sends a datagram to the guest. */
  readonly send: (datagram: UdpDatagram, source: number, destination: number) => void;
  /** Tells the guest that something cannot be reached. */
  readonly unreachable: (packet: Ipv4Packet, code: number) => void;
}

/** A socket of the host for a port of the guest. */
interface Flow {
  readonly socket: HostDatagrams;
  used: number;
}

/** A forwarded port. */
interface Forward {
  readonly socket: HostDatagrams;
  /** To where. */
  readonly to: HostAddress;
  /** Who has sent something, as the guest sees them, and where they are on the host. */
  readonly peers: Map<string, HostAddress>;
}

/** The sockets. */
export class UdpNat {
  readonly #wires: UdpNatWires;
  /** In the order of their last use. */
  readonly #flows: Map<string, Flow> = new Map();
  readonly #forwards: Forward[] = [];

  /**
   * Makes a network without sockets.
   * @param wires What is needed.
   */
  constructor(wires: UdpNatWires) {
    this.#wires = wires;
  }

  /** How many sockets there are for the guest's ports. */
  get size(): number {
    return this.#flows.size;
  }

  /** How many of the host's ports are forwarded. */
  get forwards(): number {
    return this.#forwards.length;
  }

  /**
   * Takes a datagram from the guest.
   * @param datagram The datagram.
   * @param packet The packet that it was in.
   */
  receive(datagram: UdpDatagram, packet: Ipv4Packet): void {
    const { source, destination } = packet;
    const forward = this.#forwards.find(({ to }) => to.address === source && to.port === datagram.sourcePort);
    const peer = forward?.peers.get(`${destination} ${datagram.destinationPort}`);
    if (forward !== undefined && peer !== undefined) {
      forward.socket.send(datagram.payload, peer);
      return;
    }
    const address = this.#wires.toHost(destination);
    if (address === undefined) {
      this.#wires.unreachable(packet, ICMP_UNREACHABLE.HOST);
      return;
    }
    try {
      const flow = this.#flow({ address: source, port: datagram.sourcePort }, this.#wires.local(address));
      const allowed = flow.socket.send(datagram.payload, { address, port: datagram.destinationPort });
      if (!allowed) this.#wires.unreachable(packet, ICMP_UNREACHABLE.PROHIBITED);
    } catch (error) {
      if (!(error instanceof HostSocketError)) throw error;
      this.#wires.unreachable(packet, ICMP_UNREACHABLE.PROHIBITED);
    }
  }

  /**
   * Forwards a port of the host.
   * @param at The port.
   * @param to The guest's address and port.
   * @returns Where the host listens, once it does; rejected with {@linkcode HostSocketError} if it cannot.
   * @throws HostSocketError It must not.
   */
  forward(at: HostAddress, to: HostAddress): Promise<HostAddress> {
    const peers = new Map<string, HostAddress>();
    const socket = this.#wires.sockets.datagrams(at, (payload, from) => {
      const source = this.#wires.toGuest(from.address), key = `${source} ${from.port}`;
      peers.delete(key);
      peers.set(key, from);
      if (peers.size > PEERS_MOST) peers.delete(peers.keys().next().value!);
      this.#wires.send({ sourcePort: from.port, destinationPort: to.port, payload }, source, to.address);
    });
    this.#forwards.push({ socket, to, peers });
    return socket.opened;
  }

  /** Closes everything. */
  close(): void {
    for (const { socket } of this.#forwards.splice(0)) socket.close();
    for (const { socket } of this.#flows.values()) socket.close();
    this.#flows.clear();
  }

  /** The socket for a port of the guest, opened if there is none. */
  #flow(guest: HostAddress, local: number): Flow {
    const now = this.#wires.clock.now();
    const key = `${guest.address} ${guest.port} ${local}`;
    for (const [other, { socket, used }] of this.#flows) {
      const isLast = other === key || (now - used <= IDLE_NS && this.#flows.size < SOCKETS_MOST);
      if (isLast) break;
      socket.close();
      this.#flows.delete(other);
    }
    let flow = this.#flows.get(key);
    if (flow === undefined) {
      const socket = this.#wires.sockets.datagrams({ address: local, port: ANY_PORT }, (payload, from) => {
        const source = this.#wires.toGuest(from.address);
        this.#wires.send({ sourcePort: from.port, destinationPort: guest.port, payload }, source, guest.address);
      });
      flow = { socket, used: now };
    }
    flow.used = now;
    this.#flows.delete(key);
    this.#flows.set(key, flow);
    return flow;
  }
}
