/**
 * The server of a shared folder: 9P2000.L, the protocol of Linux's `mount -t 9p`, over a {@linkcode HostFiles}.
 *
 * A request is answered when {@linkcode NinepServer.serve} returns. Everything in it may be wrong: what cannot be done is refused with
 * Linux's error number, and nothing throws. Files are reached by the names that a client walks; symbolic links are never followed
 * here, for that is the client's work.
 *
 * There are no extended attributes, no authentication and no device nodes; locks are always granted, for the client has asked its own
 * table before. The bits that make a program run as its owner are left out, since on the host that owner is somebody else.
 * @module
 */

import type { SavedReader, SavedState } from "../device.ts";
import { accessOf, byteLength, checkName, filePermissions } from "./checks.ts";
import { ERRNO } from "./errno.ts";
import { type Fid, FidTable } from "./fids.ts";
import { readFids, saveFids } from "./fids_state.ts";
import { HostError, type HostFile, type HostFiles, type HostPath, type HostStat, NAME_MOST } from "./host_files.ts";
import { MessageReader, MessageWriter } from "./message.ts";
import { isFile, isFolder, isLink, MODE } from "./mode.ts";
import { HOST_OPEN, OpenFile } from "./open_files.ts";
import type { PathNode } from "./path_tree.ts";
import * as P from "./protocol.ts";
import { Qids } from "./qids.ts";

/** What a server is made from. */
export interface NinepServerOptions {
  /** The folder. */
  readonly files: HostFiles;
  /** Whether the client can change nothing; it can unless told. */
  readonly readonly?: boolean;
  /** How many files may be open on the host before one that was not used for long is closed; 256 unless told. */
  readonly hostOpen?: number;
  /** Told of an error that no host should make; the client sees EIO. */
  readonly failed?: (error: unknown) => void;
}

type Handler = (reader: MessageReader, writer: MessageWriter) => void;

/** Bytes of the answer with an open file. */
const OPENED = P.QID_LENGTH + 4;
/** Bytes of a folder's entry besides its name: qid, offset, kind, length. */
const ENTRY = P.QID_LENGTH + 8 + 1 + 2;
/** Offsets from here on are no file's. */
const OFFSET_END = 2 ** 53;

/** A server, with one client. */
export class NinepServer {
  readonly #files: HostFiles;
  readonly #readonly: boolean;
  readonly #failed: (error: unknown) => void;
  readonly #fids: FidTable;
  readonly #writer: MessageWriter = new MessageWriter(P.MESSAGE_MOST);
  readonly #qids: Qids = new Qids();
  readonly #handlers: ReadonlyMap<number, Handler>;
  /** The largest message that was agreed on; 0: none was. */
  #most = 0;

  /**
   * Makes a server.
   * @param options What it is made from.
   */
  constructor(options: NinepServerOptions) {
    this.#files = options.files;
    this.#fids = new FidTable(options.files, options.hostOpen ?? HOST_OPEN);
    this.#readonly = options.readonly ?? false;
    this.#failed = options.failed ?? (() => {});
    const { REQUEST } = P;
    this.#handlers = new Map<number, Handler>([
      [REQUEST.STATFS, (r, w) => this.#statfs(r, w)],
      [REQUEST.LOPEN, (r, w) => this.#open(r, w)],
      [REQUEST.LCREATE, (r, w) => this.#create(r, w)],
      [REQUEST.SYMLINK, (r, w) => this.#symlink(r, w)],
      [REQUEST.MKNOD, (r, w) => this.#makeNode(r, w)],
      [REQUEST.RENAME, (r) => this.#rename(r)],
      [REQUEST.READLINK, (r, w) => this.#readLink(r, w)],
      [REQUEST.GETATTR, (r, w) => this.#getAttributes(r, w)],
      [REQUEST.SETATTR, (r) => this.#setAttributes(r)],
      [REQUEST.READDIR, (r, w) => this.#readFolder(r, w)],
      [REQUEST.FSYNC, (r) => this.#sync(r)],
      [REQUEST.LOCK, (r, w) => this.#lock(r, w)],
      [REQUEST.GETLOCK, (r, w) => this.#getLock(r, w)],
      [REQUEST.LINK, (r) => this.#link(r)],
      [REQUEST.MKDIR, (r, w) => this.#makeFolder(r, w)],
      [REQUEST.RENAMEAT, (r) => this.#renameAt(r)],
      [REQUEST.UNLINKAT, (r) => this.#unlinkAt(r)],
      [REQUEST.VERSION, (r, w) => this.#version(r, w)],
      [REQUEST.ATTACH, (r, w) => this.#attach(r, w)],
      [REQUEST.FLUSH, (r) => this.#flush(r)],
      [REQUEST.WALK, (r, w) => this.#walk(r, w)],
      [REQUEST.READ, (r, w) => this.#read(r, w)],
      [REQUEST.WRITE, (r, w) => this.#write(r, w)],
      [REQUEST.CLUNK, (r) => this.#clunk(r)],
      [REQUEST.REMOVE, (r) => this.#remove(r)],
    ]);
  }

  /** How many fids the client has. */
  get fids(): number {
    return this.#fids.size;
  }

  /** Forgets the client, and closes what it has open. */
  reset(): void {
    this.#fids.clear();
    this.#most = 0;
  }

  /** What the client has agreed on and has open. */
  save(): SavedState {
    const fids = saveFids(this.#fids);
    return { most: this.#most, count: fids.length, fids };
  }

  /**
   * Reads what {@linkcode save} gave.
   * @param reader Of it.
   * @returns Opens again what was open. What the host has no more is closed then.
   * @throws SavedStateError It is not such a state.
   */
  prepareRestore(reader: SavedReader): () => void {
    const most = reader.integer("most", { max: P.MESSAGE_MOST }), kept = readFids(reader);
    return () => {
      this.reset();
      this.#most = most;
      for (const { number, path, open } of kept) {
        if (!this.#fids.isNew(number)) continue;
        const fid = this.#fids.add(number, this.#fids.tree.find(path));
        if (open === "folder") fid.open = { names: undefined };
        else if (open !== undefined) this.#reopen(fid, path, open & ~P.OPEN.TRUNCATE);
      }
    };
  }

  #reopen(fid: Fid, path: HostPath, flags: number): void {
    try {
      fid.open = this.#openFile(fid.node, path, flags);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }

  /**
   * Answers a request.
   * @param request The bytes that came; what is behind the length that they begin with does not count.
   * @param room How long the answer may be, at least {@linkcode P.RLERROR_LENGTH}.
   * @returns The answer, good until the next request.
   */
  serve(request: Uint8Array, room: number): Uint8Array {
    const writer = this.#writer;
    const limit = Math.min(room, this.#most === 0 ? P.MESSAGE_LEAST : this.#most);
    let type = 0, tag = P.NO_TAG;
    writer.begin(limit);
    try {
      if (request.length < P.HEADER) throw new HostError("EINVAL");
      const view = new DataView(request.buffer, request.byteOffset, request.length);
      const length = view.getUint32(0, true);
      type = view.getUint8(4);
      tag = view.getUint16(5, true);
      if (length < P.HEADER || length > request.length) throw new HostError("EINVAL");
      if (type !== P.REQUEST.VERSION && this.#most === 0) throw new HostError("EPROTO");
      if (length > (this.#most || P.MESSAGE_LEAST)) throw new HostError("EMSGSIZE");
      const handler = this.#handlers.get(type);
      if (handler === undefined) throw new HostError("EOPNOTSUPP");
      handler(new MessageReader(request.subarray(0, length)), writer);
      return writer.finish(type + 1, tag);
    } catch (error) {
      if (!(error instanceof HostError)) this.#failed(error);
      writer.begin(P.RLERROR_LENGTH);
      writer.u32(error instanceof HostError ? error.errno : ERRNO.EIO);
      return writer.finish(P.RLERROR, tag);
    }
  }

  #version(reader: MessageReader, writer: MessageWriter): void {
    const most = reader.u32(), version = reader.text();
    reader.end();
    if (most < P.MESSAGE_LEAST) throw new HostError("EMSGSIZE");
    const known = version === P.VERSION;
    const agreed = Math.min(most, P.MESSAGE_MOST);
    writer.u32(agreed);
    writer.text(known ? P.VERSION : P.VERSION_UNKNOWN);
    this.reset();
    if (known) this.#most = agreed;
  }

  #attach(reader: MessageReader, writer: MessageWriter): void {
    const number = reader.u32(), authenticated = reader.u32();
    reader.text();
    const tree = reader.text();
    reader.u32();
    reader.end();
    this.#fids.checkNew(number);
    if (authenticated !== P.NO_FID || number === P.NO_FID) throw new HostError("EINVAL");
    if (tree !== "" && tree !== "/") throw new HostError("ENOENT");
    this.#qids.put(writer, this.#files.stat([]));
    const { root } = this.#fids.tree;
    this.#fids.tree.use(root);
    this.#fids.add(number, root);
  }

  #flush(reader: MessageReader): void {
    reader.u16();
    reader.end();
  }

  #walk(reader: MessageReader, writer: MessageWriter): void {
    const number = reader.u32(), newNumber = reader.u32(), count = reader.u16();
    if (count > P.WALK_MOST) throw new HostError("EINVAL");
    const names = Array.from({ length: count }, () => reader.text());
    reader.end();
    const fid = this.#fids.get(number), { tree } = this.#fids;
    if (number !== newNumber) this.#fids.checkNew(newNumber);
    else if (fid.open !== undefined) throw new HostError("EINVAL");
    if (newNumber === P.NO_FID) throw new HostError("EINVAL");
    const path = [...count > 0 ? tree.path(fid.node) : []];
    const found: HostStat[] = [];
    try {
      for (const name of names) {
        checkName(name);
        path.push(name);
        found.push(this.#files.stat(path));
      }
    } catch (error) {
      if (found.length === 0 || !(error instanceof HostError)) throw error;
    }
    writer.u16(found.length);
    for (const each of found) this.#qids.put(writer, each);
    if (found.length < count) return;
    let node = fid.node;
    tree.use(node);
    for (const name of names) {
      const next = tree.take(node, name);
      tree.drop(node);
      node = next;
    }
    if (number === newNumber) this.#fids.remove(number);
    this.#fids.add(newNumber, node);
  }

  #clunk(reader: MessageReader): void {
    const number = reader.u32();
    reader.end();
    this.#fids.remove(number);
  }

  #statfs(reader: MessageReader, writer: MessageWriter): void {
    const { node } = this.#fids.get(reader.u32());
    reader.end();
    this.#fids.tree.path(node);
    const space = this.#files.space();
    writer.u32(P.FILE_SYSTEM);
    writer.u32(space.blockSize);
    for (const each of [space.blocks, space.free, space.available, space.files, space.filesFree, 0]) writer.u64(each);
    writer.u32(NAME_MOST);
  }

  #open(reader: MessageReader, writer: MessageWriter): void {
    const fid = this.#fids.get(reader.u32()), flags = reader.u32();
    reader.end();
    writer.need(OPENED);
    if (fid.open !== undefined) throw new HostError("EINVAL");
    const path = this.#fids.tree.path(fid.node), stat = this.#files.stat(path);
    if (isLink(stat.mode)) throw new HostError("ELOOP");
    if (isFolder(stat.mode)) {
      if ((flags & P.OPEN.ACCESS) !== P.OPEN.READ || (flags & P.OPEN.TRUNCATE) !== 0) throw new HostError("EISDIR");
      this.#qids.put(writer, stat);
      writer.u32(0);
      fid.open = { names: undefined };
      return;
    }
    if ((flags & P.OPEN.FOLDER) !== 0) throw new HostError("ENOTDIR");
    this.#qids.put(writer, stat);
    writer.u32(0);
    fid.open = this.#openFile(fid.node, path, flags);
  }

  /** Opens a file that is there. */
  #openFile(node: PathNode, path: HostPath, flags: number): OpenFile {
    const truncate = (flags & P.OPEN.TRUNCATE) !== 0, { read, write } = accessOf(flags);
    if (write || truncate) this.#refuseChanges();
    this.#fids.files.makeRoom();
    const file = this.#files.open(path, { read, write: write || truncate });
    try {
      if (truncate) file.truncate(0);
      return this.#fids.files.add(node, file, { flags, stat: file.stat() });
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #create(reader: MessageReader, writer: MessageWriter): void {
    const fid = this.#fids.get(reader.u32()), name = reader.text(), flags = reader.u32(), mode = reader.u32();
    reader.u32();
    reader.end();
    if (fid.open !== undefined) throw new HostError("EINVAL");
    writer.need(OPENED);
    this.#refuseChanges();
    const { tree } = this.#fids, folder = fid.node, path = this.#childPath(folder, name);
    const node = tree.take(folder, name);
    try {
      fid.open = this.#createFile(node, path, { flags, mode });
    } catch (error) {
      tree.drop(node);
      throw error;
    }
    fid.node = node;
    tree.drop(folder);
    this.#qids.put(writer, this.#files.stat(path));
    writer.u32(0);
  }

  /** Makes a file, or opens it if it is there and may be. */
  #createFile(node: PathNode, path: HostPath, options: { readonly flags: number; readonly mode: number }): OpenFile {
    const { flags, mode } = options, access = accessOf(flags);
    this.#fids.files.makeRoom();
    let file: HostFile;
    try {
      file = this.#files.create(path, filePermissions(mode), access);
    } catch (error) {
      const there = error instanceof HostError && error.errno === ERRNO.EEXIST;
      if (!there || (flags & P.OPEN.EXCLUSIVE) !== 0) throw error;
      return this.#openFile(node, path, flags);
    }
    try {
      return this.#fids.files.add(node, file, { flags, stat: file.stat() });
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #makeNode(reader: MessageReader, writer: MessageWriter): void {
    const { node } = this.#fids.get(reader.u32()), name = reader.text(), mode = reader.u32();
    reader.bytes(12);
    reader.end();
    writer.need(P.QID_LENGTH);
    this.#refuseChanges();
    const path = this.#childPath(node, name);
    if (!isFile(mode) && (mode & MODE.KIND) !== 0) throw new HostError("EPERM");
    this.#files.create(path, filePermissions(mode), { read: false, write: true }).close();
    this.#qids.put(writer, this.#files.stat(path));
  }

  #makeFolder(reader: MessageReader, writer: MessageWriter): void {
    const { node } = this.#fids.get(reader.u32()), name = reader.text(), mode = reader.u32();
    reader.u32();
    reader.end();
    writer.need(P.QID_LENGTH);
    this.#refuseChanges();
    const path = this.#childPath(node, name);
    this.#files.makeFolder(path, mode & MODE.ALL);
    this.#qids.put(writer, this.#files.stat(path));
  }

  #symlink(reader: MessageReader, writer: MessageWriter): void {
    const { node } = this.#fids.get(reader.u32()), name = reader.text(), target = reader.text();
    reader.u32();
    reader.end();
    writer.need(P.QID_LENGTH);
    this.#refuseChanges();
    const path = this.#childPath(node, name);
    if (target === "" || target.includes("\0")) throw new HostError("EINVAL");
    this.#files.makeLink(path, target);
    this.#qids.put(writer, this.#files.stat(path));
  }

  #readLink(reader: MessageReader, writer: MessageWriter): void {
    const { node } = this.#fids.get(reader.u32());
    reader.end();
    writer.text(this.#files.readLink(this.#fids.tree.path(node)));
  }

  #link(reader: MessageReader): void {
    const folder = this.#fids.get(reader.u32()), file = this.#fids.get(reader.u32()), name = reader.text();
    reader.end();
    this.#refuseChanges();
    this.#files.addName(this.#fids.tree.path(file.node), this.#childPath(folder.node, name));
  }

  #rename(reader: MessageReader): void {
    const { node } = this.#fids.get(reader.u32()), folder = this.#fids.get(reader.u32()), name = reader.text();
    reader.end();
    this.#fids.tree.path(node);
    if (node.parent === undefined) throw new HostError("EBUSY");
    this.#move(node.parent, node.name, folder.node, name);
  }

  #renameAt(reader: MessageReader): void {
    const from = this.#fids.get(reader.u32()), name = reader.text();
    const to = this.#fids.get(reader.u32()), newName = reader.text();
    reader.end();
    this.#move(from.node, name, to.node, newName);
  }

  #move(from: PathNode, name: string, to: PathNode, newName: string): void {
    this.#refuseChanges();
    const path = this.#childPath(from, name), newPath = this.#childPath(to, newName);
    const before = this.#files.stat(path);
    this.#fids.files.hold(to.children.get(newName));
    this.#files.move(path, newPath);
    // Two names of one file are left as they are.
    if (this.#isThere(path, before)) return;
    this.#fids.tree.move(from, name, to, newName);
  }

  #isThere(path: HostPath, { device, inode }: HostStat): boolean {
    try {
      const now = this.#files.stat(path);
      return now.device === device && now.inode === inode;
    } catch (error) {
      if (error instanceof HostError) return false;
      throw error;
    }
  }

  #remove(reader: MessageReader): void {
    const number = reader.u32();
    reader.end();
    const { node } = this.#fids.get(number), { parent } = node;
    try {
      this.#refuseChanges();
      const path = this.#fids.tree.path(node);
      if (parent === undefined) throw new HostError("EBUSY");
      this.#fids.files.hold(node);
      this.#files.remove(path, isFolder(this.#files.stat(path).mode));
      this.#fids.tree.remove(parent, node.name);
    } finally {
      this.#fids.remove(number);
    }
  }

  #unlinkAt(reader: MessageReader): void {
    const { node } = this.#fids.get(reader.u32()), name = reader.text(), flags = reader.u32();
    reader.end();
    this.#refuseChanges();
    if ((flags & ~P.REMOVE_FOLDER) !== 0) throw new HostError("EINVAL");
    const path = this.#childPath(node, name);
    this.#fids.files.hold(node.children.get(name));
    this.#files.remove(path, flags !== 0);
    this.#fids.tree.remove(node, name);
  }

  #read(reader: MessageReader, writer: MessageWriter): void {
    const fid = this.#fids.get(reader.u32()), offset = reader.u64(), count = reader.u32();
    reader.end();
    const open = openFileOf(fid);
    if (!open.access.read) throw new HostError("EBADF");
    const file = this.#fids.files.use(open);
    if (offset >= OFFSET_END) throw new HostError("EINVAL");
    const at = writer.length;
    writer.u32(0);
    const part = writer.part(Math.min(count, writer.room));
    const length = part.length === 0 ? 0 : file.read(offset, part);
    writer.patch(at, length);
    writer.cut(at + 4 + length);
  }

  #write(reader: MessageReader, writer: MessageWriter): void {
    const fid = this.#fids.get(reader.u32()), offset = reader.u64(), bytes = reader.bytes(reader.u32());
    reader.end();
    const open = openFileOf(fid), { flags } = open;
    if (!open.access.write) throw new HostError("EBADF");
    const file = this.#fids.files.use(open);
    const at = (flags & P.OPEN.APPEND) !== 0 ? file.stat().size : offset;
    if (at + bytes.length >= OFFSET_END) throw new HostError("EFBIG");
    const length = bytes.length === 0 ? 0 : file.write(at, bytes);
    if ((flags & (P.OPEN.SYNC | P.OPEN.DATA_SYNC)) !== 0) file.sync((flags & P.OPEN.SYNC) === 0);
    writer.u32(length);
  }

  #sync(reader: MessageReader): void {
    const { open } = this.#fids.get(reader.u32()), contentsOnly = reader.u32() !== 0;
    reader.end();
    // The host has no way to ask for that of a folder.
    if (open instanceof OpenFile) this.#fids.files.use(open).sync(contentsOnly);
  }

  #readFolder(reader: MessageReader, writer: MessageWriter): void {
    const { node, open } = this.#fids.get(reader.u32()), offset = reader.u64(), count = reader.u32();
    reader.end();
    if (open === undefined) throw new HostError("EBADF");
    if (open instanceof OpenFile) throw new HostError("ENOTDIR");
    const { tree } = this.#fids, path = tree.path(node), parent = path.slice(0, -1);
    if (offset === 0 || open.names === undefined) {
      this.#fids.keep(open, [".", "..", ...this.#files.list(path).sort()]);
    }
    const names = open.names ?? [], at = writer.length;
    writer.u32(0);
    const end = writer.length + Math.min(count, writer.room);
    for (let n = Math.min(offset, names.length); n < names.length; n++) {
      const name = names[n];
      if (writer.length + ENTRY + name.length * 3 > end && writer.length + ENTRY + byteLength(name) > end) {
        if (writer.length === at + 4) throw new HostError("EINVAL");
        break;
      }
      let stat: HostStat;
      try {
        stat = this.#files.stat(n === 0 ? path : n === 1 ? parent : [...path, name]);
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        // Somebody has removed it.
        continue;
      }
      this.#qids.put(writer, stat);
      writer.u64(n + 1);
      writer.u8((stat.mode & MODE.KIND) >> 12);
      writer.text(name);
    }
    writer.patch(at, writer.length - at - 4);
  }

  #getAttributes(reader: MessageReader, writer: MessageWriter): void {
    const fid = this.#fids.get(reader.u32());
    reader.u64();
    reader.end();
    const stat = this.#statOf(fid);
    writer.u64(P.ATTRIBUTES);
    this.#qids.put(writer, stat);
    for (const each of [stat.mode, stat.user, stat.group]) writer.u32(each);
    for (const each of [stat.links, stat.special, stat.size, stat.blockSize, stat.blocks]) writer.u64(each);
    for (const each of [stat.accessed, stat.modified, stat.changed]) writer.time(each);
    // Time of birth, generation, data version.
    for (let n = 0; n < 4; n++) writer.u64(0);
  }

  /** What the host says of a file, even of one without a name if it is open. */
  #statOf({ node, open }: Fid): HostStat {
    if (open instanceof OpenFile) return this.#fids.files.use(open).stat();
    return this.#files.stat(this.#fids.tree.path(node));
  }

  #setAttributes(reader: MessageReader): void {
    const fid = this.#fids.get(reader.u32()), what = reader.u32(), mode = reader.u32();
    const user = reader.u32(), group = reader.u32(), size = reader.u64();
    const accessed = reader.time(), modified = reader.time();
    reader.end();
    this.#refuseChanges();
    const { SET } = P, stat = this.#statOf(fid), has = (bits: number): boolean => (what & bits) !== 0;
    if (has(SET.SIZE)) this.#setSize(fid, size);
    const newUser = has(SET.USER) && user !== P.NOBODY && user !== stat.user ? user : undefined;
    const newGroup = has(SET.GROUP) && group !== P.NOBODY && group !== stat.group ? group : undefined;
    const path = (): HostPath => this.#fids.tree.path(fid.node);
    if (newUser !== undefined || newGroup !== undefined) this.#files.setOwner(path(), newUser, newGroup);
    if (has(SET.MODE)) {
      this.#fids.files.hold(fid.node);
      this.#files.setMode(path(), isFolder(stat.mode) ? mode & MODE.ALL : filePermissions(mode));
    }
    if (!has(SET.ACCESSED | SET.MODIFIED)) return;
    const now = this.#files.now();
    const times = [
      !has(SET.ACCESSED) ? stat.accessed : has(SET.ACCESSED_TO) ? accessed : now,
      !has(SET.MODIFIED) ? stat.modified : has(SET.MODIFIED_TO) ? modified : now,
    ] as const;
    if (fid.open instanceof OpenFile) this.#fids.files.use(fid.open).setTimes(...times);
    else this.#files.setTimes(path(), ...times);
  }

  #setSize({ node, open }: Fid, size: number): void {
    if (size >= OFFSET_END) throw new HostError("EFBIG");
    if (open instanceof OpenFile && open.access.write) {
      this.#fids.files.use(open).truncate(size);
      return;
    }
    const file = this.#files.open(this.#fids.tree.path(node), { read: false, write: true });
    try {
      file.truncate(size);
    } finally {
      file.close();
    }
  }

  #lock(reader: MessageReader, writer: MessageWriter): void {
    this.#fids.get(reader.u32());
    reader.bytes(25);
    reader.text();
    reader.end();
    writer.u8(P.LOCK.SUCCESS);
  }

  #getLock(reader: MessageReader, writer: MessageWriter): void {
    this.#fids.get(reader.u32());
    reader.u8();
    const place = reader.bytes(20), owner = reader.text();
    reader.end();
    writer.u8(P.LOCK.NONE);
    writer.part(place.length).set(place);
    writer.text(owner);
  }

  /** Where a file in a folder is, or is to be. */
  #childPath(folder: PathNode, name: string): HostPath {
    checkName(name);
    return [...this.#fids.tree.path(folder), name];
  }

  #refuseChanges(): void {
    if (this.#readonly) throw new HostError("EROFS");
  }
}

function openFileOf({ open }: Fid): OpenFile {
  if (open === undefined) throw new HostError("EBADF");
  if (!(open instanceof OpenFile)) throw new HostError("EISDIR");
  return open;
}
