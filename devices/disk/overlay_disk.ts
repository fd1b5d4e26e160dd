/**
 * A disk whose changes are kept in a file of their own: a qcow2 image over a disk that never changes. What was never written is read
 * from the disk under it; the first write into a cluster of 64 KiB copies the rest of it. A new cluster always goes to the end of the
 * file: first its data, then its refcount, then the entry of the table that leads to it, so that a machine that is killed in between
 * leaves at worst a cluster that nothing leads to.
 * @module
 */

import type { Disk } from "./disk.ts";
import { checkDiskRange, DiskError } from "./disk_error.ts";
import {
  decodeQcow2Header,
  encodeQcow2Header,
  isQcow2Cluster,
  QCOW2_AUTOCLEAR,
  QCOW2_CLUSTER,
  QCOW2_ENTRIES,
  QCOW2_REFCOUNTS,
  type Qcow2Header,
  qcow2L1Size,
} from "./qcow2_header.ts";

/** Tables that stay in memory: enough for 32 GiB in which everything is written. */
const TABLES = 64;
/** The high half of an entry: the cluster belongs to this entry alone; it is compressed; the rest is the offset. */
const COPIED = 0x80000000, COMPRESSED = 0x40000000, OFFSET_HIGH = 0x00ffffff;
/** The low half of an L2 entry: the cluster reads as zeros. */
const ZERO = 1;
const HIGH = 0x100000000;

/** How an {@linkcode OverlayDisk} is opened. */
export interface OverlayDiskOptions {
  /** What the overlay is called in messages. */
  readonly name: string;
}

/** A disk with changes in a qcow2 image. */
export class OverlayDisk implements Disk {
  /** How many bytes there are: as many as the disk under it has. */
  readonly size: number;
  /** It can be written. */
  readonly readonly = false;
  readonly #base: Disk;
  readonly #file: Deno.FsFile;
  readonly #name: string;
  readonly #header: Qcow2Header;
  readonly #l1: DataView<ArrayBuffer>;
  readonly #l2 = new Map<number, DataView<ArrayBuffer>>();
  readonly #refcounts = new Map<number, DataView<ArrayBuffer>>();
  readonly #refcountTable: DataView<ArrayBuffer>;
  /** Number of the first cluster after all that are used. */
  #next: number;
  #open = true;

  /**
   * Opens an overlay.
   * @param file The qcow2 image, open for reading and writing; the disk closes it, but not when this throws.
   * @param base The disk under it, closed together with this one.
   * @param options What it is called.
   * @throws DiskError It is no overlay that can be used, or belongs to a disk of another size.
   */
  constructor(file: Deno.FsFile, base: Disk, options: OverlayDiskOptions) {
    this.#file = file;
    this.#base = base;
    this.#name = options.name;
    const first = new Uint8Array(QCOW2_CLUSTER);
    const header = decodeQcow2Header(first.subarray(0, this.#readSome(0, first)), this.#name);
    if (header.size !== base.size) {
      throw new DiskError(
        `Cannot use ${this.#name} as an overlay: it is for a disk of ${header.size} bytes, and this one has ${base.size}`,
      );
    }
    this.#header = header;
    this.size = header.size;
    const end = Math.ceil(this.#try("read", () => file.seekSync(0, Deno.SeekMode.End)) / QCOW2_CLUSTER);
    this.#next = end;
    if (this.#numberOf(header.refcountOffset) + header.refcountClusters > end) throw this.#damaged();
    if (header.l1Offset + qcow2L1Size(header.size) * 8 > end * QCOW2_CLUSTER) throw this.#damaged();
    this.#l1 = this.#table(header.l1Offset, qcow2L1Size(header.size) * 8);
    this.#refcountTable = this.#table(header.refcountOffset, header.refcountClusters * QCOW2_CLUSTER);
    this.#check(end);
    if (new DataView(first.buffer).getBigUint64(QCOW2_AUTOCLEAR) !== 0n) {
      this.#writeAt(QCOW2_AUTOCLEAR, new Uint8Array(8));
    }
  }

  /**
   * Makes an overlay in which nothing is written.
   * @param file An empty file, open for writing; it stays open.
   * @param base The disk that it is for.
   * @param options What it is called, and the path of the disk's image, which is kept in it.
   * @throws DiskError The host cannot write it.
   */
  static create(file: Deno.FsFile, base: Disk, options: OverlayDiskOptions & { readonly backing: string }): void {
    const l1Size = qcow2L1Size(base.size), l1Clusters = Math.ceil(l1Size / QCOW2_ENTRIES);
    const refcountTable = 1, refcountBlock = 2, l1 = 3, count = l1 + l1Clusters;
    const header = encodeQcow2Header({
      size: base.size,
      backing: options.backing,
      l1Offset: l1 * QCOW2_CLUSTER,
      l1Size,
      refcountOffset: refcountTable * QCOW2_CLUSTER,
      refcountClusters: 1,
    }, options.name);
    const counts = new DataView(new ArrayBuffer(count * 2));
    for (let n = 0; n < count; n++) counts.setUint16(n * 2, 1);
    attempt("write", options.name, () => {
      file.truncateSync(count * QCOW2_CLUSTER);
      writeAll(file, refcountBlock * QCOW2_CLUSTER, new Uint8Array(counts.buffer));
      writeAll(file, refcountTable * QCOW2_CLUSTER, entryBytes(refcountBlock * QCOW2_CLUSTER, 0));
      writeAll(file, 0, header);
      file.syncDataSync();
    });
  }

  /** Path of the image under it, as the overlay has it. */
  get backing(): string {
    return this.#header.backing;
  }

  /**
   * Reads.
   * @param offset The first byte.
   * @param into Filled whole.
   * @throws RangeError It leaves the disk.
   * @throws DiskError The host cannot read it.
   */
  read(offset: number, into: Uint8Array): void {
    checkDiskRange(this, offset, into.length);
    for (let done = 0; done < into.length;) {
      const at = offset + done, within = at % QCOW2_CLUSTER;
      const part = into.subarray(done, done + QCOW2_CLUSTER - within);
      this.#readCluster(at, part);
      done += part.length;
    }
  }

  /**
   * Writes, into the overlay.
   * @param offset The first byte.
   * @param bytes What is written.
   * @throws RangeError It leaves the disk.
   * @throws DiskError The host cannot write it, or cannot read the rest of a cluster (the first part may be written then).
   */
  write(offset: number, bytes: Uint8Array): void {
    checkDiskRange(this, offset, bytes.length);
    for (let done = 0; done < bytes.length;) {
      const at = offset + done, within = at % QCOW2_CLUSTER;
      const part = bytes.subarray(done, done + QCOW2_CLUSTER - within);
      this.#writeCluster(at, part);
      done += part.length;
    }
  }

  /**
   * Returns once all that was written is on the host's storage.
   * @throws DiskError The host cannot do that.
   */
  flush(): void {
    this.#try("write", () => this.#file.syncDataSync());
  }

  /** Closes the overlay and the disk under it. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#file.close();
    this.#base[Symbol.dispose]();
  }

  #readCluster(at: number, part: Uint8Array): void {
    const l2 = this.#l2Of(at), index = l2Index(at);
    const offset = l2 === undefined ? 0 : offsetIn(l2, index);
    if (l2 !== undefined && isZero(l2, index)) part.fill(0);
    else if (offset === 0) this.#base.read(at, part);
    else part.fill(0, this.#readSome(offset + at % QCOW2_CLUSTER, part));
  }

  #writeCluster(at: number, part: Uint8Array): void {
    const l2 = this.#l2Of(at), index = l2Index(at);
    const offset = l2 === undefined ? 0 : offsetIn(l2, index);
    if (l2 !== undefined && offset !== 0 && !isZero(l2, index)) {
      this.#writeAt(offset + at % QCOW2_CLUSTER, part);
      return;
    }
    const start = at - at % QCOW2_CLUSTER;
    let cluster = part;
    if (part.length < QCOW2_CLUSTER) {
      cluster = new Uint8Array(QCOW2_CLUSTER);
      this.#readCluster(start, cluster.subarray(0, Math.min(QCOW2_CLUSTER, this.size - start)));
      cluster.set(part, at - start);
    }
    const place = offset !== 0 ? offset : this.#allocate(cluster);
    if (offset !== 0) this.#writeAt(offset, cluster);
    if (l2 !== undefined) this.#enter(l2, offsetIn(this.#l1, l1Index(at)), index, place);
    else this.#addL2(at, index, place);
  }

  /** Makes an L2 table with one entry, and the L1 entry that leads to it. */
  #addL2(at: number, index: number, place: number): void {
    const table = new DataView(new ArrayBuffer(QCOW2_CLUSTER));
    setEntry(table, index, place);
    const offset = this.#allocate(new Uint8Array(table.buffer));
    this.#enter(this.#l1, this.#header.l1Offset, l1Index(at), offset);
    keep(this.#l2, l1Index(at), table);
  }

  /** Writes an entry of a table into the file, and then into the table in memory. */
  #enter(table: DataView<ArrayBuffer>, tableOffset: number, index: number, place: number): void {
    this.#writeAt(tableOffset + index * 8, entryBytes(place, COPIED));
    setEntry(table, index, place);
  }

  /**
   * Adds a cluster at the end of the file.
   * @returns Where it is.
   */
  #allocate(bytes: Uint8Array): number {
    for (;;) {
      const number = this.#next;
      const block = this.#refcountBlock(number);
      if (block === undefined) {
        this.#addRefcountBlock(number);
        continue;
      }
      const within = number % QCOW2_REFCOUNTS;
      if (block.getUint16(within * 2) === 0) {
        this.#writeAt(number * QCOW2_CLUSTER, bytes);
        const table = offsetIn(this.#refcountTable, Math.floor(number / QCOW2_REFCOUNTS));
        this.#writeAt(table + within * 2, new Uint8Array([0, 1]));
        block.setUint16(within * 2, 1);
        this.#next++;
        return number * QCOW2_CLUSTER;
      }
      this.#next++;
    }
  }

  /** Adds the block with the refcount of a cluster, in that cluster. */
  #addRefcountBlock(number: number): void {
    const index = Math.floor(number / QCOW2_REFCOUNTS), offset = number * QCOW2_CLUSTER;
    if (index * 8 >= this.#refcountTable.byteLength) throw new DiskError(`Cannot write ${this.#name}: it is full`);
    const block = new DataView(new ArrayBuffer(QCOW2_CLUSTER));
    block.setUint16(number % QCOW2_REFCOUNTS * 2, 1);
    this.#writeAt(offset, new Uint8Array(block.buffer));
    this.#writeAt(this.#header.refcountOffset + index * 8, entryBytes(offset, 0));
    this.#refcountTable.setUint32(index * 8, Math.floor(offset / HIGH));
    this.#refcountTable.setUint32(index * 8 + 4, offset % HIGH);
    keep(this.#refcounts, index, block);
    this.#next++;
  }

  #refcountBlock(number: number): DataView<ArrayBuffer> | undefined {
    const index = Math.floor(number / QCOW2_REFCOUNTS);
    if (index * 8 >= this.#refcountTable.byteLength) return undefined;
    const offset = offsetIn(this.#refcountTable, index);
    return offset === 0 ? undefined : this.#cached(this.#refcounts, index, offset);
  }

  #l2Of(at: number): DataView<ArrayBuffer> | undefined {
    const offset = offsetIn(this.#l1, l1Index(at));
    return offset === 0 ? undefined : this.#cached(this.#l2, l1Index(at), offset);
  }

  #cached(tables: Map<number, DataView<ArrayBuffer>>, index: number, offset: number): DataView<ArrayBuffer> {
    const known = tables.get(index);
    if (known !== undefined) return known;
    const table = this.#table(offset, QCOW2_CLUSTER);
    keep(tables, index, table);
    return table;
  }

  #table(offset: number, length: number): DataView<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.#readSome(offset, bytes);
    return new DataView(bytes.buffer);
  }

  /** Looks at all tables: every entry leads to a cluster in the file that no other entry leads to. */
  #check(end: number): void {
    const used = new Set<number>([0]);
    const use = (offset: number): void => {
      const number = this.#numberOf(offset);
      if (number >= end || used.has(number)) throw this.#damaged();
      used.add(number);
    };
    const { l1Offset, refcountOffset, refcountClusters } = this.#header;
    for (let n = 0; n < refcountClusters; n++) use(refcountOffset + n * QCOW2_CLUSTER);
    for (let n = 0; n * QCOW2_CLUSTER < this.#l1.byteLength; n++) use(l1Offset + n * QCOW2_CLUSTER);
    for (let n = 0; n * 8 < this.#refcountTable.byteLength; n++) {
      if (offsetIn(this.#refcountTable, n) !== 0) use(offsetIn(this.#refcountTable, n));
    }
    for (let n = 0; n * 8 < this.#l1.byteLength; n++) {
      if (offsetIn(this.#l1, n) === 0) continue;
      use(this.#ownOffset(this.#l1, n));
      const l2 = this.#table(offsetIn(this.#l1, n), QCOW2_CLUSTER);
      for (let index = 0; index < QCOW2_ENTRIES; index++) {
        if ((l2.getUint32(index * 8) & COMPRESSED) !== 0) {
          throw new DiskError(`Cannot use ${this.#name} as an overlay: it is compressed`);
        }
        if (offsetIn(l2, index) !== 0) use(this.#ownOffset(l2, index));
      }
    }
  }

  /** The offset in an entry, whose cluster must belong to it alone. */
  #ownOffset(table: DataView<ArrayBuffer>, index: number): number {
    if ((table.getUint32(index * 8) & COPIED) === 0) throw this.#damaged();
    return offsetIn(table, index);
  }

  #numberOf(offset: number): number {
    if (!isQcow2Cluster(offset)) throw this.#damaged();
    return offset / QCOW2_CLUSTER;
  }

  #damaged(): DiskError {
    return new DiskError(`Cannot use ${this.#name} as an overlay: it is damaged; try 'qemu-img check -r all'`);
  }

  /** Reads until the end of the file, and says how many bytes there were. */
  #readSome(offset: number, into: Uint8Array): number {
    return this.#try("read", () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      let done = 0;
      for (let count: number | null = 0; count !== null && done < into.length; done += count ?? 0) {
        count = this.#file.readSync(into.subarray(done));
      }
      return done;
    });
  }

  #writeAt(offset: number, bytes: Uint8Array): void {
    this.#try("write", () => writeAll(this.#file, offset, bytes));
  }

  #try<T>(action: string, doIt: () => T): T {
    return attempt(action, this.#name, doIt);
  }
}

function attempt<T>(action: string, name: string, doIt: () => T): T {
  try {
    return doIt();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new DiskError(`Cannot ${action} ${name}: ${error.message}`, { cause: error });
  }
}

function writeAll(file: Deno.FsFile, offset: number, bytes: Uint8Array): void {
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/** Keeps a table in memory, and forgets the oldest where there are too many. */
function keep(tables: Map<number, DataView<ArrayBuffer>>, index: number, table: DataView<ArrayBuffer>): void {
  tables.set(index, table);
  for (const oldest of tables.keys()) {
    if (tables.size <= TABLES) break;
    tables.delete(oldest);
  }
}

function l1Index(at: number): number {
  return Math.floor(at / (QCOW2_CLUSTER * QCOW2_ENTRIES));
}

function l2Index(at: number): number {
  return Math.floor(at / QCOW2_CLUSTER) % QCOW2_ENTRIES;
}

/** The offset in an entry: bits 9 to 55. */
function offsetIn(table: DataView<ArrayBuffer>, index: number): number {
  const high = table.getUint32(index * 8) & OFFSET_HIGH, low = table.getUint32(index * 8 + 4);
  return high * HIGH + low - low % 0x200;
}

function isZero(l2: DataView<ArrayBuffer>, index: number): boolean {
  return (l2.getUint32(index * 8 + 4) & ZERO) !== 0;
}

function setEntry(table: DataView<ArrayBuffer>, index: number, offset: number): void {
  new Uint8Array(table.buffer).set(entryBytes(offset, COPIED), index * 8);
}

function entryBytes(offset: number, flags: number): Uint8Array<ArrayBuffer> {
  const entry = new DataView(new ArrayBuffer(8));
  entry.setUint32(0, (Math.floor(offset / HIGH) | flags) >>> 0);
  entry.setUint32(4, offset % HIGH);
  return new Uint8Array(entry.buffer);
}
