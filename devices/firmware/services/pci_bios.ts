/**
 * INT 1Ah AH=B1h: the PCI BIOS, version 2.10, without interrupt routing options.
 * @module
 */

import type { FirmwareBoard } from "../board.ts";
import { hasPci, LAST_PCI_BUS, PCI, pciFunctions, readPci, writePci } from "../pci.ts";
import type { ServiceFrame } from "../service_frame.ts";

const STATUS = { OK: 0x00, NOT_SUPPORTED: 0x81, BAD_VENDOR: 0x83, NOT_FOUND: 0x86, BAD_REGISTER: 0x87 } as const;
const PCI_TEXT = 0x20494350, MECHANISM_1 = 0x01, VERSION = 0x0210;
const MODE_32 = 0x80;

/** INT 1Ah AH=B1h. */
export function pciService(frame: ServiceFrame, { ports }: FirmwareBoard): void {
  const end = (status: number): void => {
    frame.ah = status;
    frame.carry = status !== STATUS.OK;
  };
  if (!hasPci(ports)) return end(STATUS.NOT_SUPPORTED);
  const find = (wanted: (place: number) => boolean): void => {
    const place = pciFunctions(ports).filter(wanted)[frame.si];
    if (place === undefined) return end(STATUS.NOT_FOUND);
    frame.bx = place;
    end(STATUS.OK);
  };
  const operation = frame.al & ~MODE_32;
  switch (operation) {
    case 0x01:
      frame.edx = PCI_TEXT;
      frame.al = MECHANISM_1;
      frame.bx = VERSION;
      frame.cl = LAST_PCI_BUS;
      return end(STATUS.OK);
    case 0x02:
      if (frame.dx === 0xffff) return end(STATUS.BAD_VENDOR);
      return find((place) => readPci(ports, place, PCI.VENDOR, 4) === (frame.cx << 16 | frame.dx) >>> 0);
    case 0x03:
      return find((place) => readPci(ports, place, PCI.CLASS, 4) >>> 8 === (frame.ecx & 0xffffff));
    case 0x08:
    case 0x09:
    case 0x0a:
    case 0x0b:
    case 0x0c:
    case 0x0d: {
      const size = 1 << (operation - 8) % 3;
      const offset = frame.di;
      if (offset > 0xff || offset % size !== 0) return end(STATUS.BAD_REGISTER);
      const place = frame.bx;
      if (operation < 0x0b) {
        const value = readPci(ports, place, offset, size);
        if (size === 1) frame.cl = value;
        else if (size === 2) frame.cx = value;
        else frame.ecx = value;
      } else {
        writePci(ports, { place, offset }, size, size === 4 ? frame.ecx : frame.ecx & (size === 2 ? 0xffff : 0xff));
      }
      return end(STATUS.OK);
    }
    default:
      return end(STATUS.NOT_SUPPORTED);
  }
}
