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
      nmi: () => log.push(`nmi ${n}`),
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

const ICR = LOCAL_APIC_BASE + 0x300, ICR_HIGH = LOCAL_APIC_BASE + 0x310;
const LDR = LOCAL_APIC_BASE + 0xd0, DFR = LOCAL_APIC_BASE + 0xe0, TPR = LOCAL_APIC_BASE + 0x80;

/** Four processors, switched on, with logical IDs 1, 2, 4 and 8, and who takes what. */
function fourProcessors() {
  const parts = machine(4);
  const { board, write } = parts;
  const as = (processor: number, address: number, value: number): void => {
    board.current = processor;
    write(address, value);
  };
  for (let n = 0; n < 4; n++) {
    as(n, LOCAL_APIC_BASE + 0xf0, 0x1ff);
    as(n, LDR, 1 << 24 + n);
  }
  /** Sends from a processor; gives the processors that an interrupt has come to. */
  const send = (from: number, low: number, destination = 0): number[] => {
    as(from, ICR_HIGH, destination << 24);
    as(from, ICR, low);
    return taken();
  };
  const taken = (): number[] =>
    board.apics.flatMap((apic, n) => {
      if (!apic.pending) return [];
      apic.acknowledge();
      as(n, LOCAL_APIC_BASE + 0xb0, 0);
      return [n];
    });
  return { ...parts, as, send, taken };
}

Deno.test("ApicBoard delivers messages to physical and logical destinations and by shorthands", () => {
  const { as, send, log } = fourProcessors();
  assertEquals([send(0, 0x4040, 2), send(3, 0x4040, 3), send(1, 0x4040, 9)], [[2], [3], []], "by ID");
  assertEquals(send(2, 0x4040, 0xff), [0, 1, 2, 3], "to all IDs");
  assertEquals([send(0, 0x4840, 0x0a), send(0, 0x4840, 0xf0)], [[1, 3], []], "flat");
  assertEquals([send(1, 0x44040), send(1, 0x84040), send(1, 0xc4040)], [[1], [0, 1, 2, 3], [0, 2, 3]], "shorthands");
  for (let n = 0; n < 4; n++) {
    as(n, DFR, 0x0fffffff);
    as(n, LDR, (n >> 1 << 4 | 1 << (n & 1)) << 24);
  }
  assertEquals([send(0, 0x4840, 0x13), send(0, 0x4840, 0x02), send(0, 0x4840, 0xff)], [[2, 3], [1], [0, 1, 2, 3]]);
  send(0, 0xc4400);
  assertEquals(log.splice(0), ["nmi 1", "nmi 2", "nmi 3"]);
  send(0, 0xc8500);
  assertEquals(log, [], "the end of INIT means nothing");
});

Deno.test("ApicBoard gives lowest-priority interrupts to one processor, of those that are on", () => {
  const { as, send } = fourProcessors();
  assertEquals(send(0, 0x4940, 0x0f), [0]);
  [0x50, 0x30, 0x20, 0x30].forEach((priority, n) => as(n, TPR, priority));
  assertEquals(send(0, 0x4940, 0x0f), [2]);
  as(2, LOCAL_APIC_BASE + 0xf0, 0xff);
  assertEquals([send(0, 0x4940, 0x0f), send(0, 0x4940, 0x08), send(0, 0x4940, 0x04)], [[1], [3], []]);
});

Deno.test("ApicBoard sends the interrupts of I/O APIC and MSI to the processors that they name, the 8259s' to the first", () => {
  const { board, write, out, taken } = fourProcessors();
  const pin = (n: number, low: number, destination: number): void => {
    for (const [register, value] of [[0x11 + 2 * n, destination << 24], [0x10 + 2 * n, low]]) {
      write(IO_APIC_BASE, register);
      write(IO_APIC_BASE + 0x10, value);
    }
  };
  const line = board.irq(5), other = board.irq(6);
  pin(5, 0x45, 2);
  line(true);
  assertEquals(taken(), [2]);
  pin(6, 0x0800 | 0x46, 0x0a);
  other(true);
  assertEquals(taken(), [1, 3]);
  board.bus.sendMsi(0xfee03000, 0x0047);
  assertEquals(taken(), [3]);
  board.bus.sendMsi(0xfee0c004 | 0x0000, 0x0148);
  assertEquals(taken(), [2], "logical 0x0c, lowest priority");
  programPic(out);
  line(false);
  line(true);
  assertEquals(
    board.apics.map((apic) => apic.pending),
    [true, false, true, false],
    "pin 5 is 2's, LINT0 the first one's",
  );
});
