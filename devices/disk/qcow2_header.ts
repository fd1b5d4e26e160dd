/**
 * The header of a qcow2 image, version 3, as far as an overlay over a raw image needs it (QEMU, "docs/interop/qcow2.rst"). All numbers
 * in the format have their highest byte first.
 * @module
 */

import { DiskError } from "./disk_error.ts";

/** Bytes of a cluster; QEMU makes other sizes only when told to. */
export const QCOW2_CLUSTER = 0x10000;

/** Entries of a table that is a cluster: L2, and each cluster of the refcount table. */
export const QCOW2_ENTRIES = QCOW2_CLUSTER / 8;

/** Clusters whose refcounts, of two bytes each, one refcount block holds. */
export const QCOW2_REFCOUNTS = QCOW2_CLUSTER / 2;

/** Where the autoclear features are: what another program has noted there is out of date after a write. */
export const QCOW2_AUTOCLEAR = 88;

const MAGIC = 0x514649fb, VERSION = 3, HEADER = 104, REFCOUNT_ORDER = 4, CLUSTER_BITS = 16;
const EXTENSION_END = 0, EXTENSION_BACKING_FORMAT = 0xe2792aca, LONGEST_NAME = 1023;
const INCOMPATIBLE = [
  "it was not closed properly: repair it with 'qemu-img check -r all'",
  "it is marked as damaged: repair it with 'qemu-img check -r all'",
  "its data is in another file",
  "it is compressed",
  "it has subclusters",
];

/** What a header says. */
export interface Qcow2Header {
  /** Bytes of the disk. */
  readonly size: number;
  /** Path of the image under it. */
  readonly backing: string;
  /** Where the L1 table is, a multiple of {@linkcode QCOW2_CLUSTER}. */
  readonly l1Offset: number;
  /** Entries of the L1 table. */
  readonly l1Size: number;
  /** Where the refcount table is, a multiple of {@linkcode QCOW2_CLUSTER}. */
  readonly refcountOffset: number;
  /** Clusters of the refcount table. */
  readonly refcountClusters: number;
}

/**
 * How many entries the L1 table of a disk has: one for each 512 MiB.
 * @param size Bytes of the disk.
 */
export function qcow2L1Size(size: number): number {
  return Math.ceil(size / (QCOW2_CLUSTER * QCOW2_ENTRIES));
}

/**
 * Makes the first cluster of an image.
 * @param header What it says.
 * @param name What the image is called in messages.
 * @throws DiskError The path of the image under it is too long for the format.
 */
export function encodeQcow2Header(header: Qcow2Header, name: string): Uint8Array<ArrayBuffer> {
  const backing = new TextEncoder().encode(header.backing), format = new TextEncoder().encode("raw");
  if (backing.length > LONGEST_NAME) throw new DiskError(`Cannot create ${name}: the path of its base is too long`);
  const bytes = new Uint8Array(QCOW2_CLUSTER), view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, VERSION);
  view.setUint32(20, CLUSTER_BITS);
  view.setBigUint64(24, BigInt(header.size));
  view.setUint32(36, header.l1Size);
  view.setBigUint64(40, BigInt(header.l1Offset));
  view.setBigUint64(48, BigInt(header.refcountOffset));
  view.setUint32(56, header.refcountClusters);
  view.setUint32(96, REFCOUNT_ORDER);
  view.setUint32(100, HEADER);
  view.setUint32(HEADER, EXTENSION_BACKING_FORMAT);
  view.setUint32(HEADER + 4, format.length);
  bytes.set(format, HEADER + 8);
  const end = HEADER + 16, text = end + 8;
  view.setUint32(end, EXTENSION_END);
  view.setBigUint64(8, BigInt(text));
  view.setUint32(16, backing.length);
  bytes.set(backing, text);
  return bytes;
}

/**
 * Understands the first cluster of an image.
 * @param bytes The first cluster, or all of a shorter file.
 * @param name What the image is called in messages.
 * @throws DiskError It is no qcow2 image, or one with something that this library cannot use.
 */
export function decodeQcow2Header(bytes: Uint8Array, name: string): Qcow2Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const refuse = (because: string): never => {
    throw new DiskError(`Cannot use ${name} as an overlay: ${because}`);
  };
  if (bytes.length < 8 || view.getUint32(0) !== MAGIC) refuse("it is no qcow2 image");
  if (view.getUint32(4) !== VERSION) refuse(`it is qcow2 version ${view.getUint32(4)}, not ${VERSION}`);
  if (bytes.length < HEADER) refuse("its header is cut off");
  const incompatible = view.getBigUint64(72);
  if (incompatible !== 0n) {
    refuse(INCOMPATIBLE.find((_, bit) => (incompatible >> BigInt(bit) & 1n) === 1n) ?? "it has unknown features");
  }
  if (view.getUint32(32) !== 0) refuse("it is encrypted");
  if (view.getUint32(60) !== 0) refuse("it has snapshots in it");
  if (view.getUint32(20) !== CLUSTER_BITS) refuse(`its clusters do not have ${QCOW2_CLUSTER} bytes`);
  if (view.getUint32(96) !== REFCOUNT_ORDER) refuse("its refcounts do not have 16 bits");
  const backingOffset = Number(view.getBigUint64(8)), backingLength = view.getUint32(16);
  if (backingOffset === 0 || backingLength === 0) refuse("it has no base");
  if (backingLength > LONGEST_NAME || backingOffset + backingLength > bytes.length) refuse("its header is damaged");
  const format = backingFormat(view, backingOffset);
  if (format === undefined) refuse("its header is damaged");
  if (format !== "" && format !== "raw") refuse(`its base is a '${format}' image, not a raw one`);
  const header: Qcow2Header = {
    size: Number(view.getBigUint64(24)),
    backing: new TextDecoder().decode(bytes.subarray(backingOffset, backingOffset + backingLength)),
    l1Offset: Number(view.getBigUint64(40)),
    l1Size: view.getUint32(36),
    refcountOffset: Number(view.getBigUint64(48)),
    refcountClusters: view.getUint32(56),
  };
  if (![header.l1Offset, header.refcountOffset].every(isQcow2Cluster) || header.refcountClusters === 0) {
    refuse("its header is damaged");
  }
  if (header.l1Size < qcow2L1Size(header.size)) refuse("its header is damaged");
  return header;
}

/**
 * Whether a number is where a cluster other than the first may be in a file.
 * @param offset In bytes.
 */
export function isQcow2Cluster(offset: number): boolean {
  return Number.isSafeInteger(offset) && offset > 0 && offset % QCOW2_CLUSTER === 0;
}

/** The name of the base's format; empty where none is said, nothing where the extensions leave the header. */
function backingFormat(view: DataView, limit: number): string | undefined {
  let format = "";
  for (let at = view.getUint32(100); at + 8 <= limit;) {
    const type = view.getUint32(at), length = view.getUint32(at + 4);
    if (type === EXTENSION_END) return format;
    if (at + 8 + length > limit) return undefined;
    if (type === EXTENSION_BACKING_FORMAT) {
      format = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 8, length));
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return format;
}
