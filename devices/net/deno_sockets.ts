/**
 * The host's network by Deno. What the program has no permission for is refused; nobody is asked for a permission.
 *
 * A guest knows addresses, and permissions are often for names: an address that the guest has got for a name may be used if the name
 * may, and 127.0.0.1 if `localhost` may.
 *
 * UDP is that of `node:dgram`, for Deno's own is not stable.
 * @module
 */

import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { DnsData, DnsType } from "./dns_message.ts";
import {
  type HostAddress,
  type HostDatagrams,
  type HostListener,
  HostSocketError,
  type HostSockets,
  type HostStream,
} from "./host_sockets.ts";
import { formatIpv4Address, parseIpv4Address } from "./ipv4.ts";

/** So many addresses are remembered with their names. */
const NAMES_MOST = 4096;
const LOOPBACK = "127.0.0.1", LOCALHOST = "localhost";
/** Datagrams longer than that cannot be sent over IPv4. */
const DATAGRAM_MOST = 65507;

/** Deno's sockets. */
export class DenoSockets implements HostSockets {
  readonly #names: Map<string, string> = new Map();

  /** Connects. */
  async connect(to: HostAddress, signal: AbortSignal): Promise<HostStream> {
    const { port } = to;
    const hostname = this.#hostFor(formatIpv4Address(to.address), port);
    if (hostname === undefined) throw forbidden(`connect to ${formatIpv4Address(to.address)}:${port}`);
    try {
      return new DenoStream(await Deno.connect({ hostname, port, signal }));
    } catch (error) {
      throw explained(`connect to ${hostname}:${port}`, error);
    }
  }

  /** Waits for connections. */
  listen(at: HostAddress, accepted: (stream: HostStream, from: HostAddress) => void): HostListener {
    const { port } = at, address = formatIpv4Address(at.address);
    const hostname = placeFor(address, port);
    const action = `listen at ${address}:${port}`;
    if (hostname === undefined) throw forbidden(action);
    try {
      const listener = Deno.listen({ hostname, port });
      accept(listener, accepted);
      const { addr } = listener;
      return { at: { ...at, port: addr.port }, close: () => listener.close() };
    } catch (error) {
      throw explained(action, error);
    }
  }

  /** Opens a UDP socket. */
  datagrams(at: HostAddress, received: (bytes: Uint8Array, from: HostAddress) => void): HostDatagrams {
    const { port } = at, address = formatIpv4Address(at.address);
    const action = `receive UDP at ${address}:${port}`;
    const place = placeFor(address, port);
    if (place === undefined) throw forbidden(action);
    const opened = Promise.withResolvers<HostAddress>();
    opened.promise.catch(() => {}); // who cares looks at it; for all others the datagrams are lost
    const socket = createSocket("udp4");
    // What goes wrong later, such as "port unreachable", is a lost datagram.
    socket.on("error", (error) => opened.reject(explained(action, error)));
    socket.on("message", (bytes, from) => {
      const sender = parseIpv4Address(from.address);
      if (sender !== undefined) received(bytes, { address: sender, port: from.port });
    });
    socket.bind({ port, address: place }, () => opened.resolve({ ...at, port: socket.address().port }));
    let isClosed = false;
    return {
      opened: opened.promise,
      send: (bytes, to) => {
        const target = this.#hostFor(formatIpv4Address(to.address), to.port);
        if (target === undefined) return false;
        const sends = !isClosed && bytes.length <= DATAGRAM_MOST && to.port > 0;
        if (sends) socket.send(bytes.slice(), to.port, target, () => {});
        return true;
      },
      close: () => {
        if (!isClosed) socket.close();
        isClosed = true;
      },
    };
  }

  /** Looks a name up. */
  async resolve(name: string, type: DnsType): Promise<readonly DnsData[]> {
    const found = await this.#ask(name, type);
    for (const each of found) if (each.type === "A") this.#remember(each.value, name);
    return found;
  }

  async #ask(name: string, type: DnsType): Promise<readonly DnsData[]> {
    try {
      // Which server is asked nobody can tell beforehand: that takes permission for all.
      if (isAllowed()) return await resolveAs(name, type);
      if ((type !== "A" && type !== "AAAA") || name === "" || !isAllowed(name)) throw forbidden(`look up ${name}`);
      const found = await lookup(name, { family: type === "A" ? 4 : 6, all: true });
      return found.map(({ address }) => ({ type, value: address }));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (error instanceof Deno.errors.NotFound || code === "ENOTFOUND") return [];
      throw explained(`look up ${name}`, error);
    }
  }

  #remember(address: string, name: string): void {
    this.#names.delete(address);
    this.#names.set(address, name);
    if (this.#names.size > NAMES_MOST) this.#names.delete(this.#names.keys().next().value!);
  }

  /** By which name an address may be used; none: by no one. */
  #hostFor(address: string, port: number): string | undefined {
    const name = address === LOOPBACK ? LOCALHOST : this.#names.get(address);
    return [address, name].find((each) => each !== undefined && isAllowed(`${each}:${port}`));
  }
}

/** A connection of Deno. */
class DenoStream implements HostStream {
  readonly #connection: Deno.TcpConn;
  #isClosed = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    connection.setNoDelay(true);
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#connection.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    if (!this.#isClosed) this.#connection.close();
    this.#isClosed = true;
  }
}

async function accept(
  listener: Deno.TcpListener,
  accepted: (stream: HostStream, from: HostAddress) => void,
): Promise<void> {
  try {
    for (;;) {
      const connection = await listener.accept();
      const { hostname, port } = connection.remoteAddr;
      accepted(new DenoStream(connection), { address: parseIpv4Address(hostname) ?? 0, port });
    }
  } catch {
    // the listener is closed
  }
}

/** Asks by DNS, and gives what there is as records. */
async function resolveAs(name: string, type: DnsType): Promise<DnsData[]> {
  switch (type) {
    case "MX":
      return (await Deno.resolveDns(name, type)).map((each) => ({ type, ...each }));
    case "SRV":
      return (await Deno.resolveDns(name, type)).map((each) => ({ type, ...each }));
    case "TXT":
      return (await Deno.resolveDns(name, type)).map((texts) => ({ type, texts }));
    default:
      return (await Deno.resolveDns(name, type)).map((value) => ({ type, value }));
  }
}

/** The place to listen at that the program may use; none: it may not. */
function placeFor(address: string, port: number): string | undefined {
  const places = address === LOOPBACK ? [LOOPBACK, LOCALHOST] : [address];
  return places.find((each) => isAllowed(`${each}:${port}`));
}

/** Whether a host, or all of them, may be used. Nobody is asked. */
function isAllowed(host?: string): boolean {
  try {
    return Deno.permissions.querySync({ name: "net", host }).state === "granted";
  } catch {
    return false; // that is no host
  }
}

function forbidden(action: string): HostSocketError {
  return new HostSocketError("forbidden", `Cannot ${action}: Deno runs without --allow-net for that`);
}

function explained(action: string, error: unknown): HostSocketError {
  if (error instanceof HostSocketError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const message = `Cannot ${action}: ${reason.split(" (os error")[0]}`;
  if (error instanceof Deno.errors.NotCapable) return new HostSocketError("forbidden", message);
  const refused = error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.ConnectionReset;
  return new HostSocketError(refused ? "refused" : "unreachable", message);
}
