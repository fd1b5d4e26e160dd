import { assertEquals, assertThrows } from "@std/assert";
import { Bus } from "./bus.ts";
import { VirtualClock } from "./clock.ts";
import { SavedStateError } from "./device.ts";
import { LOCAL_APIC_BASE, LocalApic, LocalApicPage } from "./local_apic.ts";
import { ApicBus } from "./local_apic_bus.ts";

const TPR = 0x80, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ESR = 0x280, ICR = 0x300, ICR2 = 0x310;
const LVT_TIMER = 0x320, LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, LVT_ERROR = 0x370;
const INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0;
const ENABLED = 0x1ff, MASKED = 0x10000, BY_1 = 0x0b, PERIODIC = 0x20000, DEADLINE = 0x40000;

/** Some APICs on one bus, enabled, and what their processors were told. */
function machine(count = 1, enabled = true) {
  const clock = new VirtualClock(), bus = new ApicBus();
  const log: string[] = [];
  const apics = Array.from({ length: count }, (_, id) =>
    new LocalApic({
      id,
      bootstrap: id === 0,
      clock,
      bus,
      interrupt: (level) => log.push(`${id} intr ${level}`),
      external: { acknowledge: () => 0x77, deaf: false },
      nmi: () => log.push(`${id} nmi`),
      init: () => log.push(`${id} init`),
      startup: (vector) => log.push(`${id} startup ${vector}`),
      tsc: { atNs: (tsc) => tsc / 2 },
    }));
  for (const apic of apics) if (enabled) apic.write(SVR, ENABLED, 4);
  log.length = 0;
  return { clock, bus, apics, apic: apics[0], log };
}

/** Sends a fixed interrupt to a processor itself. */
function self(apic: LocalApic, vector: number): void {
  apic.write(ICR, 0x40000 | vector, 4);
}

Deno.test("LocalApic reads its reset state", () => {
  const { apics } = machine(2, false);
  const values = [0x20, 0x30, TPR, LDR, DFR, SVR, LVT_TIMER, LVT_LINT0, LVT_ERROR].map((at) => apics[1].read(at, 4));
  assertEquals(values, [1 << 24, 0x50014, 0, 0, 0xffffffff, 0xff, MASKED, MASKED, MASKED]);
  assertEquals(apics[0].read(LVT_LINT0, 4), 0x700, "the 8259 gets through to the first processor");
  assertEquals([apics[1].read(0x30, 1), apics[1].read(0x32, 2), apics[1].read(0x34, 4)], [0x14, 5, 0]);
});

Deno.test("LocalApic delivers by priority and nests", () => {
  const { apic, log } = machine();
  self(apic, 0x41);
  self(apic, 0x52);
  assertEquals([apic.pending, apic.acknowledge(), apic.pending], [true, 0x52, false], "0x41 waits: its class is lower");
  assertEquals(apic.read(PPR, 4), 0x50);
  self(apic, 0x5f);
  assertEquals(apic.pending, false, "the same class");
  self(apic, 0x61);
  assertEquals([apic.pending, apic.acknowledge()], [true, 0x61]);
  for (const next of [0, 0x5f, 0x41]) {
    apic.write(EOI, 0, 4);
    if (next !== 0) assertEquals([apic.pending, apic.acknowledge()], [true, next]);
    else assertEquals(apic.pending, false);
  }
  apic.write(EOI, 0, 4);
  assertEquals([apic.pending, apic.read(PPR, 4), log.length % 2], [false, 0, 0]);
});

Deno.test("LocalApic holds back what TPR and CR8 say", () => {
  const { apic } = machine();
  apic.write(TPR, 0x4f, 4);
  self(apic, 0x41);
  assertEquals([apic.pending, apic.taskPriority], [false, 4]);
  apic.taskPriority = 3;
  assertEquals([apic.pending, apic.read(TPR, 4), apic.acknowledge()], [true, 0x30, 0x41]);
  apic.write(EOI, 0, 4);
  self(apic, 0x51);
  apic.write(TPR, 0x60, 4);
  assertEquals([apic.pending, apic.acknowledge()], [false, 0xff], "the spurious vector");
});

Deno.test("LocalApic takes no fixed interrupts while its software switch is off", () => {
  const { apic, log } = machine(1, false);
  self(apic, 0x41);
  apic.write(LVT_TIMER, 0x30, 4);
  assertEquals([log, apic.read(LVT_TIMER, 4)], [[], MASKED | 0x30]);
});

Deno.test("LocalApic lets the 8259 through on LINT0 as ExtINT", () => {
  const { apic } = machine(1, false);
  apic.setLint(0, true);
  assertEquals([apic.pending, apic.acknowledge(), apic.pending], [true, 0x77, true]);
  apic.write(SVR, ENABLED, 4);
  self(apic, 0x41);
  assertEquals(apic.acknowledge(), 0x41, "its own come first");
  apic.write(LVT_LINT0, MASKED | 0x700, 4);
  assertEquals(apic.pending, false);
  apic.apicBase(0xfee00000);
  assertEquals(apic.pending, true, "without an APIC the 8259 is the processor's");
});

Deno.test("LocalApic.deaf says when nothing can interrupt", () => {
  const { apic } = machine(1, false);
  assertEquals(apic.deaf, false, "the 8259 can");
  apic.write(LVT_LINT0, MASKED, 4);
  assertEquals(apic.deaf, true);
  apic.write(SVR, ENABLED, 4);
  assertEquals(apic.deaf, false);
});

Deno.test("LocalApic takes NMI and fixed interrupts from its pins", () => {
  const { apic, log } = machine();
  apic.write(LVT_LINT1, 0x400, 4);
  apic.setLint(1, true);
  apic.write(LVT_LINT0, 0x34, 4);
  apic.setLint(0, true);
  assertEquals([apic.acknowledge(), log], [0x34, ["0 nmi", "0 intr true", "0 intr false"]]);
});

Deno.test("LocalApic's timer counts once, again and again, and up to a time stamp", () => {
  const { apic, clock } = machine();
  const fired = (ns: number): boolean => {
    clock.advance(ns);
    if (!apic.pending) return false;
    assertEquals(apic.acknowledge(), 0x40);
    apic.write(EOI, 0, 4);
    return true;
  };
  apic.write(LVT_TIMER, 0x40, 4);
  apic.write(DIVIDE, BY_1, 4);
  apic.write(INITIAL, 1000, 4);
  assertEquals([fired(400), apic.read(CURRENT, 4), fired(600), apic.read(CURRENT, 4), fired(5000)], [
    false,
    600,
    true,
    0,
    false,
  ]);
  apic.write(DIVIDE, 0x03, 4); // by 16
  apic.write(LVT_TIMER, PERIODIC | 0x40, 4);
  apic.write(INITIAL, 100, 4);
  assertEquals([fired(1599), fired(1), fired(1599), fired(1), apic.read(CURRENT, 4)], [false, true, false, true, 100]);
  apic.write(LVT_TIMER, PERIODIC | MASKED | 0x40, 4);
  assertEquals(fired(10000), false);
  apic.write(LVT_TIMER, DEADLINE | 0x40, 4);
  apic.tscDeadline = 2 * (clock.now() + 50);
  assertEquals([apic.read(INITIAL, 4), fired(49), fired(1), apic.tscDeadline], [0, false, true, 0]);
  apic.tscDeadline = 1;
  assertEquals(fired(0), true, "what is past is due at once");
});

Deno.test("LocalApic sends to others: by ID, by logical destination, to all, INIT and startup", () => {
  const { apics, log } = machine(3);
  const [a, b, c] = apics;
  for (const [n, apic] of apics.entries()) apic.write(LDR, 1 << 24 + n, 4);
  const icr = (high: number, low: number): string[] => {
    log.length = 0;
    a.write(ICR2, high << 24, 4);
    a.write(ICR, low, 4);
    return log.map((line) => line.slice(0, 6));
  };
  assertEquals(icr(2, 0x4050), ["2 intr"]);
  assertEquals(icr(0b011, 0x4851), ["0 intr", "1 intr"]);
  assertEquals([a, b, c].map((apic) => apic.acknowledge()), [0x51, 0x51, 0x50]);
  assertEquals(icr(0xff, 0x4062), ["0 intr", "1 intr", "2 intr"]);
  for (const apic of apics) apic.acknowledge();
  assertEquals(icr(0, 0xc0073), ["1 intr", "2 intr"], "all but itself");
  assertEquals([icr(1, 0x4500), icr(1, 0x8500), icr(1, 0x4608)], [["1 intr", "1 init"], [], ["1 star"]]);
  assertEquals([b.read(SVR, 4), b.id], [0xff, 1], "INIT has reset it");
  assertEquals(icr(2, 0x4400), ["2 nmi"]);
  for (const apic of apics) apic.write(DFR, 0, 4);
  a.write(LDR, 0x11000000, 4);
  c.write(LDR, 0x22000000, 4);
  assertEquals([a.matches(0x11), a.matches(0x13), a.matches(0x22), c.matches(0x21), a.matches(0xff)], [
    true,
    true,
    false,
    false,
    true,
  ]);
});

Deno.test("ApicBus.send() gives lowest-priority interrupts to the least busy", () => {
  const { apics, bus } = machine(2);
  apics[0].write(TPR, 0x20, 4);
  bus.sendMsi(0xfeeff000 | 0x0, 0x0141);
  assertEquals(apics.map((apic) => apic.pending), [false, true]);
  assertEquals(bus.sendMsi(0xfee05000, 0x0041), false, "nobody there");
});

Deno.test("LocalApic tells the bus the end of level-triggered interrupts only", () => {
  const { apic, bus } = machine();
  const ended: number[] = [];
  bus.onEoi((vector) => ended.push(vector));
  for (const data of [0x0050, 0xc060]) {
    bus.sendMsi(0xfee00000, data);
    apic.acknowledge();
    apic.write(EOI, 0, 4);
  }
  assertEquals(ended, [0x60]);
});

Deno.test("LocalApic reports errors in ESR and by its error interrupt", () => {
  const { apic } = machine();
  apic.write(LVT_ERROR, 0xfe, 4);
  apic.write(ICR, 0x40005, 4);
  assertEquals([apic.read(ESR, 4), apic.acknowledge()], [0, 0xfe]);
  apic.write(0x400, 1, 4);
  apic.write(ESR, 0, 4);
  assertEquals(apic.read(ESR, 4), 0xa0);
  apic.write(ESR, 0, 4);
  assertEquals(apic.read(ESR, 4), 0);
});

Deno.test("LocalApic.restore() goes back, with a timer under way", () => {
  const { apic, clock } = machine();
  apic.write(DIVIDE, BY_1, 4);
  apic.write(LVT_TIMER, 0x40, 4);
  apic.write(INITIAL, 1000, 4);
  self(apic, 0x51);
  const state = JSON.parse(JSON.stringify(apic.save()));
  const other = machine(1, false);
  other.clock.restore(clock.now());
  other.apic.restore(state);
  assertEquals([other.apic.acknowledge(), other.apic.read(CURRENT, 4)], [0x51, 1000]);
  other.clock.advance(1000);
  other.apic.write(EOI, 0, 4);
  assertEquals(other.apic.acknowledge(), 0x40);
  assertThrows(() => apic.restore({ ...state, svr: -1 }), SavedStateError, "svr");
});

Deno.test("LocalApicPage shows each processor its own registers", () => {
  const { apics } = machine(2);
  let current = 0;
  const mmio = new Bus("address", 2 ** 40), data = new Uint8Array(4);
  new LocalApicPage(() => apics[current]).attach(mmio);
  for (current of [0, 1]) {
    mmio.read(LOCAL_APIC_BASE + 0x20, data);
    assertEquals(data[3], current);
  }
});
