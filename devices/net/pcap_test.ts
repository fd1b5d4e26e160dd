import { assertEquals } from "@std/assert";
import { VirtualClock } from "../clock.ts";
import type { EthernetCard, EthernetPort } from "./ethernet.ts";
import { CapturedPort } from "./pcap.ts";

Deno.test("CapturedPort records the frames of both directions with their times", () => {
  const clock = new VirtualClock();
  const written: number[] = [], sent: Uint8Array[] = [], received: Uint8Array[] = [];
  let plugged: EthernetCard | undefined, room = true, resumed = 0;
  const port: EthernetPort = {
    connect: (card) => plugged = card,
    send: (frame) => sent.push(frame.slice()),
    resume: () => resumed++,
  };
  const captured = new CapturedPort({ port, clock, write: (bytes) => written.push(...bytes) });
  captured.connect({
    largest: 1514,
    receive: (frame) => {
      if (room) received.push(frame);
      return room;
    },
  });
  clock.advance(2_000_000_005);
  captured.send(Uint8Array.of(1, 2, 3));
  clock.advance(1000);
  assertEquals(plugged!.receive(Uint8Array.of(4)), true);
  room = false;
  assertEquals([plugged!.receive(Uint8Array.of(5)), plugged!.largest], [false, 1514]);
  captured.resume();
  assertEquals([sent.length, received.length, resumed], [1, 1, 1]);
  // deno-fmt-ignore
  assertEquals(written, [
    0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0,
    2, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3,
    2, 0, 0, 0, 0xed, 3, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4,
  ]);
});
