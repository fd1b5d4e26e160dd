import { assertEquals } from "@std/assert";
import { bootableCd } from "../../../tests/firmware/bootable_cd.ts";
import { MemoryDisk } from "../../../tests/firmware/memory_disk.ts";
import { ServiceBench } from "../../../tests/firmware/service_call.ts";
import { findBootImage } from "./el_torito.ts";

const IMAGE = new TextEncoder().encode("boot image");

Deno.test("findBootImage() follows the boot record to the catalog and the image", () => {
  const found = findBootImage(bootableCd({ image: IMAGE, media: 0, count: 4, segment: 0x1000 }), 0);
  assertEquals([found?.kind, found?.number, found?.segment, found?.code.length], ["cdrom", 0xe0, 0x1000, 2048]);
  assertEquals(found?.code.subarray(0, IMAGE.length), IMAGE);
});

Deno.test("findBootImage() refuses what is no bootable CD", () => {
  assertEquals(findBootImage(new MemoryDisk(0x10000, undefined, true), 0), undefined);
  assertEquals(findBootImage(new MemoryDisk(100, undefined, true), 0), undefined);
  const cd = bootableCd({ image: IMAGE });
  cd.bytes[19 * 2048 + 5] = 1; // the catalog's checksum
  assertEquals(findBootImage(cd, 0), undefined);
});

Deno.test("INT 19h boots from a CD without emulation", () => {
  const board = new ServiceBench({ drives: [{ kind: "cdrom", disk: bootableCd({ image: IMAGE }) }] });
  const { cs, ip, edx } = board.call(0x19);
  assertEquals([cs, ip, edx, board.text(0x7c00)], [0, 0x7c00, 0xe0, "boot image"]);
  assertEquals(board.call(0x13, { eax: 0x4b01, edx: 0xe0, esi: 0x600 }).carry, false);
  assertEquals([...board.memory.subarray(0x600, 0x603)], [0x13, 0, 0xe0]);
});

Deno.test("INT 19h: a floppy's image is drive 0, and the floppy drive 1, until INT 13h AX=4B00h", () => {
  const image = new Uint8Array(1440 * 1024);
  image.set(IMAGE);
  image.set(new TextEncoder().encode("third"), 2 * 512);
  const floppy = new MemoryDisk(1440 * 1024, new TextEncoder().encode("real floppy"));
  const board = new ServiceBench({
    drives: [{ kind: "cdrom", disk: bootableCd({ image, media: 2 }) }, { kind: "floppy", disk: floppy }],
    boot: ["cdrom"],
  });
  assertEquals(board.call(0x19).edx, 0);
  const read = (drive: number, sector: number): string => {
    board.put(0x20000, new Uint8Array(512));
    board.call(0x13, { eax: 0x0201, ecx: sector, edx: drive, es: 0x2000 });
    return board.text(0x20000);
  };
  assertEquals([read(0, 3), read(1, 1), board.view.getUint16(0x410, true) & 0xc1], ["third", "real floppy", 0x41]);
  assertEquals(board.call(0x13, { eax: 0x0301, ecx: 1, edx: 0 }).eax >> 8, 3);
  assertEquals(board.call(0x13, { eax: 0x4b00, edx: 0, esi: 0x600 }).carry, false);
  assertEquals([read(0, 1), board.view.getUint16(0x410, true) & 0xc1], ["real floppy", 0x01]);
});
