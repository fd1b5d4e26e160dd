/**
 * What IRQ 1 makes of a scan code of set 1: shift states and keys in the BIOS data area. `bios.asm` has read the code, and does what
 * AL says on return.
 * @module
 */

import { BDA } from "../bda.ts";
import type { FirmwareBoard } from "../board.ts";
import type { LinearMemory } from "../linear_memory.ts";
import type { ServiceFrame } from "../service_frame.ts";
import { clearKeys, putKey } from "./key_buffer.ts";
import { isKeypad, isLetter, keyCode, keypadDigit, type KeyShift } from "./key_codes.ts";

/** What is left to be done, as `bios.asm` knows it. */
const TODO = { BREAK: 1, PRINT: 2, SYSREQ_DOWN: 3, SYSREQ_UP: 4, RESET: 5, PAUSE: 6, ENDED: 7 } as const;

/** BDA.KEY_FLAGS. */
const RIGHT_SHIFT = 0x01, LEFT_SHIFT = 0x02, SHIFT = 0x03, CTRL = 0x04, ALT = 0x08;
const SCROLL_LOCK = 0x10, NUM_LOCK = 0x20, CAPS_LOCK = 0x40, INSERT = 0x80;
/** BDA.KEY_FLAGS2: held keys. */
const LEFT_CTRL = 0x01, LEFT_ALT = 0x02, SYSREQ = 0x04, PAUSED = 0x08;
/** BDA.KEY_FLAGS3. */
const AFTER_E1 = 0x01, AFTER_E0 = 0x02, RIGHT_CTRL = 0x04, RIGHT_ALT = 0x08, KEYBOARD_101 = 0x10;

const SCAN = {
  CTRL: 0x1d,
  LEFT_SHIFT: 0x2a,
  RIGHT_SHIFT: 0x36,
  PRINT: 0x37,
  ALT: 0x38,
  CAPS: 0x3a,
  NUM: 0x45,
  SCROLL: 0x46,
  BREAK: 0x46,
  INSERT: 0x52,
  DELETE: 0x53,
  SYSREQ: 0x54,
} as const;
const RELEASE = 0x80;
const PREFIX_E0 = 0xe0, PREFIX_E1 = 0xe1;
const WARM_RESET = 0x1234;

/** The service. */
export function keyboardInterrupt(frame: ServiceFrame, { memory }: FirmwareBoard): void {
  frame.al = translate(memory, frame.al);
}

function translate(memory: LinearMemory, code: number): number {
  const flags3 = memory.get8(BDA.KEY_FLAGS3);
  if (code === PREFIX_E0 || code === PREFIX_E1) {
    memory.set8(BDA.KEY_FLAGS3, flags3 | (code === PREFIX_E0 ? AFTER_E0 : AFTER_E1));
    return TODO.ENDED;
  }
  // Replies of the keyboard.
  if (code >= 0xfa || code === 0) return TODO.ENDED;
  const scan = code & ~RELEASE, released = (code & RELEASE) !== 0;
  const extended = (flags3 & AFTER_E0) !== 0, pause = (flags3 & AFTER_E1) !== 0;
  // Pause is E1 1D 45: its prefix holds for two codes.
  if (!pause || scan === SCAN.NUM) memory.set8(BDA.KEY_FLAGS3, flags3 & ~(AFTER_E0 | AFTER_E1));
  if (pause) return scan === SCAN.NUM && !released ? startPause(memory) : TODO.ENDED;
  if (shiftKey(memory, { scan, released, extended })) return TODO.ENDED;
  if (scan === SCAN.SYSREQ && !extended) {
    toggle(memory, BDA.KEY_FLAGS2, SYSREQ, !released);
    return released ? TODO.SYSREQ_UP : TODO.SYSREQ_DOWN;
  }
  if (released) return TODO.ENDED;
  const paused = memory.get8(BDA.KEY_FLAGS2);
  if ((paused & PAUSED) !== 0) {
    memory.set8(BDA.KEY_FLAGS2, paused & ~PAUSED);
    return TODO.ENDED;
  }
  return pressed(memory, scan, extended);
}

/** A key that changes others; says whether it is one. */
function shiftKey(
  memory: LinearMemory,
  key: { readonly scan: number; readonly released: boolean; readonly extended: boolean },
): boolean {
  const { scan, released, extended } = key;
  const hold = (bit: number, held?: readonly [place: number, bit: number]): true => {
    if (held !== undefined) toggle(memory, held[0], held[1], !released);
    toggle(memory, BDA.KEY_FLAGS, bit, !released);
    return true;
  };
  const lock = (bit: number): true => {
    const flags2 = memory.get8(BDA.KEY_FLAGS2);
    if (!released && (flags2 & bit) === 0) memory.set8(BDA.KEY_FLAGS, memory.get8(BDA.KEY_FLAGS) ^ bit);
    toggle(memory, BDA.KEY_FLAGS2, bit, !released);
    toggle(memory, BDA.KEY_LEDS, 0x07, false);
    memory.set8(BDA.KEY_LEDS, memory.get8(BDA.KEY_LEDS) | memory.get8(BDA.KEY_FLAGS) >> 4 & 7);
    return true;
  };
  switch (scan) {
    case SCAN.LEFT_SHIFT:
      // Behind E0 it is a shift that the keyboard makes up around grey keys.
      return extended || hold(LEFT_SHIFT);
    case SCAN.RIGHT_SHIFT:
      return extended || hold(RIGHT_SHIFT);
    case SCAN.CTRL:
      hold(CTRL, extended ? [BDA.KEY_FLAGS3, RIGHT_CTRL] : [BDA.KEY_FLAGS2, LEFT_CTRL]);
      if (released) keepHeld(memory, CTRL, LEFT_CTRL, RIGHT_CTRL);
      return true;
    case SCAN.ALT:
      hold(ALT, extended ? [BDA.KEY_FLAGS3, RIGHT_ALT] : [BDA.KEY_FLAGS2, LEFT_ALT]);
      if (released) {
        keepHeld(memory, ALT, LEFT_ALT, RIGHT_ALT);
        typeNumber(memory);
      }
      return true;
    case SCAN.CAPS:
      return !extended && lock(CAPS_LOCK);
    case SCAN.NUM:
      return !extended && lock(NUM_LOCK);
    case SCAN.SCROLL:
      return !extended && (memory.get8(BDA.KEY_FLAGS) & CTRL) === 0 && lock(SCROLL_LOCK);
    default:
      return false;
  }
}

/** Of two keys one is released: the other may still be held. */
function keepHeld(memory: LinearMemory, bit: number, left: number, right: number): void {
  const held = (memory.get8(BDA.KEY_FLAGS2) & left) !== 0 || (memory.get8(BDA.KEY_FLAGS3) & right) !== 0;
  toggle(memory, BDA.KEY_FLAGS, bit, held);
}

/** Alt is released: the number that was typed on the keypad is a character. */
function typeNumber(memory: LinearMemory): void {
  const number = memory.get8(BDA.KEY_ALT_NUMBER);
  memory.set8(BDA.KEY_ALT_NUMBER, 0);
  if (number !== 0) putKey(memory, number);
}

function startPause(memory: LinearMemory): number {
  const flags2 = memory.get8(BDA.KEY_FLAGS2);
  if ((flags2 & PAUSED) !== 0) return TODO.ENDED;
  memory.set8(BDA.KEY_FLAGS2, flags2 | PAUSED);
  return TODO.PAUSE;
}

/** A key that is none of these. */
function pressed(memory: LinearMemory, scan: number, extended: boolean): number {
  const flags = memory.get8(BDA.KEY_FLAGS);
  const control = (flags & CTRL) !== 0, alt = (flags & ALT) !== 0, shift = (flags & SHIFT) !== 0;
  if (control && alt && scan === SCAN.DELETE) {
    memory.set16(BDA.RESET_FLAG, WARM_RESET);
    return TODO.RESET;
  }
  if (control && scan === SCAN.BREAK) {
    clearKeys(memory);
    putKey(memory, 0);
    memory.set8(BDA.BREAK_FLAG, 0x80);
    return TODO.BREAK;
  }
  if (control && scan === SCAN.NUM && !extended) return startPause(memory);
  if (extended && scan === SCAN.PRINT) {
    if (!control) return TODO.PRINT;
    putKey(memory, 0x7200);
    return TODO.ENDED;
  }
  if (alt && !extended) {
    const digit = keypadDigit(scan);
    if (digit !== undefined) {
      memory.set8(BDA.KEY_ALT_NUMBER, memory.get8(BDA.KEY_ALT_NUMBER) * 10 + digit);
      return TODO.ENDED;
    }
  }
  if (scan === SCAN.INSERT && (extended || (flags & NUM_LOCK) === 0) && !control && !alt) {
    memory.set8(BDA.KEY_FLAGS, flags ^ INSERT);
  }
  const locked = !extended &&
    (isLetter(scan) ? (flags & CAPS_LOCK) !== 0 : isKeypad(scan) && (flags & NUM_LOCK) !== 0);
  const which: KeyShift = alt ? "alt" : control ? "control" : shift !== locked ? "shift" : "plain";
  const key = keyCode(scan, extended, which);
  if (key !== 0) putKey(memory, key);
  return TODO.ENDED;
}

function toggle(memory: LinearMemory, place: number, bits: number, on: boolean): void {
  const value = memory.get8(place);
  memory.set8(place, on ? value | bits : value & ~bits);
}

/** What a keyboard of 101 keys leaves in BDA.KEY_FLAGS3. */
export const KEY_FLAGS3_AT_START: number = KEYBOARD_101;
