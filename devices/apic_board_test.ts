import { assertEquals } from "@std/assert";
import { ApicBoard } from "./apic_board.ts";
import { Bus } from "./bus.ts";
import { VirtualClock } from "./clock.ts";
import { HPET_BASE } from "./hpet.ts";
import { I8259Pair } from "./i8259_pair.ts";
import { IO_APIC_BASE } from "./io_apic.ts";
import { LOCAL_APIC_BASE } from "./local_apic.ts";

function machine(processors = 1) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const pic = new I8259Pair({ interrupt: (level) => board?.external(level) });
  const board: ApicBoard = new ApicBoard({
    clock,
    pic,
    powerOff: () => log.push("off"),
    processors: Array.from({ length: processors }, (_, n) => ({
      init: () => log.push(`init ${n}`),
      startup: (vector) => log.push(`startup ${n} ${vector}`),
    })),
  });
  const ports = new Bus("port", 0x10000), mmio = new Bus("address", 2 ** 40);
  for (const device of [pic, ...board.devices]) device.attach(ports, mmio);
  const bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
  const write = (address: number, value: number): void => mmio.write(address, bytes(value));
  const read = (address: number): number => {
    const data = new Uint8Array(4);
    mmio.read(address, data);
    return new DataView(data.buffer).getUint32(0, true);
  };
  const out = (port: number, value: number): void => ports.write(port, Uint8Array.of(value));
  return { clock, log, pic, board, ports, mmio, write, read, out };
}

/** Programs both 8259 for the vectors from 0x20 on, all unmasked. */
function programPic(out: (port: number, value: number) => void): void {
  for (const [port, vector, cascade] of [[0x20, 0x20, 4], [0xa0, 0x28, 2]]) {
    out(port, 0x11);
    for (const value of [vector, cascade, 1, 0]) out(port + 1, value);
  }
}

Deno.test("ApicBoard gives interrupts to the 8259 and to the I/O APIC, IRQ 0 to pin 2", () => {
  const { board, write, out } = machine();
  const [apic] = board.apics;
  programPic(out);
  const timer = board.irq(0), mouse = board.irq(12);
  timer(true);
  assertEquals([apic.pending, apic.acknowledge()], [true, 0x20]);
  timer(false);
  out(0x20, 0x20);
  out(0x21, 0xff);
  write(LOCAL_APIC_BASE + 0xf0, 0x1ff);
  for (const [pin, vector] of [[2, 0x40], [12, 0x51]]) {
    write(IO_APIC_BASE, 0x10 + 2 * pin);
    write(IO_APIC_BASE + 0x10, vector);
  }
  timer(true);
  mouse(true);
  assertEquals([apic.acknowledge(), apic.pending], [0x51, false]);
  write(LOCAL_APIC_BASE + 0xb0, 0);
  assertEquals([apic.pending, apic.acknowledge()], [true, 0x40]);
});

Deno.test("ApicBoard lets the HPET take the places of 8254 and clock", () => {
  const { board, write, out, clock } = machine();
  const [apic] = board.apics;
  programPic(out);
  board.timer(true);
  assertEquals(apic.acknowledge(), 0x20);
  out(0x20, 0x20);
  write(HPET_BASE + 0x100, 0x104);
  write(HPET_BASE + 0x108, 10);
  write(HPET_BASE + 0x10, 3);
  board.timer(false);
  board.timer(true);
  board.realTimeClock(true);
  assertEquals(apic.pending, false);
  clock.advance(100);
  assertEquals([apic.pending, apic.acknowledge()], [true, 0x20]);
  out(0x20, 0x20);
  write(HPET_BASE + 0x10, 0);
  assertEquals(apic.acknowledge(), 0x20, "the 8254's level comes through again");
});

Deno.test("ApicBoard shows each processor its own APIC, and starts the second", () => {
  const { board, read, write, log } = machine(2);
  const ids = [0, 1].map((n) => {
    board.current = n;
    return read(LOCAL_APIC_BASE + 0x20) >>> 24;
  });
  assertEquals(ids, [0, 1]);
  board.current = 0;
  write(LOCAL_APIC_BASE + 0x310, 1 << 24);
  write(LOCAL_APIC_BASE + 0x300, 0xc500);
  write(LOCAL_APIC_BASE + 0x300, 0x8500);
  write(LOCAL_APIC_BASE + 0x300, 0x0608);
  assertEquals(log, ["init 1", "startup 1 8"]);
});

Deno.test("ApicBoard powers off, and SCI is IRQ 9", () => {
  const { board, ports, log, out } = machine();
  programPic(out);
  ports.write(0x602, Uint8Array.of(0, 1));
  board.power.pressPowerButton();
  assertEquals(board.apics[0].acknowledge(), 0x29);
  ports.write(0x604, Uint8Array.of(0, 0x20));
  assertEquals(log, ["off"]);
});

Deno.test("ApicBoard takes any access without an error", () => {
  const { board, mmio, ports, clock } = machine(2);
  let seed = 12345;
  const random = (below: number): number => {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const data = [1, 2, 4, 8].map((size) => new Uint8Array(size));
  const bases = [LOCAL_APIC_BASE, LOCAL_APIC_BASE, IO_APIC_BASE, HPET_BASE];
  const lines = Array.from({ length: 16 }, (_, irq) => irq === 2 ? board.timer : board.irq(irq));
  for (let n = 0; n < 30_000; n++) {
    const bytes = data[random(4)];
    for (let i = 0; i < bytes.length; i++) bytes[i] = random(256);
    board.current = random(2);
    const base = bases[random(4)];
    const address = base +
      (base === LOCAL_APIC_BASE ? 16 * random(0x40) : base === IO_APIC_BASE ? 16 * random(2) : random(0x400));
    if (random(8) === 0) ports.write(0x600 + random(15), bytes.subarray(0, 2));
    else if (random(3) === 0) mmio.read(address, bytes);
    else mmio.write(address, bytes);
    lines[random(16)](random(2) === 1);
    if (random(4) === 0) clock.advance(random(20_000));
    for (const apic of board.apics) if (apic.pending && random(2) === 0) apic.acknowledge();
    if (random(500) === 0) {
      for (const device of board.devices) device.restore(JSON.parse(JSON.stringify(device.save())));
    }
    if (random(500) === 0) { for (const device of board.devices) device.reset(); }
  }
});
