import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "./bus.ts";
import { type SavedState, SavedStateError } from "./device.ts";
import { I8259Pair } from "./i8259_pair.ts";

interface Bench {
  readonly pic: I8259Pair;
  readonly ports: Bus;
  readonly levels: boolean[];
}

/** As firmware leaves it: vectors 0x08 and 0x70, nothing masked. */
function bench(icw4 = 0x01): Bench {
  const levels: boolean[] = [];
  const pic = new I8259Pair({ interrupt: (level) => levels.push(level) });
  const ports = new Bus("port", 0x10000);
  pic.attach(ports);
  for (const [base, words] of [[0x20, [0x11, 0x08, 0x04, icw4]], [0xa0, [0x11, 0x70, 0x02, icw4]]] as const) {
    words.forEach((word, index) => out(ports, base + (index === 0 ? 0 : 1), word));
  }
  return { pic, ports, levels };
}

function out(ports: Bus, port: number, value: number): void {
  ports.write(port, Uint8Array.of(value));
}

function inb(ports: Bus, port: number): number {
  const data = new Uint8Array(1);
  ports.read(port, data);
  return data[0];
}

Deno.test("I8259Pair.acknowledge() gives the vector of each line", () => {
  for (const irq of [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
    const { pic, levels } = bench();
    pic.line(irq)(true);
    assertEquals([pic.intr, pic.acknowledge()], [true, irq < 8 ? 0x08 + irq : 0x70 + irq - 8]);
    assertEquals([pic.intr, levels], [false, [true, false]]);
  }
});

Deno.test("I8259Pair.line() refuses the cascade and what is no line", () => {
  const { pic } = bench();
  for (const irq of [2, 16, -1, 0.5]) assertThrows(() => pic.line(irq), RangeError, `Cannot wire IRQ ${irq}:`);
});

Deno.test("I8259Pair.line() lets several wires share a line", () => {
  const { pic, ports } = bench();
  out(ports, 0x4d1, 0x08); // IRQ 11 by level
  const one = pic.line(11), two = pic.line(11);
  one(true);
  two(true);
  one(false);
  assertEquals(pic.acknowledge(), 0x73);
  out(ports, 0xa0, 0x20);
  out(ports, 0x20, 0x20);
  assertEquals(pic.intr, true, "the other wire is high");
  two(false);
  assertEquals(pic.intr, false);
});

Deno.test("I8259Pair puts the slave's levels between IRQ 1 and IRQ 3", () => {
  const { pic } = bench(0x03);
  for (const irq of [7, 15, 3, 8, 12, 1, 0]) pic.line(irq)(true);
  const vectors: number[] = [];
  while (pic.intr) vectors.push(pic.acknowledge());
  assertEquals(vectors, [0x08, 0x09, 0x70, 0x74, 0x77, 0x0b, 0x0f]);
});

Deno.test("I8259Pair: a slave in service needs both ends of interrupt", () => {
  const { pic, ports } = bench();
  const irq14 = pic.line(14);
  irq14(true);
  assertEquals(pic.acknowledge(), 0x76);
  out(ports, 0x20, 0x0b);
  out(ports, 0xa0, 0x0b);
  assertEquals([inb(ports, 0x20), inb(ports, 0xa0)], [0x04, 0x40]);
  pic.line(8)(true);
  assertEquals(pic.intr, false, "the master holds back what comes from the slave");
  out(ports, 0x20, 0x20);
  assertEquals([pic.intr, pic.acknowledge()], [true, 0x70], "the slave nests by itself");
  irq14(false);
  irq14(true);
  out(ports, 0xa0, 0x20);
  out(ports, 0x20, 0x20);
  assertEquals(pic.intr, false, "IRQ 14 is still in service");
  out(ports, 0xa0, 0x20);
  assertEquals([pic.intr, pic.acknowledge()], [true, 0x76]);
});

Deno.test("I8259Pair: with the master in special fully nested mode a slave's higher level comes through", () => {
  const { pic, ports } = bench(0x11);
  pic.line(14)(true);
  pic.acknowledge();
  pic.line(15)(true);
  pic.line(3)(true);
  assertEquals(pic.intr, false);
  pic.line(9)(true);
  assertEquals([pic.intr, pic.acknowledge()], [true, 0x71]);
  out(ports, 0xa0, 0x20);
  out(ports, 0xa0, 0x0b);
  assertEquals(inb(ports, 0xa0), 0x40, "IRQ 14 goes on; the master gets no end yet");
});

Deno.test("I8259Pair.acknowledge() is spurious where the request has gone: IRQ 7, or IRQ 15 behind the master", () => {
  const { pic, ports } = bench();
  const irq5 = pic.line(5);
  irq5(true);
  irq5(false);
  assertEquals(pic.acknowledge(), 0x0f);
  out(ports, 0x20, 0x0b);
  assertEquals(inb(ports, 0x20), 0, "not in service");
  pic.master.setInput(2, true); // a glitch on the cascade
  assertEquals(pic.acknowledge(), 0x77);
  out(ports, 0xa0, 0x0b);
  assertEquals([inb(ports, 0x20), inb(ports, 0xa0)], [0x04, 0], "the master knows, the slave does not");
});

Deno.test("I8259Pair ELCR keeps the lines of an AT edge-triggered", () => {
  const { ports } = bench();
  out(ports, 0x4d0, 0xff);
  out(ports, 0x4d1, 0xff);
  assertEquals([inb(ports, 0x4d0), inb(ports, 0x4d1)], [0xf8, 0xde]);
});

Deno.test("I8259Pair.reset() leaves no interrupt", () => {
  const { pic, levels } = bench();
  pic.line(9)(true);
  pic.reset();
  assertEquals([pic.intr, levels], [false, [true, false]]);
  pic.line(1)(true);
  assertEquals(pic.intr, false);
});

Deno.test("I8259Pair.restore() brings requests and service back, and refuses damaged states", () => {
  const first = bench(), second = bench();
  first.pic.line(14)(true);
  first.pic.acknowledge();
  first.pic.line(4)(true);
  first.pic.line(1)(true);
  const state = first.pic.save();
  second.pic.restore(JSON.parse(JSON.stringify(state)));
  assertEquals([second.pic.save(), second.levels], [state, [true]]);
  assertEquals([second.pic.acknowledge(), second.pic.intr], [0x09, false]);
  const before = second.pic.save();
  const damages: SavedState[] = [{}, { version: 1 }, { version: 1, chips: [{}, {}] }, { ...state, version: 2 }];
  for (const damaged of damages) {
    assertThrows(() => second.pic.restore(damaged), SavedStateError, "Cannot restore i8259");
  }
  assertEquals(second.pic.save(), before);
});
