import { assertEquals, assertThrows } from "@std/assert";
import { buildPageTables, type PageTableOptions } from "./page_tables.ts";

/** The 8-byte entry at an address, of tables that are at 0x1000. */
function entry(tables: Uint8Array, address: number): bigint {
  return new DataView(tables.buffer).getBigUint64(address - 0x1000, true);
}

Deno.test("buildPageTables() maps with 2 MiB pages unless told", () => {
  const tables = buildPageTables({ address: 0x1000, size: 2 ** 31 });
  assertEquals(tables.length, 4 * 4096);
  assertEquals([entry(tables, 0x1000), entry(tables, 0x1008)], [0x2003n, 0n]);
  assertEquals([entry(tables, 0x2000), entry(tables, 0x2008), entry(tables, 0x2010)], [0x3003n, 0x4003n, 0n]);
  assertEquals([entry(tables, 0x3000), entry(tables, 0x3008), entry(tables, 0x4ff8)], [0x83n, 0x200083n, 0x7fe00083n]);
});

Deno.test("buildPageTables() maps ranges with attributes of their own", () => {
  const tables = buildPageTables({
    address: 0x1000,
    mappings: [
      { linear: 0x1000, physical: 0x7000, size: 0x2000, pageSize: 0x1000, user: true, writable: false },
      { linear: 0xffff_8000_0000_0000n, physical: 0, size: 2 ** 30, pageSize: 0x4000_0000, executable: false },
    ],
  });
  assertEquals(tables.length, 5 * 4096);
  assertEquals([entry(tables, 0x1000), entry(tables, 0x1800)], [0x2007n, 0x5003n]);
  assertEquals([entry(tables, 0x2000), entry(tables, 0x3000)], [0x3007n, 0x4007n]);
  assertEquals([0, 8, 16, 24].map((n) => entry(tables, 0x4000 + n)), [0n, 0x7005n, 0x8005n, 0n]);
  assertEquals(entry(tables, 0x5000), 1n << 63n | 0x83n);
});

Deno.test("buildPageTables() makes tables of 32-bit paging, with and without PAE", () => {
  const legacy = buildPageTables({ address: 0x1000, mode: "32-bit", size: 2 ** 32 });
  const view = new DataView(legacy.buffer);
  assertEquals([legacy.length, view.getUint32(0, true), view.getUint32(4092, true)], [4096, 0x83, 0xffc00083]);
  const small = buildPageTables({
    address: 0x1000,
    mode: "32-bit",
    mappings: [{ linear: 0xc040_0000, physical: 0x5000, size: 0x1000, pageSize: 0x1000, user: true }],
  });
  const words = new DataView(small.buffer);
  assertEquals([words.getUint32(0xc04, true), words.getUint32(0x1000, true)], [0x2007, 0x5007]);
  const pae = buildPageTables({ address: 0x1000, mode: "pae", mappings: [{ linear: 0xc000_0000, size: 2 ** 21 }] });
  assertEquals([entry(pae, 0x1018), entry(pae, 0x2000)], [0x2001n, 0xc000_0083n], "entries of the top have P alone");
});

Deno.test("buildPageTables() refuses what cannot be mapped", () => {
  const mapping = (linear: number | bigint, size: number | bigint, more = {}): PageTableOptions => ({
    address: 0x1000,
    mappings: [{ linear, size, ...more }],
  });
  const cases: [PageTableOptions, string][] = [
    [{ address: 0x1001 }, "4097 is no address of a page"],
    [{ address: -4096 }, "no address of a page"],
    [{ address: 2 ** 32, mode: "pae" }, "CR3 has 32 bits"],
    [mapping(0x1000, 0x20_0000), "are not all multiples of 2097152"],
    [mapping(0, 0), "are not all multiples"],
    [mapping(0, 0x1800, { pageSize: 0x1000 }), "are not all multiples of 4096"],
    [mapping(0, 0x40_0000, { pageSize: 0x40_0000 }), "the mode long has no pages of 4194304 bytes"],
    [mapping(0, 0x20_0000, { physical: 1n << 52n }), "is beyond physical memory"],
    [mapping(2 ** 47, 0x20_0000), "are no linear addresses"],
    [mapping(2 ** 47 - 0x20_0000, 0x40_0000), "are no linear addresses"],
    [{ address: 0, mode: "pae", size: 2 ** 32 + 0x20_0000 }, "are no linear addresses"],
    [{ address: 0, mode: "32-bit", mappings: [{ linear: 0, size: 0x40_0000, executable: false }] }, "need PAE or long"],
    [{ ...mapping(0, 0x1000, { pageSize: 0x1000 }), size: 0x20_0000 }, "the mappings overlap at 0x0"],
    [{ ...mapping(0, 0x20_0000), size: 0x20_0000 }, "the mappings overlap at 0x0"],
    [{
      address: 0,
      mappings: [{ linear: 0, size: 0x1000, pageSize: 0x1000 }, { linear: 0, size: 0x20_0000 }],
    }, "the mappings overlap at 0x0"],
  ];
  for (const [options, text] of cases) assertThrows(() => buildPageTables(options), RangeError, text);
});
