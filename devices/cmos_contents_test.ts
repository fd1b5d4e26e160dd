import { assertEquals, assertThrows } from "@std/assert";
import { VirtualClock } from "./clock.ts";
import { type CmosContents, writeCmosContents } from "./cmos_contents.ts";
import { Mc146818 } from "./mc146818.ts";

const MIB = 2 ** 20;

function written(contents: CmosContents): (index: number, length?: number) => number {
  const rtc = new Mc146818({ interrupt: () => {}, clock: new VirtualClock(), time: new Date(0) });
  writeCmosContents(rtc, contents);
  return (index, length = 1) => {
    let value = 0;
    for (let i = length - 1; i >= 0; i--) value = value * 256 + rtc.peek(index + i);
    return value;
  };
}

Deno.test("writeCmosContents() tells the sizes of memory", () => {
  // memory, above 4 GiB; then 15/16, 17/18, 30/31, 34/35, 5b..5d
  const cases: readonly [memory: number, high: number, ...sizes: number[]][] = [
    [512 * 1024, 0, 512, 0, 0, 0, 0],
    [MIB, 0, 640, 0, 0, 0, 0],
    [4 * MIB, 0, 640, 3072, 3072, 0, 0],
    [16 * MIB, 0, 640, 15 * 1024, 15 * 1024, 0, 0],
    [64 * MIB, 0, 640, 63 * 1024, 63 * 1024, 768, 0],
    [128 * MIB, 0, 640, 65535, 65535, 1792, 0],
    [3072 * MIB, 5120 * MIB, 640, 65535, 65535, 48896, 81920],
  ];
  for (const [memory, memoryAbove4G, ...sizes] of cases) {
    const at = written({ memory, memoryAbove4G });
    assertEquals([at(0x15, 2), at(0x17, 2), at(0x30, 2), at(0x34, 2), at(0x5b, 3)], sizes);
  }
});

Deno.test("writeCmosContents() tells drives and equipment", () => {
  const none = written({ memory: MIB });
  assertEquals([none(0x10), none(0x14), none(0x12)], [0, 0x06, 0]);
  const bare = written({ memory: MIB, mouse: false, coprocessor: false, floppies: ["1.44M"] });
  assertEquals([bare(0x10), bare(0x14)], [0x40, 0x01]);
  const two = written({ memory: MIB, floppies: ["2.88M", "1.2M"] });
  assertEquals([two(0x10), two(0x14)], [0x52, 0x47]);
  const b = written({ memory: MIB, floppies: [undefined, "360K"] });
  assertEquals([b(0x10), b(0x14)], [0x01, 0x07]);
});

Deno.test("writeCmosContents() tells the geometry of disks", () => {
  const at = written({
    memory: MIB,
    disks: [{ cylinders: 306, heads: 4, sectors: 17 }, { cylinders: 16383, heads: 16, sectors: 63 }, undefined, {
      cylinders: 2000,
      heads: 16,
      sectors: 63,
    }],
  });
  const bytes = (index: number, length: number) => Array.from({ length }, (_, i) => at(index + i));
  assertEquals([at(0x12), at(0x19), at(0x1a)], [0xff, 47, 47]);
  assertEquals(bytes(0x1b, 9), [0x32, 0x01, 4, 0xff, 0xff, 0xc0, 0x32, 0x01, 17]);
  assertEquals(bytes(0x24, 9), [0xff, 0x3f, 16, 0xff, 0xff, 0xc8, 0xff, 0x3f, 63]);
  assertEquals(at(0x39), 0x44);
  const second = written({ memory: MIB, disks: [undefined, { cylinders: 100, heads: 2, sectors: 10 }] });
  assertEquals([second(0x12), second(0x19), second(0x1a), second(0x24), second(0x39)], [0x0f, 0, 47, 100, 0]);
});

Deno.test("writeCmosContents() tells the boot order", () => {
  const disk = written({ memory: MIB });
  assertEquals([disk(0x3d), disk(0x38), disk(0x5f)], [0x02, 0, 0]);
  const all = written({ memory: MIB, boot: ["cdrom", "floppy", "disk"], floppySignature: false, processors: 4 });
  assertEquals([all(0x3d), all(0x38), all(0x5f)], [0x13, 0x21, 3]);
});

Deno.test("writeCmosContents() sums 0x10 to 0x2d, high byte first", () => {
  const at = written({ memory: 64 * MIB, floppies: ["1.44M"], disks: [{ cylinders: 1023, heads: 16, sectors: 63 }] });
  let sum = 0;
  for (let index = 0x10; index <= 0x2d; index++) sum += at(index);
  assertEquals(at(0x2e) << 8 | at(0x2f), sum);
  assertEquals(sum > 0x400, true);
});

Deno.test("writeCmosContents() refuses more than there are places for", () => {
  for (
    const contents of [
      { floppies: ["360K", "360K", "360K"] },
      { disks: [undefined, undefined, undefined, undefined, undefined] },
      { boot: ["disk", "disk", "disk", "disk"] },
    ] as const
  ) assertThrows(() => written({ memory: MIB, ...contents }), RangeError, "Cannot fill the CMOS memory");
});
