import { assertEquals } from "@std/assert";
import { Bus } from "../bus.ts";
import { LinearMemory } from "./linear_memory.ts";

function bench(options: { readonly a20?: boolean; readonly translate?: (linear: number) => number } = {}) {
  const bytes = new Uint8Array(0x110000);
  const screen = new Uint8Array(0x20000);
  const mmio = new Bus("address", 2 ** 32);
  mmio.attach({ name: "screen", base: 0xa0000, length: 0x20000 }, {
    width: 1,
    read: (offset) => screen[offset],
    write: (offset, value) => screen[offset] = value,
  });
  const memory = new LinearMemory({
    memory: {
      read: (address, into) => into.set(bytes.subarray(address, address + into.length)),
      write: (address, from) => bytes.set(from, address),
    },
    mmio,
    a20: () => options.a20 ?? true,
    translate: options.translate,
  });
  return { bytes, screen, memory };
}

Deno.test("LinearMemory is little-endian", () => {
  const { bytes, memory } = bench();
  memory.set32(0x500, 0x89abcdef);
  assertEquals([...bytes.subarray(0x500, 0x504)], [0xef, 0xcd, 0xab, 0x89]);
  assertEquals([memory.get32(0x500), memory.get16(0x501), memory.get8(0x503)], [0x89abcdef, 0xabcd, 0x89]);
});

Deno.test("LinearMemory goes on from memory to the screen and behind it", () => {
  const { bytes, screen, memory } = bench();
  memory.write(0x9fffe, Uint8Array.of(1, 2, 3, 4));
  assertEquals([bytes[0x9fffe], bytes[0x9ffff], screen[0], screen[1], bytes[0xa0000]], [1, 2, 3, 4, 0]);
  memory.write(0xbffff, Uint8Array.of(5, 6));
  const read = new Uint8Array(2);
  memory.read(0xbffff, read);
  assertEquals([screen[0x1ffff], bytes[0xc0000], ...read], [5, 6, 5, 6]);
});

Deno.test("LinearMemory wraps at 1 MiB while the A20 gate is closed", () => {
  const { bytes, memory } = bench({ a20: false });
  memory.write(0xfffff, Uint8Array.of(7, 8));
  assertEquals([bytes[0xfffff], bytes[0x100000], bytes[0]], [7, 0, 8]);
});

Deno.test("LinearMemory follows page tables, page by page", () => {
  const { bytes, memory } = bench({ translate: (linear) => linear ^ 0x1000 });
  memory.write(0x1fff, Uint8Array.of(9, 10));
  assertEquals([bytes[0x0fff], bytes[0x3000]], [9, 10]);
});
