import { assertEquals } from "@std/assert";
import { machineTime, RealTime, VirtualTime } from "./time.ts";

Deno.test("VirtualTime counts a nanosecond for each instruction, and calls timers on the way", () => {
  const time = new VirtualTime();
  const called: number[] = [];
  for (const at of [30, 10, 99]) time.clock.schedule(at, () => called.push(time.clock.now()));
  assertEquals([time.next, time.timestamp(7)], [10, 7]);
  time.sync(50);
  assertEquals([called, time.clock.now(), time.next, time.timestamp(58)], [[10, 30], 50, 99, 58]);
});

Deno.test("VirtualTime.skip() goes to the next timer, and the counter with it", () => {
  const time = new VirtualTime();
  time.sync(100);
  time.skip();
  assertEquals(time.clock.now(), 100);
  time.clock.schedule(1_000, () => {});
  time.skip();
  assertEquals([time.clock.now(), time.next, time.timestamp(100), time.timestamp(105)], [
    1_000,
    undefined,
    1_000,
    1_005,
  ]);
  time.sync(110);
  assertEquals(time.clock.now(), 1_010);
});

Deno.test("RealTime goes by with the host's time, but not while it is stopped", async () => {
  const time = new RealTime();
  let called = 0;
  time.clock.schedule(1_000_000, () => called++);
  assertEquals([time.next, called], [1_000_000, 0]);
  time.stop();
  await new Promise((resolve) => setTimeout(resolve, 5));
  time.sync();
  assertEquals(called, 0);
  time.start();
  while (time.clock.now() < 1_000_000) await new Promise((resolve) => setTimeout(resolve, 1));
  time.sync();
  assertEquals(called, 1);
  const first = time.timestamp(0);
  assertEquals([Number.isInteger(first), time.timestamp(0) >= first], [true, true]);
});

Deno.test("machineTime() makes the time that is asked for", () => {
  assertEquals([machineTime("real").kind, machineTime("virtual").kind], ["real", "virtual"]);
});
