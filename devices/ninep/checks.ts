/**
 * What the names, flags and permissions in a client's requests are checked for.
 * @module
 */

import { type HostAccess, HostError, isPlainName, NAME_MOST } from "./host_files.ts";
import { MODE } from "./mode.ts";
import { OPEN } from "./protocol.ts";

const ENCODER = new TextEncoder();

/**
 * Refuses what is no name of a file in its folder.
 * @param name The name.
 * @throws HostError EINVAL or ENAMETOOLONG.
 */
export function checkName(name: string): void {
  if (!isPlainName(name)) throw new HostError("EINVAL");
  if (name.length * 3 > NAME_MOST && byteLength(name) > NAME_MOST) throw new HostError("ENAMETOOLONG");
}

/**
 * How many bytes of UTF-8 a name has.
 * @param name The name.
 */
export function byteLength(name: string): number {
  return ENCODER.encode(name).length;
}

/**
 * What a file is opened for.
 * @param flags Linux's flags.
 * @throws HostError EINVAL: for nothing.
 */
export function accessOf(flags: number): HostAccess {
  const access = flags & OPEN.ACCESS;
  if (access === OPEN.ACCESS) throw new HostError("EINVAL");
  return { read: access !== OPEN.WRITE, write: access !== OPEN.READ };
}

/**
 * The permissions of a file that is no folder: on the host it never runs as its owner.
 * @param mode What is asked for.
 */
export function filePermissions(mode: number): number {
  return mode & MODE.ALL & ~(MODE.SET_USER | MODE.SET_GROUP);
}
