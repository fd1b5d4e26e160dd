/**
 * The 8042 behind its two ports, from which answers come at once.
 * @module
 */

import type { Bus } from "../bus.ts";

const DATA = 0x60, COMMAND = 0x64;
const STATUS_FULL = 0x01;
const READ_MODE = 0x20, WRITE_MODE = 0x60, TO_MOUSE = 0xd4;
const MODE_KEYBOARD_INTERRUPT = 0x01, MODE_MOUSE_INTERRUPT = 0x02, MODE_MOUSE_OFF = 0x20;
const ACKNOWLEDGE = 0xfa;
/** Bytes of keys and movements that may lie before an answer. */
const MOST_BYTES = 32;

/** A byte, if there is one. */
export function takeByte(ports: Bus): number | undefined {
  return (ports.in(COMMAND, 1) & STATUS_FULL) === 0 ? undefined : ports.in(DATA, 1);
}

/**
 * Sends bytes to the keyboard, without interrupts meanwhile.
 * @returns Whether it took them all.
 */
export function sendToKeyboard(ports: Bus, bytes: readonly number[]): boolean {
  return quietly(ports, () => bytes.every((byte) => send(ports, byte, false)));
}

/**
 * Sends bytes to the mouse, without interrupts meanwhile.
 * @param ports The I/O ports.
 * @param bytes A command and its argument.
 * @param answers How many bytes come after the mouse has taken them.
 * @returns The answer; none: there is no mouse.
 */
export function askMouse(ports: Bus, bytes: readonly number[], answers: number): number[] | undefined {
  return quietly(ports, () => {
    if (!bytes.every((byte) => send(ports, byte, true))) return undefined;
    const found: number[] = [];
    for (let n = 0; n < answers; n++) {
      const byte = takeByte(ports);
      if (byte === undefined) return undefined;
      found.push(byte);
    }
    return found;
  });
}

/** Lets the mouse's bytes and interrupts through, or not. */
export function switchMouse(ports: Bus, on: boolean): void {
  const mode = readMode(ports);
  const bits = MODE_MOUSE_OFF | MODE_MOUSE_INTERRUPT;
  writeMode(ports, mode & ~bits | (on ? MODE_MOUSE_INTERRUPT : MODE_MOUSE_OFF));
}

function quietly<T>(ports: Bus, action: () => T): T {
  const mode = readMode(ports);
  writeMode(ports, mode & ~(MODE_KEYBOARD_INTERRUPT | MODE_MOUSE_INTERRUPT));
  const result = action();
  writeMode(ports, mode);
  return result;
}

/** Sends a byte; says whether it was taken. */
function send(ports: Bus, byte: number, mouse: boolean): boolean {
  if (mouse) ports.out(COMMAND, 1, TO_MOUSE);
  ports.out(DATA, 1, byte);
  for (let n = 0; n < MOST_BYTES; n++) {
    const answer = takeByte(ports);
    if (answer === undefined) return false;
    if (answer === ACKNOWLEDGE) return true;
  }
  return false;
}

function readMode(ports: Bus): number {
  // A byte that lies there already is no answer.
  takeByte(ports);
  ports.out(COMMAND, 1, READ_MODE);
  return ports.in(DATA, 1);
}

function writeMode(ports: Bus, mode: number): void {
  ports.out(COMMAND, 1, WRITE_MODE);
  ports.out(DATA, 1, mode);
}
