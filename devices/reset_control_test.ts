import { assertEquals } from "@std/assert";
import { Bus } from "./bus.ts";
import { ResetControl, type ResetKind } from "./reset_control.ts";

function bench(): { control: ResetControl; seen: ResetKind[] } {
  const seen: ResetKind[] = [];
  return { control: new ResetControl({ reset: (kind) => seen.push(kind) }), seen };
}

Deno.test("ResetControl.write() resets with bit 2 what bit 1 says", () => {
  const { control, seen } = bench();
  for (const value of [0x02, 0x00, 0xfb]) control.write(0, value);
  assertEquals(seen, []);
  for (const value of [0x04, 0x04, 0x06, 0x0e]) control.write(0, value);
  assertEquals(seen, ["processor", "processor", "machine", "machine"]);
});

Deno.test("ResetControl.read() gives bits 1 and 3 as written", () => {
  const { control } = bench();
  control.write(0, 0xff);
  assertEquals(control.read(), 0x0a);
  control.reset();
  assertEquals(control.read(), 0);
});

Deno.test("ResetControl.restore() resets nothing", () => {
  const first = bench(), second = bench();
  first.control.write(0, 0x06);
  second.control.restore(first.control.save());
  assertEquals([second.control.read(), second.seen], [0x02, []]);
});

Deno.test("ResetControl.attach() takes port 0xcf9", () => {
  const ports = new Bus("port", 0x10000);
  bench().control.attach(ports);
  assertEquals(ports.map().map(({ base, length }) => [base, length]), [[0xcf9, 1]]);
});
