/**
 * What a client has of files: fids, by their numbers. There are limits to how many it may have.
 * @module
 */

import { HostError, type HostFiles } from "./host_files.ts";
import { OpenFile, OpenFiles } from "./open_files.ts";
import { type PathNode, PathTree } from "./path_tree.ts";

/** The most fids, and the most names of open folders that are kept. */
export const FIDS_MOST = 0x20000, NAMES_MOST = 0x400000;

/** An open folder of a client: the names in it when it was read from the beginning. */
export interface OpenFolder {
  /** The names; none: nobody has read them. */
  names: readonly string[] | undefined;
}

/** A fid. */
export interface Fid {
  /** The file for which it stands. */
  node: PathNode;
  /** What is open. */
  open?: OpenFile | OpenFolder;
}

/** The fids of a client. */
export class FidTable {
  /** The files for which they stand. */
  readonly tree: PathTree = new PathTree();
  /** Those that are open files. */
  readonly files: OpenFiles;
  readonly #fids: Map<number, Fid> = new Map();
  #names = 0;

  /**
   * Makes a table without fids.
   * @param files The host's files.
   * @param few How many may be open on the host before one is closed.
   */
  constructor(files: HostFiles, few: number) {
    this.files = new OpenFiles(files, this.tree, few);
  }

  /** How many there are. */
  get size(): number {
    return this.#fids.size;
  }

  /** All of them, by number. */
  [Symbol.iterator](): IterableIterator<[number, Fid]> {
    return this.#fids.entries();
  }

  /**
   * Finds a fid.
   * @param number Its number.
   * @throws HostError EBADF: there is none.
   */
  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid === undefined) throw new HostError("EBADF");
    return fid;
  }

  /**
   * Whether a number is free.
   * @param number The number.
   */
  isNew(number: number): boolean {
    return !this.#fids.has(number);
  }

  /**
   * Refuses a number that is taken, and any if there are too many.
   * @param number The number of a new fid.
   * @throws HostError EINVAL or ENFILE.
   */
  checkNew(number: number): void {
    if (this.#fids.has(number)) throw new HostError("EINVAL");
    if (this.#fids.size >= FIDS_MOST) throw new HostError("ENFILE");
  }

  /**
   * Makes a fid.
   * @param number Its number, which {@linkcode checkNew} has let pass.
   * @param node The file, of which the fid becomes a user.
   */
  add(number: number, node: PathNode): Fid {
    const fid: Fid = { node };
    this.#fids.set(number, fid);
    return fid;
  }

  /**
   * Keeps the names of an open folder.
   * @param folder The folder.
   * @param names The names.
   * @throws HostError ENOMEM: there are too many.
   */
  keep(folder: OpenFolder, names: readonly string[]): void {
    this.#names -= folder.names?.length ?? 0;
    folder.names = undefined;
    if (this.#names + names.length > NAMES_MOST) throw new HostError("ENOMEM");
    folder.names = names;
    this.#names += names.length;
  }

  /**
   * Ends a fid.
   * @param number Its number.
   * @throws HostError EBADF: there is none.
   */
  remove(number: number): void {
    const { node, open } = this.get(number);
    this.#fids.delete(number);
    this.tree.drop(node);
    if (open === undefined) return;
    if (open instanceof OpenFile) this.files.close(open);
    else this.keep(open, []);
  }

  /** Ends all. */
  clear(): void {
    for (const number of [...this.#fids.keys()]) this.remove(number);
  }
}
