import { assertEquals } from "@std/assert";
import { BufferEnd } from "../buffer_end.ts";
import { startLegacy, startModern, VirtioBench } from "./guest_driver_test.ts";
import { VirtioConsole } from "./virtio_console.ts";

const SIZE = 0, EVENT_INDEX = 29;
const text = new TextEncoder();

for (const [name, start] of [["modern", startModern], ["legacy", startLegacy]] as const) {
  Deno.test(`VirtioConsole sends and receives for a ${name} driver`, () => {
    const end = new BufferEnd(), device = new VirtioConsole(end);
    const [receive, transmit] = start(new VirtioBench(device));
    assertEquals(transmit.request(text.encode("hello, "), text.encode("world")).length, 0);
    assertEquals(end.text, "hello, world");
    assertEquals(device.listens, false);
    receive.add([4], 0);
    receive.add([2, 3], 1);
    receive.notify();
    assertEquals(device.listens, true);
    end.write("abcdefghijk");
    device.poll();
    const got = receive.used();
    assertEquals(got.map(({ length, bytes }) => new TextDecoder().decode(bytes.subarray(0, length))), [
      "abcd",
      "efghi",
    ]);
    receive.add([8], 0);
    receive.notify();
    assertEquals(receive.used().map(({ length }) => length), [2]);
  });
}

Deno.test("VirtioConsole holds a byte that finds no room, also over save() and restore()", () => {
  const end = new BufferEnd(), device = new VirtioConsole(end), bench = new VirtioBench(device);
  const [receive] = startModern(bench);
  end.write("xy");
  receive.add([0], 0);
  receive.notify();
  assertEquals(receive.used().map(({ length }) => length), [0]);
  const other = new VirtioConsole(new BufferEnd()), otherBench = new VirtioBench(other);
  otherBench.pci.restore(bench.pci.save());
  otherBench.memory.bytes.set(bench.memory.bytes);
  for (const one of [bench, otherBench]) {
    const { view } = one.memory;
    view.setBigUint64(receive.descriptors, 0x50000n, true);
    view.setUint32(receive.descriptors + 8, 1, true);
    view.setUint16(receive.descriptors + 12, 2, true);
    view.setUint16(receive.driver + 6, 0, true);
    view.setUint16(receive.driver + 2, 2, true);
    one.mmio.out(0xfeb10000 + 0x3000, 2, 0);
    assertEquals(String.fromCharCode(one.memory.bytes[0x50000]), "x");
  }
});

Deno.test("VirtioConsole.resize() tells the driver", () => {
  const device = new VirtioConsole(new BufferEnd()), bench = new VirtioBench(device);
  startModern(bench, [SIZE]);
  assertEquals([bench.common(0x2000, 2), bench.common(0x2002, 2)], [80, 25]);
  const generation = bench.common(0x15, 1);
  device.resize(132, 43);
  assertEquals(bench.line, true);
  assertEquals(bench.isr, 2);
  assertEquals(bench.line, false);
  assertEquals(bench.common(0x15, 1), generation + 1);
  assertEquals([bench.common(0x2000, 2), bench.common(0x2002, 2)], [132, 43]);
  device.resize(132, 43);
  assertEquals(bench.isr, 0);
});

Deno.test("VirtioConsole sends a character by its configuration, before there is a queue", () => {
  const end = new BufferEnd(), bench = new VirtioBench(new VirtioConsole(end));
  bench.setCommon(0x2008, 0x41, 4);
  assertEquals(end.text[0], "A");
});

Deno.test("VirtioConsole with event indices interrupts only when asked", () => {
  const end = new BufferEnd(), bench = new VirtioBench(new VirtioConsole(end));
  const [, transmit] = startModern(bench, [EVENT_INDEX]);
  const wanted = transmit.driver + 4 + 2 * transmit.size;
  bench.memory.view.setUint16(wanted, 2, true);
  for (const expected of [0, 0, 1, 0]) {
    transmit.request(text.encode("."));
    assertEquals(bench.isr, expected);
  }
  assertEquals(
    bench.memory.view.getUint16(transmit.device + 4 + 8 * transmit.size, true),
    4,
    "asks for the next notification",
  );
});
