import { assertEquals } from "@std/assert";
import { infoHelp, mainHelp, runHelp } from "./help.ts";
import { RUN_OPTIONS } from "./options.ts";

Deno.test("runHelp() names every option, in lines that a terminal can show", () => {
  const help = runHelp();
  assertEquals(RUN_OPTIONS.filter(({ name }) => !help.includes(`--${name}`)), []);
  for (const text of [help, mainHelp(), infoHelp()]) {
    assertEquals(text.split("\n").filter((line) => line.length > 80), []);
  }
});
