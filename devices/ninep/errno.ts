/**
 * Linux's error numbers, as 9P2000.L's answers have them.
 * @module
 */

/** The numbers by name (include/uapi/asm-generic/errno-base.h and errno.h). */
// deno-fmt-ignore
export const ERRNO = {
  EPERM: 1, ENOENT: 2, EINTR: 4, EIO: 5, ENXIO: 6, EBADF: 9, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EBUSY: 16, EEXIST: 17, EXDEV: 18,
  ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENFILE: 23, EMFILE: 24, ETXTBSY: 26, EFBIG: 27, ENOSPC: 28, EROFS: 30,
  EMLINK: 31, ENAMETOOLONG: 36, ENOSYS: 38, ENOTEMPTY: 39, ELOOP: 40, EPROTO: 71, EILSEQ: 84, EMSGSIZE: 90, EOPNOTSUPP: 95,
  ESTALE: 116, EDQUOT: 122,
} as const;

/** One of the names. */
export type ErrnoName = keyof typeof ERRNO;

/**
 * Whether a name is one of them.
 * @param name The name.
 */
export function isErrnoName(name: unknown): name is ErrnoName {
  return typeof name === "string" && Object.hasOwn(ERRNO, name);
}
