import { assertEquals, assertThrows } from "@std/assert";
import { SavedStateError } from "./device.ts";
import { IoApic } from "./io_apic.ts";
import { ApicBus, type ApicMessage } from "./local_apic_bus.ts";

const LEVEL = 0x8000, MASKED = 0x10000, REMOTE = 0x4000;

/** An I/O APIC and a receiver for everything. */
function machine() {
  const bus = new ApicBus();
  const got: ApicMessage[] = [];
  bus.connect({
    id: 3,
    matches: (to) => to === 0x80,
    priority: 0,
    enabled: true,
    accept: (message) => got.push(message),
  });
  const chip = new IoApic({ id: 1, bus });
  const write = (register: number, value: number): void => {
    chip.write(0x00, register, 4);
    chip.write(0x10, value, 4);
  };
  const read = (register: number): number => {
    chip.write(0x00, register, 4);
    return chip.read(0x10, 4);
  };
  return { bus, got, chip, write, read };
}

Deno.test("IoApic reads its reset state", () => {
  const { read, chip } = machine();
  assertEquals([0, 1, 2, 0x10, 0x11, 0x3e, 0x40].map(read), [1 << 24, 0x170020, 1 << 24, MASKED, 0, MASKED, 0]);
  chip.write(0, 1, 4);
  assertEquals([chip.read(0, 4), chip.read(0x10, 1), chip.read(0x12, 1)], [1, 0x20, 0x17]);
});

Deno.test("IoApic sends an edge once, and none while masked", () => {
  const { write, read, chip, got } = machine();
  const line = chip.line(4);
  line(true);
  write(0x19, 3 << 24);
  write(0x18, 0x41);
  assertEquals(got.length, 0, "an edge under the mask is lost");
  line(false);
  line(true);
  line(true);
  assertEquals(got, [{ destination: 3, logical: false, mode: 0, vector: 0x41, level: false }]);
  assertEquals(read(0x18), 0x41);
});

Deno.test("IoApic sends a level again at the end of interrupt while it is active", () => {
  const { write, read, chip, got, bus } = machine();
  const [one, two] = [chip.line(10), chip.line(10)];
  write(0x25, 0x80 << 24);
  write(0x24, LEVEL | 0x900 | 0x42);
  one(true);
  two(true);
  assertEquals([got.length, got[0].mode, got[0].logical, read(0x24) & REMOTE], [1, 1, true, REMOTE]);
  bus.eoi(0x41);
  assertEquals(got.length, 1);
  one(false);
  bus.eoi(0x42);
  assertEquals(got.length, 2, "the second wire is still active");
  two(false);
  chip.write(0x40, 0x42, 4);
  assertEquals([got.length, read(0x24) & REMOTE], [2, 0]);
});

Deno.test("IoApic sends a level that waited under the mask, and forgets remote IRR with the edge trigger", () => {
  const { write, read, chip, got } = machine();
  write(0x25, 3 << 24);
  chip.line(10)(true);
  write(0x24, LEVEL | MASKED | 0x42);
  assertEquals(got.length, 0);
  write(0x24, LEVEL | 0x42);
  assertEquals(got.length, 1);
  write(0x24, MASKED | 0x42);
  assertEquals(read(0x24), MASKED | 0x42);
  write(0x24, LEVEL | 0x42);
  assertEquals(got.length, 2);
});

Deno.test("IoApic keeps trying a level that nobody takes", () => {
  const { write, chip, got } = machine();
  write(0x25, 5 << 24);
  write(0x24, LEVEL | 0x42);
  chip.line(10)(true);
  write(0x25, 3 << 24);
  write(0x24, LEVEL | 0x42);
  assertEquals(got.length, 1);
  assertThrows(() => chip.line(24), RangeError, "Cannot wire pin 24");
});

Deno.test("IoApic.restore() goes back", () => {
  const { write, chip } = machine();
  write(0x24, LEVEL | 0x42);
  const state = JSON.parse(JSON.stringify(chip.save()));
  const other = machine();
  other.chip.restore(state);
  assertEquals(other.read(0x24), LEVEL | 0x42);
  assertThrows(() => chip.restore({ ...state, low: "" }), SavedStateError, "low");
});
