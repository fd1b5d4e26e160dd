/**
 * The drives by their numbers in INT 13h: floppies from 0, hard disks from 0x80, CDs from 0xe0. While a CD's boot image stands in
 * for a floppy or a hard disk (El Torito), it has the first number of these, and the others are one up.
 * @module
 */

import type { Disk } from "../disk/disk.ts";
import { BDA } from "./bda.ts";
import type { FirmwareDrive } from "./board.ts";
import { diskGeometry, floppyGeometry, type FloppyType, type Geometry, SECTOR } from "./geometry.ts";
import type { LinearMemory } from "./linear_memory.ts";
import { type Emulation, loadEmulation } from "./services/el_torito.ts";

/** Bytes of a sector of a CD. */
export const CD_SECTOR = 2048;
/** The first numbers of hard disks and of CDs. */
export const FIRST_DISK = 0x80, FIRST_CD = 0xe0;

const FLOPPIES_AT_MOST = 2;

/** A drive with what is in it. */
export interface BiosDrive {
  /** How programs see it. */
  readonly kind: FirmwareDrive["kind"];
  /** What is in it. */
  readonly disk: Disk;
  /** Byte of the disk at which it begins. */
  readonly offset: number;
  /** How many sectors it has. */
  readonly total: number;
  /** Bytes of a sector. */
  readonly sectorSize: number;
  /** Whether it cannot be written. */
  readonly readonly: boolean;
  /** How it is divided. */
  readonly geometry: Geometry;
  /** The type of a floppy's drive. */
  readonly floppyType?: FloppyType;
}

/** The drives. */
export class Drives {
  readonly #drives: readonly FirmwareDrive[];
  readonly #memory: LinearMemory;
  readonly #geometries = new WeakMap<Disk, Geometry>();

  /**
   * Numbers the drives.
   * @param drives Them.
   * @param memory Where an emulation is kept.
   */
  constructor(drives: readonly FirmwareDrive[], memory: LinearMemory) {
    this.#drives = drives;
    this.#memory = memory;
  }

  /** The drives of one kind, by number. */
  ofKind(kind: FirmwareDrive["kind"]): readonly FirmwareDrive[] {
    const all = this.#drives.filter((drive) => drive.kind === kind);
    return kind === "floppy" ? all.slice(0, FLOPPIES_AT_MOST) : all;
  }

  /** How many floppies or hard disks programs see. */
  count(kind: "floppy" | "disk"): number {
    return this.ofKind(kind).length + (this.#emulation()?.kind === kind ? 1 : 0);
  }

  /**
   * Whether there is a drive, even if it is empty.
   * @param number As in INT 13h.
   */
  exists(number: number): boolean {
    if (number >= FIRST_CD) return number - FIRST_CD < this.ofKind("cdrom").length;
    const first = number & FIRST_DISK;
    return number - first < this.count(first === FIRST_DISK ? "disk" : "floppy");
  }

  /**
   * A drive with what is in it.
   * @param number As in INT 13h.
   * @returns It; none: there is no such drive, or it is empty.
   */
  get(number: number): BiosDrive | undefined {
    const emulation = this.#emulation();
    if (emulation !== undefined && number === emulation.number && emulation.kind !== "cdrom") {
      return this.#emulated(emulation);
    }
    if (number >= FIRST_CD) return cd(this.ofKind("cdrom")[number - FIRST_CD]?.disk);
    const kind: "disk" | "floppy" = number >= FIRST_DISK ? "disk" : "floppy";
    const shift = emulation?.kind === kind ? 1 : 0;
    const disk = this.ofKind(kind)[(number & ~FIRST_DISK) - shift]?.disk;
    if (disk === undefined) return undefined;
    const common = {
      kind,
      disk,
      offset: 0,
      total: Math.floor(disk.size / SECTOR),
      sectorSize: SECTOR,
      readonly: disk.readonly,
    };
    if (kind === "disk") return { ...common, geometry: this.#geometry(disk, 0, common.total) };
    const { type, ...geometry } = floppyGeometry(disk.size);
    return { ...common, geometry, floppyType: type };
  }

  #emulation(): Emulation | undefined {
    return loadEmulation(this.#memory);
  }

  #emulated(emulation: Emulation): BiosDrive | undefined {
    const disk = this.ofKind("cdrom")[emulation.device]?.disk;
    if (disk === undefined) return undefined;
    const offset = emulation.lba * CD_SECTOR;
    const rest = Math.max(0, Math.floor((disk.size - offset) / SECTOR));
    if (emulation.kind === "floppy") {
      const { type, ...geometry } = floppyGeometry(emulation.floppyKib * 1024);
      const total = Math.min(rest, geometry.cylinders * geometry.heads * geometry.sectors);
      return { kind: "floppy", disk, offset, total, sectorSize: SECTOR, readonly: true, geometry, floppyType: type };
    }
    const geometry = this.#geometry(disk, offset, rest);
    return { kind: "disk", disk, offset, total: rest, sectorSize: SECTOR, readonly: true, geometry };
  }

  /** Found once for each disk: programs may change the partition table, and must not find another geometry then. */
  #geometry(disk: Disk, offset: number, total: number): Geometry {
    const known = offset === 0 ? this.#geometries.get(disk) : undefined;
    if (known !== undefined) return known;
    const first = new Uint8Array(SECTOR);
    try {
      if (total > 0) disk.read(offset, first);
    } catch {
      first.fill(0);
    }
    const geometry = diskGeometry(total, first);
    if (offset === 0) this.#geometries.set(disk, geometry);
    return geometry;
  }

  /** How many floppies or hard disks there are, for programs that look into the BIOS data area. */
  tell(): void {
    const equipment = this.#memory.get16(BDA.EQUIPMENT) & ~0xc1;
    const floppies = this.count("floppy");
    this.#memory.set16(BDA.EQUIPMENT, equipment | (floppies === 0 ? 0 : 1 | Math.min(floppies, 4) - 1 << 6));
    this.#memory.set8(BDA.DISK_COUNT, this.count("disk"));
  }
}

function cd(disk: Disk | undefined): BiosDrive | undefined {
  if (disk === undefined) return undefined;
  const total = Math.floor(disk.size / CD_SECTOR);
  const geometry = { cylinders: 1, heads: 1, sectors: 1 };
  return { kind: "cdrom", disk, offset: 0, total, sectorSize: CD_SECTOR, readonly: true, geometry };
}
