/**
 * The console device (Virtual I/O Device 1.2, 5.3) with one port: queue 0 takes what the guest is to receive, queue 1 has what it
 * sends. The guest is told the size of the terminal.
 * @module
 */

import type { SavedReader, SavedState } from "../device.ts";
import type { HostEnd } from "../host_end.ts";
import { VirtioDevice } from "./virtio_device.ts";

const QUEUE_SIZE = 64;
const RECEIVE = 0, TRANSMIT = 1;
/** Features. */
const SIZE = 0, EMERGENCY_WRITE = 2;
/** Offsets in the configuration. */
const COLUMNS = 0, ROWS = 2, PORTS = 4, EMERGENCY = 8, LENGTH = 12;
const PIECE = 4096;
/** More of a chain is lost. */
const SEND_MOST = 0x10000;
const NONE = -1;

/** The device. */
export class VirtioConsole extends VirtioDevice {
  readonly #end: HostEnd;
  /** A byte for the guest that has found no room. */
  #held = NONE;

  /**
   * Makes a device.
   * @param end The host's end of the line.
   */
  constructor(end: HostEnd) {
    super({
      name: "virtio console",
      type: 3,
      pciDevice: 0x1003,
      pciClass: 0x078000,
      features: [SIZE, EMERGENCY_WRITE],
      queues: [QUEUE_SIZE, QUEUE_SIZE],
      configLength: LENGTH,
    });
    this.#end = end;
    this.config.setUint16(COLUMNS, 80, true);
    this.config.setUint16(ROWS, 25, true);
    this.config.setUint32(PORTS, 1, true);
  }

  /** Whether the guest has room for input. */
  get listens(): boolean {
    return this.running && this.host.queues[RECEIVE].pending;
  }

  /**
   * Says how large the terminal is.
   * @param columns Characters in a line, 1..65535.
   * @param rows Lines, 1..65535.
   */
  resize(columns: number, rows: number): void {
    if (columns === this.config.getUint16(COLUMNS, true) && rows === this.config.getUint16(ROWS, true)) return;
    this.config.setUint16(COLUMNS, columns, true);
    this.config.setUint16(ROWS, rows, true);
    this.host.configChanged();
  }

  /** Gives the guest what the host has for it, as far as there is room. */
  poll(): void {
    if (!this.running) return;
    const queue = this.host.queues[RECEIVE];
    for (let left = queue.size; left > 0 && queue.pending && this.#next() !== NONE; left--) {
      const chain = queue.take();
      if (chain === undefined) return;
      const bytes: number[] = [];
      const room = Math.min(chain.writable, PIECE);
      while (bytes.length < room && this.#next() !== NONE) {
        bytes.push(this.#held);
        this.#held = NONE;
      }
      queue.give(chain, chain.write(0, Uint8Array.from(bytes)));
    }
  }

  /**
   * The driver has room, or something to send.
   * @param number Which queue.
   */
  notified(number: number): void {
    if (number === RECEIVE) {
      this.poll();
      return;
    }
    const queue = this.host.queues[TRANSMIT];
    const piece = new Uint8Array(PIECE);
    for (const chain of queue.chains()) {
      for (let done = 0; done < SEND_MOST;) {
        const length = chain.read(done, piece);
        if (length === 0) break;
        for (let n = 0; n < length; n++) this.#end.send(piece[n]);
        done += length;
      }
      queue.give(chain, 0);
    }
  }

  /**
   * The driver writes the configuration: only the place for a character that is sent without a queue.
   * @param offset Which byte.
   * @param value The byte.
   */
  override writeConfig(offset: number, value: number): void {
    if (offset === EMERGENCY) this.#end.send(value);
  }

  /** The byte that has found no room. */
  override save(): SavedState {
    return { held: this.#held };
  }

  /** Reads what {@linkcode save} gave. */
  override prepareRestore(reader: SavedReader): () => void {
    const held = reader.integer("held", { min: NONE, max: 0xff });
    return () => this.#held = held;
  }

  /** The next byte for the guest, which stays the next one. */
  #next(): number {
    if (this.#held === NONE) this.#held = this.#end.receive();
    return this.#held;
  }
}
