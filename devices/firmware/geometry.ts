/**
 * How disks and floppies are divided into cylinders, heads and sectors, for programs that want it so.
 * @module
 */

/** Cylinders, heads and sectors. */
export interface Geometry {
  /** Cylinders, 1..1024 as INT 13h can say it. */
  readonly cylinders: number;
  /** Heads, 1..255. */
  readonly heads: number;
  /** Sectors a track, 1..63. */
  readonly sectors: number;
}

/** Bytes of a sector. */
export const SECTOR = 512;

const MOST_CYLINDERS = 1024, MOST_SECTORS = 63, MOST_HEADS = 255;
const DISK_HEADS: readonly number[] = [16, 32, 64, 128, 255];
const PARTITIONS = 446, PARTITION_LENGTH = 16, PARTITION_COUNT = 4, PARTITION_TYPE = 4, PARTITION_END = 5;

/** KiB of the usual floppies. */
const FLOPPIES: readonly (readonly [kib: number, cylinders: number, heads: number, sectors: number, drive: number])[] =
  [
    [160, 40, 1, 8, 1],
    [180, 40, 1, 9, 1],
    [320, 40, 2, 8, 1],
    [360, 40, 2, 9, 1],
    [720, 80, 2, 9, 3],
    [800, 80, 2, 10, 3],
    [1200, 80, 2, 15, 2],
    [1440, 80, 2, 18, 4],
    [1600, 80, 2, 20, 4],
    [1680, 80, 2, 21, 4],
    [1722, 82, 2, 21, 4],
    [2880, 80, 2, 36, 5],
  ];
const LAST_KIB_OF_1440 = 1760;

/** The drive types that INT 13h AH=08h gives: 4 is 1.44 MB. */
export type FloppyType = number;

/**
 * The geometry of a floppy: the smallest usual one that holds it.
 * @param size Bytes.
 * @returns The geometry and the type of the drive.
 */
export function floppyGeometry(size: number): Geometry & { readonly type: FloppyType } {
  const kib = size / 1024;
  const found = FLOPPIES.find((one) => one[0] === kib) ??
    FLOPPIES.find((one) => one[0] === 1440 && kib <= 1440) ??
    FLOPPIES.find((one) => one[0] === (kib <= LAST_KIB_OF_1440 ? 1722 : 2880))!;
  const [, cylinders, heads, sectors, type] = found;
  return { cylinders, heads, sectors, type };
}

/**
 * The geometry that a disk is shown with: the one that its partition table was made for, if it says so, else the usual
 * translation to at most 1024 cylinders.
 * @param total Sectors of the disk.
 * @param first The first sector of the disk.
 */
export function diskGeometry(total: number, first: Uint8Array): Geometry {
  const told = partitionedFor(total, first);
  const heads = told?.heads ?? DISK_HEADS.find((heads) => total <= heads * MOST_SECTORS * MOST_CYLINDERS) ?? MOST_HEADS;
  const sectors = told?.sectors ?? MOST_SECTORS;
  const cylinders = Math.min(MOST_CYLINDERS, Math.max(1, Math.floor(total / (heads * sectors))));
  return { cylinders, heads, sectors };
}

/** Heads and sectors by where partitions end. */
function partitionedFor(total: number, first: Uint8Array): Pick<Geometry, "heads" | "sectors"> | undefined {
  if (first[510] !== 0x55 || first[511] !== 0xaa) return undefined;
  for (let n = 0; n < PARTITION_COUNT; n++) {
    const at = PARTITIONS + n * PARTITION_LENGTH;
    const view = new DataView(first.buffer, first.byteOffset + at, PARTITION_LENGTH);
    const start = view.getUint32(8, true), count = view.getUint32(12, true);
    if (first[at + PARTITION_TYPE] === 0 || count === 0 || (first[at] & 0x7f) !== 0) continue;
    const heads = first[at + PARTITION_END] + 1, sectors = first[at + PARTITION_END + 1] & 0x3f;
    const cylinder = first[at + PARTITION_END + 2] | (first[at + PARTITION_END + 1] & 0xc0) << 2;
    if (sectors === 0 || heads < 2 || heads > MOST_HEADS || total < heads * sectors) continue;
    // Where the partition ends must be the same in both ways, unless it is beyond what cylinders can say.
    const last = (cylinder * heads + heads - 1) * sectors + sectors - 1;
    if (last === start + count - 1 || (cylinder === MOST_CYLINDERS - 1 && last < start + count)) {
      return { heads, sectors };
    }
  }
  return undefined;
}
