import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../../../tests/firmware/memory_disk.ts";
import { ServiceBench } from "../../../tests/firmware/service_call.ts";

const FLOPPY = 1440 * 1024, DISK = 8 * 1024 * 1024;

/** A floppy, a disk and a CD, whose sectors begin with their numbers. */
function bench() {
  const numbered = (size: number, unit: number, readonly = false): MemoryDisk => {
    const disk = new MemoryDisk(size, undefined, readonly);
    const view = new DataView(disk.bytes.buffer);
    for (let n = 0; n < size / unit; n++) view.setUint32(n * unit, n, true);
    return disk;
  };
  const floppy = numbered(FLOPPY, 512), disk = numbered(DISK, 512), cd = numbered(0x100000, 2048, true);
  const board = new ServiceBench({
    drives: [{ kind: "floppy", disk: floppy }, { kind: "disk", disk }, { kind: "cdrom", disk: cd }],
  });
  return { board, floppy, disk, cd };
}

Deno.test("INT 13h AH=02h reads by cylinder, head and sector", () => {
  const { board } = bench();
  // Floppy: cylinder 2, head 1, sector 3; 2 sectors to 1000:0020.
  const floppy = board.call(0x13, { eax: 0x0202, ecx: 0x0203, edx: 0x0100, es: 0x1000, ebx: 0x20 });
  assertEquals([floppy.eax, floppy.carry], [0x0002, false]);
  const first = (2 * 2 + 1) * 18 + 2;
  assertEquals([board.view.getUint32(0x10020, true), board.view.getUint32(0x10220, true)], [first, first + 1]);
  // Disk: 16 heads, 63 sectors; cylinder 5, head 15, sector 63.
  board.call(0x13, { eax: 0x0201, ecx: 0x053f, edx: 0x0f80, es: 0x1000 });
  assertEquals(board.view.getUint32(0x10000, true), 6 * 16 * 63 - 1);
});

Deno.test("INT 13h AH=03h writes, AH=05h formats, AH=00h flushes", () => {
  const { board, disk, floppy } = bench();
  board.put(0x10000, "written");
  assertEquals(board.call(0x13, { eax: 0x0301, ecx: 0x0002, edx: 0x80, es: 0x1000 }).carry, false);
  assertEquals(new TextDecoder().decode(disk.bytes.subarray(512, 519)), "written");
  board.call(0x13, { eax: 0, edx: 0x80 });
  assertEquals(disk.flushes, 1);
  board.call(0x13, { eax: 0x0500, ecx: 0x0100, edx: 0 });
  assertEquals(floppy.bytes.subarray(36 * 512, 54 * 512), new Uint8Array(18 * 512).fill(0xf6));
});

Deno.test("INT 13h refuses what is not there, and AH=01h tells why", () => {
  const { board } = bench();
  const status = (eax: number, ecx: number, edx: number) => {
    const result = board.call(0x13, { eax, ecx, edx });
    assertEquals(board.call(0x13, { eax: 0x0100, edx }).eax >> 8, result.eax >> 8);
    return [result.eax >> 8, result.carry];
  };
  assertEquals(status(0x0201, 0x0013, 0x00), [4, true]); // sector 19 of 18
  assertEquals(status(0x0201, 0x0040, 0x80), [1, true]); // sector 0
  assertEquals(status(0x0201, 0x0001, 0x01), [1, true]); // drive
  assertEquals(status(0x0201, 0x0001, 0x81), [1, true]);
  assertEquals(status(0x0200, 0x0001, 0x80), [1, true]); // no sectors
  assertEquals(status(0x7700, 0, 0x80), [1, true]);
});

Deno.test("INT 13h: an empty drive and one that cannot be written", () => {
  const disk = new MemoryDisk(FLOPPY, undefined, true);
  const board = new ServiceBench({ drives: [{ kind: "floppy", disk }, { kind: "floppy", disk: undefined }] });
  assertEquals(board.call(0x13, { eax: 0x0301, ecx: 1 }).eax >> 8, 3);
  assertEquals(board.call(0x13, { eax: 0x0201, ecx: 1, edx: 1 }).eax >> 8, 0x80);
  assertEquals(board.call(0x13, { eax: 0x0800, edx: 1 }).edx, 0x0102);
});

Deno.test("INT 13h AH=08h and 15h tell about drives", () => {
  const { board } = bench();
  const floppy = board.call(0x13, { eax: 0x0800, edx: 0 });
  assertEquals([floppy.ecx, floppy.edx, floppy.ebx, floppy.es, floppy.edi], [0x4f12, 0x0101, 4, 0xf000, 0xefc7]);
  const disk = board.call(0x13, { eax: 0x0800, edx: 0x80 });
  assertEquals([disk.ecx, disk.edx, disk.carry], [0x0f3f, 0x0f01, false]);
  assertEquals(board.call(0x13, { eax: 0x0800, edx: 0x81 }).carry, true);
  assertEquals(board.call(0x13, { eax: 0x1500, edx: 0 }).eax >> 8, 2);
  const type = board.call(0x13, { eax: 0x1500, edx: 0x80 });
  assertEquals([type.eax >> 8, type.ecx, type.edx, type.carry], [3, 0, DISK / 512, false]);
  assertEquals(board.call(0x13, { eax: 0x1500, edx: 0x81 }).eax >> 8, 0);
  assertEquals(board.memory[0x475], 1);
});

Deno.test("INT 13h AH=41h to 48h: the extensions", () => {
  const { board, disk } = bench();
  const check = board.call(0x13, { eax: 0x4100, ebx: 0x55aa, edx: 0x80 });
  assertEquals([check.eax >> 8, check.ebx, check.ecx, check.carry], [0x30, 0xaa55, 7, false]);
  assertEquals(board.call(0x13, { eax: 0x4100, ebx: 0x55aa, edx: 0 }).carry, true);
  const packet = (count: number, lba: number, far?: number): void => {
    board.put(0x600, new Uint8Array(24));
    board.put(0x600, [far === undefined ? 16 : 24, 0, count, 0]);
    board.view.setUint32(0x604, far === undefined ? 0x20000000 : 0xffffffff, true);
    board.view.setUint32(0x608, lba, true);
    board.view.setUint32(0x610, far ?? 0, true);
  };
  packet(3, 1000);
  assertEquals(board.call(0x13, { eax: 0x4200, edx: 0x80, esi: 0x600 }).carry, false);
  assertEquals([0, 1, 2].map((n) => board.view.getUint32(0x20000 + 512 * n, true)), [1000, 1001, 1002]);
  packet(1, 7, 0x180000);
  board.put(0x180000, "far");
  assertEquals(board.call(0x13, { eax: 0x4300, edx: 0x80, esi: 0x600 }).carry, false);
  assertEquals(new TextDecoder().decode(disk.bytes.subarray(7 * 512, 7 * 512 + 3)), "far");
  packet(2, DISK / 512 - 1);
  const beyond = board.call(0x13, { eax: 0x4200, edx: 0x80, esi: 0x600 });
  assertEquals([beyond.eax >> 8, beyond.carry, board.memory[0x602]], [1, true, 0]);
  packet(2, 30); // CD: sectors of 2048 bytes
  assertEquals(board.call(0x13, { eax: 0x4200, edx: 0xe0, esi: 0x600 }).carry, false);
  assertEquals([0x20000, 0x20800].map((at) => board.view.getUint32(at, true)), [30, 31]);
  packet(1, 30);
  assertEquals(board.call(0x13, { eax: 0x4300, edx: 0xe0, esi: 0x600 }).eax >> 8, 3);
  board.put(0x600, [30, 0]);
  assertEquals(board.call(0x13, { eax: 0x4800, edx: 0x80, esi: 0x600 }).carry, false);
  const { view } = board;
  assertEquals([4, 8, 12, 16].map((at) => view.getUint32(0x600 + at, true)), [16, 16, 63, DISK / 512]);
  assertEquals(view.getUint16(0x600 + 24, true), 512);
});

Deno.test("INT 13h: a host that cannot read is a broken disk", () => {
  const disk = new MemoryDisk(DISK);
  const board = new ServiceBench({ drives: [{ kind: "disk", disk }] });
  disk.read = () => {
    throw new Error("no");
  };
  assertEquals(board.call(0x13, { eax: 0x0201, ecx: 1, edx: 0x80 }).eax >> 8, 0x20);
});
