import { assertEquals } from "@std/assert";
import { buildArp, parseArp } from "./arp.ts";
import { MAC, settle, TestGuest } from "./guest_stack_test.ts";
import { internetChecksum } from "./internet_checksum.ts";
import { USER_DNS, USER_GATEWAY, USER_GATEWAY_MAC, USER_GUEST } from "./user_network.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const OUTSIDE = 0xc0000201; // 192.0.2.1

function ping(length = 8): Uint8Array {
  const message = new Uint8Array(8 + length);
  message.set([8, 0, 0, 0, 0x12, 0x34, 0, 1]);
  message.fill(0x55, 8);
  const sum = internetChecksum(message);
  message[2] = sum >> 8;
  message[3] = sum;
  return message;
}

/** A message of DHCP. */
function dhcp(type: number, options: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(300);
  bytes.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]);
  bytes.set(MAC, 28);
  bytes.set([0x63, 0x82, 0x53, 0x63, 53, 1, type, ...options, 255], 236);
  return bytes;
}

/** A question of DNS. */
function question(name: string, type: number, id = 0x4242): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...text(label)]);
  return Uint8Array.of(id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1);
}

Deno.test("UserNetwork.send() answers ARP for the router and the DNS server only", () => {
  const guest = new TestGuest();
  for (const [target, answered] of [[USER_GATEWAY, 1], [USER_DNS, 1], [USER_GUEST, 0], [USER_GATEWAY + 50, 0]]) {
    guest.network.send(buildArp({ operation: 1, senderMac: MAC, sender: USER_GUEST, target }));
    assertEquals(guest.frames.length, answered);
    const frame = guest.frames.pop();
    if (frame === undefined) continue;
    assertEquals(frame.subarray(0, 6), MAC);
    const { operation, senderMac, sender } = parseArp(frame.subarray(14))!;
    assertEquals([operation, sender], [2, target]);
    assertEquals(senderMac, USER_GATEWAY_MAC);
  }
});

Deno.test("UserNetwork.send() answers echo requests to the router, in fragments if they came so; others are unreachable", () => {
  const guest = new TestGuest();
  guest.sendIp(USER_GATEWAY, 1, ping());
  const [answer, ...none] = guest.packets();
  assertEquals(none, []);
  assertEquals([answer.source, answer.destination, answer.payload[0]], [USER_GATEWAY, USER_GUEST, 0]);
  assertEquals(internetChecksum(answer.payload), 0);
  guest.sendIp(OUTSIDE, 1, ping());
  assertEquals(guest.icmp(), [[3, 1]]);
  const long = ping(3000);
  guest.sendIp(USER_GATEWAY, 1, long.subarray(1480, 2960), { offset: 1480, more: true, identification: 7 });
  guest.sendIp(USER_GATEWAY, 1, long.subarray(2960), { offset: 2960, identification: 7 });
  assertEquals(guest.packets(), []);
  guest.sendIp(USER_GATEWAY, 1, long.subarray(0, 1480), { more: true, identification: 7 });
  const parts = guest.packets();
  assertEquals(parts.map(({ offset, more, payload }) => [offset, more, payload.length]), [
    [0, true, 1480],
    [1480, true, 1480],
    [2960, false, 48],
  ]);
  assertEquals(parts.flatMap(({ payload }) => [...payload]).slice(8), [...long.subarray(8)]);
});

Deno.test("UserNetwork.send() puts no datagram together from fragments that overlap, are too long or too old", () => {
  const guest = new TestGuest();
  const long = ping(2000);
  const first = { more: true, identification: 9 }, last = { offset: 1480, identification: 9 };
  guest.sendIp(USER_GATEWAY, 1, long.subarray(0, 1480), first);
  guest.sendIp(USER_GATEWAY, 1, long.subarray(1472), { offset: 1472, identification: 9 });
  guest.sendIp(USER_GATEWAY, 1, long.subarray(1480), last);
  assertEquals(guest.packets(), []);
  guest.clock.advance(16e9);
  guest.sendIp(USER_GATEWAY, 1, long.subarray(0, 1480), first);
  guest.clock.advance(16e9);
  guest.sendIp(USER_GATEWAY, 1, long.subarray(1480), last);
  assertEquals(guest.packets(), []);
  guest.sendIp(USER_GATEWAY, 1, new Uint8Array(1480), { offset: 65528, identification: 10 });
  assertEquals(guest.packets(), []);
});

Deno.test("UserNetwork.send() gives the guest its address by DHCP", () => {
  const guest = new TestGuest({}, 0);
  const ask = (message: Uint8Array): { type: number; yours: number[]; options: number[] } | undefined => {
    guest.sendUdp(0xffffffff, 67, message, 68);
    const [datagram] = guest.datagrams();
    if (datagram === undefined) return undefined;
    assertEquals([datagram.sourcePort, datagram.destinationPort, datagram.from], [67, 68, USER_GATEWAY]);
    const { payload } = datagram;
    assertEquals([...payload.subarray(4, 8)], [0xde, 0xad, 0xbe, 0xef]);
    return { type: payload[242], yours: [...payload.subarray(16, 20)], options: [...payload.subarray(243)] };
  };
  const offer = ask(dhcp(1))!;
  assertEquals([offer.type, offer.yours], [2, [10, 0, 2, 15]]);
  // deno-fmt-ignore
  assertEquals(offer.options.slice(0, 42), [
    54, 4, 10, 0, 2, 2, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 2, 2, 6, 4, 10, 0, 2, 3,
    51, 4, 0, 1, 0x51, 0x80, 58, 4, 0, 0, 0xa8, 0xc0, 59, 4, 0, 1, 0x27, 0x50,
  ]);
  assertEquals(ask(dhcp(3, [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]))!.type, 5);
  assertEquals(ask(dhcp(3, [50, 4, 192, 168, 1, 7]))!.type, 6, "an address of another network");
  assertEquals(ask(dhcp(3, [50, 4, 10, 0, 2, 15, 54, 4, 1, 2, 3, 4])), undefined, "another server was chosen");
  assertEquals(ask(dhcp(7)), undefined);
  assertEquals(ask(dhcp(1).subarray(0, 200)), undefined);
});

Deno.test("UserNetwork.send() forwards questions of DNS", async () => {
  const guest = new TestGuest();
  const { names } = guest.sockets;
  names.set("example.com A", [{ type: "A", value: "192.0.2.7" }, { type: "A", value: "192.0.2.8" }]);
  names.set("example.com AAAA", [{ type: "AAAA", value: "2001:db8::1:2" }]);
  names.set("example.com MX", [{ type: "MX", preference: 10, exchange: "mail.example.com." }]);
  names.set("example.com TXT", [{ type: "TXT", texts: ["a", "bc"] }]);
  names.set("1.2.0.192.in-addr.arpa PTR", [{ type: "PTR", value: "host.example.com" }]);
  const ask = async (bytes: Uint8Array): Promise<{ code: number; answers: number; data: number[] } | undefined> => {
    guest.sendUdp(USER_DNS, 53, bytes);
    await settle();
    const [datagram] = guest.datagrams();
    if (datagram === undefined) return undefined;
    assertEquals([datagram.from, datagram.sourcePort, datagram.destinationPort], [USER_DNS, 53, 5000]);
    const { payload } = datagram;
    assertEquals([payload[0], payload[1], payload[2]], [0x42, 0x42, 0x81]);
    return { code: payload[3] & 15, answers: payload[7], data: [...payload.subarray(bytes.length)] };
  };
  const record = (
    type: number,
    data: readonly number[],
  ) => [0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length, ...data];
  const name = (value: string) => [...question(value, 1)].slice(12, -4);
  assertEquals(await ask(question("example.com", 1)), {
    code: 0,
    answers: 2,
    data: [...record(1, [192, 0, 2, 7]), ...record(1, [192, 0, 2, 8])],
  });
  const long = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2];
  assertEquals((await ask(question("example.com", 28)))!.data, record(28, long));
  assertEquals((await ask(question("example.com", 15)))!.data, record(15, [0, 10, ...name("mail.example.com")]));
  assertEquals((await ask(question("example.com", 16)))!.data, record(16, [1, 97, 2, 98, 99]));
  const reverse = await ask(question("1.2.0.192.in-addr.arpa", 12));
  assertEquals(reverse!.data, record(12, name("host.example.com")));
  assertEquals(await ask(question("nothing.example.com", 1)), { code: 3, answers: 0, data: [] });
  assertEquals(
    await ask(question("nothing.example.com", 28)),
    { code: 0, answers: 0, data: [] },
    "only a type is missing",
  );
  assertEquals(await ask(question("example.com", 99)), { code: 0, answers: 0, data: [] });
  assertEquals(await ask(question("example.com", 1).subarray(0, 20)), undefined);
  guest.sockets.refusal = "forbidden";
  assertEquals((await ask(question("example.com", 1)))!.code, 2);
});

Deno.test("UserNetwork.send() sends UDP by sockets of the host and brings answers back, also long ones", () => {
  const guest = new TestGuest();
  guest.sendUdp(OUTSIDE, 7, text("one"));
  guest.sendUdp(OUTSIDE + 1, 8, text("two"));
  guest.sendUdp(USER_GATEWAY, 9, text("three"));
  const [outer, local] = guest.sockets.udp;
  assertEquals([outer.at, local.at], [{ address: 0, port: 0 }, { address: 0x7f000001, port: 0 }]);
  assertEquals(outer.sent, [
    { bytes: text("one"), to: { address: OUTSIDE, port: 7 } },
    { bytes: text("two"), to: { address: OUTSIDE + 1, port: 8 } },
  ]);
  assertEquals(local.sent, [{ bytes: text("three"), to: { address: 0x7f000001, port: 9 } }]);
  local.received(text("answer"), { address: 0x7f000001, port: 9 });
  const [datagram] = guest.datagrams();
  assertEquals(datagram, {
    sourcePort: 9,
    destinationPort: 5000,
    payload: text("answer"),
    from: USER_GATEWAY,
    to: USER_GUEST,
  });
  outer.received(new Uint8Array(4000), { address: OUTSIDE, port: 7 });
  assertEquals(guest.packets().map(({ offset, payload }) => [offset, payload.length]), [
    [0, 1480],
    [1480, 1480],
    [2960, 1048],
  ]);
});

Deno.test("UserNetwork.send() tells the guest of UDP that must not be sent, or has nowhere to go", () => {
  const guest = new TestGuest();
  guest.sockets.refusal = "forbidden";
  guest.sendUdp(OUTSIDE, 7, text("one"));
  assertEquals(guest.icmp(), [[3, 13]]);
  guest.sendUdp(0x7f000001, 7, text("one"));
  assertEquals(guest.icmp(), [[3, 1]]);
  guest.sendUdp(USER_DNS, 7, text("one"));
  assertEquals(guest.icmp(), [[3, 3]]);
  guest.sendUdp(0xe0000001, 7, text("one"));
  guest.sendUdp(USER_GUEST | 0xff, 7, text("one"));
  assertEquals(guest.frames, []);
  guest.sendIp(USER_GATEWAY, 99, text("one"));
  assertEquals(guest.icmp(), [[3, 2]]);
});

Deno.test("UserNetwork.send() closes UDP sockets that are idle, and the oldest of too many", () => {
  const guest = new TestGuest();
  const { udp } = guest.sockets;
  for (let port = 1; port <= 257; port++) guest.sendUdp(OUTSIDE, 7, text("x"), port);
  assertEquals(udp.filter(({ closed }) => closed).length, 1);
  assertEquals(udp[0].closed, true);
  guest.clock.advance(61e9);
  guest.sendUdp(OUTSIDE, 7, text("x"), 999);
  assertEquals(udp.filter(({ closed }) => !closed).length, 1);
  guest.network[Symbol.dispose]();
  assertEquals(udp.filter(({ closed }) => !closed).length, 0);
});

Deno.test("UserNetwork.forward() leads UDP to the guest and its answers back", async () => {
  const guest = new TestGuest();
  const at = { address: 0x7f000001, port: 5353 };
  assertEquals(guest.network.awaits, false);
  assertEquals(await guest.network.forward({ protocol: "udp", at, port: 53 }), at);
  assertEquals(guest.network.awaits, true);
  const [socket] = guest.sockets.udp, from = { address: 0x7f000001, port: 6000 };
  socket.received(text("lost"), from); // nobody knows yet where the guest is
  guest.network.send(buildArp({ operation: 2, senderMac: MAC, sender: USER_GUEST, target: USER_GATEWAY }));
  guest.frames = [];
  socket.received(text("question"), from);
  const [{ sourcePort, destinationPort, payload }] = guest.datagrams();
  assertEquals([sourcePort, destinationPort, payload], [6000, 53, text("question")]);
  guest.sendUdp(USER_GATEWAY, 6000, text("answer"), 53);
  assertEquals(socket.sent, [{ bytes: text("answer"), to: from }]);
});

Deno.test("UserNetwork.resume() goes on with what the card had no room for", () => {
  const guest = new TestGuest();
  guest.room = 1;
  for (let n = 0; n < 400; n++) guest.sendIp(USER_GATEWAY, 1, ping());
  assertEquals(guest.packets().length, 1);
  guest.room = 10;
  guest.network.resume();
  assertEquals(guest.packets().length, 10);
  guest.room = Infinity;
  guest.network.resume();
  assertEquals(guest.packets().length, 246, "more were lost");
});
