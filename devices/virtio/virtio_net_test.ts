import { assertEquals } from "@std/assert";
import type { EthernetCard, EthernetPort, EthernetSendOptions } from "../net/ethernet.ts";
import { startLegacy, startModern, VirtioBench } from "./guest_driver_test.ts";
import { VirtioNet } from "./virtio_net.ts";

const CHECKSUM = 0, GUEST_CHECKSUM = 1, GUEST_TSO4 = 7, MERGED = 15, STATUS = 16, EVENT_INDEX = 29;
const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);

class TestPort implements EthernetPort {
  card: EthernetCard | undefined;
  sent: { frame: Uint8Array; options?: EthernetSendOptions }[] = [];
  resumed = 0;

  connect(card: EthernetCard): void {
    this.card = card;
  }

  send(frame: Uint8Array, options?: EthernetSendOptions): void {
    this.sent.push({ frame: frame.slice(), options });
  }

  resume(): void {
    this.resumed++;
  }
}

function setUp(): { bench: VirtioBench; port: TestPort; net: VirtioNet } {
  const port = new TestPort();
  const net = new VirtioNet({ port, mac: MAC });
  return { bench: new VirtioBench(net, 0x200_0000), port, net };
}

const frame = (length: number): Uint8Array => Uint8Array.from({ length }, (_, n) => n * 5 + 1);

Deno.test("VirtioNet tells its address and that the link is up", () => {
  const { bench, port, net } = setUp();
  startModern(bench, [STATUS]);
  assertEquals([0, 1, 2, 3, 4, 5].map((n) => bench.common(0x2000 + n, 1)), [...MAC]);
  assertEquals(bench.common(0x2006, 2), 1);
  assertEquals(port.card, net);
  assertEquals(bench.readConfig(0, 4) >>> 0, 0x10001af4);
  assertEquals(port.resumed > 0, true, "a driver that has become ready has room");
});

for (const [name, start, header] of [["modern", startModern, 12], ["legacy", startLegacy, 10]] as const) {
  Deno.test(`VirtioNet carries frames both ways for a ${name} driver`, () => {
    const { bench, port, net } = setUp();
    const [receive, transmit] = start(bench, []);
    assertEquals(net.largest, 1514);
    assertEquals(net.receive(frame(100)), false, "there is no buffer");
    receive.add([1600]);
    receive.add([10, 200], 1);
    port.resumed = 0;
    receive.notify();
    assertEquals(port.resumed, 1);
    assertEquals(net.receive(frame(100)), true);
    assertEquals(net.receive(frame(150)), true);
    const [one, two] = receive.used();
    assertEquals([one.length, two.length], [header + 100, header + 150]);
    assertEquals(one.bytes.subarray(header, header + 100), frame(100));
    assertEquals(two.bytes.subarray(header, header + 150), frame(150));
    const expected = new Uint8Array(header);
    if (header === 12) expected[10] = 1;
    assertEquals(one.bytes.subarray(0, header), expected);
    transmit.add([new Uint8Array(header), frame(60)]);
    transmit.add([new Uint8Array(header + 5), frame(60)], 2);
    transmit.notify();
    assertEquals(port.sent.map(({ frame }) => frame.length), [60, 65]);
    assertEquals(port.sent[0], { frame: frame(60), options: { unchecked: false } });
    assertEquals(transmit.used().map(({ length }) => length), [0, 0]);
  });
}

Deno.test("VirtioNet.receive() loses what the driver's buffers are too short for, and what comes before there is a driver", () => {
  const { bench, net } = setUp();
  assertEquals(net.receive(frame(100)), true);
  const [receive] = startModern(bench, []);
  receive.add([100]);
  receive.notify();
  assertEquals(net.receive(frame(100)), true);
  assertEquals(receive.used(), []);
  assertEquals(net.receive(frame(88)), true);
  assertEquals(receive.used().map(({ length }) => length), [100]);
});

Deno.test("VirtioNet.receive() spreads a frame over several buffers where the driver merges them", () => {
  const { bench, net } = setUp();
  const [receive] = startModern(bench, [MERGED, GUEST_CHECKSUM, GUEST_TSO4, EVENT_INDEX]);
  assertEquals(net.largest, 65549);
  for (let n = 0; n < 3; n++) receive.add([1000], n);
  receive.notify();
  assertEquals(net.receive(frame(4000), 1460), false, "that is not enough");
  assertEquals(receive.used(), []);
  receive.add([2000], 3);
  receive.notify();
  assertEquals(net.receive(frame(4000), 1460), true);
  const used = receive.used();
  assertEquals(used.map(({ length }) => length), [1000, 1000, 1000, 1012]);
  assertEquals(used[0].bytes.subarray(0, 12), Uint8Array.of(1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0, 4, 0));
  const joined = used.flatMap(({ bytes, length }) => [...bytes.subarray(0, length)]).slice(12);
  assertEquals(joined, [...frame(4000)]);
  receive.add([2000], 4);
  receive.notify();
  assertEquals(net.receive(frame(40)), true);
  assertEquals(receive.used()[0].bytes.subarray(0, 12), Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0));
});

Deno.test("VirtioNet.notified() says that checksums are missing, and loses what is no frame", () => {
  const { bench, port } = setUp();
  const [, transmit] = startModern(bench, [CHECKSUM]);
  const header = new Uint8Array(12);
  header[0] = 1;
  transmit.add([header, frame(100)]);
  transmit.add([header.subarray(0, 7)], 2);
  transmit.add([header], 3);
  transmit.add([header, new Uint8Array(65550)], 4);
  transmit.add([100], 6);
  transmit.notify();
  assertEquals(transmit.used().length, 5);
  assertEquals(port.sent, [{ frame: frame(100), options: { unchecked: true } }]);
});

Deno.test("VirtioNet.restore() goes on where it was", () => {
  const first = setUp(), second = setUp();
  const [receive] = startModern(first.bench, [MERGED]);
  startModern(second.bench, [MERGED]);
  receive.add([200]);
  receive.notify();
  second.bench.memory.bytes.set(first.bench.memory.bytes);
  second.bench.pci.restore(JSON.parse(JSON.stringify(first.bench.pci.save())));
  assertEquals(second.net.receive(frame(100)), true);
  assertEquals(second.bench.memory.view.getUint16(receive.device + 2, true), 1);
});
