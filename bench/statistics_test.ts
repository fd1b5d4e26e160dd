import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { geometricMean, median } from "./statistics.ts";

Deno.test("median() takes the middle, whatever the order", () => {
  assertEquals(median([7]), 7);
  assertEquals(median([30, 1, 2]), 2);
  assertEquals(median([10, 9, 100, 1]), 9.5);
  assertThrows(() => median([]), RangeError, "there are no values");
});

Deno.test("geometricMean() makes twice as fast and twice as slow cancel out", () => {
  assertAlmostEquals(geometricMean([0.5, 2])!, 1);
  assertAlmostEquals(geometricMean([1, 10, 100])!, 10);
  assertEquals(geometricMean([]), undefined);
});
