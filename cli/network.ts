/**
 * The guest's network, open.
 * @module
 */

import { DenoSockets } from "../devices/net/deno_sockets.ts";
import { HostSocketError } from "../devices/net/host_sockets.ts";
import { formatIpv4Address } from "../devices/net/ipv4.ts";
import type { Network, NetworkWires } from "../devices/net/network_card.ts";
import { CapturedPort } from "../devices/net/pcap.ts";
import { UserNetwork } from "../devices/net/user_network.ts";
import type { PcOptions } from "../devices/pc.ts";
import { CliError, EXIT, lineOf } from "./errors.ts";
import { needPermission } from "./host.ts";
import type { NetOptions } from "./net_options.ts";

/** A network; its sockets and its record are closed when the machine ends. */
export class OpenNetwork implements Disposable {
  readonly #options: NetOptions;
  readonly #note: (line: string) => void;
  #file: Deno.FsFile | undefined;
  #network: UserNetwork | undefined;

  /**
   * Opens the record, if there is to be one.
   * @param options The network.
   * @param note Told what the user should know.
   * @throws CliError The record cannot be written.
   */
  constructor(options: NetOptions, note: (line: string) => void) {
    this.#options = options;
    this.#note = note;
    if (options.capture === undefined) return;
    needPermission("the record of the network", "write", options.capture);
    try {
      this.#file = Deno.openSync(options.capture, { write: true, create: true, truncate: true });
    } catch (error) {
      throw new CliError(EXIT.IO, `Cannot write the record of the network '${options.capture}': ${lineOf(error)}`);
    }
  }

  /** What the board is to have. */
  get board(): PcOptions["network"] {
    const options = this.#options;
    return { card: options.card, mac: options.mac, network: (wires) => this.#open(wires) };
  }

  /**
   * Opens the forwarded ports, once there is a board.
   * @throws CliError One cannot be opened.
   */
  async start(): Promise<void> {
    for (const forward of this.#options.forwards) {
      try {
        const { port } = await this.#network!.forward(forward);
        if (forward.at.port === 0) {
          const place = `${formatIpv4Address(forward.at.address)}:${port}`;
          this.#note(`${forward.protocol} ${place} leads to the guest's port ${forward.port}`);
        }
      } catch (error) {
        if (!(error instanceof HostSocketError)) throw error;
        throw new CliError(EXIT.IO, error.message);
      }
    }
  }

  /** Closes everything. */
  [Symbol.dispose](): void {
    this.#network?.[Symbol.dispose]();
    this.#file?.close();
    this.#file = undefined;
  }

  #open({ clock, delivered }: NetworkWires): Network {
    const network = this.#network = new UserNetwork({ clock, delivered, sockets: new DenoSockets() });
    const write = (bytes: Uint8Array): void => this.#write(bytes);
    const port = this.#file === undefined ? network : new CapturedPort({ port: network, clock, write });
    return { port, awaits: () => network.awaits };
  }

  /** Writes a piece of the record; after a failure the network goes on without one. */
  #write(bytes: Uint8Array): void {
    try {
      for (let done = 0; this.#file !== undefined && done < bytes.length;) {
        done += this.#file.writeSync(bytes.subarray(done));
      }
    } catch (error) {
      this.#note(`the record of the network ends here: ${lineOf(error)}`);
      this.#file?.close();
      this.#file = undefined;
    }
  }
}
