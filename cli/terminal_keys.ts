/**
 * What a terminal sends, as keys of a PC: characters, control characters, and the escape sequences of xterm, the Linux console and
 * their kin for arrows, function keys and the like.
 *
 * A terminal does not tell when a key goes up, and knows no keys without a character or sequence: neither Shift alone nor Pause.
 * @module
 */

import { type Keystroke, keystroke } from "../devices/keyboard_typing.ts";
import { TerminalPrefix } from "./terminal_prefix.ts";

/** What came from the terminal. */
export type TerminalEvent =
  | { readonly kind: "key"; readonly stroke: Keystroke }
  /** Ctrl-A X and Ctrl-A C. */
  | { readonly kind: "quit" | "monitor" }
  /** The terminal has told what it can. */
  | { readonly kind: "attributes"; readonly sixel: boolean };

/** Asks a terminal for its attributes; the answer comes as an event. */
export const ASK_ATTRIBUTES = "\x1b[c";

const ESCAPE = 0x1b;
/** Attribute 4 of a terminal: it draws sixels. */
const ATTRIBUTE_SIXEL = "4";

/** By the letter that ends `ESC [` or `ESC O`. */
const BY_LETTER: Readonly<Record<string, string>> = {
  A: "ArrowUp",
  B: "ArrowDown",
  C: "ArrowRight",
  D: "ArrowLeft",
  E: "Numpad5",
  F: "End",
  H: "Home",
  M: "NumpadEnter",
  P: "F1",
  Q: "F2",
  R: "F3",
  S: "F4",
};
/** By the number in `ESC [ n ~`. */
const BY_NUMBER: Readonly<Record<string, string>> = {
  1: "Home",
  2: "Insert",
  3: "Delete",
  4: "End",
  5: "PageUp",
  6: "PageDown",
  7: "Home",
  8: "End",
  11: "F1",
  12: "F2",
  13: "F3",
  14: "F4",
  15: "F5",
  17: "F6",
  18: "F7",
  19: "F8",
  20: "F9",
  21: "F10",
  23: "F11",
  24: "F12",
};
/** Longer sequences are none. */
const LONGEST = 32;

/**
 * Makes keys of bytes.
 *
 * @example
 * ```ts
 * import { TerminalKeys } from "./terminal_keys.ts";
 *
 * const keys = new TerminalKeys();
 * keys.feed(new TextEncoder().encode("\x1b[A")); // ArrowUp
 * ```
 */
export class TerminalKeys {
  readonly #prefix = new TerminalPrefix();
  /** How many Escapes have come, at most 2, and what came after them. */
  #escapes = 0;
  #body = "";

  /** Whether a sequence has begun: if nothing follows within some 50 ms, it was the Escape key, and {@linkcode flush} is due. */
  get pending(): boolean {
    return this.#escapes > 0;
  }

  /**
   * Takes bytes.
   * @param bytes What the terminal has sent.
   * @returns What it means, in order. What no key of a US keyboard gives is left out.
   */
  feed(bytes: Uint8Array): TerminalEvent[] {
    return this.#prefix.feed(bytes).flatMap((part): TerminalEvent[] =>
      part.kind === "bytes" ? [...part.bytes].flatMap((byte) => this.#byte(byte)) : [...this.flush(), part]
    );
  }

  /** Takes a sequence that was not ended for what it is so far. */
  flush(): TerminalEvent[] {
    const escapes = this.#escapes, body = this.#body;
    this.#begin(0);
    if (escapes === 0) return [];
    if (body !== "") return alt(body[0]);
    return [key(escapes === 1 ? { code: "Escape" } : { code: "Escape", alt: true })];
  }

  #byte(byte: number): TerminalEvent[] {
    const character = String.fromCharCode(byte);
    const escapes = this.#escapes, body = this.#body;
    if (byte === ESCAPE) {
      if (escapes === 1 && body === "") {
        this.#begin(2);
        return [];
      }
      const before = this.flush();
      this.#begin(1);
      return before;
    }
    if (escapes === 0) return plain(character);
    const text = body + character;
    const goesOn = text === "[" || text === "O" || text === "[[" ||
      (body !== "" && character >= "0" && character <= "?");
    if (goesOn && text.length < LONGEST) {
      this.#body = text;
      return [];
    }
    this.#begin(0);
    if (body !== "") return sequence(text, escapes === 2);
    return escapes === 1 ? alt(character) : [key({ code: "Escape" }), ...alt(character)];
  }

  #begin(escapes: number): void {
    this.#escapes = escapes;
    this.#body = "";
  }
}

function key(stroke: Keystroke): TerminalEvent {
  return { kind: "key", stroke };
}

function plain(character: string): TerminalEvent[] {
  const stroke = keystroke(character);
  return stroke === undefined ? [] : [key(stroke)];
}

function alt(character: string): TerminalEvent[] {
  const stroke = keystroke(character);
  return stroke === undefined ? [] : [key({ ...stroke, alt: true })];
}

/**
 * Reads a sequence that is whole.
 * @param text What came after Escape.
 * @param escaped Whether another Escape came before, as some terminals have it for Alt.
 */
function sequence(text: string, escaped: boolean): TerminalEvent[] {
  const attributes = /^\[\?([\d;]*)c$/.exec(text);
  if (attributes !== null) {
    return [{ kind: "attributes", sixel: attributes[1].split(";").slice(1).includes(ATTRIBUTE_SIXEL) }];
  }
  const linux = /^\[\[([A-E])$/.exec(text);
  if (linux !== null) return [key({ code: `F${linux[1].charCodeAt(0) - 0x40}` })];
  if (text === "[Z") return [key({ code: "Tab", shift: true })];
  const [, number = "", modifier = "1", last = ""] = /^[[O](\d*)(?:;(\d+))?([A-Za-z~])$/.exec(text) ?? [];
  const code = last === "~" ? BY_NUMBER[number] : BY_LETTER[last];
  if (code === undefined) return [];
  const held = Number(modifier) - 1;
  const stroke = {
    code,
    ...((held & 1) !== 0 ? { shift: true } : {}),
    ...((held & 2) !== 0 || escaped ? { alt: true } : {}),
    ...((held & 4) !== 0 ? { control: true } : {}),
  };
  return [key(stroke)];
}
