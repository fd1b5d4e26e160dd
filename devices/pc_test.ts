import { assertEquals, assertThrows } from "@std/assert";
import { BusConflictError } from "./bus.ts";
import { NullEnd } from "./null_end.ts";
import { Pc } from "./pc.ts";

Deno.test("Pc has COM1 and power-off, and debug-exit where asked", () => {
  const serial = new NullEnd();
  assertEquals(new Pc({ serial }).ports.map().map(({ name, base }) => [name, base]), [["COM1", 0x3f8], [
    "power-off",
    0x604,
  ]]);
  assertEquals(new Pc({ serial, debugExit: 0xf4 }).ports.map()[0], { name: "debug-exit", base: 0xf4, length: 4 });
  assertThrows(() => new Pc({ serial, debugExit: 0x3fa }), BusConflictError, "COM1 has 0x3f8 to 0x3ff");
});

Deno.test("Pc.exitCode keeps the first end", () => {
  const pc = new Pc({ serial: new NullEnd(), debugExit: 0xf4 });
  assertEquals(pc.exitCode, undefined);
  pc.ports.write(0xf4, Uint8Array.of(3));
  pc.ports.write(0x604, Uint8Array.of(0, 0x20));
  assertEquals(pc.exitCode, 7);
  const off = new Pc({ serial: new NullEnd() });
  off.ports.write(0x604, Uint8Array.of(0, 0x20));
  assertEquals(off.exitCode, 0);
});
