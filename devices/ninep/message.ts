/**
 * Reading requests of 9P2000.L and writing their answers: little-endian numbers, and text with its length before it.
 * @module
 */

import { HostError, type HostTime } from "./host_files.ts";
import { HEADER } from "./protocol.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const HIGH = 2 ** 32;
const TEXT_MOST = 0xffff;

/** Reads a request. What is not there, and what no number can hold, is refused with a {@linkcode HostError}. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number = HEADER;

  /**
   * Begins behind the header.
   * @param message A whole message.
   */
  constructor(message: Uint8Array) {
    this.#bytes = message;
    this.#view = new DataView(message.buffer, message.byteOffset, message.length);
  }

  /** One byte. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** Two bytes. */
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  /** Four bytes. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Eight bytes, as a number if it is below 2^53, otherwise 2^53. */
  u64(): number {
    const at = this.#take(8), value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * HIGH;
    return Math.min(value, 2 ** 53);
  }

  /** Sixteen bytes: seconds with a sign, and nanoseconds, of which those beyond a second are left out. */
  time(): HostTime {
    const at = this.#take(16);
    const seconds = this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * HIGH;
    return { seconds, nanoseconds: Math.min(this.#view.getUint32(at + 8, true), 999_999_999) };
  }

  /** Text in UTF-8. */
  text(): string {
    const bytes = this.bytes(this.u16());
    try {
      return DECODER.decode(bytes);
    } catch {
      throw new HostError("EILSEQ");
    }
  }

  /**
   * Bytes, which are part of the message.
   * @param length How many.
   */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Refuses a message that has more. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new HostError("EINVAL");
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new HostError("EINVAL");
    this.#at = at + length;
    return at;
  }
}

/** Writes an answer. What has no room is refused with a {@linkcode HostError}. */
export class MessageWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number = HEADER;
  #limit = 0;

  /**
   * Makes a writer.
   * @param size The most bytes of an answer.
   */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /**
   * Begins an answer behind its header.
   * @param limit How long it may become.
   */
  begin(limit: number): void {
    this.#limit = Math.min(limit, this.#bytes.length);
    this.#at = HEADER;
  }

  /** How many bytes there is room for. */
  get room(): number {
    return this.#limit - this.#at;
  }

  /**
   * Refuses an answer before anything is done for it.
   * @param length How many bytes it will have.
   */
  need(length: number): void {
    if (length > this.room) throw new HostError("EMSGSIZE");
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#at;
  }

  /** One byte. */
  u8(value: number): void {
    this.#view.setUint8(this.#give(1), value);
  }

  /** Two bytes. */
  u16(value: number): void {
    this.#view.setUint16(this.#give(2), value, true);
  }

  /** Four bytes. */
  u32(value: number): void {
    this.#view.setUint32(this.#give(4), value, true);
  }

  /** Eight bytes of a whole number, which may be below 0. */
  u64(value: number): void {
    const at = this.#give(8), high = Math.floor(value / HIGH);
    this.#view.setUint32(at, value - high * HIGH, true);
    this.#view.setUint32(at + 4, high, true);
  }

  /** Seconds and nanoseconds. */
  time({ seconds, nanoseconds }: HostTime): void {
    this.u64(seconds);
    this.u64(nanoseconds);
  }

  /** Text in UTF-8. */
  text(value: string): void {
    const bytes = ENCODER.encode(value);
    if (bytes.length > TEXT_MOST) throw new HostError("EMSGSIZE");
    this.u16(bytes.length);
    const at = this.#give(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /**
   * A part of the answer that is filled by somebody else.
   * @param length How many bytes.
   */
  part(length: number): Uint8Array {
    const at = this.#give(length);
    return this.#bytes.subarray(at, at + length);
  }

  /**
   * Puts a number where one was written before.
   * @param at Where, from the beginning of the message on.
   * @param value Four bytes.
   */
  patch(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /**
   * Takes back what comes behind a place.
   * @param at The place.
   */
  cut(at: number): void {
    this.#at = at;
  }

  /**
   * Finishes the answer.
   * @param type Its type.
   * @param tag The request's tag.
   * @returns The answer, good until the next one is begun.
   */
  finish(type: number, tag: number): Uint8Array {
    this.#view.setUint32(0, this.#at, true);
    this.#view.setUint8(4, type);
    this.#view.setUint16(5, tag, true);
    return this.#bytes.subarray(0, this.#at);
  }

  #give(length: number): number {
    const at = this.#at;
    this.need(length);
    this.#at = at + length;
    return at;
  }
}
