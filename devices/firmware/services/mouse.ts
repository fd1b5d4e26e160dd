/**
 * INT 15h AH=C2h: the PS/2 mouse, and what IRQ 12 makes of its bytes.
 * @module
 */

import { EBDA_AT } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { askMouse, switchMouse, takeByte } from "../keyboard_controller.ts";
import type { ServiceFrame } from "../service_frame.ts";

const STATUS = { OK: 0, BAD_FUNCTION: 1, BAD_INPUT: 2, INTERFACE: 3, NO_HANDLER: 5 } as const;
const COMMAND = {
  SCALE_1: 0xe6,
  SCALE_2: 0xe7,
  RESOLUTION: 0xe8,
  STATUS: 0xe9,
  IDENTIFY: 0xf2,
  RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  RESET: 0xff,
} as const;
const RATES: readonly number[] = [10, 20, 40, 60, 80, 100, 200];
const HAS_HANDLER = 0x80, LENGTH = 0x07;
const MOST_RESOLUTION = 3;
const MOST_LENGTH = 8;
const FIRST_BYTE_MARK = 0x08;

/**
 * INT 15h AH=C2h.
 * @returns Whether it succeeded; AH has the status.
 */
export function mouseService(frame: ServiceFrame, board: FirmwareBoard): void {
  frame.ah = serve(frame, board);
  frame.carry = frame.ah !== STATUS.OK;
}

function serve(frame: ServiceFrame, { memory, ports }: FirmwareBoard): number {
  const flags = memory.get8(EBDA_AT.MOUSE_FLAGS);
  const tell = (...bytes: number[]): number => askMouse(ports, bytes, 0) === undefined ? STATUS.INTERFACE : STATUS.OK;
  switch (frame.al) {
    case 0x00:
      if (frame.bh > 1) return STATUS.BAD_INPUT;
      if (frame.bh === 1 && (flags & HAS_HANDLER) === 0) return STATUS.NO_HANDLER;
      memory.set8(EBDA_AT.MOUSE_COUNT, 0);
      return enable(frame.bh === 1);
    case 0x05:
      if (frame.bh < 1 || frame.bh > MOST_LENGTH) return STATUS.BAD_INPUT;
      memory.set8(EBDA_AT.MOUSE_FLAGS, flags & HAS_HANDLER | frame.bh - 1);
      return reset();
    case 0x01:
      return reset();
    case 0x02:
      return RATES[frame.bh] === undefined ? STATUS.BAD_INPUT : tell(COMMAND.RATE, RATES[frame.bh]);
    case 0x03:
      return frame.bh > MOST_RESOLUTION ? STATUS.BAD_INPUT : tell(COMMAND.RESOLUTION, frame.bh);
    case 0x04: {
      const answer = askMouse(ports, [COMMAND.IDENTIFY], 1);
      if (answer === undefined) return STATUS.INTERFACE;
      frame.bh = answer[0];
      return STATUS.OK;
    }
    case 0x06: {
      if (frame.bh > 2) return STATUS.BAD_FUNCTION;
      if (frame.bh !== 0) return tell(frame.bh === 1 ? COMMAND.SCALE_1 : COMMAND.SCALE_2);
      const answer = askMouse(ports, [COMMAND.STATUS], 3);
      if (answer === undefined) return STATUS.INTERFACE;
      [frame.bl, frame.cl, frame.dl] = answer;
      return STATUS.OK;
    }
    case 0x07:
      memory.set16(EBDA_AT.MOUSE_HANDLER, frame.bx);
      memory.set16(EBDA_AT.MOUSE_HANDLER + 2, frame.es);
      memory.set8(EBDA_AT.MOUSE_FLAGS, flags & LENGTH | (frame.es === 0 && frame.bx === 0 ? 0 : HAS_HANDLER));
      return STATUS.OK;
    default:
      return STATUS.BAD_FUNCTION;
  }

  function enable(on: boolean): number {
    switchMouse(ports, false);
    if (askMouse(ports, [on ? COMMAND.ENABLE : COMMAND.DISABLE], 0) === undefined) return STATUS.INTERFACE;
    switchMouse(ports, on);
    return STATUS.OK;
  }

  function reset(): number {
    memory.set8(EBDA_AT.MOUSE_COUNT, 0);
    const answer = askMouse(ports, [COMMAND.RESET], 2);
    switchMouse(ports, false);
    if (answer === undefined) return STATUS.INTERFACE;
    frame.bl = answer[0];
    frame.bh = answer[1];
    return STATUS.OK;
  }
}

/** IRQ 12: takes a byte. With the last of a packet AL is 1, ESI the handler, BX, CX, DX what it is given. */
export function mouseInterrupt(frame: ServiceFrame, { memory, ports }: FirmwareBoard): void {
  frame.al = 0;
  const byte = takeByte(ports);
  const flags = memory.get8(EBDA_AT.MOUSE_FLAGS);
  if (byte === undefined || (flags & HAS_HANDLER) === 0) return;
  const length = (flags & LENGTH) + 1;
  const count = memory.get8(EBDA_AT.MOUSE_COUNT);
  // In packets of three bytes the first one has a mark: without it the packets have got out of step.
  if (count === 0 && length === 3 && (byte & FIRST_BYTE_MARK) === 0) return;
  memory.set8(EBDA_AT.MOUSE_PACKET + count, byte);
  memory.set8(EBDA_AT.MOUSE_COUNT, count + 1 < length ? count + 1 : 0);
  if (count + 1 < length) return;
  const packet = new Uint8Array(8);
  memory.read(EBDA_AT.MOUSE_PACKET, packet.subarray(0, length));
  frame.al = 1;
  frame.esi = memory.get32(EBDA_AT.MOUSE_HANDLER);
  frame.bx = packet[0];
  frame.cx = packet[1];
  frame.dx = packet[2];
}
