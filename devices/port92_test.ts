import { assertEquals } from "@std/assert";
import { Bus } from "./bus.ts";
import { Port92 } from "./port92.ts";

function bench(): { port: Port92; seen: (boolean | "reset")[] } {
  const seen: (boolean | "reset")[] = [];
  return { port: new Port92({ a20: (open) => seen.push(open), reset: () => seen.push("reset") }), seen };
}

Deno.test("Port92 bit 1 is the A20 gate, open at first", () => {
  const { port, seen } = bench();
  assertEquals([port.a20, port.read()], [true, 0x02]);
  for (const value of [0x02, 0x00, 0x00, 0xfe]) port.write(0, value);
  assertEquals([port.a20, port.read(), seen], [true, 0xfe, [false, true]]);
});

Deno.test("Port92 bit 0 resets the processor when it is set anew", () => {
  const { port, seen } = bench();
  port.write(0, 0x03);
  port.write(0, 0x03);
  assertEquals(seen, ["reset"]);
  port.write(0, 0x02);
  port.write(0, 0x01);
  assertEquals(seen, ["reset", false, "reset"]);
  port.reset();
  assertEquals([port.read(), seen.at(-1)], [0x02, true]);
});

Deno.test("Port92.restore() moves the gate and resets nothing", () => {
  const first = bench(), second = bench();
  first.port.write(0, 0x41);
  second.port.restore(first.port.save());
  assertEquals([second.port.read(), second.port.a20, second.seen], [0x41, false, [false]]);
});

Deno.test("Port92.attach() takes port 0x92", () => {
  const ports = new Bus("port", 0x10000);
  bench().port.attach(ports);
  assertEquals(ports.map().map(({ base, length }) => [base, length]), [[0x92, 1]]);
});
