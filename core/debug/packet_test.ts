import { assertEquals } from "@std/assert";
import { encodePacket, PACKET_MOST, type PacketEvent, PacketReader, unescapeBytes } from "./packet.ts";

function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function texts(events: readonly PacketEvent[]): string[] {
  return events.map((e) => e.kind === "packet" ? `packet ${String.fromCharCode(...e.body)}` : e.kind);
}

Deno.test("PacketReader.read() finds packets, acknowledgements and Ctrl-C, however they are cut", () => {
  const bytes = latin("+$qC#b4\x03-$m0,4#fd");
  const whole = ["ack", "packet qC", "interrupt", "nak", "packet m0,4"];
  assertEquals(texts(new PacketReader().read(bytes)), whole);
  const reader = new PacketReader();
  assertEquals([...bytes].flatMap((byte) => texts(reader.read(Uint8Array.of(byte)))), whole);
});

Deno.test("PacketReader.read() tells wrong checksums and packets that are too long, and goes on", () => {
  const reader = new PacketReader();
  assertEquals(texts(reader.read(latin("$qC#b5$qC#zz$qC$qC#b4"))), ["corrupt", "corrupt", "packet qC"]);
  const long = encodePacket("a".repeat(PACKET_MOST + 1));
  assertEquals(texts(reader.read(long)), ["corrupt"]);
  assertEquals(texts(reader.read(latin("$?#3f"))), ["packet ?"]);
});

Deno.test("encodePacket() escapes what has a meaning, unescapeBytes() undoes it", () => {
  assertEquals(String.fromCharCode(...encodePacket("OK")), "$OK#9a");
  const packet = encodePacket("a#b$c}d*\xff");
  const [event] = new PacketReader().read(packet);
  assertEquals(event.kind, "packet");
  if (event.kind === "packet") assertEquals(unescapeBytes(event.body), latin("a#b$c}d*\xff"));
});
