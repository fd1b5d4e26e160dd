import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "./bus.ts";
import { RealClock, VirtualClock } from "./clock.ts";
import { type SavedState, SavedStateError } from "./device.ts";
import { I8254 } from "./i8254.ts";

/** One CLK pulse in nanoseconds, about. */
const PULSE_NS = 17_600 / 21;

interface Bench {
  readonly pit: I8254;
  readonly clock: VirtualClock;
  /** When OUT 0 rose. */
  readonly rises: number[];
}

function bench(): Bench {
  const clock = new VirtualClock();
  const rises: number[] = [];
  const pit = new I8254({ interrupt: (level) => level && rises.push(clock.now()), clock });
  rises.length = 0;
  return { pit, clock, rises };
}

/** Programs a counter with both bytes of a count. */
function program(pit: I8254, { counter = 0, mode, count }: { counter?: number; mode: number; count: number }): void {
  pit.write(3, counter << 6 | 0x30 | mode << 1);
  pit.write(counter, count & 0xff);
  pit.write(counter, count >> 8);
}

Deno.test("I8254 counter 0 interrupts at the rate of an AT", () => {
  for (const mode of [2, 3]) {
    const { pit, clock, rises } = bench();
    program(pit, { mode, count: 0 });
    clock.advance(3600e9);
    assertEquals(rises.length, 65_543, "18.2065 a second");
    assertEquals(rises[0], Math.ceil(65_537 * PULSE_NS));
    assertEquals(rises[1] - rises[0], Math.round(65_536 * PULSE_NS));
  }
});

Deno.test("I8254 counter 0 interrupts once in mode 0", () => {
  const { pit, clock, rises } = bench();
  program(pit, { mode: 0, count: 1193 });
  clock.advance(Math.floor(1194 * PULSE_NS));
  assertEquals(rises, []);
  clock.advance(1);
  assertEquals(rises, [Math.ceil(1194 * PULSE_NS)]);
  clock.advance(1e9);
  assertEquals([rises.length, clock.next], [1, undefined], "nothing more to wait for");
});

Deno.test("I8254 shows OUT 0 the same whether the clock moves in small steps or in large ones", () => {
  const runs = [1, 333, 5_000_000].map((step) => {
    const { pit, clock, rises } = bench();
    program(pit, { mode: 3, count: 119 });
    for (let at = 0; at < 5_000_000; at += step * 10) clock.advance(Math.min(step * 10, 5_000_000 - at));
    return rises;
  });
  assertEquals(runs[1], runs[0]);
  assertEquals(runs[2], runs[0]);
  assertEquals(runs[0].length, 50);
});

Deno.test("I8254 shows every rise of OUT 0 to a board that polls a real clock late", () => {
  let host = 0;
  const clock = new RealClock({ milliseconds: () => host });
  let rises = 0;
  const pit = new I8254({ interrupt: (level) => rises += level ? 1 : 0, clock });
  program(pit, { mode: 2, count: 1193 });
  rises = 0;
  host = 50.5;
  clock.poll();
  assertEquals(rises, 50);
  host = 100.5;
  pit.read(0); // a guest that looks before the board does
  assertEquals(rises, 100);
  clock.poll();
  assertEquals(rises, 100);
  host += 3.6e6;
  pit.read(0);
  assertEquals(rises > 100 && rises < 300, true, "most of an hour without polling is lost");
});

Deno.test("I8254 counts 1193182 a second", () => {
  const { pit, clock } = bench();
  program(pit, { counter: 2, mode: 4, count: 0 });
  clock.advance(50_000_000);
  pit.write(3, 0x80);
  const left = pit.read(2) | pit.read(2) << 8;
  assertEquals(65_536 - left, Math.floor(50_000_000 / PULSE_NS) - 1);
  assertEquals(pit.pulses(), 59_659);
});

Deno.test("I8254 control words: counter latch and read-back", () => {
  const { pit, clock } = bench();
  program(pit, { counter: 0, mode: 2, count: 1000 });
  program(pit, { counter: 2, mode: 0, count: 1000 });
  clock.advance(100_000);
  pit.write(3, 0xc2 | 0x08); // count and status of 0 and 2
  clock.advance(100_000);
  assertEquals([pit.read(0), pit.read(0), pit.read(0)], [0xb4, 882 & 0xff, 882 >> 8]);
  assertEquals([pit.read(2), pit.read(2), pit.read(2)], [0x30, 882 & 0xff, 882 >> 8]);
  pit.write(3, 0xe0 | 0x08); // status of 2
  assertEquals(pit.read(2), 0x30);
  pit.write(3, 0xd0 | 0x02); // count of 0
  clock.advance(1000);
  assertEquals(pit.read(0) | pit.read(0) << 8, 1000 - (Math.floor(200_000 / PULSE_NS) - 1));
  pit.write(3, 0x00); // latch 0
  clock.advance(1000);
  assertEquals(pit.read(0) | pit.read(0) << 8, 1000 - (Math.floor(201_000 / PULSE_NS) - 1));
  assertEquals(pit.read(3), 0xff);
});

Deno.test("I8254.setGate() stops and triggers a counter", () => {
  const { pit, clock } = bench();
  pit.setGate(2, false);
  program(pit, { counter: 2, mode: 1, count: 100 });
  clock.advance(1_000_000);
  assertEquals([pit.out(2), pit.gate(2)], [true, false]);
  pit.setGate(2, true);
  clock.advance(1_000);
  assertEquals(pit.out(2), false);
  clock.advance(100_000);
  assertEquals(pit.out(2), true);
});

Deno.test("I8254.attach() takes ports 0x40 to 0x43", () => {
  const { pit } = bench();
  const ports = new Bus("port", 0x10000);
  pit.attach(ports);
  assertEquals(ports.map().map(({ base, length }) => [base, length]), [[0x40, 4]]);
});

Deno.test("I8254.reset() stops all counters", () => {
  const { pit, clock, rises } = bench();
  program(pit, { mode: 2, count: 100 });
  clock.advance(1_000_000);
  pit.reset();
  rises.length = 0;
  clock.advance(1_000_000_000);
  assertEquals([rises, clock.next], [[], undefined]);
});

Deno.test("I8254.restore() goes on where save() was", () => {
  const first = bench(), second = bench();
  program(first.pit, { mode: 3, count: 1001 });
  first.clock.advance(12_345_678);
  const state: SavedState = JSON.parse(JSON.stringify(first.pit.save()));
  program(second.pit, { mode: 2, count: 5 });
  second.clock.restore(first.clock.now());
  second.pit.restore(state);
  first.rises.length = second.rises.length = 0;
  for (const { clock } of [first, second]) clock.advance(100_000_000);
  assertEquals(second.rises, first.rises);
  assertEquals(second.pit.save(), first.pit.save());
  assertThrows(() => second.pit.restore({ ...state, pulses: -1 }), SavedStateError, "Cannot restore i8254: pulses");
  assertThrows(() => second.pit.restore({ ...state, counters: [{}, {}, {}] }), SavedStateError, "counters[0]: control");
  assertEquals(second.pit.save(), first.pit.save());
});
