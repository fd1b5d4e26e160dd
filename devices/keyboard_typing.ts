/**
 * What has to be pressed on a US keyboard for a text.
 * @module
 */

/** A key that goes down or up. */
export interface KeyEvent {
  /** The key, as `KeyboardEvent.code` has it. */
  readonly code: string;
  /** Whether it goes down. */
  readonly down: boolean;
}

/** A key with what is held meanwhile. */
export interface Keystroke {
  /** The key, as `KeyboardEvent.code` has it. */
  readonly code: string;
  /** With Shift. */
  readonly shift?: boolean;
  /** With Control. */
  readonly control?: boolean;
  /** With Alt. */
  readonly alt?: boolean;
}

const PLAIN: Readonly<Record<string, string>> = {
  "`": "Backquote",
  "-": "Minus",
  "=": "Equal",
  "[": "BracketLeft",
  "]": "BracketRight",
  "\\": "Backslash",
  ";": "Semicolon",
  "'": "Quote",
  ",": "Comma",
  ".": "Period",
  "/": "Slash",
  " ": "Space",
  "\n": "Enter",
  "\r": "Enter",
  "\t": "Tab",
  "\b": "Backspace",
  "\x7f": "Backspace",
  "\x1b": "Escape",
};
/** What Shift makes of the keys on the left. */
const SHIFTED: Readonly<Record<string, string>> = {
  "~": "`",
  "_": "-",
  "+": "=",
  "{": "[",
  "}": "]",
  "|": "\\",
  ":": ";",
  '"': "'",
  "<": ",",
  ">": ".",
  "?": "/",
  ")": "0",
  "!": "1",
  "@": "2",
  "#": "3",
  "$": "4",
  "%": "5",
  "^": "6",
  "&": "7",
  "*": "8",
  "(": "9",
};

/**
 * Finds the key for a character.
 * @param character One character: printable ASCII, line feed or carriage return (Enter), Tab, Backspace, Escape, or another control
 * character (Control and a letter).
 * @returns What to press; none: a US keyboard has no such key.
 */
export function keystroke(character: string): Keystroke | undefined {
  const code = plainKey(character);
  if (code !== undefined) return { code };
  const below = SHIFTED[character] ?? (/^[A-Z]$/.test(character) ? character.toLowerCase() : undefined);
  if (below !== undefined) return { code: plainKey(below) ?? "", shift: true };
  const value = character.charCodeAt(0);
  if (character.length !== 1 || value >= 0x20) return undefined;
  // 0 is Control-@ and 0x1e Control-^, both on digits with Shift; the others are on keys of their own.
  const base = value === 0
    ? "2"
    : value === 0x1e
    ? "6"
    : value === 0x1f
    ? "-"
    : String.fromCharCode(value + 0x60).toLowerCase();
  const named = value >= 0x1b && value <= 0x1d ? "[\\]"[value - 0x1b] : base;
  return { code: plainKey(named) ?? "", control: true };
}

/**
 * Gives the movements of keys for one stroke.
 * @param stroke What to press.
 */
export function movements(stroke: Keystroke): KeyEvent[] {
  const held = [
    ...(stroke.control === true ? ["ControlLeft"] : []),
    ...(stroke.alt === true ? ["AltLeft"] : []),
    ...(stroke.shift === true ? ["ShiftLeft"] : []),
  ];
  const down = [...held, stroke.code].map((code) => ({ code, down: true }));
  return [...down, ...down.toReversed().map(({ code }) => ({ code, down: false }))];
}

/**
 * Gives the movements of keys for a text.
 * @param text See {@linkcode keystroke}.
 * @throws RangeError It has a character that a US keyboard cannot type.
 *
 * @example
 * ```ts
 * import { typed } from "./keyboard_typing.ts";
 *
 * typed("A").map(({ code, down }) => `${down ? "+" : "-"}${code}`); // "+ShiftLeft", "+KeyA", "-KeyA", "-ShiftLeft"
 * ```
 */
export function typed(text: string): KeyEvent[] {
  return [...text.replaceAll("\r\n", "\n")].flatMap((character) => {
    const stroke = keystroke(character);
    if (stroke === undefined) {
      throw new RangeError(`Cannot type ${JSON.stringify(character)}: no key of a US keyboard gives it`);
    }
    return movements(stroke);
  });
}

function plainKey(character: string): string | undefined {
  if (/^[a-z]$/.test(character)) return `Key${character.toUpperCase()}`;
  if (/^[0-9]$/.test(character)) return `Digit${character}`;
  return Object.hasOwn(PLAIN, character) ? PLAIN[character] : undefined;
}
