/**
 * A folder of the host, reached by Deno.
 *
 * Deno has no `openat` and no `O_NOFOLLOW`, so confinement is made of checks. Before each access the folder that holds the file must
 * be where it seems to be (its real path is the path that was asked for, so there is no symbolic link on the way), and the file
 * itself is looked at without following it. What was opened must then be the very file that was looked at (device and inode), and
 * the folder on the way is looked at once more. New files are made with `O_EXCL`, which follows no link.
 *
 * All of it is synchronous: a guest, which can change the folder only through its server, cannot come between check and use. Another
 * process of the host can; `docs/shared_folder.md` says what it could do.
 * @module
 */

import { lchownSync, lutimesSync, statfsSync } from "node:fs";
import { isErrnoName } from "./errno.ts";
import {
  type HostAccess,
  HostError,
  type HostFile,
  type HostFiles,
  type HostPath,
  type HostSpace,
  type HostStat,
  type HostTime,
  isPlainName,
} from "./host_files.ts";
import { MODE } from "./mode.ts";

/** How a {@linkcode DenoFiles} behaves. */
export interface DenoFilesOptions {
  /** Told once if Deno's permissions do not allow symbolic links. */
  readonly noLinks?: () => void;
}

/** Said where the host does not tell how much room there is: 1 TiB, half of it free. */
const SPACE: HostSpace = {
  blockSize: 4096,
  blocks: 2 ** 28,
  free: 2 ** 27,
  available: 2 ** 27,
  files: 2 ** 24,
  filesFree: 2 ** 23,
};
/** Linux's number in what Deno says of errors for which it has no name. */
const NUMBER = /\(os error (\d+)\)/;
/** Errors that Deno does not name. */
const NAMELESS: Readonly<Record<string, "EFBIG" | "EDQUOT" | "ELOOP" | "EMLINK">> = {
  27: "EFBIG",
  122: "EDQUOT",
  40: "ELOOP",
  31: "EMLINK",
};

/** A folder. */
export class DenoFiles implements HostFiles {
  readonly #root: string;
  readonly #noLinks: () => void;
  #toldNoLinks = false;

  /**
   * Takes a folder.
   * @param folder Its path, which may lead there by symbolic links. Needs permission to read it, and to write it if that is to be
   * done; making symbolic links needs both without a path.
   * @param options How it behaves.
   * @throws HostError It is not there, no folder, or cannot be read.
   */
  constructor(folder: string, options: DenoFilesOptions = {}) {
    this.#noLinks = options.noLinks ?? (() => {});
    if (Deno.build.os === "windows") {
      throw new HostError("EOPNOTSUPP", "Windows has no such permissions and file numbers");
    }
    this.#root = ask(() => Deno.realPathSync(folder));
    if (!ask(() => Deno.lstatSync(this.#root)).isDirectory) throw new HostError("ENOTDIR", "It is no folder");
    ask(() => [...Deno.readDirSync(this.#root)]);
  }

  /** What the host says of a file. */
  stat(path: HostPath): HostStat {
    return ask(() => statOf(Deno.lstatSync(this.#place(path))));
  }

  /** The names in a folder. */
  list(path: HostPath): string[] {
    const place = this.#place(path);
    return ask(() => {
      if (path.length > 0) this.#stay(place);
      const names: string[] = [];
      for (const { name } of Deno.readDirSync(place)) if (isPlainName(name)) names.push(name);
      return names;
    });
  }

  /** Opens a regular file. */
  open(path: HostPath, access: HostAccess): HostFile {
    const place = this.#place(path);
    return ask(() => {
      const seen = Deno.lstatSync(place);
      if (seen.isSymlink) throw new HostError("ELOOP");
      if (seen.isDirectory) throw new HostError("EISDIR");
      if (!seen.isFile) throw new HostError("EACCES");
      const file = Deno.openSync(place, { read: access.read, write: access.write });
      return this.#keep(file, path, seen);
    });
  }

  /** Makes a file. */
  create(path: HostPath, mode: number, access: HostAccess): HostFile {
    const place = this.#place(path);
    return ask(() => {
      // Deno makes files only for writing.
      const file = Deno.openSync(place, {
        read: access.read,
        write: true,
        createNew: true,
        mode: mode & MODE.PERMISSIONS,
      });
      const open = this.#keep(file, path, undefined);
      try {
        // The process's umask is not the guest's.
        this.setMode(path, mode);
      } catch (error) {
        open.close();
        throw error;
      }
      return open;
    });
  }

  /** Makes a folder. */
  makeFolder(path: HostPath, mode: number): void {
    const place = this.#place(path);
    ask(() => Deno.mkdirSync(place, { mode: mode & MODE.PERMISSIONS }));
    this.setMode(path, mode);
  }

  /** Makes a symbolic link. */
  makeLink(path: HostPath, target: string): void {
    const place = this.#place(path);
    try {
      ask(() => Deno.symlinkSync(target, place));
    } catch (error) {
      if (error instanceof HostError && error.cause instanceof Deno.errors.NotCapable && !this.#toldNoLinks) {
        this.#toldNoLinks = true;
        this.#noLinks();
      }
      throw error;
    }
  }

  /** What a symbolic link says. */
  readLink(path: HostPath): string {
    const place = this.#place(path);
    return ask(() => Deno.readLinkSync(place));
  }

  /** Gives a file one more name. */
  addName(path: HostPath, name: HostPath): void {
    const place = this.#place(path), other = this.#place(name);
    ask(() => {
      if (Deno.lstatSync(place).isDirectory) throw new HostError("EPERM");
      Deno.linkSync(place, other);
    });
  }

  /** Moves. */
  move(from: HostPath, to: HostPath): void {
    const place = this.#place(from), other = this.#place(to);
    ask(() => Deno.renameSync(place, other));
  }

  /** Removes a name. */
  remove(path: HostPath, folder: boolean): void {
    if (path.length === 0) throw new HostError("EBUSY");
    const place = this.#place(path);
    ask(() => {
      if (Deno.lstatSync(place).isDirectory !== folder) throw new HostError(folder ? "ENOTDIR" : "EISDIR");
      Deno.removeSync(place);
    });
  }

  /** Sets permissions. */
  setMode(path: HostPath, mode: number): void {
    const place = this.#place(path);
    ask(() => {
      if (Deno.lstatSync(place).isSymlink) throw new HostError("EOPNOTSUPP");
      Deno.chmodSync(place, mode & MODE.ALL);
    });
  }

  /** Sets the owner. */
  setOwner(path: HostPath, user: number | undefined, group: number | undefined): void {
    const place = this.#place(path);
    ask(() => {
      const { uid, gid } = Deno.lstatSync(place);
      lchownSync(place, user ?? uid ?? 0, group ?? gid ?? 0);
    });
  }

  /** Sets times. */
  setTimes(path: HostPath, accessed: HostTime, modified: HostTime): void {
    const place = this.#place(path);
    ask(() => {
      // Seconds below 0 are "now" for lutimesSync, dates before 1970 are not.
      if (Deno.lstatSync(place).isSymlink) lutimesSync(place, dateOf(accessed), dateOf(modified));
      else Deno.utimeSync(place, secondsOf(accessed), secondsOf(modified));
    });
  }

  /** The host's time. */
  now(): HostTime {
    return timeOf(new Date());
  }

  /** How much room there is; numbers made up unless Deno runs with `--allow-sys=statfs`. */
  space(): HostSpace {
    if (Deno.permissions.querySync({ name: "sys", kind: "statfs" }).state !== "granted") return SPACE;
    return ask(() => {
      const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(this.#root);
      return { blockSize: bsize, blocks, free: bfree, available: bavail, files, filesFree: ffree };
    });
  }

  /** The host's path of a file, whose folder is where it seems to be. */
  #place(path: HostPath): string {
    if (!path.every(isPlainName)) throw new HostError("EINVAL");
    const folder = path.length > 1 ? `${this.#root}/${path.slice(0, -1).join("/")}` : this.#root;
    this.#stay(folder);
    return path.length === 0 ? folder : `${folder}/${path.at(-1)}`;
  }

  /** Refuses a path that leads over symbolic links. */
  #stay(folder: string): void {
    if (ask(() => Deno.realPathSync(folder)) !== folder) throw new HostError("ELOOP");
  }

  /** Takes an open file if it is what was seen, and still on the path. */
  #keep(file: Deno.FsFile, path: HostPath, seen: Deno.FileInfo | undefined): HostFile {
    try {
      const is = file.statSync(), now = Deno.lstatSync(this.#place(path));
      const same = [seen, now].every((each) => each === undefined || (each.ino === is.ino && each.dev === is.dev));
      if (!same || !is.isFile) throw new HostError("ELOOP");
      return new OpenFile(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }
}

/** An open file. */
class OpenFile implements HostFile {
  readonly #file: Deno.FsFile;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  stat(): HostStat {
    return ask(() => statOf(this.#file.statSync()));
  }

  read(offset: number, into: Uint8Array): number {
    return ask(() => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      return this.#file.readSync(into) ?? 0;
    });
  }

  write(offset: number, bytes: Uint8Array): number {
    return ask(() => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      return this.#file.writeSync(bytes);
    });
  }

  truncate(size: number): void {
    ask(() => this.#file.truncateSync(size));
  }

  sync(contentsOnly: boolean): void {
    ask(() => contentsOnly ? this.#file.syncDataSync() : this.#file.syncSync());
  }

  setTimes(accessed: HostTime, modified: HostTime): void {
    ask(() => this.#file.utimeSync(secondsOf(accessed), secondsOf(modified)));
  }

  close(): void {
    this.#file.close();
  }
}

function secondsOf({ seconds, nanoseconds }: HostTime): number {
  return seconds + nanoseconds / 1e9;
}

function dateOf(time: HostTime): Date {
  return new Date(secondsOf(time) * 1000);
}

function timeOf(date: Date | null): HostTime {
  const milliseconds = date?.getTime() ?? 0, seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: (milliseconds - seconds * 1000) * 1e6 };
}

function statOf(info: Deno.FileInfo): HostStat {
  return {
    mode: info.mode ?? 0,
    device: info.dev,
    inode: info.ino ?? 0,
    links: info.nlink ?? 1,
    user: info.uid ?? 0,
    group: info.gid ?? 0,
    special: info.rdev ?? 0,
    size: info.size,
    blockSize: info.blksize ?? SPACE.blockSize,
    blocks: info.blocks ?? Math.ceil(info.size / 512),
    accessed: timeOf(info.atime),
    modified: timeOf(info.mtime),
    changed: timeOf(info.ctime ?? info.mtime),
  };
}

/** Does something with the host, whose refusals get Linux's numbers. */
function ask<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw explained(error);
  }
}

function explained(error: unknown): HostError {
  if (error instanceof HostError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const { code } = error as { readonly code?: unknown };
  const name = error instanceof Deno.errors.NotCapable
    ? "EPERM"
    : isErrnoName(code)
    ? code
    : NAMELESS[NUMBER.exec(message)?.[1] ?? ""] ?? "EIO";
  const refusal = new HostError(name, message);
  refusal.cause = error;
  return refusal;
}
