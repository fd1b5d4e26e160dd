/**
 * All devices on one bus under random accesses: nothing throws, nothing hangs, values stay in range, and a board restored from
 * JSON goes on as the one that was saved.
 * @module
 */

import { assertEquals } from "@std/assert";
import { Bus } from "./bus.ts";
import { VirtualClock } from "./clock.ts";
import type { Device, SavedState } from "./device.ts";
import { I8254 } from "./i8254.ts";
import { I8259Pair } from "./i8259_pair.ts";
import { Mc146818 } from "./mc146818.ts";
import { Port61 } from "./port61.ts";
import { Port92 } from "./port92.ts";
import { ResetControl } from "./reset_control.ts";
import { Uart16550 } from "./uart16550.ts";

const SEEDS = 40;
const STEPS = 1500;

/** mulberry32. */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

class Board {
  readonly ports = new Bus("port", 0x10000);
  readonly mmio = new Bus("address", 2 ** 52);
  readonly clock = new VirtualClock();
  readonly pic = new I8259Pair({ interrupt: (level) => this.events.push(`INTR ${level}`) });
  /** What came out since somebody looked last. */
  events: string[] = [];
  /** In the order in which they are restored. */
  readonly devices: readonly Device[];
  readonly lines: readonly ((level: boolean) => void)[];
  #received = 0;

  constructor() {
    const { clock } = this;
    const pit = new I8254({ interrupt: this.pic.line(0), clock });
    this.devices = [
      pit,
      new Port61(pit),
      new Mc146818({ interrupt: this.pic.line(8), clock, time: new Date("2024-02-28T23:59:50Z") }),
      new Port92({ a20: (open) => this.events.push(`A20 ${open}`), reset: () => this.events.push("INIT") }),
      new Uart16550({
        name: "com1",
        port: 0x3f8,
        clock,
        transmit: (byte) => this.events.push(`sent ${byte}`),
        receive: () => this.#received++ % 5 === 0 ? -1 : this.#received & 0xff,
        interrupt: this.pic.line(4),
      }),
      new ResetControl({ reset: (kind) => this.events.push(`reset ${kind}`) }),
      this.pic,
    ];
    this.lines = [1, 3, 5, 9, 12, 14].map((irq) => this.pic.line(irq));
    for (const device of this.devices) device.attach(this.ports, this.mmio);
  }

  save(): string {
    const states = Object.fromEntries(this.devices.map((device) => [device.name, device.save()]));
    return JSON.stringify({ now: this.clock.now(), received: this.#received, states });
  }

  restore(text: string): void {
    const { now, received, states }: { now: number; received: number; states: Record<string, SavedState> } = JSON
      .parse(text);
    this.clock.restore(now);
    this.#received = received;
    for (const device of this.devices) device.restore(states[device.name]);
    this.events = [];
  }

  /** One random thing that happens to the board; what can be seen of it. */
  step(random: (below: number) => number, ports: readonly number[]): string {
    const size = [1, 1, 1, 2, 4][random(5)];
    const port = ports[random(ports.length)];
    const data = Uint8Array.from({ length: size }, () => random(256));
    let seen = "";
    switch (random(8)) {
      case 0:
      case 1:
        this.ports.read(port, data);
        seen = data.join();
        break;
      case 2:
        this.clock.advance(random(4) === 0 ? random(20_000_000) : random(3000));
        break;
      case 3: {
        const line = random(this.lines.length);
        this.lines[line](random(2) === 0);
        break;
      }
      case 4:
        seen = String(this.pic.acknowledge());
        break;
      case 5:
        if (random(100) === 0) this.devices[random(this.devices.length)].reset();
        break;
      default:
        this.ports.write(port, data);
    }
    const events = this.events.join();
    this.events = [];
    return `${seen} ${events}`;
  }
}

function allPorts(board: Board): number[] {
  return board.ports.map().flatMap(({ base, length }) => Array.from({ length }, (_, i) => base + i));
}

Deno.test("Device: random accesses never throw and never hang, and a restored board goes on as the saved one", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = generator(seed);
    const saved = new Board();
    // Each second time the ports of one device alone.
    const all = allPorts(saved);
    const some = seed % 2 === 0 ? all : all.slice(random(all.length)).slice(0, 4);
    for (let i = 0; i < STEPS; i++) saved.step(random, some);
    const state = saved.save();
    saved.events = [];
    const restored = new Board();
    for (let i = 0; i < random(50); i++) restored.step(random, all);
    restored.restore(state);
    assertEquals(restored.save(), state, `seed ${seed}`);
    // The lines that the test itself drives are no device: they have to be driven as they were.
    for (const board of [saved, restored]) {
      for (const line of board.lines) line(false);
      board.events = [];
    }
    for (let i = 0; i < STEPS; i++) {
      const [one, other] = [saved, restored].map((board) => board.step(generator(seed * STEPS + i), all));
      assertEquals(other, one, `seed ${seed}, step ${i}`);
    }
    assertEquals(restored.save(), saved.save(), `seed ${seed}`);
  }
});

Deno.test("Device: bytes that are read are bytes", () => {
  const random = generator(7);
  const board = new Board();
  for (const device of board.devices) {
    if (!("read" in device) || typeof device.read !== "function") continue;
    for (let i = 0; i < 2000; i++) {
      board.step(random, allPorts(board));
      const value = device.read(random(2));
      assertEquals(Number.isInteger(value) && value >= 0 && value <= 0xff, true, `${device.name}: ${value}`);
    }
  }
});

Deno.test("Device: a damaged state is refused or taken, and the board works on", () => {
  const random = generator(99);
  const values = [-1, 0, 1, 255, 1e9, 2 ** 53, 0.5, true, "", "AAAA", null, [], {}];
  const damage = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || random(4) === 0) return values[random(values.length)];
    const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...value };
    const keys = Object.keys(copy);
    const key = keys[random(keys.length)];
    if (key !== undefined) Object.assign(copy, { [key]: damage(Reflect.get(copy, key)) });
    return copy;
  };
  let refused = 0, taken = 0;
  for (let round = 0; round < 3000; round++) {
    const board = new Board();
    const all = allPorts(board);
    for (let i = 0; i < 20; i++) board.step(random, all);
    const device = board.devices[random(board.devices.length)];
    const state = damage(device.save());
    if (typeof state !== "object" || state === null) continue;
    const before = JSON.stringify(device.save());
    try {
      device.restore(state as SavedState);
      taken++;
    } catch (error) {
      assertEquals(error instanceof Error && error.name, "SavedStateError");
      assertEquals(JSON.stringify(device.save()), before, "nothing has changed");
      refused++;
    }
    for (let i = 0; i < 20; i++) board.step(random, all);
  }
  assertEquals([refused > 500, taken > 100], [true, true], `${refused} refused, ${taken} taken`);
});
