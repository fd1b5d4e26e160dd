/**
 * The host's network as the guest's network uses it. It is handed in: `deno_sockets.ts` has Deno's.
 * @module
 */

import type { DnsData, DnsType } from "./dns_message.ts";

/** An IPv4 address and a port. */
export interface HostAddress {
  /** The address, as `ipv4.ts` has them. */
  readonly address: number;
  /** The port, 0..65535. */
  readonly port: number;
}

/**
 * Why the host does not do something: nobody listens there, there is no way to it, or the program must not do that.
 */
export type HostRefusal = "refused" | "unreachable" | "forbidden";

/** What the host does not do. */
export class HostSocketError extends Error {
  /** `"HostSocketError"`. */
  override readonly name: string = "HostSocketError";
  /** Why. */
  readonly refusal: HostRefusal;

  /**
   * Makes an error.
   * @param refusal Why.
   * @param message The same in words.
   */
  constructor(refusal: HostRefusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** A TCP connection of the host. All may fail with any error once the connection is broken or closed. */
export interface HostStream {
  /**
   * Reads.
   * @param into Filled as far as there is something.
   * @returns How many bytes there were, at least one; null: the other side has ended.
   */
  read(into: Uint8Array): Promise<number | null>;
  /**
   * Writes.
   * @param bytes What; they do not change until this is done.
   * @returns How many bytes were taken.
   */
  write(bytes: Uint8Array): Promise<number>;
  /** Tells the other side that no more will come. */
  closeWrite(): Promise<void>;
  /** Closes both sides; without effect the second time. */
  close(): void;
}

/** Somebody who waits for connections. */
export interface HostListener {
  /** Where, with the port that was chosen if none was told. */
  readonly at: HostAddress;
  /** Stops. */
  close(): void;
}

/** A UDP socket of the host. */
export interface HostDatagrams {
  /** Where it is, once it is open; rejected with {@linkcode HostSocketError} if it cannot be, and then all datagrams are lost. */
  readonly opened: Promise<HostAddress>;
  /**
   * Sends a datagram; it may be lost.
   * @param bytes What; they are the caller's again when the call returns.
   * @param to To whom.
   * @returns Whether that is allowed.
   */
  send(bytes: Uint8Array, to: HostAddress): boolean;
  /** Closes it. */
  close(): void;
}

/** The host's network. */
export interface HostSockets {
  /**
   * Connects.
   * @param to Whom to.
   * @param signal Gives it up.
   * @throws HostSocketError There is no connection.
   */
  connect(to: HostAddress, signal: AbortSignal): Promise<HostStream>;
  /**
   * Waits for connections.
   * @param at Where; port 0: any.
   * @param accepted Takes each of them.
   * @throws HostSocketError That cannot be.
   */
  listen(at: HostAddress, accepted: (stream: HostStream, from: HostAddress) => void): HostListener;
  /**
   * Opens a UDP socket.
   * @param at Where; port 0: any.
   * @param received Takes what comes; the bytes are the caller's again when the call returns.
   * @throws HostSocketError That cannot be.
   */
  datagrams(at: HostAddress, received: (bytes: Uint8Array, from: HostAddress) => void): HostDatagrams;
  /**
   * Looks a name up.
   * @param name The name, without a dot at its end.
   * @param type What is asked for.
   * @returns What was found; nothing: there is no such thing, though there may be other things of that name.
   * @throws HostSocketError Nobody can be asked.
   */
  resolve(name: string, type: DnsType): Promise<readonly DnsData[]>;
}
