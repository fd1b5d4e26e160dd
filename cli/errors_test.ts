import { assertEquals } from "@std/assert";
import { lineOf } from "./errors.ts";

Deno.test("lineOf() is one line without the system's numbers", () => {
  assertEquals(
    lineOf(new Deno.errors.NotFound("No such file or directory (os error 2): open 'x'")),
    "there is no such file",
  );
  assertEquals(lineOf(new Error("Is a directory (os error 21)")), "is a directory");
  assertEquals(lineOf(new Error("first\nsecond")), "first");
  assertEquals(lineOf("text"), "text");
});
