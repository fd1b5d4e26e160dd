import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../disk/memory_disk.ts";
import { AtaDrive } from "./ata_drive.ts";
import { broken, IdeGuest, numbered, numbers, words } from "./ide_guest_test.ts";

const READY = 0x50, DATA = 0x58, FAILED = 0x51;
const ABRT = 4, IDNF = 0x10, UNC = 0x40;

/** A disk as long as one likes, without contents. */
function huge(sectors: number): MemoryDisk {
  const disk = new MemoryDisk(0);
  return new Proxy(disk, {
    get: (_, key) => key === "size" ? sectors * 512 : key === "readonly" ? false : () => {},
  });
}

Deno.test("AtaDrive READ SECTORS interrupts for each sector and ends ready", () => {
  for (const code of [0x20, 0x21]) {
    const guest = new IdeGuest([new AtaDrive(numbered(100))]);
    assertEquals(guest.command(code, { count: 3, lba: 40 }), DATA);
    for (const sector of [40, 41, 42]) {
      assertEquals(guest.answer(), DATA);
      assertEquals(numbers(guest.take(512, sector === 41 ? 4 : 2)), [sector]);
    }
    assertEquals([guest.status, guest.level, guest.rises], [READY, false, 3]);
    assertEquals([guest.in(2), guest.in(3), guest.in(1)], [0, 42, 0]);
  }
});

Deno.test("AtaDrive WRITE SECTORS interrupts after each sector", () => {
  const disk = numbered(100);
  const guest = new IdeGuest([new AtaDrive(disk)]);
  assertEquals(guest.command(0x30, { count: 2, lba: 98 }), DATA);
  assertEquals(guest.level, false);
  guest.give(new Uint8Array(512).fill(0x11));
  assertEquals(guest.answer(), DATA);
  guest.give(new Uint8Array(512).fill(0x22), 4);
  assertEquals([guest.answer(), guest.rises], [READY, 2]);
  const bytes = new Uint8Array(1024);
  disk.read(98 * 512, bytes);
  assertEquals(numbers(bytes), [0x11111111, 0x22222222]);
});

Deno.test("AtaDrive READ and WRITE MULTIPLE interrupt once a block", () => {
  const disk = numbered(100);
  const guest = new IdeGuest([new AtaDrive(disk)]);
  assertEquals(guest.command(0xc6, { count: 0 }), READY);
  assertEquals([guest.command(0xc4, { count: 4 }), guest.in(1)], [FAILED, ABRT]);
  for (const count of [3, 32, 128]) assertEquals(guest.command(0xc6, { count }), FAILED);
  assertEquals(guest.command(0xc6, { count: 4 }), READY);
  guest.answer();
  guest.rises = 0;
  for (const ext of [false, true]) {
    guest.command(ext ? 0x29 : 0xc4, { count: 6, lba: 10, ext });
    assertEquals(guest.answer(), DATA);
    assertEquals(numbers(guest.take(4 * 512)), [10, 11, 12, 13]);
    assertEquals(guest.answer(), DATA);
    assertEquals(numbers(guest.take(2 * 512)), [14, 15]);
    assertEquals(guest.status, READY);
    guest.command(ext ? 0x39 : 0xc5, { count: 5, lba: ext ? 70 : 60, ext });
    guest.give(new Uint8Array(4 * 512).fill(1));
    assertEquals(guest.answer(), DATA);
    guest.give(new Uint8Array(512).fill(2));
    assertEquals(guest.answer(), READY);
  }
  assertEquals(guest.rises, 8);
  const bytes = new Uint8Array(20 * 512);
  disk.read(59 * 512, bytes);
  assertEquals(numbers(bytes).map((n) => n & 0xff), [
    59,
    1,
    1,
    1,
    1,
    2,
    65,
    66,
    67,
    68,
    69,
    1,
    1,
    1,
    1,
    2,
    75,
    76,
    77,
    78,
  ]);
});

Deno.test("AtaDrive takes addresses as cylinder, head and sector, of 28 and of 48 bits", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(40_000))]);
  const read = (code: number, registers: Parameters<IdeGuest["command"]>[1]) => {
    assertEquals(guest.command(code, { count: 1, ...registers }), DATA);
    return numbers(guest.take(512))[0];
  };
  assertEquals(read(0x20, { lba: 1, mid: 0, high: 0, device: 0xa0 }), 0);
  assertEquals(read(0x20, { lba: 63, mid: 3, high: 0, device: 0xaf }), (3 * 16 + 15) * 63 + 62);
  assertEquals([guest.in(3), guest.in(4), guest.in(5), guest.in(6)], [63, 3, 0, 0xaf], "shown in the same form");
  assertEquals(read(0x20, { lba: 0x9000 }), 0x9000);
  assertEquals(read(0x24, { lba: 0x9001, ext: true }), 0x9001);
  assertEquals(guest.command(0x91, { count: 17, device: 0xa3 }), READY);
  assertEquals(read(0x20, { lba: 2, mid: 5, high: 1, device: 0xa1 }), (0x105 * 4 + 1) * 17 + 1);
  for (const lba of [0, 18]) {
    assertEquals([guest.command(0x20, { lba, mid: 0, device: 0xa0, count: 1 }), guest.in(1)], [FAILED, IDNF]);
  }
  assertEquals([guest.command(0x20, { lba: 1, device: 0xa4, count: 1 }), guest.in(1)], [FAILED, IDNF]);
});

Deno.test("AtaDrive counts 0 as 256, or as 65,536 with LBA48", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(256))]);
  guest.command(0x20, { count: 0 });
  assertEquals(numbers(guest.take(256 * 512)).at(-1), 255);
  assertEquals(guest.status, READY);
  assertEquals([guest.command(0x24, { count: 0, ext: true }), guest.in(1)], [FAILED, IDNF]);
  const big = new IdeGuest([new AtaDrive(huge(2 ** 33 + 70_000))]);
  assertEquals(big.command(0x42, { count: 0, lba: 2 ** 33, ext: true }), READY);
  assertEquals([2, 3, 4, 5].map((register) => big.in(register)), [0, 0xff, 0xff, 0]);
  big.control(0x80);
  assertEquals([2, 3, 4, 5].map((register) => big.in(register)), [0, 0, 2, 0], "the upper halves");
  big.out(3, 0x12);
  assertEquals(big.in(3), 0x12, "a write ends the view of them");
});

Deno.test("AtaDrive finds no sectors after its end, and shows which", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(100))]);
  for (const code of [0x20, 0x30, 0x40]) {
    assertEquals([guest.command(code, { count: 2, lba: 99 }), guest.in(1), guest.in(3)], [FAILED, IDNF, 100]);
    guest.answer();
  }
  assertEquals([guest.command(0x70, { lba: 100, count: 1 }), guest.in(1)], [FAILED, IDNF]);
  assertEquals(guest.command(0x70, { lba: 99, count: 1 }), READY);
});

Deno.test("AtaDrive IDENTIFY describes the drive", () => {
  const guest = new IdeGuest([new AtaDrive(huge(2 ** 28 + 5), { model: "Model", serial: "S1" })]);
  assertEquals(guest.command(0xec), DATA);
  guest.answer();
  const bytes = guest.take(512);
  const word = words(bytes);
  assertEquals(guest.status, READY);
  assertEquals([word[0], word[1], word[3], word[6]], [0x40, 16383, 16, 63]);
  assertEquals([word[27], word[28], word[29], word[30]], [0x4d6f, 0x6465, 0x6c20, 0x2020], "the model, swapped");
  assertEquals([word[47], word[49], word[53], word[64]], [0x8010, 0x0a00, 3, 3], "programmed I/O only");
  assertEquals([word[63], word[88]], [0, 0]);
  assertEquals(word[60] + word[61] * 2 ** 16, 0x0fffffff);
  assertEquals(word[100] + word[101] * 2 ** 16, 2 ** 28 + 5);
  assertEquals(word[83] & 0x0400, 0x0400);
  assertEquals(bytes.reduce((sum, byte) => sum + byte & 0xff, 0), 0, "the sum");
  guest.command(0xc6, { count: 8 });
  guest.command(0xec);
  assertEquals(words(guest.take(512))[59], 0x0108);
});

Deno.test("AtaDrive aborts what it does not know", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(10))]);
  for (const code of [0x00, 0x08, 0xa0, 0xa1, 0xb0, 0xc8, 0x25, 0xff]) {
    assertEquals([guest.command(code, { count: 1 }), guest.in(1)], [FAILED, ABRT]);
    guest.answer();
  }
  assertEquals([guest.command(0xef, { features: 0x03, count: 0x42 }), guest.in(1)], [FAILED, ABRT], "no DMA");
});

Deno.test("AtaDrive does what moves nothing", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(10))]);
  for (const code of [0x10, 0x1f, 0xe7, 0xea, 0xe1, 0xe3, 0x97, 0xe2]) {
    assertEquals(guest.command(code), READY);
    assertEquals(guest.answer(), READY);
  }
  for (const [features, count] of [[0x03, 0x0c], [0x03, 0], [0x02, 0], [0x82, 0], [0xaa, 0], [0x66, 0]]) {
    assertEquals(guest.command(0xef, { features, count }), READY);
  }
  guest.command(0xe5);
  assertEquals(guest.in(2), 0xff);
  guest.command(0xe0);
  guest.command(0xe5);
  assertEquals(guest.in(2), 0, "standby");
  guest.command(0x20, { count: 1 });
  guest.take(512);
  guest.command(0xe5);
  assertEquals(guest.in(2), 0xff);
});

Deno.test("AtaDrive makes errors of the host errors of the drive", () => {
  const guest = new IdeGuest([new AtaDrive(broken(numbered(100), 22 * 512))]);
  guest.command(0xc6, { count: 4 });
  guest.command(0xc4, { count: 8, lba: 16 });
  guest.answer();
  guest.take(4 * 512);
  assertEquals([guest.status, guest.in(1), guest.in(3)], [FAILED, UNC, 22]);
  assertEquals([guest.command(0x40, { count: 50, lba: 1 }), guest.in(1), guest.in(3)], [FAILED, UNC, 22]);
  assertEquals(guest.command(0x30, { count: 2, lba: 22 }), DATA);
  guest.give(new Uint8Array(512));
  assertEquals([guest.answer(), guest.in(1), guest.in(3), guest.in(2)], [FAILED, ABRT, 22, 2]);
  assertEquals([guest.command(0xe7), guest.in(1)], [FAILED, ABRT]);
  const readonly = new IdeGuest([new AtaDrive(new MemoryDisk(new Uint8Array(5120), { readonly: true }))]);
  assertEquals([readonly.command(0x30, { count: 1 }), readonly.in(1)], [FAILED, ABRT]);
});

Deno.test("AtaDrive flushes each write without a write cache", () => {
  let flushes = 0;
  const disk = numbered(10);
  disk.flush = () => void flushes++;
  const guest = new IdeGuest([new AtaDrive(disk)]);
  const write = () => {
    guest.command(0x30, { count: 1 });
    guest.give(new Uint8Array(512));
  };
  write();
  assertEquals(flushes, 0);
  guest.command(0xef, { features: 0x82 });
  assertEquals(flushes, 1);
  write();
  assertEquals(flushes, 2);
  guest.command(0xe7);
  assertEquals(flushes, 3);
});
