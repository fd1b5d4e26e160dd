import { assertEquals, assertThrows } from "@std/assert";
import { Bus, BusConflictError, type BusDevice } from "./bus.ts";

class Log implements BusDevice {
  readonly width: 1 | 2 | 4;
  readonly seen: string[] = [];
  constructor(width: 1 | 2 | 4) {
    this.width = width;
  }
  read(offset: number, size: number): number {
    this.seen.push(`r${size}@${offset}`);
    return size === 4 ? 0x89abcdef : size === 2 ? 0xbeef : 0x11 * (offset + 1);
  }
  write(offset: number, value: number, size: number): void {
    this.seen.push(`w${size}@${offset}=${value.toString(16)}`);
  }
}

Deno.test("Bus.attach() refuses overlaps, empty ranges and addresses beyond the bus", () => {
  const bus = new Bus("port", 0x10000);
  const device = new Log(1);
  bus.attach({ name: "COM1", base: 0x3f8, length: 8 }, device);
  assertThrows(
    () => bus.attach({ name: "debug-exit", base: 0x3f5, length: 4 }, device),
    BusConflictError,
    "Cannot attach debug-exit at port 0x3f5: COM1 has 0x3f8 to 0x3ff",
  );
  assertThrows(() => bus.attach({ name: "x", base: 0x3ff, length: 1 }, device), BusConflictError);
  assertThrows(() => bus.attach({ name: "x", base: 0, length: 0 }, device), BusConflictError);
  assertThrows(() => bus.attach({ name: "x", base: 0xffff, length: 2 }, device), BusConflictError);
  bus.attach({ name: "before", base: 0x3f4, length: 4 }, device);
  bus.attach({ name: "after", base: 0x400, length: 4 }, device);
  assertEquals(bus.map().map(({ name }) => name), ["before", "COM1", "after"]);
});

Deno.test("Bus.read() gives all ones where nothing answers", () => {
  const bus = new Bus("address", 2 ** 52);
  const data = new Uint8Array(8);
  bus.read(2 ** 51, data);
  assertEquals(data, new Uint8Array(8).fill(0xff));
});

Deno.test("Bus.read() and write() split by the device's width and at its end", () => {
  const bus = new Bus("port", 0x10000);
  const narrow = new Log(1), wide = new Log(4);
  bus.attach({ name: "narrow", base: 0x10, length: 2 }, narrow);
  bus.attach({ name: "wide", base: 0x12, length: 6 }, wide);
  const data = new Uint8Array(8);
  bus.read(0x10, data);
  assertEquals(narrow.seen, ["r1@0", "r1@1"]);
  assertEquals(wide.seen, ["r4@0", "r2@4"]);
  assertEquals(data, Uint8Array.of(0x11, 0x22, 0xef, 0xcd, 0xab, 0x89, 0xef, 0xbe));
  wide.seen.length = 0;
  bus.write(0x16, Uint8Array.of(1, 2, 3, 4));
  assertEquals(wide.seen, ["w2@4=201"]);
  bus.write(0x12, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  assertEquals(wide.seen[1], "w4@0=ffffffff");
});

Deno.test("Bus.in() and out() are read() and write() with numbers", () => {
  for (const size of [0x10000, 2 ** 52]) {
    const bus = new Bus("port", size);
    const narrow = new Log(1), wide = new Log(4);
    bus.attach({ name: "wide", base: 0x12, length: 6 }, wide);
    bus.attach({ name: "narrow", base: 0x10, length: 2 }, narrow);
    assertEquals(bus.in(0x10, 4), 0xbeef2211);
    assertEquals(bus.in(0x12, 4), 0x89abcdef);
    assertEquals(bus.in(0x16, 4), 0xffffbeef);
    assertEquals(bus.in(0x8000, 2), 0xffff);
    assertEquals(narrow.seen, ["r1@0", "r1@1"]);
    assertEquals(wide.seen, ["r2@0", "r4@0", "r2@4"]);
    wide.seen.length = 0;
    bus.out(0x14, 4, 0xa1b2c3d4);
    bus.out(0x17, 2, 0xa1b2);
    bus.out(0xfff0, 4, 0);
    assertEquals(wide.seen, ["w4@2=a1b2c3d4", "w1@5=b2"]);
  }
});

Deno.test("Bus.attach() gives a function that takes the device off", () => {
  for (const size of [0x10000, 2 ** 52]) {
    const bus = new Bus("port", size);
    const device = new Log(1);
    const range = { name: "x", base: 0x10, length: 2 };
    const detach = bus.attach(range, device);
    assertEquals(bus.in(0x11, 1), 0x22);
    detach();
    assertEquals(bus.in(0x11, 1), 0xff);
    bus.attach(range, device);
    detach();
    assertEquals(bus.in(0x11, 1), 0x22);
    assertEquals(bus.map(), [range]);
  }
});
