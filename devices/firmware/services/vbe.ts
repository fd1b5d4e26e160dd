/**
 * INT 10h AH=4Fh: the VESA BIOS extensions, version 2.0, on the display interface that `vga_ports.ts` describes. AL=04h (save and restore)
 * keeps the interface's registers; AL=0Ah (protected mode entry) is not there.
 * @module
 */

import { BDA, EBDA_AT } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { PCI, pciFunctions, readPci } from "../pci.ts";
import { linear, type ServiceFrame } from "../service_frame.ts";
import { DISPI, VgaPorts } from "../vga_ports.ts";
import { VBE_MODE_LIST, VBE_NAME, VBE_WINDOW_ROUTINE, VIDEO_ROM_SEGMENT } from "../video_rom.ts";
import { pixelBytes, type VbeMode, vbeMode } from "./vbe_modes.ts";
import { setMode } from "./video_mode_set.ts";

const OK = 0x004f, FAILED = 0x014f, NOT_HERE = 0x024f;
const VERSION = 0x0200;
const VBE2 = 0x32454256, VESA = 0x41534556;
const INFO_SIZE = 256, INFO_2_SIZE = 512, MODE_INFO_SIZE = 256;
const DAC_SWITCHABLE = 0x01;
const LINEAR = 0x4000, KEEP = 0x8000, NUMBER = 0x1ff;
const ENABLED = 0x01, ENABLE_LINEAR = 0x40, ENABLE_KEEP = 0x80, ENABLE_8_BIT_DAC = 0x20;
/** Supported, more information, colour, graphics, linear frame buffer. */
const ATTRIBUTES = 0x9b;
const WINDOW_ATTRIBUTES = 0x07, WINDOW_KIB = 64, WINDOW_SEGMENT = 0xa000;
const MEMORY_PACKED = 4, MEMORY_DIRECT = 6;
const CLASS_VGA = 0x0300;
const LINEAR_BASE = 0xe0000000;
const STATE_REGISTERS: readonly number[] = [
  DISPI.WIDTH,
  DISPI.HEIGHT,
  DISPI.BITS,
  DISPI.VIRTUAL_WIDTH,
  DISPI.X,
  DISPI.Y,
  DISPI.BANK,
  DISPI.ENABLE,
];
/** Blocks of 64 bytes for these registers, the mode's number, and the video part of the BIOS data area. */
const STATE_BLOCKS = 2, STATE_BDA = 32, BDA_VIDEO_SIZE = 0x1e, STATE_MORE = 0x40, BDA_MORE_SIZE = 7;

/** Position and size in bits of red, green, blue and what is left. */
const MASKS: Readonly<Record<number, readonly number[]>> = {
  8: [0, 0, 0, 0, 0, 0, 0, 0],
  15: [5, 10, 5, 5, 5, 0, 1, 15],
  16: [5, 11, 6, 5, 5, 0, 0, 0],
  24: [8, 16, 8, 8, 8, 0, 0, 0],
  32: [8, 16, 8, 8, 8, 0, 8, 24],
};

/** INT 10h AH=4Fh. */
export function vbeService(frame: ServiceFrame, board: FirmwareBoard): void {
  const vga = new VgaPorts(board.ports);
  frame.ax = vga.hasDispi ? serve(frame, board, vga) : FAILED;
}

function serve(frame: ServiceFrame, board: FirmwareBoard, vga: VgaPorts): number {
  const { memory } = board;
  const on = (vga.dispi(DISPI.ENABLE) & ENABLED) !== 0;
  switch (frame.al) {
    case 0x00:
      return controllerInformation(frame, board, vga);
    case 0x01: {
      const mode = usable(vga, frame.cx & NUMBER);
      if (mode === undefined) return FAILED;
      memory.write(linear(frame.es, frame.di), modeInformation(mode, board, vga));
      return OK;
    }
    case 0x02:
      return changeMode(frame.bx, board, vga);
    case 0x03:
      frame.bx = memory.get16(EBDA_AT.VBE_MODE);
      return OK;
    case 0x04:
      return stateService(frame, board, vga);
    case 0x05:
      if (!on) return NOT_HERE;
      if (frame.bl !== 0 || frame.bh > 1) return FAILED;
      if (frame.bh === 0) vga.setDispi(DISPI.BANK, frame.dx);
      else frame.dx = vga.dispi(DISPI.BANK);
      return OK;
    case 0x06:
      return on ? lineLength(frame, vga) : NOT_HERE;
    case 0x07:
      return on ? displayStart(frame, vga) : NOT_HERE;
    case 0x08:
      return on ? dacWidth(frame, vga) : NOT_HERE;
    case 0x09:
      return palette(frame, board, vga);
    default:
      return FAILED;
  }
}

/** AL=00h. */
function controllerInformation(frame: ServiceFrame, { memory }: FirmwareBoard, vga: VgaPorts): number {
  const at = linear(frame.es, frame.di);
  const bytes = new Uint8Array(memory.get32(at) === VBE2 ? INFO_2_SIZE : INFO_SIZE);
  const view = new DataView(bytes.buffer);
  const pointer = (offset: number, target: number): void => {
    view.setUint16(offset, target, true);
    view.setUint16(offset + 2, VIDEO_ROM_SEGMENT, true);
  };
  view.setUint32(0, VESA, true);
  view.setUint16(4, VERSION, true);
  pointer(6, VBE_NAME);
  view.setUint32(10, DAC_SWITCHABLE, true);
  pointer(14, VBE_MODE_LIST);
  view.setUint16(18, vga.dispi(DISPI.MEMORY), true);
  if (bytes.length === INFO_2_SIZE) {
    view.setUint16(20, VERSION, true);
    for (const offset of [22, 26, 30]) pointer(offset, VBE_NAME);
  }
  memory.write(at, bytes);
  return OK;
}

/** A mode for which there is memory. */
function usable(vga: VgaPorts, number: number): VbeMode | undefined {
  const mode = vbeMode(number);
  return mode !== undefined && bytesOf(mode) <= vga.dispi(DISPI.MEMORY) * 0x10000 ? mode : undefined;
}

function bytesOf({ width, height, bits }: VbeMode): number {
  return width * height * pixelBytes(bits);
}

/** AL=01h. */
function modeInformation(mode: VbeMode, board: FirmwareBoard, vga: VgaPorts): Uint8Array {
  const { width, height, bits } = mode;
  const bytes = new Uint8Array(MODE_INFO_SIZE);
  const view = new DataView(bytes.buffer);
  const pitch = width * pixelBytes(bits);
  const planes = 1;
  const pages = Math.min(0xff, Math.floor(vga.dispi(DISPI.MEMORY) * 0x10000 / bytesOf(mode)) - 1);
  const glyph = height < 400 ? 8 : 16;
  view.setUint16(0, ATTRIBUTES, true);
  bytes[2] = WINDOW_ATTRIBUTES;
  view.setUint16(4, WINDOW_KIB, true);
  view.setUint16(6, WINDOW_KIB, true);
  view.setUint16(8, WINDOW_SEGMENT, true);
  view.setUint16(12, VBE_WINDOW_ROUTINE, true);
  view.setUint16(14, VIDEO_ROM_SEGMENT, true);
  view.setUint16(16, pitch, true);
  view.setUint16(18, width, true);
  view.setUint16(20, height, true);
  bytes.set([8, glyph, planes, bits, 1, bits === 8 ? MEMORY_PACKED : MEMORY_DIRECT, 0, pages, 1], 22);
  const masks = MASKS[bits];
  bytes.set(masks, 31);
  // What is in the pixels' last bits can be used by programs.
  bytes[39] = masks[6] > 0 ? 2 : 0;
  view.setUint32(40, linearBase(board), true);
  view.setUint16(50, pitch, true);
  bytes[52] = bytes[53] = pages;
  bytes.set(masks, 54);
  return bytes;
}

/** Where the adapter's memory is. */
function linearBase({ ports }: FirmwareBoard): number {
  const place = pciFunctions(ports).find((place) => readPci(ports, place, PCI.CLASS + 2, 2) === CLASS_VGA);
  const base = place === undefined ? 0 : (readPci(ports, place, PCI.BAR0, 4) & ~0x0f) >>> 0;
  return base === 0 ? LINEAR_BASE : base;
}

/** AL=02h. */
function changeMode(wanted: number, board: FirmwareBoard, vga: VgaPorts): number {
  const { memory } = board;
  const number = wanted & NUMBER;
  if (number < 0x100) return setMode(board, number & 0x7f, (wanted & KEEP) === 0) ? OK : FAILED;
  const mode = usable(vga, number);
  if (mode === undefined) return FAILED;
  // Colours and registers of mode 13h are under it.
  setMode(board, 0x13, false);
  vga.setDispi(DISPI.ENABLE, 0);
  vga.setDispi(DISPI.WIDTH, mode.width);
  vga.setDispi(DISPI.HEIGHT, mode.height);
  vga.setDispi(DISPI.BITS, mode.bits);
  const keep = (wanted & KEEP) !== 0 ? ENABLE_KEEP : 0;
  vga.setDispi(DISPI.ENABLE, ENABLED | keep | ((wanted & LINEAR) !== 0 ? ENABLE_LINEAR : 0));
  vga.setDispi(DISPI.BANK, 0);
  memory.set16(EBDA_AT.VBE_MODE, wanted & (NUMBER | LINEAR));
  // No standard mode: INT 10h draws no characters.
  memory.set8(BDA.VIDEO_MODE, 0x7f);
  memory.set16(BDA.VIDEO_COLUMNS, mode.width >> 3);
  memory.set8(BDA.VIDEO_LAST_ROW, Math.min(0xff, (mode.height >> 4) - 1));
  memory.set16(BDA.CHARACTER_HEIGHT, 16);
  return OK;
}

/** AL=04h. */
function stateService(frame: ServiceFrame, { memory }: FirmwareBoard, vga: VgaPorts): number {
  const at = linear(frame.es, frame.bx);
  const bytes = new Uint8Array(STATE_BLOCKS * 64);
  const view = new DataView(bytes.buffer);
  const mode = STATE_REGISTERS.length * 2;
  switch (frame.dl) {
    case 0x00:
      frame.bx = STATE_BLOCKS;
      return OK;
    case 0x01:
      STATE_REGISTERS.forEach((register, n) => view.setUint16(2 * n, vga.dispi(register), true));
      view.setUint16(mode, memory.get16(EBDA_AT.VBE_MODE), true);
      memory.read(BDA.VIDEO_MODE, bytes.subarray(STATE_BDA, STATE_BDA + BDA_VIDEO_SIZE));
      memory.read(BDA.VIDEO_LAST_ROW, bytes.subarray(STATE_MORE, STATE_MORE + BDA_MORE_SIZE));
      memory.write(at, bytes);
      return OK;
    case 0x02:
      memory.read(at, bytes);
      vga.setDispi(DISPI.ENABLE, 0);
      STATE_REGISTERS.forEach((register, n) => {
        const value = view.getUint16(2 * n, true);
        vga.setDispi(register, register === DISPI.ENABLE ? value | ENABLE_KEEP : value);
      });
      memory.set16(EBDA_AT.VBE_MODE, view.getUint16(mode, true));
      memory.write(BDA.VIDEO_MODE, bytes.subarray(STATE_BDA, STATE_BDA + BDA_VIDEO_SIZE));
      memory.write(BDA.VIDEO_LAST_ROW, bytes.subarray(STATE_MORE, STATE_MORE + BDA_MORE_SIZE));
      return OK;
    default:
      return FAILED;
  }
}

/** AL=06h. */
function lineLength(frame: ServiceFrame, vga: VgaPorts): number {
  const unit = pixelBytes(vga.dispi(DISPI.BITS));
  const total = vga.dispi(DISPI.MEMORY) * 0x10000;
  const width = vga.dispi(DISPI.WIDTH);
  const most = Math.floor(total / vga.dispi(DISPI.HEIGHT) / unit);
  switch (frame.bl) {
    case 0x00:
    case 0x02: {
      const wanted = Math.max(width, frame.bl === 0 ? frame.cx : Math.ceil(frame.cx / unit));
      if (wanted > most) return NOT_HERE;
      vga.setDispi(DISPI.VIRTUAL_WIDTH, wanted);
      break;
    }
    case 0x01:
      break;
    case 0x03:
      frame.bx = Math.min(0xffff, most * unit);
      frame.cx = Math.min(0xffff, most);
      frame.dx = vga.dispi(DISPI.HEIGHT);
      return OK;
    default:
      return FAILED;
  }
  const pixels = vga.dispi(DISPI.VIRTUAL_WIDTH);
  frame.cx = pixels;
  frame.bx = pixels * unit;
  frame.dx = Math.min(0xffff, Math.floor(total / (pixels * unit)));
  return OK;
}

/** AL=07h. */
function displayStart(frame: ServiceFrame, vga: VgaPorts): number {
  switch (frame.bl) {
    case 0x00:
    case 0x80:
      vga.setDispi(DISPI.X, frame.cx);
      vga.setDispi(DISPI.Y, frame.dx);
      return vga.dispi(DISPI.X) === frame.cx && vga.dispi(DISPI.Y) === frame.dx ? OK : FAILED;
    case 0x01:
      frame.bh = 0;
      frame.cx = vga.dispi(DISPI.X);
      frame.dx = vga.dispi(DISPI.Y);
      return OK;
    default:
      return FAILED;
  }
}

/** AL=08h. */
function dacWidth(frame: ServiceFrame, vga: VgaPorts): number {
  const enable = vga.dispi(DISPI.ENABLE);
  if (frame.bl > 1) return FAILED;
  const wide = frame.bl === 0 ? frame.bh >= 8 : (enable & ENABLE_8_BIT_DAC) !== 0;
  if (frame.bl === 0) {
    vga.setDispi(DISPI.ENABLE, enable & ~ENABLE_8_BIT_DAC | ENABLE_KEEP | (wide ? ENABLE_8_BIT_DAC : 0));
  }
  frame.bh = wide ? 8 : 6;
  return OK;
}

/** AL=09h: entries of blue, green, red and nothing. */
function palette(frame: ServiceFrame, { memory }: FirmwareBoard, vga: VgaPorts): number {
  const at = linear(frame.es, frame.di);
  const first = frame.dx & 0xff;
  const count = Math.min(frame.cx, 0x100 - first);
  const entries = new Uint8Array(4 * count);
  switch (frame.bl) {
    case 0x00:
    case 0x80:
      memory.read(at, entries);
      vga.setColours(
        first,
        Uint8Array.from({ length: 3 * count }, (_, n) => entries[4 * Math.floor(n / 3) + 2 - n % 3]),
      );
      return OK;
    case 0x01:
      vga.colours(first, count).forEach((level, n) => entries[4 * Math.floor(n / 3) + 2 - n % 3] = level);
      memory.write(at, entries);
      return OK;
    default:
      return FAILED;
  }
}
