/**
 * The files that a client has open. It may have more than the host lets a process have: those that it has not used for long are closed
 * on the host, and opened again when it uses them.
 *
 * That needs their names. A file stays open on the host, therefore, before its name is taken from it, and while its permissions would
 * not let it be opened again.
 * @module
 */

import { accessOf } from "./checks.ts";
import { type HostAccess, HostError, type HostFile, type HostFiles, type HostStat } from "./host_files.ts";
import type { PathNode, PathTree } from "./path_tree.ts";

/** How many files are open on the host, and the most if none of them can be closed. */
export const HOST_OPEN = 256, HOST_OPEN_MOST = 768;

const OWNER_READS = 0o400, OWNER_WRITES = 0o200;

/** An open file of a client. */
export class OpenFile {
  /** The file. */
  readonly node: PathNode;
  /** The flags with which it was opened. */
  readonly flags: number;
  /** What for. */
  readonly access: HostAccess;
  /** The file system on which it is. */
  readonly device: number;
  /** Its number there. */
  readonly inode: number;
  /** The host's; none: it is closed there. */
  file: HostFile | undefined;

  /**
   * Makes one; use {@linkcode OpenFiles.add}.
   * @param node The file.
   * @param file The host's.
   * @param options Its flags, and what the host says of it.
   */
  constructor(node: PathNode, file: HostFile, options: { readonly flags: number; readonly stat: HostStat }) {
    this.node = node;
    this.file = file;
    this.flags = options.flags;
    this.access = accessOf(options.flags);
    this.device = options.stat.device;
    this.inode = options.stat.inode;
  }
}

/** All of them. */
export class OpenFiles {
  readonly #files: HostFiles;
  readonly #tree: PathTree;
  readonly #few: number;
  /** Those that are open on the host; what was used last is last. */
  readonly #open: Set<OpenFile> = new Set();

  /**
   * Makes a table without files.
   * @param files The host's.
   * @param tree The names of files.
   * @param few How many may be open on the host before one is closed.
   */
  constructor(files: HostFiles, tree: PathTree, few: number) {
    this.#few = few;
    this.#files = files;
    this.#tree = tree;
  }

  /**
   * Makes sure that the host can open one more file.
   * @throws HostError EMFILE: it cannot.
   */
  makeRoom(): void {
    if (this.#open.size < this.#few) return;
    for (const each of [...this.#open]) {
      this.#open.delete(each);
      if (this.#closes(each)) return;
      this.#open.add(each);
    }
    if (this.#open.size >= HOST_OPEN_MOST) throw new HostError("EMFILE");
  }

  /**
   * Takes a file that has been opened.
   * @param node Its name.
   * @param file The host's.
   * @param options The flags with which it was opened, and what the host says of it.
   */
  add(node: PathNode, file: HostFile, options: { readonly flags: number; readonly stat: HostStat }): OpenFile {
    const open = new OpenFile(node, file, options);
    this.#open.add(open);
    node.open.add(open);
    return open;
  }

  /**
   * Uses a file.
   * @param open Which.
   * @returns The host's.
   * @throws HostError The host does not open it again, or there is another one in its place (ESTALE).
   */
  use(open: OpenFile): HostFile {
    if (open.file === undefined) this.#reopen(open);
    else this.#open.delete(open);
    this.#open.add(open);
    return open.file!;
  }

  /**
   * Opens all that is open of a file, before the host could refuse it.
   * @param node The file; none: nobody knows it.
   */
  hold(node: PathNode | undefined): void {
    if (node === undefined) return;
    for (const open of node.open) {
      try {
        this.use(open);
      } catch (error) {
        // The host has taken it away; who uses it is told.
        if (!(error instanceof HostError)) throw error;
      }
    }
  }

  /**
   * Closes a file.
   * @param open Which.
   */
  close(open: OpenFile): void {
    open.node.open.delete(open);
    this.#open.delete(open);
    open.file?.close();
    open.file = undefined;
  }

  #reopen(open: OpenFile): void {
    const path = this.#tree.path(open.node);
    this.makeRoom();
    const file = this.#files.open(path, open.access);
    try {
      const { device, inode } = file.stat();
      if (device !== open.device || inode !== open.inode) throw new HostError("ESTALE");
    } catch (error) {
      file.close();
      throw error;
    }
    open.file = file;
  }

  /** Closes a file on the host if it can be opened again. */
  #closes(open: OpenFile): boolean {
    const { file, access } = open;
    if (file === undefined || !this.#tree.has(open.node)) return false;
    const wanted = (access.read ? OWNER_READS : 0) | (access.write ? OWNER_WRITES : 0);
    const { links, mode } = file.stat();
    if (links === 0 || (mode & wanted) !== wanted) return false;
    file.close();
    open.file = undefined;
    return true;
  }
}
