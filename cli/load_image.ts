/**
 * From the image that a command line names to a plan of how it is loaded and entered.
 * @module
 */

import { buildAcpiTables } from "../devices/acpi/tables.ts";
import { type BootPlan, ImageError, type MemoryPiece, planBootSector, planFlat } from "../guests/image.ts";
import { type KernelFormat, kernelFormat, planKernel } from "../guests/kernel.ts";
import { mpTables, pcAcpi } from "../machine/pc_config.ts";
import { CliError, EXIT } from "./errors.ts";
import { readFile } from "./host.ts";
import type { RegionOption, RunCommand } from "./options.ts";

const BOOT_SECTOR = 512;
const MIB = 2 ** 20;

/** How much of a file is looked at to find out what it is. */
const HEAD = 64 * 1024;
/** The largest kernel or ramdisk: an ELF file may be larger than what is loaded of it, by its debugging information. */
const KERNEL_LIMIT = 512 * MIB;

/** An image, read and understood. */
export interface LoadedImage {
  /** How it is loaded and entered. */
  readonly plan: BootPlan;
  /** The memory that it wants. */
  readonly regions: readonly RegionOption[];
  /** Whether it finds a PC, with a screen in text mode and ACPI tables, or the bare board. */
  readonly pc: boolean;
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
}

/**
 * Reads the image of a command; unless the command says what it is, it is a kernel if it looks like one, and anything else is a
 * boot sector.
 * @param command The command.
 * @param image Path of the image.
 * @param read Reads a file.
 * @throws CliError The image cannot be read or not be loaded.
 */
export function loadImage(command: RunCommand, image: string, read: typeof readFile = readFile): LoadedImage {
  try {
    return planImage(command, image, read);
  } catch (error) {
    if (error instanceof ImageError) throw new CliError(EXIT.IO, `Cannot load '${image}': ${error.message}`);
    throw error;
  }
}

function planImage(command: RunCommand, image: string, readAny: typeof readFile): LoadedImage {
  const { flat, format, regions, aliases, commandLine, initrd } = command;
  const read = (limit: number): { bytes: Uint8Array; more: boolean } => readAny("the image", image, limit);
  if (format === "flat") {
    const limit = Math.max(0, ...regions.map(({ size }) => size));
    const { bytes, more } = read(limit);
    if (more) throw new ImageError(`it is larger than the largest region, ${limit} bytes`);
    const plan = planFlat(bytes, [...regions, ...aliases], flat ?? { mode: "real" });
    return { plan, regions, pc: false, notes: [] };
  }
  const head = read(HEAD);
  const kernel = format === "boot" ? undefined : format === "auto" ? kernelFormat(head.bytes) : format;
  if (kernel !== undefined) {
    return planKernelOf(command, kernel, head.more ? whole("it", read(KERNEL_LIMIT)) : head.bytes, readAny);
  }
  if (commandLine !== undefined) throw new ImageError("it is no kernel, so nobody would read --append");
  if (initrd !== undefined) throw new ImageError("it is no kernel, so nobody would read --initrd");
  const plan = planBootSector(head.bytes.subarray(0, BOOT_SECTOR), [...regions, ...aliases]);
  const note = `only the first ${BOOT_SECTOR} bytes of '${image}' are loaded: there is no disk yet`;
  return { plan, regions, pc: false, notes: head.bytes.length > BOOT_SECTOR ? [note] : [] };
}

/** A kernel on a PC; where the regions that were given leave no place for one, on the bare board. */
function planKernelOf(
  command: RunCommand,
  format: KernelFormat,
  bytes: Uint8Array,
  read: typeof readFile,
): LoadedImage {
  const { commandLine } = command;
  const regions = command.pcRegions ?? command.regions;
  const pc = command.pcRegions !== undefined;
  const initrd = command.initrd === undefined
    ? undefined
    : whole("the initial ramdisk", read("the initial ramdisk", command.initrd, KERNEL_LIMIT));
  const acpi = pc ? buildAcpiTables(pcAcpi(command.processors)) : undefined;
  const plan = planKernel(bytes, regions, { format, commandLine, initrd, acpi, textScreen: pc });
  const mp = mpTables(command.processors).map((each) => ({ name: "the tables of the processors", ...each }));
  const tables: MemoryPiece[] = acpi === undefined
    ? []
    : [{ name: "the ACPI tables", base: acpi.base, bytes: acpi.bytes }, ...mp];
  return { plan: { ...plan, pieces: [...tables, ...plan.pieces] }, regions, pc, notes: [] };
}

/** A file that had to be read whole. */
function whole(what: string, { bytes, more }: { readonly bytes: Uint8Array; readonly more: boolean }): Uint8Array {
  if (more) throw new ImageError(`${what} is larger than ${KERNEL_LIMIT / MIB} MiB`);
  return bytes;
}
