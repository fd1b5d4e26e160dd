/**
 * Machines with the built-in firmware, for tests.
 * @module
 */

import type { FirmwareMachine } from "../../devices/firmware/firmware.ts";
import { boot, type BootedMachine } from "../../machine/boot.ts";
import { firmwareBoard, startFirmware } from "../../machine/firmware_start.ts";
import { pcMemory } from "../../machine/memory_layout.ts";

const MIB = 0x100000;

/** What a machine is like. */
export interface FirmwareMachineOptions {
  /** The engine; soft unless told. */
  readonly backend?: "soft" | "kvm";
  /** How time goes by; virtual on the software engine unless told. */
  readonly clock?: "real" | "virtual";
  /** Whether a reset is followed; no unless told. */
  readonly reboot?: boolean;
  /** MiB of memory; 16 unless told. */
  readonly memoryMib?: number;
  /** Milliseconds until the machine is stopped; 20 seconds unless told. */
  readonly timeoutMs?: number;
}

/**
 * Boots a machine.
 * @param config Its drives, and what to boot from.
 * @param options What it is like.
 */
export function bootFirmware(
  config: Pick<FirmwareMachine, "drives" | "boot">,
  options: FirmwareMachineOptions = {},
): BootedMachine {
  const { backend, reboot, memoryMib = 16, timeoutMs = 20_000 } = options;
  const regions = pcMemory(memoryMib * MIB);
  return boot({
    backend,
    reboot,
    timeoutMs,
    clock: options.clock ?? (backend === "kvm" ? "real" : "virtual"),
    regions,
    board: { ...firmwareBoard(regions, config), debugExit: 0x501 },
    start: startFirmware,
  });
}
