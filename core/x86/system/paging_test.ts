import { assertEquals } from "@std/assert";
import { WALK_EXECUTE, WALK_PROBE, WALK_USER, WALK_WRITE } from "../machine.ts";
import { CR0, CR3, CR4, EFER, RFLAGS, SEG_ATTR, SS } from "../state.ts";
import { put32, segment } from "./access.ts";
import { FakeMachine } from "./fake_machine_test_util.ts";
import { loadPdptes, walk, WALKED_EXECUTABLE, WALKED_GLOBAL, WALKED_USER, WALKED_WRITABLE } from "./paging.ts";

const P = 1, RW = 2, US = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100;
const NX = 0x8000_0000;
const PSE = 0x10, PAE = 0x20, PGE = 0x80, SMEP = 0x10_0000, SMAP = 0x20_0000;
const WP = 0x1_0000, NXE = 0x800, LONG = 0x500;
const ALL = P | RW | US;

/** A machine in `mode` with tables at 1000 (top), 2000, 3000, 4000, and paging on. */
function machine(
  mode: "32" | "pae" | "long",
  options: { cr0?: number; cr4?: number; efer?: number; cpl?: number } = {},
) {
  const m = new FakeMachine(0x1_0000);
  put32(m, CR0, 0x8000_0011 | (options.cr0 ?? 0));
  put32(m, CR3, 0x1000);
  put32(m, CR4, (mode === "32" ? PSE : PAE) | (options.cr4 ?? 0));
  put32(m, EFER, (mode === "long" ? LONG : 0) | (options.efer ?? 0));
  m.u32[(segment(SS) + SEG_ATTR) >> 2] = 0x93 | (options.cpl ?? 0) << 5;
  return m;
}

function entry32(m: FakeMachine, table: number, index: number, value: number): void {
  m.memory.setUint32(table + index * 4, value, true);
}

function entry64(m: FakeMachine, table: number, index: number, low: number, high = 0): void {
  m.memory.setUint32(table + index * 8, low, true);
  m.memory.setUint32(table + index * 8 + 4, high, true);
}

/** The page, or the error code as a string. */
function walked(m: FakeMachine, linear: number, access: number): number | string {
  const result = { error: 0, flags: 0 };
  const page = walk(m, linear, access, result);
  return page < 0 ? `error ${result.error}` : page;
}

function flags(m: FakeMachine, linear: number, access: number): number {
  const result = { error: 0, flags: 0 };
  walk(m, linear, access, result);
  return result.flags;
}

Deno.test("walk() 32-bit: finds 4 KiB and 4 MiB pages, with the address bits of PSE-36", () => {
  const m = machine("32");
  entry32(m, 0x1000, 1, 0x2000 | ALL);
  entry32(m, 0x2000, 5, 0xabcd_e000 | ALL);
  entry32(m, 0x1000, 2, 0x0080_0000 | PS | ALL);
  entry32(m, 0x1000, 3, 0x0080_0000 | PS | ALL | 0x1f << 13);
  entry32(m, 0x1000, 4, 0x0080_0000 | PS | ALL | 1 << 21);
  assertEquals(walked(m, 0x40_5123, 0), 0xabcd_e000);
  assertEquals(walked(m, 0x80_0000 + 0x31_2345, 0), 0xb1_2000);
  assertEquals(walked(m, 0xc0_0000, 0), 0x1f_0080_0000);
  assertEquals(walked(m, 0x100_0000, 0), "error 9");
});

Deno.test("walk() 32-bit: error codes and permissions by level, WP and kind of access", () => {
  const W = WALK_WRITE, U = WALK_USER;
  const cases: [pde: number, pte: number, cr0: number, access: number, outcome: number | string][] = [
    [0, ALL, 0, 0, "error 0"],
    [ALL, 0, 0, W, "error 2"],
    [ALL, 0, 0, U | W, "error 6"],
    [ALL, ALL, 0, U | W, 0x5000],
    [P | RW, ALL, 0, U, "error 5"],
    [ALL, P | RW, 0, U, "error 5"],
    [P | US, ALL, 0, U | W, "error 7"],
    [ALL, P | US, 0, W, 0x5000],
    [ALL, P | US, WP, W, "error 3"],
    [P, ALL, WP, W, "error 3"],
    [ALL, P, WP, 0, 0x5000],
    [ALL, 0, 0, U | WALK_EXECUTE, "error 4"],
  ];
  for (const [pde, pte, cr0, access, outcome] of cases) {
    const m = machine("32", { cr0 });
    entry32(m, 0x1000, 0, 0x2000 | pde);
    entry32(m, 0x2000, 0, 0x5000 | pte);
    assertEquals(walked(m, 0x10, access), outcome, `pde ${pde} pte ${pte} access ${access}`);
  }
});

Deno.test("walk() sets accessed and dirty bits when it succeeds, and none when it fails or probes", () => {
  const m = machine("32");
  entry32(m, 0x1000, 0, 0x2000 | ALL);
  entry32(m, 0x2000, 0, 0x5000 | P | RW);
  const bits = () => [m.readPhysical(0x1000) & (A | D), m.readPhysical(0x2000) & (A | D)];
  walked(m, 0, WALK_USER);
  assertEquals(bits(), [0, 0]);
  walked(m, 0, WALK_WRITE | WALK_PROBE);
  assertEquals(bits(), [0, 0]);
  walked(m, 0, 0);
  assertEquals(bits(), [A, A]);
  assertEquals(flags(m, 0, 0) & WALKED_WRITABLE, 0);
  walked(m, 0, WALK_WRITE);
  assertEquals(bits(), [A, A | D]);
  assertEquals(flags(m, 0, 0) & WALKED_WRITABLE, WALKED_WRITABLE);
});

Deno.test("walk() PAE: uses the registers loaded with CR3, reserves bits 52 to 62, and XD without NXE", () => {
  const m = machine("pae");
  entry64(m, 0x1000, 1, 0x2000 | P);
  entry64(m, 0x2000, 3, 0x3000 | ALL);
  entry64(m, 0x3000, 4, 0x5000 | ALL, 1);
  entry64(m, 0x3000, 5, 0x5000 | ALL, NX);
  entry64(m, 0x3000, 6, 0x5000 | ALL, 0x10_0000);
  entry64(m, 0x2000, 4, 0x20_0000 | PS | ALL);
  entry64(m, 0x2000, 5, 0x20_2000 | PS | ALL);
  assertEquals(loadPdptes(m, 0x1000), true);
  const base = 0x4060_0000;
  assertEquals(walked(m, base + 0x4000, 0), 0x1_0000_5000);
  assertEquals(walked(m, base + 0x5000, 0), "error 9");
  assertEquals(walked(m, base + 0x6000, 0), "error 9");
  assertEquals(walked(m, 0x4080_0000 + 0x12_3000, 0), 0x32_3000);
  assertEquals(walked(m, 0x40a0_0000, 0), "error 9");
  assertEquals(walked(m, 0, 0), "error 0");
  entry64(m, 0x1000, 1, 0x2000 | P | RW);
  assertEquals(loadPdptes(m, 0x1000), false);
  assertEquals(walked(m, base + 0x4000, 0), 0x1_0000_5000);
});

Deno.test("walk() 4-level: pages of 4 KiB, 2 MiB and 1 GiB in both halves, reserved bits", () => {
  const m = machine("long");
  for (const index of [0, 256]) entry64(m, 0x1000, index, 0x2000 | ALL);
  entry64(m, 0x1000, 1, 0x2000 | PS | ALL);
  entry64(m, 0x2000, 0, 0x3000 | ALL);
  entry64(m, 0x2000, 1, 0x8000_0000 | PS | ALL, 1);
  entry64(m, 0x2000, 2, 0x8000_2000 | PS | ALL);
  entry64(m, 0x3000, 0, 0x4000 | ALL);
  entry64(m, 0x3000, 1, 0x40_0000 | PS | ALL);
  entry64(m, 0x4000, 7, 0x9000 | ALL);
  entry64(m, 0x4000, 8, 0x9000 | ALL, 1 << 8);
  assertEquals(walked(m, 0x7abc, 0), 0x9000);
  assertEquals(walked(m, -0x8000_0000_0000 + 0x7000, 0), 0x9000);
  assertEquals(walked(m, 0x30_0000, 0), 0x50_0000);
  assertEquals(walked(m, 0x7654_3210, 0), 0x1_b654_3000);
  assertEquals(walked(m, 0x8000_0000, 0), "error 9");
  assertEquals(walked(m, 0x8000, 0), "error 9");
  assertEquals(walked(m, 0x80_0000_0000, 0), "error 9");
  assertEquals(walked(m, 0x100_0000_0000, 0), "error 0");
});

Deno.test("walk() fetches obey XD and SMEP, data SMAP, AC and implicit accesses of CPL 3", () => {
  const X = WALK_EXECUTE, U = WALK_USER;
  const AC = 0x4_0000;
  const cases: [
    name: string,
    pte: number,
    high: number,
    cr4: number,
    efer: number,
    cpl: number,
    ac: number,
    access: number,
    outcome: number | string,
  ][] = [
    ["user XD", ALL, NX, 0, NXE, 3, 0, U | X, "error 21"],
    ["supervisor XD", P | RW, NX, 0, NXE, 0, 0, X, "error 17"],
    ["no NXE, no SMEP: no fetch bit", P | RW, 0, 0, 0, 3, 0, U | X, "error 5"],
    ["SMEP", ALL, 0, SMEP, 0, 0, 0, X, "error 17"],
    ["SMEP spares user code", ALL, 0, SMEP, 0, 3, 0, U | X, 0x9000],
    ["SMAP", ALL, 0, SMAP, 0, 0, 0, 0, "error 1"],
    ["SMAP lifted", ALL, 0, SMAP, 0, 0, AC, 0, 0x9000],
    ["SMAP implicit", ALL, 0, SMAP, 0, 3, AC, 0, "error 1"],
    ["SMAP spares supervisor pages", P | RW, 0, SMAP, 0, 0, 0, 0, 0x9000],
  ];
  for (const [name, pte, high, cr4, efer, cpl, ac, access, outcome] of cases) {
    const m = machine("long", { cr4, efer, cpl });
    m.i32[RFLAGS >> 2] = 2 | ac;
    entry64(m, 0x1000, 0, 0x2000 | ALL);
    entry64(m, 0x2000, 0, 0x3000 | ALL);
    entry64(m, 0x3000, 0, 0x4000 | ALL);
    entry64(m, 0x4000, 0, 0x9000 | pte, high);
    assertEquals(walked(m, 0, access), outcome, name);
  }
});

Deno.test("walk() tells user, global and executable", () => {
  const m = machine("long", { cr4: PGE, efer: NXE });
  entry64(m, 0x1000, 0, 0x2000 | ALL);
  entry64(m, 0x2000, 0, 0x3000 | ALL);
  entry64(m, 0x3000, 0, 0x4000 | ALL);
  entry64(m, 0x4000, 0, 0x9000 | ALL | G, NX);
  entry64(m, 0x4000, 1, 0x9000 | P);
  assertEquals(flags(m, 0, WALK_PROBE), WALKED_USER | WALKED_GLOBAL | WALKED_WRITABLE);
  assertEquals(flags(m, 0x1000, WALK_PROBE), WALKED_EXECUTABLE);
});
