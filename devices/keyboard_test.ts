import { assertEquals, assertThrows } from "@std/assert";
import { VirtualClock } from "./clock.ts";
import { toSet1 } from "./i8042_translation.ts";
import { Keyboard } from "./keyboard.ts";
import { breakCode, KEY_NAMES, makeCode } from "./keyboard_keys.ts";
import { keystroke, typed } from "./keyboard_typing.ts";

function taken(keyboard: Keyboard): string {
  const bytes: number[] = [];
  while (keyboard.output.hasReply || keyboard.output.hasEvent) bytes.push(keyboard.output.take());
  return Uint8Array.from(bytes).toHex();
}

function bench(): { keyboard: Keyboard; clock: VirtualClock; sent: (...values: number[]) => string } {
  const clock = new VirtualClock(), keyboard = new Keyboard(clock);
  return {
    keyboard,
    clock,
    sent: (...values) => {
      values.forEach((value) => keyboard.write(value));
      return taken(keyboard);
    },
  };
}

Deno.test("makeCode() and breakCode() give the codes of the three sets", () => {
  const hex = (bytes: readonly number[]): string => Uint8Array.from(bytes).toHex();
  const codes = (name: string): string[] =>
    ([1, 2, 3] as const).flatMap((set) => [hex(makeCode(name, set)), hex(breakCode(name, set))]);
  assertEquals(codes("KeyA"), ["1e", "9e", "1c", "f01c", "1c", "f01c"]);
  assertEquals(codes("Enter"), ["1c", "9c", "5a", "f05a", "5a", "f05a"]);
  assertEquals(codes("ArrowUp"), ["e048", "e0c8", "e075", "e0f075", "63", "f063"]);
  assertEquals(codes("F7"), ["41", "c1", "83", "f083", "37", "f037"]);
  assertEquals(codes("ControlRight"), ["e01d", "e09d", "e014", "e0f014", "58", "f058"]);
  assertEquals(codes("PrintScreen"), ["e02ae037", "e0b7e0aa", "e012e07c", "e0f07ce0f012", "57", "f057"]);
  assertEquals(codes("Pause"), ["e11d45e19dc5", "", "e11477e1f014f077", "", "62", "f062"]);
  assertEquals(codes("NoSuchKey"), ["", "", "", "", "", ""]);
});

Deno.test("KEY_NAMES have codes of their own in each set", () => {
  for (const set of [1, 2, 3] as const) {
    const codes = KEY_NAMES.map((name) => makeCode(name, set).join()).filter((code) => code !== "");
    assertEquals(new Set(codes).size, codes.length, `set ${set}`);
  }
  assertEquals(makeCode("KeyA", 2).map(toSet1), makeCode("KeyA", 1));
});

Deno.test("typed() gives the keys of a US layout", () => {
  assertEquals(typed("aB\n").map(({ code, down }) => (down ? "+" : "-") + code), [
    "+KeyA",
    "-KeyA",
    "+ShiftLeft",
    "+KeyB",
    "-KeyB",
    "-ShiftLeft",
    "+Enter",
    "-Enter",
  ]);
  assertEquals([keystroke("?"), keystroke("\x03"), keystroke("\x1c"), keystroke("\x1f")], [
    { code: "Slash", shift: true },
    { code: "KeyC", control: true },
    { code: "Backslash", control: true },
    { code: "Minus", control: true },
  ]);
  for (let code = 0; code < 0x80; code++) {
    const stroke = keystroke(String.fromCharCode(code));
    assertEquals(stroke !== undefined && KEY_NAMES.includes(stroke.code), true, `${code}`);
  }
  assertThrows(() => typed("é"), RangeError, 'Cannot type "é"');
});

Deno.test("Keyboard answers commands", () => {
  const { keyboard, sent } = bench();
  assertEquals(sent(0xff), "faaa");
  assertEquals(sent(0xee), "ee");
  assertEquals(sent(0xfe), "ee");
  assertEquals(sent(0xf2), "faab83");
  assertEquals(sent(0xed, 0x05), "fafa");
  assertEquals(keyboard.leds, { scrollLock: true, numLock: false, capsLock: true });
  assertEquals(sent(0xf0, 0x00), "fafa02");
  assertEquals(sent(0xf0, 0x03, 0xf0, 0x00), "fafafafa03");
  keyboard.press("KeyA");
  keyboard.release("KeyA");
  assertEquals(taken(keyboard), "1cf01c");
  assertEquals(sent(0xfc, 0x11, 0x12, 0xf6), "fafafafa");
  assertEquals(sent(0xf3, 0x20), "fafa");
  assertEquals(sent(0xed, 0xf2), "faab83".replace(/^/, "fa"), "a command in place of an argument");
  assertEquals(sent(0xef), "fe");
  assertEquals(sent(0xf5), "fa");
  keyboard.press("KeyA");
  keyboard.release("KeyA");
  assertEquals(taken(keyboard), "", "off");
  assertEquals(sent(0xf4), "fa");
  keyboard.press("KeyA");
  assertEquals(taken(keyboard), "1c");
});

Deno.test("Keyboard repeats a key that is held", () => {
  const { keyboard, clock, sent } = bench();
  assertEquals(sent(0xf3, 0x00), "fafa"); // 250 ms, 30 a second
  keyboard.press("KeyX");
  keyboard.press("KeyY");
  assertEquals(taken(keyboard), "2235");
  clock.advance(249_999_999);
  assertEquals(taken(keyboard), "");
  clock.advance(1);
  assertEquals(taken(keyboard), "35");
  clock.advance(33_333_333);
  assertEquals(taken(keyboard), "35");
  keyboard.release("KeyY");
  assertEquals(taken(keyboard), "f035");
  assertEquals(clock.next, undefined, "an idle keyboard needs no time");
});

Deno.test("Keyboard keeps 16 bytes and then says that it was too much", () => {
  const { keyboard } = bench();
  for (const key of ["A", "B", "C", "D", "E", "F"]) {
    keyboard.press(`Key${key}`);
    keyboard.release(`Key${key}`);
  }
  assertEquals(taken(keyboard), "1cf01c" + "32f032" + "21f021" + "23f023" + "24f024" + "00");
});

Deno.test("Keyboard.type() waits for the guest", () => {
  const { keyboard, clock } = bench();
  const text = "Hello, World! 0123456789";
  keyboard.type(text);
  clock.advance(1_000_000_000);
  assertEquals([taken(keyboard), keyboard.busy], ["12", true]);
  let all = "12";
  while (keyboard.busy) {
    clock.advance(5_000_000);
    all += taken(keyboard);
  }
  const expected = typed(text).flatMap(({ code, down }) => down ? makeCode(code, 2) : breakCode(code, 2));
  assertEquals(all, Uint8Array.from(expected).toHex());
  assertThrows(() => keyboard.press("KeyÄ"), RangeError, "there is no such key");
  clock.advance(5_000_000);
  keyboard.type("xyz");
  keyboard.stopTyping();
  assertEquals([keyboard.busy, taken(keyboard)], [false, "22f022"]);
});
