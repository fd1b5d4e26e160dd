import { assertEquals, assertThrows } from "@std/assert";
import { VirtualClock } from "../clock.ts";
import { SavedStateError } from "../device.ts";
import { PowerManagement } from "./power_management.ts";

function machine() {
  const clock = new VirtualClock();
  const log: string[] = [];
  const chip = new PowerManagement({
    clock,
    interrupt: (level) => log.push(`sci ${level}`),
    powerOff: () => log.push("off"),
  });
  return { clock, chip, log };
}

Deno.test("PowerManagement counts at 3.579545 MHz in 24 bits", () => {
  const { chip, clock } = machine();
  clock.advance(1e9);
  assertEquals([chip.read(8, 4), chip.read(8, 1)], [3579545, 3579545 & 0xff]);
  clock.advance(4e9);
  assertEquals(chip.read(8, 4), 5 * 315e6 / 88 - 2 ** 24 | 0);
});

Deno.test("PowerManagement turns off at SLP_EN with S5, in words and bytes, and not otherwise", () => {
  const { chip, log } = machine();
  chip.write(4, 0x2401, 2);
  chip.write(4, 0x0001, 2);
  assertEquals([log, chip.read(4, 2)], [[], 1], "another sleep type");
  chip.write(4, 0x2000, 2);
  chip.write(5, 0x20, 1);
  chip.write(4, 0x20000000, 4);
  assertEquals(log, ["off", "off"]);
});

Deno.test("PowerManagement tells of the power button by SCI", () => {
  const { chip, log } = machine();
  chip.pressPowerButton();
  assertEquals([log, chip.read(0, 2)], [[], 0x100]);
  chip.write(2, 0x100, 2);
  chip.write(0, 0x100, 2);
  assertEquals([log, chip.read(0, 4)], [["sci true", "sci false"], 0x01000000]);
});

Deno.test("PowerManagement interrupts when the timer's highest bit changes", () => {
  const { chip, clock, log } = machine();
  chip.write(2, 1, 2);
  clock.advance(2.34e9);
  assertEquals(log, []);
  clock.advance(0.01e9);
  assertEquals([log, chip.read(0, 2), chip.read(8, 4) >>> 23], [["sci true"], 1, 1]);
  chip.write(0, 1, 2);
  clock.advance(2.35e9);
  assertEquals([log.length, log.at(-1)], [3, "sci true"]);
});

Deno.test("PowerManagement.restore() goes back", () => {
  const { chip } = machine();
  chip.write(2, 0x100, 2);
  chip.pressPowerButton();
  const other = machine();
  other.chip.restore(JSON.parse(JSON.stringify(chip.save())));
  assertEquals([other.log, other.chip.read(0, 4)], [["sci true"], 0x01000100]);
  assertThrows(() => chip.restore({ version: 1 }), SavedStateError, "status");
});
