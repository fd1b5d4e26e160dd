import { assertEquals } from "@std/assert";
import { buildArp } from "./arp.ts";
import { FakeStream, MAC, pattern, settle, TestGuest, TestTcp } from "./guest_stack_test.ts";
import { TCP_WAITING_MOST } from "./tcp_relay.ts";
import { TCP, type TcpSegment } from "./tcp_segment.ts";
import { USER_GATEWAY, USER_GUEST } from "./user_network.ts";

const MS = 1e6;
const OUTSIDE = 0xc0000201;

/** Lets time and promises go by, in steps of so many milliseconds. */
async function pass(guest: TestGuest, milliseconds: number, step = 100): Promise<void> {
  for (let at = 0; at < milliseconds; at += step) {
    guest.clock.advance(step * MS);
    await settle();
  }
}

/** A connection that is open on both sides. */
async function open(
  setUp: (guest: TestGuest, tcp: TestTcp) => void = () => {},
): Promise<{ guest: TestGuest; tcp: TestTcp; stream: FakeStream }> {
  const guest = new TestGuest();
  const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 80 });
  setUp(guest, tcp);
  await tcp.connect();
  assertEquals(tcp.state, "open");
  return { guest, tcp, stream: guest.sockets.streams[0].stream };
}

function sameBytes(actual: readonly number[], expected: Uint8Array): void {
  assertEquals(actual.length, expected.length);
  const wrong = actual.findIndex((byte, n) => byte !== expected[n]);
  assertEquals(wrong, -1);
}

Deno.test("TcpNat.receive() connects the guest to the host, carries data both ways, and ends it in good order", async () => {
  const { guest, tcp, stream } = await open();
  assertEquals(guest.sockets.streams[0].to, { address: 0x7f000001, port: 80 });
  assertEquals([tcp.synAck!.segmentSize, tcp.synAck!.scale, tcp.synAck!.window], [1460, 4, 65535]);
  const request = pattern(5000), answer = pattern(30000);
  tcp.write(request);
  await pass(guest, 1, 1);
  sameBytes(stream.written, request);
  assertEquals(tcp.acknowledged, 1001 + 5000);
  stream.push(answer);
  await settle();
  sameBytes(tcp.received, answer);
  assertEquals(tcp.largestSegment, 1460);
  tcp.end();
  await pass(guest, 1, 1);
  assertEquals([stream.ended, tcp.endAcknowledged, tcp.peerEnded], [true, true, false], "half closed");
  stream.push(answer.subarray(0, 10));
  stream.finish();
  await settle();
  assertEquals([tcp.received.length, tcp.peerEnded, stream.closed], [30010, true, false]);
  await pass(guest, 3000);
  assertEquals([stream.closed, guest.network.connections, guest.network.awaits], [true, 0, false]);
});

Deno.test("TcpNat.receive() lets the host end first while the guest goes on", async () => {
  const { guest, tcp, stream } = await open();
  stream.finish();
  await settle();
  assertEquals(tcp.peerEnded, true);
  tcp.write(pattern(100_000));
  await pass(guest, 10, 1);
  tcp.pump();
  await pass(guest, 10, 1);
  sameBytes(stream.written, pattern(100_000));
  tcp.end();
  await pass(guest, 3000);
  assertEquals([stream.ended, stream.closed, guest.network.connections], [true, true, 0]);
});

Deno.test("TcpNat.receive() tells the guest of what the host refuses", async () => {
  const guest = new TestGuest();
  const tcp = new TestTcp(guest, { peer: OUTSIDE, peerPort: 80 });
  guest.sockets.refusal = "refused";
  await tcp.connect();
  assertEquals(tcp.state, "reset");
  for (const [refusal, code] of [["forbidden", 13], ["unreachable", 1]] as const) {
    guest.sockets.refusal = refusal;
    await tcp.connect();
    assertEquals([tcp.state, guest.icmp()], ["calling", [[3, code]]]);
  }
  guest.sockets.refusal = undefined;
  const nowhere = new TestTcp(guest, { peer: 0x7f000001, peerPort: 80 });
  await nowhere.connect();
  assertEquals(guest.icmp(), [[3, 1]]);
  assertEquals([guest.sockets.streams.length, guest.network.connections], [0, 0]);
});

Deno.test("TcpNat.receive() refuses one connection more than there may be", async () => {
  const guest = new TestGuest({ connections: 2 });
  const states = [];
  for (let port = 1; port <= 3; port++) {
    const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 80, port });
    await tcp.connect();
    states.push(tcp.state);
    if (port === 1) tcp.send(TCP.ACK); // one that was open already stays so
  }
  assertEquals(states, ["open", "open", "reset"]);
  guest.sockets.streams[0].stream.break();
  await settle();
  const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 80, port: 4 });
  await tcp.connect();
  assertEquals(tcp.state, "open");
});

Deno.test("TcpNat.receive() answers segments of no connection with RST", async () => {
  const guest = new TestGuest();
  const seen: TcpSegment[] = [];
  const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 80 });
  guest.onTcp = (segment) => seen.push(segment);
  tcp.expected = 77;
  tcp.send(TCP.ACK, pattern(10));
  tcp.send(TCP.FIN);
  tcp.send(TCP.RST);
  await settle();
  const told = seen.map(({ flags, sequence, acknowledgment }) => [flags, sequence, acknowledgment]);
  assertEquals(told, [[TCP.RST, 77, 0], [TCP.RST | TCP.ACK, 0, 1001]]);
});

Deno.test("TcpNat.receive() breaks both connections when one breaks, and gives up an attempt", async () => {
  const one = await open();
  one.stream.break();
  await settle();
  assertEquals([one.tcp.state, one.guest.network.connections], ["reset", 0]);
  const two = await open();
  two.tcp.send(TCP.RST | TCP.ACK);
  await settle();
  assertEquals([two.stream.closed, two.guest.network.connections], [true, 0]);
  const three = await open();
  three.tcp.send(TCP.RST, undefined, three.tcp.sequence + 2 ** 30);
  assertEquals([three.stream.closed, three.guest.network.connections], [false, 1], "a number outside the window");
  const guest = new TestGuest();
  const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 80 });
  tcp.send(TCP.SYN);
  tcp.send(TCP.RST);
  await settle();
  assertEquals([guest.sockets.streams[0].signal.aborted, guest.sockets.streams[0].stream.closed], [true, true]);
});

Deno.test("TcpNat.receive() sends lost segments to the guest again", async () => {
  let count = 0;
  const { guest, tcp, stream } = await open((guest, tcp) => {
    tcp.room = 2 ** 30;
    tcp.ownScale = 14;
    guest.passes = (frame) => frame.length < 100 ? ++count % 5 !== 0 : ++count % 7 !== 0;
  });
  const bytes = pattern(300_000);
  stream.push(bytes);
  stream.finish();
  await pass(guest, 120_000, 200);
  sameBytes(tcp.received, bytes);
  assertEquals(tcp.peerEnded, true);
});

Deno.test("TcpNat.receive() takes what the guest sends again", async () => {
  let count = 0;
  const { guest, tcp, stream } = await open();
  const { network } = guest, send = network.send.bind(network);
  network.send = (frame) => {
    if (frame.length < 100 || ++count % 5 !== 0) send(frame);
  };
  const bytes = pattern(200_000);
  tcp.write(bytes);
  tcp.end();
  for (let n = 0; n < 300 && !tcp.endAcknowledged; n++) {
    await pass(guest, 10, 5);
    tcp.retry();
  }
  sameBytes(stream.written, bytes);
  assertEquals([tcp.endAcknowledged, stream.ended], [true, true]);
});

Deno.test("TcpNat.receive() answers a guest that asks whether somebody is there, or misses something", async () => {
  const { guest, tcp } = await open();
  const seen: TcpSegment[] = [];
  guest.onTcp = (segment) => seen.push(segment);
  tcp.send(TCP.ACK, undefined, tcp.sequence - 1);
  await pass(guest, 1, 1);
  for (let n = 1; n < 4; n++) tcp.send(TCP.ACK, pattern(10), tcp.sequence + 10 * n);
  await settle();
  assertEquals(seen.map(({ flags, acknowledgment }) => [flags, acknowledgment]), new Array(4).fill([TCP.ACK, 1001]));
});

Deno.test("TcpNat.receive() gives a guest up that does not answer", async () => {
  const { guest, tcp, stream } = await open();
  guest.passes = () => false;
  stream.push(pattern(100));
  await pass(guest, 600_000, 1000);
  assertEquals([stream.closed, guest.network.connections], [true, 0]);
  assertEquals(tcp.received, []);
});

Deno.test("TcpNat.receive() closes the window for a guest that is faster than the host", async () => {
  const { guest, tcp, stream } = await open();
  stream.room = 1000;
  const bytes = pattern(2_000_000);
  tcp.write(bytes);
  for (let n = 0; n < 50; n++) {
    await pass(guest, 1, 1);
    tcp.pump();
  }
  assertEquals(stream.written.length, 1000);
  const sent = tcp.sequence - 1001;
  assertEquals(sent <= TCP_WAITING_MOST + 1000, true, `${sent} bytes wait`);
  assertEquals(tcp.window < 1460, true);
  stream.take(Infinity);
  for (let n = 0; n < 200 && stream.written.length < bytes.length; n++) {
    await pass(guest, 1, 1);
    tcp.pump();
  }
  sameBytes(stream.written, bytes);
});

Deno.test("TcpNat.receive() waits for a guest that is slower than the host, and asks it for its window", async () => {
  const { guest, tcp, stream } = await open((_, tcp) => tcp.room = 5000);
  const bytes = pattern(3_000_000);
  let pushed = 0;
  const read = stream.read.bind(stream);
  stream.read = (into) => {
    if (pushed < bytes.length) {
      const part = bytes.subarray(pushed, pushed + into.length);
      stream.push(part);
      pushed += part.length;
    }
    return read(into);
  };
  stream.push(bytes.subarray(0, pushed = 1000));
  await pass(guest, 60_000, 1000);
  assertEquals(tcp.received.length, 5000);
  assertEquals(pushed < TCP_WAITING_MOST + 10_000, true, `${pushed} bytes were read`);
  assertEquals(guest.network.connections, 1, "a closed window is no reason to give up");
  await pass(guest, 600_000, 10_000);
  assertEquals(guest.network.connections, 1);
  tcp.room = 10_000_000;
  tcp.ownScale = 0;
  await pass(guest, 120_000, 1000); // the next question finds the window open
  stream.finish();
  await pass(guest, 1000);
  sameBytes(tcp.received, bytes);
});

Deno.test("TcpNat.receive() goes on when the card has room again", async () => {
  const { guest, tcp, stream } = await open((_, tcp) => {
    tcp.room = 2 ** 24;
    tcp.ownScale = 10;
  });
  guest.room = 0;
  const bytes = pattern(100_000);
  stream.push(bytes);
  await settle();
  assertEquals(tcp.received.length, 0);
  for (let n = 0; n < 100; n++) {
    guest.room = 5;
    guest.network.resume();
    await settle();
  }
  sameBytes(tcp.received, bytes);
});

Deno.test("TcpNat.receive() sends segments as long as the guest takes them", async () => {
  const { tcp, stream } = await open((_, tcp) => tcp.segmentSize = 300);
  stream.push(pattern(10_000));
  await settle();
  sameBytes(tcp.received, pattern(10_000));
  assertEquals(tcp.largestSegment, 300);
});

Deno.test("TcpNat.receive() hands a card that takes it more than a segment at once", async () => {
  const { guest, tcp, stream } = await open((guest, tcp) => {
    guest.largest = 65549;
    tcp.room = 2 ** 24;
    tcp.ownScale = 10;
  });
  const bytes = pattern(1_000_000);
  stream.push(bytes);
  await settle();
  sameBytes(tcp.received, bytes);
  assertEquals(tcp.largestSegment, 44 * 1460);
  assertEquals(guest.network.connections, 1);
});

Deno.test("TcpNat.receive() takes a new connection between the same ends as an old one", async () => {
  const { guest, tcp, stream } = await open();
  tcp.end();
  stream.finish();
  await pass(guest, 10, 10);
  assertEquals(guest.network.connections, 1, "it lingers");
  const again = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 80 });
  await again.connect();
  assertEquals([again.state, stream.closed, guest.sockets.streams.length], ["open", true, 2]);
});

Deno.test("TcpNat.forward() leads connections to the guest, once it is there", async () => {
  const guest = new TestGuest();
  const at = { address: 0x7f000001, port: 8080 };
  await guest.network.forward({ protocol: "tcp", at, port: 80 });
  const [{ accepted }] = guest.sockets.listeners;
  const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 6000, port: 80 });
  const stream = new FakeStream();
  accepted(stream, { address: 0x7f000001, port: 6000 });
  await pass(guest, 3000);
  assertEquals(tcp.state, "new");
  guest.network.send(buildArp({ operation: 1, senderMac: MAC, sender: USER_GUEST, target: USER_GATEWAY }));
  await pass(guest, 100, 10);
  assertEquals(tcp.state, "open");
  stream.push(pattern(4000));
  await settle();
  sameBytes(tcp.received, pattern(4000));
  tcp.acknowledged = 1001;
  tcp.write(pattern(3000));
  await pass(guest, 10, 10);
  sameBytes(stream.written, pattern(3000));
  const other = new FakeStream();
  accepted(other, { address: 0x7f000001, port: 6000 });
  await settle();
  assertEquals([guest.network.connections, other.closed], [2, false], "the same port is taken for another one");
  guest.network[Symbol.dispose]();
  assertEquals([stream.closed, other.closed, guest.sockets.closed], [true, true, 1]);
});

Deno.test("TcpNat.forward() closes a connection that the guest refuses or never answers", async () => {
  const guest = new TestGuest();
  await guest.network.forward({ protocol: "tcp", at: { address: 0x7f000001, port: 8080 }, port: 80 });
  const [{ accepted }] = guest.sockets.listeners;
  const first = new FakeStream();
  accepted(first, { address: 0x7f000001, port: 6000 });
  await pass(guest, 120_000, 1000);
  assertEquals([first.closed, guest.network.connections], [true, 0]);
  guest.network.send(buildArp({ operation: 1, senderMac: MAC, sender: USER_GUEST, target: USER_GATEWAY }));
  const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 6001, port: 80 });
  guest.onTcp = (segment) => {
    tcp.expected = segment.sequence + 1 >>> 0;
    tcp.send(TCP.RST | TCP.ACK, undefined, 0);
  };
  const second = new FakeStream();
  accepted(second, { address: 0x7f000001, port: 6001 });
  await settle();
  assertEquals([second.closed, guest.network.connections], [true, 0]);
});
