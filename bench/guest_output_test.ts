import { assertEquals } from "@std/assert";
import { GuestOutput } from "./guest_output.ts";

function read(...parts: readonly (readonly [text: string, now: number])[]): GuestOutput {
  const output = new GuestOutput("sieve");
  for (const [text, now] of parts) output.take(new TextEncoder().encode(text), now);
  return output;
}

function timesOf({ firstByteAt, startedAt, endedAt, checksum }: GuestOutput): unknown[] {
  return [firstByteAt, startedAt, endedAt, checksum];
}

Deno.test("GuestOutput.take() times the first byte and the ends of both lines", () => {
  assertEquals(timesOf(read(["s", 5], ["ieve star", 6], ["t\n", 7], ["sieve 00ab", 8], ["cdef\n", 9])), [
    ...[5, 7, 9],
    "00abcdef",
  ]);
  assertEquals(timesOf(read(["sieve start\r\nsieve 00000000\r\n", 1])), [1, 1, 1, "00000000"]);
});

Deno.test("GuestOutput.take() passes over other lines and what comes out of order", () => {
  const output = read(["", 0], ["hello\nsieve 11111111\nsieve start\n", 1], [
    "sieve start\nsieve 123\nchase 22222222\n",
    2,
  ]);
  assertEquals(timesOf(output), [1, 1, undefined, undefined]);
  output.take(new TextEncoder().encode("sieve 33333333\nsieve 44444444\n"), 3);
  assertEquals(timesOf(output), [1, 1, 3, "33333333"]);
});
