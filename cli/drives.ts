/**
 * The images of drives, open.
 * @module
 */

import type { Disk } from "../devices/disk/disk.ts";
import { DiskError } from "../devices/disk/disk_error.ts";
import { MemoryDisk } from "../devices/disk/memory_disk.ts";
import { openDisk } from "../devices/disk/open_disk.ts";
import type { FirmwareDrive } from "../devices/firmware/firmware.ts";
import type { PcOptions } from "../devices/pc.ts";
import type { DriveOption } from "./drive_options.ts";
import { CliError, EXIT } from "./errors.ts";
import { needPermission } from "./host.ts";

/** An open drive. */
interface OpenDrive extends DriveOption {
  readonly disk: Disk;
}

/** All drives of a machine; they are flushed and closed when it ends. */
export class OpenDrives implements Disposable {
  readonly #drives: OpenDrive[] = [];

  /**
   * Opens all images.
   * @param drives The drives.
   * @param held Images that are no files, by what stands for their paths.
   * @throws CliError One cannot be used.
   */
  constructor(drives: readonly DriveOption[], held: ReadonlyMap<string, Uint8Array> = new Map()) {
    try {
      for (const drive of drives) this.#drives.push({ ...drive, disk: openImage(drive, held) });
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** What the built-in firmware boots from and gives to programs. */
  get firmware(): FirmwareDrive[] {
    return this.#drives.map(({ bus, cd, disk }) => ({
      kind: bus === "floppy" ? "floppy" : cd ? "cdrom" : "disk",
      disk,
    }));
  }

  /** What the board is to have. */
  get board(): Pick<PcOptions, "ide" | "virtioDisks"> {
    const ide = this.#drives.filter(({ bus }) => bus === "ide");
    const virtio = this.#drives.filter(({ bus }) => bus === "virtio").map(({ disk }) => disk);
    const units = [0, 1, 2, 3].map((n) => {
      const drive = ide.find(({ unit }) => unit === n);
      return drive && { kind: drive.cd ? "cdrom" as const : "disk" as const, disk: drive.disk };
    });
    return { ide: ide.length > 0 ? units : undefined, virtioDisks: virtio };
  }

  /** Flushes and closes all images. */
  [Symbol.dispose](): void {
    for (const { disk } of this.#drives) {
      if (!disk.readonly) disk.flush();
      disk[Symbol.dispose]();
    }
    this.#drives.length = 0;
  }
}

function openImage({ file, readonly, snapshot }: DriveOption, held: ReadonlyMap<string, Uint8Array>): Disk {
  const bytes = held.get(file);
  if (bytes !== undefined) return new MemoryDisk(bytes.slice(), { readonly });
  needPermission("the image", "read", file);
  if (!readonly && !snapshot) needPermission("the image", "write", file);
  try {
    return openDisk({ file, readonly, snapshot });
  } catch (error) {
    if (error instanceof DiskError) throw new CliError(EXIT.IO, error.message);
    throw error;
  }
}
