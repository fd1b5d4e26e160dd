/**
 * Kernels of all the formats that are known: which one a file has, and the plan of how it is loaded and entered.
 * @module
 */

import { isLinux, type LinuxEntry, planLinux } from "./bzimage.ts";
import { isElf, readElf } from "./elf.ts";
import { planElf } from "./elf_kernel.ts";
import { type BootPlan, ImageError, type MemoryRange } from "./image.ts";
import type { SetupData } from "./linux_boot_params.ts";
import type { MapEntry } from "./memory_map.ts";
import type { BootModule } from "./modules.ts";
import { findMultibootHeader, planMultiboot } from "./multiboot.ts";
import { findMultiboot2Header, planMultiboot2 } from "./multiboot2.ts";
import { findPvhEntry, planPvh } from "./pvh.ts";

/** The formats. */
export type KernelFormat = "bzimage" | "multiboot2" | "multiboot" | "pvh" | "elf";

/** The names of the formats, in the order in which a file is tried. */
export const KERNEL_FORMATS: readonly KernelFormat[] = ["bzimage", "multiboot2", "multiboot", "pvh", "elf"];

/** What a kernel is told; a format that has no place for something is an error if it is given. */
export interface KernelOptions {
  /** The format; none: what the file looks like. */
  readonly format?: KernelFormat;
  /** The command line. */
  readonly commandLine?: string;
  /** The initial ramdisk of Linux; for multiboot and PVH it is the first module. */
  readonly initrd?: Uint8Array;
  /** Modules, behind the initial ramdisk. */
  readonly modules?: readonly BootModule[];
  /** The memory map; none: all memory is free but for 0xa0000 to 0xfffff. */
  readonly map?: readonly MapEntry[];
  /** ACPI's tables, which begin with the RSDP. They are in memory already. */
  readonly acpi?: { readonly base: number; readonly bytes: Uint8Array };
  /** Linux: the way in. */
  readonly entry?: LinuxEntry;
  /** Linux: what else it is told. */
  readonly setupData?: readonly SetupData[];
  /** Linux: whether there is a VGA in text mode 3. */
  readonly textScreen?: boolean;
}

const RSDP_SIZE = 36;

/**
 * Recognises the format of a file.
 * @param image The whole file.
 * @returns The format, or `undefined` if it is no kernel of a known one.
 */
export function kernelFormat(image: Uint8Array): KernelFormat | undefined {
  if (isLinux(image)) return "bzimage";
  if (findMultiboot2Header(image) !== undefined) return "multiboot2";
  if (findMultibootHeader(image) !== undefined) return "multiboot";
  if (!isElf(image)) return undefined;
  return findPvhEntry(readElf(image)) === undefined ? "elf" : "pvh";
}

/**
 * Plans how a kernel is loaded and entered.
 * @param image The file.
 * @param memory The memory of the machine.
 * @param options What it is told.
 * @throws ImageError It is no kernel, not one of the format, or cannot be loaded.
 */
export function planKernel(image: Uint8Array, memory: readonly MemoryRange[], options: KernelOptions = {}): BootPlan {
  const format = options.format ?? kernelFormat(image);
  if (format === undefined) {
    throw new ImageError("it is no kernel: neither a Linux setup header nor a multiboot header nor an x86 ELF file");
  }
  const { commandLine, map, acpi, initrd, modules: more = [] } = options;
  const modules = initrd === undefined ? more : [{ bytes: initrd, text: "initrd" }, ...more];
  switch (format) {
    case "bzimage": {
      if (more.length > 0) throw new ImageError("Linux takes an initial ramdisk and no modules");
      const { entry, setupData, textScreen } = options;
      const rsdp = acpi?.base;
      return planLinux(image, memory, { commandLine, initrd, entry, map, rsdp, setupData, textScreen });
    }
    case "multiboot2":
      return planMultiboot2(image, memory, { commandLine, modules, map, rsdp: acpi?.bytes.subarray(0, RSDP_SIZE) });
    case "multiboot":
      return planMultiboot(image, memory, { commandLine, modules, map });
    case "pvh":
      return planPvh(image, memory, { commandLine, modules, map, rsdp: acpi?.base });
    case "elf":
      if (commandLine !== undefined || modules.length > 0) {
        throw new ImageError("a plain ELF file takes neither a command line nor modules");
      }
      return planElf(image, memory);
  }
}
