/**
 * INT 1Ah: ticks since midnight, the clock chip, and the PCI BIOS.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { CMOS, CMOS_BITS, readCmos, writeCmos } from "../cmos.ts";
import type { ServiceFrame } from "../service_frame.ts";
import { pciService } from "./pci_bios.ts";

const PIC_SLAVE_MASK = 0xa1;
const IRQ8 = 0x01;

/** INT 1Ah. */
export function clockService(frame: ServiceFrame, board: FirmwareBoard): void {
  const { memory, ports } = board;
  if (frame.ah === 0xb1) return pciService(frame, board);
  frame.carry = frame.ah > 7;
  const updating = (): boolean => (readCmos(ports, CMOS.A) & CMOS_BITS.UPDATING) !== 0;
  switch (frame.ah) {
    case 0x00: {
      const ticks = memory.get32(BDA.TICKS);
      frame.cx = ticks >>> 16;
      frame.dx = ticks & 0xffff;
      frame.al = memory.get8(BDA.MIDNIGHT);
      memory.set8(BDA.MIDNIGHT, 0);
      frame.ah = 0;
      return;
    }
    case 0x01:
      memory.set32(BDA.TICKS, (frame.cx << 16 | frame.dx) >>> 0);
      memory.set8(BDA.MIDNIGHT, 0);
      frame.ah = 0;
      return;
    case 0x02:
      frame.carry = updating();
      if (frame.carry) return;
      frame.dh = readCmos(ports, CMOS.SECONDS);
      frame.cl = readCmos(ports, CMOS.MINUTES);
      frame.ch = readCmos(ports, CMOS.HOURS);
      frame.dl = readCmos(ports, CMOS.B) & CMOS_BITS.DAYLIGHT;
      frame.ah = 0;
      frame.al = frame.ch;
      return;
    case 0x03:
      change(board, () => {
        writeCmos(ports, CMOS.SECONDS, frame.dh);
        writeCmos(ports, CMOS.MINUTES, frame.cl);
        writeCmos(ports, CMOS.HOURS, frame.ch);
      }, frame.dl & CMOS_BITS.DAYLIGHT);
      frame.ah = 0;
      return;
    case 0x04:
      frame.carry = updating();
      if (frame.carry) return;
      frame.dl = readCmos(ports, CMOS.DAY);
      frame.dh = readCmos(ports, CMOS.MONTH);
      frame.cl = readCmos(ports, CMOS.YEAR);
      frame.ch = readCmos(ports, CMOS.CENTURY);
      frame.ah = 0;
      frame.al = frame.ch;
      return;
    case 0x05:
      change(board, () => {
        writeCmos(ports, CMOS.DAY, frame.dl);
        writeCmos(ports, CMOS.MONTH, frame.dh);
        writeCmos(ports, CMOS.YEAR, frame.cl);
        writeCmos(ports, CMOS.CENTURY, frame.ch);
      });
      frame.ah = 0;
      return;
    case 0x06: {
      const control = readCmos(ports, CMOS.B);
      frame.carry = (control & CMOS_BITS.ALARM) !== 0;
      if (frame.carry) return;
      writeCmos(ports, CMOS.SECONDS_ALARM, frame.dh);
      writeCmos(ports, CMOS.MINUTES_ALARM, frame.cl);
      writeCmos(ports, CMOS.HOURS_ALARM, frame.ch);
      ports.out(PIC_SLAVE_MASK, 1, ports.in(PIC_SLAVE_MASK, 1) & ~IRQ8);
      writeCmos(ports, CMOS.B, control & ~CMOS_BITS.SET | CMOS_BITS.ALARM);
      return;
    }
    case 0x07:
      writeCmos(ports, CMOS.B, readCmos(ports, CMOS.B) & ~CMOS_BITS.ALARM);
      return;
  }
}

/** Stops the clock, writes, and starts it in 24-hour mode. */
function change({ ports }: FirmwareBoard, write: () => void, daylight?: number): void {
  const control = readCmos(ports, CMOS.B);
  writeCmos(ports, CMOS.B, control | CMOS_BITS.SET);
  write();
  const saving = daylight ?? control & CMOS_BITS.DAYLIGHT;
  writeCmos(ports, CMOS.B, control & ~(CMOS_BITS.SET | CMOS_BITS.DAYLIGHT) | CMOS_BITS.HOURS_24 | saving);
}
