import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../../tests/firmware/memory_disk.ts";
import { ServiceBench } from "../../tests/firmware/service_call.ts";
import { Bus } from "../bus.ts";
import { Firmware, FIRMWARE_PORT } from "./firmware.ts";

const SERVICES = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x109, 0x174];

/** The same numbers each time. */
function numbers(seed: number): () => number {
  return () => {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    return seed >>> 16;
  };
}

Deno.test("Firmware puts ROM, video ROM and tables into memory", () => {
  const bench = new ServiceBench({ tables: [{ address: 0xe0000, bytes: Uint8Array.of(1, 2, 3) }] });
  assertEquals([...bench.memory.subarray(0xe0000, 0xe0003)], [1, 2, 3]);
  assertEquals([bench.memory[0xffff0], bench.memory[0xc0000], bench.memory[0xc0001]], [0xea, 0x55, 0xaa]);
  const rom = bench.memory.subarray(0xc0000, 0xc0000 + bench.memory[0xc0002] * 512);
  assertEquals(rom.reduce((sum, byte) => sum + byte & 0xff, 0), 0);
  // The letter A of the font at its place.
  assertEquals(bench.memory.subarray(0xffa6e + 0x41 * 8, 0xffa6e + 0x42 * 8).some((row) => row !== 0), true);
});

Deno.test("Firmware answers nobody but its ROM", () => {
  const bench = new ServiceBench();
  const before = bench.memory.slice();
  bench.ports.out(FIRMWARE_PORT, 4, 0x90000000);
  bench.ports.out(FIRMWARE_PORT, 1, 0);
  bench.ports.out(FIRMWARE_PORT + 1, 2, 0x1234);
  assertEquals(bench.memory, before);
  assertEquals(bench.ports.in(FIRMWARE_PORT, 4), 0xffffffff);
});

Deno.test("Firmware save() and restore(): all that it remembers is in memory", () => {
  const guest = { read: () => {}, write: () => {} };
  const firmware = new Firmware({ guest, memory: 0x200000, drives: [] });
  firmware.attach(new Bus("port", 0x10000), new Bus("address", 2 ** 32));
  firmware.restore(firmware.save());
});

Deno.test("Firmware: calls with random registers and variables never throw", () => {
  const next = numbers(1);
  const drives = (["floppy", "disk", "cdrom"] as const).map((kind) => ({ kind, disk: new MemoryDisk(0x200000) }));
  for (let machine = 0; machine < 4; machine++) {
    const bench = new ServiceBench({ drives });
    for (let n = 0; n < 1500; n++) {
      const wide = (): number => (next() << 16 | next()) >>> 0;
      const small = (): number => next() % 3 === 0 ? next() & 0x0f : next();
      bench.call(SERVICES[next() % SERVICES.length], {
        eax: (next() % 0x60 << 8 | small() & 0xff) + (next() % 8 === 0 ? 0x80 : 0),
        ebx: small(),
        ecx: small() & (next() % 16 === 0 ? 0xffff : 0xff),
        edx: next() % 2 === 0 ? small() : 0x80,
        esi: next() % 4 === 0 ? wide() : 0x3000,
        edi: 0x4000,
        ebp: small(),
        es: next() & 0x7fff,
        ds: next() & 0x0fff,
        carry: next() % 2 === 0,
      });
      if (n % 100 === 99) bench.memory[0x400 + next() % 0x100] = next();
    }
  }
});
