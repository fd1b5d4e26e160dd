import { assertEquals, assertThrows } from "@std/assert";
import { RealClock, VirtualClock } from "./clock.ts";

Deno.test("VirtualClock.advance() calls in the order of times, then of asking, each at its own time", () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name}@${clock.now()}`);
  clock.schedule(30, note("c"));
  clock.schedule(10, note("a"));
  clock.schedule(30, note("d"));
  clock.schedule(20, note("b"));
  clock.schedule(31, note("e"));
  assertEquals(clock.next, 10);
  clock.advance(30);
  assertEquals(seen, ["a@10", "b@20", "c@30", "d@30"]);
  assertEquals([clock.now(), clock.next], [30, 31]);
  clock.advance(0.9);
  assertEquals(clock.now(), 30);
  clock.advance(1);
  assertEquals(clock.next, undefined);
});

Deno.test("VirtualClock.advance() also calls what callbacks ask for on the way", () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  const tick = () => {
    seen.push(clock.now());
    clock.schedule(clock.now() + 10, tick);
  };
  clock.schedule(5, tick);
  clock.advance(30);
  assertEquals(seen, [5, 15, 25]);
  clock.schedule(1, () => seen.push(-clock.now()));
  assertEquals(clock.next, 30, "the past is now");
  clock.advance(0);
  assertEquals(seen, [5, 15, 25, -30]);
});

Deno.test("VirtualClock.schedule() gives what takes it back, from within callbacks too", () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const first = clock.schedule(1, () => seen.push("first"));
  const second = clock.schedule(2, () => seen.push("second"));
  clock.schedule(1, () => second());
  first();
  first();
  clock.advance(5);
  assertEquals(seen, []);
  second();
});

Deno.test("VirtualClock.advance() refuses to go back", () => {
  const clock = new VirtualClock();
  assertThrows(() => clock.advance(-1), RangeError, "Cannot advance the clock: -1");
  assertThrows(() => clock.advance(NaN), RangeError);
  clock.restore(77);
  assertEquals(clock.now(), 77);
});

Deno.test("RealClock.poll() calls what is due, at the time it was due", () => {
  let host = 1000;
  const clock = new RealClock({ milliseconds: () => host });
  const seen: number[] = [];
  const tick = () => {
    seen.push(clock.now());
    clock.schedule(clock.now() + 1_000_000, tick);
    clock.poll();
  };
  clock.schedule(1_000_000, tick);
  clock.poll();
  assertEquals([clock.now(), clock.next], [0, 1_000_000]);
  host += 3.5;
  clock.poll();
  assertEquals(seen, [1_000_000, 2_000_000, 3_000_000]);
  assertEquals([clock.now(), clock.next], [3_500_000, 4_000_000]);
});

Deno.test("RealClock.stop() holds the time until start()", () => {
  let host = 5;
  const clock = new RealClock({ milliseconds: () => host });
  const seen: number[] = [];
  clock.schedule(2_000_000, () => seen.push(clock.now()));
  host += 1;
  clock.stop();
  host += 10;
  clock.poll();
  assertEquals([clock.now(), seen], [1_000_000, []]);
  clock.restore(1_500_000);
  assertEquals(clock.now(), 1_500_000);
  clock.start();
  clock.start();
  host += 1;
  clock.poll();
  assertEquals([clock.now(), seen], [2_500_000, [2_000_000]]);
});

Deno.test("RealClock.stop() within a callback keeps the rest for later", () => {
  let host = 0;
  const clock = new RealClock({ milliseconds: () => host });
  const seen: string[] = [];
  clock.schedule(1, () => clock.stop());
  clock.schedule(2, () => seen.push("after"));
  host = 1;
  clock.poll();
  assertEquals(seen, []);
  clock.start();
  host += 1;
  clock.poll();
  assertEquals(seen, ["after"]);
});

Deno.test("RealClock.now() follows performance.now()", () => {
  const before = performance.now();
  const clock = new RealClock();
  const shown = clock.now();
  assertEquals(shown >= 0 && shown <= (performance.now() - before) * 1e6 + 1, true);
  assertEquals(Number.isInteger(shown), true);
});
