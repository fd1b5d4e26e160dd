import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "../bus.ts";
import { SavedStateError } from "../device.ts";
import { AtaDrive } from "./ata_drive.ts";
import { AtapiDrive } from "./atapi_drive.ts";
import { IDE_PRIMARY, IDE_SECONDARY, IdeChannel } from "./ide_channel.ts";
import { IdeGuest, numbered, numbers } from "./ide_guest_test.ts";

Deno.test("IdeChannel takes the ports of an AT", () => {
  const ports = new Bus("port", 0x10000);
  for (const where of [IDE_PRIMARY, IDE_SECONDARY]) {
    new IdeChannel({ ...where, drives: [], interrupt: () => {} }).attach(ports);
  }
  assertEquals(ports.map().map(({ base, length }) => [base, length]), [[0x170, 8], [0x1f0, 8], [0x376, 1], [0x3f6, 1]]);
});

Deno.test("IdeChannel shows the signatures of its drives after a reset", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(10)), new AtapiDrive(undefined)]);
  const seen = () =>
    [0xa0, 0xb0].map((device) => {
      guest.out(6, device);
      return [guest.status, ...[1, 2, 3, 4, 5, 6].map((register) => guest.in(register))];
    });
  const expected = [[0x50, 1, 1, 1, 0, 0, 0xa0], [0, 1, 1, 1, 0x14, 0xeb, 0xb0]];
  assertEquals(seen(), expected);
  guest.command(0x20, { count: 2 });
  guest.control(4);
  assertEquals([guest.status, guest.in(7)], [0x80, 0x80], "busy while it lasts");
  guest.out(7, 0xec);
  guest.control(0);
  assertEquals(guest.level, false);
  assertEquals(seen(), expected);
  guest.command(0x90, { device: 0xb0 });
  assertEquals([guest.in(6), guest.answer()], [0xa0, 0x50], "device 0 answers to the diagnostic");
  assertEquals(seen(), expected);
});

Deno.test("IdeChannel answers with zeros for a drive that is not there", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(10))]);
  guest.out(6, 0xb0);
  guest.out(2, 0x55);
  guest.out(3, 0xaa);
  assertEquals([guest.in(2), guest.in(3), guest.in(6), guest.in(7), guest.in(0, 2)], [0, 0, 0xb0, 0, 0]);
  guest.out(7, 0xec);
  assertEquals([guest.status, guest.level], [0, false]);
  guest.out(6, 0xa0);
  assertEquals([guest.in(2), guest.in(3)], [0x55, 0xaa], "the other one has seen the writes");
});

Deno.test("IdeChannel holds interrupts back with nIEN, and shows those of the selected drive", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(10)), new AtaDrive(numbered(20))]);
  guest.control(2);
  guest.command(0x20, { count: 1 });
  assertEquals(guest.level, false);
  guest.control(0);
  assertEquals(guest.level, true);
  guest.out(6, 0xb0);
  assertEquals(guest.level, false);
  guest.out(6, 0xa0);
  assertEquals([guest.level, guest.status, guest.level], [true, 0x58, true], "the other status answers nothing");
  guest.answer();
});

Deno.test("IdeChannel takes no command and no register while data is moved", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(10))]);
  guest.command(0x20, { count: 1, lba: 5 });
  guest.take(10);
  guest.out(3, 0x77);
  guest.out(7, 0xec);
  guest.out(0, 0xffff, 2);
  assertEquals(guest.in(3), 5);
  guest.take(502);
  assertEquals(guest.status, 0x50);
});

Deno.test("IdeChannel keeps a read that is under way", () => {
  const make = () => new IdeGuest([new AtaDrive(numbered(100)), new AtapiDrive(numbered(20, 2048))]);
  const guest = make();
  guest.command(0x20, { count: 3, lba: 50 });
  guest.take(512);
  guest.take(100);
  const state = JSON.parse(JSON.stringify(guest.channel.save()));
  const other = make();
  other.channel.restore(state);
  assertEquals([other.level, other.status], [true, 0x58]);
  assertEquals(other.take(412 + 512), guest.take(412 + 512));
  assertEquals(other.channel.save(), guest.channel.save());
  assertEquals(other.status, 0x50);
});

Deno.test("IdeChannel.restore() refuses a damaged state and changes nothing", () => {
  const guest = new IdeGuest([new AtaDrive(numbered(100))]);
  guest.command(0x20, { count: 2, lba: 50 });
  const state = guest.channel.save();
  const [drive] = state.drives as Record<string, number>[];
  const changes: readonly Record<string, number | string>[] = [
    { lba: 99 },
    { end: 1024 },
    { at: 512 },
    { block: 2 },
    { state: 3 },
    { buffer: "" },
    { kind: 1 },
  ];
  for (const change of changes) {
    assertThrows(() => guest.channel.restore({ ...state, drives: [{ ...drive, ...change }] }), SavedStateError);
  }
  assertThrows(() => guest.channel.restore({ ...state, drives: [] }), SavedStateError);
  assertEquals(numbers(guest.take(1024)), [50, 51]);
});
