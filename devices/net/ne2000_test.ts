import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "../bus.ts";
import { SavedStateError } from "../device.ts";
import { PciBus } from "../pci/pci_bus.ts";
import { PCI } from "../pci/pci_registers.ts";
import type { EthernetPort } from "./ethernet.ts";
import { Ne2000Isa } from "./ne2000_isa.ts";
import { Ne2000Pci } from "./ne2000_pci.ts";
import type { Ne2000 } from "./ne2000.ts";

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
/** The ring of the tests: pages 0x46 to 0x4f; frames are sent from page 0x40. */
const START = 0x46, STOP = 0x50, SEND = 0x40;
const STARTED = 0x22, STOPPED = 0x21, PAGE1 = 0x40;

class Bench implements EthernetPort {
  readonly ports = new Bus("port", 0x10000);
  readonly isa: Ne2000Isa;
  readonly card: Ne2000;
  line = false;
  sent: Uint8Array[] = [];
  resumed = 0;

  constructor() {
    this.isa = new Ne2000Isa({ port: this, mac: MAC, interrupt: (level) => this.line = level });
    this.card = this.isa.card;
    this.isa.attach(this.ports);
  }

  connect(): void {}

  send(frame: Uint8Array): void {
    this.sent.push(frame.slice());
  }

  resume(): void {
    this.resumed++;
  }

  in(offset: number, size = 1): number {
    return this.ports.in(0x300 + offset, size);
  }

  out(offset: number, value: number, size = 1): void {
    this.ports.out(0x300 + offset, size, value);
  }

  /** As a driver does at its beginning, with words. */
  start(): void {
    this.in(0x1f);
    this.out(0, STOPPED);
    this.out(0x0e, 0x49);
    this.out(0x0c, 0x04);
    this.out(0x0d, 0);
    this.out(0x01, START);
    this.out(0x02, STOP);
    this.out(0x03, START);
    this.out(0x07, 0xff);
    this.out(0x0f, 0x3f);
    this.out(0, STOPPED | PAGE1);
    MAC.forEach((byte, n) => this.out(1 + n, byte));
    this.out(7, START + 1);
    this.out(0, STARTED);
  }

  remote(command: number, address: number, count: number): void {
    [address & 0xff, address >> 8, count & 0xff, count >> 8].forEach((value, n) => this.out(8 + n, value));
    this.out(0, command);
  }

  readMemory(address: number, count: number): number[] {
    this.remote(0x0a, address, count);
    return Array.from({ length: count / 2 }, () => this.in(0x10, 2)).flatMap((word) => [word & 0xff, word >> 8]);
  }

  writeMemory(address: number, bytes: Uint8Array): void {
    this.remote(0x12, address, bytes.length);
    for (let n = 0; n < bytes.length; n += 2) this.out(0x10, bytes[n] | bytes[n + 1] << 8, 2);
  }

  get current(): number {
    this.out(0, STARTED | PAGE1);
    const page = this.in(7);
    this.out(0, STARTED);
    return page;
  }
}

function frame(length: number, to: Uint8Array = MAC): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, n) => n * 3 + 1);
  bytes.set(to);
  return bytes;
}

Deno.test("Ne2000 has its address in the PROM, each byte twice, and the mark of a NE2000", () => {
  const bench = new Bench();
  bench.start();
  const twice = (bytes: readonly number[]): number[] => bytes.flatMap((byte) => [byte, byte]);
  assertEquals(bench.readMemory(0, 32), twice([...MAC, 0, 0, 0, 0, 0, 0, 0, 0, 0x57, 0x57]));
  assertEquals(bench.in(7) & 0x40, 0x40, "remote DMA is done");
  assertEquals([bench.in(0x0a), bench.in(0x0b)], [0x50, 0x43]);
});

Deno.test("Ne2000 keeps what the processor puts into its memory, by bytes or words", () => {
  const bench = new Bench();
  bench.start();
  bench.writeMemory(0x4000, Uint8Array.of(1, 2, 3, 4));
  assertEquals(bench.readMemory(0x4000, 4), [1, 2, 3, 4]);
  bench.out(0x0e, 0x48);
  bench.remote(0x12, 0x4001, 2);
  bench.out(0x10, 9);
  bench.out(0x10, 8);
  bench.remote(0x0a, 0x4000, 4);
  assertEquals([bench.in(0x10), bench.in(0x10), bench.in(0x10), bench.in(0x10), bench.in(0x10)], [1, 9, 8, 4, 0]);
  bench.out(0x0e, 0x49);
  bench.writeMemory(0x3ffe, Uint8Array.of(7, 7));
  assertEquals(bench.readMemory(0x3ffe, 2), [0xff, 0xff], "there is no memory");
  bench.remote(0x12, 0x4000, 4);
  bench.out(0x10, 0x44332211, 4);
  assertEquals(bench.readMemory(0x4000, 4), [0x11, 0x22, 0x33, 0x44]);
});

Deno.test("Ne2000 sends a frame and tells when it is gone", () => {
  const bench = new Bench();
  bench.start();
  const data = frame(100);
  bench.writeMemory(SEND << 8, data);
  bench.out(7, 0x40);
  assertEquals(bench.line, false);
  bench.out(4, SEND);
  bench.out(5, 100);
  bench.out(6, 0);
  bench.out(0, STARTED | 4);
  assertEquals(bench.sent, [data]);
  assertEquals([bench.line, bench.in(7), bench.in(4), bench.in(0)], [true, 0x02, 0x01, STARTED]);
  bench.out(7, 2);
  assertEquals([bench.line, bench.in(7)], [false, 0]);
  bench.out(0x0d, 2);
  bench.out(0, STARTED | 4);
  assertEquals([bench.sent.length, bench.in(7)], [1, 2], "loopback");
  bench.out(0x0d, 0);
  bench.out(4, 0xff);
  bench.out(0, STARTED | 4);
  assertEquals(bench.sent.length, 1, "not its memory");
});

Deno.test("Ne2000.receive() puts frames into the ring, with a header, padded, and around its end", () => {
  const bench = new Bench();
  bench.start();
  assertEquals(bench.card.receive(frame(20)), true);
  assertEquals([bench.line, bench.in(7), bench.in(0x0c)], [true, 1, 1]);
  assertEquals(bench.current, START + 2);
  assertEquals(bench.readMemory(START + 1 << 8, 4), [1, START + 2, 64, 0]);
  const received = bench.readMemory((START + 1 << 8) + 4, 60);
  assertEquals(received, [...frame(20), ...new Array(40).fill(0)]);
  bench.out(3, START + 1);
  assertEquals(bench.card.receive(frame(1514, new Uint8Array(6).fill(0xff))), true);
  assertEquals([bench.current, bench.in(0x0c)], [START + 8, 0x21]);
  bench.out(3, START + 7);
  assertEquals(bench.card.receive(frame(1000)), true);
  assertEquals(bench.current, START + 2);
  assertEquals(bench.readMemory((START + 8 << 8) + 4, 1000), [...frame(1000)], "remote DMA goes around, too");
});

Deno.test("Ne2000.receive() holds frames back while the ring is full", () => {
  const bench = new Bench();
  bench.start();
  assertEquals([bench.card.receive(frame(1514)), bench.card.receive(frame(800))], [true, false]);
  assertEquals(bench.card.receive(frame(300)), true);
  assertEquals(bench.card.receive(frame(60)), false, "a full ring would look like an empty one");
  bench.resumed = 0;
  bench.out(3, START + 6);
  assertEquals(bench.resumed, 0, "the driver has yet to take note of the last one");
  bench.out(7, 1);
  assertEquals([bench.resumed, bench.card.receive(frame(800))], [1, true]);
  bench.out(7, 1);
  bench.resumed = 0;
  bench.out(3, START - 1);
  assertEquals([bench.resumed, bench.card.receive(frame(1000))], [1, true], "before the first page is the last one");
});

Deno.test("Ne2000.receive() takes what is for the card only", () => {
  const bench = new Bench();
  const takes = (to: readonly number[]): boolean => {
    const before = bench.current;
    assertEquals(bench.card.receive(frame(60, Uint8Array.from(to))), true, "lost, not held back");
    bench.out(3, before);
    return bench.current !== before;
  };
  const everybody = [255, 255, 255, 255, 255, 255], many = [1, 0, 0x5e, 0, 0, 1];
  bench.start();
  assertEquals([takes([...MAC]), takes([2, 2, 2, 2, 2, 2]), takes(everybody), takes(many)], [true, false, true, false]);
  bench.out(0x0c, 0);
  assertEquals(takes(everybody), false);
  bench.out(0x0c, 8);
  assertEquals(takes(many), false);
  bench.out(0, STARTED | PAGE1);
  for (let n = 0; n < 8; n++) bench.out(8 + n, 0xff);
  bench.out(0, STARTED);
  assertEquals([takes(many), takes(everybody)], [true, false]);
  bench.out(0x0c, 0x10);
  assertEquals(takes([2, 2, 2, 2, 2, 2]), true);
  bench.out(0, STOPPED);
  assertEquals(bench.in(7) & 0x80, 0x80, "stopped");
  assertEquals(bench.card.receive(frame(60)), true);
});

Deno.test("Ne2000 never throws, whatever the driver does", () => {
  const bench = new Bench();
  let state = 99;
  const random = (below: number): number => {
    state = Math.imul(state, 1103515245) + 12345 | 0;
    return (state >>> 8) % below;
  };
  for (let n = 0; n < 100_000; n++) {
    const offset = random(50) === 0 ? random(32) : random(24), size = [1, 2, 4][random(3)];
    if (random(3) === 0) bench.in(offset, size);
    else bench.out(offset, random(2) === 0 ? random(256) : random(2 ** 24), size);
    if (random(5) === 0) bench.card.receive(frame(6 + random(1600)));
    bench.sent = [];
  }
});

Deno.test("Ne2000Isa.restore() goes on where it was", () => {
  const one = new Bench(), two = new Bench();
  one.start();
  one.card.receive(frame(100));
  const state = JSON.parse(JSON.stringify(one.isa.save()));
  two.isa.restore(state);
  assertEquals([two.line, two.current], [true, START + 2]);
  assertEquals(two.readMemory((START + 1 << 8) + 4, 100), [...frame(100)]);
  assertThrows(() => two.isa.restore({ ...state, current: 256 }), SavedStateError, "current");
  two.isa.reset();
  assertEquals([two.line, two.in(7)], [false, 0x80]);
});

Deno.test("Ne2000Pci is found as 10ec:8029, with the same ports behind BAR 0", () => {
  let line = false, resumed = 0;
  const port: EthernetPort = { connect: () => {}, send: () => {}, resume: () => resumed++ };
  const make = () => {
    const ports = new Bus("port", 0x10000);
    const pci = new PciBus({ interrupt: (_, level) => line = level, message: () => {} });
    pci.attach(ports, new Bus("address", 2 ** 52));
    const one = pci.plug(new Ne2000Pci({ port, mac: MAC }), { device: 3 });
    return { ports, pci, one };
  };
  const { ports, pci, one } = make();
  const config = (offset: number, value: number, size: number): void => one.writeConfig(offset, value, size);
  assertEquals(one.readConfig(0, 4), 0x802910ec);
  config(PCI.BAR0, 0xc000, 4);
  config(PCI.COMMAND, 1, 2);
  ports.out(0xc000, 1, STARTED);
  assertEquals([ports.in(0xc000, 1), ports.in(0xc020, 1), resumed], [STARTED, 0xff, 1]);
  ports.out(0xc00f, 1, 0x40);
  ports.out(0xc000, 1, 0x0a);
  assertEquals(line, true, "a transfer of nothing is done");
  const other = make();
  line = false;
  other.pci.restore(JSON.parse(JSON.stringify(pci.save())));
  assertEquals([line, other.ports.in(0xc00a, 1)], [true, 0x50]);
  other.pci.reset();
  assertEquals(line, false);
});
