import { assertEquals } from "@std/assert";
import { VirtualClock } from "./clock.ts";
import { Uart16550 } from "./uart16550.ts";

const THR = 0, RBR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7;

interface Bench {
  readonly uart: Uart16550;
  readonly clock: VirtualClock;
  readonly sent: number[];
  readonly input: number[];
  /** Each change of the interrupt line. */
  readonly edges: boolean[];
}

function bench(): Bench {
  const sent: number[] = [], input: number[] = [], edges: boolean[] = [];
  const clock = new VirtualClock();
  const uart = new Uart16550({
    name: "com1",
    port: 0x3f8,
    clock,
    transmit: (byte) => sent.push(byte),
    receive: () => input.shift() ?? -1,
    interrupt: (level) => edges.push(level),
  });
  return { uart, clock, sent, input, edges };
}

Deno.test("Uart16550.write() sends what is written to THR, and only with DLAB clear", () => {
  const { uart, sent } = bench();
  uart.write(THR, 0x41);
  uart.write(LCR, 0x83);
  uart.write(THR, 0x01);
  uart.write(IER, 0x02);
  assertEquals([uart.read(THR), uart.read(IER)], [0x01, 0x02]);
  uart.write(LCR, 0x03);
  uart.write(THR, 0x42);
  assertEquals([sent, uart.read(IER)], [[0x41, 0x42], 0]);
});

Deno.test("Uart16550.read() of LSR shows an empty transmitter and received data", () => {
  const { uart, input } = bench();
  assertEquals(uart.read(LSR), 0x60);
  input.push(0x61, 0x62);
  assertEquals([uart.read(LSR), uart.read(RBR), uart.read(LSR), uart.read(RBR)], [0x61, 0x61, 0x61, 0x62]);
  assertEquals([uart.read(LSR), uart.read(RBR)], [0x60, 0x62]);
});

Deno.test("Uart16550 shows FIFOs in IIR when they are on, as a 16550A does, and keeps the scratch register", () => {
  const { uart } = bench();
  assertEquals(uart.read(IIR), 0x01);
  uart.write(FCR, 0x01);
  assertEquals(uart.read(IIR), 0xc1);
  uart.write(FCR, 0x00);
  uart.write(SCR, 0x5a);
  assertEquals([uart.read(IIR), uart.read(SCR)], [0x01, 0x5a]);
});

Deno.test("Uart16550 without FIFOs interrupts for each byte, and none is lost", () => {
  const { uart, input, edges } = bench();
  uart.write(MCR, 0x08);
  uart.write(IER, 0x01);
  input.push(1, 2);
  uart.poll();
  uart.poll();
  assertEquals([uart.read(IIR), edges], [0x04, [true]]);
  assertEquals(uart.read(RBR), 1);
  assertEquals(edges, [true, false, true]); // an edge for the next byte
  assertEquals([uart.read(RBR), uart.read(IIR), edges], [2, 0x01, [true, false, true, false]]);
});

Deno.test("Uart16550 interrupts at the trigger level, and below it after the time of four characters", () => {
  for (const [fcr, trigger] of [[0x01, 1], [0x41, 4], [0x81, 8], [0xc1, 14]]) {
    const { uart, clock, input } = bench();
    uart.write(LCR, 0x83);
    uart.write(THR, 1); // 115,200 baud: a character of 10 bits takes 86,806 ns
    uart.write(LCR, 0x03);
    uart.write(FCR, fcr);
    uart.write(MCR, 0x08);
    uart.write(IER, 0x01);
    for (let n = 1; n < trigger; n++) input.push(n);
    uart.poll();
    clock.advance(347_221);
    assertEquals(uart.read(IIR), 0xc1);
    clock.advance(2);
    assertEquals(uart.read(IIR), trigger === 1 ? 0xc1 : 0xcc);
    input.push(trigger);
    uart.poll();
    assertEquals(uart.read(IIR), 0xc4);
    for (let n = 1; n <= trigger; n++) assertEquals(uart.read(RBR), n);
    assertEquals(uart.read(IIR), 0xc1);
  }
});

Deno.test("Uart16550 has room for sixteen bytes and leaves the others with the host", () => {
  const { uart, input } = bench();
  uart.write(FCR, 0x01);
  for (let n = 0; n < 20; n++) input.push(n);
  uart.poll();
  assertEquals(input, [16, 17, 18, 19]);
  for (let n = 0; n < 20; n++) assertEquals(uart.read(RBR), n);
  assertEquals(uart.read(LSR), 0x60);
});

Deno.test("Uart16550 clears the receiver FIFO when told, and when FIFOs are switched", () => {
  const { uart, input } = bench();
  uart.write(FCR, 0x01);
  for (const value of [0x03, 0x00, 0x01]) {
    input.push(1);
    uart.poll();
    assertEquals(uart.read(LSR) & 1, 1);
    uart.write(FCR, value);
    assertEquals(uart.read(LSR) & 1, 0);
  }
});

Deno.test("Uart16550 interrupts for an empty transmitter once per byte, until IIR is read", () => {
  const { uart, edges } = bench();
  uart.write(MCR, 0x08);
  uart.write(IER, 0x02);
  assertEquals(edges, [true]);
  assertEquals([uart.read(IIR), uart.read(IIR), edges], [0x02, 0x01, [true, false]]);
  uart.write(THR, 1);
  uart.write(THR, 2); // the pending one is taken back, and comes again
  assertEquals(edges, [true, false, true, false, true]);
  uart.write(IER, 0x00);
  assertEquals(edges.at(-1), false);
  uart.write(IER, 0x02);
  assertEquals(edges.at(-1), true);
});

Deno.test("Uart16550 interrupts follow IER, priority and OUT2", () => {
  const { uart, input, edges } = bench();
  uart.write(IER, 0x0f);
  assertEquals(edges, []);
  uart.write(MCR, 0x18); // loop mode: the pin is off
  uart.write(THR, 1);
  uart.write(THR, 2);
  assertEquals(edges, []);
  uart.write(MCR, 0x08);
  assertEquals(edges, [true]);
  input.push(3);
  assertEquals([uart.read(IIR), uart.read(LSR), uart.read(IIR)], [0x06, 0x63, 0x04]);
  assertEquals([uart.read(RBR), uart.read(RBR), uart.read(IIR)], [2, 3, 0x02]);
  assertEquals(uart.read(IIR), 0x00); // loop mode has moved the modem lines
  uart.read(MSR);
  assertEquals([uart.read(IIR), edges.at(-1)], [0x01, false]);
});

Deno.test("Uart16550 loop mode gives back data and modem lines, and overruns", () => {
  const { uart, sent } = bench();
  uart.write(MCR, 0x10);
  uart.read(MSR);
  uart.write(MCR, 0x1f);
  assertEquals(uart.read(MSR), 0xf0 | 0x0b);
  uart.write(MCR, 0x1b);
  assertEquals(uart.read(MSR), 0xb0 | 0x04);
  uart.write(FCR, 0x01);
  for (let n = 0; n < 20; n++) uart.write(THR, n);
  assertEquals([uart.read(LSR), uart.read(LSR), sent], [0x63, 0x61, []]);
  for (let n = 0; n < 16; n++) assertEquals(uart.read(RBR), n);
  assertEquals(uart.read(LSR), 0x60);
});

Deno.test("Uart16550.restore() goes back to what save() gave", () => {
  const { uart, input } = bench();
  uart.write(FCR, 0x81);
  uart.write(MCR, 0x08);
  uart.write(IER, 0x07);
  uart.write(SCR, 0x77);
  input.push(1, 2, 3);
  uart.poll();
  uart.write(THR, 9);
  const state = JSON.parse(JSON.stringify(uart.save()));
  const other = bench();
  other.uart.restore(state);
  assertEquals(other.uart.save(), uart.save());
  assertEquals(other.edges, [true]);
  other.clock.advance(10_000_000);
  assertEquals([other.uart.read(IIR), other.uart.read(RBR)], [0xcc, 1]);
  other.uart.reset();
  assertEquals([other.uart.read(LSR), other.uart.read(IER), other.edges.at(-1)], [0x60, 0, false]);
});
