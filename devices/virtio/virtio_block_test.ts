import { assertEquals, assertThrows } from "@std/assert";
import { VirtualClock } from "../clock.ts";
import type { Disk } from "../disk/disk.ts";
import { startLegacy, startModern, VirtioBench } from "./guest_driver_test.ts";
import { VirtioBlock } from "./virtio_block.ts";

const FLUSH = 9, WRITE_ZEROES = 14, INDIRECT = 28, EVENT_INDEX = 29;

class MemoryDisk implements Disk {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly readonly: boolean;
  flushes = 0;
  fails = false;

  constructor(size: number, readonly = false) {
    this.bytes = Uint8Array.from({ length: size }, (_, i) => (i >> 9) * 7 + i);
    this.size = size;
    this.readonly = readonly;
  }

  read(offset: number, into: Uint8Array): void {
    if (this.fails) throw new Error("Cannot read the disk: it is gone");
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    if (this.fails) throw new Error("Cannot write the disk: it is gone");
    this.bytes.set(bytes, offset);
  }

  flush(): void {
    this.flushes++;
  }

  [Symbol.dispose](): void {}
}

function header(type: number, sector = 0): Uint8Array {
  const bytes = new Uint8Array(16), view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return bytes;
}

function setUp(disk: MemoryDisk): { bench: VirtioBench; clock: VirtualClock; errors: string[] } {
  const clock = new VirtualClock();
  const errors: string[] = [];
  const block = new VirtioBlock({ disk, clock, serial: "DISK 1", failed: (error) => errors.push(error.message) });
  return { bench: new VirtioBench(block, 0x200_0000), clock, errors };
}

for (const [name, start] of [["modern", startModern], ["legacy", startLegacy]] as const) {
  Deno.test(`VirtioBlock reads and writes sectors for a ${name} driver`, () => {
    const disk = new MemoryDisk(100 * 512);
    const { bench } = setUp(disk);
    const [queue] = start(bench, [FLUSH]);
    const before = disk.bytes.slice();
    assertEquals(queue.request(header(0, 5), 1024, 1), {
      head: 0,
      length: 1025,
      bytes: Uint8Array.of(...before.subarray(2560, 3584), 0),
    });
    const data = Uint8Array.from({ length: 1024 }, (_, i) => i * 3);
    assertEquals(queue.request(header(1, 98), data.subarray(0, 700), data.subarray(700), 1).bytes, Uint8Array.of(0));
    assertEquals(disk.bytes.subarray(98 * 512), data);
    assertEquals(disk.bytes.subarray(0, 98 * 512), before.subarray(0, 98 * 512));
    assertEquals(disk.flushes, 0);
    assertEquals(queue.request(header(4), 1).bytes, Uint8Array.of(0));
    assertEquals(disk.flushes, 1);
  });
}

Deno.test("VirtioBlock reads into pieces of any size, with header and status in one piece with data", () => {
  const disk = new MemoryDisk(400 * 512);
  const { bench } = setUp(disk);
  const [queue] = startModern(bench, [INDIRECT]);
  queue.indirect = true;
  const head = header(0, 3);
  const { bytes, length } = queue.request(head.subarray(0, 7), head.subarray(7), 100, 4096, 512 * 300 - 4196 + 1);
  assertEquals(length, 512 * 300 + 1);
  assertEquals(bytes.subarray(0, -1), disk.bytes.subarray(3 * 512, 303 * 512));
  assertEquals(bytes.at(-1), 0);
});

Deno.test("VirtioBlock tells capacity, geometry and serial number", () => {
  const { bench } = setUp(new MemoryDisk(3000 * 512 + 100));
  const [queue] = startModern(bench);
  assertEquals(bench.common(0x2000, 4), 3000);
  assertEquals(bench.common(0x2004, 4), 0);
  assertEquals([bench.common(0x2010, 2), bench.common(0x2012, 1), bench.common(0x2013, 1)], [2, 16, 63]);
  assertEquals(bench.common(0x2014, 4), 512);
  const { bytes } = queue.request(header(8), 20, 1);
  assertEquals(new TextDecoder().decode(bytes), "DISK 1" + "\0".repeat(14) + "\0");
});

Deno.test("VirtioBlock writes zeroes", () => {
  const disk = new MemoryDisk(300 * 512);
  const { bench } = setUp(disk);
  const [queue] = startModern(bench, [WRITE_ZEROES, FLUSH]);
  const segment = (sector: number, sectors: number, flags = 0): Uint8Array =>
    new Uint8Array(Uint32Array.of(sector, 0, sectors, flags).buffer);
  assertEquals(queue.request(header(13), segment(10, 200), 1).bytes, Uint8Array.of(0));
  assertEquals(disk.bytes.subarray(10 * 512, 210 * 512).every((byte) => byte === 0), true);
  assertEquals(disk.bytes[10 * 512 - 1] !== 0 && disk.bytes[210 * 512 + 1] !== 0, true);
  assertEquals(queue.request(header(13), segment(290, 11), 1).bytes, Uint8Array.of(1));
  assertEquals(queue.request(header(13), segment(0, 0x8001), 1).bytes, Uint8Array.of(1));
  assertEquals(queue.request(header(13), segment(0, 1, 2), 1).bytes, Uint8Array.of(2));
});

Deno.test("VirtioBlock refuses what it cannot do, and goes on", () => {
  const disk = new MemoryDisk(10 * 512, true);
  const { bench, errors } = setUp(disk);
  const [queue] = startModern(bench);
  assertEquals(queue.request(header(0, 9), 1024, 1).bytes.at(-1), 1, "behind the end");
  assertEquals(queue.request(header(0, 2 ** 53 - 1), 512, 1).bytes.at(-1), 1, "far behind the end");
  assertEquals(queue.request(header(0, 0), 100, 1).bytes.at(-1), 1, "no whole sector");
  assertEquals(queue.request(header(1, 0), new Uint8Array(512), 1).bytes, Uint8Array.of(1), "read-only");
  assertEquals(queue.request(header(99), 1).bytes, Uint8Array.of(2), "unknown");
  disk.fails = true;
  assertEquals(queue.request(header(0, 0), 512, 1).bytes.at(-1), 1, "the host fails");
  assertEquals(errors, ["Cannot read the disk: it is gone"]);
  disk.fails = false;
  assertEquals(queue.request(header(0, 0), 512, 1).bytes.at(-1), 0);
  assertEquals(bench.status, 15);
});

Deno.test("VirtioBlock without the flush feature makes each write safe", () => {
  const disk = new MemoryDisk(10 * 512);
  const { bench } = setUp(disk);
  const [queue] = startLegacy(bench);
  queue.request(header(1, 0), new Uint8Array(512), 1);
  assertEquals(disk.flushes, 1);
});

Deno.test("VirtioBlock does long batches in parts", () => {
  const disk = new MemoryDisk(4 << 20);
  const { bench, clock } = setUp(disk);
  const [queue] = startModern(bench, [FLUSH]);
  for (let n = 0; n < 4; n++) queue.add([header(0, 0), 3 << 20, 1], 3 * n);
  queue.notify();
  assertEquals(queue.used().length, 3);
  queue.notify();
  assertEquals(queue.used().length, 0);
  clock.advance(0);
  assertEquals(queue.used().length, 1);
});

Deno.test("VirtioBlock.restore() goes on with what was put off", () => {
  const first = setUp(new MemoryDisk(4 << 20)), second = setUp(new MemoryDisk(4 << 20));
  const [queue] = startModern(first.bench, [FLUSH, EVENT_INDEX]);
  for (let n = 0; n < 4; n++) queue.add([header(0, 0), 3 << 20, 1], 3 * n);
  queue.notify();
  assertEquals(first.bench.memory.view.getUint16(queue.device + 2, true), 3);
  second.bench.memory.bytes.set(first.bench.memory.bytes);
  second.bench.pci.restore(JSON.parse(JSON.stringify(first.bench.pci.save())));
  second.clock.advance(0);
  assertEquals(second.bench.memory.view.getUint16(queue.device + 2, true), 4);
});

Deno.test("new VirtioBlock() refuses a serial number that is too long", () => {
  const options = { disk: new MemoryDisk(512), clock: new VirtualClock(), serial: "x".repeat(21) };
  assertThrows(() => new VirtioBlock(options), RangeError, "too long");
});
