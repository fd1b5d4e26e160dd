import { assertEquals, assertThrows } from "@std/assert";
import { MemoryDisk } from "./memory_disk.ts";
import { SNAPSHOT_BLOCK, SnapshotDisk } from "./snapshot_disk.ts";

const SIZE = 3 * SNAPSHOT_BLOCK + 512;

Deno.test("SnapshotDisk agrees with an array, and leaves the disk under it alone", () => {
  const original = Uint8Array.from({ length: SIZE }, (_, i) => i * 7 + (i >> 9));
  const expected = original.slice();
  const base = new MemoryDisk(original.slice(), { readonly: true });
  using disk = new SnapshotDisk(base);
  assertEquals([disk.size, disk.readonly, disk.changed], [SIZE, false, 0]);
  let seed = 1;
  const random = (below: number) => (seed = Math.imul(seed, 48271) >>> 1) % below;
  for (let i = 0; i < 200; i++) {
    const offset = random(SIZE);
    const length = random(Math.min(SIZE - offset, i % 8 === 0 ? SIZE : 3000) + 1);
    if (i % 2 === 0) {
      const bytes = Uint8Array.from({ length }, () => random(256));
      disk.write(offset, bytes);
      expected.set(bytes, offset);
    } else {
      const bytes = new Uint8Array(length);
      disk.read(offset, bytes);
      assertEquals(bytes, expected.subarray(offset, offset + length));
    }
  }
  const under = new Uint8Array(SIZE);
  base.read(0, under);
  assertEquals(under, original);
});

Deno.test("SnapshotDisk.changed counts the blocks that were written", () => {
  using disk = new SnapshotDisk(new MemoryDisk(SIZE));
  disk.write(SNAPSHOT_BLOCK - 1, Uint8Array.of(1, 2));
  disk.write(SIZE - 1, Uint8Array.of(3));
  assertEquals(disk.changed, 3 * SNAPSHOT_BLOCK);
  assertThrows(() => disk.write(SIZE, Uint8Array.of(1)), RangeError);
});
