/**
 * INT 11h and 12h: what there is, and how much base memory.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import type { ServiceFrame } from "../service_frame.ts";

/** INT 11h. */
export function equipment(frame: ServiceFrame, { memory }: FirmwareBoard): void {
  frame.ax = memory.get16(BDA.EQUIPMENT);
}

/** INT 12h. */
export function memorySize(frame: ServiceFrame, { memory }: FirmwareBoard): void {
  frame.ax = memory.get16(BDA.MEMORY_KIB);
}
