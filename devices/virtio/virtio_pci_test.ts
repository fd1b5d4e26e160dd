import { assertEquals, assertThrows } from "@std/assert";
import { SavedStateError } from "../device.ts";
import { PORTS, startLegacy, startModern, VirtioBench, WINDOW } from "./guest_driver_test.ts";
import { VirtioDevice } from "./virtio_device.ts";
import type { VirtqueueChain } from "./virtqueue.ts";

const INDIRECT = 28, EVENT_INDEX = 29;
const DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40;

/** Gives back what it is given, in capital letters as far as there is room; keeps chains if it is told to. */
class Echo extends VirtioDevice {
  notifications: number[] = [];
  kept: VirtqueueChain[] = [];
  keeps = false;
  resets = 0;

  constructor() {
    const queues = [16, 64];
    super({
      name: "echo",
      type: 42,
      pciDevice: 0x1010,
      pciClass: 0xff0000,
      features: [0, 5, 35],
      queues,
      configLength: 6,
    });
    for (let n = 0; n < 6; n++) this.config.setUint8(n, 0xa0 + n);
  }

  notified(number: number): void {
    this.notifications.push(number);
    const queue = this.host.queues[number];
    for (const chain of queue.chains()) {
      if (this.keeps) {
        this.kept.push(chain);
        continue;
      }
      const bytes = new Uint8Array(chain.readable);
      chain.read(0, bytes);
      queue.give(chain, chain.write(0, bytes.map((byte) => byte - 0x20)));
    }
  }

  override writeConfig(offset: number, value: number): void {
    if (offset === 5) this.config.setUint8(offset, value);
  }

  override reset(): void {
    this.resets++;
    this.kept = [];
  }

  change(): void {
    this.host.configChanged();
  }
}

function setUp(): { device: Echo; bench: VirtioBench } {
  const device = new Echo();
  return { device, bench: new VirtioBench(device) };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const words = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("VirtioPci is a transitional device with its windows and capabilities", () => {
  const { bench } = setUp();
  assertEquals([bench.readConfig(0, 4), bench.readConfig(8, 1), bench.readConfig(0x2c, 4)], [
    0x10101af4,
    0,
    42 << 16 | 0x1af4,
  ]);
  const areas = [1, 3, 4, 2, 5].map((_, n) => {
    const at = bench.capability(9, n);
    return [3, 4].map((field) => bench.readConfig(at + field, 1)).concat(
      [8, 12].map((field) => bench.readConfig(at + field, 4)),
    );
  });
  assertEquals(areas.slice(0, 4), [[1, 4, 0, 0x1000], [3, 4, 0x1000, 0x1000], [4, 4, 0x2000, 0x1000], [
    2,
    4,
    0x3000,
    0x1000,
  ]]);
  assertEquals(bench.readConfig(bench.capability(9, 3) + 16, 4), 4, "from queue to queue");
  assertEquals(bench.readConfig(bench.capability(0x11) + 2, 2), 2, "three messages");
});

Deno.test("VirtioPci settles features with a driver of version 1", () => {
  const { bench } = setUp();
  const offered = [0, 1, 2].map((word) => {
    bench.setCommon(0, word, 4);
    return bench.common(4, 4);
  });
  assertEquals(offered, [(1 << 0 | 1 << 5 | 1 << 27 | 1 << 28 | 1 << 29) >>> 0, 1 | 1 << 3, 0]);
  bench.setCommon(0x14, 3, 1);
  bench.setCommon(0x0c, 0x21, 4);
  bench.setCommon(0x14, 3 | FEATURES_OK, 1);
  assertEquals(bench.status, 3, "not without version 1");
  bench.setCommon(8, 1, 4);
  bench.setCommon(0x0c, 0xffffffff, 4);
  assertEquals(bench.common(0x0c, 4), 9, "only what is offered");
  bench.setCommon(0x14, 3 | FEATURES_OK, 1);
  assertEquals(bench.status, 11);
  bench.setCommon(0x0c, 1, 4);
  assertEquals(bench.common(0x0c, 4), 9, "settled");
});

Deno.test("VirtioPci serves a driver of version 1, with direct and indirect chains", () => {
  const { bench, device } = setUp();
  const queues = startModern(bench, [INDIRECT]);
  assertEquals(queues.length, 2);
  for (const queue of queues) {
    for (const indirect of [false, true]) {
      queue.indirect = indirect;
      const { length, bytes } = queue.request(text("hello "), text("world"), 4, 20);
      assertEquals([length, words(bytes.subarray(0, length))], [11, "HELLO\0WORLD"]);
      assertEquals([bench.line, bench.isr, bench.line, bench.isr], [true, 1, false, 0]);
    }
  }
  assertEquals(device.notifications, [0, 1, 0, 0, 1, 1]);
});

Deno.test("VirtioPci serves a driver of the time before version 1", () => {
  const { bench } = setUp();
  assertEquals(bench.ports.in(PORTS, 4), (1 << 0 | 1 << 5 | 1 << 27 | 1 << 28 | 1 << 29) >>> 0);
  const queues = startLegacy(bench);
  assertEquals(queues.map(({ size }) => size), [16, 64]);
  for (const queue of queues) {
    assertEquals(words(queue.request(text("abc"), 3).bytes), "ABC");
    assertEquals([bench.line, bench.ports.in(PORTS + 19, 1), bench.line], [true, 1, false]);
  }
  assertEquals([0, 5].map((at) => bench.ports.in(PORTS + 20 + at, 1)), [0xa0, 0xa5]);
  bench.ports.out(PORTS + 25, 1, 0x77);
  assertEquals(bench.ports.in(PORTS + 24, 2), 0x77a4);
  bench.enableMessages();
  assertEquals(
    [bench.ports.in(PORTS + 20, 2), bench.ports.in(PORTS + 24, 1)],
    [0xffff, 0xa0],
    "messages move the configuration",
  );
  bench.ports.out(PORTS + 14, 2, 1);
  bench.ports.out(PORTS + 22, 2, 2);
  assertEquals(bench.ports.in(PORTS + 22, 2), 2);
  bench.ports.out(PORTS + 20, 2, 7);
  assertEquals(bench.ports.in(PORTS + 20, 2), 0xffff, "no such message");
  queues[1].request(text("abc"), 3);
  assertEquals(bench.messages, [[0xfee00000, 0x42]]);
  assertEquals(bench.ports.in(PORTS + 8, 4), 0x18, "the page of queue 1");
  bench.ports.out(PORTS + 8, 4, 0);
  assertEquals(bench.ports.in(PORTS + 8, 4), 0);
});

Deno.test("VirtioPci sends messages in place of the interrupt when MSI-X is on", () => {
  const { bench, device } = setUp();
  bench.enableMessages();
  const queues = startModern(bench);
  queues[1].request(text("x"), 1);
  queues[0].request(text("x"), 1);
  device.change();
  assertEquals(bench.messages.map(([, data]) => data), [0x42, 0x41, 0x40]);
  assertEquals([bench.line, bench.isr], [false, 0]);
});

Deno.test("VirtioPci asks for no interrupt that the driver does not want", () => {
  const { bench } = setUp();
  const [queue] = startModern(bench);
  bench.memory.view.setUint16(queue.driver, 1, true);
  queue.request(text("x"), 1);
  assertEquals(bench.isr, 0);
  bench.memory.view.setUint16(queue.driver, 0, true);
  queue.request(text("x"), 1);
  assertEquals(bench.isr, 1);
});

Deno.test("VirtioPci serves nobody before DRIVER_OK, and then what waits already", () => {
  const { bench, device } = setUp();
  const [queue] = startModern(bench);
  bench.setCommon(0x14, 11, 1);
  device.notifications = [];
  queue.add([text("a"), 1]);
  queue.notify();
  assertEquals([device.notifications, queue.used()], [[], []]);
  bench.setCommon(0x14, 15, 1);
  assertEquals(words(queue.used()[0].bytes), "A");
});

Deno.test("VirtioPci is reset by a status of 0, and by its bus", () => {
  const { bench, device } = setUp();
  for (
    const reset of [() => bench.setCommon(0x14, 0, 1), () => bench.ports.out(PORTS + 18, 1, 0), () => bench.one.reset()]
  ) {
    bench.config(0x04, 7, 2);
    [PORTS, 0xfeb00000].forEach((address, n) => bench.config(0x10 + 4 * n, address, 4));
    bench.config(0x20, WINDOW, 4);
    const [queue] = startModern(bench);
    queue.request(text("x"), 1);
    assertEquals(bench.line, true);
    const before = device.resets;
    reset();
    assertEquals([bench.line, device.resets, bench.one.status.value, bench.one.queues[0].ready], [
      false,
      before + 1,
      0,
      false,
    ]);
  }
});

Deno.test("VirtioPci shows its window through the configuration space", () => {
  const { bench } = setUp();
  const at = bench.capability(9, 4);
  const access = (offset: number, length: number): void => {
    bench.config(at + 4, 4, 1);
    bench.config(at + 8, offset, 4);
    bench.config(at + 12, length, 4);
  };
  access(0x12, 2);
  assertEquals(bench.readConfig(at + 16, 2), 2, "two queues");
  access(0x14, 1);
  bench.config(at + 16, 3, 1);
  assertEquals(bench.status, 3);
  for (const [offset, length] of [[0x4000, 4], [0x3fff, 4], [0, 3], [0, 0], [0xfffffffc, 4]]) {
    access(offset, length);
    bench.config(at + 16, 0, 4);
    bench.readConfig(at + 16, 4);
  }
  assertEquals(bench.status, 3);
});

const TABLE = 0x1000;
Deno.test("VirtioPci wants to be reset after chains that break the rules", async (test) => {
  const cases: [string, (bench: VirtioBench, queue: ReturnType<typeof startModern>[number]) => void][] = [
    ["a head behind the table", (_, queue) => queue.offer(16)],
    ["a link behind the table", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0, length: 1, flags: 1, next: 400 });
      queue.offer(0);
    }],
    ["a loop", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0, length: 1, flags: 1, next: 1 });
      queue.descriptor(TABLE, 1, { address: 0, length: 1, flags: 1, next: 0 });
      queue.offer(0);
    }],
    ["what is readable behind what is writable", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0, length: 1, flags: 3, next: 1 });
      queue.descriptor(TABLE, 1, { address: 0, length: 1, flags: 0 });
      queue.offer(0);
    }],
    ["an indirect table that has a next one", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0x8000, length: 16, flags: 5 });
      queue.offer(0);
    }],
    ["an indirect table in another one", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0x8000, length: 16, flags: 4 });
      queue.descriptor(0x8000, 0, { address: 0x9000, length: 16, flags: 4 });
      queue.offer(0);
    }],
    ["an indirect table of no whole entries", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0x8000, length: 20, flags: 4 });
      queue.offer(0);
    }],
    ["an indirect table that is far too long", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0x8000, length: 0xfffffff0, flags: 4 });
      queue.offer(0);
    }],
    ["a loop in an indirect table", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0x8000, length: 32, flags: 4 });
      queue.descriptor(0x8000, 0, { address: 0, length: 1, flags: 1, next: 0 });
      queue.offer(0);
    }],
    ["an address that cannot be", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 2 ** 60, length: 16, flags: 0 });
      queue.offer(0);
    }],
    ["more than 4 GiB", (_, queue) => {
      queue.descriptor(TABLE, 0, { address: 0, length: 0xffffffff, flags: 1, next: 1 });
      queue.descriptor(TABLE, 1, { address: 0, length: 0xffffffff, flags: 0 });
      queue.offer(0);
    }],
    ["more chains than there can be", (bench, queue) => bench.memory.view.setUint16(queue.driver + 2, 17, true)],
  ];
  for (const [name, damage] of cases) {
    await test.step(name, () => {
      const { bench, device } = setUp();
      const queues = startModern(bench);
      damage(bench, queues[0]);
      queues[0].notify();
      assertEquals([bench.status, bench.isr], [15 | NEEDS_RESET, 2]);
      assertEquals(queues[0].used(), []);
      device.notifications = [];
      queues[1].add([text("a"), 1]);
      queues[1].notify();
      assertEquals([device.notifications, queues[1].used()], [[], []]);
      bench.setCommon(0x14, 7, 1);
      assertEquals(bench.status & NEEDS_RESET, NEEDS_RESET);
      bench.memory.bytes.fill(0);
      const [queue] = startModern(bench);
      assertEquals(words(queue.request(text("a"), 1).bytes), "A");
    });
  }
});

Deno.test("VirtioPci with rings where there is no memory wants to be reset", () => {
  for (const high of [0, 0x1000, 0xffffffff]) {
    const { bench } = setUp();
    startModern(bench);
    bench.setCommon(0x14, 0, 1);
    bench.setCommon(8, 1, 4);
    bench.setCommon(0x0c, 1, 4);
    bench.setCommon(0x14, 11, 1);
    for (const at of [0x20, 0x28, 0x30]) {
      bench.setCommon(at, 0xfffff000, 4);
      bench.setCommon(at + 4, high, 4);
    }
    assertEquals([bench.common(0x20, 4), bench.common(0x24, 4)], [0xfffff000, high]);
    bench.setCommon(0x1c, 1, 2);
    bench.setCommon(0x14, 11 | DRIVER_OK, 1);
    bench.mmio.out(WINDOW + 0x3000, 2, 0);
    assertEquals(bench.status, 15 | NEEDS_RESET);
  }
});

Deno.test("VirtioPci.restore() goes on in the middle, and refuses what is damaged", () => {
  const first = setUp(), second = setUp();
  first.bench.enableMessages();
  const [queue] = startModern(first.bench, [EVENT_INDEX]);
  queue.request(text("a"), 1);
  const state = JSON.parse(JSON.stringify(first.bench.pci.save()));
  second.bench.pci.restore(state);
  assertEquals(second.bench.pci.save(), state);
  second.bench.memory.bytes.set(first.bench.memory.bytes);
  for (const { bench } of [first, second]) {
    bench.messages.length = 0;
    bench.memory.view.setUint16(queue.driver + 4 + 32, 1, true);
    bench.memory.view.setUint16(queue.driver + 6, 0, true);
    bench.memory.view.setUint16(queue.driver + 2, 2, true);
    bench.mmio.out(WINDOW + 0x3000, 2, 0);
    assertEquals([bench.memory.view.getUint16(queue.device + 2, true), bench.messages], [2, [[0xfee00000, 0x41]]]);
  }
  const damaged = structuredClone(state);
  damaged.functions[0].own[0].queues[0].size = 4096;
  assertThrows(() => first.bench.pci.restore(damaged), SavedStateError, "size");
});
