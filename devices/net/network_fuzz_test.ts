import { assertEquals } from "@std/assert";
import { buildArp } from "./arp.ts";
import { MAC, pattern, settle, TestGuest, TestTcp } from "./guest_stack_test.ts";
import { internetChecksum, pseudoHeaderSum } from "./internet_checksum.ts";
import { USER_DNS, USER_GATEWAY, USER_GUEST } from "./user_network.ts";

const ROUNDS = 20_000;

/** Numbers that look random and are always the same (xorshift). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Makes the checksums right again, as far as the frame is what it was, so that more than the first look is tried. */
function repair(frame: Uint8Array): void {
  if (frame.length < 34 || frame[12] !== 8 || frame[13] !== 0) return;
  const put = (at: number, sum: number): void => {
    if (at + 1 >= frame.length) return;
    frame[at] = sum >> 8;
    frame[at + 1] = sum;
  };
  put(24, 0);
  put(24, internetChecksum(frame.subarray(14, 14 + (frame[14] & 15) * 4)));
  const protocol = frame[23], at = protocol === 6 ? 50 : protocol === 17 ? 40 : 36;
  const view = new DataView(frame.buffer);
  const source = view.getUint32(26), destination = view.getUint32(30);
  const length = frame.length - 34;
  put(at, 0);
  put(
    at,
    internetChecksum(
      frame.subarray(34),
      protocol === 1 ? 0 : pseudoHeaderSum({ source, destination, protocol, length }),
    ),
  );
}

Deno.test("UserNetwork.send() takes whatever a guest may send, with bounds on what is kept", async () => {
  const random = generator(12345);
  const guest = new TestGuest({ connections: 20 });
  const good: Uint8Array[] = [buildArp({ operation: 1, senderMac: MAC, sender: USER_GUEST, target: USER_GATEWAY })];
  const { network } = guest, send = network.send.bind(network);
  network.send = (frame, options) => {
    if (good.length < 60) good.push(frame.slice());
    send(frame, options);
  };
  const tcp = new TestTcp(guest, { peer: USER_GATEWAY, peerPort: 80 });
  await tcp.connect();
  tcp.write(pattern(5000));
  guest.sockets.streams[0].stream.push(pattern(5000));
  await settle();
  tcp.end();
  guest.sendUdp(USER_GATEWAY, 9, pattern(100));
  guest.sendUdp(0xffffffff, 67, pattern(300), 68);
  guest.sendUdp(USER_DNS, 53, Uint8Array.of(1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 97, 0, 0, 1, 0, 1, 0, 0, 41, 2, 0));
  guest.sendIp(USER_GATEWAY, 1, pattern(1480), { more: true, identification: 5 });
  guest.sendIp(USER_GATEWAY, 1, pattern(100), { offset: 1480, identification: 5 });
  guest.sendIp(USER_GATEWAY, 1, Uint8Array.of(8, 0, 0xf7, 0xff, 0, 0, 0, 0));
  network.send = send;
  for (let round = 0; round < ROUNDS; round++) {
    let frame = good[random(good.length)].slice();
    const kind = random(10);
    if (kind === 0) frame = frame.slice(0, random(frame.length + 1));
    if (kind === 1) frame = Uint8Array.from({ length: random(200) }, () => random(256));
    for (let changes = random(4); changes > 0 && frame.length > 0; changes--) {
      const at = random(10) === 0 ? random(frame.length) : random(Math.min(60, frame.length));
      frame[at] = random(3) === 0 ? [0, 1, 0x7f, 0x80, 0xff][random(5)] : random(256);
    }
    if (random(4) !== 0) repair(frame);
    guest.room = random(3) === 0 ? 0 : 20;
    network.send(frame, { unchecked: random(2) === 0 });
    if (random(20) === 0) network.resume();
    if (round % 50 === 0) {
      guest.clock.advance(random(3) * 1e9);
      await settle();
      guest.frames = [];
    }
    if (random(100) === 0) {
      guest.sockets.streams[random(guest.sockets.streams.length)].stream.push(pattern(random(5000)));
    }
  }
  assertEquals(network.connections <= 40, true);
  assertEquals(guest.sockets.udp.filter(({ closed }) => !closed).length <= 256, true);
  assertEquals(guest.sockets.streams.filter(({ stream }) => !stream.closed).length <= 20, true);
  network[Symbol.dispose]();
  await settle();
  assertEquals(guest.sockets.streams.every(({ stream }) => stream.closed), true);
});
