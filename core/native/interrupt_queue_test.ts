import { assert, assertEquals } from "@std/assert";
import { InterruptQueue } from "./interrupt_queue.ts";

Deno.test("InterruptQueue.take() gives each vector once, the lowest first", () => {
  const queue = new InterruptQueue();
  const vectors = [255, 31, 32, 0, 63, 200, 32];
  for (const vector of vectors) queue.add(vector);
  assert(!queue.isEmpty);
  for (const vector of [0, 31, 32, 63, 200, 255, -1]) assertEquals(queue.take(), vector);
  assert(queue.isEmpty);
});

Deno.test("InterruptQueue.load() restores what save() gave", () => {
  const queue = new InterruptQueue();
  for (const vector of [7, 31, 128, 254]) queue.add(vector);
  const bitmap = new Uint8Array(32);
  queue.save(bitmap);
  assertEquals([...bitmap.entries()].filter(([, byte]) => byte !== 0), [[0, 0x80], [3, 0x80], [16, 1], [31, 0x40]]);
  const other = new InterruptQueue();
  other.add(3);
  other.load(bitmap);
  for (const vector of [7, 31, 128, 254, -1]) assertEquals(other.take(), vector);
});
