import { assertEquals } from "@std/assert";
import { AtaDrive } from "./ata_drive.ts";
import { AtapiDrive } from "./atapi_drive.ts";
import { BM, broken, IdeGuest, numbered, numbers, words } from "./ide_guest_test.ts";

const INTERRUPT = 4, ACTIVE = 1;

Deno.test("BusMaster lets drives offer DMA", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(10))], { dma: true });
  assertEquals(guest.command(0xef, { features: 3, count: 0x45 }), 0x50);
  guest.command(0xec);
  let identity = words(guest.take(512));
  assertEquals([identity[49], identity[53], identity[63], identity[88]], [0x0b00, 7, 7, 0x203f]);
  guest.command(0xef, { features: 3, count: 0x22 });
  guest.command(0xec);
  identity = words(guest.take(512));
  assertEquals([identity[63], identity[88]], [0x0407, 0x3f]);
  assertEquals(guest.command(0xef, { features: 3, count: 0x46 }), 0x51);
});

Deno.test("BusMaster moves a read to the regions of a list", () => {
  for (const [code, ext] of [[0xc8, false], [0xc9, false], [0x25, true]] as const) {
    const guest = new IdeGuest([new AtaDrive(numbered(300))], { dma: true });
    assertEquals(guest.command(code, { count: 200, lba: 50, ext }), 0x58);
    assertEquals([guest.level, guest.take(2)[0]], [false, 0], "nothing at the data port");
    guest.startDma([[0x1000, 0x200], [0x20000, 0x10000], [0x40000, 100 * 512 - 0x200], [0x8000, 200 * 512]], true);
    assertEquals(guest.dmaStatus, INTERRUPT | ACTIVE, "the list is longer than the data");
    assertEquals(guest.answer(), 0x50);
    assertEquals(numbers(guest.memory.subarray(0x1000, 0x1200)), [50]);
    assertEquals(numbers(guest.memory.subarray(0x20000, 0x30000)), Array.from({ length: 128 }, (_, i) => 51 + i));
    assertEquals(numbers(guest.memory.subarray(0x40000, 0x40000 + 71 * 512)).at(-1), 249);
    guest.ports.out(BM, 1, 0);
    guest.ports.out(BM + 2, 1, 4);
    assertEquals([guest.dmaStatus, guest.rises], [0, 1]);
  }
});

Deno.test("BusMaster moves a write from the regions of a list, also when it is started before", () => {
  const disk = numbered(300);
  const guest = new IdeGuest([undefined, new AtaDrive(disk)], { dma: true });
  for (let i = 0; i < 0x20000; i++) guest.memory[0x10000 + i] = i * 3 + (i >> 8);
  guest.startDma([[0x10000, 0], [0x20000, 6], [0x20006, 72 * 512 - 6]], false);
  assertEquals(guest.dmaStatus, ACTIVE);
  guest.command(0xca, { count: 200, lba: 90, device: 0xf0 });
  assertEquals(guest.dmaStatus, INTERRUPT, "the list ends with the data");
  assertEquals(guest.answer(), 0x50);
  const bytes = new Uint8Array(200 * 512);
  disk.read(90 * 512, bytes);
  assertEquals(bytes, guest.memory.subarray(0x10000, 0x10000 + bytes.length));
});

Deno.test("BusMaster stops where a list is too short, until a reset", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(300))], { dma: true });
  guest.command(0xc8, { count: 4 });
  guest.startDma([[0x1000, 3 * 512]], true);
  assertEquals([guest.dmaStatus, guest.status, guest.level], [0, 0x58, false]);
  const state = JSON.parse(JSON.stringify([guest.channel.save(), guest.busMaster.save()]));
  guest.control(4);
  guest.control(0);
  assertEquals(guest.status, 0x50);
  guest.channel.restore(state[0]);
  guest.busMaster.restore(state[1]);
  guest.startDma([[0x5000, 512]], true);
  assertEquals([guest.dmaStatus, guest.answer(), numbers(guest.memory.subarray(0x5000, 0x5200))], [4, 0x50, [3]]);
});

Deno.test("BusMaster shows the interrupt of a drive that fails", () => {
  const guest = new IdeGuest([new AtaDrive(broken(numbered(300), 150 * 512))], { dma: true });
  guest.command(0x25, { count: 200, ext: true });
  guest.startDma([[0x1000, 0], [0x11000, 0]], true);
  assertEquals(guest.dmaStatus, INTERRUPT | ACTIVE);
  assertEquals([guest.answer(), guest.in(1), guest.in(3)], [0x51, 0x40, 150]);
});

Deno.test("BusMaster moves the data of packets", () => {
  const guest = new IdeGuest([new AtapiDrive(numbered(100, 2048))], { dma: true });
  guest.command(0xa0, { device: 0xa0, features: 1 });
  guest.give(Uint8Array.of(0x28, 0, 0, 0, 0, 10, 0, 0, 40, 0, 0, 0));
  assertEquals([guest.status, guest.level], [0x58, false]);
  guest.startDma([[0x10000, 0], [0x20000, 40 * 2048 - 0x10000]], true);
  assertEquals([guest.dmaStatus, guest.answer(), guest.in(2)], [INTERRUPT, 0x50, 3]);
  assertEquals(
    numbers(guest.memory.subarray(0x10000, 0x10000 + 40 * 2048), 2048),
    Array.from({ length: 40 }, (_, i) => 10 + i),
  );
  guest.command(0xa0, { device: 0xa0, features: 1 });
  guest.startDma([[0x30000, 36]], true);
  guest.give(Uint8Array.of(0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0));
  assertEquals([guest.dmaStatus, guest.answer(), guest.memory[0x30000]], [INTERRUPT, 0x50, 5]);
});

Deno.test("BusMaster keeps its registers", () => {
  const guest = new IdeGuest([], { dma: true });
  guest.ports.out(BM + 12, 4, 0x89abcdef);
  guest.ports.out(BM + 10, 1, 0xff);
  guest.ports.out(BM + 8, 1, 0xff);
  assertEquals([guest.ports.in(BM + 12, 4), guest.ports.in(BM + 8, 4), guest.ports.in(BM, 4)], [
    0x89abcdec,
    0x610009,
    0,
  ]);
  const state = guest.busMaster.save();
  guest.busMaster.reset();
  assertEquals(guest.ports.in(BM + 12, 4), 0);
  guest.busMaster.restore(state);
  assertEquals(guest.ports.in(BM + 12, 4), 0x89abcdec);
});
