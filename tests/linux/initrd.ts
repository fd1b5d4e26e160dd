/**
 * An initial ramdisk for Linux: an archive in cpio's "newc" format.
 * @module
 */

/** A file of an archive. Directories on the way to it have to come before it. */
export interface InitrdFile {
  /** Its path, without a slash at the beginning. */
  readonly path: string;
  /** What it is. */
  readonly kind: "file" | "directory" | "link" | "character";
  /** Permissions; none: 0o755. */
  readonly mode?: number;
  /** The contents, or where a link leads. */
  readonly contents?: Uint8Array | string;
  /** A device's major and minor number. */
  readonly device?: readonly [number, number];
}

const KIND_BITS = { file: 0o100000, directory: 0o040000, link: 0o120000, character: 0o020000 } as const;
/** Major and minor number of what is no device. */
const NO_DEVICE: readonly [number, number] = [0, 0];
const HEADER = 110;
const TRAILER = "TRAILER!!!";

/**
 * Makes an archive.
 * @param files Its files in order.
 * @returns The bytes, a multiple of 4.
 */
export function buildInitrd(files: readonly InitrdFile[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const [n, { path, kind, mode = 0o755, contents = "", device = NO_DEVICE }] of files.entries()) {
    const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
    parts.push(member(n + 1, KIND_BITS[kind] | mode, path, bytes, device));
  }
  parts.push(member(0, 0, TRAILER, new Uint8Array(0), NO_DEVICE));
  const archive = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

/** An initial ramdisk that runs a script with busybox. */
export interface BusyboxOptions {
  /** The statically linked busybox. */
  readonly busybox: Uint8Array;
  /** The script, without its first line. */
  readonly script: string;
  /** More files. */
  readonly files?: readonly InitrdFile[];
}

/**
 * Makes an archive whose `/init` is a script for busybox, with `/dev/console`, and empty `/proc`, `/sys` and `/tmp`.
 * @param options The program and the script.
 */
export function busyboxInitrd({ busybox, script, files = [] }: BusyboxOptions): Uint8Array<ArrayBuffer> {
  return buildInitrd([
    ...["bin", "dev", "proc", "sys", "tmp", "mnt"].map((path) => ({ path, kind: "directory" }) as const),
    { path: "dev/console", kind: "character", mode: 0o600, device: [5, 1] },
    { path: "bin/busybox", kind: "file", contents: busybox },
    { path: "bin/sh", kind: "link", contents: "busybox" },
    { path: "init", kind: "file", contents: `#!/bin/sh\n${script}` },
    ...files,
  ]);
}

function member(
  inode: number,
  mode: number,
  path: string,
  contents: Uint8Array,
  device: readonly [number, number],
): Uint8Array {
  const name = new TextEncoder().encode(`${path}\0`);
  const nameEnd = align(HEADER + name.length);
  const bytes = new Uint8Array(align(nameEnd + contents.length));
  const fields = [inode, mode, 0, 0, 1, 0, contents.length, 0, 0, ...device, name.length, 0];
  const header = "070701" + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  bytes.set(new TextEncoder().encode(header));
  bytes.set(name, HEADER);
  bytes.set(contents, nameEnd);
  return bytes;
}

function align(value: number): number {
  return (value + 3) & ~3;
}
