/**
 * INT 15h: the system services.
 * @module
 */

import { BDA, EBDA_AT, EBDA_SEGMENT } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { CMOS, CMOS_BITS, readCmos, writeCmos } from "../cmos.ts";
import { type Answer, ANSWER_WAIT, linear, type ServiceFrame } from "../service_frame.ts";
import { apmService } from "./apm.ts";
import { moveBlock } from "./block_move.ts";
import { extendedKib, memoryMap, splitExtended } from "./memory_map.ts";
import { mouseService } from "./mouse.ts";

const NOT_SUPPORTED = 0x86;
const SMAP = 0x534d4150;
const ENTRY = 20;
const PORT92 = 0x92, A20 = 0x02, RESET = 0x01;
const PIC_SLAVE_MASK = 0xa1, IRQ8 = 0x01;
const WAITING = 0x01, WAIT_OVER = 0x80;
/** INT 15h AH=86h waits with the byte in the BIOS data area that AH=83h uses for itself. */
const OWN_WAIT = linear(0x40, 0xa0);
const CONFIGURATION_SEGMENT = 0xf000, CONFIGURATION = 0xe6f5;

/** INT 15h. */
export function systemService(frame: ServiceFrame, board: FirmwareBoard): Answer | void {
  const { memory } = board;
  switch (frame.ah) {
    case 0x24:
      return a20(frame, board);
    case 0x4f: // what to do with a scan code: CF is set, so it is taken
      return;
    case 0x53:
      return apmService(frame, board);
    case 0x80: // open, close a device; end a program; wait for a device, a device is ready; SysReq
    case 0x81:
    case 0x82:
    case 0x85:
    case 0x90:
    case 0x91:
      return succeed(frame);
    case 0x83:
      return waitForEvent(frame, board);
    case 0x86:
      return wait(frame, board);
    case 0x87:
      frame.ah = moveBlock(memory, linear(frame.es, frame.si), frame.cx);
      frame.carry = frame.ah !== 0;
      frame.zero = frame.ah === 0;
      return;
    case 0x88:
      frame.ax = Math.min(extendedKib(board.machine), 0xffff);
      frame.carry = false;
      return;
    case 0xc0:
      frame.es = CONFIGURATION_SEGMENT;
      frame.bx = CONFIGURATION;
      return succeed(frame);
    case 0xc1:
      frame.es = EBDA_SEGMENT;
      frame.carry = false;
      return;
    case 0xc2:
      return mouseService(frame, board);
    case 0xe8:
      return bigMemory(frame, board);
    default:
      return refuse(frame);
  }
}

function succeed(frame: ServiceFrame): void {
  frame.ah = 0;
  frame.carry = false;
}

function refuse(frame: ServiceFrame): void {
  frame.ah = NOT_SUPPORTED;
  frame.carry = true;
}

/** AH=24h. */
function a20(frame: ServiceFrame, { ports, a20 }: FirmwareBoard): void {
  const value = ports.in(PORT92, 1) & ~RESET;
  switch (frame.al) {
    case 0x00:
    case 0x01: {
      const open = frame.al === 1;
      // The port moves the gate only when its bit changes, and the keyboard controller may have moved it since.
      if (a20() !== open) ports.out(PORT92, 1, open ? value & ~A20 : value | A20);
      ports.out(PORT92, 1, open ? value | A20 : value & ~A20);
      break;
    }
    case 0x02:
      frame.al = a20() ? 1 : 0;
      break;
    case 0x03:
      // By the keyboard controller, and by port 92h.
      frame.bx = 0x0003;
      break;
    default:
      return refuse(frame);
  }
  succeed(frame);
}

/** Lets the clock's interrupts count down CX:DX microseconds, and set a bit then. */
function startWait(frame: ServiceFrame, { memory, ports }: FirmwareBoard, flag: number): void {
  memory.set32(BDA.WAIT_POINTER, flag);
  memory.set32(BDA.WAIT_TIME, (frame.cx << 16 | frame.dx) >>> 0);
  memory.set8(BDA.WAIT_ACTIVE, WAITING);
  ports.out(PIC_SLAVE_MASK, 1, ports.in(PIC_SLAVE_MASK, 1) & ~IRQ8);
  writeCmos(ports, CMOS.B, readCmos(ports, CMOS.B) | CMOS_BITS.PERIODIC);
}

function stopWait({ memory, ports }: FirmwareBoard): void {
  memory.set8(BDA.WAIT_ACTIVE, 0);
  writeCmos(ports, CMOS.B, readCmos(ports, CMOS.B) & ~CMOS_BITS.PERIODIC);
}

/** AH=83h. */
function waitForEvent(frame: ServiceFrame, board: FirmwareBoard): void {
  const { memory } = board;
  if (frame.al > 1) return refuse(frame);
  if (frame.al === 1) {
    stopWait(board);
    return succeed(frame);
  }
  frame.carry = (memory.get8(BDA.WAIT_ACTIVE) & WAITING) !== 0;
  if (!frame.carry) startWait(frame, board, (frame.es << 16 | frame.bx) >>> 0);
  frame.ah = 0;
}

/** AH=86h. The caller's registers are untouched until the end, so that this is the same call each time. */
function wait(frame: ServiceFrame, board: FirmwareBoard): Answer | void {
  const { memory } = board;
  if (memory.get8(EBDA_AT.WAITING) === 0) {
    if ((memory.get8(BDA.WAIT_ACTIVE) & WAITING) !== 0) {
      // Somebody waits already.
      frame.carry = true;
      return;
    }
    memory.set8(EBDA_AT.WAITING, 1);
    startWait(frame, board, 0x0040_00a0);
  }
  if ((memory.get8(OWN_WAIT) & WAIT_OVER) === 0) return ANSWER_WAIT;
  memory.set8(OWN_WAIT, 0);
  memory.set8(EBDA_AT.WAITING, 0);
  frame.carry = false;
}

/** AH=E8h. */
function bigMemory(frame: ServiceFrame, { machine, memory }: FirmwareBoard): void {
  const { low, high } = splitExtended(machine);
  switch (frame.al) {
    case 0x01:
      frame.ax = frame.cx = low;
      frame.bx = frame.dx = high;
      frame.carry = false;
      return;
    case 0x81:
      frame.eax = frame.ecx = low;
      frame.ebx = frame.edx = high;
      frame.carry = false;
      return;
    case 0x20: {
      const map = memoryMap(machine);
      const range = map[frame.ebx];
      if (frame.edx !== SMAP || range === undefined || frame.ecx < ENTRY) return refuse(frame);
      const bytes = new Uint8Array(ENTRY);
      const view = new DataView(bytes.buffer);
      view.setBigUint64(0, BigInt(range.base), true);
      view.setBigUint64(8, BigInt(range.size), true);
      view.setUint32(16, range.type, true);
      memory.write(linear(frame.es, frame.di), bytes);
      frame.eax = SMAP;
      frame.ecx = ENTRY;
      frame.ebx = frame.ebx + 1 < map.length ? frame.ebx + 1 : 0;
      frame.carry = false;
      return;
    }
    default:
      return refuse(frame);
  }
}
