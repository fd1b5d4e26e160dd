import { assertEquals } from "@std/assert";
import { NullEnd } from "../../null_end.ts";
import { Pc } from "../../pc.ts";
import { PCI, pciFunctions, readPci, writePci } from "../pci.ts";
import { setUpPci } from "./pci_setup.ts";

/** The ranges of all functions on the board's bus. */
function ranges(pc: Pc): { readonly io: boolean; readonly base: number; readonly size: number }[] {
  return pciFunctions(pc.ports).flatMap((place) =>
    [0, 1, 2, 3, 4, 5].flatMap((n) => {
      const offset = PCI.BAR0 + 4 * n;
      const value = readPci(pc.ports, place, offset, 4);
      writePci(pc.ports, { place, offset }, 4, 0xffffffff);
      const mask = readPci(pc.ports, place, offset, 4);
      writePci(pc.ports, { place, offset }, 4, value);
      if (mask === 0) return [];
      const io = (mask & 1) !== 0;
      const base = (value & (io ? 0xfffc : 0xfffffff0)) >>> 0;
      return [{ io, base, size: io ? 0x10000 - (mask & 0xfffc) : -(mask & 0xfffffff0) >>> 0 }];
    })
  );
}

Deno.test("setUpPci() gives each range a place of its own", () => {
  const pc = new Pc({ serial: new NullEnd(), pci: true, video: true });
  setUpPci(pc.ports);
  const found = ranges(pc);
  assertEquals(found.length > 1, true);
  for (const { io, base, size } of found) {
    assertEquals([base % size, base >= (io ? 0xc000 : 0xe0000000)], [0, true]);
    const same = found.filter((other) => other.io === io && other.base < base + size && base < other.base + other.size);
    assertEquals(same.length, 1);
  }
  // A second time nothing moves.
  setUpPci(pc.ports);
  assertEquals(ranges(pc), found);
});

Deno.test("setUpPci() puts the screen at 0xe0000000, routes interrupts, and switches power management on", () => {
  const pc = new Pc({ serial: new NullEnd(), pci: true, video: true });
  setUpPci(pc.ports);
  const { ports } = pc;
  const place = (id: number): number =>
    pciFunctions(ports).find((one) => readPci(ports, one, PCI.VENDOR, 4) === id) ?? -1;
  assertEquals(readPci(ports, place(0x11111234), PCI.BAR0, 4) & ~15, 0xe0000000 | 0);
  assertEquals(readPci(ports, place(0x11111234), PCI.COMMAND, 2) & 2, 2);
  assertEquals(readPci(ports, place(0x70008086), 0x60, 4), 0x0b0b0a0a);
  assertEquals(ports.in(0x4d1, 1), 0x0c);
  assertEquals(readPci(ports, place(0x71138086), 0x40, 4), 0x601);
});
