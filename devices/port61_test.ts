import { assertEquals } from "@std/assert";
import { Bus } from "./bus.ts";
import { VirtualClock } from "./clock.ts";
import { I8254 } from "./i8254.ts";
import { Port61 } from "./port61.ts";

function bench(): { port: Port61; pit: I8254; clock: VirtualClock } {
  const clock = new VirtualClock();
  const pit = new I8254({ interrupt: () => {}, clock });
  return { port: new Port61(pit), pit, clock };
}

Deno.test("Port61 keeps the four writable bits", () => {
  const { port } = bench();
  port.write(0, 0xff);
  assertEquals(port.read() & 0xcf, 0x0f);
  port.write(0, 0xf0);
  assertEquals(port.read() & 0xcf, 0);
});

Deno.test("Port61 bit 0 is the gate of counter 2, and bit 5 its OUT", () => {
  const { port, pit, clock } = bench();
  pit.write(3, 0xb0);
  pit.write(2, 100);
  pit.write(2, 0);
  clock.advance(1_000_000);
  assertEquals([pit.gate(2), port.read() & 0x20], [false, 0]);
  port.write(0, 1);
  clock.advance(80_000);
  assertEquals([pit.gate(2), port.read() & 0x20], [true, 0]);
  clock.advance(5_000);
  assertEquals(port.read() & 0x20, 0x20);
});

Deno.test("Port61 bit 4 toggles every 18 pulses", () => {
  const { port, clock } = bench();
  const toggles: number[] = [];
  let last = port.read() & 0x10;
  for (let us = 0; us < 100; us++) {
    clock.advance(1000);
    const now = port.read() & 0x10;
    if (now !== last) toggles.push(us + 1);
    last = now;
  }
  assertEquals(toggles, [16, 31, 46, 61, 76, 91]);
});

Deno.test("Port61 is saved, restored, reset and attached", () => {
  const first = bench(), second = bench();
  first.port.write(0, 0x0d);
  second.pit.restore(first.pit.save());
  second.port.restore(first.port.save());
  assertEquals([second.port.save(), second.pit.gate(2)], [first.port.save(), true]);
  second.port.reset();
  assertEquals([second.port.read() & 0x0f, second.pit.gate(2)], [0, false]);
  const ports = new Bus("port", 0x10000);
  first.port.attach(ports);
  assertEquals(ports.map().map(({ base, length }) => [base, length]), [[0x61, 1]]);
});
