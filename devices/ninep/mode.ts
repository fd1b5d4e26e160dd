/**
 * Kinds and permissions of files, as Linux numbers them (include/uapi/linux/stat.h).
 * @module
 */

/** Bits of `st_mode`. */
export const MODE = {
  KIND: 0o170000,
  SOCKET: 0o140000,
  LINK: 0o120000,
  FILE: 0o100000,
  FOLDER: 0o040000,
  SET_USER: 0o4000,
  SET_GROUP: 0o2000,
  STICKY: 0o1000,
  ALL: 0o7777,
  PERMISSIONS: 0o777,
} as const;

/**
 * Whether a mode is that of a folder.
 * @param mode The mode.
 */
export function isFolder(mode: number): boolean {
  return (mode & MODE.KIND) === MODE.FOLDER;
}

/**
 * Whether a mode is that of a symbolic link.
 * @param mode The mode.
 */
export function isLink(mode: number): boolean {
  return (mode & MODE.KIND) === MODE.LINK;
}

/**
 * Whether a mode is that of a regular file.
 * @param mode The mode.
 */
export function isFile(mode: number): boolean {
  return (mode & MODE.KIND) === MODE.FILE;
}
