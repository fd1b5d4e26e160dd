/**
 * gdb over TCP: listens, and serves one gdb at a time. Needs `--allow-net` for the address.
 * @module
 */

import type { Debugger } from "./debugger.ts";
import { GdbServer } from "./gdb_server.ts";

/** Where to listen. */
export interface GdbListenOptions {
  /** The machine. */
  readonly debug: Debugger;
  /** The address to listen on; 127.0.0.1. */
  readonly hostname?: string;
  /** The port; 0 for any that is free. */
  readonly port: number;
}

/** A gdb server on a TCP port. */
export class GdbListener implements Disposable {
  readonly #listener: Deno.TcpListener;
  readonly #debug: Debugger;
  #connection: Deno.TcpConn | null = null;
  #server: GdbServer | null = null;
  /** Sending in order, one after the other. */
  #sending: Promise<void> = Promise.resolve();

  /**
   * Begins to listen.
   * @throws Error The port cannot be had.
   */
  constructor({ debug, hostname = "127.0.0.1", port }: GdbListenOptions) {
    this.#debug = debug;
    this.#listener = Deno.listen({ hostname, port });
    this.#accept();
  }

  /** The port that it listens on. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /**
   * Tells gdb that the machine is gone, and closes everything.
   * @param code The program's exit code.
   */
  async exited(code: number): Promise<void> {
    this.#server?.exited(code);
    await this.#sending;
    this[Symbol.dispose]();
  }

  /** Closes everything. Closing again does nothing. */
  [Symbol.dispose](): void {
    try {
      this.#listener.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    this.#close();
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        if (this.#connection !== null) connection.close();
        else this.#serve(connection);
      }
    } catch {
      // the listener was closed
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    connection.setNoDelay();
    this.#connection = connection;
    const server = this.#server = new GdbServer({
      target: this.#debug,
      send: (bytes) => this.#send(connection, bytes),
    });
    this.#debug.onStop = (reason, thread) => server.stopped(reason, thread);
    const buffer = new Uint8Array(0x4000);
    try {
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) break;
        server.receive(buffer.subarray(0, count));
        if (server.isClosed) break;
      }
    } catch {
      // gdb went away without a word
    }
    await this.#sending;
    if (!server.isClosed) this.#debug.detach();
    if (this.#connection === connection) this.#close();
  }

  #send(connection: Deno.TcpConn, bytes: Uint8Array): void {
    this.#sending = this.#sending.then(async () => {
      try {
        for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
      } catch {
        // gdb went away; reading will tell
      }
    });
  }

  #close(): void {
    const connection = this.#connection;
    this.#connection = this.#server = null;
    try {
      connection?.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
