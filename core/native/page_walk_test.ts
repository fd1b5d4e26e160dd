import { assertEquals } from "@std/assert";
import { KvmSregs } from "../abi/regs.ts";
import { translate } from "./page_walk.ts";

const PG = 0x8000_0001n;
const PRESENT = 1n;
const WRITE = 2n;
const USER = 4n;
const LARGE = 0x80n;
const ALL = PRESENT | WRITE | USER;

/** A walk with entries at the given addresses and memory nowhere else. */
function walk(state: { cr0?: bigint; cr3?: bigint; cr4?: bigint; efer?: bigint }, entries: [bigint, bigint][]) {
  const sregs = new KvmSregs({ cr0: PG, ...state });
  const memory = new Map(entries);
  return (linear: bigint): string => {
    const found = translate(sregs, linear, (gpa) => memory.get(gpa) ?? null);
    if (found === null) return "none";
    return `${found.physical.toString(16)} ${found.writeable ? "w" : "-"}${found.usermode ? "u" : "-"}`;
  };
}

Deno.test("translate() without paging gives the address itself", () => {
  const at = walk({ cr0: 0x11n }, []);
  assertEquals(at(0x12345n), "12345 wu");
  assertEquals(at(0x1_0000_0010n), "10 wu");
});

Deno.test("translate() walks two levels of 32-bit tables and combines what they allow", () => {
  const at = walk({ cr3: 0x1000n, cr4: 0x10n }, [
    [0x1000n, 0x2000n | ALL],
    [0x1004n, 0x2000n | PRESENT | USER],
    [0x1008n, 0xc0c0_0000n | 0x3n << 13n | LARGE | PRESENT | WRITE],
    [0x100cn, 0x9000n | WRITE],
    [0x2000n, 0x7000n | PRESENT | WRITE],
    [0x2004n, 0x8000n | ALL],
    [0x2008n, 0n],
  ]);
  assertEquals(at(0x123n), "7123 w-");
  assertEquals(at(0x1fffn), "8fff wu");
  assertEquals(at(0x40_1008n), "8008 -u");
  assertEquals(at(0x2000n), "none");
  assertEquals(at(0x80_4567n), "3c0c04567 w-");
  assertEquals(at(0xc0_0000n), "none");
  assertEquals(at(0x100_0000n), "none");
});

Deno.test("translate() takes bit 7 of a directory entry for a large page only with CR4.PSE", () => {
  const at = walk({ cr3: 0x1000n }, [[0x1000n, 0x2000n | LARGE | ALL], [0x2000n, 0x7000n | ALL]]);
  assertEquals(at(0x4n), "7004 wu");
});

Deno.test("translate() walks PAE tables from a root aligned to 32 bytes", () => {
  const at = walk({ cr3: 0x1020n, cr4: 0x20n, efer: 0x800n }, [
    [0x1038n, 0x2000n | PRESENT],
    [0x2ff8n, 0x1_0020_0000n | 1n << 63n | LARGE | ALL],
    [0x2ff0n, 0x3000n | ALL],
    [0x3008n, 0xf_ffff_f000n | PRESENT],
  ]);
  assertEquals(at(0xffff_fff0n), "1003ffff0 wu");
  assertEquals(at(0xffc0_1234n), "ffffff234 --");
});

Deno.test("translate() walks four and five levels, with 1 GB pages, and refuses addresses that are not canonical", () => {
  const entries: [bigint, bigint][] = [
    [0x1ff8n, 0x2000n | ALL],
    [0x2ff0n, 0x4000_0000n | LARGE | ALL],
    [0x2ff8n, 0x3000n | PRESENT | WRITE],
    [0x3000n, 0x4000n | ALL],
    [0x4ff8n, 0x0003_2100_0000_5000n | ALL],
  ];
  const at = walk({ cr3: 0x1fffn - 0xfffn, cr4: 0x20n, efer: 0x500n }, entries);
  assertEquals(at(0xffff_ffff_8012_3456n), "40123456 wu");
  assertEquals(at(0xffff_ffff_c01f_fabcn), "3210000005abc w-");
  assertEquals(at(0x0000_ffff_c01f_fabcn), "none");
  const five = walk({ cr3: 0x9000n, cr4: 0x1020n, efer: 0x500n }, [[0x9ff8n, 0x1000n | PRESENT | WRITE], ...entries]);
  assertEquals(five(0xffff_ffff_8012_3456n), "40123456 w-");
  assertEquals(five(0xfeff_ffff_8012_3456n), "none");
});

Deno.test("translate() takes bit 63 for reserved without EFER.NXE", () => {
  const entries: [bigint, bigint][] = [[0x1000n, 0x2000n | PRESENT], [0x2000n, 1n << 63n | LARGE | ALL]];
  assertEquals(walk({ cr3: 0x1000n, cr4: 0x20n }, entries)(8n), "none");
  assertEquals(walk({ cr3: 0x1000n, cr4: 0x20n, efer: 0x800n }, entries)(8n), "8 wu");
});
