import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "./bus.ts";
import { VirtualClock } from "./clock.ts";
import { type SavedState, SavedStateError } from "./device.ts";
import { Mc146818 } from "./mc146818.ts";

interface Bench {
  readonly rtc: Mc146818;
  readonly clock: VirtualClock;
  readonly levels: boolean[];
}

function bench(time = "1999-12-31T23:59:58Z"): Bench {
  const clock = new VirtualClock();
  const levels: boolean[] = [];
  const rtc = new Mc146818({ interrupt: (level) => levels.push(level), clock, time: new Date(time) });
  return { rtc, clock, levels };
}

function get(rtc: Mc146818, index: number): number {
  rtc.write(0, index);
  return rtc.read(1);
}

function put(rtc: Mc146818, index: number, value: number): void {
  rtc.write(0, index);
  rtc.write(1, value);
}

/** Hours, minutes, seconds, day of the week, century, year, month, date, as they stand in the chip. */
function time(rtc: Mc146818): string {
  return [4, 2, 0, 6, 0x32, 9, 8, 7].map((index) => get(rtc, index).toString(16).padStart(2, "0")).join(" ");
}

/** The formats by register B. */
const BCD_24 = 0x02, BINARY_24 = 0x06, BCD_12 = 0x00, BINARY_12 = 0x04;

Deno.test("Mc146818 begins with the time it is given, in BCD and 24 hours", () => {
  const { rtc } = bench("2026-03-09T17:45:30Z");
  assertEquals(time(rtc), "17 45 30 02 20 26 03 09");
  assertEquals([get(rtc, 10), get(rtc, 11), get(rtc, 12), get(rtc, 13)], [0x26, 0x02, 0, 0x80]);
});

Deno.test("Mc146818 goes on each second, into the next century", () => {
  const { rtc, clock } = bench();
  clock.advance(999_999_999);
  assertEquals(time(rtc), "23 59 58 06 19 99 12 31");
  clock.advance(1);
  assertEquals(time(rtc), "23 59 59 06 19 99 12 31");
  clock.advance(1e9);
  assertEquals(time(rtc), "00 00 00 07 20 00 01 01");
  const late = bench("1999-12-31T23:59:58.750Z");
  late.clock.advance(250_000_000);
  assertEquals(get(late.rtc, 0), 0x59, "what is left of the second counts");
});

Deno.test("Mc146818 updates in all four formats", () => {
  // [format, hours before, minutes and seconds before, hours after, whether a day is over]
  const cases: readonly [format: number, before: number, last: number, after: number, day: boolean][] = [
    [BCD_24, 0x09, 0x59, 0x10, false],
    [BCD_24, 0x19, 0x59, 0x20, false],
    [BCD_24, 0x23, 0x59, 0x00, true],
    [BINARY_24, 9, 59, 10, false],
    [BINARY_24, 23, 59, 0, true],
    [BCD_12, 0x12, 0x59, 0x01, false],
    [BCD_12, 0x09, 0x59, 0x10, false],
    [BCD_12, 0x11, 0x59, 0x92, false],
    [BCD_12, 0x92, 0x59, 0x81, false],
    [BCD_12, 0x91, 0x59, 0x12, true],
    [BINARY_12, 12, 59, 1, false],
    [BINARY_12, 11, 59, 0x8c, false],
    [BINARY_12, 0x8c, 59, 0x81, false],
    [BINARY_12, 0x8b, 59, 12, true],
  ];
  for (const [format, before, last, after, day] of cases) {
    const { rtc, clock } = bench();
    put(rtc, 11, 0x80 | format);
    for (const [index, value] of [[4, before], [2, last], [0, last], [6, 7], [7, 1], [8, 1], [9, 1]]) {
      put(rtc, index, value);
    }
    put(rtc, 11, format);
    clock.advance(1e9);
    assertEquals(
      [get(rtc, 4), get(rtc, 2), get(rtc, 0), get(rtc, 6), get(rtc, 7)],
      [after, 0, 0, day ? 1 : 7, day ? 2 : 1],
      `format ${format}, ${before.toString(16)}`,
    );
  }
});

Deno.test("Mc146818 knows the lengths of months and leap years", () => {
  for (let year = 2000; year < 2006; year++) {
    for (let month = 0; month < 12; month++) {
      const last = new Date(Date.UTC(year, month + 1, 1) - 1000);
      const { rtc, clock } = bench(last.toISOString());
      clock.advance(1e9);
      const next = bench(new Date(last.getTime() + 1000).toISOString());
      assertEquals(time(rtc), time(next.rtc));
    }
  }
});

Deno.test("Mc146818 carries on with a time that is none", () => {
  const { rtc, clock } = bench();
  for (let index = 0; index < 10; index++) put(rtc, index, 0xff);
  clock.advance(1e9);
  assertEquals(time(rtc), "00 00 00 01 20 00 01 01");
});

Deno.test("Mc146818 UIP is set for 2228 µs before the end of an update", () => {
  const { rtc, clock } = bench();
  const uip = () => get(rtc, 10) >> 7;
  clock.advance(1e9 - 2_228_001);
  assertEquals(uip(), 0);
  clock.advance(1);
  assertEquals(uip(), 1);
  clock.advance(2_227_999);
  assertEquals([uip(), get(rtc, 0)], [1, 0x58]);
  clock.advance(1);
  assertEquals([uip(), get(rtc, 0)], [0, 0x59]);
  clock.advance(999_000_000);
  put(rtc, 11, 0x82);
  assertEquals(uip(), 0, "SET ends it");
});

Deno.test("Mc146818 SET keeps updates from happening, and switches their interrupt off", () => {
  const { rtc, clock, levels } = bench();
  put(rtc, 11, 0x92);
  assertEquals(get(rtc, 11), 0x82);
  clock.advance(10_300_000_000);
  assertEquals([get(rtc, 0), get(rtc, 12), levels], [0x58, 0x40, []], "only the periodic flag");
  put(rtc, 0, 0x30);
  put(rtc, 11, 0x02);
  clock.advance(699_999_999);
  assertEquals(get(rtc, 0), 0x30);
  clock.advance(1);
  assertEquals(get(rtc, 0), 0x31, "seconds begin where they would have");
});

Deno.test("Mc146818 update-ended interrupt comes each second that register C was read", () => {
  const { rtc, clock, levels } = bench();
  put(rtc, 10, 0x20);
  put(rtc, 1, 0x33);
  put(rtc, 11, 0x12);
  clock.advance(1e9);
  assertEquals(levels, [true]);
  assertEquals(clock.next, undefined, "nothing more before that");
  clock.advance(5e9);
  assertEquals([get(rtc, 12), get(rtc, 12), levels], [0x90, 0, [true, false]]);
  clock.advance(1e9);
  assertEquals(levels, [true, false, true]);
});

Deno.test("Mc146818 flags come without being enabled, and enabling them later interrupts at once", () => {
  const { rtc, clock, levels } = bench();
  clock.advance(1e9);
  put(rtc, 11, 0x12);
  assertEquals(levels, [true]);
  put(rtc, 11, 0x02);
  assertEquals([levels, get(rtc, 12)], [[true, false], 0x50]);
});

Deno.test("Mc146818 alarm: each byte may be any", () => {
  // Alarm for hours, minutes, seconds; and when it is due first after 10:58:58, in seconds, and then again.
  const cases: readonly [hours: number, minutes: number, seconds: number, first: number, again: number][] = [
    [0x11, 0x00, 0x05, 67, 86_400],
    [0x10, 0x59, 0x00, 2, 86_400],
    [0xc0, 0x00, 0x05, 67, 3600],
    [0xff, 0xff, 0x05, 7, 60],
    [0xc0, 0xd5, 0xff, 1, 1],
    [0x11, 0xff, 0x05, 67, 60],
    [0x11, 0x00, 0xff, 62, 1],
  ];
  for (const [hours, minutes, seconds, first, again] of cases) {
    const { rtc, clock, levels } = bench("2001-01-01T10:58:58Z");
    for (const [index, value] of [[5, hours], [3, minutes], [1, seconds], [11, 0x22]]) put(rtc, index, value);
    for (const wait of [first, again]) {
      clock.advance(wait * 1e9 - 1);
      assertEquals(levels, [], `${hours} ${minutes} ${seconds}`);
      clock.advance(1);
      assertEquals(levels, [true]);
      assertEquals(get(rtc, 12) & 0xa0, 0xa0);
      levels.length = 0;
    }
  }
});

Deno.test("Mc146818 periodic interrupt: the datasheet's rates for 32,768 Hz", () => {
  const hertz = [0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2];
  hertz.forEach((expected, rate) => {
    const clock = new VirtualClock();
    let count = 0;
    const rtc: Mc146818 = new Mc146818({
      interrupt: (level) => {
        if (level) count++;
      },
      clock,
      time: new Date(0),
    });
    put(rtc, 10, 0x20 | rate);
    put(rtc, 11, 0x42);
    for (let second = 1; second <= 2; second++) {
      const end = second * 1e9;
      while ((clock.next ?? Infinity) <= end) {
        clock.advance((clock.next ?? end) - clock.now());
        assertEquals(get(rtc, 12) & 0xc0, 0xc0);
      }
      clock.advance(end - clock.now());
      assertEquals(count, second * expected, `rate ${rate}`);
    }
  });
});

Deno.test("Mc146818 periodic flag comes without being enabled", () => {
  const { rtc, clock } = bench();
  clock.advance(976_562);
  assertEquals(get(rtc, 12), 0);
  clock.advance(1);
  assertEquals([get(rtc, 12), get(rtc, 12)], [0x40, 0]);
  clock.advance(3600e9);
  assertEquals(get(rtc, 12), 0x70, "with an update and the alarm of midnight");
});

Deno.test("Mc146818 divider in reset stops time; the first update comes half a second after", () => {
  for (const divider of [0x60, 0x70]) {
    const { rtc, clock, levels } = bench();
    put(rtc, 11, 0x52);
    put(rtc, 10, divider | 0x06);
    clock.advance(10e9);
    assertEquals([get(rtc, 0), get(rtc, 12), get(rtc, 10), clock.next], [0x58, 0, divider | 6, undefined]);
    put(rtc, 11, 0x12);
    put(rtc, 10, 0x26);
    clock.advance(499_999_999);
    assertEquals([get(rtc, 0), levels], [0x58, []]);
    clock.advance(1);
    assertEquals([get(rtc, 0), levels], [0x59, [true]]);
  }
});

Deno.test("Mc146818 registers C and D, and UIP, cannot be written", () => {
  const { rtc } = bench();
  for (const index of [12, 13]) put(rtc, index, 0xff);
  put(rtc, 10, 0xa6);
  assertEquals([get(rtc, 10), get(rtc, 12), get(rtc, 13)], [0x26, 0, 0x80]);
});

Deno.test("Mc146818 has 128 bytes, and the NMI mask in its index port", () => {
  const { rtc } = bench();
  for (let index = 14; index < 128; index++) put(rtc, index, index ^ 0x5a);
  for (let index = 14; index < 128; index++) {
    assertEquals([get(rtc, 0x80 | index), rtc.peek(index)], [index ^ 0x5a, index ^ 0x5a]);
  }
  assertEquals(rtc.nmiMasked, true);
  rtc.write(0, 0x0f);
  assertEquals([rtc.nmiMasked, rtc.read(0)], [false, 0xff]);
  rtc.poke(0x0f, 0x105);
  assertEquals(rtc.read(1), 0x05);
  for (const index of [13, 128, 14.5]) assertThrows(() => rtc.poke(index, 0), RangeError, "Cannot reach CMOS memory");
});

Deno.test("Mc146818.reset() switches interrupts off and keeps time and memory", () => {
  const { rtc, clock, levels } = bench();
  put(rtc, 0x40, 0x77);
  put(rtc, 11, 0x7a);
  clock.advance(1_100_000_000);
  rtc.write(0, 0x8c);
  rtc.reset();
  assertEquals([levels, rtc.nmiMasked, clock.next], [[true, false], false, undefined]);
  assertEquals([get(rtc, 11), get(rtc, 12), get(rtc, 0), get(rtc, 0x40)], [0x02, 0, 0x59, 0x77]);
});

Deno.test("Mc146818 asks nothing of the clock while no interrupt is enabled", () => {
  const { rtc, clock } = bench();
  assertEquals(clock.next, undefined);
  clock.advance(86_400e9);
  assertEquals(time(rtc), "23 59 58 07 20 00 01 01");
  assertEquals(clock.next, undefined);
});

Deno.test("Mc146818.restore() goes on where save() was, and refuses damaged states", () => {
  const first = bench(), second = bench("1980-01-01T00:00:00Z");
  put(first.rtc, 11, 0x72);
  first.clock.advance(1_234_567_890);
  get(first.rtc, 12);
  const state: SavedState = JSON.parse(JSON.stringify(first.rtc.save()));
  second.clock.restore(first.clock.now());
  second.rtc.restore(state);
  assertEquals([second.rtc.save(), second.clock.next], [first.rtc.save(), first.clock.next]);
  for (const { clock } of [first, second]) clock.advance(3e9);
  assertEquals(time(second.rtc), time(first.rtc));
  const before = second.rtc.save();
  const damages: SavedState[] = [{ bytes: "" }, { nextUpdate: 0 }, { index: 128 }, { version: 0 }];
  for (const damage of damages) {
    assertThrows(() => second.rtc.restore({ ...state, ...damage }), SavedStateError, "Cannot restore mc146818");
  }
  assertEquals(second.rtc.save(), before);
});

Deno.test("Mc146818.attach() takes ports 0x70 and 0x71", () => {
  const ports = new Bus("port", 0x10000);
  bench().rtc.attach(ports);
  assertEquals(ports.map().map(({ base, length }) => [base, length]), [[0x70, 2]]);
});
