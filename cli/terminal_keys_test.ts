import { assertEquals } from "@std/assert";
import { KEY_NAMES } from "../devices/keyboard_keys.ts";
import { type TerminalEvent, TerminalKeys } from "./terminal_keys.ts";

function shown(events: readonly TerminalEvent[]): string {
  return events.map((event) => {
    if (event.kind === "attributes") return `sixel ${event.sixel}`;
    if (event.kind !== "key") return event.kind;
    const { code, shift, control, alt } = event.stroke;
    return (control ? "C-" : "") + (alt ? "A-" : "") + (shift ? "S-" : "") + code;
  }).join(" ");
}

function keys(text: string): string {
  const keys = new TerminalKeys();
  const events = keys.feed(new TextEncoder().encode(text));
  return shown([...events, ...keys.flush()]);
}

Deno.test("TerminalKeys.feed() knows characters and control characters", () => {
  assertEquals(keys("aB?\r\t\x7f"), "KeyA S-KeyB S-Slash Enter Tab Backspace");
  assertEquals(keys("\x03\x1a\x00\x1f"), "C-KeyC C-KeyZ C-Digit2 C-Minus");
  assertEquals(keys("é"), "", "no key of a US keyboard");
});

Deno.test("TerminalKeys.feed() knows escape sequences", () => {
  assertEquals(keys("\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F"), "ArrowUp ArrowDown ArrowRight ArrowLeft Home End");
  assertEquals(keys("\x1bOA\x1bOP\x1bOQ\x1bOR\x1bOS\x1b[[A\x1b[[E"), "ArrowUp F1 F2 F3 F4 F1 F5");
  assertEquals(keys("\x1b[1~\x1b[2~\x1b[3~\x1b[4~\x1b[5~\x1b[6~"), "Home Insert Delete End PageUp PageDown");
  assertEquals(keys("\x1b[15~\x1b[17~\x1b[21~\x1b[23~\x1b[24~"), "F5 F6 F10 F11 F12");
  assertEquals(keys("\x1b[1;5C\x1b[1;2A\x1b[3;3~\x1b[1;6P\x1b[Z"), "C-ArrowRight S-ArrowUp A-Delete C-S-F1 S-Tab");
  assertEquals(keys("\x1bx\x1bX\x1b\r\x1b\x1b[A\x1b\x1bq"), "A-KeyX A-S-KeyX A-Enter A-ArrowUp Escape A-KeyQ");
  assertEquals(keys("\x1b[99~\x1b[?25h\x1b[Wa"), "KeyA", "unknown ones are dropped");
  assertEquals(keys("\x1b[?62;4;22c\x1b[?6c"), "sixel true sixel false");
});

Deno.test("TerminalKeys.flush() makes an Escape of what nothing follows", () => {
  assertEquals([keys("\x1b"), keys("\x1b\x1b"), keys("\x1b["), keys("\x1bO")], [
    "Escape",
    "A-Escape",
    "A-BracketLeft",
    "A-S-KeyO",
  ]);
  const one = new TerminalKeys();
  assertEquals([one.pending, shown(one.feed(Uint8Array.of(0x1b))), one.pending], [false, "", true]);
  assertEquals(shown(one.feed(Uint8Array.of(0x5b))), "");
  assertEquals([shown(one.feed(Uint8Array.of(0x41))), one.pending], ["ArrowUp", false], "in pieces");
});

Deno.test("TerminalKeys.feed() takes Ctrl-A for itself", () => {
  assertEquals(keys("a\x01xb"), "KeyA quit KeyB");
  assertEquals(keys("\x01X\x01c\x01C\x01\x01\x01?b"), "quit monitor monitor C-KeyA KeyB");
  assertEquals(keys("\x1b\x01x"), "Escape quit");
});

Deno.test("TerminalKeys gives keys that a keyboard has, whatever comes", () => {
  let seed = 5;
  const one = new TerminalKeys();
  for (let i = 0; i < 20_000; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const byte = seed >>> 28 === 0 ? 0x1b : seed >>> 28 === 1 ? 0x5b : seed >>> 16 & 0xff;
    for (const event of one.feed(Uint8Array.of(byte))) {
      if (event.kind === "key") assertEquals(KEY_NAMES.includes(event.stroke.code), true, event.stroke.code);
    }
  }
});
