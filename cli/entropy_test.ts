import { assertEquals, assertNotEquals } from "@std/assert";
import { entropySource } from "./entropy.ts";

Deno.test("entropySource() gives the host's bytes in real time, the same ones in virtual time", () => {
  const bytes = (clock: "real" | "virtual"): Uint8Array => {
    const source = entropySource(clock), into = new Uint8Array(64);
    source(into.subarray(0, 32));
    source(into.subarray(32));
    return into;
  };
  assertNotEquals(bytes("real"), bytes("real"));
  assertEquals(bytes("virtual"), bytes("virtual"));
  const [first, second] = [bytes("virtual").subarray(0, 32), bytes("virtual").subarray(32)];
  assertNotEquals(first, second);
  assertEquals(new Set(first).size > 24, true);
});
