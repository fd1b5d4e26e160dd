/**
 * INT 10h AH=10h and 0Bh: colours.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { linear, type ServiceFrame } from "../service_frame.ts";
import { VgaPorts } from "../vga_ports.ts";

const MODE = 0x10, OVERSCAN = 0x11, COLOUR_SELECT = 0x14;
const BLINK = 0x08, PAGES_OF_16 = 0x80;
const PALETTE = 16;

/** INT 10h AH=10h. */
export function paletteService(frame: ServiceFrame, { memory, ports }: FirmwareBoard): void {
  const vga = new VgaPorts(ports);
  const table = linear(frame.es, frame.dx);
  switch (frame.al) {
    case 0x00:
      if (frame.bl <= COLOUR_SELECT) vga.setAttribute(frame.bl, frame.bh);
      return;
    case 0x01:
      return vga.setAttribute(OVERSCAN, frame.bh);
    case 0x02:
      for (let n = 0; n < PALETTE; n++) vga.setAttribute(n, memory.get8(table + n));
      return vga.setAttribute(OVERSCAN, memory.get8(table + PALETTE));
    case 0x03:
      return vga.setAttribute(MODE, vga.attribute(MODE) & ~BLINK | (frame.bl & 1) << 3);
    case 0x07:
      if (frame.bl <= COLOUR_SELECT) frame.bh = vga.attribute(frame.bl);
      return;
    case 0x08:
      frame.bh = vga.attribute(OVERSCAN);
      return;
    case 0x09:
      for (let n = 0; n < PALETTE; n++) memory.set8(table + n, vga.attribute(n));
      return memory.set8(table + PALETTE, vga.attribute(OVERSCAN));
    case 0x10:
      return vga.setColours(frame.bx, [frame.dh, frame.ch, frame.cl]);
    case 0x12: {
      const levels = new Uint8Array(3 * Math.min(frame.cx, 0x100));
      memory.read(table, levels);
      return vga.setColours(frame.bx, levels);
    }
    case 0x13: {
      const mode = vga.attribute(MODE);
      if (frame.bl === 0) return vga.setAttribute(MODE, mode & ~PAGES_OF_16 | (frame.bh & 1) << 7);
      return vga.setAttribute(COLOUR_SELECT, (mode & PAGES_OF_16) !== 0 ? frame.bh & 0x0f : (frame.bh & 3) << 2);
    }
    case 0x15:
      [frame.dh, frame.ch, frame.cl] = vga.colours(frame.bx, 1);
      return;
    case 0x17:
      return memory.write(table, vga.colours(frame.bx, Math.min(frame.cx, 0x100)));
    case 0x18:
      vga.dacMask = frame.bl;
      return;
    case 0x19:
      frame.bl = vga.dacMask;
      return;
    case 0x1a: {
      const mode = vga.attribute(MODE), select = vga.attribute(COLOUR_SELECT);
      frame.bl = mode >> 7;
      frame.bh = frame.bl !== 0 ? select & 0x0f : select >> 2 & 3;
      return;
    }
    case 0x1b: {
      const count = Math.min(frame.cx, 0x100);
      return greyScale(vga, frame.bx, count);
    }
  }
}

/** Makes colours grey, by how bright they are for the eye. */
export function greyScale(vga: VgaPorts, first: number, count: number): void {
  const levels = vga.colours(first, count);
  for (let at = 0; at < levels.length; at += 3) {
    levels.fill(Math.round((30 * levels[at] + 59 * levels[at + 1] + 11 * levels[at + 2]) / 100), at, at + 3);
  }
  vga.setColours(first, levels);
}

/** INT 10h AH=0Bh: background, and one of two palettes of four colours, as a CGA has them. */
export function cgaPalette(frame: ServiceFrame, { memory, ports }: FirmwareBoard): void {
  const vga = new VgaPorts(ports);
  const old = memory.get8(BDA.CGA_PALETTE);
  if (frame.bh === 0) {
    memory.set8(BDA.CGA_PALETTE, old & 0xe0 | frame.bl & 0x1f);
    const colour = frame.bl & 0x07 | (frame.bl & 0x08) << 1;
    const graphics = memory.get8(BDA.VIDEO_MODE) > 3;
    if (graphics) vga.setAttribute(0, colour);
    vga.setAttribute(OVERSCAN, colour);
    const intense = frame.bl & 0x10;
    for (let n = 1; n < 4; n++) vga.setAttribute(n, vga.attribute(n) & ~0x10 | intense);
  } else {
    memory.set8(BDA.CGA_PALETTE, old & 0xdf | (frame.bl & 1) << 5);
    for (let n = 1; n < 4; n++) vga.setAttribute(n, vga.attribute(n) & 0x10 | n * 2 | frame.bl & 1);
  }
}
