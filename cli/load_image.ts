/**
 * From the image that a command line names to a plan of how it is loaded and entered.
 * @module
 */

import { type BootPlan, ImageError, type MemoryRange, planBootSector, planFlat } from "../guests/image.ts";
import { findMultibootHeader, MULTIBOOT_SEARCH, planMultiboot } from "../guests/multiboot.ts";
import { CliError, EXIT } from "./errors.ts";
import { readFile } from "./host.ts";
import type { RunCommand } from "./options.ts";

const BOOT_SECTOR = 512;
const MIB = 2 ** 20;

/** The largest multiboot file: an ELF file may be larger than what is loaded of it, by its debugging information. */
const MULTIBOOT_LIMIT = 512 * MIB;

/** An image, read and understood. */
export interface LoadedImage {
  /** How it is loaded and entered. */
  readonly plan: BootPlan;
  /** What the user should know, a line each. */
  readonly notes: readonly string[];
}

/**
 * Reads the image of a command; unless the command says what it is, a multiboot header makes it a multiboot kernel, and anything
 * else is a boot sector.
 * @param command The command.
 * @throws CliError The image cannot be read or not be loaded.
 */
export function loadImage(command: RunCommand): LoadedImage {
  try {
    return planImage(command);
  } catch (error) {
    if (error instanceof ImageError) throw new CliError(EXIT.IO, `Cannot load '${command.image}': ${error.message}`);
    throw error;
  }
}

function planImage(command: RunCommand): LoadedImage {
  const { image, flat, format, regions, aliases, commandLine } = command;
  const memory: MemoryRange[] = [...regions, ...aliases];
  const read = (limit: number): { bytes: Uint8Array; more: boolean } => readFile("the image", image, limit);
  if (format === "flat") {
    const limit = Math.max(0, ...regions.map(({ size }) => size));
    const { bytes, more } = read(limit);
    if (more) throw new ImageError(`it is larger than the largest region, ${limit} bytes`);
    return { plan: planFlat(bytes, memory, flat ?? { mode: "real" }), notes: [] };
  }
  const head = read(MULTIBOOT_SEARCH);
  if (format === "multiboot" || (format === "auto" && findMultibootHeader(head.bytes) !== undefined)) {
    const { bytes, more } = head.more ? read(MULTIBOOT_LIMIT) : head;
    if (more) throw new ImageError(`it is larger than ${MULTIBOOT_LIMIT / MIB} MiB`);
    return { plan: planMultiboot(bytes, regions, { commandLine }), notes: [] };
  }
  if (commandLine !== undefined) throw new ImageError("it is no multiboot kernel, so nobody would read --append");
  const plan = planBootSector(head.bytes.subarray(0, BOOT_SECTOR), memory);
  const note = `only the first ${BOOT_SECTOR} bytes of '${image}' are loaded: there is no disk yet`;
  return { plan, notes: head.bytes.length > BOOT_SECTOR ? [note] : [] };
}
