/**
 * A TCP connection of the guest joined to one of the host. Neither side is read faster than the other one takes it: what waits is
 * bounded.
 * @module
 */

import { ByteRing } from "./byte_ring.ts";
import type { HostStream } from "./host_sockets.ts";
import { type TcpBeginning, TcpConnection, type TcpWires } from "./tcp_connection.ts";

/** The most bytes that may wait on each way of a connection. */
export const TCP_WAITING_MOST = 0x100000;

/** How much is read from the host at one time: at first, and at most. */
const READ_FIRST = 0x2000, READ_MOST = 0x80000;
/** The host is read while there is room for so many bytes. */
const ROOM_LEAST = 0x4000;

/** What a relay needs: what a connection does, but for what the relay knows itself. */
export interface TcpRelayWires
  extends
    Omit<TcpWires, "established" | "receiveRoom" | "received" | "receivedEnd" | "room" | "closed" | "later" | "send"> {
  /** See {@linkcode TcpWires.send}. */
  readonly send: (connection: TcpConnection, ...args: Parameters<TcpWires["send"]>) => boolean;
  /** See {@linkcode TcpWires.later}. */
  readonly later: (connection: TcpConnection) => void;
  /** How many bytes may wait on each way, from 16 KiB to {@linkcode TCP_WAITING_MOST}. */
  readonly share: () => number;
  /** The guest's connection is over. */
  readonly over: () => void;
  /** The host's connection is closed, too. */
  readonly closed: () => void;
}

/** The two connections. */
export class TcpRelay {
  /** The guest's connection. */
  readonly connection: TcpConnection;
  readonly #stream: HostStream;
  readonly #wires: TcpRelayWires;
  readonly #queue: ByteRing = new ByteRing(TCP_WAITING_MOST);
  #isWriting = false;
  #guestEnded = false;
  /** Whether the guest's connection is over, and whether the host has got all that the guest sent. */
  #isOver = false;
  #isWritten = false;
  #isClosed = false;
  #roomWaiter: (() => void) | undefined;

  /**
   * Joins them. The first segment is sent by `connection.flush()`.
   * @param stream The host's connection, which is closed with this.
   * @param wires What is needed.
   * @param beginning How the guest's connection begins.
   */
  constructor(stream: HostStream, wires: TcpRelayWires, beginning: TcpBeginning) {
    this.#stream = stream;
    this.#wires = wires;
    const connection: TcpConnection = new TcpConnection({
      ...wires,
      send: (output) => wires.send(connection, output),
      later: () => wires.later(connection),
      established: () => this.#readHost(),
      receiveRoom: () => Math.max(0, wires.share() - this.#queue.length),
      received: (bytes) => {
        this.#queue.write(bytes);
        this.#writeHost();
      },
      receivedEnd: () => {
        this.#guestEnded = true;
        this.#writeHost();
      },
      room: () => this.#hasRoom(),
      closed: (broken) => this.#ended(broken),
    }, beginning);
    this.connection = connection;
  }

  /** Forgets both connections without a word to the guest. */
  drop(): void {
    this.connection.drop();
    this.#close();
  }

  #hasRoom(): void {
    if (this.#room < ROOM_LEAST) return;
    this.#roomWaiter?.();
    this.#roomWaiter = undefined;
  }

  /** How many more bytes for the guest may wait. */
  get #room(): number {
    return this.#wires.share() - this.connection.waiting;
  }

  async #readHost(): Promise<void> {
    let size = READ_FIRST;
    try {
      while (!this.#isOver) {
        if (this.#room < ROOM_LEAST) await new Promise<void>((resolve) => this.#roomWaiter = resolve);
        if (this.#isOver) return;
        const buffer = new Uint8Array(Math.min(size, Math.max(ROOM_LEAST, this.#room)));
        const length = await this.#stream.read(buffer);
        if (this.#isOver) return;
        if (length === null) {
          this.connection.end();
          return;
        }
        this.connection.write(buffer.subarray(0, length));
        if (length === size && size < READ_MOST) size *= 4;
      }
    } catch {
      this.connection.abort(); // the host's connection is broken, and so is the guest's
    }
  }

  async #writeHost(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0) {
        const count = await this.#stream.write(this.#queue.front);
        if (this.#isClosed) return;
        this.#queue.drop(count);
        this.connection.consumed();
      }
      if (this.#guestEnded && !this.#isWritten) {
        await this.#stream.closeWrite();
        this.#isWritten = true;
        if (this.#isOver) this.#close();
      }
    } catch {
      this.connection.abort();
      this.#close();
    }
    this.#isWriting = false;
  }

  /** The guest's connection is over. What it has sent in good order still goes to the host. */
  #ended(broken: boolean): void {
    this.#isOver = true;
    this.#roomWaiter?.();
    this.#wires.over();
    if (broken || this.#isWritten) this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue.clear();
    this.#stream.close();
    this.#wires.closed();
  }
}
