/**
 * A network for a guest that needs no rights on the host: a router with DHCP and DNS, whose other side are the sockets of the host.
 *
 * | address | |
 * | --- | --- |
 * | 10.0.2.2 | the router, and the host itself: its 127.0.0.1 |
 * | 10.0.2.3 | the DNS server |
 * | 10.0.2.15 | the guest, as DHCP tells it |
 *
 * There is no IPv6. Nothing that the guest sends makes anything throw or grow without bounds.
 * @module
 */

import type { CancelTimer, Clock } from "../clock.ts";
import { ARP_OPERATION, buildArp, parseArp } from "./arp.ts";
import { answerDhcp, DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from "./dhcp_server.ts";
import { DnsForwarder } from "./dns_forwarder.ts";
import {
  ETHER_TYPE,
  ETHER_TYPE_AT,
  ETHERNET_HEADER,
  ETHERNET_MOST,
  ETHERNET_MTU,
  type EthernetCard,
  type EthernetPort,
  type EthernetSendOptions,
  MAC_BROADCAST,
  MAC_LENGTH,
  writeEthernet,
} from "./ethernet.ts";
import type { HostAddress, HostSockets } from "./host_sockets.ts";
import { answerEcho, ICMP_UNREACHABLE, isEcho, unreachable } from "./icmp.ts";
import { IP_PROTOCOL, IPV4_HEADER, IPV4_MOST, type Ipv4Packet, parseIpv4, writeIpv4 } from "./ipv4.ts";
import { Ipv4Fragments } from "./ipv4_fragments.ts";
import type { TcpConnection, TcpOutput } from "./tcp_connection.ts";
import { TCP_CONNECTIONS_MOST, type TcpEnds, TcpNat } from "./tcp_nat.ts";
import { parseTcp, TCP, TCP_HEADER, tcpHeaderLength, writeTcp } from "./tcp_segment.ts";
import { buildUdp, parseUdp } from "./udp.ts";
import { UdpNat } from "./udp_nat.ts";

/** The network, and which part of an address is its number. */
export const USER_NETWORK = 0x0a000200, USER_NETWORK_MASK = 0xffffff00;
/** The router, which also stands for the host. */
export const USER_GATEWAY: number = USER_NETWORK + 2;
/** The DNS server. */
export const USER_DNS: number = USER_NETWORK + 3;
/** The guest. */
export const USER_GUEST: number = USER_NETWORK + 15;
/** The router's Ethernet address. */
export const USER_GATEWAY_MAC: Uint8Array = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);

const EVERYBODY = 0xffffffff;
const NETWORK_BROADCAST = (USER_NETWORK | ~USER_NETWORK_MASK) >>> 0;
const LOOPBACK = 0x7f000001, LOOPBACK_NETWORK = 0x7f, MULTICAST_FIRST = 0xe0;
const DNS_PORT = 53;
/** So many frames wait for room at the card; more are lost. */
const QUEUE_MOST = 256;
/** So many Ethernet addresses of guests are remembered. */
const NEIGHBOURS_MOST = 64;
const LEASE = { address: USER_GUEST, mask: USER_NETWORK_MASK, gateway: USER_GATEWAY, dns: USER_DNS };

/** A port of the host that leads to the guest. */
export interface PortForward {
  /** What is forwarded. */
  readonly protocol: "tcp" | "udp";
  /** Where the host listens. */
  readonly at: HostAddress;
  /** The guest's port. */
  readonly port: number;
}

/** What the network is made from. */
export interface UserNetworkOptions {
  /** The time, for all that is sent again or forgotten. */
  readonly clock: Clock;
  /** The host's network. */
  readonly sockets: HostSockets;
  /** The most TCP connections at one time; {@linkcode TCP_CONNECTIONS_MOST} unless told. */
  readonly connections?: number;
  /** Called when a frame for the guest has been put into the card, also from the event loop. */
  readonly delivered?: () => void;
}

/** The network. */
export class UserNetwork implements EthernetPort, Disposable {
  readonly #clock: Clock;
  readonly #delivered: () => void;
  readonly #dns: DnsForwarder;
  readonly #tcp: TcpNat;
  readonly #udp: UdpNat;
  readonly #fragments: Ipv4Fragments = new Ipv4Fragments();
  /** The guest's Ethernet address for each of its IPv4 addresses. */
  readonly #neighbours: Map<number, Uint8Array> = new Map();
  readonly #queue: Uint8Array[] = [];
  /** Connections that have something to send. */
  readonly #due: Set<TcpConnection> = new Set();
  #soon: CancelTimer | undefined;
  #card: EthernetCard | undefined;
  #identification = 0;

  /**
   * Makes a network.
   * @param options What it is made from.
   */
  constructor(options: UserNetworkOptions) {
    const { clock, sockets, delivered = () => {}, connections = TCP_CONNECTIONS_MOST } = options;
    this.#clock = clock;
    this.#delivered = delivered;
    this.#dns = new DnsForwarder(sockets);
    const world = { clock, sockets, toHost, toGuest };
    this.#tcp = new TcpNat({
      ...world,
      connections,
      segmentSize: ETHERNET_MTU - IPV4_HEADER - TCP_HEADER,
      largest: () => this.#largest,
      send: (ends, output, connection) => this.#sendTcp(ends, output, connection),
      later: (connection) => this.#later(connection),
      unreachable: (packet, code) => this.#unreachable(packet, code),
    });
    this.#udp = new UdpNat({
      ...world,
      local: (address) => address >>> 24 === LOOPBACK_NETWORK ? LOOPBACK : 0,
      send: (datagram, source, destination) => {
        const payload = buildUdp(datagram, { source, destination });
        this.#sendIp({ source, destination, protocol: IP_PROTOCOL.UDP, payload });
      },
      unreachable: (packet, code) => this.#unreachable(packet, code),
    });
  }

  /** Whether something may come for the guest without its doing. */
  get awaits(): boolean {
    const open = this.#tcp.size + this.#udp.size + this.#dns.open;
    return open + this.#tcp.forwards + this.#udp.forwards > 0;
  }

  /** How many TCP connections there are. */
  get connections(): number {
    return this.#tcp.size;
  }

  /**
   * Forwards a port of the host to the guest.
   * @param forward Which.
   * @returns Where the host listens, once it does.
   * @throws HostSocketError That cannot be.
   */
  async forward({ protocol, at, port }: PortForward): Promise<HostAddress> {
    const to = { address: USER_GUEST, port };
    return await (protocol === "tcp" ? this.#tcp : this.#udp).forward(at, to);
  }

  /** Plugs a card in. */
  connect(card: EthernetCard): void {
    this.#card = card;
  }

  /** Takes a frame from the card. */
  send(frame: Uint8Array, { unchecked = false }: EthernetSendOptions = {}): void {
    if (frame.length < ETHERNET_HEADER) return;
    const contents = frame.subarray(ETHERNET_HEADER);
    const type = frame[ETHER_TYPE_AT] << 8 | frame[ETHER_TYPE_AT + 1];
    const sender = frame.subarray(MAC_LENGTH, 2 * MAC_LENGTH);
    if (type === ETHER_TYPE.ARP) this.#receiveArp(contents);
    else if (type === ETHER_TYPE.IPV4) this.#receiveIpv4(contents, sender, unchecked);
  }

  /** The card has room again. */
  resume(): void {
    while (this.#queue.length > 0) {
      if (!this.#give(this.#queue[0])) return;
      this.#queue.shift();
    }
    this.#flush();
  }

  /** Closes all sockets of the host. */
  [Symbol.dispose](): void {
    this.#tcp.close();
    this.#udp.close();
    this.#soon?.();
    this.#due.clear();
    this.#queue.length = 0;
  }

  #receiveArp(bytes: Uint8Array): void {
    const message = parseArp(bytes);
    if (message === undefined) return;
    const { operation, sender, senderMac, target } = message;
    if (isGuest(sender)) this.#learn(sender, senderMac);
    if (operation !== ARP_OPERATION.REQUEST || !isRouter(target)) return;
    const reply = { operation: ARP_OPERATION.REPLY, senderMac: USER_GATEWAY_MAC, sender: target, target: sender };
    this.#transmit(buildArp(reply, senderMac));
  }

  #learn(address: number, mac: Uint8Array): void {
    const known = this.#neighbours.get(address);
    if (known?.every((byte, n) => byte === mac[n])) return;
    if ((mac[0] & 1) !== 0) return;
    this.#neighbours.delete(address);
    this.#neighbours.set(address, mac.slice());
    if (this.#neighbours.size > NEIGHBOURS_MOST) this.#neighbours.delete(this.#neighbours.keys().next().value!);
    if (this.#due.size > 0) this.#soonFlush();
  }

  #receiveIpv4(bytes: Uint8Array, sender: Uint8Array, unchecked: boolean): void {
    const part = parseIpv4(bytes);
    if (part === undefined) return;
    const packet = this.#fragments.take(part, this.#clock.now());
    if (packet === undefined) return;
    const { source, destination, protocol } = packet;
    if (protocol === IP_PROTOCOL.UDP) {
      this.#receiveUdp(packet, sender, unchecked);
      return;
    }
    if (!isGuest(source) || isForMany(destination)) return;
    this.#learn(source, sender);
    switch (protocol) {
      case IP_PROTOCOL.TCP: {
        const segment = parseTcp(packet, { unchecked });
        if (segment !== undefined) this.#tcp.receive(segment, packet);
        return;
      }
      case IP_PROTOCOL.ICMP:
        this.#receiveIcmp(packet);
        return;
      default:
        this.#unreachable(packet, ICMP_UNREACHABLE.PROTOCOL);
    }
  }

  /** UDP, also from a guest that has no address yet. */
  #receiveUdp(packet: Ipv4Packet, sender: Uint8Array, unchecked: boolean): void {
    const { source, destination } = packet;
    const datagram = parseUdp(packet, { unchecked });
    if (datagram === undefined) return;
    const { sourcePort, destinationPort, payload } = datagram;
    if (destinationPort === DHCP_SERVER_PORT && (destination === EVERYBODY || isRouter(destination))) {
      this.#receiveDhcp(payload);
      return;
    }
    if (!isGuest(source) || isForMany(destination)) return;
    this.#learn(source, sender);
    if (destination !== USER_DNS) {
      this.#udp.receive(datagram, packet);
    } else if (destinationPort !== DNS_PORT) {
      this.#unreachable(packet, ICMP_UNREACHABLE.PORT);
    } else {
      this.#dns.ask(payload, (bytes) => {
        const ends = { source: USER_DNS, destination: source };
        const answer = buildUdp({ sourcePort: DNS_PORT, destinationPort: sourcePort, payload: bytes }, ends);
        this.#sendIp({ ...ends, protocol: IP_PROTOCOL.UDP, payload: answer });
      });
    }
  }

  #receiveDhcp(message: Uint8Array): void {
    const answer = answerDhcp(message, LEASE);
    if (answer === undefined) return;
    const ends = { source: USER_GATEWAY, destination: answer.to ?? EVERYBODY };
    const ports = { sourcePort: DHCP_SERVER_PORT, destinationPort: DHCP_CLIENT_PORT };
    const payload = buildUdp({ ...ports, payload: answer.bytes }, ends);
    this.#sendIp({ ...ends, protocol: IP_PROTOCOL.UDP, payload });
  }

  #receiveIcmp(packet: Ipv4Packet): void {
    const { source, destination, payload } = packet;
    if (!isRouter(destination)) {
      // Of other messages none may be answered, or there would be answers to answers (RFC 1122, 3.2.2).
      if (isEcho(payload)) this.#unreachable(packet, ICMP_UNREACHABLE.HOST);
      return;
    }
    const answer = answerEcho(payload);
    if (answer === undefined) return;
    this.#sendIp({ source: destination, destination: source, protocol: IP_PROTOCOL.ICMP, payload: answer });
  }

  #unreachable(packet: Pick<Ipv4Packet, "header" | "payload" | "source" | "destination">, code: number): void {
    const payload = unreachable(packet, code);
    this.#sendIp({ source: USER_GATEWAY, destination: packet.source, protocol: IP_PROTOCOL.ICMP, payload });
  }

  /** Sends a packet to the guest, in fragments if it has to be. */
  #sendIp(
    packet: {
      readonly source: number;
      readonly destination: number;
      readonly protocol: number;
      readonly payload: Uint8Array;
    },
  ): void {
    const { payload, destination } = packet;
    const to = destination === EVERYBODY ? MAC_BROADCAST : this.#neighbours.get(destination);
    if (to === undefined) {
      this.#askFor(destination);
      return;
    }
    const identification = this.#identification = this.#identification + 1 & 0xffff;
    const step = ETHERNET_MTU - IPV4_HEADER & ~7;
    const isWhole = payload.length <= ETHERNET_MTU - IPV4_HEADER;
    for (let offset = 0; offset === 0 || offset < payload.length; offset += step) {
      const part = isWhole ? payload : payload.subarray(offset, offset + step);
      const frame = new Uint8Array(ETHERNET_HEADER + IPV4_HEADER + part.length);
      writeEthernet(frame, { to, from: USER_GATEWAY_MAC, type: ETHER_TYPE.IPV4 });
      const more = !isWhole && offset + step < payload.length;
      const header = { ...packet, length: part.length, identification, offset, more };
      writeIpv4(frame.subarray(ETHERNET_HEADER), header);
      frame.set(part, ETHERNET_HEADER + IPV4_HEADER);
      this.#transmit(frame);
      if (isWhole) return;
    }
  }

  /** Sends a segment to the guest; false: there is no room, or nobody knows yet where the guest is. */
  #sendTcp(ends: TcpEnds, output: TcpOutput, connection?: TcpConnection): boolean {
    const { guest, guestPort, peer, peerPort } = ends;
    const to = this.#neighbours.get(guest);
    if (to === undefined || this.#queue.length > 0) {
      if (to === undefined) this.#askFor(guest);
      if (connection !== undefined) this.#due.add(connection);
      return false;
    }
    const { length, segmentSize, scale } = output;
    const announced = (output.flags & TCP.SYN) !== 0 ? ETHERNET_MTU - IPV4_HEADER - TCP_HEADER : undefined;
    const options = { segmentSize: announced, scale };
    const headerLength = tcpHeaderLength(options), frame = new Uint8Array(TCP_AT + headerLength + length);
    const isLarge = length > segmentSize;
    writeEthernet(frame, { to, from: USER_GATEWAY_MAC, type: ETHER_TYPE.IPV4 });
    const addresses = { source: peer, destination: guest };
    const identification = this.#identification = this.#identification + 1 & 0xffff;
    const ip = { ...addresses, protocol: IP_PROTOCOL.TCP, length: headerLength + length, identification };
    writeIpv4(frame.subarray(ETHERNET_HEADER), ip);
    output.fill(frame.subarray(TCP_AT + headerLength));
    const { sequence, acknowledgment, flags, window } = output;
    const header = { sourcePort: peerPort, destinationPort: guestPort, sequence, acknowledgment, flags, window };
    writeTcp(frame.subarray(TCP_AT), { ...header, ...options }, { ...addresses, partial: isLarge });
    if (connection === undefined) {
      this.#transmit(frame);
      return true;
    }
    const taken = this.#give(frame, isLarge ? segmentSize : undefined);
    if (!taken) this.#due.add(connection);
    return taken;
  }

  /** The most payload of what the card takes for several segments; 0: it takes nothing of the kind. */
  get #largest(): number {
    const largest = Math.min(this.#card?.largest ?? 0, IPV4_MOST + ETHERNET_HEADER);
    return largest > ETHERNET_MOST ? largest - TCP_OVERHEAD : 0;
  }

  /** Asks who has an address. */
  #askFor(target: number): void {
    const { REQUEST: operation } = ARP_OPERATION;
    this.#transmit(buildArp({ operation, senderMac: USER_GATEWAY_MAC, sender: USER_GATEWAY, target }));
  }

  /** Sends a frame, now or when there is room. */
  #transmit(frame: Uint8Array): void {
    if (this.#queue.length === 0 && this.#give(frame)) return;
    if (this.#queue.length < QUEUE_MOST) this.#queue.push(frame);
  }

  #give(frame: Uint8Array, segmentSize?: number): boolean {
    if (this.#card === undefined) return true;
    const taken = this.#card.receive(frame, segmentSize);
    if (taken) this.#delivered();
    return taken;
  }

  #later(connection: TcpConnection): void {
    this.#due.add(connection);
    this.#soonFlush();
  }

  #soonFlush(): void {
    this.#soon ??= this.#clock.schedule(this.#clock.now(), () => {
      this.#soon = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#due.size === 0) return;
    const due = [...this.#due];
    this.#due.clear();
    for (const connection of due) connection.flush();
  }
}

const TCP_AT = ETHERNET_HEADER + IPV4_HEADER;
const TCP_OVERHEAD = TCP_AT + TCP_HEADER;

/** Where on the host an address of the guest's world is. */
function toHost(address: number): number | undefined {
  if (address === USER_GATEWAY) return LOOPBACK;
  const first = address >>> 24;
  const isNowhere = isInside(address) || first === 0 || first === LOOPBACK_NETWORK || first >= MULTICAST_FIRST;
  return isNowhere ? undefined : address;
}

/** How the guest sees an address of the host's world. */
function toGuest(address: number): number {
  return address >>> 24 === LOOPBACK_NETWORK || address === 0 || isInside(address) ? USER_GATEWAY : address;
}

function isInside(address: number): boolean {
  return (address & USER_NETWORK_MASK) >>> 0 === USER_NETWORK;
}

function isRouter(address: number): boolean {
  return address === USER_GATEWAY || address === USER_DNS;
}

function isGuest(address: number): boolean {
  return isInside(address) && !isRouter(address) && address !== NETWORK_BROADCAST && address !== USER_NETWORK;
}

/** Whether more than one may be meant. */
function isForMany(address: number): boolean {
  return address >>> 24 >= MULTICAST_FIRST || address === NETWORK_BROADCAST;
}
