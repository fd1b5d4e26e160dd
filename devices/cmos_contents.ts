/**
 * What a PC's setup program leaves in the CMOS memory, in the places where SeaBIOS and QEMU's other firmware look for it.
 *
 * | index | |
 * | --- | --- |
 * | 0x10 | types of the floppy drives, the first in the high nibble |
 * | 0x12, 0x19 to 0x2c | hard disks: types and geometry |
 * | 0x14 | equipment |
 * | 0x15, 0x16 | KiB of memory below 640 KiB |
 * | 0x17, 0x18 and 0x30, 0x31 | KiB from 1 MiB on, at most 65,535 |
 * | 0x2e, 0x2f | sum of 0x10 to 0x2d, the high byte first |
 * | 0x34, 0x35 | 64 KiB from 16 MiB on, below 4 GiB |
 * | 0x38, 0x3d | boot order; whether a floppy's signature is looked at |
 * | 0x39 | translations of the hard disks |
 * | 0x5b to 0x5d | 64 KiB from 4 GiB on |
 * | 0x5f | processors, less 1 |
 *
 * Words are little-endian. The century, 0x32, belongs to the clock.
 * @module
 */

import type { Mc146818 } from "./mc146818.ts";

const FLOPPY_TYPES_INDEX = 0x10;
const DISK_TYPES = 0x12;
const EQUIPMENT = 0x14;
const BASE_MEMORY = 0x15;
const EXTENDED_MEMORY = 0x17;
const EXTENDED_DISK_TYPES = 0x19;
const DISK_GEOMETRY = 0x1b;
const CHECKSUM = 0x2e;
const EXTENDED_MEMORY_FOUND = 0x30;
const MEMORY_ABOVE_16M = 0x34;
const BOOT_THIRD = 0x38;
const DISK_TRANSLATIONS = 0x39;
const BOOT_FIRST = 0x3d;
const MEMORY_ABOVE_4G = 0x5b;
const PROCESSORS = 0x5f;

const EQUIPMENT_FLOPPY = 0x01;
const EQUIPMENT_COPROCESSOR = 0x02;
const EQUIPMENT_MOUSE = 0x04;
const EQUIPMENT_SECOND_FLOPPY = 0x40;

/** "See the extended type". */
const DISK_TYPE_EXTENDED = 0x0f;
/** "See the geometry". */
const DISK_TYPE_USER = 47;
const DISK_GEOMETRY_LENGTH = 9;
const DISK_CONTROL = 0xc0;
const DISK_CONTROL_MORE_THAN_8_HEADS = 0x08;

const BOOT_NO_SIGNATURE_CHECK = 0x01;

const KIB = 1024;
const MIB = 1024 * KIB;
const BASE_LIMIT = 640 * KIB;
const UNIT = 64 * KIB;

const FLOPPY_TYPES = { "360K": 1, "1.2M": 2, "720K": 3, "1.44M": 4, "2.88M": 5 } as const;
const BOOT_DEVICES = { floppy: 1, disk: 2, cdrom: 3, network: 4 } as const;

/** A floppy drive, by what it holds. */
export type FloppyDriveType = keyof typeof FLOPPY_TYPES;

/** What can be booted from. */
export type BootDevice = keyof typeof BOOT_DEVICES;

/** A hard disk as its controller sees it. */
export interface CmosDisk {
  /** 1..65,535. */
  readonly cylinders: number;
  /** 1..255. */
  readonly heads: number;
  /** Sectors a track, 1..255. */
  readonly sectors: number;
}

/** What there is to know about a machine. */
export interface CmosContents {
  /** Bytes of memory from address 0 on, below 4 GiB. */
  readonly memory: number;
  /** Bytes of memory from 4 GiB on; none unless told. */
  readonly memoryAbove4G?: number;
  /** The floppy drives, A first, at most two; a drive that is not there is `undefined`. */
  readonly floppies?: readonly (FloppyDriveType | undefined)[];
  /** The hard disks, at most four, in the order of their controllers' places; one that is not there is `undefined`. */
  readonly disks?: readonly (CmosDisk | undefined)[];
  /** What to boot from, at most three; the disk unless told. */
  readonly boot?: readonly BootDevice[];
  /** Whether a floppy is booted only with the signature 55 AA; it is unless told. */
  readonly floppySignature?: boolean;
  /** Whether there is a PS/2 mouse; there is unless told. */
  readonly mouse?: boolean;
  /** Whether there is a coprocessor; there is unless told. */
  readonly coprocessor?: boolean;
  /** How many processors there are, 1..256; 1 unless told. */
  readonly processors?: number;
}

/**
 * Writes all this into a clock's memory.
 * @param chip The clock.
 * @param contents What is to be told.
 * @throws RangeError More floppy drives, disks or boot devices than there are places for.
 */
export function writeCmosContents(chip: Mc146818, contents: CmosContents): void {
  const { floppies = [], disks = [], boot = ["disk"] } = contents;
  if (floppies.length > 2 || disks.length > 4 || boot.length > 3) {
    throw new RangeError("Cannot fill the CMOS memory: it has places for 2 floppy drives, 4 disks and 3 boot devices");
  }
  writeMemorySizes(chip, contents);
  writeDrives(chip, { ...contents, floppies, disks });
  const [first = 0, second = 0, third = 0] = boot.map((device) => BOOT_DEVICES[device]);
  chip.poke(BOOT_FIRST, second << 4 | first);
  chip.poke(BOOT_THIRD, third << 4 | (contents.floppySignature === false ? BOOT_NO_SIGNATURE_CHECK : 0));
  chip.poke(PROCESSORS, (contents.processors ?? 1) - 1);
  let sum = 0;
  for (let index = FLOPPY_TYPES_INDEX; index < CHECKSUM; index++) sum += chip.peek(index);
  chip.poke(CHECKSUM, sum >> 8);
  chip.poke(CHECKSUM + 1, sum);
}

function writeMemorySizes(chip: Mc146818, { memory, memoryAbove4G = 0 }: CmosContents): void {
  const extended = Math.max(memory - MIB, 0) / KIB;
  pokeNumber(chip, BASE_MEMORY, { value: Math.min(memory, BASE_LIMIT) / KIB, length: 2 });
  pokeNumber(chip, EXTENDED_MEMORY, { value: extended, length: 2 });
  pokeNumber(chip, EXTENDED_MEMORY_FOUND, { value: extended, length: 2 });
  pokeNumber(chip, MEMORY_ABOVE_16M, { value: Math.max(memory - 16 * MIB, 0) / UNIT, length: 2 });
  pokeNumber(chip, MEMORY_ABOVE_4G, { value: memoryAbove4G / UNIT, length: 3 });
}

function writeDrives(
  chip: Mc146818,
  contents: CmosContents & Required<Pick<CmosContents, "floppies" | "disks">>,
): void {
  const { floppies, disks, mouse = true, coprocessor = true } = contents;
  const [a = 0, b = 0] = floppies.map((type) => type === undefined ? 0 : FLOPPY_TYPES[type]);
  chip.poke(FLOPPY_TYPES_INDEX, a << 4 | b);
  chip.poke(
    EQUIPMENT,
    (a || b ? EQUIPMENT_FLOPPY : 0) | (a && b ? EQUIPMENT_SECOND_FLOPPY : 0) | (mouse ? EQUIPMENT_MOUSE : 0) |
      (coprocessor ? EQUIPMENT_COPROCESSOR : 0),
  );
  let types = 0, translations = 0;
  disks.forEach((disk, place) => {
    if (disk === undefined) return;
    if (needsTranslation(disk)) translations |= 1 << (2 * place);
    if (place > 1) return;
    types |= DISK_TYPE_EXTENDED << (place === 0 ? 4 : 0);
    writeDisk(chip, { disk, place });
  });
  chip.poke(DISK_TYPES, types);
  chip.poke(DISK_TRANSLATIONS, translations);
}

function writeDisk(chip: Mc146818, { disk, place }: { readonly disk: CmosDisk; readonly place: number }): void {
  const { cylinders, heads, sectors } = disk;
  const control = DISK_CONTROL | (heads > 8 ? DISK_CONTROL_MORE_THAN_8_HEADS : 0);
  const geometry = [cylinders, cylinders >> 8, heads, 0xff, 0xff, control, cylinders, cylinders >> 8, sectors];
  chip.poke(EXTENDED_DISK_TYPES + place, DISK_TYPE_USER);
  geometry.forEach((byte, i) => chip.poke(DISK_GEOMETRY + place * DISK_GEOMETRY_LENGTH + i, byte));
}

/** Whether the geometry does not fit interrupt 13h as it is, so that a BIOS has to translate (by LBA). */
function needsTranslation({ cylinders, heads, sectors }: CmosDisk): boolean {
  return cylinders > 1024 || heads > 16 || sectors > 63;
}

/** A little-endian number, rounded down; the largest that fits stands for more. */
function pokeNumber(chip: Mc146818, index: number, { value, length }: { value: number; length: number }): void {
  const number = Math.min(Math.floor(value), 2 ** (8 * length) - 1);
  for (let i = 0; i < length; i++) chip.poke(index + i, number >>> (8 * i));
}
