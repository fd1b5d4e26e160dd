/**
 * INT 17h: printers. There is none.
 * @module
 */

import type { ServiceFrame } from "../service_frame.ts";

const TIMEOUT = 0x01;

/** INT 17h. */
export function printerService(frame: ServiceFrame): void {
  if (frame.ah <= 2) frame.ah = TIMEOUT;
}
