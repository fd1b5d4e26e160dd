import { assertEquals, assertThrows } from "@std/assert";
import { savedBytes, SavedReader, SavedStateError } from "./device.ts";

Deno.test("SavedReader gives checked values", () => {
  const reader = new SavedReader("thing", {
    version: 1,
    low: -1,
    on: true,
    ram: savedBytes(Uint8Array.of(1, 2, 255)),
    parts: [{ a: 1 }, { a: 2 }],
  });
  reader.version(1);
  assertEquals(reader.integer("low", { min: -1, max: 0 }), -1);
  assertEquals(reader.boolean("on"), true);
  assertEquals(reader.bytes("ram", 3), Uint8Array.of(1, 2, 255));
  assertEquals(reader.parts("parts", 2).map((part) => part.integer("a", { max: 9 })), [1, 2]);
});

Deno.test("SavedReader refuses what is missing, of another kind, or out of range", () => {
  const reader = new SavedReader("thing", { version: 2, big: 256, half: 0.5, text: "!", list: [1], parts: [{}] });
  const refused = (read: () => unknown, message: string) => assertThrows(read, SavedStateError, message);
  refused(() => reader.version(1), "Cannot restore thing: version is not 1");
  refused(() => reader.integer("big", { max: 255 }), "Cannot restore thing: big is not a whole number from 0 to 255");
  refused(() => reader.integer("half", { max: 255 }), "half");
  refused(() => reader.integer("missing", { max: 255 }), "missing");
  refused(() => reader.boolean("big"), "big is not true or false");
  refused(() => reader.bytes("text", 1), "text is not 1 bytes in base64");
  refused(() => reader.bytes("big", 1), "big");
  refused(() => reader.parts("list", 1), "list is not a list of 1 states");
  refused(() => reader.parts("parts", 1)[0].boolean("on"), "Cannot restore thing parts[0]: on is not true or false");
});
