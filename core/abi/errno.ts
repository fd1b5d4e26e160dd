/**
 * The error numbers that the calls can report, with the values of x86 Linux (`asm-generic/errno-base.h`).
 * @module
 */

/** The symbolic name of an error number. */
export type ErrnoName =
  | "EPERM"
  | "ENOENT"
  | "EINTR"
  | "EIO"
  | "ENXIO"
  | "E2BIG"
  | "EBADF"
  | "EAGAIN"
  | "ENOMEM"
  | "EACCES"
  | "EFAULT"
  | "EBUSY"
  | "EEXIST"
  | "ENODEV"
  | "EINVAL"
  | "EMFILE"
  | "ENOTTY"
  | "ENOSPC"
  | "ENOSYS"
  | "EOPNOTSUPP";

/** Error number by name. */
export const ERRNO: Readonly<Record<ErrnoName, number>> = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  ENOTTY: 25,
  ENOSPC: 28,
  ENOSYS: 38,
  EOPNOTSUPP: 95,
};

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ERRNO).map(([name, value]) => [value, name]));

/**
 * The name of an error number.
 * @param errno The positive error number.
 * @returns Its name, such as `"EINVAL"`, or `"E<number>"` where it is none of {@linkcode ERRNO}.
 *
 * @example
 * ```ts
 * import { errnoName } from "@kvm12/kvm12";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(errnoName(22), "EINVAL");
 * ```
 */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}
