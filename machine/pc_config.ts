/**
 * The usual PC: what is on its board, and what its firmware is told of it.
 * @module
 */

import { buildTableLoader } from "../devices/acpi/table_loader.ts";
import { type AcpiOptions, buildAcpiTables } from "../devices/acpi/tables.ts";
import type { FirmwareMachine } from "../devices/firmware/firmware.ts";
import { fwCfgFiles } from "../devices/fw_cfg_files.ts";
import { HPET_BASE, HPET_CAPABILITIES } from "../devices/hpet.ts";
import type { MachineConfig } from "./build.ts";
import { type MemoryRegion, memorySizes } from "./memory_layout.ts";

/** COM1 to COM4. */
const COM_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
/** Where the registers of PCI devices may be: between memory and the I/O APIC. */
const PCI_ADDRESSES = { first: 0xc000_0000, last: 0xfebf_ffff };

/** The type of memory in a map of addresses. */
const RAM = 1;

/** What ACPI says of the board. */
export const PC_ACPI: AcpiOptions = {
  processors: 1,
  pci: PCI_ADDRESSES,
  serial: COM_PORTS,
  floppy: false,
  keyboard: true,
  hpet: HPET_BASE,
  hpetCapabilities: HPET_CAPABILITIES,
  apic: true,
  vga: true,
};

/** A board, but for the host's ends of its lines. */
type BoardConfig = Omit<MachineConfig["board"], "serial">;

/**
 * The board of a machine without firmware: a loader does its work.
 * @param regions The memory.
 */
export function kernelBoard(regions: readonly MemoryRegion[]): BoardConfig {
  return { video: true, pci: true, cmos: memorySizes(regions) };
}

/**
 * The board of a machine with the built-in firmware, to be started by `startFirmware`.
 * @param regions The memory.
 * @param options Its drives, and what to boot from.
 */
export function firmwareBoard(
  regions: readonly MemoryRegion[],
  options: Pick<FirmwareMachine, "drives" | "boot">,
): BoardConfig {
  const sizes = memorySizes(regions);
  const { base: address, bytes } = buildAcpiTables(PC_ACPI);
  return { ...kernelBoard(regions), firmware: { ...sizes, ...options, tables: [{ address, bytes }] } };
}

/**
 * The board of a machine with a firmware file such as SeaBIOS's, to be started by `loadRom`.
 * @param regions The memory.
 * @param videoRom The video BIOS; none: the firmware has no screen.
 */
export function romBoard(regions: readonly MemoryRegion[], videoRom?: Uint8Array): BoardConfig {
  const { memory, memoryAbove4G } = memorySizes(regions);
  const ram = [{ base: 0, size: memory, type: RAM }, { base: 2 ** 32, size: memoryAbove4G, type: RAM }];
  const files = fwCfgFiles({
    memory: ram.filter(({ size }) => size > 0),
    acpi: { ...buildTableLoader(PC_ACPI) },
  });
  return { ...kernelBoard(regions), videoRom, fwCfg: { memorySize: memory + memoryAbove4G, files } };
}
