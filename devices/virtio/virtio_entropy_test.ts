import { assertEquals } from "@std/assert";
import { startLegacy, startModern, VirtioBench } from "./guest_driver_test.ts";
import { VirtioEntropy } from "./virtio_entropy.ts";

for (const [name, start] of [["modern", startModern], ["legacy", startLegacy]] as const) {
  Deno.test(`VirtioEntropy fills what a ${name} driver offers, up to 4 KiB`, () => {
    let next = 0;
    const device = new VirtioEntropy({ fill: (bytes) => bytes.forEach((_, n) => bytes[n] = next++) });
    const [queue] = start(new VirtioBench(device));
    assertEquals(queue.request(3, 5), { head: 0, length: 8, bytes: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7) } as never);
    assertEquals(queue.request(10_000).length, 4096);
  });
}
