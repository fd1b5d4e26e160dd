/**
 * The start of a machine with the built-in firmware.
 * @module
 */

import type { Pc } from "../devices/pc.ts";
import type { Vcpu, Vm } from "../mod.ts";

/** The segment that the firmware begins in: below 1 MiB, for it is in memory there and nowhere else. */
const BIOS_SEGMENT = 0xf_0000n;

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
