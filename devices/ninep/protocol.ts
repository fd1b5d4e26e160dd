/**
 * The numbers of 9P2000.L: messages, flags and limits (Linux's include/net/9p/9p.h; diod's protocol.md).
 * @module
 */

/** Requests; the answer to each is the number after it. */
// deno-fmt-ignore
export const REQUEST = {
  STATFS: 8, LOPEN: 12, LCREATE: 14, SYMLINK: 16, MKNOD: 18, RENAME: 20, READLINK: 22, GETATTR: 24, SETATTR: 26, XATTRWALK: 30,
  XATTRCREATE: 32, READDIR: 40, FSYNC: 50, LOCK: 52, GETLOCK: 54, LINK: 70, MKDIR: 72, RENAMEAT: 74, UNLINKAT: 76, VERSION: 100,
  AUTH: 102, ATTACH: 104, FLUSH: 108, WALK: 110, READ: 116, WRITE: 118, CLUNK: 120, REMOVE: 122,
} as const;

/** The answer to a request that is refused. */
export const RLERROR = 7;

/** The only version of the protocol. */
export const VERSION = "9P2000.L";
/** The answer to other versions. */
export const VERSION_UNKNOWN = "unknown";

/** No tag, no fid. */
export const NO_TAG = 0xffff;
/** No fid. */
export const NO_FID = 0xffffffff;

/** Bytes of a message before its contents: length, type, tag. */
export const HEADER = 7;
/** Bytes of a refusal. */
export const RLERROR_LENGTH = HEADER + 4;
/** The largest message. */
export const MESSAGE_MOST = 512 * 1024;
/** The smallest that may be agreed on. */
export const MESSAGE_LEAST = 4096;
/** The most names of a walk. */
export const WALK_MOST = 16;

/** Kinds of files in a qid. */
export const QID = { FOLDER: 0x80, LINK: 0x02, FILE: 0x00 } as const;
/** Bytes of a qid. */
export const QID_LENGTH = 13;

/** Flags of an open file, as Linux numbers them. */
export const OPEN = {
  ACCESS: 3,
  READ: 0,
  WRITE: 1,
  READ_WRITE: 2,
  EXCLUSIVE: 0o200,
  TRUNCATE: 0o1000,
  APPEND: 0o2000,
  DATA_SYNC: 0o10000,
  FOLDER: 0o200000,
  SYNC: 0o4000000,
} as const;

/** What a request to set attributes sets. */
export const SET = {
  MODE: 0x1,
  USER: 0x2,
  GROUP: 0x4,
  SIZE: 0x8,
  ACCESSED: 0x10,
  MODIFIED: 0x20,
  CHANGED: 0x40,
  ACCESSED_TO: 0x80,
  MODIFIED_TO: 0x100,
} as const;

/** What is valid of the attributes: all but the time of birth, generation and data version. */
export const ATTRIBUTES = 0x7ff;

/** The flag of UNLINKAT for folders. */
export const REMOVE_FOLDER = 0x200;

/** Nobody's user or group: leave it as it is. */
export const NOBODY = 0xffffffff;

/** The answer to a lock that is granted, and the kind of a lock that is none. */
export const LOCK = { SUCCESS: 0, NONE: 2 } as const;

/** The number of the file system for statfs. */
export const FILE_SYSTEM = 0x01021997;
