import { assertEquals } from "@std/assert";
import { orBits } from "./dirty_bits.ts";

Deno.test("orBits() keeps what is set and adds the source at its place", () => {
  for (const [count, first] of [[1, 0], [8, 0], [9, 8], [13, 3], [64, 5], [21, 63], [7, 1]]) {
    const source = Uint8Array.from({ length: 8 }, (_, n) => (n * 0x5b + 0x9d) & 0xff);
    const target = new Uint8Array(24).fill(0);
    target[0] = 0x10;
    target[20] = 0x81;
    const expected = new Set<number>([4, 160, 167]);
    for (let bit = 0; bit < count; bit++) if (source[bit >> 3] >> (bit & 7) & 1) expected.add(first + bit);
    orBits(source, count, target, first);
    const found = Array.from({ length: 192 }, (_, bit) => bit).filter((bit) => target[bit >> 3] >> (bit & 7) & 1);
    assertEquals(found, [...expected].sort((a, b) => a - b), `${count} bits from ${first}`);
  }
});

Deno.test("orBits() drops what lies beyond the target", () => {
  const target = new Uint8Array(1);
  orBits(Uint8Array.of(0xff, 0xff), 16, target, 4);
  assertEquals(target, Uint8Array.of(0xf0));
});
