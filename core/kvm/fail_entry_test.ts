import { assertEquals } from "@std/assert";
import { IMPOSSIBLE } from "../x86/system/control.ts";
import { describeFailEntry } from "./fail_entry.ts";

Deno.test("describeFailEntry() names the field of each impossible state", () => {
  for (const [name, reason] of Object.entries(IMPOSSIBLE)) {
    const words = describeFailEntry(BigInt(reason)), field = name === "table" ? "GDT" : name.toUpperCase();
    assertEquals(words.includes(field), true, words);
  }
});

Deno.test("describeFailEntry() knows what VMX says, and gives other numbers back", () => {
  assertEquals(describeFailEntry(0x8000_0022n), "the processor cannot load an MSR");
  assertEquals(describeFailEntry(0x7fn), "reason 0x7f");
});
