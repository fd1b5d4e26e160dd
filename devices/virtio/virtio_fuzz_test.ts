/**
 * Virtio devices under a malicious driver: random registers and random memory. Nothing throws, and nothing takes long.
 * @module
 */

import { assertEquals } from "@std/assert";
import { BufferEnd } from "../buffer_end.ts";
import { VirtualClock } from "../clock.ts";
import type { Disk } from "../disk/disk.ts";
import type { EthernetCard } from "../net/ethernet.ts";
import { MSIX_WINDOW, PORTS, startLegacy, startModern, VirtioBench, WINDOW } from "./guest_driver_test.ts";
import { VirtioBlock } from "./virtio_block.ts";
import { VirtioConsole } from "./virtio_console.ts";
import type { VirtioDevice } from "./virtio_device.ts";
import { VirtioEntropy } from "./virtio_entropy.ts";
import { VirtioNet } from "./virtio_net.ts";

const MILLISECONDS = 1000;
const STEPS = 300;
const MEMORY = 0x20000;

/** mulberry32. */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const DISK: Disk = {
  size: 1 << 20,
  readonly: false,
  read: (offset, into) => into.fill(offset >> 9),
  write: () => {},
  flush: () => {},
  [Symbol.dispose]: () => {},
};

function makeDevice(kind: number, clock: VirtualClock, random: (below: number) => number): VirtioDevice {
  switch (kind) {
    case 0:
      return new VirtioBlock({ disk: DISK, clock });
    case 1: {
      const end = new BufferEnd();
      end.write("some input for the guest ".repeat(10));
      return new VirtioConsole(end);
    }
    case 2: {
      let card: EthernetCard | undefined;
      const deliver = (length: number): void => {
        card?.receive(new Uint8Array(length), length > 1514 ? 1460 : undefined);
      };
      const port = {
        connect: (plugged: EthernetCard) => card = plugged,
        send: (frame: Uint8Array) => deliver(frame.length),
        resume: () => deliver(random(2000)),
      };
      return new VirtioNet({ port, mac: new Uint8Array(6) });
    }
    default:
      return new VirtioEntropy({ fill: (bytes) => bytes.forEach((_, n) => bytes[n] = random(256)) });
  }
}

Deno.test("VirtioPci never throws or hangs, whatever the driver does", () => {
  const end = performance.now() + MILLISECONDS;
  let longest = 0;
  for (let seed = 1; performance.now() < end; seed++) {
    const random = generator(seed), clock = new VirtualClock();
    const bench = new VirtioBench(makeDevice(random(4), clock, random), MEMORY);
    const { view } = bench.memory;
    const queues = seed % 2 === 0 ? startModern(bench, seed % 4 === 0 ? [28, 29] : []) : startLegacy(bench);
    const address = (): number => random(8) === 0 ? random(2 ** 32) : random(MEMORY);
    const sized = (write: (size: number, value: number) => void): void => {
      const size = 1 << random(3);
      write(size, size === 4 ? random(8) === 0 ? random(2 ** 32) : random(MEMORY) : random(2 ** (8 * size)));
    };
    const steps: (() => void)[] = [
      () => sized((size, value) => bench.mmio.out(WINDOW + random(0x40), size, value)),
      () => bench.mmio.out(WINDOW + 0x3000 + 4 * random(3), 2, 0),
      () => bench.mmio.in(WINDOW + random(0x4000), 1 << random(3)),
      () => bench.mmio.out(MSIX_WINDOW + random(0x1000), 4, random(2 ** 32)),
      () => sized((size, value) => bench.ports.out(PORTS + random(32), size, value)),
      () => bench.ports.in(PORTS + random(32), 1 << random(3)),
      () => sized((size, value) => bench.config(random(256), value, size)),
      () => bench.memory.bytes.fill(random(256), random(MEMORY), random(MEMORY)),
      () => clock.advance(random(10)),
      () => {
        bench.config(4, 7, 2);
        bench.config(0x20, WINDOW, 4);
        bench.config(0x10, PORTS, 4);
      },
      () => {
        const queue = queues[random(queues.length)];
        const fields = { address: address(), length: random(4) === 0 ? random(2 ** 32) : random(5000) };
        queue.descriptor(queue.descriptors, random(16), { ...fields, flags: random(8), next: random(20) });
      },
      () => {
        const queue = queues[random(queues.length)];
        view.setUint16(queue.driver + 2, view.getUint16(queue.device + 2, true) + random(20), true);
        for (let n = 0; n < 16; n++) view.setUint16(queue.driver + 4 + 2 * n, random(18), true);
        queue.notify();
      },
    ];
    for (let step = 0; step < STEPS; step++) {
      const before = performance.now();
      steps[random(steps.length)]();
      longest = Math.max(longest, performance.now() - before);
    }
    if (seed % 8 === 0) bench.pci.restore(JSON.parse(JSON.stringify(bench.pci.save())));
  }
  assertEquals(longest < MILLISECONDS, true, `a step took ${longest} ms`);
});
