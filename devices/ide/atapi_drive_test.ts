import { assertEquals } from "@std/assert";
import { AtapiDrive } from "./atapi_drive.ts";
import { broken, IdeGuest, numbered, numbers, words } from "./ide_guest_test.ts";

const NEEDS_PACKET = 0x58;

function cd(sectors = 100): AtapiDrive {
  return new AtapiDrive(numbered(sectors, 2048));
}

/** Sends a packet; all data, taken as the drive offers it. */
function packet(
  guest: IdeGuest,
  bytes: number[],
  limit = 0xfffe,
): { data: Uint8Array; pieces: number[]; error: number } {
  assertEquals(guest.command(0xa0, { device: 0xa0, mid: limit & 0xff, high: limit >> 8 }), NEEDS_PACKET);
  assertEquals([guest.in(2) & 3, guest.level], [1, false]);
  guest.give(Uint8Array.from({ length: 12 }, (_, i) => bytes[i] ?? 0));
  const pieces: number[] = [];
  const data: number[] = [];
  let status: number;
  while (((status = guest.answer()) & 8) !== 0) {
    assertEquals(guest.in(2) & 3, 2);
    const count = guest.in(4) | guest.in(5) << 8;
    pieces.push(count);
    data.push(...guest.take(count));
  }
  assertEquals(guest.in(2) & 3, 3);
  return { data: Uint8Array.from(data), pieces, error: (status & 1) === 0 ? 0 : guest.in(1) };
}

/** Key, code and qualifier of what has failed last. */
function sense(guest: IdeGuest): number[] {
  const { data } = packet(guest, [0x03, 0, 0, 0, 18]);
  return [data[2], data[12], data[13]];
}

Deno.test("AtapiDrive shows that it is one", () => {
  const guest = new IdeGuest([cd()]);
  for (const code of [0xec, 0x20]) {
    guest.command(code, { device: 0xa0 });
    assertEquals([guest.answer(), guest.in(1), guest.in(4), guest.in(5)], [0x51, 4, 0x14, 0xeb]);
  }
  assertEquals(guest.command(0xa1, { device: 0xa0 }), 0x58);
  const identity = words(guest.take(512));
  assertEquals([identity[0], identity[49], identity[63]], [0x85c0, 0x0a00, 0]);
  assertEquals(guest.answer(), 0x50);
  guest.command(0xa0, { device: 0xa0 });
  guest.command(0x08, { device: 0xa0 });
  assertEquals([guest.status, guest.in(4), guest.in(5)], [0, 0x14, 0xeb], "DEVICE RESET");
  for (const [code, status] of [[0xe0, 0x50], [0xe5, 0x50], [0x30, 0x51], [0x00, 0x51]]) {
    assertEquals(guest.command(code, { device: 0xa0 }), status);
  }
});

Deno.test("AtapiDrive READ moves sectors in pieces that the guest can take", () => {
  const guest = new IdeGuest([cd(100)]);
  const ten = packet(guest, [0x28, 0, 0, 0, 0, 7, 0, 0, 3], 2048);
  assertEquals([numbers(ten.data, 2048), ten.pieces], [[7, 8, 9], [2048, 2048, 2048]]);
  const odd = packet(guest, [0x28, 0, 0, 0, 0, 7, 0, 0, 1], 1025);
  assertEquals([numbers(odd.data, 2048), odd.pieces], [[7], [1024, 1024]]);
  const twelve = packet(guest, [0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 100], 0);
  assertEquals(numbers(twelve.data, 2048), Array.from({ length: 100 }, (_, i) => i));
  assertEquals(packet(guest, [0x28, 0, 0, 0, 0, 99, 0, 0, 0]), { data: new Uint8Array(), pieces: [], error: 0 });
  assertEquals(packet(guest, [0x28, 0, 0, 0, 0, 99, 0, 0, 2]).error >> 4, 5);
  assertEquals(sense(guest), [5, 0x21, 0]);
  assertEquals(sense(guest), [0, 0, 0], "told once");
});

Deno.test("AtapiDrive makes errors of the host errors of the medium", () => {
  const guest = new IdeGuest([new AtapiDrive(broken(numbered(100, 2048), 50 * 2048))]);
  const { data, error } = packet(guest, [0x28, 0, 0, 0, 0, 0, 0, 0, 60]);
  assertEquals([data.length, error >> 4], [31 * 2048, 3]);
  assertEquals(sense(guest), [3, 0x11, 0]);
});

Deno.test("AtapiDrive describes itself and its disc", () => {
  const guest = new IdeGuest([cd(4500)]);
  const inquiry = packet(guest, [0x12, 0, 0, 0, 36]).data;
  assertEquals([inquiry[0], inquiry[1], inquiry.length], [5, 0x80, 36]);
  assertEquals(new TextDecoder().decode(inquiry.subarray(16, 28)), "KVM12 DVD-RO");
  assertEquals(packet(guest, [0x12, 0, 0, 0, 5]).pieces, [5], "an odd length");
  assertEquals([...packet(guest, [0x25]).data], [0, 0, 0x11, 0x93, 0, 0, 8, 0]);
  const toc = packet(guest, [0x43, 2, 0, 0, 0, 0, 0, 3, 0]).data;
  assertEquals([...toc], [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x14, 0xaa, 0, 0, 1, 2, 0]);
  assertEquals([...packet(guest, [0x43, 0, 1, 0, 0, 0, 0, 0, 12]).data], [0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0]);
  assertEquals(packet(guest, [0x43, 0, 2, 0, 0, 0, 0, 0, 12]).error >> 4, 5);
  const mode = packet(guest, [0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128]).data;
  assertEquals([mode.length, mode[1], mode[2], mode[8], mode[9]], [28, 26, 1, 0x2a, 18]);
  assertEquals(packet(guest, [0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 128]).data.length, 36);
  assertEquals(packet(guest, [0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 128]).error >> 4, 5);
  const configuration = packet(guest, [0x46, 0, 0, 0, 0, 0, 0, 1, 0]).data;
  assertEquals([configuration[3] + 4, configuration[7]], [configuration.length, 8], "a CD");
  assertEquals(packet(guest, [0x46, 2, 0, 0x10, 0, 0, 0, 1, 0]).data.length, 20);
  assertEquals(packet(guest, [0xaa]).error >> 4, 5);
  assertEquals(sense(guest), [5, 0x20, 0]);
});

Deno.test("AtapiDrive opens its tray unless it is locked", () => {
  const drive = cd();
  const guest = new IdeGuest([drive]);
  assertEquals(packet(guest, [0x00]).error, 0);
  packet(guest, [0x1e, 0, 0, 0, 1]);
  assertEquals([drive.locked, packet(guest, [0x1b, 0, 0, 0, 2]).error >> 4], [true, 5]);
  packet(guest, [0x1e, 0, 0, 0, 0]);
  assertEquals([packet(guest, [0x1b, 0, 0, 0, 2]).error, drive.open], [0, true]);
  assertEquals(packet(guest, [0x28, 0, 0, 0, 0, 0, 0, 0, 1]).error >> 4, 2);
  assertEquals(sense(guest), [2, 0x3a, 2]);
  assertEquals([...packet(guest, [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data], [0, 6, 4, 16, 3, 1, 0, 0]);
  packet(guest, [0x1b, 0, 0, 0, 3]);
  assertEquals(packet(guest, [0x00]).error >> 4, 6);
  assertEquals(sense(guest), [6, 0x28, 0]);
  assertEquals(packet(guest, [0x00]).error, 0);
  assertEquals([...packet(guest, [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data], [0, 6, 4, 16, 2, 2, 0, 0]);
  assertEquals([...packet(guest, [0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]).data], [0, 6, 4, 16, 0, 2, 0, 0]);
  assertEquals(packet(guest, [0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8]).error >> 4, 5, "it cannot wait");
});

Deno.test("AtapiDrive.insert() tells the guest, and ends a read of the last disc", () => {
  const drive = new AtapiDrive(undefined);
  const guest = new IdeGuest([drive]);
  assertEquals(packet(guest, [0x00]).error >> 4, 2);
  assertEquals(sense(guest), [2, 0x3a, 1]);
  drive.insert(numbered(100, 2048));
  assertEquals(packet(guest, [0x12, 0, 0, 0, 36]).error, 0);
  assertEquals(packet(guest, [0x25]).error >> 4, 6);
  guest.command(0xa0, { device: 0xa0, mid: 0, high: 0xf8 });
  guest.give(Uint8Array.of(0x28, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0));
  drive.insert(numbered(90, 2048));
  guest.take(31 * 2048);
  assertEquals(guest.answer() & 1, 1);
  assertEquals(sense(guest), [3, 0x11, 0]);
  assertEquals(sense(guest), [6, 0x28, 0]);
  drive.insert(undefined);
  assertEquals([drive.open, packet(guest, [0x00]).error >> 4], [true, 2]);
});

Deno.test("AtapiDrive keeps a read that is under way", () => {
  const guest = new IdeGuest([cd()]);
  guest.command(0xa0, { device: 0xa0, mid: 0, high: 8 });
  guest.give(Uint8Array.of(0x28, 0, 0, 0, 0, 20, 0, 0, 40, 0, 0, 0));
  guest.take(3000);
  const other = new IdeGuest([cd()]);
  other.channel.restore(JSON.parse(JSON.stringify(guest.channel.save())));
  assertEquals(other.take(40 * 2048 - 3000), guest.take(40 * 2048 - 3000));
  assertEquals([other.answer(), other.channel.save()], [guest.answer(), guest.channel.save()]);
});
