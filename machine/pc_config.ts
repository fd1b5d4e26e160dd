/**
 * The usual PC: what is on its board, and what its firmware is told of it.
 * @module
 */

import { buildTableLoader } from "../devices/acpi/table_loader.ts";
import type { AcpiOptions } from "../devices/acpi/tables.ts";
import { fwCfgFiles } from "../devices/fw_cfg_files.ts";
import { HPET_BASE, HPET_CAPABILITIES } from "../devices/hpet.ts";
import { buildMpTable } from "../devices/mp_table.ts";
import type { MachineConfig } from "./build.ts";
import { type MemoryRegion, memorySizes } from "./memory_layout.ts";
import { boardCpuid } from "./processor.ts";

/** COM1 to COM4. */
const COM_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
/** Where the registers of PCI devices may be: between memory and the I/O APIC. */
const PCI_ADDRESSES = { first: 0xc000_0000, last: 0xfebf_ffff };

/** Where the tables for several processors are: in the BIOS's addresses, where they are looked for, behind SMBIOS. */
const MP_BASE = 0xf1000;
/** The type of memory in a map of addresses. */
const RAM = 1;

/**
 * What ACPI says of the board.
 * @param processors How many there are.
 */
export function pcAcpi(processors: number): AcpiOptions {
  return {
    processors,
    pci: PCI_ADDRESSES,
    serial: COM_PORTS,
    floppy: false,
    keyboard: true,
    hpet: HPET_BASE,
    hpetCapabilities: HPET_CAPABILITIES,
    apic: true,
    vga: true,
  };
}

/** A board, but for the host's ends of its lines. */
export type BoardConfig = Omit<MachineConfig["board"], "serial">;

/**
 * The board of a machine without firmware: a loader does its work.
 * @param regions The memory.
 */
export function kernelBoard(regions: readonly MemoryRegion[]): BoardConfig {
  return { video: true, pci: true, cmos: memorySizes(regions) };
}

/**
 * The tables of the MultiProcessor Specification, for systems without ACPI; none for one processor.
 * @param processors How many there are.
 */
export function mpTables(processors: number): readonly { readonly base: number; readonly bytes: Uint8Array }[] {
  if (processors === 1) return [];
  const leaf = boardCpuid().find((entry) => entry.function === 1);
  return [buildMpTable({ base: MP_BASE, processors, signature: leaf?.eax ?? 0, features: leaf?.edx ?? 0 })];
}

/**
 * The board of a machine with a firmware file such as SeaBIOS's, to be started by `loadRom`.
 * @param regions The memory.
 * @param videoRom The video BIOS; none: the firmware has no screen.
 * @param processors How many there are; 1 unless told.
 */
export function romBoard(
  regions: readonly MemoryRegion[],
  videoRom?: Uint8Array,
  processors: number = 1,
): BoardConfig {
  const { memory, memoryAbove4G } = memorySizes(regions);
  const ram = [{ base: 0, size: memory, type: RAM }, { base: 2 ** 32, size: memoryAbove4G, type: RAM }];
  const files = fwCfgFiles({
    memory: ram.filter(({ size }) => size > 0),
    acpi: { ...buildTableLoader(pcAcpi(processors)) },
  });
  return { ...kernelBoard(regions), videoRom, fwCfg: { memorySize: memory + memoryAbove4G, files } };
}
