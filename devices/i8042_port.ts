/**
 * The wire between a keyboard controller and a PS/2 device: what the device has to send.
 * @module
 */

import { savedBytes, type SavedReader, type SavedState } from "./device.ts";

/** What a controller sees of a PS/2 device. */
export interface Ps2Device {
  /** What the device has to send. */
  readonly output: Ps2Output;
  /**
   * Takes a byte from the host.
   * @param value 0..255.
   */
  write(value: number): void;
}

/** Bytes that a device keeps for the host while the host does not take them. */
const CAPACITY = 16;
/** Replies are few; a host that never reads them loses them. */
const MOST_REPLIES = 16;

/** What a device has to send: replies to commands, which go first, and what happened. */
export class Ps2Output {
  /** Called when there is something new. */
  listener: () => void = () => {};
  #replies: number[] = [];
  #events: number[] = [];
  #last = 0;

  /** Whether a reply waits. */
  get hasReply(): boolean {
    return this.#replies.length > 0;
  }

  /** Whether bytes of what happened wait. */
  get hasEvent(): boolean {
    return this.#events.length > 0;
  }

  /** How many more bytes of what happened there is room for. */
  get room(): number {
    return CAPACITY - this.#events.length;
  }

  /** Takes the next byte; only where {@linkcode hasReply} or {@linkcode hasEvent} says that there is one. */
  take(): number {
    const value = this.#replies.shift() ?? this.#events.shift() ?? 0;
    this.#last = value;
    return value;
  }

  /** Sends the byte again that was taken last. */
  resend(): void {
    this.reply(this.#last);
  }

  /**
   * Sends a reply.
   * @param values Its bytes.
   */
  reply(...values: number[]): void {
    if (this.#replies.length + values.length <= MOST_REPLIES) this.#replies.push(...values);
    this.listener();
  }

  /**
   * Sends what happened.
   * @param values Its bytes.
   * @returns Whether there was room for them.
   */
  send(values: readonly number[]): boolean {
    if (values.length > this.room) return false;
    this.#events.push(...values);
    this.listener();
    return true;
  }

  /**
   * Puts a byte in the place of the last one, as a sign that there was no room for more.
   * @param value The sign.
   */
  overrun(value: number): void {
    this.#events[this.#events.length - 1] = value;
  }

  /** Forgets what happened and was not sent yet. */
  clear(): void {
    this.#events = [];
  }

  /** Forgets everything. */
  reset(): void {
    this.#replies = [];
    this.#events = [];
    this.#last = 0;
  }

  /** What waits. */
  save(): SavedState {
    const { length } = this.#replies;
    return {
      replies: length,
      events: this.#events.length,
      bytes: savedBytes(Uint8Array.from([...this.#replies, ...this.#events])),
      last: this.#last,
    };
  }

  /**
   * Reads a kept state.
   * @param reader Of what {@linkcode save} gave.
   * @returns Puts it in place; nothing has changed before, and the listener is not called.
   * @throws SavedStateError It is not such a state.
   */
  restore(reader: SavedReader): () => void {
    const replies = reader.integer("replies", { max: MOST_REPLIES });
    const events = reader.integer("events", { max: CAPACITY });
    const bytes = reader.bytes("bytes", replies + events);
    const last = reader.integer("last", { max: 0xff });
    return () => {
      this.#replies = [...bytes.subarray(0, replies)];
      this.#events = [...bytes.subarray(replies)];
      this.#last = last;
    };
  }
}
