/**
 * Random accesses to all drives, with a host that fails here and there: nothing throws, nothing hangs, and a channel restored from
 * JSON goes on as the one that was saved.
 * @module
 */

import { assertEquals } from "@std/assert";
import { AtaDrive } from "./ata_drive.ts";
import { AtapiDrive } from "./atapi_drive.ts";
import { BM, broken, IdeGuest, numbered } from "./ide_guest_test.ts";

const SEEDS = 40, STEPS = 1200;
// deno-fmt-ignore
const COMMANDS = [
  0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0x42, 0x70, 0x90, 0x91, 0xa0, 0xa0, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6, 0xc8,
  0xca, 0xe5, 0xe7, 0xec, 0xef, 0x08,
];
// deno-fmt-ignore
const PACKETS = [0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x43, 0x46, 0x4a, 0x5a, 0xa8];

/** mulberry32. */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** One random thing that a guest does; what it sees. */
function step(guest: IdeGuest, random: (below: number) => number): number {
  const small = () => random(3) === 0 ? random(256) : random(4);
  switch (random(12)) {
    case 0:
    case 1:
      return guest.command(COMMANDS[random(COMMANDS.length)], {
        features: small(),
        count: small(),
        lba: random(random(4) === 0 ? 2 ** 28 : 200),
        device: [0xe0, 0xf0, 0xa0, 0xb0][random(4)],
        ext: random(4) === 0,
      });
    case 2: {
      const bytes = Uint8Array.from({ length: 12 }, () => random(3) === 0 ? small() : 0);
      bytes[0] = PACKETS[random(PACKETS.length)];
      guest.give(bytes, random(2) === 0 ? 2 : 4);
      return guest.status;
    }
    case 3:
    case 4: {
      const length = [2, 100, 512, 2048, 8192][random(5)];
      return guest.take(length, random(2) === 0 ? 2 : 4).reduce((sum, byte) => sum + byte | 0, 0);
    }
    case 5:
      guest.give(new Uint8Array([2, 512, 512, 2048][random(4)]).fill(random(256)));
      return guest.status;
    case 6: {
      guest.startDma([[random(0x80000), small() * 0x100], [random(0x80000), random(0x10000)]], random(2) === 0);
      return guest.dmaStatus;
    }
    case 7:
      guest.control(random(3) === 0 ? random(256) : 0);
      return guest.status;
    case 8:
      return guest.ports.in(BM + random(16), [1, 2, 4][random(3)]);
    case 9:
      guest.ports.out(BM + random(16), [1, 2, 4][random(3)], random(2 ** 32));
      return guest.dmaStatus;
    case 10:
      guest.out(random(8), small(), [1, 1, 2, 4][random(4)]);
      return guest.status;
    default:
      return guest.in(random(8), [1, 1, 2, 4][random(4)]);
  }
}

Deno.test("IdeChannel: random accesses never throw and never hang, and a restored one goes on as the saved one", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const disk = numbered(300), disc = numbered(100, 2048);
    const make = () => {
      const drives = [new AtaDrive(broken(disk, 77 * 512)), new AtapiDrive(broken(disc, 60 * 2048))] as const;
      return new IdeGuest(seed % 2 === 0 ? [drives[0], drives[1]] : [drives[1], drives[0]], { dma: seed % 3 !== 0 });
    };
    const guest = make();
    const random = generator(seed);
    for (let i = 0; i < STEPS; i++) step(guest, random);
    const state = JSON.parse(JSON.stringify([guest.channel.save(), guest.busMaster.save()]));
    const other = make();
    other.memory.set(guest.memory);
    other.channel.restore(state[0]);
    other.busMaster.restore(state[1]);
    assertEquals(other.level, guest.level);
    assertEquals(JSON.parse(JSON.stringify([other.channel.save(), other.busMaster.save()])), state);
    const [one, two] = [generator(seed + 1000), generator(seed + 1000)];
    // Both write to one disk, so that both are always asked the same.
    for (let i = 0; i < 200; i++) assertEquals(step(other, two), step(guest, one), `seed ${seed}, step ${i}`);
  }
});
