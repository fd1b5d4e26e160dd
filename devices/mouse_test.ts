import { assertEquals } from "@std/assert";
import { Mouse } from "./mouse.ts";

function taken(mouse: Mouse): string {
  const bytes: number[] = [];
  while (mouse.output.hasReply || mouse.output.hasEvent) {
    bytes.push(mouse.output.take());
    mouse.report();
  }
  return Uint8Array.from(bytes).toHex();
}

function sent(mouse: Mouse, ...values: number[]): string {
  values.forEach((value) => mouse.write(value));
  return taken(mouse);
}

Deno.test("Mouse answers commands", () => {
  const mouse = new Mouse();
  assertEquals(sent(mouse, 0xff), "faaa00");
  assertEquals(sent(mouse, 0xf2), "fa00");
  assertEquals(sent(mouse, 0xe8, 3, 0xf3, 40, 0xe7, 0xf4, 0xe9), "fafafafafafafa" + "300328".replace(/^/, ""));
  assertEquals(sent(mouse, 0xf6, 0xe9), "fafa000264");
  assertEquals(sent(mouse, 0xee, 0x12, 0xf2, 0xec, 0xf2), "fa12f2fafa00", "wrap mode");
  assertEquals(sent(mouse, 0x01), "fe");
});

Deno.test("Mouse reports movements and buttons when it may", () => {
  const mouse = new Mouse();
  mouse.move(5, 5);
  assertEquals(taken(mouse), "");
  assertEquals(sent(mouse, 0xf4), "fa");
  mouse.move(5, 7);
  assertEquals(taken(mouse), "2805f9");
  mouse.button(0, true);
  mouse.button(1, true);
  assertEquals(taken(mouse), "090000" + "0b0000");
  mouse.move(-300, 0);
  assertEquals(taken(mouse), "1b0100" + "1bd300");
  mouse.button(0, false);
  mouse.button(1, false);
  taken(mouse);
  assertEquals(sent(mouse, 0xf0), "fa");
  mouse.move(1, 0);
  assertEquals(taken(mouse), "");
  assertEquals(sent(mouse, 0xeb), "fa080100");
});

Deno.test("Mouse becomes an IntelliMouse for who asks", () => {
  const mouse = new Mouse();
  assertEquals(sent(mouse, 0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2), "fafafafafafa" + "fa03");
  sent(mouse, 0xf4);
  mouse.move(0, 0, 1);
  mouse.move(0, 0, -3);
  assertEquals(taken(mouse), "08000001" + "080000fd");
  assertEquals(sent(mouse, 0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf2), "fafafafafafa" + "fa04");
  mouse.button(3, true);
  assertEquals(taken(mouse), "08000010");
});
