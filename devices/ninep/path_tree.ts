/**
 * The files that a client knows, as a tree of names. A file that is moved takes with it all that is below it, and one that is removed
 * leads nowhere from then on, even if there is another one of its name.
 * @module
 */

import { HostError, type HostPath } from "./host_files.ts";
import type { OpenFile } from "./open_files.ts";

/** A file in the tree. */
export class PathNode {
  /** Its name in its folder. */
  name: string;
  /** Its folder; none: it is the root, or it has been removed. */
  parent: PathNode | undefined;
  /** The files in it that somebody knows. */
  readonly children: Map<string, PathNode> = new Map();
  /** What is open of it. */
  readonly open: Set<OpenFile> = new Set();
  /** How many fids stand for it. */
  users: number = 0;

  /**
   * Makes a node; use {@linkcode PathTree.take}.
   * @param name Its name.
   * @param parent Its folder.
   */
  constructor(name: string, parent: PathNode | undefined) {
    this.name = name;
    this.parent = parent;
  }
}

/** The tree. */
export class PathTree {
  /** The shared folder. */
  readonly root: PathNode = new PathNode("", undefined);

  /**
   * Where a file is.
   * @param node The file.
   * @throws HostError ENOENT: it has been removed.
   */
  path(node: PathNode): HostPath {
    const names: string[] = [];
    let at = node;
    for (; at.parent !== undefined; at = at.parent) names.push(at.name);
    if (at !== this.root) throw new HostError("ENOENT");
    return names.reverse();
  }

  /**
   * Whether a file has not been removed.
   * @param node The file.
   */
  has(node: PathNode): boolean {
    let at = node;
    while (at.parent !== undefined) at = at.parent;
    return at === this.root;
  }

  /**
   * Knows a file once more.
   * @param node Which.
   */
  use(node: PathNode): void {
    node.users++;
  }

  /**
   * Knows a file in a folder once more.
   * @param folder The folder.
   * @param name The file's name.
   */
  take(folder: PathNode, name: string): PathNode {
    let node = folder.children.get(name);
    if (node === undefined) {
      node = new PathNode(name, folder);
      folder.children.set(name, node);
    }
    node.users++;
    return node;
  }

  /**
   * Knows a file once more.
   * @param path Where it is.
   */
  find(path: HostPath): PathNode {
    let node = this.root;
    this.use(node);
    for (const name of path) {
      const next = this.take(node, name);
      this.drop(node);
      node = next;
    }
    return node;
  }

  /**
   * Knows a file once less; what nobody knows any more is forgotten.
   * @param node Which.
   */
  drop(node: PathNode): void {
    node.users--;
    for (let at = node; at.users === 0 && at.children.size === 0 && at.parent !== undefined;) {
      const { parent } = at;
      parent.children.delete(at.name);
      at.parent = undefined;
      at = parent;
    }
  }

  /**
   * A file has been removed.
   * @param folder Its folder.
   * @param name Its name.
   */
  remove(folder: PathNode, name: string): void {
    const node = folder.children.get(name);
    if (node === undefined) return;
    folder.children.delete(name);
    node.parent = undefined;
    this.#prune(folder);
  }

  /**
   * A file has been moved.
   * @param from Its folder before.
   * @param name Its name there.
   * @param to Its folder now.
   * @param newName Its name there.
   */
  move(from: PathNode, name: string, to: PathNode, newName: string): void {
    this.remove(to, newName);
    const node = from.children.get(name);
    if (node === undefined) return;
    from.children.delete(name);
    node.parent = to;
    node.name = newName;
    to.children.set(newName, node);
    this.#prune(from);
  }

  /** Forgets a folder that nobody knows and in which nobody knows anything. */
  #prune(node: PathNode): void {
    node.users++;
    this.drop(node);
  }
}
