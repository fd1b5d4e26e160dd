/**
 * What the program needs from the machine that it runs on, and reading files without ever asking for a permission.
 * @module
 */

import type { SyncWriter } from "../devices/host_end.ts";
import { CliError, EXIT, lineOf } from "./errors.ts";
import type { TerminalHost } from "./terminal_mode.ts";

/** The three standard streams, or what stands for them in a test. */
export interface CliHost {
  /** Standard output. */
  readonly stdout: SyncWriter;
  /** Standard error. */
  readonly stderr: SyncWriter;
  /** Standard input; asked for only when a guest reads. */
  readonly stdin: ReadableStream<Uint8Array>;
  /** The terminal, where standard input and output are one. */
  readonly terminal?: TerminalHost;
}

/**
 * Writes text whole.
 * @param writer Where to.
 * @param text The text, line ends included.
 * @throws CliError It cannot be written.
 */
export function print(writer: SyncWriter, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let done = 0; done < bytes.length;) done += writer.writeSync(bytes.subarray(done));
  } catch (error) {
    throw new CliError(EXIT.IO, `Cannot write the output: ${lineOf(error)}`);
  }
}

/**
 * Refuses to go on without a permission that Deno would otherwise ask for.
 * @param what The file, for the message.
 * @param name Which permission.
 * @param path Path of the file.
 * @throws CliError The permission was not given.
 */
export function needPermission(what: string, name: "read" | "write", path: string): void {
  if (Deno.permissions.querySync({ name, path }).state === "granted") return;
  throw new CliError(EXIT.IO, `Cannot ${name} ${what} '${path}': Deno runs without --allow-${name}=${path}`);
}

/**
 * Reads a file from its beginning, but never more than can be used.
 * @param what What it is, for the message.
 * @param path Path of the file.
 * @param limit The most bytes to read.
 * @returns The bytes, and whether there are more.
 * @throws CliError It cannot be read.
 */
export function readFile(what: string, path: string, limit: number): { bytes: Uint8Array; more: boolean } {
  needPermission(what, "read", path);
  try {
    using file = Deno.openSync(path, { read: true });
    const info = file.statSync();
    if (info.isDirectory) throw new Error("it is a folder");
    let buffer = new Uint8Array(Math.min(limit, Math.max(info.size, 4096)) + 1);
    let length = 0;
    while (length <= limit) {
      if (length === buffer.length) buffer = grow(buffer, limit + 1);
      const count = file.readSync(buffer.subarray(length));
      if (count === null) break;
      length += count;
    }
    return { bytes: buffer.subarray(0, Math.min(length, limit)), more: length > limit };
  } catch (error) {
    throw new CliError(EXIT.IO, `Cannot read ${what} '${path}': ${lineOf(error)}`);
  }
}

function grow(buffer: Uint8Array<ArrayBuffer>, limit: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(buffer.length * 2, limit));
  larger.set(buffer);
  return larger;
}
