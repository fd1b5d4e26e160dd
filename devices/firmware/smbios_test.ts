import { assertEquals } from "@std/assert";
import { smbios, SMBIOS_BASE } from "./smbios.ts";

/** Lengths of the formatted areas that version 2.8 of the specification gives. */
const LENGTHS: Readonly<Record<number, number>> = {
  0: 0x18,
  1: 0x1b,
  3: 0x15,
  4: 0x2a,
  16: 0x17,
  17: 0x28,
  19: 0x1f,
  32: 11,
  127: 4,
};

Deno.test("smbios() has an entry point with two checksums, and structures as long as they say", () => {
  const bytes = smbios({ memory: 3072 * 2 ** 20, memoryAbove4G: 5120 * 2 ** 20, drives: [] });
  const view = new DataView(bytes.buffer);
  const sum = (from: number, to: number): number =>
    bytes.subarray(from, to).reduce((all, byte) => all + byte, 0) & 0xff;
  assertEquals([new TextDecoder().decode(bytes.subarray(0, 4)), sum(0, 0x1f), sum(0x10, 0x1f)], ["_SM_", 0, 0]);
  assertEquals([view.getUint32(0x18, true), view.getUint16(0x16, true)], [SMBIOS_BASE + 32, bytes.length - 32]);
  const types: number[] = [];
  let at = 32, longest = 0;
  while (at < bytes.length) {
    const start = at, type = bytes[at];
    assertEquals([bytes[at + 1], view.getUint16(at + 2, true)], [LENGTHS[type], types.length], `type ${type}`);
    if (type === 16) assertEquals(view.getUint32(at + 7, true), 8 * 2 ** 20);
    if (type === 17) assertEquals(view.getUint16(at + 12, true), 8192);
    types.push(type);
    at += bytes[at + 1];
    while (bytes[at] !== 0 || bytes[at + 1] !== 0) at++;
    at += 2;
    longest = Math.max(longest, at - start);
  }
  assertEquals(types, [0, 1, 3, 4, 16, 17, 19, 19, 32, 127]);
  assertEquals([view.getUint16(0x1c, true), view.getUint16(8, true)], [types.length, longest]);
});
