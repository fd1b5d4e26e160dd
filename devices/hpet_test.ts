import { assertEquals, assertThrows } from "@std/assert";
import { VirtualClock } from "./clock.ts";
import { SavedStateError } from "./device.ts";
import { Hpet } from "./hpet.ts";
import { LineGate } from "./line_gate.ts";

const CONFIGURATION = 0x10, STATUS = 0x20, COUNTER = 0xf0;
const timer = (n: number): number => 0x100 + 0x20 * n;
const LEVEL = 2, ENABLE = 4, PERIODIC = 8, SET = 0x40, BITS_32 = 0x100;

function machine() {
  const clock = new VirtualClock();
  const log: string[] = [];
  const hpet = new Hpet({
    clock,
    pin: (pin, level) => log.push(`${clock.now()} pin ${pin} ${level ? "up" : "down"}`),
    legacy: (irq, level) => log.push(`${clock.now()} irq ${irq} ${level ? "up" : "down"}`),
    replaces: (on) => log.push(`replaces ${on}`),
  });
  log.length = 0;
  const ups = (ns: number): string[] => {
    log.length = 0;
    clock.advance(ns);
    return log.filter((line) => line.endsWith("up"));
  };
  return { clock, hpet, log, ups };
}

Deno.test("Hpet reads its capabilities in all widths", () => {
  const { hpet } = machine();
  assertEquals([hpet.read(0, 4), hpet.read(4, 4), hpet.read(1, 1), hpet.read(6, 2)], [
    0x8086a201,
    10_000_000,
    0xa2,
    152,
  ]);
  assertEquals([hpet.read(timer(0), 4), hpet.read(timer(0) + 4, 4), hpet.read(timer(2) + 8, 4)], [
    0x30,
    0xff0104,
    0xffffffff,
  ]);
});

Deno.test("Hpet's counter runs at 100 MHz, stands, and can be set", () => {
  const { hpet, clock } = machine();
  clock.advance(1000);
  assertEquals(hpet.read(COUNTER, 4), 0);
  hpet.write(COUNTER, 0xffffffff, 4);
  hpet.write(CONFIGURATION, 1, 4);
  clock.advance(25);
  assertEquals([hpet.read(COUNTER, 4), hpet.read(COUNTER + 4, 4)], [1, 1]);
  hpet.write(CONFIGURATION, 0, 4);
  clock.advance(1000);
  assertEquals(hpet.read(COUNTER, 4), 1);
});

Deno.test("Hpet interrupts once when counter and comparator meet", () => {
  const { hpet, ups } = machine();
  hpet.write(timer(2), ENABLE | 16 << 9, 4);
  hpet.write(timer(2) + 8, 100, 4);
  hpet.write(timer(2) + 12, 0, 4);
  hpet.write(CONFIGURATION, 1, 4);
  assertEquals([ups(999), ups(1), ups(10 ** 9)], [[], ["1000 pin 16 up"], []]);
});

Deno.test("Hpet keeps a level until its status is cleared", () => {
  const { hpet, ups, log } = machine();
  hpet.write(timer(1), ENABLE | LEVEL | BITS_32 | 17 << 9, 4);
  hpet.write(timer(1) + 8, 50, 4);
  hpet.write(CONFIGURATION, 1, 4);
  assertEquals([ups(500), log.length, hpet.read(STATUS, 4)], [["500 pin 17 up"], 1, 2]);
  hpet.write(STATUS, 2, 4);
  assertEquals([log.at(-1), hpet.read(STATUS, 4)], ["500 pin 17 down", 0]);
});

Deno.test("Hpet replaces the 8254 with a periodic timer", () => {
  const { hpet, ups, log } = machine();
  hpet.write(timer(0), ENABLE | PERIODIC | SET | BITS_32, 4);
  hpet.write(timer(0) + 8, 100, 4);
  hpet.write(timer(0) + 8, 40, 4);
  hpet.write(CONFIGURATION, 3, 4);
  assertEquals(log, ["replaces true"]);
  assertEquals(ups(1900), ["1000 irq 0 up", "1400 irq 0 up", "1800 irq 0 up"]);
  assertEquals([hpet.read(timer(0) + 8, 4), hpet.read(timer(0), 4) & SET], [220, 0]);
  hpet.reset();
  assertEquals([log.at(-1), ups(5000)], ["replaces false", []]);
});

Deno.test("Hpet.restore() goes back, with a timer under way", () => {
  const { hpet, clock } = machine();
  hpet.write(timer(2), ENABLE | 16 << 9, 4);
  hpet.write(timer(2) + 8, 100, 4);
  hpet.write(timer(2) + 12, 0, 4);
  hpet.write(CONFIGURATION, 1, 4);
  clock.advance(400);
  const state = JSON.parse(JSON.stringify(hpet.save()));
  const other = machine();
  other.clock.restore(400);
  other.hpet.restore(state);
  assertEquals([other.hpet.read(COUNTER, 4), other.ups(600)], [40, ["1000 pin 16 up"]]);
  assertThrows(() => hpet.restore({ ...state, status: 9 }), SavedStateError, "status");
});

Deno.test("LineGate holds a line low while it is closed", () => {
  const log: boolean[] = [];
  const gate = new LineGate((level) => log.push(level));
  gate.drive(true);
  gate.open = false;
  gate.drive(false);
  gate.drive(true);
  gate.open = true;
  assertEquals([log, gate.open], [[true, false, true], true]);
});
