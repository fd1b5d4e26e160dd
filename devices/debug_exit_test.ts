import { assertEquals } from "@std/assert";
import { DebugExit } from "./debug_exit.ts";

Deno.test("DebugExit.write() ends with (v << 1) | 1 in 8 bits", () => {
  const codes: number[] = [];
  const device = new DebugExit((code) => codes.push(code));
  for (const value of [0, 1, 0x10, 0x7f, 0x80, 0xffffffff]) device.write(0, value);
  assertEquals(codes, [1, 3, 0x21, 0xff, 1, 0xff]);
  assertEquals(device.read(), 0);
});
