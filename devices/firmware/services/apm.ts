/**
 * INT 15h AH=53h: Advanced Power Management 1.2, for real mode only: enough for programs that switch the machine off or idle.
 * @module
 */

import { EBDA_AT } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { type Answer, ANSWER_HALT, type ServiceFrame } from "../service_frame.ts";

const ERROR = {
  REAL_MODE_CONNECTED: 0x02,
  NOT_CONNECTED: 0x03,
  NO_16_BIT: 0x06,
  NO_32_BIT: 0x08,
  DEVICE: 0x09,
  PARAMETER: 0x0a,
  NO_EVENT: 0x80,
  NOT_SUPPORTED: 0x0c,
} as const;
const VERSION = 0x0102, SIGNATURE = 0x504d;
const ALL_DEVICES = 0x0001, OFF = 3;
const ON_LINE = 0x01, NO_BATTERY = 0x80, UNKNOWN = 0xff;
/** The power management control register, and what switches the machine off. */
const PM_CONTROL = 0x604, POWER_OFF = 0x2000;

/** INT 15h AH=53h. */
export function apmService(frame: ServiceFrame, { memory, ports }: FirmwareBoard): Answer | void {
  const connected = memory.get8(EBDA_AT.APM_CONNECTED) !== 0;
  const end = (error: number): void => {
    if (error !== 0) frame.ah = error;
    frame.carry = error !== 0;
  };
  switch (frame.al) {
    case 0x00:
      if (frame.bx !== 0) return end(ERROR.DEVICE);
      frame.ax = VERSION;
      frame.bx = SIGNATURE;
      frame.cx = 0;
      return end(0);
    case 0x01:
      if (connected) return end(ERROR.REAL_MODE_CONNECTED);
      memory.set8(EBDA_AT.APM_CONNECTED, 1);
      return end(0);
    case 0x02:
      return end(ERROR.NO_16_BIT);
    case 0x03:
      return end(ERROR.NO_32_BIT);
    case 0x04:
      if (!connected) return end(ERROR.NOT_CONNECTED);
      memory.set8(EBDA_AT.APM_CONNECTED, 0);
      return end(0);
    case 0x05:
      end(0);
      return ANSWER_HALT;
    case 0x06:
    case 0x08:
    case 0x0d:
    case 0x0f:
      return end(0);
    case 0x07:
      if (frame.bx === ALL_DEVICES && frame.cx === OFF) ports.out(PM_CONTROL, 2, POWER_OFF);
      return end(0);
    case 0x0a:
      if (frame.bx !== ALL_DEVICES) return end(ERROR.DEVICE);
      frame.bx = ON_LINE << 8 | UNKNOWN;
      frame.cx = NO_BATTERY << 8 | UNKNOWN;
      frame.dx = 0xffff;
      return end(0);
    case 0x0b:
      return end(ERROR.NO_EVENT);
    case 0x0e:
      frame.ax = VERSION;
      return end(0);
    default:
      return end(ERROR.NOT_SUPPORTED);
  }
}
