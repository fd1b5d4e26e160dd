/**
 * One end of a TCP connection (RFC 9293): the network's, with the guest at the other one.
 *
 * What the guest sends out of order is dropped, for nothing but a loss makes it so; it sends it again. There is no congestion on the
 * way to the guest but what the guest itself loses: sending begins with the guest's whole window, and after a loss with one segment
 * (RFC 5681, slow start).
 * @module
 */

import type { CancelTimer, Clock } from "../clock.ts";
import { ByteRing } from "./byte_ring.ts";
import { TCP, tcpDistance, type TcpSegment } from "./tcp_segment.ts";

/** The most bytes that wait for the guest. */
const SEND_MOST = 0x100000;
/** Windows for the guest are shifted by so many bits. */
const SCALE = 4;
const WINDOW_MOST = 0xffff;
/** What a guest takes in a segment that does not say so (RFC 9293, 3.7.1), and the least that is believed. */
const SEGMENT_UNTOLD = 536, SEGMENT_LEAST = 64;

const MS = 1e6;
/** When something is sent again: at first, at least, and at most, in nanoseconds. */
const TIMEOUT_FIRST = 1000 * MS, TIMEOUT_LEAST = 200 * MS, TIMEOUT_MOST = 60_000 * MS;
/** So many times something is sent again without an answer; a SYN less often. */
const RETRIES_MOST = 10, SYN_RETRIES_MOST = 5;
const DUPLICATES = 3;
/** How long a connection stays after its end, for a FIN that comes again. */
const LINGER_NS = 2000 * MS;
/** A connection without a limit by congestion. */
const UNLIMITED = 2 ** 31;
/** A window is told anew when it has grown by so much. */
const WINDOW_STEP = 0x10000;

/** What a connection sends, but for addresses and ports. */
export interface TcpOutput {
  /** The number of its first byte. */
  readonly sequence: number;
  /** The number of the next byte that is expected. */
  readonly acknowledgment: number;
  /** See {@linkcode TCP}. */
  readonly flags: number;
  /** The window, scaled as it has to be. */
  readonly window: number;
  /** The scale of windows, with SYN. */
  readonly scale?: number;
  /** Bytes of payload. */
  readonly length: number;
  /** The payload of each segment that it stands for, where it is more than one. */
  readonly segmentSize: number;
  /**
   * Fills in the payload.
   * @param into Filled whole.
   */
  readonly fill: (into: Uint8Array) => void;
}

/** What a connection needs. */
export interface TcpWires {
  /** The time. */
  readonly clock: Clock;
  /** The most payload of a segment on the wire. */
  readonly segmentSize: number;
  /** The most payload of what the card takes for several segments; 0: it takes nothing of the kind. */
  readonly largest: () => number;
  /** Sends; false: there is no room, and {@linkcode TcpConnection.flush} will be called. */
  readonly send: (output: TcpOutput) => boolean;
  /** Asks for a call of {@linkcode TcpConnection.flush} soon, after all that the guest sends now. */
  readonly later: () => void;
  /** The guest has agreed: data can flow. */
  readonly established: () => void;
  /** How many bytes from the guest there is room for. */
  readonly receiveRoom: () => number;
  /** Takes bytes from the guest: never more than there is room for. They are the wire's again when the call returns. */
  readonly received: (bytes: Uint8Array) => void;
  /** The guest sends no more. */
  readonly receivedEnd: () => void;
  /** There is room for more bytes to the guest. */
  readonly room: () => void;
  /** It is over: both sides have ended, or the connection is broken. */
  readonly closed: (broken: boolean) => void;
}

/** How a connection begins. */
export interface TcpBeginning {
  /** The number of the first byte that will be sent, a random one. */
  readonly sequence: number;
  /** What the guest has sent, if it calls; none: it is called. */
  readonly syn?: TcpSegment;
}

type State = "calling" | "called" | "open" | "closed";

/** The connection. */
export class TcpConnection {
  readonly #wires: TcpWires;
  readonly #buffer: ByteRing = new ByteRing(SEND_MOST);
  #state: State;
  /** Up to where the guest has acknowledged, where the next segment begins, and the end of all that was ever sent. */
  #unacknowledged: number;
  #next: number;
  #highest: number;
  #window: number;
  #scale = 0;
  /** The numbers of the segment by which the window was told last. */
  #windowSequence: number;
  #windowAcknowledgment: number;
  #segmentSize: number = SEGMENT_UNTOLD;
  /** The next byte that is expected of the guest, and the end of the window that it was told. */
  #expected = 0;
  #edge = 0;
  #ownScale = 0;
  #congestion: number = UNLIMITED;
  #duplicates = 0;
  /** Whether the end is to be sent, is sent, and is acknowledged. */
  #ending = false;
  #endSent = false;
  #endAcknowledged = false;
  #guestEnded = false;
  #mustAcknowledge = false;
  #timer: CancelTimer | undefined;
  #timeout: number = TIMEOUT_FIRST;
  #retries = 0;
  #smoothed: number | undefined;
  #variation = 0;
  /** The segment whose way is measured: its end, and when it was sent. */
  #measured: { readonly end: number; readonly at: number } | undefined;
  #linger: CancelTimer | undefined;

  /**
   * Begins a connection; the first segment is sent by {@linkcode flush}.
   * @param wires What it needs.
   * @param beginning How it begins.
   */
  constructor(wires: TcpWires, { sequence, syn }: TcpBeginning) {
    this.#wires = wires;
    this.#state = syn === undefined ? "calling" : "called";
    this.#unacknowledged = this.#next = this.#highest = sequence;
    this.#window = 1;
    this.#windowSequence = this.#windowAcknowledgment = 0;
    if (syn === undefined) this.#ownScale = SCALE;
    else this.#meet(syn);
  }

  /** Whether it is over but for a FIN that may come again. */
  get lingers(): boolean {
    return this.#linger !== undefined;
  }

  /** How many bytes wait for the guest. */
  get waiting(): number {
    return this.#buffer.length;
  }

  /**
   * Sends bytes to the guest.
   * @param bytes They; what there is no room for is left out.
   * @returns How many were taken.
   */
  write(bytes: Uint8Array): number {
    if (this.#state === "closed" || this.#ending) return bytes.length;
    const taken = this.#buffer.write(bytes);
    this.flush();
    return taken;
  }

  /** Sends no more once all is sent. */
  end(): void {
    if (this.#ending || this.#state === "closed") return;
    this.#ending = true;
    this.flush();
  }

  /** Breaks the connection. */
  abort(): void {
    if (this.#state === "closed") return;
    this.#send(this.#next, TCP.RST | TCP.ACK, 0);
    this.#close(true);
  }

  /** Forgets the connection without a word. */
  drop(): void {
    this.#close(true);
  }

  /** There is more room for what the guest sends. */
  consumed(): void {
    if (this.#state !== "open" || this.#guestEnded) return;
    const edge = this.#expected + this.#ownWindow();
    const grown = tcpDistance(edge, this.#edge), left = tcpDistance(this.#edge, this.#expected);
    if (grown >= WINDOW_STEP || (left < 2 * this.#wires.segmentSize && grown > 0)) this.#acknowledge();
  }

  /** Sends what can be sent: data, and acknowledgments that are due. */
  flush(): void {
    switch (this.#state) {
      case "closed":
        return;
      case "open":
        if (this.#output() && this.#mustAcknowledge) this.#send(this.#next, TCP.ACK, 0);
        return;
      default:
        if (this.#next === this.#unacknowledged) this.#greet();
    }
  }

  /**
   * Takes a segment from the guest.
   * @param segment It.
   */
  receive(segment: TcpSegment): void {
    if (this.#state === "closed") return;
    if (this.#state === "calling") this.#answered(segment);
    else this.#proceed(segment);
  }

  /** The guest's answer to a call. */
  #answered(segment: TcpSegment): void {
    const { flags, acknowledgment } = segment;
    const agrees = (flags & TCP.ACK) !== 0 && acknowledgment === this.#highest && this.#next !== this.#unacknowledged;
    if (!agrees) return;
    if ((flags & TCP.RST) !== 0) {
      this.#close(true);
      return;
    }
    if ((flags & TCP.SYN) === 0) return;
    this.#meet(segment);
    this.#open(segment);
    this.#acknowledge();
    this.#receivePayload(segment, 1);
  }

  #proceed(segment: TcpSegment): void {
    const { flags, sequence, payload } = segment;
    const ahead = tcpDistance(sequence, this.#expected);
    if ((flags & TCP.RST) !== 0) {
      if (ahead >= 0 && ahead <= Math.max(0, tcpDistance(this.#edge, this.#expected))) this.#close(true);
      return;
    }
    if ((flags & TCP.SYN) !== 0) {
      if (this.#state === "called") this.#next = this.#unacknowledged; // the answer to the first one was lost
      else this.#mustAcknowledge = true;
      this.#wires.later();
      return;
    }
    if ((flags & TCP.ACK) === 0) return;
    if (this.#state === "called") {
      if (segment.acknowledgment !== this.#highest || this.#next === this.#unacknowledged) return;
      this.#open(segment);
    }
    if (!this.#acknowledged(segment)) return;
    if (this.#state === "open" && (payload.length > 0 || (flags & TCP.FIN) !== 0)) this.#receivePayload(segment, 0);
    else if (ahead < 0) this.#acknowledge(); // a question whether somebody is there, or what the window is
    if (this.#state === "open") this.#output();
  }

  /** Learns from the guest's SYN. */
  #meet({ sequence, segmentSize, scale, window }: TcpSegment): void {
    this.#expected = this.#edge = sequence + 1 >>> 0;
    const told = segmentSize === undefined || segmentSize === 0 ? SEGMENT_UNTOLD : segmentSize;
    this.#segmentSize = Math.min(this.#wires.segmentSize, Math.max(SEGMENT_LEAST, told));
    this.#scale = scale ?? 0;
    this.#ownScale = scale === undefined ? 0 : SCALE;
    this.#window = window;
    this.#windowSequence = sequence;
  }

  /** SYN, with ACK if it is an answer. */
  #greet(): void {
    const flags = this.#state === "calling" ? TCP.SYN : TCP.SYN | TCP.ACK;
    // One that cannot be sent now is sent when there is room, or by the timer.
    if (this.#send(this.#unacknowledged, flags, 0)) this.#next = this.#highest = this.#unacknowledged + 1 >>> 0;
    this.#arm();
  }

  /** The guest has acknowledged the SYN. */
  #open({ acknowledgment, sequence, window, flags }: TcpSegment): void {
    this.#state = "open";
    this.#unacknowledged = this.#next = acknowledgment;
    this.#windowSequence = sequence;
    this.#windowAcknowledgment = acknowledgment;
    this.#window = (flags & TCP.SYN) !== 0 ? window : window << this.#scale;
    this.#settle();
    this.#wires.established();
  }

  /** The guest has answered: timers begin anew. */
  #settle(): void {
    this.#retries = 0;
    this.#timer?.();
    this.#timer = undefined;
    this.#timeout = this.#smoothed === undefined ? TIMEOUT_FIRST : this.#measuredTimeout(this.#smoothed);
  }

  #measuredTimeout(smoothed: number): number {
    return Math.min(TIMEOUT_MOST, Math.max(TIMEOUT_LEAST, Math.round(smoothed + 4 * this.#variation)));
  }

  /** Looks at acknowledgment and window; false: the segment is not to be used. */
  #acknowledged({ acknowledgment, sequence, window, payload, flags }: TcpSegment): boolean {
    const acked = tcpDistance(acknowledgment, this.#unacknowledged);
    if (tcpDistance(acknowledgment, this.#highest) > 0) {
      this.#acknowledge();
      return false;
    }
    const scaled = window << this.#scale;
    if (acked > 0) {
      this.#advance(acknowledgment, acked);
    } else if (acked === 0 && this.#next !== this.#unacknowledged) {
      const plain = payload.length === 0 && (flags & TCP.FIN) === 0 && scaled === this.#window;
      if (plain && ++this.#duplicates === DUPLICATES) this.#resend();
    }
    if (this.#hasEnded) return false;
    const newer = tcpDistance(sequence, this.#windowSequence);
    if (newer > 0 || (newer === 0 && tcpDistance(acknowledgment, this.#windowAcknowledgment) >= 0)) {
      // A guest that answers while its window is closed is alive.
      if (scaled === 0) this.#retries = 0;
      this.#window = scaled;
      this.#windowSequence = sequence;
      this.#windowAcknowledgment = acknowledgment;
    }
    return true;
  }

  get #hasEnded(): boolean {
    return this.#state === "closed";
  }

  #advance(acknowledgment: number, acked: number): void {
    const data = Math.min(acked, this.#buffer.length);
    if (acked > data) this.#endAcknowledged = true;
    this.#buffer.drop(data);
    this.#unacknowledged = acknowledgment;
    if (tcpDistance(this.#next, acknowledgment) < 0) this.#next = acknowledgment;
    this.#duplicates = 0;
    if (this.#congestion < UNLIMITED) this.#congestion = Math.min(UNLIMITED, this.#congestion + acked);
    if (this.#measured !== undefined && tcpDistance(acknowledgment, this.#measured.end) >= 0) {
      this.#learn(this.#wires.clock.now() - this.#measured.at);
      this.#measured = undefined;
    }
    this.#settle();
    if (this.#unacknowledged !== this.#next) this.#arm();
    if (data > 0) this.#wires.room();
    this.#finish();
  }

  /** How long the guest takes to answer (RFC 6298). */
  #learn(time: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = time;
      this.#variation = time / 2;
      return;
    }
    this.#variation += (Math.abs(this.#smoothed - time) - this.#variation) / 4;
    this.#smoothed += (time - this.#smoothed) / 8;
  }

  /** Data and FIN, in order. */
  #receivePayload({ sequence, payload, flags }: TcpSegment, syn: number): void {
    const old = tcpDistance(this.#expected, sequence + syn >>> 0);
    const fin = (flags & TCP.FIN) !== 0 ? 1 : 0;
    if (old < 0) {
      // At once, and once for each: by three of them the guest knows what is missing.
      this.#send(this.#next, TCP.ACK, 0);
      return;
    }
    if (this.#guestEnded || old >= payload.length + fin) {
      if (payload.length + fin > 0) this.#acknowledge();
      return;
    }
    const room = Math.min(this.#wires.receiveRoom(), Math.max(0, tcpDistance(this.#edge, this.#expected)));
    const wanted = payload.length - old;
    const taken = Math.min(wanted, room);
    this.#mustAcknowledge = true;
    this.#wires.later();
    if (taken > 0) {
      this.#expected = this.#expected + taken >>> 0;
      this.#wires.received(payload.subarray(old, old + taken));
    }
    if (fin === 0 || taken < wanted || this.#hasEnded) return;
    this.#expected = this.#expected + 1 >>> 0;
    this.#guestEnded = true;
    this.#wires.receivedEnd();
    this.#finish();
  }

  /** Sends data and the end as far as the windows go; false: there was no room at the card. */
  #output(): boolean {
    for (;;) {
      const flying = tcpDistance(this.#next, this.#unacknowledged);
      const waiting = this.#buffer.length - flying;
      const usable = Math.min(this.#window, this.#congestion) - flying;
      let length = Math.max(0, Math.min(waiting, usable));
      const largest = Math.max(this.#segmentSize, this.#wires.largest());
      if (length > largest) length = largest;
      // What is cut later is cut into whole segments, unless it is the last of all.
      if (length < waiting && length > this.#segmentSize) length -= length % this.#segmentSize;
      const fin = this.#ending && !this.#endSent && !this.#endAcknowledged && length === waiting && usable > length;
      if (length === 0 && !fin) break;
      // No small segment while an answer is due that may open the window (RFC 9293, 3.8.6.2.1).
      if (length < waiting && length < this.#segmentSize && flying > 0) break;
      const flags = TCP.ACK | (length === waiting ? TCP.PSH : 0) | (fin ? TCP.FIN : 0);
      if (!this.#send(this.#next, flags, length)) return false;
      if (fin) this.#endSent = true;
      this.#sent(length + (fin ? 1 : 0));
    }
    const owes = this.#buffer.length > 0 || (this.#ending && !this.#endAcknowledged);
    if (owes) this.#arm();
    return true;
  }

  #sent(length: number): void {
    const isNew = this.#next === this.#highest;
    this.#next = this.#next + length >>> 0;
    if (tcpDistance(this.#next, this.#highest) > 0) this.#highest = this.#next;
    if (isNew && this.#measured === undefined) this.#measured = { end: this.#next, at: this.#wires.clock.now() };
  }

  /** Sends the first segment again that the guest has not acknowledged, and goes on from there. */
  #resend(): void {
    this.#measured = undefined;
    this.#congestion = this.#segmentSize;
    this.#next = this.#unacknowledged;
    if (!this.#endAcknowledged) this.#endSent = false;
    this.#output();
  }

  #acknowledge(): void {
    this.#mustAcknowledge = true;
    this.#wires.later();
  }

  /** Sends a segment. */
  #send(sequence: number, flags: number, length: number): boolean {
    const window = this.#ownWindow();
    const syn = (flags & TCP.SYN) !== 0;
    const offset = tcpDistance(sequence, this.#unacknowledged);
    const sent = this.#wires.send({
      sequence,
      acknowledgment: (flags & TCP.ACK) !== 0 ? this.#expected : 0,
      flags,
      window: syn ? Math.min(window, WINDOW_MOST) : window >> this.#ownScale,
      scale: syn && this.#ownScale > 0 ? this.#ownScale : undefined,
      length,
      segmentSize: this.#segmentSize,
      fill: (into) => this.#buffer.peek(offset, into),
    });
    if (!sent || (flags & TCP.ACK) === 0) return sent;
    this.#mustAcknowledge = false;
    const edge = this.#expected + (syn ? Math.min(window, WINDOW_MOST) : window) >>> 0;
    if (tcpDistance(edge, this.#edge) > 0) this.#edge = edge;
    return true;
  }

  /** The window for the guest: it never takes back what the guest was told. */
  #ownWindow(): number {
    const most = WINDOW_MOST << this.#ownScale;
    const told = this.#state === "calling" ? 0 : Math.max(0, tcpDistance(this.#edge, this.#expected));
    const room = Math.min(this.#wires.receiveRoom(), most) >> this.#ownScale << this.#ownScale;
    return Math.max(told, room);
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const { clock } = this.#wires;
    this.#timer = clock.schedule(clock.now() + this.#timeout, () => {
      this.#timer = undefined;
      this.#expired();
    });
  }

  /** No answer in time. */
  #expired(): void {
    this.#retries++;
    this.#timeout = Math.min(TIMEOUT_MOST, this.#timeout * 2);
    if (this.#state !== "open") {
      if (this.#retries > SYN_RETRIES_MOST) {
        this.abort();
        return;
      }
      this.#next = this.#unacknowledged;
      this.flush();
      return;
    }
    if (this.#retries > RETRIES_MOST) {
      this.abort();
      return;
    }
    if (this.#window === 0) this.#probe();
    else this.#resend();
    this.#arm();
  }

  /** Asks whether a closed window is open again, with one byte or the end. */
  #probe(): void {
    const length = Math.min(1, this.#buffer.length);
    const fin = length === 0 && this.#ending;
    this.#send(this.#unacknowledged, fin ? TCP.ACK | TCP.FIN : TCP.ACK, length);
    const end = this.#unacknowledged + 1 >>> 0;
    if (tcpDistance(end, this.#highest) > 0) this.#highest = end;
  }

  /** Looks whether both sides have ended. */
  #finish(): void {
    if (!this.#endAcknowledged || !this.#guestEnded || this.#linger !== undefined) return;
    const { clock } = this.#wires;
    this.#linger = clock.schedule(clock.now() + LINGER_NS, () => this.#close(false));
  }

  #close(broken: boolean): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#timer?.();
    this.#linger?.();
    this.#buffer.clear();
    this.#wires.closed(broken && this.#linger === undefined);
  }
}
