import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "../bus.ts";
import { VirtualClock } from "../clock.ts";
import { type SavedState, SavedStateError } from "../device.ts";
import { Vga } from "./vga.ts";

interface Bench {
  readonly vga: Vga;
  readonly clock: VirtualClock;
  readonly ports: Bus;
  readonly memory: Uint8Array;
}

function bench(mode?: number, size = 0x100000): Bench {
  const clock = new VirtualClock(), memory = new Uint8Array(size);
  const vga = new Vga({ linear: memory, clock });
  const ports = new Bus("port", 0x10000);
  vga.attach(ports, new Bus("address", 2 ** 32));
  if (mode !== undefined) vga.setMode(mode);
  return { vga, clock, ports, memory };
}

function indexed({ ports }: Bench, port: number, index: number, value: number): void {
  ports.out(port, 2, index | value << 8);
}

/** The colour of a pixel as 0xrrggbb. */
function pixel(vga: Vga, x: number, y: number): number {
  const { width, rgba } = vga.frame();
  const at = (y * width + x) * 4;
  return rgba[at] << 16 | rgba[at + 1] << 8 | rgba[at + 2];
}

function write(vga: Vga, address: number, text: string, attribute: number): void {
  [...text].forEach((character, i) => vga.memory.write(address + i * 2, character.charCodeAt(0) | attribute << 8, 2));
}

Deno.test("Vga.setMode() gives the sizes of the standard modes", () => {
  const { vga } = bench();
  const sizes = [0, 3, 4, 5, 6, 7, 0xd, 0xe, 0xf, 0x10, 0x11, 0x12, 0x13].map((mode) => {
    vga.setMode(mode);
    const { width, height } = vga.frame();
    const text = vga.text();
    return `${mode.toString(16)}: ${width}x${height}${text === undefined ? "" : ` ${text.columns}x${text.rows}`}`;
  });
  assertEquals(sizes, [
    "0: 360x400 40x25",
    "3: 720x400 80x25",
    "4: 320x200",
    "5: 320x200",
    "6: 640x200",
    "7: 720x400 80x25",
    "d: 320x200",
    "e: 640x200",
    "f: 640x350",
    "10: 640x350",
    "11: 640x480",
    "12: 640x480",
    "13: 320x200",
  ]);
  assertThrows(() => vga.setMode(8), RangeError, "Cannot set mode 8");
});

Deno.test("Vga.text() and lines() give what stands on the screen", () => {
  const { vga, ports } = bench(3);
  write(vga, 0x18000, "Hello", 0x1f);
  write(vga, 0x18000 + 24 * 160 + 150, "\xc4\xb3\x01!\xff", 7);
  ports.out(0x3d4, 2, 0x0e | 0x07 << 8);
  ports.out(0x3d4, 2, 0x0f | 0x80 << 8);
  const text = vga.text();
  assertEquals([text?.columns, text?.rows, text?.cells[0], text?.cells[5]], [80, 25, 0x1f48, 0x0720]);
  assertEquals(text?.cursor, { row: 0x780 / 80, column: 0, top: 13, bottom: 14 });
  assertEquals(vga.lines()[0], "Hello");
  assertEquals(vga.lines()[24], `${" ".repeat(75)}─│☺!`);
  assertEquals([vga.memory.read(0x18000, 2), vga.memory.read(0x18008, 4)], [0x1f48, 0x07201f6f]);
  assertEquals(vga.memory.read(0, 1), 0xff, "nothing answers at 0xa0000");
});

Deno.test("Vga.text() follows the start address and a split screen", () => {
  const b = bench(3);
  write(b.vga, 0x18000, "top of memory", 7);
  write(b.vga, 0x18000 + 160 * 30, "scrolled", 7);
  indexed(b, 0x3d4, 0x0c, (80 * 30) >> 8);
  indexed(b, 0x3d4, 0x0d, (80 * 30) & 0xff);
  assertEquals(b.vga.lines()[0], "scrolled");
  indexed(b, 0x3d4, 0x11, 0x0e);
  indexed(b, 0x3d4, 0x18, 319 & 0xff);
  indexed(b, 0x3d4, 0x07, 0x1f);
  indexed(b, 0x3d4, 0x09, 0x0f);
  assertEquals([b.vga.lines()[0], b.vga.lines()[20]], ["scrolled", "top of memory"]);
});

Deno.test("Vga.frame() draws text with colours, the ninth dot and the cursor", () => {
  const { vga, clock, ports } = bench(3);
  write(vga, 0x18000, "\xdb\xcd\xdf", 0x1e);
  assertEquals(pixel(vga, 0, 0), 0xffff55);
  assertEquals([pixel(vga, 8, 0), pixel(vga, 9 + 8, 6), pixel(vga, 18 + 8, 0)], [0xffff55, 0xffff55, 0xffff55]);
  write(vga, 0x18000, "\x08", 0x1e);
  assertEquals([pixel(vga, 7, 0), pixel(vga, 8, 0)], [0xffff55, 0x0000aa], "the ninth dot is background elsewhere");
  ports.out(0x3d4, 2, 0x0f | 10 << 8);
  assertEquals(pixel(vga, 10 * 9, 13), 0xaaaaaa);
  assertEquals(pixel(vga, 10 * 9, 12), 0);
  clock.advance(114_000_000);
  assertEquals(pixel(vga, 10 * 9, 13), 0, "it blinks");
});

Deno.test("Vga.frame() draws blinking and bright backgrounds", () => {
  const b = bench(3);
  write(b.vga, 0x18000, "\xdb", 0x9c);
  assertEquals(pixel(b.vga, 0, 0), 0xff5555);
  b.clock.advance(2 * 114_000_000);
  assertEquals(pixel(b.vga, 0, 0), 0x0000aa);
  b.ports.in(0x3da, 1);
  b.ports.out(0x3c0, 1, 0x30);
  b.ports.out(0x3c0, 1, 0x04);
  write(b.vga, 0x18000, " ", 0x9c);
  assertEquals(pixel(b.vga, 0, 0), 0x5555ff);
});

Deno.test("Vga.frame() draws a second font by attribute bit 3", () => {
  const b = bench(3);
  indexed(b, 0x3c4, 0x02, 0x04);
  indexed(b, 0x3c4, 0x04, 0x06);
  indexed(b, 0x3ce, 0x06, 0x04);
  b.vga.memory.write(0x4000 + 0x41 * 32, 0xff, 1);
  indexed(b, 0x3c4, 0x02, 0x03);
  indexed(b, 0x3c4, 0x04, 0x02);
  indexed(b, 0x3ce, 0x06, 0x0e);
  write(b.vga, 0x18000, "A", 0x0f);
  assertEquals(pixel(b.vga, 0, 0), 0);
  indexed(b, 0x3c4, 0x03, 0x04);
  assertEquals(pixel(b.vga, 0, 0), 0xffffff);
});

Deno.test("Vga write modes 0 to 3 and read modes 0 and 1 in mode 12h", () => {
  const b = bench(0x12);
  const { vga } = b;
  const planes = (address: number): number[] =>
    [0, 1, 2, 3].map((plane) => {
      indexed(b, 0x3ce, 4, plane);
      return vga.memory.read(address, 1);
    });
  indexed(b, 0x3c4, 2, 0x5);
  vga.memory.write(0, 0x81, 1);
  assertEquals(planes(0), [0x81, 0, 0x81, 0]);
  indexed(b, 0x3c4, 2, 0xf);
  // Mode 0: rotate, set/reset, function, bit mask.
  indexed(b, 0x3ce, 3, 0x01);
  vga.memory.write(1, 0x81, 1);
  assertEquals(planes(1), [0xc0, 0xc0, 0xc0, 0xc0]);
  indexed(b, 0x3ce, 3, 0x00);
  indexed(b, 0x3ce, 0, 0x2);
  indexed(b, 0x3ce, 1, 0x3);
  vga.memory.write(2, 0x0f, 1);
  assertEquals(planes(2), [0x00, 0xff, 0x0f, 0x0f]);
  indexed(b, 0x3ce, 1, 0x0);
  indexed(b, 0x3ce, 8, 0x3c);
  indexed(b, 0x3ce, 3, 0x18);
  vga.memory.read(2, 1);
  vga.memory.write(3, 0xff, 1);
  assertEquals(planes(3), [0x3c, 0xc3, 0x33, 0x33]);
  // Mode 1: the latches.
  indexed(b, 0x3ce, 5, 1);
  vga.memory.read(3, 1);
  vga.memory.write(4, 0x00, 1);
  assertEquals(planes(4), [0x3c, 0xc3, 0x33, 0x33]);
  // Mode 2: a colour.
  indexed(b, 0x3ce, 5, 2);
  indexed(b, 0x3ce, 3, 0);
  indexed(b, 0x3ce, 8, 0x80);
  vga.memory.read(5, 1);
  vga.memory.write(5, 0x0b, 1);
  assertEquals(planes(5), [0x80, 0x80, 0, 0x80]);
  // Mode 3: the byte is a mask too.
  indexed(b, 0x3ce, 5, 3);
  indexed(b, 0x3ce, 8, 0xf0);
  indexed(b, 0x3ce, 0, 0x6);
  vga.memory.read(6, 1);
  vga.memory.write(6, 0x3f, 1);
  assertEquals(planes(6), [0, 0x30, 0x30, 0]);
  assertEquals(pixel(vga, 6 * 8 + 2, 0), 0xaa5500, "colour 6 is brown");
  // Read mode 1: where the colour is 6 in all planes, and in two of them.
  indexed(b, 0x3ce, 5, 8);
  indexed(b, 0x3ce, 2, 6);
  assertEquals(vga.memory.read(6, 1), 0x30);
  indexed(b, 0x3ce, 7, 9);
  assertEquals(vga.memory.read(6, 1), 0xff);
});

Deno.test("Vga chain-4 in mode 13h is plain memory, and mode X has its planes", () => {
  const b = bench(0x13);
  const { vga, memory } = b;
  vga.memory.write(321, 0x0c0b0a09, 4);
  assertEquals([...memory.subarray(320, 326)], [0, 9, 10, 11, 12, 0]);
  assertEquals([vga.direct, vga.memory.read(321, 4)], [0, 0x0c0b0a09]);
  assertEquals(pixel(vga, 1, 1), 0x5555ff);
  assertEquals(pixel(vga, 4, 1), 0xff5555);
  indexed(b, 0x3c4, 4, 0x06);
  indexed(b, 0x3d4, 0x14, 0);
  indexed(b, 0x3d4, 0x17, 0xe3);
  assertEquals(vga.direct, -1);
  indexed(b, 0x3c4, 2, 0x04);
  vga.memory.write(80 * 2 + 10, 0x0e, 1);
  assertEquals(pixel(vga, 42, 2), 0xffff55);
  const before = vga.frame();
  indexed(b, 0x3d4, 0x0d, 80);
  assertEquals(pixel(vga, 42, 1), 0xffff55, "the picture begins a line later");
  assertEquals(before.rgba.length, 320 * 200 * 4);
});

Deno.test("Vga CGA modes have two banks of lines", () => {
  const { vga } = bench(4);
  vga.memory.write(0x18000, 0x1b, 1);
  vga.memory.write(0x1a000, 0xe4, 1);
  assertEquals([0, 1, 2, 3].map((x) => pixel(vga, x, 0)), [0, 0x55ffff, 0xff55ff, 0xffffff]);
  assertEquals([0, 1, 2, 3].map((x) => pixel(vga, x, 1)), [0xffffff, 0xff55ff, 0x55ffff, 0]);
  vga.setMode(6);
  vga.memory.write(0x1a000 + 80, 0x81, 1);
  assertEquals([0, 1, 7, 8].map((x) => pixel(vga, x, 3)), [0xffffff, 0, 0xffffff, 0]);
});

Deno.test("Vga.frame() pans a picture and shows a split screen", () => {
  const b = bench(0x0d);
  const { vga } = b;
  vga.memory.write(0, 0x10, 1);
  vga.memory.write(40, 0x80, 1);
  assertEquals([pixel(vga, 3, 0), pixel(vga, 0, 1)], [0xffffff, 0xffffff]);
  b.ports.in(0x3da, 1);
  b.ports.out(0x3c0, 1, 0x33);
  b.ports.out(0x3c0, 1, 3);
  assertEquals([pixel(vga, 0, 0), pixel(vga, 317, 0)], [0xffffff, 0xffffff], "by three pixels");
  indexed(b, 0x3d4, 0x11, 0x0e);
  indexed(b, 0x3d4, 0x07, 0x0f);
  indexed(b, 0x3d4, 0x09, 0x80);
  indexed(b, 0x3d4, 0x18, 199);
  assertEquals(pixel(vga, 0, 100), 0xffffff, "line 100 is the first of the memory again");
});

Deno.test("Vga registers: protection, ports of a monochrome adapter, DAC", () => {
  const b = bench(3);
  const { ports } = b;
  ports.out(0x3d4, 1, 0);
  ports.out(0x3d5, 1, 0x12);
  assertEquals(ports.in(0x3d5, 1), 0x5f, "protected");
  assertEquals(ports.in(0x3b5, 1), 0xff, "no monochrome adapter");
  ports.out(0x3c2, 1, 0x66);
  assertEquals([ports.in(0x3b5, 1), ports.in(0x3d5, 1), ports.in(0x3cc, 1)], [0x5f, 0xff, 0x66]);
  ports.out(0x3c2, 1, 0x67);
  ports.out(0x3c8, 1, 5);
  for (const level of [1, 2, 0xff, 4, 5, 6]) ports.out(0x3c9, 1, level);
  ports.out(0x3c7, 1, 5);
  assertEquals([1, 2, 3, 4].map(() => ports.in(0x3c9, 1)), [1, 2, 0x3f, 4]);
  assertEquals([ports.in(0x3c7, 1), ports.in(0x3c8, 1)], [3, 6]);
  ports.in(0x3da, 1);
  ports.out(0x3c0, 1, 0x11);
  assertEquals(ports.in(0x3d4, 2) >> 8, 0x5f);
  assertEquals(b.vga.frame().rgba.every((value, at) => at % 4 === 3 || value === 0), true, "the screen is off");
  ports.out(0x3c0, 1, 0x2a);
  ports.in(0x3da, 1);
  ports.out(0x3c0, 1, 0x31);
  assertEquals(ports.in(0x3c1, 1), 0x2a);
});

Deno.test("Vga input status 1 has the retrace at the rate of the mode", () => {
  for (const [mode, rate] of [[3, 70], [0x12, 60], [0x13, 70]]) {
    const { clock, ports } = bench(mode);
    let retraces = 0, was = 0;
    for (let at = 0; at < 100_000; at++) {
      clock.advance(10_000);
      const now = ports.in(0x3da, 1) & 8;
      if (now > was) retraces++;
      was = now;
    }
    assertEquals(Math.abs(retraces - rate) <= 1, true, `${retraces} a second in mode ${mode}`);
  }
});

Deno.test("Vga display interface sets modes of all depths", () => {
  const { vga, ports, memory } = bench(3, 0x400000);
  const set = (index: number, value: number): void => {
    ports.out(0x1ce, 2, index);
    ports.out(0x1cf, 2, value);
  };
  const get = (index: number): number => {
    ports.out(0x1ce, 2, index);
    return ports.in(0x1cf, 2);
  };
  assertEquals([get(0), get(10)], [0xb0c5, 64]);
  set(0, 0xb0c0);
  assertEquals(get(0), 0xb0c0);
  set(4, 2);
  assertEquals([get(1), get(2), get(3)], [16_000, 12_000, 32]);
  const picture = (bits: number, bytes: readonly number[]): number[] => {
    set(4, 0);
    set(1, 640);
    set(2, 480);
    set(3, bits);
    set(4, 0x41);
    assertEquals(memory.subarray(0, 640 * 480).some((value) => value !== 0), false, "cleared");
    memory.set(bytes);
    assertEquals([vga.frame().width, vga.frame().height], [640, 480]);
    return [0, 1].map((x) => pixel(vga, x, 0));
  };
  assertEquals(picture(32, [1, 2, 3, 0, 4, 5, 6]), [0x030201, 0x060504]);
  assertEquals(picture(24, [1, 2, 3, 4, 5, 6]), [0x030201, 0x060504]);
  assertEquals(picture(16, [0xe0, 0x07, 0x1f, 0xf8]), [0x00ff00, 0xff00ff]);
  assertEquals(picture(15, [0xe0, 0x03, 0x1f, 0x7c]), [0x00ff00, 0xff00ff]);
  assertEquals(picture(8, [4, 2]), [0xaa0000, 0x00aa00]);
  assertEquals(vga.text(), undefined);
  set(3, 4);
  memory.fill(0);
  vga.memory.write(0, 0x40, 1);
  assertEquals(pixel(vga, 1, 0), 0xffffff);
  // Banks, virtual width, offsets.
  set(3, 8);
  set(6, 800);
  set(8, 5);
  set(9, 2);
  set(5, 2);
  vga.memory.write(0x1234, 7, 1);
  assertEquals([memory[0x21234], vga.direct, get(7)], [7, 0x20000, 0x400000 / 800 | 0]);
  memory[2 * 800 + 5] = 4;
  assertEquals(pixel(vga, 0, 0), 0xaa0000);
  set(9, 60_000);
  assertEquals(get(9), (0x400000 / 800 | 0) - 480);
  set(4, 0);
  assertEquals(get(5), 0);
});

Deno.test("Vga.pciRegisters reaches both kinds of registers", () => {
  const { vga, ports } = bench(3);
  assertEquals(vga.pciRegisters.read(0x500, 2), 0xb0c5);
  vga.pciRegisters.write(0x502, 800, 2);
  assertEquals([vga.pciRegisters.read(0x502, 2), vga.dispi.get(1)], [800, 800]);
  vga.pciRegisters.write(0x400 + 0x08, 7, 1);
  assertEquals([ports.in(0x3c8, 1), vga.pciRegisters.read(0x408, 1), vga.pciRegisters.read(0x600, 2)], [7, 7, 0xffff]);
});

Deno.test("Vga.changes goes up when there is something new", () => {
  const { vga, memory, ports } = bench(3);
  const seen: number[] = [vga.changes, vga.changes];
  assertEquals(seen[0], seen[1]);
  write(vga, 0x18000, "x", 7);
  seen.push(vga.changes);
  ports.out(0x3d4, 2, 0x0f | 3 << 8);
  seen.push(vga.changes);
  vga.setMode(0x13);
  seen.push(vga.changes);
  memory[100] = 1;
  seen.push(vga.changes);
  assertEquals(new Set(seen).size, seen.length - 1);
  assertEquals(vga.changes, seen[seen.length - 1]);
});

Deno.test("Vga tells when the window becomes plain memory", () => {
  const told: number[] = [];
  const vga = new Vga({
    linear: new Uint8Array(0x40000),
    clock: new VirtualClock(),
    directChanged: (offset) => told.push(offset),
  });
  vga.setMode(0x13);
  vga.setMode(3);
  assertEquals([told.includes(0), told[told.length - 1]], [true, -1]);
  assertThrows(
    () => new Vga({ linear: new Uint8Array(1000), clock: new VirtualClock() }),
    RangeError,
    "Cannot use 1000 bytes",
  );
});

Deno.test("Vga random accesses never throw, and a restored adapter goes on as the saved one", () => {
  let seed = 12345;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const step = ({ vga, ports, clock }: Bench, [kind, a, c, size]: readonly number[]): number => {
    switch (kind) {
      case 0:
        ports.out(0x3b0 + a % 0x30, size, c);
        return 0;
      case 1:
        return ports.in(0x3b0 + a % 0x30, size);
      case 2:
        vga.memory.write(a % 0x1fff0, c, size);
        return 0;
      case 3:
        return vga.memory.read(a % 0x1fff0, size);
      case 4:
        ports.out(0x1ce, 2, a % 12);
        ports.out(0x1cf, 2, a % 3 === 0 ? c & 0xffff : c & 0xff);
        return 0;
      default:
        clock.advance(a);
        return vga.changes;
    }
  };
  const move = (): number[] => {
    const size = [1, 2, 4][random(3)];
    return [random(6), random(1 << 20), random(2 ** (8 * size)), size];
  };
  const end = performance.now() + 1000;
  for (let round = 0; performance.now() < end; round++) {
    const first = bench([3, 0x12, 0x13][round % 3], 0x40000);
    for (let i = 0; i < 400; i++) step(first, move());
    const frame = first.vga.frame();
    assertEquals(frame.rgba.length, frame.width * frame.height * 4);
    first.vga.lines();
    const state: SavedState = JSON.parse(JSON.stringify(first.vga.save()));
    const second = bench(0x12, 0x40000);
    second.clock.restore(first.clock.now());
    second.vga.restore(state);
    assertEquals(second.vga.save(), state);
    for (let i = 0; i < 100; i++) {
      const next = move();
      if (next[0] < 5) assertEquals(step(second, next), step(first, next));
    }
    assertEquals(second.vga.frame().rgba.toHex() === first.vga.frame().rgba.toHex(), true);
  }
});

Deno.test("Vga.restore() refuses what is no state of it", () => {
  const { vga } = bench(3);
  const state = vga.save();
  assertThrows(() => vga.restore({ ...state, memorySize: 1 }), SavedStateError, "Cannot restore vga: memorySize");
  assertThrows(() => vga.restore({ ...state, registers: [{}] }), SavedStateError, "registers[0]");
  assertThrows(() => vga.restore({ ...state, memory: "x" }), SavedStateError, "memory");
  assertEquals(vga.save(), state);
});
