import { assertEquals, assertThrows } from "@std/assert";
import { DiskError } from "./disk_error.ts";
import { MemoryDisk } from "./memory_disk.ts";

Deno.test("MemoryDisk.read() gives what was written, and zeros before", () => {
  using disk = new MemoryDisk(1024);
  disk.write(510, Uint8Array.of(1, 2, 3));
  const bytes = new Uint8Array(5).fill(9);
  disk.read(509, bytes);
  assertEquals([...bytes], [0, 1, 2, 3, 0]);
  disk.flush();
});

Deno.test("MemoryDisk refuses what leaves the disk, and writes where it is read-only", () => {
  using disk = new MemoryDisk(new Uint8Array(512), { readonly: true });
  for (const [offset, length] of [[512, 1], [511, 2], [-1, 1], [0.5, 1], [NaN, 1]]) {
    assertThrows(() => disk.read(offset, new Uint8Array(length)), RangeError);
  }
  disk.read(512, new Uint8Array(0));
  assertThrows(() => disk.write(0, new Uint8Array(1)), DiskError, "read-only");
});
