/**
 * Qids: by which a client knows files apart.
 * @module
 */

import type { HostStat } from "./host_files.ts";
import type { MessageWriter } from "./message.ts";
import { isFolder, isLink } from "./mode.ts";
import { QID } from "./protocol.ts";

const HIGH = 2 ** 32;
/** The number of a file system goes above the 53 bits of a file's number there. */
const INODE_END = 2 ** 53, DEVICE_UNIT = INODE_END / HIGH, DEVICES_MOST = HIGH / DEVICE_UNIT - 1;

/** Makes qids; the file systems of the host are numbered as they are seen. */
export class Qids {
  readonly #devices: Map<number, number> = new Map();

  /**
   * Writes a file's qid: its kind, a number that changes with its contents, and one that stays.
   * @param writer Where to.
   * @param stat What the host says of the file.
   */
  put(writer: MessageWriter, { mode, device, inode, modified, size }: HostStat): void {
    let index = this.#devices.get(device);
    if (index === undefined) this.#devices.set(device, index = Math.min(this.#devices.size, DEVICES_MOST));
    writer.u8(isFolder(mode) ? QID.FOLDER : isLink(mode) ? QID.LINK : QID.FILE);
    writer.u32((modified.seconds * 1000 + modified.nanoseconds / 1e6 ^ size << 8) >>> 0);
    writer.u32(inode % HIGH);
    writer.u32(Math.floor(inode % INODE_END / HIGH) + index * DEVICE_UNIT);
  }
}
