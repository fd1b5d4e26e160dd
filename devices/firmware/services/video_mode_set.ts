/**
 * Setting standard video modes, and what programs read about them in the BIOS data area.
 * @module
 */

import { VGA_MODES } from "../../video/vga_modes.ts";
import { BDA, EBDA_AT } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { DISPI, VgaPorts } from "../vga_ports.ts";
import { FONT_14, FONT_16, FONT_8, SAVE_POINTERS, VIDEO_ROM_SEGMENT } from "../video_rom.ts";
import { loadRomFont } from "./video_fonts.ts";
import { Screen } from "./video_screen.ts";
import { videoMode } from "./video_modes.ts";

const FONT_VECTOR = 0x43 * 4;
/** 256 KiB, EGA active, cursor emulation; all features; VGA active; VGA with a colour screen. */
const VIDEO_CONTROL = 0x60, KEEP_MEMORY = 0x80, VIDEO_SWITCHES = 0xf9, VIDEO_FLAGS = 0x51, VIDEO_COMBINATION = 0x0b;
const NO_PALETTE = 0x08;
const EQUIPMENT_COLOUR = 0x20, EQUIPMENT_MONO = 0x30;
const CURSOR_7 = 0x0b0c, CURSOR = 0x0607;
const TEXT_CLEAR = [0x20, 0x07];
const CRTC_PROTECT_INDEX = 0x11, CRTC_PROTECT = 0x80;
/** What a CGA's registers would hold in modes 0 to 7. */
const CGA_MODES: readonly number[] = [0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29];
/** Names of the font that a mode begins with, by height. */
export const FONTS: Readonly<Record<8 | 14 | 16, number>> = { 8: FONT_8, 14: FONT_14, 16: FONT_16 };

/**
 * Sets a mode.
 * @param board The board.
 * @param number 0..0x13.
 * @param clear Whether the memory is cleared.
 * @returns Whether there is such a mode.
 */
export function setMode(board: FirmwareBoard, number: number, clear: boolean): boolean {
  const { memory, ports } = board;
  const info = videoMode(number);
  const mode = VGA_MODES.find((one) => one.number === number);
  if (info === undefined || mode === undefined) return false;
  const vga = new VgaPorts(ports);
  const flags = memory.get8(BDA.VIDEO_FLAGS);
  if (vga.hasDispi) vga.setDispi(DISPI.ENABLE, 0);
  vga.setSequencer(0, 1);
  vga.misc = mode.misc;
  mode.sequencer.forEach((value, n) => vga.setSequencer(n + 1, value));
  vga.setSequencer(0, 3);
  vga.setCrtc(CRTC_PROTECT_INDEX, vga.crtc(CRTC_PROTECT_INDEX) & ~CRTC_PROTECT);
  mode.crtc.forEach((value, n) => vga.setCrtc(n, n === CRTC_PROTECT_INDEX ? value & ~CRTC_PROTECT : value));
  vga.setCrtc(CRTC_PROTECT_INDEX, mode.crtc[CRTC_PROTECT_INDEX]);
  mode.graphics.forEach((value, n) => vga.setGraphics(n, value));
  mode.attribute.forEach((value, n) => vga.setAttribute(n, value));
  vga.dacMask = 0xff;
  if ((flags & NO_PALETTE) === 0) {
    const levels = new Uint8Array(3 * 0x100);
    levels.set(mode.dac());
    vga.setColours(0, levels);
  }
  if (clear) {
    const bytes = new Uint8Array(info.kind === "text" ? 0x8000 : info.kind === "cga" ? 0x4000 : 0x10000);
    if (info.kind === "text") bytes.forEach((_, at) => bytes[at] = TEXT_CLEAR[at & 1]);
    memory.write(info.base, bytes);
  }
  remember(board, number, clear);
  if (info.kind === "text") loadRomFont(board, info.height, 0);
  const screen = new Screen(board);
  screen.cursorShape = number === 7 ? CURSOR_7 : CURSOR;
  screen.showPage(0);
  return true;
}

/** The mode in the BIOS data area. */
function remember({ memory }: FirmwareBoard, number: number, clear: boolean): void {
  const info = videoMode(number)!;
  const mono = number === 7 || number === 0x0f;
  memory.set8(BDA.VIDEO_MODE, number);
  memory.set16(BDA.VIDEO_COLUMNS, info.columns);
  memory.set16(BDA.VIDEO_PAGE_SIZE, info.pageSize & 0xffff);
  memory.set16(BDA.VIDEO_PAGE_START, 0);
  memory.write(BDA.CURSORS, new Uint8Array(16));
  memory.set8(BDA.VIDEO_PAGE, 0);
  memory.set16(BDA.CRTC_PORT, mono ? 0x3b4 : 0x3d4);
  memory.set8(BDA.CGA_MODE, CGA_MODES[number] ?? 0x29);
  memory.set8(BDA.CGA_PALETTE, number === 6 ? 0x3f : 0x30);
  memory.set8(BDA.VIDEO_LAST_ROW, info.rows - 1);
  memory.set16(BDA.CHARACTER_HEIGHT, info.height);
  memory.set8(BDA.VIDEO_CONTROL, VIDEO_CONTROL | (clear ? 0 : KEEP_MEMORY));
  memory.set8(BDA.VIDEO_SWITCHES, VIDEO_SWITCHES);
  memory.set8(BDA.VIDEO_FLAGS, memory.get8(BDA.VIDEO_FLAGS) & NO_PALETTE | VIDEO_FLAGS);
  memory.set8(BDA.VIDEO_COMBINATION, VIDEO_COMBINATION);
  memory.set32(BDA.VIDEO_SAVE_POINTER, (VIDEO_ROM_SEGMENT << 16 | SAVE_POINTERS) >>> 0);
  memory.set16(EBDA_AT.VBE_MODE, number);
  const equipment = memory.get16(BDA.EQUIPMENT) & ~0x30;
  memory.set16(BDA.EQUIPMENT, equipment | (mono ? EQUIPMENT_MONO : EQUIPMENT_COLOUR));
  memory.set32(FONT_VECTOR, (VIDEO_ROM_SEGMENT << 16 | FONTS[info.height]) >>> 0);
}
