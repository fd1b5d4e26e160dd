/**
 * A machine with the built-in firmware: its board and its start. Apart from the other boards, so that a program loads the firmware only
 * if it boots it.
 * @module
 */

import { buildAcpiTables } from "../devices/acpi/tables.ts";
import { Firmware, type FirmwareMachine } from "../devices/firmware/firmware.ts";
import type { Pc } from "../devices/pc.ts";
import type { Vcpu, Vm } from "../mod.ts";
import { type MemoryRegion, memorySizes } from "./memory_layout.ts";
import { type BoardConfig, kernelBoard, mpTables, pcAcpi } from "./pc_config.ts";

/** The segment that the firmware begins in: below 1 MiB, for it is in memory there and nowhere else. */
const BIOS_SEGMENT = 0xf_0000n;

/**
 * The board of a machine with the built-in firmware, to be started by `startFirmware`.
 * @param regions The memory.
 * @param options Its drives, and what to boot from.
 * @param processors How many there are; 1 unless told.
 */
export function firmwareBoard(
  regions: readonly MemoryRegion[],
  options: Pick<FirmwareMachine, "drives" | "boot">,
  processors: number = 1,
): BoardConfig {
  const sizes = memorySizes(regions);
  const tables = [buildAcpiTables(pcAcpi(processors)), ...mpTables(processors)];
  const placed = tables.map(({ base: address, bytes }) => ({ address, bytes }));
  return {
    ...kernelBoard(regions),
    firmware: (wires) => new Firmware({ ...sizes, ...options, tables: placed, ...wires }),
  };
}

/**
 * Puts the firmware into memory, and the processor, which is as after power-up, to its first instruction at F000:FFF0.
 * @param _vm The memory, which the firmware reaches by the board.
 * @param vcpu The processor.
 * @param pc The board.
 * @throws KvmError The engine refuses something.
 */
export function startFirmware(_vm: Vm, vcpu: Vcpu, pc: Pc): void {
  pc.firmware?.install();
  const sregs = vcpu.getSregs();
  sregs.cs.base = BIOS_SEGMENT;
  vcpu.setSregs(sregs);
}
