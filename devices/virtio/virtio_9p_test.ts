import { assertEquals, assertThrows } from "@std/assert";
import { VirtualClock } from "../clock.ts";
import { DenoFiles } from "../ninep/deno_files.ts";
import { Answer, type Part, request, u16, u32, u64 } from "../ninep/ninep_client_test.ts";
import { NO_FID, NO_TAG, REQUEST, RLERROR } from "../ninep/protocol.ts";
import { type DriverQueue, startLegacy, startModern, VirtioBench, WINDOW } from "./guest_driver_test.ts";
import { Virtio9p } from "./virtio_9p.ts";

const ROOM = 9000, NEEDS_RESET = 0x40;
const ignore = Deno.build.os === "windows";

function makeBench(folder: string): { bench: VirtioBench; clock: VirtualClock } {
  const clock = new VirtualClock();
  const device = new Virtio9p({ files: new DenoFiles(folder), tag: "work", clock });
  return { bench: new VirtioBench(device, 0x400_0000), clock };
}

function ask(queue: DriverQueue, type: number, ...parts: Part[]): Answer {
  const { length, bytes } = queue.request(request(type, 3, ...parts), ROOM);
  return new Answer(bytes.subarray(0, length));
}

function open(queue: DriverQueue, name: string): void {
  ask(queue, REQUEST.VERSION, u32(8192), "9P2000.L");
  ask(queue, REQUEST.ATTACH, u32(0), u32(NO_FID), "root", "", u32(0));
  ask(queue, REQUEST.WALK, u32(0), u32(1), u16(1), name);
  assertEquals(ask(queue, REQUEST.LOPEN, u32(1), u32(2)).type, REQUEST.LOPEN + 1);
}

function withFolder(fn: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    fn(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

for (const [name, start] of [["modern", startModern], ["legacy", startLegacy]] as const) {
  Deno.test({
    name: `Virtio9p serves a ${name} driver, with contents in buffers of their own`,
    ignore,
    fn: () =>
      withFolder((folder) => {
        Deno.writeTextFileSync(`${folder}/file`, "x".repeat(6000));
        const { bench } = makeBench(folder);
        const [queue] = start(bench, [0]);
        open(queue, "file");
        const bytes = new Uint8Array(5000).fill(0x79);
        const head = request(REQUEST.WRITE, 3, u32(1), u64(500), u32(bytes.length));
        new DataView(head.buffer).setUint32(0, head.length + bytes.length, true);
        const wrote = queue.request(head, bytes.subarray(0, 100), bytes.subarray(100), 11);
        assertEquals(new Answer(wrote.bytes).number(4), 5000);
        const read = queue.request(request(REQUEST.READ, 3, u32(1), u64(0), u32(6000)), 11, 4096, 1904);
        assertEquals(read.length, 6011);
        const text = new TextDecoder().decode(read.bytes.subarray(11));
        assertEquals(text, "x".repeat(500) + "y".repeat(5000) + "x".repeat(500));
        const refused = queue.request(request(REQUEST.READ, NO_TAG, u32(9), u64(0), u32(6000)), 11, 6000);
        assertEquals([refused.length, refused.bytes[4]], [11, RLERROR]);
      }),
  });
}

Deno.test({
  name: "Virtio9p tells its tag, 1 to 31 bytes",
  ignore,
  fn: () =>
    withFolder((folder) => {
      const { bench } = makeBench(folder);
      startModern(bench, [0]);
      const bytes = Array.from({ length: 7 }, (_, n) => bench.mmio.in(WINDOW + 0x2000 + n, 1));
      assertEquals(bytes, [4, 0, ...new TextEncoder().encode("work"), 0]);
      const files = new DenoFiles(folder), clock = new VirtualClock();
      for (const tag of ["", "x".repeat(32)]) assertThrows(() => new Virtio9p({ files, tag, clock }), RangeError);
    }),
});

Deno.test({
  name: "Virtio9p takes no chain without room for an answer",
  ignore,
  fn: () =>
    withFolder((folder) => {
      const { bench } = makeBench(folder);
      const [queue] = startModern(bench, [0]);
      queue.add([request(REQUEST.VERSION, 3, u32(8192), "9P2000.L"), 10]);
      queue.notify();
      assertEquals([queue.used().length, bench.status & NEEDS_RESET], [0, NEEDS_RESET]);
    }),
});

Deno.test({
  name: "Virtio9p does the rest of a long batch later",
  ignore,
  fn: () =>
    withFolder((folder) => {
      Deno.writeFileSync(`${folder}/file`, new Uint8Array(1 << 20));
      const { bench, clock } = makeBench(folder);
      const [queue] = startModern(bench, [0], 128);
      ask(queue, REQUEST.VERSION, u32(512 * 1024), "9P2000.L");
      ask(queue, REQUEST.ATTACH, u32(0), u32(NO_FID), "root", "", u32(0));
      ask(queue, REQUEST.WALK, u32(0), u32(1), u16(1), "file");
      ask(queue, REQUEST.LOPEN, u32(1), u32(0));
      for (let n = 0; n < 30; n++) queue.add([request(REQUEST.READ, n, u32(1), u64(0), u32(500_000)), 500_011], 2 * n);
      queue.notify();
      const first = queue.used().length;
      assertEquals(first > 10 && first < 30, true, `${first}`);
      clock.advance(1);
      assertEquals(queue.used().length, 30 - first);
    }),
});

Deno.test({
  name: "Virtio9p.save() keeps what the guest has open",
  ignore,
  fn: () =>
    withFolder((folder) => {
      Deno.writeTextFileSync(`${folder}/file`, "hello");
      Deno.writeTextFileSync(`${folder}/other`, "");
      const { bench, clock } = makeBench(folder);
      const [queue] = startModern(bench, [0]);
      open(queue, "file");
      ask(queue, REQUEST.WALK, u32(0), u32(2), u16(1), "other");
      ask(queue, REQUEST.LOPEN, u32(2), u32(0));
      const state = JSON.parse(JSON.stringify(bench.pci.save()));
      Deno.removeSync(`${folder}/other`);
      bench.pci.reset();
      bench.pci.restore(state);
      clock.advance(1);
      const read = (fid: number): Answer => ask(queue, REQUEST.READ, u32(fid), u64(0), u32(100));
      const answer = read(1);
      assertEquals(new TextDecoder().decode(answer.take(answer.number(4))), "hello");
      assertEquals(read(2).type, RLERROR);
      assertEquals(ask(queue, REQUEST.CLUNK, u32(2)).type, REQUEST.CLUNK + 1);
    }),
});
