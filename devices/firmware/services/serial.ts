/**
 * INT 14h: the serial ports.
 * @module
 */

import { BDA, EBDA_AT } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { type Answer, ANSWER_WAIT, type ServiceFrame } from "../service_frame.ts";

const IER = 1, LCR = 3, MCR = 4, LSR = 5, MSR = 6;
const LCR_DIVISOR = 0x80;
const LSR_DATA = 0x01, LSR_TRANSMITTER_EMPTY = 0x20, LSR_BITS = 0x7f;
const MCR_DTR_RTS = 0x03;
const TIMEOUT = 0x80;
/** Divisors for 110 to 9600 baud. */
const DIVISORS: readonly number[] = [1047, 768, 384, 192, 96, 48, 24, 12];
/** How long somebody waits for a byte: a tick is 1/18.2 s. */
const WAIT_TICKS = 36;

/** INT 14h. */
export function serialService(frame: ServiceFrame, { ports, memory }: FirmwareBoard): Answer | void {
  if (frame.dx > 3 || frame.ah > 3) return;
  const port = memory.get16(BDA.COM_PORTS + 2 * frame.dx);
  if (port === 0) return;
  const status = (): void => {
    frame.ah = ports.in(port + LSR, 1);
    frame.al = ports.in(port + MSR, 1);
  };
  switch (frame.ah) {
    case 0x00: {
      const { al } = frame;
      const divisor = DIVISORS[al >> 5];
      ports.out(port + LCR, 1, LCR_DIVISOR);
      ports.out(port, 1, divisor & 0xff);
      ports.out(port + 1, 1, divisor >> 8);
      ports.out(port + LCR, 1, al & 0x1f);
      ports.out(port + IER, 1, 0);
      status();
      return;
    }
    case 0x01: {
      ports.out(port + MCR, 1, MCR_DTR_RTS);
      const line = ports.in(port + LSR, 1);
      const empty = (line & LSR_TRANSMITTER_EMPTY) !== 0;
      if (empty) ports.out(port, 1, frame.al);
      frame.ah = line & LSR_BITS | (empty ? 0 : TIMEOUT);
      return;
    }
    case 0x02: {
      ports.out(port + MCR, 1, MCR_DTR_RTS);
      const line = ports.in(port + LSR, 1);
      const ticks = memory.get32(BDA.TICKS);
      const deadline = memory.get32(EBDA_AT.COM_DEADLINE);
      if ((line & LSR_DATA) === 0 && (deadline === 0 || ticks < deadline - 1)) {
        if (deadline === 0) memory.set32(EBDA_AT.COM_DEADLINE, ticks + WAIT_TICKS + 1);
        return ANSWER_WAIT;
      }
      memory.set32(EBDA_AT.COM_DEADLINE, 0);
      if ((line & LSR_DATA) !== 0) frame.al = ports.in(port, 1);
      frame.ah = line & LSR_BITS & ~LSR_TRANSMITTER_EMPTY & ~0x40 | ((line & LSR_DATA) !== 0 ? 0 : TIMEOUT);
      return;
    }
    default:
      status();
  }
}
