import { assertEquals, assertThrows } from "@std/assert";
import { KvmRegs, KvmSregs } from "../core/abi/regs.ts";
import { enter } from "./entry_state.ts";
import { ImageError, planBootSector, planFlat } from "./image.ts";
import { lowTables } from "./low_tables.ts";

const MEMORY = [{ base: 0, size: 0x200000 }];

function sector(length = 512): Uint8Array {
  const image = new Uint8Array(length).fill(0x90);
  image[510] = 0x55;
  image[511] = 0xaa;
  return image;
}

Deno.test("planBootSector() enters at 0:7C00 with DL = 0x80 and loads one sector", () => {
  const plan = planBootSector(sector(2048), MEMORY);
  assertEquals([plan.mode, plan.cs, plan.ip, plan.sp, plan.dl], ["real", 0, 0x7c00, 0x7c00, 0x80]);
  assertEquals(plan.pieces.map(({ base, bytes }) => [base, bytes.length]), [[0x7c00, 512]]);
});

Deno.test("planBootSector() refuses what is no boot sector or has no memory", () => {
  assertThrows(() => planBootSector(new Uint8Array(0), MEMORY), ImageError, "it has 0 bytes");
  assertThrows(() => planBootSector(new Uint8Array(511), MEMORY), ImageError, "it has 511 bytes");
  assertThrows(() => planBootSector(new Uint8Array(512), MEMORY), ImageError, "boot signature 55 aa");
  assertThrows(() => planBootSector(sector(), [{ base: 0, size: 0x7000 }]), ImageError, "no memory at 0x7c00");
  assertThrows(() => planBootSector(sector(), []), ImageError, "no memory at 0x7c00");
});

Deno.test("planFlat() in real mode splits the entry into CS and IP", () => {
  const image = Uint8Array.of(0xf4);
  const low = planFlat(image, MEMORY, { mode: "real" });
  assertEquals([low.pieces[0].base, low.cs, low.ip, low.sp], [0x1000, 0, 0x1000, 0xfff0]);
  const high = planFlat(image, MEMORY, { mode: "real", load: 0x12345 });
  assertEquals([high.cs, high.ip], [0x1000, 0x2345]);
  const reset = planFlat(image, MEMORY, { mode: "real", load: 0xf0000, entry: 0xffff0 });
  assertEquals([reset.cs, reset.ip], [0xf000, 0xfff0]);
  assertEquals(planFlat(image, [{ base: 0, size: 0x2000 }], { mode: "real" }).sp, 0x1ff0);
  assertThrows(() => planFlat(image, MEMORY, { mode: "real", load: 0x100000 }), ImageError, "only below 0x100000");
});

Deno.test("planFlat() refuses empty images and images without room", () => {
  assertThrows(() => planFlat(new Uint8Array(0), MEMORY, { mode: "long" }), ImageError, "it is empty");
  const big = new Uint8Array(0x100001);
  assertThrows(() => planFlat(big, MEMORY, { mode: "protected" }), ImageError, "the memory there ends at 0x200000");
  const far = { mode: "long", load: 2 ** 32 } as const;
  assertThrows(() => planFlat(big, [{ base: 2 ** 32, size: 2 ** 30 }], far), ImageError, "first 4 GiB");
});

Deno.test("planFlat() keeps images away from the tables", () => {
  const image = new Uint8Array(0x1000);
  for (const [mode, load] of [["protected", 0x1fff], ["long", 0x7fff], ["long", 0x1]] as const) {
    assertThrows(() => planFlat(image, MEMORY, { mode, load }), ImageError, "it would lie on");
  }
  for (const [mode, load] of [["protected", 0x2000], ["long", 0x8000], ["long", 0]] as const) {
    assertEquals(planFlat(image, MEMORY, { mode, load }).pieces.length, 2);
  }
});

Deno.test("lowTables() maps the first 4 GiB at their own addresses", () => {
  const view = new DataView(lowTables("long").buffer);
  assertEquals(view.getBigUint64(0x1000, true), 0x3003n);
  assertEquals([0, 8, 16, 24].map((at) => view.getBigUint64(0x2000 + at, true)), [0x4003n, 0x5003n, 0x6003n, 0x7003n]);
  assertEquals(view.getBigUint64(0x3000, true), 0x83n);
  assertEquals(view.getBigUint64(0x6ff8, true), 0xffe00083n);
  assertEquals(lowTables("protected").length, 0x1000);
});

Deno.test("enter() sets the state of each mode", () => {
  const regs = new KvmRegs({ rax: 7 });
  const real = new KvmSregs({ cs: { base: 0xffff0000, selector: 0xf000 }, cr0: 0x60000010n });
  enter(planFlat(Uint8Array.of(0xf4), MEMORY, { mode: "real", load: 0x12345 }), regs, real);
  assertEquals([regs.rax, regs.rip, regs.rflags], [0n, 0x2345n, 2n]);
  assertEquals([real.cs.base, real.cs.selector, real.ss.limit, real.cr0], [0x10000n, 0x1000, 0xffff, 0x60000010n]);

  const flat = new KvmSregs();
  enter(planFlat(Uint8Array.of(0xf4), MEMORY, { mode: "protected" }), regs, flat);
  assertEquals([regs.rip, regs.rsp, flat.cr0, flat.efer], [0x100000n, 0x1ffff0n, 0x31n, 0n]);
  assertEquals([flat.cs.selector, flat.cs.db, flat.cs.l, flat.ds.limit], [8, 1, 0, 0xffffffff]);

  const long = new KvmSregs();
  enter(planFlat(Uint8Array.of(0xf4), MEMORY, { mode: "long" }), regs, long);
  assertEquals([long.cr0, long.cr3, long.cr4, long.efer], [0x80000031n, 0x2000n, 0x20n, 0x500n]);
  assertEquals([long.cs.db, long.cs.l], [0, 1]);
});
