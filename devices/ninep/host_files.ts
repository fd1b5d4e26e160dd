/**
 * What the server of a shared folder needs of the host's file system: a folder, and in it files by the names that lead to them.
 *
 * An implementation stays in its folder whatever it is asked for: it follows no symbolic link, neither on the way nor at the end.
 * `deno_files.ts` is the one for Deno.
 * @module
 */

import { ERRNO, type ErrnoName } from "./errno.ts";

/** The names that lead from the folder to a file; none: the folder itself. Each of them is a {@linkcode isPlainName}. */
export type HostPath = readonly string[];

/** A time of the host. */
export interface HostTime {
  /** Whole seconds since 1970, below 0 before it. */
  readonly seconds: number;
  /** Nanoseconds in that second, 0..999,999,999; hosts may know milliseconds only. */
  readonly nanoseconds: number;
}

/** What the host says of a file. */
export interface HostStat {
  /** Kind and permissions, as in Linux's `st_mode`. */
  readonly mode: number;
  /** The file system on which it is. */
  readonly device: number;
  /** Its number there. */
  readonly inode: number;
  /** How many names it has. */
  readonly links: number;
  /** Whose it is. */
  readonly user: number;
  /** Which group's. */
  readonly group: number;
  /** What a device node stands for. */
  readonly special: number;
  /** Bytes. */
  readonly size: number;
  /** Bytes of a good transfer. */
  readonly blockSize: number;
  /** How many 512 bytes it takes. */
  readonly blocks: number;
  /** When it was last read. */
  readonly accessed: HostTime;
  /** When its contents were last changed. */
  readonly modified: HostTime;
  /** When anything of it was last changed. */
  readonly changed: HostTime;
}

/** What the host says of the file system; see statfs(2). */
export interface HostSpace {
  /** Bytes of a block. */
  readonly blockSize: number;
  /** Blocks. */
  readonly blocks: number;
  /** Free blocks. */
  readonly free: number;
  /** Those that may be used. */
  readonly available: number;
  /** Files that there can be. */
  readonly files: number;
  /** Those that there are not yet. */
  readonly filesFree: number;
}

/** How a file is opened. */
export interface HostAccess {
  /** Whether it can be read. */
  readonly read: boolean;
  /** Whether it can be written. */
  readonly write: boolean;
}

/** An open file. Whatever fails throws a {@linkcode HostError}. */
export interface HostFile {
  /** What the host says of it. */
  stat(): HostStat;
  /**
   * Reads.
   * @param offset The first byte.
   * @param into Filled from its beginning.
   * @returns How many bytes there were; 0 at the end of the file.
   */
  read(offset: number, into: Uint8Array): number;
  /**
   * Writes, whole if the host has room.
   * @param offset The first byte.
   * @param bytes What is written.
   * @returns How many bytes were written.
   */
  write(offset: number, bytes: Uint8Array): number;
  /**
   * Changes its length.
   * @param size Bytes.
   */
  truncate(size: number): void;
  /**
   * Returns once it is on the host's storage.
   * @param contentsOnly Whether its times may be left out.
   */
  sync(contentsOnly: boolean): void;
  /**
   * Sets its times.
   * @param accessed When it was last read.
   * @param modified When it was last changed.
   */
  setTimes(accessed: HostTime, modified: HostTime): void;
  /** Closes it; it never throws. */
  close(): void;
}

/** A folder of the host. Whatever fails throws a {@linkcode HostError}, and nothing else is ever thrown. */
export interface HostFiles {
  /**
   * What the host says of a file, or of the link where it is one.
   * @param path Which.
   */
  stat(path: HostPath): HostStat;
  /**
   * The names in a folder, without `.` and `..`, and without those that are not UTF-8.
   * @param path Which.
   */
  list(path: HostPath): string[];
  /**
   * Opens a file; nothing else than a regular one is ever opened.
   * @param path Which.
   * @param access What for.
   */
  open(path: HostPath, access: HostAccess): HostFile;
  /**
   * Makes a file that was not there, and opens it.
   * @param path Which.
   * @param mode Its permissions.
   * @param access What for; the permissions do not count yet.
   */
  create(path: HostPath, mode: number, access: HostAccess): HostFile;
  /**
   * Makes a folder.
   * @param path Which.
   * @param mode Its permissions.
   */
  makeFolder(path: HostPath, mode: number): void;
  /**
   * Makes a symbolic link.
   * @param path Which.
   * @param target What it says.
   */
  makeLink(path: HostPath, target: string): void;
  /**
   * What a symbolic link says.
   * @param path Which.
   */
  readLink(path: HostPath): string;
  /**
   * Gives a file one more name.
   * @param path The file, or a symbolic link.
   * @param name The new one.
   */
  addName(path: HostPath, name: HostPath): void;
  /**
   * Moves, as rename(2) does.
   * @param from What.
   * @param to Its new place, whatever is there goes.
   */
  move(from: HostPath, to: HostPath): void;
  /**
   * Removes a name.
   * @param path Which.
   * @param folder Whether it must be an empty folder; else it must be none.
   */
  remove(path: HostPath, folder: boolean): void;
  /**
   * Sets permissions.
   * @param path Of what; not of a symbolic link.
   * @param mode The permissions.
   */
  setMode(path: HostPath, mode: number): void;
  /**
   * Sets the owner, of a symbolic link its own.
   * @param path Of what.
   * @param user Whose it is to be; none: as it is.
   * @param group Which group's; none: as it is.
   */
  setOwner(path: HostPath, user: number | undefined, group: number | undefined): void;
  /**
   * Sets times, of a symbolic link its own.
   * @param path Of what.
   * @param accessed When it was last read.
   * @param modified When it was last changed.
   */
  setTimes(path: HostPath, accessed: HostTime, modified: HostTime): void;
  /** The host's time. */
  now(): HostTime;
  /** How much room there is. */
  space(): HostSpace;
}

/** What the host refuses. */
export class HostError extends Error {
  /** `"HostError"`. */
  override readonly name: string = "HostError";
  /** Linux's number for it. */
  readonly errno: number;

  /**
   * Makes the error.
   * @param code What Linux calls it.
   * @param message What the host said.
   */
  constructor(code: ErrnoName, message: string = code) {
    super(message);
    this.errno = ERRNO[code];
  }
}

/** The longest name, in bytes. */
export const NAME_MOST = 255;

/**
 * Whether a name is one of a file in its folder, and leads nowhere else.
 * @param name The name.
 */
export function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}
