/**
 * INT 16h: keys.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import { type Answer, ANSWER_WAIT, type ServiceFrame } from "../service_frame.ts";
import { sendToKeyboard } from "../keyboard_controller.ts";
import { dropKey, firstKey, putKey } from "./key_buffer.ts";

/** The highest scan code that a keyboard of 84 keys has. */
const LAST_OLD_SCAN = 0x84;
const SCAN_ENTER = 0x1c, SCAN_SLASH = 0x35;
const CHARACTER_SLASH = 0x2f;
/** AH=09h: AX=0305h, and AH=10h to 12h are there. */
const FUNCTIONS = 0x24;
const TYPEMATIC = 0xf3;
/** Places in the buffer. */
const KEYS = 16;

/** INT 16h. */
export function keyboardService(frame: ServiceFrame, { memory, ports }: FirmwareBoard): Answer | void {
  switch (frame.ah) {
    case 0x00:
    case 0x10: {
      const key = nextKey(frame.ah === 0x00);
      if (key === undefined) return ANSWER_WAIT;
      dropKey(memory);
      frame.ax = key;
      return;
    }
    case 0x01:
    case 0x11: {
      const key = nextKey(frame.ah === 0x01);
      frame.zero = key === undefined;
      if (key !== undefined) frame.ax = key;
      return;
    }
    case 0x02:
      frame.al = memory.get8(BDA.KEY_FLAGS);
      return;
    case 0x03:
      // Typematic rate: BL rate, BH delay.
      if (frame.al !== 5) return;
      sendToKeyboard(ports, [TYPEMATIC, (frame.bh & 3) << 5 | frame.bl & 0x1f]);
      return;
    case 0x05:
      frame.al = putKey(memory, frame.cx) ? 0 : 1;
      return;
    case 0x09:
      frame.al = FUNCTIONS;
      return;
    case 0x12: {
      frame.al = memory.get8(BDA.KEY_FLAGS);
      const flags = memory.get8(BDA.KEY_FLAGS2), more = memory.get8(BDA.KEY_FLAGS3);
      frame.ah = flags & 0x73 | more & 0x0c | (flags & 0x04) << 5;
      return;
    }
  }

  /** The first key, as a program for 84 keys or for 101 is to see it. */
  function nextKey(old: boolean): number | undefined {
    for (let n = 0; n < KEYS; n++) {
      const key = firstKey(memory);
      const shown = key === undefined ? undefined : old ? asOldKey(key) : asNewKey(key);
      if (key === undefined || shown !== undefined) return shown;
      dropKey(memory);
    }
    return undefined;
  }
}

/** A key as it is for programs that know 84 keys; none: they do not know it. */
function asOldKey(key: number): number | undefined {
  const scan = key >> 8, character = key & 0xff;
  if (scan === 0xe0) return (character === CHARACTER_SLASH ? SCAN_SLASH : SCAN_ENTER) << 8 | character;
  if (scan > LAST_OLD_SCAN) return undefined;
  if (scan === 0 || (character !== 0xe0 && character !== 0xf0)) return key;
  return character === 0xf0 ? undefined : scan << 8;
}

/** A key as it is for programs that know 101 keys. */
function asNewKey(key: number): number {
  return (key & 0xff) === 0xf0 && key >> 8 !== 0 ? key & 0xff00 : key;
}
