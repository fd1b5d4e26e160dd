import { assertEquals } from "@std/assert";
import { PowerOff } from "./power_off.ts";

Deno.test("PowerOff.write() acts on SLP_EN alone, as a word or as a byte", () => {
  let count = 0;
  const device = new PowerOff(() => count++);
  device.write(0, 0x1c00);
  device.write(1, 0x1f);
  assertEquals(count, 0);
  device.write(0, 0x2000);
  device.write(1, 0x34);
  assertEquals(count, 2);
  assertEquals(device.read(), 0);
});
