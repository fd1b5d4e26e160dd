/**
 * A DNS server that asks the host.
 *
 * A name that the host does not know has no address: for another type of record the answer is empty instead, for the host does not
 * tell whether the name or the record is missing.
 * @module
 */

import {
  buildDnsAnswer,
  DNS_CODE,
  DNS_TYPES,
  type DnsData,
  type DnsQuestion,
  type DnsType,
  parseDnsQuestion,
} from "./dns_message.ts";
import type { HostSockets } from "./host_sockets.ts";

/** So many questions are under way at one time; more are refused. */
const QUESTIONS_MOST = 64;
const INTERNET = 1;

/** The server. */
export class DnsForwarder {
  readonly #sockets: HostSockets;
  #open = 0;

  /**
   * Makes a server.
   * @param sockets Who is asked.
   */
  constructor(sockets: HostSockets) {
    this.#sockets = sockets;
  }

  /** How many questions are under way. */
  get open(): number {
    return this.#open;
  }

  /**
   * Answers a message.
   * @param bytes The message; it is the caller's again when the call returns.
   * @param answer Takes the answer, at once or later; never called for what is no question.
   */
  ask(bytes: Uint8Array, answer: (bytes: Uint8Array) => void): void {
    const question = parseDnsQuestion(bytes);
    if (question === undefined) return;
    const type = typeOf(question.type);
    if (question.class !== INTERNET || type === undefined) {
      answer(buildDnsAnswer(question, question.class === INTERNET ? DNS_CODE.NO_ERROR : DNS_CODE.REFUSED));
    } else if (this.#open >= QUESTIONS_MOST) {
      answer(buildDnsAnswer(question, DNS_CODE.REFUSED));
    } else {
      this.#forward(question, type, answer);
    }
  }

  async #forward(question: DnsQuestion, type: DnsType, answer: (bytes: Uint8Array) => void): Promise<void> {
    this.#open++;
    let records: readonly DnsData[] = [], code: number;
    try {
      records = await this.#sockets.resolve(question.name, type);
      code = records.length === 0 && type === "A" ? DNS_CODE.NO_NAME : DNS_CODE.NO_ERROR;
    } catch {
      code = DNS_CODE.SERVER_FAILURE; // why does not matter to the guest
    }
    this.#open--;
    answer(buildDnsAnswer(question, code, records));
  }
}

function typeOf(number: number): DnsType | undefined {
  return (Object.keys(DNS_TYPES) as DnsType[]).find((type) => DNS_TYPES[type] === number);
}
