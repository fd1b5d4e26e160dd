import { assertEquals } from "@std/assert";
import { diskGeometry, floppyGeometry } from "./geometry.ts";

const EMPTY = new Uint8Array(512);
const MIB = 2048;

function partitioned(entry: readonly number[]): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set(entry, 446);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

Deno.test("floppyGeometry() knows the usual sizes, and takes the next for others", () => {
  assertEquals(floppyGeometry(1440 * 1024), { cylinders: 80, heads: 2, sectors: 18, type: 4 });
  assertEquals(floppyGeometry(360 * 1024), { cylinders: 40, heads: 2, sectors: 9, type: 1 });
  assertEquals(floppyGeometry(1200 * 1024), { cylinders: 80, heads: 2, sectors: 15, type: 2 });
  assertEquals(floppyGeometry(2880 * 1024), { cylinders: 80, heads: 2, sectors: 36, type: 5 });
  assertEquals(floppyGeometry(512), { cylinders: 80, heads: 2, sectors: 18, type: 4 });
  assertEquals(floppyGeometry(1680 * 1024).sectors, 21);
  assertEquals(floppyGeometry(3000 * 1024).sectors, 36);
});

Deno.test("diskGeometry() translates to at most 1024 cylinders", () => {
  assertEquals(diskGeometry(100 * MIB, EMPTY), { cylinders: 203, heads: 16, sectors: 63 });
  assertEquals(diskGeometry(504 * MIB, EMPTY), { cylinders: 1024, heads: 16, sectors: 63 });
  assertEquals(diskGeometry(505 * MIB, EMPTY).heads, 32);
  assertEquals(diskGeometry(4000 * MIB, EMPTY).heads, 128);
  assertEquals(diskGeometry(100_000 * MIB, EMPTY), { cylinders: 1024, heads: 255, sectors: 63 });
  assertEquals(diskGeometry(10, EMPTY), { cylinders: 1, heads: 16, sectors: 63 });
});

Deno.test("diskGeometry() is the one that the partition table was made for", () => {
  // From 0/1/1 to 9/254/63: 255 heads, 63 sectors.
  const count = 10 * 255 * 63 - 63;
  const good = [0x80, 1, 1, 0, 6, 254, 63, 9, 63, 0, 0, 0, count & 0xff, count >> 8 & 0xff, count >> 16, 0];
  assertEquals(diskGeometry(100 * MIB, partitioned(good)), { cylinders: 12, heads: 255, sectors: 63 });
  // The end by cylinders is not the end by numbers.
  const bad = good.with(12, count + 1 & 0xff);
  assertEquals(diskGeometry(100 * MIB, partitioned(bad)).heads, 16);
});
