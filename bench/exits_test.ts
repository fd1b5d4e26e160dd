import { assert } from "@std/assert";
import { exitsOf } from "./exits.ts";

Deno.test("exitsOf() counts exits of the software engine", () => {
  const rate = exitsOf("soft", 20);
  assert(typeof rate === "number" && rate > 1000, String(rate));
});
