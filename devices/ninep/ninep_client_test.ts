/**
 * The client's side of 9P2000.L for tests: requests put together, answers taken apart.
 * @module
 */

import { assertEquals } from "@std/assert";
import type { NinepServer } from "./ninep_server.ts";
import { HEADER, NO_FID, REQUEST, RLERROR } from "./protocol.ts";

const ENCODER = new TextEncoder(), DECODER = new TextDecoder();

/** A part of a request: text, bytes, or a number with its width. */
export type Part = string | Uint8Array | readonly [value: number | bigint, bytes: 1 | 2 | 4 | 8];

export const u8 = (value: number): Part => [value, 1];
export const u16 = (value: number): Part => [value, 2];
export const u32 = (value: number): Part => [value, 4];
export const u64 = (value: number | bigint): Part => [value, 8];

/** Puts a request together. */
export function request(type: number, tag: number, ...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [0, 0, 0, 0, type, tag & 0xff, tag >> 8];
  const number = (value: number | bigint, width: number): void => {
    for (let n = 0; n < width; n++) bytes.push(Number(BigInt(value) >> BigInt(8 * n) & 0xffn));
  };
  for (const part of parts) {
    if (typeof part === "string") {
      const text = ENCODER.encode(part);
      number(text.length, 2);
      bytes.push(...text);
    } else if (part instanceof Uint8Array) { for (const byte of part) bytes.push(byte); }
    else number(...part);
  }
  const message = Uint8Array.from(bytes);
  new DataView(message.buffer).setUint32(0, message.length, true);
  return message;
}

/** Takes an answer apart. */
export class Answer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #at = HEADER;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes.slice();
    this.view = new DataView(this.bytes.buffer);
    assertEquals(this.view.getUint32(0, true), bytes.length, "its length");
  }

  get type(): number {
    return this.view.getUint8(4);
  }

  get tag(): number {
    return this.view.getUint16(5, true);
  }

  get rest(): number {
    return this.bytes.length - this.#at;
  }

  take(length: number): Uint8Array {
    assertEquals(length <= this.rest, true, "more bytes");
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  number(length: 1 | 2 | 4 | 8): number {
    return [...this.take(length)].reduceRight((sum, byte) => sum * 256 + byte, 0);
  }

  text(): string {
    return DECODER.decode(this.take(this.number(2)));
  }

  qid(): { type: number; version: number; path: bigint } {
    const type = this.number(1), version = this.number(4), at = this.#at;
    this.take(8);
    return { type, version, path: this.view.getBigUint64(at, true) };
  }
}

/** What a file is said to be. */
export interface Attributes {
  readonly type: number;
  readonly mode: number;
  readonly user: number;
  readonly links: number;
  readonly size: number;
  readonly accessed: number;
  readonly modified: number;
}

/** A client; its methods give what the server says, or the number of the error. */
export class Client {
  readonly server: NinepServer;
  room = 1 << 20;

  constructor(server: NinepServer, options: { readonly most?: number } = {}) {
    this.server = server;
    const answer = this.ask(REQUEST.VERSION, u32(options.most ?? 0x10000), "9P2000.L");
    assertEquals(typeof answer, "object");
    const attached = this.ask(REQUEST.ATTACH, u32(0), u32(NO_FID), "root", "", u32(0));
    assertEquals(typeof attached, "object");
  }

  /** Sends a request; gives the answer, or the error's number. */
  ask(type: number, ...parts: readonly Part[]): Answer | number {
    const answer = new Answer(this.server.serve(request(type, 7, ...parts), this.room));
    assertEquals(answer.tag, 7);
    if (answer.type === RLERROR) return answer.number(4);
    assertEquals(answer.type, type + 1);
    return answer;
  }

  /** The same for requests whose answer says nothing: 0 if it is done. */
  do(type: number, ...parts: readonly Part[]): number {
    const answer = this.ask(type, ...parts);
    if (typeof answer === "number") return answer;
    assertEquals(answer.rest, 0);
    return 0;
  }

  walk(fid: number, newFid: number, ...names: string[]): number[] | number {
    const answer = this.ask(REQUEST.WALK, u32(fid), u32(newFid), u16(names.length), ...names);
    if (typeof answer === "number") return answer;
    return Array.from({ length: answer.number(2) }, () => answer.qid().type);
  }

  open(fid: number, flags = 0): number {
    const answer = this.ask(REQUEST.LOPEN, u32(fid), u32(flags));
    return typeof answer === "number" ? answer : 0;
  }

  create(fid: number, name: string, flags = 2, mode = 0o644): number {
    const answer = this.ask(REQUEST.LCREATE, u32(fid), name, u32(flags), u32(mode), u32(0));
    return typeof answer === "number" ? answer : 0;
  }

  read(fid: number, offset = 0, count = 1000): string | number {
    const answer = this.ask(REQUEST.READ, u32(fid), u64(offset), u32(count));
    return typeof answer === "number" ? answer : DECODER.decode(answer.take(answer.number(4)));
  }

  /** Gives how many bytes were written, or the error's number below 0. */
  write(fid: number, text: string, offset: number | bigint = 0): number {
    const bytes = ENCODER.encode(text);
    const answer = this.ask(REQUEST.WRITE, u32(fid), u64(offset), u32(bytes.length), bytes);
    return typeof answer === "number" ? -answer : answer.number(4);
  }

  list(fid: number, count = 1000): string[] | number {
    const names: string[] = [];
    for (let offset = 0;;) {
      const answer = this.ask(REQUEST.READDIR, u32(fid), u64(offset), u32(count));
      if (typeof answer === "number") return answer;
      if (answer.number(4) === 0) return names;
      while (answer.rest > 0) {
        answer.qid();
        offset = answer.number(8);
        answer.number(1);
        names.push(answer.text());
      }
    }
  }

  stat(fid: number): Attributes | number {
    const answer = this.ask(REQUEST.GETATTR, u32(fid), u64(0x7ff));
    if (typeof answer === "number") return answer;
    answer.number(8);
    const { type } = answer.qid();
    const [mode, user] = [answer.number(4), answer.number(4), answer.number(4)];
    const [links, , size] = [8, 8, 8, 8, 8].map(() => answer.number(8));
    const [accessed, modified] = [1, 2, 3].map(() => answer.number(8) + answer.number(8) / 1e9);
    assertEquals(answer.rest, 32);
    return { type, mode, user, links, size, accessed, modified };
  }

  set(
    fid: number,
    what: number,
    values: Partial<Record<"mode" | "user" | "group" | "size", number>> & {
      readonly accessed?: readonly [number, number];
      readonly modified?: readonly [number, number];
    },
  ): number {
    const { mode = 0, user = 0, group = 0, size = 0, accessed = [0, 0], modified = [0, 0] } = values;
    const times = [...accessed, ...modified].map(u64);
    return this.do(REQUEST.SETATTR, u32(fid), u32(what), u32(mode), u32(user), u32(group), u64(size), ...times);
  }

  clunk(...fids: number[]): void {
    for (const fid of fids) assertEquals(this.do(REQUEST.CLUNK, u32(fid)), 0);
  }
}
