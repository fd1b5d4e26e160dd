/**
 * What is left to be done at power-up once `bios.asm` has set up the chips and the vectors: memory that programs know, the PCI bus, and
 * the screen.
 * @module
 */

import { BASE_KIB, BDA, EBDA, EBDA_AT, EBDA_SEGMENT, EBDA_SIZE } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { CMOS, fromBcd, readCmos } from "../cmos.ts";
import { FIRST_DISK } from "../drives.ts";
import type { ServiceFrame } from "../service_frame.ts";
import { FONT_8, VIDEO_ROM_SEGMENT } from "../video_rom.ts";
import { KEY_FLAGS3_AT_START } from "./keyboard_interrupt.ts";
import { setUpPci } from "./pci_setup.ts";
import { setMode } from "./video_mode_set.ts";

const BDA_START = 0x400, BDA_SIZE = 0x100;
const COM_PORTS: readonly number[] = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const SCRATCH = 7, SCRATCH_VALUE = 0x5a;
const COPROCESSOR = 0x0002, MOUSE = 0x0004, COLOUR_80 = 0x0020, COMS_SHIFT = 9;
const KEY_BUFFER = 0x1e, KEY_BUFFER_END = 0x3e;
const TICKS_A_DAY = 0x1800b0, SECONDS_A_DAY = 86_400;
const USER_VECTORS = 0x60 * 4, USER_VECTORS_SIZE = 8 * 4;
const FONT_VECTOR = 0x1f * 4, DISK_VECTORS: readonly number[] = [0x41 * 4, 0x46 * 4];
const MORE_THAN_8_HEADS = 0x08;

/** The service. */
export function powerOnSelfTest(_frame: ServiceFrame, board: FirmwareBoard): void {
  const { memory, ports, drives } = board;
  const resetFlag = memory.get16(BDA.RESET_FLAG);
  memory.write(BDA_START, new Uint8Array(BDA_SIZE));
  memory.write(EBDA, new Uint8Array(EBDA_SIZE));
  memory.set8(EBDA_AT.SIZE_KIB, EBDA_SIZE / 1024);
  memory.set16(BDA.RESET_FLAG, resetFlag);
  memory.set16(BDA.EBDA_SEGMENT, EBDA_SEGMENT);
  memory.set16(BDA.MEMORY_KIB, BASE_KIB);
  const coms = COM_PORTS.filter((port) => {
    ports.out(port + SCRATCH, 1, SCRATCH_VALUE);
    return ports.in(port + SCRATCH, 1) === SCRATCH_VALUE;
  });
  coms.forEach((port, n) => memory.set16(BDA.COM_PORTS + 2 * n, port));
  memory.write(BDA.COM_TIMEOUTS, new Uint8Array(4).fill(1));
  memory.write(BDA.LPT_TIMEOUTS, new Uint8Array(3).fill(0x14));
  memory.set16(BDA.EQUIPMENT, COPROCESSOR | MOUSE | COLOUR_80 | coms.length << COMS_SHIFT);
  for (const place of [BDA.KEY_HEAD, BDA.KEY_TAIL, BDA.KEY_BUFFER_START_POINTER]) memory.set16(place, KEY_BUFFER);
  memory.set16(BDA.KEY_BUFFER_END_POINTER, KEY_BUFFER_END);
  memory.set8(BDA.KEY_FLAGS3, KEY_FLAGS3_AT_START);
  memory.write(USER_VECTORS, new Uint8Array(USER_VECTORS_SIZE));
  memory.set32(FONT_VECTOR, (VIDEO_ROM_SEGMENT << 16 | FONT_8 + 128 * 8) >>> 0);
  drives.tell();
  DISK_VECTORS.forEach((vector, n) => diskTable(board, vector, n));
  memory.set32(BDA.TICKS, ticks(board));
  setUpPci(ports);
  setMode(board, 3, true);
}

/** The parameter table of a hard disk, and the vector that points to it. */
function diskTable({ memory, drives }: FirmwareBoard, vector: number, n: number): void {
  const at = EBDA_AT.DISK_TABLES + 16 * n;
  memory.set16(vector, at - EBDA);
  memory.set16(vector + 2, EBDA_SEGMENT);
  const drive = drives.get(FIRST_DISK + n);
  if (drive === undefined) return;
  const { cylinders, heads, sectors } = drive.geometry;
  memory.set16(at, cylinders);
  memory.set8(at + 2, heads);
  memory.set16(at + 5, 0xffff); // no write precompensation
  memory.set8(at + 8, 0xc0 | (heads > 8 ? MORE_THAN_8_HEADS : 0));
  memory.set16(at + 12, cylinders); // landing zone
  memory.set8(at + 14, sectors);
}

/** Ticks since midnight by the clock. */
function ticks({ ports }: FirmwareBoard): number {
  const [hours, minutes, seconds] = [CMOS.HOURS, CMOS.MINUTES, CMOS.SECONDS].map((at) => fromBcd(readCmos(ports, at)));
  const passed = hours * 3600 + minutes * 60 + seconds;
  return passed < SECONDS_A_DAY ? Math.floor(passed * TICKS_A_DAY / SECONDS_A_DAY) : 0;
}
