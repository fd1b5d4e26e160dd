/**
 * PCI under random accesses: nothing throws, values stay in range, and what was saved can be restored.
 * @module
 */

import { assertEquals } from "@std/assert";
import { Bus } from "../bus.ts";
import { byteMemory } from "./byte_memory.ts";
import { Msix } from "./msix.ts";
import { buildPci } from "./pci_board.ts";
import { PciFunction } from "./pci_function.ts";

const MILLISECONDS = 300;
const STEPS = 500;
const PLACES = [0x00, 0x08, 0x09, 0x0b, 0x10, 0x18, 0x20];

/** mulberry32. */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

class Card extends PciFunction {
  readonly #msix: Msix;

  constructor(name: string, pin: number) {
    super(name, { vendor: 1, device: 2, class: 0x030000, pin });
    this.#msix = new Msix(this, this.config, { vectors: 5, bar: 1 });
    this.addWindow(0, { name, kind: "io", size: 32, target: byteMemory(new Uint8Array(32)) });
    this.addWindow(3, { name, kind: "memory", size: 2 ** 16, target: byteMemory(new Uint8Array(2 ** 16)) });
  }

  send(vector: number): void {
    this.#msix.send(vector);
  }
}

function build(): { ports: Bus; mmio: Bus; pci: ReturnType<typeof buildPci>; cards: Card[]; high: Set<number> } {
  const ports = new Bus("port", 0x10000), mmio = new Bus("address", 2 ** 52);
  const memory = byteMemory(new Uint8Array(16));
  const high = new Set<number>();
  const pci = buildPci({
    irq: (irq) => (level) => level ? high.add(irq) : high.delete(irq),
    message: () => {},
    ide: memory,
    power: memory,
    vga: { linear: new Uint8Array(2 ** 20), registers: memory, rom: new Uint8Array(0x9000) },
  });
  pci.attach(ports, mmio);
  ports.attach({ name: "serial", base: 0x3f8, length: 8 }, memory);
  const cards = [1, 4].map((pin) => pci.plug(new Card(`card ${pin}`, pin)));
  return { ports, mmio, pci, cards, high };
}

Deno.test("PciBus never throws, whatever is written, and is restored as it was", () => {
  const end = performance.now() + MILLISECONDS;
  for (let seed = 1; performance.now() < end; seed++) {
    const random = generator(seed);
    const { ports, mmio, pci, cards, high } = build();
    for (let step = 0; step < STEPS; step++) {
      const size = 1 << random(3), most = 2 ** (8 * size);
      const value = random(4) === 0 ? most - 1 : random(3) === 0 ? random(Math.min(most, 0x2000)) : random(most);
      const offset = random(3) === 0 ? 4 : random(2) === 0 ? 0x10 + 4 * random(9) : random(256);
      ports.out(0xcf8, 4, (0x80000000 | PLACES[random(PLACES.length)] << 8 | offset & 0xfc) >>> 0);
      if (random(4) === 0) assertEquals(ports.in(0xcfc + (offset & 3), size) < most, true);
      else ports.out(0xcfc + (offset & 3), size, value);
      for (const bus of [ports, mmio]) {
        const windows = bus.map(), { base, length } = windows[random(windows.length)] ?? { base: 0, length: 1 };
        bus.out(base + random(length), size, value);
        assertEquals(bus.in(base + random(length), size) < most, true);
      }
      const card = cards[random(2)];
      card.interrupt(random(2) === 0);
      card.send(random(6));
    }
    const other = build(), state = JSON.parse(JSON.stringify(pci.save()));
    other.pci.restore(state);
    assertEquals(other.pci.save(), state);
    assertEquals([...other.high].sort(), [...high].sort());
    pci.reset();
    assertEquals([mmio.map(), high.size], [[], 0]);
  }
});
