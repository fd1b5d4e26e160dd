/**
 * gdb's remote serial protocol, the side of the target: a pure object that is fed with bytes and gives bytes, without a
 * socket and without a clock.
 *
 * All-stop mode; processors are threads of one process, numbered from 1 on the wire; no multiprocess extensions.
 * Source: Debugging with GDB, appendix "GDB Remote Serial Protocol".
 * @module
 */

import type { GdbTarget, ResumeAction, StopPointKind, StopReason } from "./gdb_target.ts";
import { fromHex, parseAddress, parseLength, textToHex, toHex } from "./hex.ts";
import { encodePacket, PACKET_MOST, PacketReader, unescapeBytes } from "./packet.ts";
import { targetXml } from "./target_xml.ts";

const OK = "OK";
/** Errno of the answers `Enn`. */
const EPERM = "E01", EFAULT = "E0e", EINVAL = "E16", ENOSPC = "E1c";
/** Signals as gdb numbers them. */
const SIGNALS: Readonly<Record<StopReason["kind"], number>> = {
  step: 5,
  interrupt: 2,
  software: 5,
  hardware: 5,
  write: 5,
  read: 5,
  access: 5,
  crash: 11,
  stuck: 6,
};
const STOP_POINTS: readonly StopPointKind[] = ["software", "hardware", "write", "read", "access"];
const WATCH_NAMES = { write: "watch", read: "rwatch", access: "awatch" } as const;
/** Most bytes of memory in one answer: two digits each. */
const MEMORY_MOST = 0x2000;
/** Most characters of a monitor command's output in one packet. */
const OUTPUT_MOST = 0x1000;
const SUPPORTED = [
  `PacketSize=${PACKET_MOST.toString(16)}`,
  ...["QStartNoAckMode+", "qXfer:features:read+", "vContSupported+", "swbreak+", "hwbreak+"],
];

/** What the server talks to. */
export interface GdbServerOptions {
  /** The machine. */
  readonly target: GdbTarget;
  /** Takes what is to be sent. */
  readonly send: (bytes: Uint8Array) => void;
}

/** One connection of a gdb. */
export class GdbServer {
  readonly #target: GdbTarget;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #reader: PacketReader = new PacketReader();
  #acknowledges = true;
  #last: Uint8Array | null = null;
  /** The thread of `g`, `m` and their like. */
  #thread = 0;
  /** gdb waits for the machine to stop. */
  #waiting = false;
  #stop: { readonly reason: StopReason; readonly thread: number } = { reason: { kind: "interrupt" }, thread: 0 };
  #closed = false;

  /** Begins with a machine that is stopped, or stops it. */
  constructor({ target, send }: GdbServerOptions) {
    this.#target = target;
    this.#send = send;
    if (!target.isStopped) target.interrupt();
  }

  /** Whether gdb has detached or killed the machine: the connection is to be closed. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Takes what gdb sent.
   * @param bytes Any piece of the stream.
   */
  receive(bytes: Uint8Array): void {
    for (const event of this.#reader.read(bytes)) {
      if (this.#closed) return;
      switch (event.kind) {
        case "interrupt":
          if (this.#waiting) this.#target.interrupt();
          break;
        case "nak":
          if (this.#last !== null) this.#send(this.#last);
          break;
        case "corrupt":
          if (this.#acknowledges) this.#send(Uint8Array.of(0x2d));
          break;
        case "packet": {
          if (this.#acknowledges) this.#send(Uint8Array.of(0x2b));
          const answer = this.#answer(event.body);
          if (answer !== null) this.#put(answer);
          break;
        }
      }
    }
  }

  /** Tells gdb that the machine has stopped, if it waits for that. */
  stopped(reason: StopReason, thread: number): void {
    this.#stop = { reason, thread };
    this.#thread = thread;
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#put(this.#stopReply());
  }

  /** Tells gdb that the machine is gone, with the program's exit code. */
  exited(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#waiting) this.#put(`W${toHex(Uint8Array.of(code))}`);
  }

  #put(body: string): void {
    this.#last = encodePacket(body);
    this.#send(this.#last);
  }

  /** The answer to a packet; "" for what is not known; null for none, or none yet. */
  #answer(body: Uint8Array): string | null {
    const text = String.fromCharCode(...body);
    const rest = text.slice(1);
    switch (text[0]) {
      case "?":
        return this.#stopReply();
      case "g":
        return toHex(this.#target.readRegisters(this.#thread));
      case "G": {
        const bytes = fromHex(rest);
        return bytes !== null && this.#target.writeRegisters(this.#thread, bytes) ? OK : EINVAL;
      }
      case "p":
        return this.#readRegister(rest);
      case "P":
        return this.#writeRegister(rest);
      case "m":
        return this.#readMemory(rest);
      case "M":
        return this.#writeMemory(rest, (data) => fromHex(data));
      case "X": {
        const colon = body.indexOf(0x3a);
        return this.#writeMemory(rest, () => unescapeBytes(body.subarray(colon + 1)));
      }
      case "Z":
      case "z":
        return this.#stopPoint(rest, text[0] === "Z");
      case "c":
      case "s":
        return this.#resumeAt(text[0], rest);
      case "C":
      case "S":
        return this.#resumeAt(text[0].toLowerCase(), rest.replace(/^[0-9a-f]{2};?/i, ""));
      case "H":
        return this.#selectThread(rest);
      case "T":
        return this.#threadOf(rest) === null ? EINVAL : OK;
      case "D":
        this.#target.detach();
        this.#closed = true;
        return OK;
      case "k":
        this.#target.kill();
        this.#closed = true;
        return null;
      case "q":
      case "Q":
        return this.#query(text);
      case "v":
        return this.#verbose(text);
      default:
        return "";
    }
  }

  #stopReply(): string {
    const { reason, thread } = this.#stop;
    const signal = toHex(Uint8Array.of(SIGNALS[reason.kind]));
    const where = `thread:${(thread + 1).toString(16)};`;
    switch (reason.kind) {
      case "software":
        return `T${signal}swbreak:;${where}`;
      case "hardware":
        return `T${signal}hwbreak:;${where}`;
      case "write":
      case "read":
      case "access":
        return `T${signal}${WATCH_NAMES[reason.kind]}:${reason.address.toString(16)};${where}`;
      default:
        return `T${signal}${where}`;
    }
  }

  #readRegister(rest: string): string {
    const number = parseLength(rest, 0xffff);
    const bytes = number === null ? null : this.#target.readRegister(this.#thread, number);
    return bytes === null ? EINVAL : toHex(bytes);
  }

  #writeRegister(rest: string): string {
    const [left, right] = rest.split("=");
    const number = parseLength(left, 0xffff), bytes = fromHex(right ?? "-");
    if (number === null || bytes === null) return EINVAL;
    return this.#target.writeRegister(this.#thread, number, bytes) ? OK : EINVAL;
  }

  #readMemory(rest: string): string {
    const [left, right] = rest.split(",");
    const address = parseAddress(left), length = parseLength(right, 0xffff_ffff);
    if (address === null || length === null) return EINVAL;
    const bytes = this.#target.readMemory(this.#thread, address, Math.min(length, MEMORY_MOST));
    return bytes.length === 0 && length > 0 ? EFAULT : toHex(bytes);
  }

  #writeMemory(rest: string, dataOf: (text: string) => Uint8Array | null): string {
    const match = /^([0-9a-f]+),([0-9a-f]+):/i.exec(rest);
    if (match === null) return EINVAL;
    const address = parseAddress(match[1]), length = parseLength(match[2], PACKET_MOST);
    const data = dataOf(rest.slice(match[0].length));
    if (address === null || data === null || data.length !== length) return EINVAL;
    return this.#target.writeMemory(this.#thread, address, data) ? OK : EFAULT;
  }

  #stopPoint(rest: string, insert: boolean): string {
    const [type, at, size] = rest.split(";")[0].split(",");
    const kind = /^[0-4]$/.test(type) ? STOP_POINTS[Number(type)] : undefined;
    const address = parseAddress(at), length = parseLength(size, 0x1000);
    if (kind === undefined) return "";
    if (address === null || length === null) return EINVAL;
    const result = insert ? this.#target.insert(kind, address, length) : this.#target.remove(kind, address, length);
    return result === "done" ? OK : result === "full" ? ENOSPC : "";
  }

  /** `c` and `s`: the selected thread does it, the others run. */
  #resumeAt(action: string, rest: string): string | null {
    if (rest !== "") {
      const address = parseAddress(rest);
      if (address === null) return EINVAL;
      const pc = this.#target.architecture === "i386" ? 8 : 16;
      const bytes = new Uint8Array(this.#target.architecture === "i386" ? 4 : 8);
      for (let n = 0; n < bytes.length; n++) bytes[n] = Number(address >> BigInt(8 * n) & 0xffn);
      if (!this.#target.writeRegister(this.#thread, pc, bytes)) return EINVAL;
    }
    const kind = action === "s" ? "step" : "continue";
    return this.#resume(this.#threads().map((thread) => thread === this.#thread ? { kind } : { kind: "continue" }));
  }

  #resume(actions: readonly ResumeAction[]): null {
    this.#waiting = true;
    this.#target.resume(actions);
    return null;
  }

  #threads(): number[] {
    return Array.from({ length: this.#target.threadCount }, (_, thread) => thread);
  }

  /** The thread that `id` names on the wire; null if there is none. 0 is any thread. */
  #threadOf(id: string): number | null {
    if (id === "0") return this.#thread;
    const number = parseLength(id, this.#target.threadCount);
    return number === null || number === 0 ? null : number - 1;
  }

  #selectThread(rest: string): string {
    if (!/^[gcm]/.test(rest)) return EINVAL;
    const id = rest.slice(1);
    if (id === "-1") return OK;
    const thread = this.#threadOf(id);
    if (thread === null) return EINVAL;
    if (rest[0] !== "c") this.#thread = thread;
    return OK;
  }

  #query(text: string): string {
    const [name] = /^[^:,;]*/.exec(text)!;
    const rest = text.slice(name.length + 1);
    switch (name) {
      case "qSupported":
        return SUPPORTED.join(";");
      case "QStartNoAckMode":
        this.#acknowledges = false;
        return OK;
      case "qXfer":
        return this.#transfer(rest);
      case "qC":
        return `QC${(this.#thread + 1).toString(16)}`;
      case "qfThreadInfo":
        return `m${this.#threads().map((thread) => (thread + 1).toString(16)).join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qThreadExtraInfo": {
        const thread = this.#threadOf(rest);
        return thread === null ? EINVAL : textToHex(this.#target.describe(thread));
      }
      case "qAttached":
        return "1";
      case "qRcmd": {
        const command = fromHex(rest);
        if (command === null) return EINVAL;
        const output = this.#target.monitor(new TextDecoder().decode(command).trim());
        for (let at = 0; at < output.length; at += OUTPUT_MOST) {
          this.#put(`O${textToHex(output.slice(at, at + OUTPUT_MOST))}`);
        }
        return OK;
      }
      case "qqemu.PhyMemMode":
        return this.#target.physicalMemory ? "1" : "0";
      case "Qqemu.PhyMemMode":
        if (rest !== "0" && rest !== "1") return EINVAL;
        this.#target.physicalMemory = rest === "1";
        return OK;
      case "qqemu.Supported":
        return "PhyMemMode";
      default:
        return "";
    }
  }

  /** `qXfer:features:read:target.xml:offset,length`. */
  #transfer(rest: string): string {
    const [object, action, annex, range] = rest.split(":");
    if (object !== "features" || action !== "read") return "";
    if (annex !== "target.xml") return "E00";
    const [left, right] = (range ?? "").split(",");
    const offset = parseLength(left, 0xffff_ffff), length = parseLength(right, 0xffff_ffff);
    if (offset === null || length === null) return "E00";
    const xml = targetXml(this.#target.architecture);
    const piece = xml.slice(offset, offset + Math.min(length, MEMORY_MOST));
    return `${offset + piece.length < xml.length ? "m" : "l"}${piece}`;
  }

  #verbose(text: string): string | null {
    if (text === "vCont?") return "vCont;c;C;s;S;r";
    if (text.startsWith("vCont;")) return this.#continue(text.slice(6).split(";"));
    if (/^vKill(;|$)/.test(text)) {
      this.#target.kill();
      this.#closed = true;
      return OK;
    }
    return "";
  }

  /** `vCont`: for each thread, the first action that names it, or all, counts; a thread without one stays. */
  #continue(parts: readonly string[]): string | null {
    const actions = this.#threads().map((): ResumeAction | null => null);
    for (const part of parts) {
      const [what, id] = part.split(":");
      const action = parseAction(what);
      if (action === null) return EINVAL;
      const all = id === undefined || id === "-1";
      const thread = all ? null : this.#threadOf(id);
      if (!all && thread === null) return EPERM;
      for (const each of this.#threads()) {
        if (all || each === thread) actions[each] ??= action;
      }
    }
    return this.#resume(actions.map((action) => action ?? { kind: "stay" }));
  }
}

/** An action of `vCont`; signals are not delivered to a guest. */
function parseAction(text: string): ResumeAction | null {
  if (/^(c|C[0-9a-f]{2})$/i.test(text)) return { kind: "continue" };
  if (/^(s|S[0-9a-f]{2})$/i.test(text)) return { kind: "step" };
  const match = /^r([0-9a-f]+),([0-9a-f]+)$/i.exec(text);
  const start = parseAddress(match?.[1]), end = parseAddress(match?.[2]);
  return start === null || end === null ? null : { kind: "range", start, end };
}
