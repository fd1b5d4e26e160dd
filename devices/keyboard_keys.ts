/**
 * The keys of a PC keyboard, by the names that the web gives them (`KeyboardEvent.code`), and their scan codes.
 * @module
 */

import { SET_1_RELEASE, SET_2_RELEASE, toSet1 } from "./i8042_translation.ts";

/** A scan code set: the XT's, the AT's, and the PS/2's own. */
export type ScanCodeSet = 1 | 2 | 3;

interface Key {
  /** In set 2. */
  readonly set2: number;
  /** Whether 0xe0 comes before it in sets 1 and 2. */
  readonly extended: boolean;
  /** In set 3; 0: none. */
  readonly set3: number;
}

const EXTENDED = 0xe0;
const PAUSE_2 = [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
const PAUSE_1 = [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5];
const PAUSE = "Pause";
const PAUSE_SET3 = 0x62;
const PRINT_SCREEN = "PrintScreen";

/** Name, code in set 2 (with e0 before it where it is extended), code in set 3. */
const TABLE = `
Escape 76 08, F1 05 07, F2 06 0f, F3 04 17, F4 0c 1f, F5 03 27, F6 0b 2f, F7 83 37, F8 0a 3f, F9 01 47, F10 09 4f, F11 78 56, F12 07 5e,
Backquote 0e 0e, Digit1 16 16, Digit2 1e 1e, Digit3 26 26, Digit4 25 25, Digit5 2e 2e, Digit6 36 36, Digit7 3d 3d, Digit8 3e 3e,
Digit9 46 46, Digit0 45 45, Minus 4e 4e, Equal 55 55, Backspace 66 66,
Tab 0d 0d, KeyQ 15 15, KeyW 1d 1d, KeyE 24 24, KeyR 2d 2d, KeyT 2c 2c, KeyY 35 35, KeyU 3c 3c, KeyI 43 43, KeyO 44 44, KeyP 4d 4d,
BracketLeft 54 54, BracketRight 5b 5b, Backslash 5d 5c,
CapsLock 58 14, KeyA 1c 1c, KeyS 1b 1b, KeyD 23 23, KeyF 2b 2b, KeyG 34 34, KeyH 33 33, KeyJ 3b 3b, KeyK 42 42, KeyL 4b 4b,
Semicolon 4c 4c, Quote 52 52, Enter 5a 5a,
ShiftLeft 12 12, IntlBackslash 61 13, KeyZ 1a 1a, KeyX 22 22, KeyC 21 21, KeyV 2a 2a, KeyB 32 32, KeyN 31 31, KeyM 3a 3a,
Comma 41 41, Period 49 49, Slash 4a 4a, ShiftRight 59 59,
ControlLeft 14 11, MetaLeft e01f 8b, AltLeft 11 19, Space 29 29, AltRight e011 39, MetaRight e027 8c, ContextMenu e02f 8d, ControlRight e014 58,
PrintScreen e07c 57, ScrollLock 7e 5f, Insert e070 67, Home e06c 6e, PageUp e07d 6f, Delete e071 64, End e069 65, PageDown e07a 6d,
ArrowUp e075 63, ArrowLeft e06b 61, ArrowDown e072 60, ArrowRight e074 6a,
NumLock 77 76, NumpadDivide e04a 77, NumpadMultiply 7c 7e, NumpadSubtract 7b 84, Numpad7 6c 6c, Numpad8 75 75, Numpad9 7d 7d,
NumpadAdd 79 7c, Numpad4 6b 6b, Numpad5 73 73, Numpad6 74 74, Numpad1 69 69, Numpad2 72 72, Numpad3 7a 7a, NumpadEnter e05a 79,
Numpad0 70 70, NumpadDecimal 71 71, IntlRo 51 51, IntlYen 6a 5d, KanaMode 13 87, Convert 64 86, NonConvert 67 85, NumpadComma 6d 00,
MediaTrackPrevious e015 00, MediaTrackNext e04d 00, AudioVolumeMute e023 00, AudioVolumeDown e021 00, AudioVolumeUp e032 00,
MediaPlayPause e034 00, MediaStop e03b 00, Power e037 00, Sleep e03f 00, WakeUp e05e 00
`;

const KEYS: ReadonlyMap<string, Key> = new Map(
  TABLE.trim().split(/,\s*/).map((line) => {
    const [name, set2, set3] = line.split(" ");
    const code = parseInt(set2, 16);
    return [name, { set2: code & 0xff, extended: code > 0xff, set3: parseInt(set3, 16) }];
  }),
);

/** The names of all keys. */
export const KEY_NAMES: readonly string[] = [...KEYS.keys(), PAUSE];

/**
 * Tells whether there is such a key.
 * @param name As `KeyboardEvent.code` has it.
 */
export function isKey(name: string): boolean {
  return name === PAUSE || KEYS.has(name);
}

/**
 * Gives the bytes that a keyboard sends when a key goes down.
 * @param name Which key.
 * @param set The scan code set.
 * @returns The bytes; none where the set has no such key.
 */
export function makeCode(name: string, set: ScanCodeSet): readonly number[] {
  if (name === PAUSE) return set === 1 ? PAUSE_1 : set === 2 ? PAUSE_2 : [PAUSE_SET3];
  const key = KEYS.get(name);
  if (key === undefined) return [];
  if (set === 3) return key.set3 === 0 ? [] : [key.set3];
  const code = set === 1 ? toSet1(key.set2) : key.set2;
  if (name === PRINT_SCREEN) return [EXTENDED, set === 1 ? 0x2a : 0x12, EXTENDED, code === 0x7f ? 0x37 : code];
  return key.extended ? [EXTENDED, code] : [code];
}

/**
 * Gives the bytes that a keyboard sends when a key goes up.
 * @param name Which key.
 * @param set The scan code set.
 * @returns The bytes; none where there is nothing to say.
 */
export function breakCode(name: string, set: ScanCodeSet): readonly number[] {
  if (name === PAUSE) return set === 3 ? [SET_2_RELEASE, PAUSE_SET3] : [];
  if (name === PRINT_SCREEN && set === 1) return [EXTENDED, 0xb7, EXTENDED, 0xaa];
  if (name === PRINT_SCREEN && set === 2) return [EXTENDED, SET_2_RELEASE, 0x7c, EXTENDED, SET_2_RELEASE, 0x12];
  const make = makeCode(name, set);
  if (make.length === 0) return [];
  const code = make[make.length - 1];
  const before = make.slice(0, -1);
  return set === 1 ? [...before, code | SET_1_RELEASE] : [...before, SET_2_RELEASE, code];
}
