import { assertEquals } from "@std/assert";
import { Uart8250 } from "./uart8250.ts";

interface Bench {
  readonly uart: Uart8250;
  readonly sent: number[];
  readonly input: number[];
  readonly levels: boolean[];
}

function bench(): Bench {
  const sent: number[] = [], input: number[] = [], levels: boolean[] = [];
  const uart = new Uart8250({
    transmit: (byte) => sent.push(byte),
    receive: () => input.shift() ?? -1,
    interrupt: (level) => levels.push(level),
  });
  return { uart, sent, input, levels };
}

Deno.test("Uart8250.write() sends what is written to THR, and only with DLAB clear", () => {
  const { uart, sent } = bench();
  uart.write(0, 0x41);
  uart.write(3, 0x83);
  uart.write(0, 0x01);
  uart.write(1, 0x02);
  assertEquals([uart.read(0), uart.read(1), uart.read(3)], [0x01, 0x02, 0x83]);
  uart.write(3, 0x03);
  uart.write(0, 0x42);
  assertEquals(sent, [0x41, 0x42]);
  assertEquals(uart.read(1), 0, "IER kept apart from the divisor");
});

Deno.test("Uart8250.read() of LSR shows an empty transmitter and received data", () => {
  const { uart, input } = bench();
  assertEquals(uart.read(5), 0x60);
  input.push(0x78, 0x79);
  assertEquals(uart.read(5), 0x61);
  assertEquals([uart.read(0), uart.read(0)], [0x78, 0x79]);
  assertEquals(uart.read(5), 0x60);
});

Deno.test("Uart8250.poll() never loses a byte", () => {
  const { uart, input } = bench();
  input.push(1, 2, 3);
  uart.poll();
  uart.poll();
  assertEquals(input, [2, 3]);
  assertEquals([uart.read(0), uart.read(0), uart.read(0)], [1, 2, 3]);
});

Deno.test("Uart8250 interrupts follow IER, priority and OUT2", () => {
  const { uart, input, levels } = bench();
  uart.write(1, 0x03);
  assertEquals(levels, [], "OUT2 gates the line");
  assertEquals(uart.read(2), 0x02);
  assertEquals(uart.read(2), 0x01, "reading IIR takes the transmitter's interrupt away");
  uart.write(4, 0x08);
  uart.write(0, 0x55);
  assertEquals(levels, [true]);
  input.push(9);
  assertEquals(uart.read(2), 0x04, "received data comes first");
  assertEquals(uart.read(0), 9);
  assertEquals(uart.read(2), 0x02);
  assertEquals(levels, [true, false]);
});

Deno.test("Uart8250 loop mode gives back data and modem lines, and overruns", () => {
  const { uart, sent } = bench();
  uart.write(4, 0x10);
  assertEquals(uart.read(6) & 0xf0, 0);
  uart.write(4, 0x1f);
  assertEquals(uart.read(6), 0xfb);
  uart.write(4, 0x1b);
  assertEquals(uart.read(6), 0xb4, "RI fell: trailing edge");
  uart.write(0, 1);
  uart.write(0, 2);
  assertEquals(uart.read(5), 0x63);
  assertEquals(uart.read(5), 0x61, "reading LSR clears the overrun");
  assertEquals(uart.read(0), 2);
  assertEquals(sent, []);
});

Deno.test("Uart8250.fromState() restores what state() gave", () => {
  const first = bench(), second = bench();
  first.uart.write(3, 0x80);
  first.uart.write(0, 0x34);
  first.uart.write(3, 0x1b);
  first.uart.write(7, 0xa5);
  first.input.push(7);
  first.uart.poll();
  second.uart.fromState(first.uart.state());
  assertEquals(second.uart.state(), first.uart.state());
  assertEquals([second.uart.read(0), second.uart.read(7)], [7, 0xa5]);
  second.uart.reset();
  assertEquals(second.uart.state(), bench().uart.state());
});
