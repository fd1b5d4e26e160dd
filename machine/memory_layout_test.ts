import { assertEquals } from "@std/assert";
import { memorySizes, pcMemory } from "./memory_layout.ts";

const MIB = 2 ** 20;

Deno.test("pcMemory() leaves out the screen, and what is between 3 and 4 GiB", () => {
  assertEquals(pcMemory(5 * 1024 * MIB), [
    { slot: 0, base: 0, size: 0xa0000 },
    { slot: 1, base: 0xc0000, size: 0x40000 },
    { slot: 2, base: MIB, size: 0xbff0_0000 },
    { slot: 3, base: 2 ** 32, size: 2048 * MIB },
  ]);
  assertEquals(pcMemory(MIB).map(({ slot }) => slot), [0, 1]);
  assertEquals(pcMemory(16 * MIB).at(-1), { slot: 2, base: MIB, size: 15 * MIB });
  assertEquals(pcMemory(64 * 1024)[0].size, 64 * 1024);
});

Deno.test("memorySizes() says what is where, without the screen's gap and with no other", () => {
  assertEquals(memorySizes(pcMemory(16 * MIB)), { memory: 16 * MIB, memoryAbove4G: 0 });
  assertEquals(memorySizes(pcMemory(5 * 1024 * MIB)), { memory: 3072 * MIB, memoryAbove4G: 2048 * MIB });
  assertEquals(memorySizes([{ base: 0x8000, size: 0x1000 }]), { memory: 0, memoryAbove4G: 0 });
  assertEquals(memorySizes([{ base: 0x2000, size: 0x1000 }, { base: 0, size: 0x2000 }]).memory, 0x3000);
});
