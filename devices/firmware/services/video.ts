/**
 * INT 10h: the screen.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { linear, type ServiceFrame } from "../service_frame.ts";
import { VgaPorts } from "../vga_ports.ts";
import { FUNCTIONALITY, VIDEO_ROM_SEGMENT } from "../video_rom.ts";
import { vbeService } from "./vbe.ts";
import { fontService } from "./video_fonts.ts";
import { readPixel, writePixel } from "./video_graphics.ts";
import { setMode } from "./video_mode_set.ts";
import { cgaPalette, greyScale, paletteService } from "./video_palette.ts";
import { Screen } from "./video_screen.ts";

const KEEP_MEMORY = 0x80;
const SCREEN_OFF = 0x20, CLOCKING = 1;
const NO_CURSOR_EMULATION = 0x01, NO_PALETTE = 0x08, GREY = 0x02;
const DONE_12 = 0x12, DONE_1A = 0x1a, DONE_1B = 0x1b;
const VGA_COLOUR = 0x08;
const STATE_SIZE = 64;

/** INT 10h. */
export function videoService(frame: ServiceFrame, board: FirmwareBoard): void {
  const { memory, ports } = board;
  const screen = new Screen(board);
  switch (frame.ah) {
    case 0x00: {
      const mode = frame.al & ~KEEP_MEMORY;
      if (!setMode(board, mode, (frame.al & KEEP_MEMORY) === 0)) return;
      // As IBM's: what the mode register of a CGA would hold.
      frame.al = mode === 6 ? 0x3f : mode <= 7 ? 0x30 : 0x20;
      return;
    }
    case 0x01:
      screen.cursorShape = frame.cx;
      return;
    case 0x02:
      return screen.moveCursor(frame.bh, { row: frame.dh, column: frame.dl });
    case 0x03: {
      const { row, column } = screen.cursor(frame.bh);
      frame.dh = row;
      frame.dl = column;
      frame.cx = screen.cursorShape;
      return;
    }
    case 0x04: // light pen: there is none
      frame.ah = 0;
      return;
    case 0x05:
      return screen.showPage(frame.al);
    case 0x06:
    case 0x07:
      return screen.scroll(screen.activePage, {
        lines: frame.al,
        fill: frame.bh,
        from: { row: frame.ch, column: frame.cl },
        to: { row: frame.dh, column: frame.dl },
        down: frame.ah === 0x07,
      });
    case 0x08:
      frame.ax = screen.read(frame.bh);
      return;
    case 0x09:
      return screen.write(frame.bh, frame.al, frame.bl, frame.cx);
    case 0x0a:
      return screen.write(frame.bh, frame.al, screen.mode?.kind === "text" ? undefined : frame.bl, frame.cx);
    case 0x0b:
      return cgaPalette(frame, board);
    case 0x0c:
    case 0x0d: {
      const { mode } = screen;
      if (mode === undefined || mode.kind === "text") return;
      const canvas = { mode, vga: new VgaPorts(ports), page: frame.bh };
      if (frame.ah === 0x0c) writePixel(memory, canvas, { x: frame.cx, y: frame.dx }, frame.al);
      else frame.al = readPixel(memory, canvas, frame.cx, frame.dx);
      return;
    }
    case 0x0e:
      return screen.teletype(screen.activePage, frame.al, frame.bl);
    case 0x0f:
      frame.al = memory.get8(BDA.VIDEO_MODE) | memory.get8(BDA.VIDEO_CONTROL) & KEEP_MEMORY;
      frame.ah = screen.columns;
      frame.bh = screen.activePage;
      return;
    case 0x10:
      return paletteService(frame, board);
    case 0x11:
      return fontService(frame, board);
    case 0x12:
      return alternate(frame, board);
    case 0x13:
      return writeString(frame, board, screen);
    case 0x1a:
      if (frame.al === 0) {
        frame.bx = VGA_COLOUR;
        frame.al = DONE_1A;
      } else if (frame.al === 1) {
        frame.al = DONE_1A;
      }
      return;
    case 0x1b:
      if (frame.bx !== 0) return;
      writeState(frame, board, screen);
      frame.al = DONE_1B;
      return;
    case 0x4f:
      return vbeService(frame, board);
  }
}

/** AH=12h. */
function alternate(frame: ServiceFrame, { memory, ports }: FirmwareBoard): void {
  const vga = new VgaPorts(ports);
  const flag = (place: number, bit: number, on: boolean): void => {
    const value = memory.get8(place);
    memory.set8(place, on ? value | bit : value & ~bit);
  };
  switch (frame.bl) {
    case 0x10: {
      const mono = (memory.get16(BDA.CRTC_PORT) & 0x40) === 0;
      const switches = memory.get8(BDA.VIDEO_SWITCHES);
      frame.bh = mono ? 1 : 0;
      frame.bl = 3; // 256 KiB
      frame.ch = switches >> 4;
      frame.cl = switches & 0x0f;
      return;
    }
    case 0x20:
    case 0x32:
      break;
    case 0x30: {
      // All modes have 400 lines; what was asked for is remembered.
      const bits = [0x80, 0x00, 0x10][frame.al];
      if (bits === undefined) return;
      memory.set8(BDA.VIDEO_FLAGS, memory.get8(BDA.VIDEO_FLAGS) & ~0x90 | bits);
      break;
    }
    case 0x31:
      flag(BDA.VIDEO_FLAGS, NO_PALETTE, frame.al === 1);
      break;
    case 0x33:
      flag(BDA.VIDEO_FLAGS, GREY, frame.al === 0);
      if (frame.al === 0) greyScale(vga, 0, 0x100);
      break;
    case 0x34:
      flag(BDA.VIDEO_CONTROL, NO_CURSOR_EMULATION, frame.al === 1);
      break;
    case 0x36:
      vga.setSequencer(CLOCKING, vga.sequencer(CLOCKING) & ~SCREEN_OFF | (frame.al === 1 ? SCREEN_OFF : 0));
      break;
    default:
      return;
  }
  frame.al = DONE_12;
}

/** AH=13h. */
function writeString(frame: ServiceFrame, { memory }: FirmwareBoard, screen: Screen): void {
  const page = frame.bh;
  const old = screen.cursor(page);
  const attributes = (frame.al & 2) !== 0;
  let at = linear(frame.es, frame.bp);
  screen.moveCursor(page, { row: frame.dh, column: frame.dl });
  for (let n = 0; n < frame.cx; n++) {
    const character = memory.get8(at++);
    const colour = attributes ? memory.get8(at++) : frame.bl;
    screen.teletype(page, character, colour, true);
  }
  if ((frame.al & 1) === 0) screen.moveCursor(page, old);
}

/** AH=1Bh. */
function writeState(frame: ServiceFrame, { memory }: FirmwareBoard, screen: Screen): void {
  const bytes = new Uint8Array(STATE_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (VIDEO_ROM_SEGMENT << 16 | FUNCTIONALITY) >>> 0, true);
  memory.read(BDA.VIDEO_MODE, bytes.subarray(4, 4 + 30));
  bytes[0x22] = screen.rows;
  view.setUint16(0x23, memory.get16(BDA.CHARACTER_HEIGHT), true);
  bytes[0x25] = VGA_COLOUR;
  const { mode } = screen;
  view.setUint16(0x27, mode === undefined || mode.kind === "text" ? 16 : 1 << mode.bits, true);
  bytes[0x29] = mode?.pages ?? 1;
  bytes[0x2a] = 2; // 400 lines
  bytes[0x31] = 3; // 256 KiB
  memory.write(linear(frame.es, frame.di), bytes);
}
