/**
 * Drives on the command line: `--drive`, and QEMU's short forms.
 * @module
 */

import type { FirmwareBootDevice } from "../devices/firmware/firmware.ts";
import type { Arguments, OptionRow } from "./arguments.ts";
import { usageError } from "./errors.ts";
import { parseKeys } from "./values.ts";

/** A drive. */
export interface DriveOption {
  /** Path of the image. */
  readonly file: string;
  /** What it hangs on. */
  readonly bus: "ide" | "floppy" | "virtio";
  /** Its place on IDE: master and slave of the first channel, then of the second; or 0 and 1 for floppies. */
  readonly unit: number;
  /** Whether it is a CD. */
  readonly cd: boolean;
  /** Whether it cannot be written. */
  readonly readonly: boolean;
  /** Whether what is written is forgotten at the end. */
  readonly snapshot: boolean;
}

/** Drives, and what to boot from. */
export interface DriveOptions {
  /** In the order of their places. */
  readonly drives: readonly DriveOption[];
  /** In which order the built-in firmware tries; its own order unless told. */
  readonly boot?: readonly FirmwareBootDevice[];
}

const HARD_DISKS = ["hda", "hdb", "hdc", "hdd"], FLOPPIES = ["fda", "fdb"], CD_UNIT = 2;
const BOOT_LETTERS: Readonly<Record<string, FirmwareBootDevice>> = { a: "floppy", c: "disk", d: "cdrom" };

/** The options. */
export const DRIVE_OPTIONS: readonly OptionRow[] = [
  {
    name: "drive",
    value: "file=PATH,if=ide|cdrom|floppy|virtio[,readonly][,snapshot]",
    repeat: true,
    help:
      "a drive with a raw image in it; without IMAGE and --bios, the built-in firmware boots from drives. May be repeated",
  },
  ...HARD_DISKS.map((name, n) => ({ name, value: "FILE", help: `the raw image of hard disk ${n} on IDE` })),
  { name: "cdrom", value: "FILE", help: "the image of a CD, on IDE in place of hdc" },
  ...FLOPPIES.map((name, n) => ({
    name,
    value: "FILE",
    help: `the raw image of floppy ${n}, for the built-in firmware`,
  })),
  { name: "snapshot", help: "no drive's image changes: what is written is forgotten at the end" },
  {
    name: "boot",
    value: "LETTERS",
    help: "what the built-in firmware boots from: a floppies, c hard disks, d CDs, as in dc",
  },
];

/**
 * Understands the options of drives.
 * @param parsed The command line.
 * @throws CliError They are wrong.
 */
export function parseDrives({ values }: Arguments): DriveOptions {
  const snapshot = values.has("snapshot"), drives: DriveOption[] = [];
  const add = (drive: Omit<DriveOption, "readonly" | "snapshot">, flags: ReadonlyMap<string, string> = new Map()) => {
    const taken = drives.find(({ bus, unit }) => bus === drive.bus && unit === drive.unit && bus !== "virtio");
    if (taken !== undefined) {
      throw usageError(`Cannot use '${drive.file}' as a drive: '${taken.file}' is there already`);
    }
    drives.push({
      ...drive,
      readonly: drive.cd || flags.has("readonly"),
      snapshot: snapshot || flags.has("snapshot"),
    });
  };
  const short = (names: readonly string[], make: (file: string, unit: number) => void): void => {
    names.forEach((name, n) => values.get(name)?.forEach((file) => make(file, n)));
  };
  short(HARD_DISKS, (file, unit) => add({ file, bus: "ide", unit, cd: false }));
  short(["cdrom"], (file) => add({ file, bus: "ide", unit: CD_UNIT, cd: true }));
  short(FLOPPIES, (file, unit) => add({ file, bus: "floppy", unit, cd: false }));
  for (const text of values.get("drive") ?? []) {
    const keys = parseKeys("--drive", text, {
      keys: ["file", "if"],
      flags: ["readonly", "snapshot"],
      required: ["file"],
    });
    const kind = keys.get("if") ?? "ide", file = keys.get("file")!;
    const bus = kind === "cdrom" ? "ide" : kind;
    if (bus !== "ide" && bus !== "floppy" && bus !== "virtio") {
      throw usageError(`Cannot use '${text}' for --drive: if is ide, cdrom, floppy or virtio`);
    }
    const places = bus === "floppy" ? [0, 1] : kind === "cdrom" ? [2, 3, 1, 0] : [0, 1, 2, 3];
    const unit = places.find((n) => !drives.some((each) => each.bus === bus && each.unit === n));
    if (bus !== "virtio" && unit === undefined) {
      throw usageError(`Cannot use '${text}' for --drive: all places are taken`);
    }
    add({ file, bus, unit: unit ?? 0, cd: kind === "cdrom" }, keys);
  }
  const order = values.get("boot")?.[0];
  return { drives: drives.sort((a, b) => a.unit - b.unit), boot: order === undefined ? undefined : parseBoot(order) };
}

function parseBoot(letters: string): FirmwareBootDevice[] {
  return [...letters].map((letter) => {
    const device = BOOT_LETTERS[letter];
    if (device === undefined) throw usageError(`Cannot boot from '${letter}': it is a, c or d`);
    return device;
  });
}
