import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "./bus.ts";
import { VirtualClock } from "./clock.ts";
import { type SavedState, SavedStateError } from "./device.ts";
import { I8042 } from "./i8042.ts";
import { KEY_NAMES } from "./keyboard_keys.ts";

interface Bench {
  readonly chip: I8042;
  readonly clock: VirtualClock;
  readonly ports: Bus;
  readonly events: string[];
}

function bench(): Bench {
  const clock = new VirtualClock(), events: string[] = [];
  const chip = new I8042({
    clock,
    keyboardInterrupt: (level) => events.push(`IRQ1 ${level}`),
    mouseInterrupt: (level) => events.push(`IRQ12 ${level}`),
    a20: (open) => events.push(`A20 ${open}`),
    reset: () => events.push("reset"),
  });
  const ports = new Bus("port", 0x10000);
  chip.attach(ports);
  return { chip, clock, ports, events };
}

/** Sends a command with its arguments. */
function command({ ports }: Bench, value: number, ...args: number[]): void {
  ports.out(0x64, 1, value);
  for (const arg of args) ports.out(0x60, 1, arg);
}

/** Reads all that comes. */
function taken({ ports, clock }: Bench): string {
  const bytes: number[] = [];
  for (let i = 0; i < 100; i++) {
    if ((ports.in(0x64, 1) & 1) !== 0) bytes.push(ports.in(0x60, 1));
    else if (clock.next !== undefined && clock.next - clock.now() <= 500_000) clock.advance(clock.next - clock.now());
    else break;
  }
  return Uint8Array.from(bytes).toHex();
}

Deno.test("I8042 answers its commands", () => {
  const b = bench();
  const reply = (value: number, ...args: number[]): string => {
    command(b, value, ...args);
    return taken(b);
  };
  assertEquals([reply(0xaa), reply(0xab), reply(0xa9), reply(0xa4)], ["55", "00", "00", "f1"]);
  assertEquals(b.ports.in(0x64, 1), 0x1c);
  assertEquals([reply(0x20), reply(0x60, 0x45), reply(0x20), b.ports.in(0x64, 1) & 8], ["07", "", "45", 8]);
  assertEquals([reply(0xa7), reply(0x20), reply(0xa8), reply(0x20)], ["", "65", "", "45"]);
  assertEquals([reply(0xad), reply(0x20), reply(0xae), reply(0x20)], ["", "55", "", "45"]);
  assertEquals([reply(0x65, 0x99), reply(0x25)], ["", "99"]);
  assertEquals([reply(0xc0), reply(0xe0), reply(0xd2, 0x1e)], ["a0", "00", "1e"]);
  command(b, 0xd3, 0x77);
  assertEquals(b.ports.in(0x64, 1) & 0x21, 0x21);
  assertEquals(b.ports.in(0x60, 1), 0x77);
  assertEquals(b.ports.in(0x60, 1), 0x77, "once more the last one");
});

Deno.test("I8042 has the A20 gate and the reset line", () => {
  const b = bench();
  command(b, 0xd1, 0xdd);
  command(b, 0xd0);
  assertEquals([taken(b), b.chip.a20], ["cd", false]);
  command(b, 0xdf);
  command(b, 0xdd);
  command(b, 0xd1, 0xdf);
  command(b, 0xfe);
  command(b, 0xff);
  command(b, 0xf0);
  command(b, 0xd1, 0x02);
  assertEquals(b.events.filter((event) => !event.startsWith("IRQ")), [
    "A20 false",
    "A20 true",
    "A20 false",
    "A20 true",
    "reset",
    "reset",
    "reset",
  ]);
});

Deno.test("I8042 translates set 2 into set 1 and interrupts for each byte", () => {
  const b = bench();
  b.chip.setUp();
  b.chip.keyboard.press("KeyA");
  assertEquals(b.events, ["IRQ1 true"]);
  assertEquals(b.ports.in(0x60, 1), 0x1e);
  b.chip.keyboard.release("KeyA");
  assertEquals([b.ports.in(0x60, 1), b.ports.in(0x64, 1) & 1], [0x1e, 0], "the next byte takes its time");
  assertEquals(b.events, ["IRQ1 true", "IRQ1 false"]);
  b.clock.advance(500_000);
  assertEquals(b.events, ["IRQ1 true", "IRQ1 false", "IRQ1 true"]);
  assertEquals(taken(b), "9e");
  for (const key of ["ArrowLeft", "F12"]) {
    b.chip.keyboard.press(key);
    b.chip.keyboard.release(key);
  }
  assertEquals(taken(b), "e04be0cb" + "58d8");
  b.ports.out(0x60, 1, 0xf2);
  assertEquals(taken(b), "faab41");
  command(b, 0x60, 0x05);
  b.chip.keyboard.press("KeyB");
  b.chip.keyboard.release("KeyB");
  assertEquals(taken(b), "32f032");
});

Deno.test("I8042 holds back devices that are off, and opens their lines for commands", () => {
  const b = bench();
  b.chip.setUp();
  command(b, 0xad);
  b.chip.keyboard.press("KeyA");
  assertEquals(taken(b), "");
  command(b, 0xae);
  assertEquals(taken(b), "1e");
  command(b, 0xad);
  b.ports.out(0x60, 1, 0xee);
  assertEquals(taken(b), "ee");
});

Deno.test("I8042 passes the mouse on with IRQ 12", () => {
  const b = bench();
  b.chip.setUp();
  command(b, 0x60, 0x47);
  command(b, 0xd4, 0xf4);
  assertEquals([b.ports.in(0x64, 1) & 0x21, b.events], [0x21, ["IRQ12 true"]]);
  assertEquals(taken(b), "fa");
  b.chip.mouse.move(3, -4);
  b.chip.mouse.move(1, 0);
  assertEquals(taken(b), "080304" + "080100");
  b.clock.advance(500_000);
  b.chip.keyboard.press("KeyA");
  assertEquals(b.ports.in(0x64, 1) & 0x21, 0x01);
});

Deno.test("I8042 random accesses never throw, and a restored chip goes on as the saved one", () => {
  let seed = 99;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const step = ({ chip, clock, ports, events }: Bench, [kind, a, c]: readonly number[]): string => {
    let seen = 0;
    if (kind < 2) ports.out(kind === 0 ? 0x60 : 0x64, 1, kind === 0 && a % 3 === 0 ? 0xe0 + c % 32 : c);
    else if (kind < 4) seen = ports.in(kind === 2 ? 0x60 : 0x64, 1);
    else if (kind === 4) clock.advance(a);
    else if (kind === 5) chip.mouse.move(c - 128, a % 256 - 128, c % 3);
    else if (kind === 6) {
      const key = KEY_NAMES[a % KEY_NAMES.length];
      chip.keyboard.press(key);
      chip.keyboard.release(key);
    } else if (a % 64 === 0) chip.reset();
    const happened = events.join();
    events.length = 0;
    return `${seen} ${happened}`;
  };
  const move = (): number[] => [random(8), random(1_000_000), random(256)];
  const end = performance.now() + 700;
  for (let round = 0; performance.now() < end; round++) {
    const first = bench(), second = bench();
    for (let i = 0; i < 500; i++) step(first, move());
    const state: SavedState = JSON.parse(JSON.stringify(first.chip.save()));
    second.clock.restore(first.clock.now());
    second.chip.restore(state);
    assertEquals(second.chip.save(), state, `round ${round}`);
    first.events.length = second.events.length = 0;
    for (let i = 0; i < 200; i++) {
      const next = move();
      assertEquals(step(second, next), step(first, next), `round ${round}, ${next}`);
    }
  }
});

Deno.test("I8042.restore() refuses what is no state of it", () => {
  const { chip } = bench();
  const state = chip.save();
  assertThrows(() => chip.restore({ ...state, status: -1 }), SavedStateError, "Cannot restore i8042: status");
  assertThrows(() => chip.restore({ ...state, keyboard: [{}] }), SavedStateError, "keyboard[0]: enabled");
  assertEquals(chip.save(), state);
});
