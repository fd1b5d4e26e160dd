/**
 * What must be true of each answer of 9P2000.L: it is well-formed, and nothing of the outside is in it.
 * @module
 */
import { ERRNO } from "../devices/ninep/errno.ts";
import { HEADER, NO_TAG, QID_LENGTH, REQUEST, RLERROR } from "../devices/ninep/protocol.ts";

/** What must not be seen. */
export interface Forbidden {
  /** Text of files, and names. */
  readonly texts: readonly string[];
  /** Numbers of files. */
  readonly inodes: ReadonlySet<bigint>;
}

const DECODER = new TextDecoder("latin1");
const ERRORS: ReadonlySet<number> = new Set(Object.values(ERRNO));
const INODE_BITS = 53;
/** Answers that say nothing. */
const EMPTY: ReadonlySet<number> = new Set([
  ...[REQUEST.RENAME, REQUEST.SETATTR, REQUEST.FSYNC, REQUEST.LINK, REQUEST.RENAMEAT, REQUEST.UNLINKAT],
  ...[REQUEST.FLUSH, REQUEST.CLUNK, REQUEST.REMOVE],
]);
/** Answers with a qid and so many bytes behind it. */
const WITH_QID: ReadonlyMap<number, number> = new Map([
  ...[REQUEST.ATTACH, REQUEST.SYMLINK, REQUEST.MKNOD, REQUEST.MKDIR].map((type) => [type, 0] as const),
  ...[REQUEST.LOPEN, REQUEST.LCREATE].map((type) => [type, 4] as const),
]);
const ATTRIBUTES = 153, STATFS = 60;

/**
 * Looks at an answer.
 * @param message The request.
 * @param answer What the server has given.
 * @param room How long it might be.
 * @param forbidden What must not be seen.
 * @returns What is wrong, or null.
 */
export function checkAnswer(
  message: Uint8Array,
  answer: Uint8Array,
  room: number,
  forbidden: Forbidden,
): string | null {
  if (answer.length < HEADER || answer.length > room) {
    return `it has ${answer.length} bytes, and there is room for ${room}`;
  }
  const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
  if (view.getUint32(0, true) !== answer.length) return "its length is wrong";
  const whole = message.length >= HEADER;
  const tag = whole ? message[5] | message[6] << 8 : NO_TAG;
  if (view.getUint16(5, true) !== tag) return "it has another tag";
  const text = DECODER.decode(answer);
  if (forbidden.texts.some((each) => text.includes(each))) return "it has something of the outside";
  const type = answer[4];
  if (type === RLERROR) {
    if (answer.length !== HEADER + 4) return "it is an error of a wrong length";
    return ERRORS.has(view.getUint32(HEADER, true)) ? null : `there is no error ${view.getUint32(HEADER, true)}`;
  }
  if (!whole || type !== message[4] + 1) return `it has the type ${type}`;
  const body = contents(message[4], view);
  if (typeof body === "string") return body;
  const seen = body.find((at) => forbidden.inodes.has(BigInt.asUintN(INODE_BITS, view.getBigUint64(at + 5, true))));
  return seen === undefined ? null : "it tells of a file outside";
}

/** Where the qids of an answer are, or what is wrong with it. */
function contents(type: number, view: DataView): number[] | string {
  const length = view.byteLength - HEADER, at = HEADER;
  const must = (expected: number, qids: number[] = []): number[] | string =>
    length === expected ? qids : `it has ${length} bytes in place of ${expected}`;
  const text = (offset: number): number => length < offset + 2 ? 0 : 2 + view.getUint16(at + offset, true);
  const behind = WITH_QID.get(type);
  if (behind !== undefined) return must(QID_LENGTH + behind, [at]);
  if (EMPTY.has(type)) return must(0);
  switch (type) {
    case REQUEST.WALK: {
      const count = view.getUint16(at, true);
      return must(2 + count * QID_LENGTH, Array.from({ length: count }, (_, n) => at + 2 + n * QID_LENGTH));
    }
    case REQUEST.GETATTR:
      return must(ATTRIBUTES, [at + 8]);
    case REQUEST.STATFS:
      return must(STATFS);
    case REQUEST.VERSION:
      return must(4 + text(4));
    case REQUEST.READLINK:
      return must(text(0));
    case REQUEST.READ:
      return must(4 + view.getUint32(at, true));
    case REQUEST.WRITE:
      return must(4);
    case REQUEST.LOCK:
      return must(1);
    case REQUEST.GETLOCK:
      return must(21 + text(21));
    case REQUEST.READDIR: {
      const qids: number[] = [], end = view.byteLength;
      let next = at + 4;
      while (next < end) {
        if (next + QID_LENGTH + 11 > end) return "an entry is cut off";
        qids.push(next);
        next += QID_LENGTH + 9;
        next += 2 + view.getUint16(next, true);
      }
      return next === end ? must(4 + view.getUint32(at, true), qids) : "an entry is cut off";
    }
    default:
      return `there is no answer to ${type}`;
  }
}
