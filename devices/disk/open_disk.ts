/**
 * Opens disk images of the host.
 * @module
 */

import type { Disk } from "./disk.ts";
import { DiskError } from "./disk_error.ts";
import { RawDisk } from "./raw_disk.ts";
import { SnapshotDisk } from "./snapshot_disk.ts";

/** What is opened and how. */
export interface OpenDiskOptions {
  /** The image: a file with the bytes of the disk, or a block device. */
  readonly file: string;
  /** Whether the guest cannot write it; unless told, it can. */
  readonly readonly?: boolean;
  /** Whether what the guest writes is forgotten at the end, and the file never changes; unless told, it is kept. */
  readonly snapshot?: boolean;
}

/**
 * Opens a disk image. One that may change is locked (`flock`) until it is closed: nobody else can open it, while an image that stays
 * as it is can be open many times. The lock is gone with the process, and leaves nothing behind.
 *
 * @example
 * ```ts
 * import { openDisk } from "./open_disk.ts";
 *
 * export function sizeOf(file: string): number {
 *   using disk = openDisk({ file, snapshot: true });
 *   return disk.size;
 * }
 * ```
 *
 * @param options What is opened and how. Needs permission to read the file, and to write it unless `readonly` or `snapshot`.
 * @returns The disk; to be disposed of.
 * @throws DiskError It is not there, a directory or something else that is no disk, not permitted, empty, or in use.
 */
export function openDisk(options: OpenDiskOptions): Disk {
  const { file: name, snapshot = false } = options;
  const readonly = options.readonly ?? false;
  const write = !readonly && !snapshot;
  const file = openFile(name, write);
  let disk: Disk | undefined;
  try {
    if (!file.tryLockSync(write)) {
      throw new DiskError(`Cannot open ${name}: another machine is using it${write ? "" : " and may change it"}`);
    }
    disk = new RawDisk(file, { name, readonly: !write });
    if (disk.size === 0) throw new DiskError(`Cannot open ${name}: it is empty`);
  } catch (error) {
    file.close();
    throw explained(error, name, "read");
  }
  return snapshot && !readonly ? new SnapshotDisk(disk) : disk;
}

function openFile(name: string, write: boolean): Deno.FsFile {
  let action = "read";
  try {
    // A pipe would wait for its other end when it is opened, so one looks first.
    const info = Deno.statSync(name);
    if (info.isDirectory) throw new DiskError(`Cannot open ${name}: it is a directory`);
    if (!info.isFile && !info.isBlockDevice) throw new DiskError(`Cannot open ${name}: it is no file`);
    Deno.openSync(name, { read: true }).close();
    if (write) action = "write";
    return Deno.openSync(name, { read: true, write });
  } catch (error) {
    throw explained(error, name, action);
  }
}

/** What the host or the runtime said, in a line for the user. */
function explained(error: unknown, name: string, action: string): unknown {
  if (error instanceof DiskError || !(error instanceof Error)) return error;
  const because = error instanceof Deno.errors.NotFound
    ? "there is no such file"
    : error instanceof Deno.errors.NotCapable
    ? `this needs the permission --allow-${action}`
    : error instanceof Deno.errors.PermissionDenied
    ? `the host does not permit to ${action} it`
    : error.message.split("\n")[0];
  return new DiskError(`Cannot open ${name}: ${because}`, { cause: error });
}
