import { assertEquals, assertThrows } from "@std/assert";
import { Bus, type BusDevice } from "../bus.ts";
import { SavedStateError } from "../device.ts";
import { I440fx, I440FX_PAM, I440FX_SMRAM } from "./i440fx.ts";
import { Msi } from "./msi.ts";
import { Msix } from "./msix.ts";
import { buildPci } from "./pci_board.ts";
import { PciBus, PciPlaceError } from "./pci_bus.ts";
import { PciFunction, type PciIdentity } from "./pci_function.ts";
import { PCI } from "./pci_registers.ts";
import { PciVga } from "./pci_vga.ts";

/** Answers with its number in each byte. */
function answering(number: number): BusDevice {
  return { width: 4, read: (_, size) => number * [0, 1, 0x0101, 0, 0x01010101][size], write: () => {} };
}

class TestFunction extends PciFunction {
  readonly space = this.config;

  constructor(name = "test", identity: Partial<PciIdentity> = {}) {
    super(name, { vendor: 0x1234, device: 0x5678, class: 0x0c0330, ...identity });
  }
}

class Bench {
  readonly ports = new Bus("port", 0x10000);
  readonly mmio = new Bus("address", 2 ** 52);
  readonly irqs: boolean[] = [];
  readonly pirqs: [number, boolean][] = [];
  readonly messages: [number, number][] = [];
  readonly pci: PciBus;

  constructor(pci?: PciBus) {
    this.pci = pci ?? new PciBus({
      interrupt: (pirq, level) => this.pirqs.push([pirq, level]),
      message: (address, data) => this.messages.push([address, data]),
    });
    this.pci.attach(this.ports, this.mmio);
  }

  select(place: number, offset: number): void {
    this.ports.out(0xcf8, 4, (0x80000000 | place << 8 | offset & 0xfc) >>> 0);
  }

  read(place: number, offset: number, size: number): number {
    this.select(place, offset);
    return this.ports.in(0xcfc + (offset & 3), size);
  }

  write(place: number, offset: number, value: number, size: number): void {
    this.select(place, offset);
    this.ports.out(0xcfc + (offset & 3), size, value);
  }
}

const PLACE = 3 << 3;

Deno.test("PciBus shows configuration space in accesses of 1, 2 and 4 bytes", () => {
  const bench = new Bench();
  bench.pci.plug(new TestFunction(), { device: 3 });
  assertEquals(bench.read(PLACE, 0, 4), 0x56781234);
  assertEquals([bench.read(PLACE, 0, 2), bench.read(PLACE, 2, 2)], [0x1234, 0x5678]);
  assertEquals([0, 1, 2, 3].map((at) => bench.read(PLACE, at, 1)), [0x34, 0x12, 0x78, 0x56]);
  assertEquals([9, 10, 11].map((at) => bench.read(PLACE, at, 1)), [0x30, 0x03, 0x0c]);
  assertEquals([bench.read(PLACE, 0x2c, 2), bench.read(PLACE, 0x2e, 2)], [0x1af4, 0x1100]);
  bench.write(PLACE, PCI.INTERRUPT_LINE, 0x0b, 1);
  assertEquals(bench.read(PLACE, PCI.INTERRUPT_LINE, 4), 0x0b);
  bench.write(PLACE, 0, 0xffffffff, 4);
  assertEquals(bench.read(PLACE, 0, 4), 0x56781234, "read-only");
});

Deno.test("PciBus takes its address in four bytes only, and gives ones where there is nobody", () => {
  const bench = new Bench();
  bench.pci.plug(new TestFunction(), { device: 3 });
  bench.ports.out(0xcf8, 4, 0x80001803);
  assertEquals(bench.ports.in(0xcf8, 4), 0x80001800);
  for (const size of [1, 2]) {
    bench.ports.out(0xcf8, size, 0);
    assertEquals(bench.ports.in(0xcf8, 4), 0x80001800);
    assertEquals(bench.ports.in(0xcf8, size), size === 1 ? 0xff : 0xffff);
  }
  assertEquals(bench.read(PLACE + 1, 0, 4), 0xffffffff, "no such function");
  assertEquals(bench.read(0x100 | PLACE, 0, 4), 0xffffffff, "no such bus");
  bench.ports.out(0xcf8, 4, 0x1800);
  assertEquals(bench.ports.in(0xcfc, 4), 0xffffffff, "not enabled");
});

Deno.test("PciBus hands port 0xcf9 to the reset control", () => {
  const written: number[] = [];
  const resetControl: BusDevice = { width: 1, read: () => 0x0a, write: (_, value) => written.push(value) };
  const { ports } = new Bench(new PciBus({ interrupt: () => {}, message: () => {}, resetControl }));
  assertEquals(ports.in(0xcf9, 1), 0x0a);
  ports.out(0xcf9, 1, 0x06);
  ports.out(0xcf8, 4, 0x80000600);
  assertEquals(written, [0x06]);
});

Deno.test("PciBus.plug() finds a place, says that there are more functions, and refuses what cannot be", () => {
  const bench = new Bench();
  for (const device of [3, 4]) {
    bench.pci.plug(new TestFunction());
    assertEquals(bench.read(device << 3, 0, 2), 0x1234);
  }
  assertEquals(bench.read(PLACE, PCI.HEADER_TYPE, 1), 0);
  bench.pci.plug(new TestFunction(), { device: 3, function: 7 });
  assertEquals([bench.read(PLACE, PCI.HEADER_TYPE, 1), bench.read(PLACE + 7, PCI.HEADER_TYPE, 1)], [0x80, 0]);
  bench.pci.plug(new TestFunction(), { device: 6, function: 1 });
  bench.pci.plug(new TestFunction(), { device: 6 });
  assertEquals(bench.read(6 << 3, PCI.HEADER_TYPE, 1), 0x80);
  assertThrows(() => bench.pci.plug(new TestFunction("another"), { device: 3 }), PciPlaceError, "test is there");
  assertThrows(() => bench.pci.plug(new TestFunction(), { device: 32 }), PciPlaceError, "no such place");
});

Deno.test("PciFunction.addWindow() is sized by writing ones, and moves with register and command", () => {
  const bench = new Bench();
  const one = new TestFunction();
  one.addWindow(0, { name: "ports", kind: "io", size: 64, target: answering(1) });
  one.addWindow(2, { name: "memory", kind: "memory", size: 0x1000, target: answering(2) });
  one.addWindow(5, { name: "frames", kind: "prefetchable", size: 2 ** 24, target: answering(3) });
  one.addWindow("rom", { name: "ROM", kind: "memory", size: 0x8000, target: answering(4) });
  bench.pci.plug(one, { device: 3 });
  bench.write(PLACE, PCI.COMMAND, 0x0003, 2);
  const registers = [0x10, 0x14, 0x18, 0x24, 0x30];
  for (const at of registers) bench.write(PLACE, at, 0xffffffff, 4);
  assertEquals(registers.map((at) => bench.read(PLACE, at, 4)), [0xffffffc1, 0, 0xfffff000, 0xff000008, 0xffff8001]);
  assertEquals(bench.ports.map().length + bench.mmio.map().length, 1, "a size is no address");
  bench.write(PLACE, 0x10, 0xc040, 4);
  bench.write(PLACE, 0x18, 0xfeb00000, 4);
  assertEquals([bench.ports.in(0xc040, 4), bench.ports.in(0xc07f, 1), bench.ports.in(0xc080, 1)], [
    0x01010101,
    1,
    0xff,
  ]);
  assertEquals(bench.mmio.in(0xfeb00ffc, 4), 0x02020202);
  bench.write(PLACE, 0x18, 0xfea00000, 4);
  assertEquals([bench.mmio.in(0xfeb00000, 1), bench.mmio.in(0xfea00000, 1)], [0xff, 2]);
  bench.write(PLACE, 0x30, 0xfe000000, 4);
  assertEquals(bench.mmio.in(0xfe000000, 1), 0xff, "the ROM has an enable bit of its own");
  bench.write(PLACE, 0x30, 0xfe000001, 4);
  assertEquals(bench.mmio.in(0xfe000000, 1), 4);
  bench.write(PLACE, PCI.COMMAND, 0x0002, 2);
  assertEquals([bench.ports.in(0xc040, 1), bench.mmio.in(0xfea00000, 1)], [0xff, 2]);
  bench.pci.reset();
  assertEquals([bench.mmio.map(), bench.read(PLACE, 0x18, 4), bench.read(PLACE, PCI.COMMAND, 2)], [[], 0, 0]);
});

Deno.test("PciFunction.addWindow() of two devices at one place: the first answers until it leaves", () => {
  const bench = new Bench();
  for (const device of [3, 4]) {
    const one = bench.pci.plug(new TestFunction(), { device });
    one.addWindow(0, { name: "memory", kind: "memory", size: 0x1000, target: answering(device) });
    bench.write(device << 3, PCI.COMMAND, 2, 2);
    bench.write(device << 3, 0x10, 0xfeb00000, 4);
  }
  assertEquals(bench.mmio.in(0xfeb00000, 1), 3);
  bench.write(3 << 3, 0x10, 0xfeb01000, 4);
  assertEquals([bench.mmio.in(0xfeb00000, 1), bench.mmio.in(0xfeb01000, 1)], [4, 3]);
  bench.write(3 << 3, 0x10, 0xfeb00000, 4);
  bench.write(4 << 3, PCI.COMMAND, 0, 2);
  assertEquals([bench.mmio.in(0xfeb00000, 1), bench.mmio.in(0xfeb01000, 1)], [3, 0xff]);
});

Deno.test("PciFunction.addWindow() tells who looks after its own memory", () => {
  const bench = new Bench();
  const seen: (number | undefined)[] = [];
  const linear = { length: 2 ** 24, mapped: (base: number | undefined) => seen.push(base) };
  bench.pci.plug(new PciVga({ linear, registers: answering(1) }), { device: 2 });
  bench.write(2 << 3, 0x10, 0xe0000000, 4);
  bench.write(2 << 3, PCI.COMMAND, 2, 2);
  bench.write(2 << 3, 0x10, 0xd0000000, 4);
  bench.write(2 << 3, PCI.COMMAND, 0, 2);
  assertEquals(seen, [0xe0000000, undefined, 0xd0000000, undefined]);
});

Deno.test("PciFunction.addWindow() refuses sizes that are no power of two", () => {
  for (const size of [0, 3, 48]) {
    assertThrows(
      () => new TestFunction().addWindow(0, { name: "x", kind: "io", size, target: answering(0) }),
      RangeError,
    );
  }
  assertThrows(
    () => new TestFunction().addWindow(6, { name: "x", kind: "io", size: 4, target: answering(0) }),
    RangeError,
  );
});

Deno.test("PciFunction.interrupt() drives a PIRQ line, which several share", () => {
  const bench = new Bench();
  const first = bench.pci.plug(new TestFunction("first", { pin: 1 }), { device: 3 });
  const second = bench.pci.plug(new TestFunction("second", { pin: 4 }), { device: 4 });
  first.interrupt(true);
  assertEquals(bench.pirqs, [[2, true]]);
  assertEquals(bench.read(PLACE, PCI.STATUS, 2) & 8, 8);
  second.interrupt(true);
  first.interrupt(false);
  assertEquals(bench.pirqs, [[2, true]]);
  bench.write(4 << 3, PCI.COMMAND, 0x0400, 2);
  assertEquals(bench.pirqs, [[2, true], [2, false]], "INTx disable");
  bench.write(4 << 3, PCI.COMMAND, 0, 2);
  second.interrupt(false);
  assertEquals(bench.pirqs.slice(2), [[2, true], [2, false]]);
});

Deno.test("Piix3 takes PIRQ lines to the IRQs that its registers say", () => {
  const levels = new Array<boolean>(16).fill(false);
  const pci = buildPci({ irq: (irq) => (level) => levels[irq] = level, message: () => {} });
  const bench = new Bench(pci);
  const one = pci.plug(new TestFunction("one", { pin: 1 }), { device: 3 });
  const two = pci.plug(new TestFunction("two", { pin: 2 }), { device: 3, function: 1 });
  const high = (): number[] => levels.flatMap((level, irq) => level ? [irq] : []);
  one.interrupt(true);
  assertEquals(high(), [], "not routed after a reset");
  bench.write(1 << 3, 0x62, 0x0b, 1);
  assertEquals(high(), [11]);
  bench.write(1 << 3, 0x62, 0x0a, 1);
  assertEquals(high(), [10]);
  bench.write(1 << 3, 0x63, 0x0a, 1);
  two.interrupt(true);
  one.interrupt(false);
  assertEquals(high(), [10]);
  bench.write(1 << 3, 0x63, 0x8a, 1);
  assertEquals(high(), []);
  bench.write(1 << 3, 0x63, 0x08, 1);
  assertEquals(high(), [], "IRQ 8 cannot be had");
  bench.write(1 << 3, 0x60, 0x0b0b0b0b, 4);
  assertEquals(high(), [11]);
  pci.reset();
  assertEquals(high(), []);
});

Deno.test("Msi.send() writes the guest's data to the guest's address", () => {
  const bench = new Bench();
  const one = bench.pci.plug(new TestFunction(), { device: 3 });
  const msi = new Msi(one, one.space, 4);
  const at = bench.read(PLACE, PCI.CAPABILITIES, 1);
  assertEquals([at, bench.read(PLACE, at, 1), bench.read(PLACE, at + 2, 2)], [0x40, 5, 0x84]);
  msi.send();
  bench.write(PLACE, at + 4, 0xfee01000, 4);
  bench.write(PLACE, at + 8, 1, 4);
  bench.write(PLACE, at + 12, 0x4142, 2);
  bench.write(PLACE, at + 2, 0x11, 2);
  msi.send(3);
  bench.write(PLACE, at + 2, 0x01, 2);
  msi.send(3);
  assertEquals(bench.messages, [[0x1fee01000, 0x4143], [0x1fee01000, 0x4142]]);
  assertThrows(() => new Msi(one, one.space, 3), RangeError);
});

Deno.test("Msix.send() goes by the table; what is masked waits", () => {
  const bench = new Bench();
  const one = bench.pci.plug(new TestFunction(), { device: 3 });
  const changes: boolean[] = [];
  const msix = new Msix(one, one.space, { vectors: 3, bar: 1, changed: () => changes.push(msix.enabled) });
  const at = bench.read(PLACE, PCI.CAPABILITIES, 1);
  assertEquals([bench.read(PLACE, at, 1), bench.read(PLACE, at + 2, 2)], [0x11, 2]);
  assertEquals([bench.read(PLACE, at + 4, 4), bench.read(PLACE, at + 8, 4)], [1, 0x801]);
  bench.write(PLACE, 0x14, 0xfeb00000, 4);
  bench.write(PLACE, PCI.COMMAND, 2, 2);
  [0xfee00003, 0x2, 0x55, 1].forEach((value, field) => bench.mmio.out(0xfeb00010 + 4 * field, 4, value));
  msix.send(1);
  assertEquals(bench.mmio.in(0xfeb00800, 4), 0, "messages are off");
  bench.write(PLACE, at + 2, 0xc000, 2);
  msix.send(1);
  msix.send(1);
  msix.send(3);
  assertEquals([bench.messages, bench.mmio.in(0xfeb00800, 4)], [[], 2]);
  bench.mmio.out(0xfeb0001c, 4, 0);
  assertEquals(bench.messages, [], "all are masked");
  bench.write(PLACE, at + 2, 0x8000, 2);
  assertEquals([bench.messages, bench.mmio.in(0xfeb00800, 4)], [[[0x2fee00000, 0x55]], 0]);
  msix.send(1);
  assertEquals([bench.messages.length, changes], [2, [true, true]]);
  bench.mmio.out(0xfeb00018, 2, 0);
  assertEquals(bench.mmio.in(0xfeb00018, 4), 0x55, "only words are taken");
});

Deno.test("I440fx keeps PAM and SMRAM, and the lock holds", () => {
  const bench = new Bench();
  bench.pci.plug(new I440fx(), { device: 0 });
  assertEquals(bench.read(0, 0, 4), 0x12378086);
  for (const at of [0x58, 0x5c]) bench.write(0, at, 0xffffffff, 4);
  const pam = Array.from({ length: 7 }, (_, n) => bench.read(0, I440FX_PAM + n, 1));
  assertEquals(pam, [0x30, 0x33, 0x33, 0x33, 0x33, 0x33, 0x33]);
  bench.write(0, I440FX_SMRAM, 0x4a, 1);
  assertEquals(bench.read(0, I440FX_SMRAM, 1), 0x4a);
  bench.write(0, I440FX_SMRAM, 0x1a, 1);
  bench.write(0, I440FX_SMRAM, 0x62, 1);
  assertEquals(bench.read(0, I440FX_SMRAM, 1), 0x1a);
});

Deno.test("Piix4Pm moves the ports of power management with PMBASE, and keeps two bytes at 0xb2", () => {
  const power = answering(7);
  const bench = new Bench(buildPci({ irq: () => () => {}, message: () => {}, power }));
  const place = 1 << 3 | 3;
  assertEquals([bench.read(place, 0x40, 4), bench.read(place, 0x80, 1), bench.read(place, 0x5b, 1)], [0x601, 1, 2]);
  bench.write(place, 0x40, 0xb001, 4);
  assertEquals([bench.ports.in(0xb008, 4), bench.ports.in(0xb010, 1)], [0x07070707, 0xff]);
  const state = bench.pci.save();
  bench.write(place, 0x80, 0, 1);
  assertEquals(bench.ports.in(0xb008, 1), 0xff);
  bench.pci.restore(state);
  assertEquals(bench.ports.in(0xb008, 1), 7);
  bench.write(place, 0x40, 0x0cc1, 4);
  assertEquals(bench.ports.in(0xcf8, 4) >>> 31, 1, "PCI keeps its ports");
  bench.ports.out(0xb2, 2, 0x1234);
  assertEquals(bench.ports.in(0xb2, 2), 0x1234);
  bench.pci.reset();
  assertEquals(bench.ports.in(0xb2, 2), 0);
});

Deno.test("buildPci() has the functions of QEMU's pc at their places", () => {
  const vga = { linear: new Uint8Array(2 ** 20), registers: answering(0), rom: Uint8Array.of(0x55, 0xaa) };
  const bench = new Bench(buildPci({ irq: () => () => {}, message: () => {}, ide: answering(5), vga }));
  const at = (device: number, number = 0): number => bench.read(device << 3 | number, 0, 4);
  assertEquals([at(0), at(1), at(1, 1), at(1, 3), at(2)], [0x12378086, 0x70008086, 0x70108086, 0x71138086, 0x11111234]);
  assertEquals(bench.read(1 << 3, PCI.HEADER_TYPE, 1), 0x80);
  bench.write(1 << 3 | 1, 0x20, 0xc000, 4);
  bench.write(1 << 3 | 1, PCI.COMMAND, 1, 2);
  assertEquals([bench.ports.in(0xc00f, 1), bench.ports.in(0xc010, 1)], [5, 0xff]);
  bench.write(2 << 3, PCI.EXPANSION_ROM, 0xfe000001, 4);
  bench.write(2 << 3, PCI.COMMAND, 2, 2);
  assertEquals(bench.mmio.in(0xfe000000, 4), 0xaa55);
  bench.mmio.out(0xfe000000, 4, 0);
  assertEquals(bench.mmio.in(0xfe000000, 4), 0xaa55);
});

Deno.test("PciBus.restore() puts windows, interrupts and routes back", () => {
  const make = (): { bench: Bench; one: TestFunction; levels: boolean[] } => {
    const levels = new Array<boolean>(16).fill(false);
    const pci = buildPci({ irq: (irq) => (level) => levels[irq] = level, message: () => {} });
    const bench = new Bench(pci), one = new TestFunction("one", { pin: 1 });
    one.addWindow(0, { name: "memory", kind: "memory", size: 4096, target: answering(6) });
    pci.plug(one);
    return { bench, one, levels };
  };
  const first = make(), second = make();
  first.bench.write(1 << 3, 0x62, 0x0b, 1);
  first.bench.write(PLACE, 0x10, 0xfeb00000, 4);
  first.bench.write(PLACE, PCI.COMMAND, 2, 2);
  first.one.interrupt(true);
  const state = JSON.parse(JSON.stringify(first.bench.pci.save()));
  second.bench.pci.restore(state);
  assertEquals([second.bench.mmio.in(0xfeb00000, 1), second.levels.indexOf(true)], [6, 11]);
  assertEquals(second.bench.pci.save(), state);
  const other = new Bench();
  assertThrows(() => other.pci.restore(state), SavedStateError);
  const damaged = structuredClone(state);
  damaged.functions[2].config = "AA==";
  assertThrows(() => first.bench.pci.restore(damaged), SavedStateError, "256 bytes");
  assertEquals(first.bench.pci.save(), state);
});
