/**
 * Machines with the built-in firmware, for tests.
 * @module
 */

import { Firmware, type FirmwareMachine } from "../../devices/firmware/firmware.ts";
import { boot, type BootedMachine } from "../../machine/boot.ts";
import { pcMemory } from "../../machine/memory_layout.ts";

/** Bytes of memory. */
export const MEMORY = 0x1000000;

/**
 * Boots a machine.
 * @param config Its drives, and what else the firmware is to know.
 * @param options The engine.
 */
export function bootFirmware(
  config: Omit<FirmwareMachine, "memory">,
  options: { readonly backend?: "soft" | "kvm"; readonly clock?: "real" | "virtual"; readonly reboot?: boolean } = {},
): BootedMachine {
  let firmware: Firmware | undefined;
  return boot({
    backend: options.backend,
    reboot: options.reboot,
    clock: options.clock ?? (options.backend === "kvm" ? "real" : "virtual"),
    timeoutMs: 60_000,
    regions: pcMemory(MEMORY),
    board: { video: true, pci: true, debugExit: 0x501 },
    start(_vm, vcpu, pc) {
      firmware ??= pc.add(new Firmware({ ...config, memory: MEMORY, guest: pc.memory, a20: () => pc.a20 }));
      firmware.install();
      const sregs = vcpu.getSregs();
      sregs.cs.selector = 0xf000;
      sregs.cs.base = 0xf0000n;
      vcpu.setSregs(sregs);
    },
  });
}
