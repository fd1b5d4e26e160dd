import { assertEquals, assertThrows } from "@std/assert";
import { readSymbols, SymbolError, SymbolTable } from "./symbols.ts";

/** A small ELF file with one section of code and the given symbols. */
function elf(
  bits: 32 | 64,
  symbols: readonly (readonly [name: string, address: number, size: number, info: number, section?: number])[],
): Uint8Array {
  const is64 = bits === 64;
  const entry = is64 ? 24 : 16, header = is64 ? 64 : 40;
  const names = ["", ...symbols.map(([name]) => name)].map((name) => `${name}\0`);
  const strings = new TextEncoder().encode(names.join(""));
  const tableAt = 0x80, stringsAt = tableAt + entry * (symbols.length + 1), sectionsAt = stringsAt + strings.length;
  const bytes = new Uint8Array(sectionsAt + 4 * header);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: number): void =>
    is64 ? view.setBigUint64(at, BigInt(value), true) : view.setUint32(at, value, true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1]);
  word(is64 ? 0x28 : 0x20, sectionsAt);
  view.setUint16(is64 ? 0x3a : 0x2e, header, true);
  view.setUint16(is64 ? 0x3c : 0x30, 4, true);
  let name = 1;
  symbols.forEach(([text, address, size, info, section = 1], n) => {
    const at = tableAt + entry * (n + 1);
    view.setUint32(at, name, true);
    name += text.length + 1;
    bytes[at + (is64 ? 4 : 12)] = info;
    view.setUint16(at + (is64 ? 6 : 14), section, true);
    word(at + (is64 ? 8 : 4), address);
    word(at + (is64 ? 16 : 8), size);
  });
  bytes.set(strings, stringsAt);
  const section = (
    n: number,
    type: number,
    flags: number,
    offset: number,
    size: number,
    link = 0,
    entrySize = 0,
  ): void => {
    const at = sectionsAt + n * header;
    view.setUint32(at + 4, type, true);
    word(at + 8, flags);
    word(at + (is64 ? 0x18 : 0x10), offset);
    word(at + (is64 ? 0x20 : 0x14), size);
    view.setUint32(at + (is64 ? 0x28 : 0x18), link, true);
    word(at + (is64 ? 0x38 : 0x24), entrySize);
  };
  section(1, 1, 6, 0, 0);
  section(2, 2, 0, tableAt, entry * (symbols.length + 1), 3, entry);
  section(3, 3, 0, stringsAt, strings.length);
  return bytes;
}

const FUNCTION = 0x12, LABEL = 0x00, FILE = 0x04;

Deno.test("readSymbols() reads ELF-32 and ELF-64", () => {
  for (const bits of [32, 64] as const) {
    const table = readSymbols(elf(bits, [
      ["main", 0x1000, 0x20, FUNCTION],
      ["inner", 0x1000, 0, LABEL],
      ["start", 0x2000, 0, LABEL],
      ["file.c", 0x1000, 0, FILE],
      ["outside", 0x3000, 0, FUNCTION, 0],
    ]));
    assertEquals(table.count, 2);
    assertEquals([0x1000n, 0x101fn, 0x1020n, 0xfffn].map((at) => table.nameOf(at)), ["main", "main+0x1f", null, null]);
    assertEquals([table.nameOf(0x2004n), table.nameOf(0x12000n)], ["start+0x4", null]);
    assertEquals(table.find("inner")?.address, 0x1000n);
  }
});

Deno.test("readSymbols() refuses what is no such file", () => {
  const whole = elf(64, [["main", 1, 1, FUNCTION]]);
  assertThrows(() => readSymbols(new TextEncoder().encode("#!/bin/sh")), SymbolError, "it is not an ELF file");
  assertThrows(() => readSymbols(whole.subarray(0, 0x70)), SymbolError, "it is cut off");
  assertThrows(() => readSymbols(elf(64, [])), SymbolError, "it has no symbols");
  const big = whole.slice();
  big[5] = 2;
  assertThrows(() => readSymbols(big), SymbolError, "it is not for x86");
});

Deno.test("SymbolTable.nameOf() finds the nearest symbol among many", () => {
  const table = new SymbolTable(
    Array.from({ length: 1000 }, (_, n) => ({ name: `s${n}`, address: BigInt(n * 16), size: 16n })),
  );
  assertEquals([0n, 15n, 16n, 15999n, 16000n].map((at) => table.nameOf(at)), ["s0", "s0+0xf", "s1", "s999+0xf", null]);
});
