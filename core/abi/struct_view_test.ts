import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as abi from "./mod.ts";
import type { ScalarType, StructView } from "./mod.ts";

const SIZE: Record<ScalarType, number> = { u8: 1, u16: 2, u32: 4, u64: 8 };

/** Every fixed-size view class, by structure. */
const VIEWS: Partial<Record<abi.StructName, new (source?: ArrayBufferView, offset?: number) => StructView>> = {
  kvm_memory_region: abi.KvmMemoryRegion,
  kvm_memory_alias: abi.KvmMemoryAlias,
  kvm_run: abi.KvmRun,
  "kvm_run.hw": abi.KvmRunHw,
  "kvm_run.fail_entry": abi.KvmRunFailEntry,
  "kvm_run.ex": abi.KvmRunEx,
  "kvm_run.io": abi.KvmRunIo,
  "kvm_run.mmio": abi.KvmRunMmio,
  "kvm_run.hypercall": abi.KvmRunHypercall,
  kvm_regs: abi.KvmRegs,
  kvm_fpu: abi.KvmFpu,
  kvm_segment: abi.KvmSegment,
  kvm_dtable: abi.KvmDtable,
  kvm_sregs: abi.KvmSregs,
  kvm_msr_entry: abi.KvmMsrEntry,
  kvm_translation: abi.KvmTranslation,
  kvm_interrupt: abi.KvmInterrupt,
  kvm_breakpoint: abi.KvmBreakpoint,
  kvm_debug_guest: abi.KvmDebugGuest,
  kvm_dirty_log: abi.KvmDirtyLog,
  kvm_cpuid_entry: abi.KvmCpuidEntry,
};
const FLEXIBLE = new Set(["kvm_msrs", "kvm_msr_list", "kvm_cpuid", "kvm_signal_mask"]);

Deno.test("StructView has a class for every structure", () => {
  for (const name of Object.keys(abi.LAYOUTS)) assert(name in VIEWS || FLEXIBLE.has(name), name);
});

for (const [name, View] of Object.entries(VIEWS)) {
  Deno.test(`${View.name} writes each integer little-endian at its offset, and nothing else`, () => {
    const layout = abi.LAYOUTS[name as abi.StructName];
    for (const [key, field] of Object.entries(layout.fields)) {
      const size = SIZE[field.type as ScalarType];
      if (size === undefined || field.dimensions.length > 0) continue;
      // An odd offset, so that alignment is not taken for granted.
      const buffer = new Uint8Array(layout.size + 9);
      const view = new View(buffer, 3) as unknown as Record<string, number | bigint>;
      const expected = new Uint8Array(buffer.length);
      for (let i = 0; i < size; i++) expected[3 + field.offset + i] = 0xf1 + i;
      const value = expected.slice(3 + field.offset, 3 + field.offset + size)
        .reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      view[key] = size === 8 ? value : Number(value);
      assertEquals(buffer, expected, key);
      assertEquals(view[key], size === 8 ? value : Number(value), key);
    }
  });

  Deno.test(`${View.name} refuses too few bytes and a negative offset`, () => {
    const { size } = abi.LAYOUTS[name as abi.StructName];
    assertEquals(new View().bytes.length, size);
    assertThrows(() => new View(new Uint8Array(size - 1)), RangeError, "Cannot view");
    assertThrows(() => new View(new Uint8Array(size), 1), RangeError, "Cannot view");
    assertThrows(() => new View(new Uint8Array(size), -1), RangeError, "Cannot view");
  });
}

Deno.test("KvmRegs() takes initial values, numbers too", () => {
  const regs = new abi.KvmRegs({ rax: 0x1122334455667788n, rip: 0x7c00, rflags: 2n });
  assertEquals([regs.rax, regs.rbx, regs.rip, regs.rflags], [0x1122334455667788n, 0n, 0x7c00n, 2n]);
});

Deno.test("KvmRegs halves are unsigned and write through", () => {
  const regs = new abi.KvmRegs({ rax: 0xfedcba9889abcdefn });
  assertEquals([regs.rax_lo, regs.rax_hi], [0x89abcdef, 0xfedcba98]);
  regs.rax_lo = -1;
  regs.rax_hi = 1;
  assertEquals(regs.rax, 0x1ffffffffn);
});

Deno.test("StructView stands on ArrayBuffer, SharedArrayBuffer and views without copying", () => {
  const plain = new ArrayBuffer(256);
  new abi.KvmRegs(plain, 16).rbx = 5n;
  assertEquals(new DataView(plain).getBigUint64(24, true), 5n);
  const shared = new SharedArrayBuffer(256);
  new abi.KvmRegs(shared, 16).rbx = 6n;
  assertEquals(new DataView(shared).getBigUint64(24, true), 6n);
  const bytes = new Uint8Array(plain, 8);
  assertEquals(new abi.KvmRegs(bytes, 8).rbx, 5n);
  assertStrictEquals(new abi.KvmRegs(bytes, 8).bytes.buffer, plain);
});

Deno.test("KvmSregs gives segments and tables as views of the same bytes", () => {
  const sregs = new abi.KvmSregs({ cs: { selector: 8, base: 0xffff0000n }, gdt: { limit: 0xffff } });
  assertEquals(sregs.view.getUint16(12, true), 8);
  assertEquals(sregs.cs.base, 0xffff0000n);
  assertEquals(sregs.view.getUint16(200, true), 0xffff);
  sregs.ldt.type = 2;
  assertEquals(sregs.bytes[168 + 14], 2);
  assertStrictEquals(sregs.cs, sregs.cs);
});

Deno.test("KvmSregs.interrupt_bitmap is four words", () => {
  const sregs = new abi.KvmSregs({ interrupt_bitmap: [1n, 0, 0, 1n << 63n] });
  assertEquals(sregs.bytes[280], 1);
  assertEquals(sregs.bytes[311], 0x80);
  sregs.interrupt_bitmap.set(1, 3n);
  assertEquals([...sregs.interrupt_bitmap], [1n, 3n, 0n, 1n << 63n]);
  assertEquals(sregs.interrupt_bitmap.length, 4);
});

Deno.test("KvmFpu gives registers as rows of 16 bytes", () => {
  const fpu = new abi.KvmFpu();
  assertEquals([fpu.fpr.length, fpu.xmm.length], [8, 16]);
  fpu.fpr[7][9] = 1;
  fpu.xmm[15][15] = 2;
  assertEquals([fpu.bytes[7 * 16 + 9], fpu.bytes[152 + 255]], [1, 2]);
  assertEquals(new abi.KvmFpu({ xmm: [[1], [2]] }).bytes[152 + 16], 2);
});

Deno.test("KvmDebugGuest gives its four breakpoints", () => {
  const debug = new abi.KvmDebugGuest({ enabled: 1, breakpoints: [{ enabled: 1, address: 0x1234 }], singlestep: 1 });
  assertEquals(debug.breakpoints.length, 4);
  assertEquals(debug.view.getBigUint64(16, true), 0x1234n);
  assertEquals(debug.bytes[72], 1);
});

Deno.test("KvmRun members overlie one another at 32", () => {
  const page = new Uint8Array(8192);
  const run = new abi.KvmRun(page);
  run.io.port = 0x3f8;
  assertEquals(run.ex.exception >>> 16, 0x3f8);
  run.mmio.phys_addr = 0xfee00000n;
  assertEquals([run.mmio.phys_addr_lo, run.mmio.phys_addr_hi], [0xfee00000, 0]);
  run.mmio.data[7] = 9;
  assertEquals(page[47], 9);
  run.hypercall.args.set(5, 7n);
  assertEquals(page[72], 7);
  assertEquals(run.padding.length, 256);
});

Deno.test("KvmMsrs holds the header and the entries", () => {
  const msrs = new abi.KvmMsrs([{ index: 0x10, data: 1n }, { index: 0x1b }]);
  assertEquals([msrs.bytes.length, msrs.nmsrs, msrs.entries.length], [40, 2, 2]);
  assertEquals([msrs.entries[0].data, msrs.entries[1].index], [1n, 0x1b]);
  assertEquals(new abi.KvmMsrs(3).nmsrs, 3);
  const onBytes = new abi.KvmMsrs(new Uint8Array(8 + 16 * 4 + 3));
  assertEquals([onBytes.nmsrs, onBytes.entries.length], [0, 4]);
  assertThrows(() => new abi.KvmMsrs(new Uint8Array(7)), RangeError);
});

Deno.test("KvmCpuid holds the header and the leaves", () => {
  const cpuid = new abi.KvmCpuid([{ function: 0, eax: 1 }, { function: 0x80000000, eax: 0x80000001 }]);
  assertEquals([cpuid.bytes.length, cpuid.nent, cpuid.entries[1].function], [56, 2, 0x80000000]);
});

Deno.test("KvmMsrList has room and numbers", () => {
  const list = new abi.KvmMsrList(2);
  list.setIndex(0, 0x10);
  list.setIndex(1, 0xc0000080);
  assertEquals([list.nmsrs, list.capacity, list.indices], [2, 2, [0x10, 0xc0000080]]);
  list.nmsrs = 50;
  assertEquals(list.indices.length, 2);
});

Deno.test("KvmSignalMask makes a set of 8 bytes", () => {
  const mask = new abi.KvmSignalMask(0x8000000000000001n);
  assertEquals([mask.bytes.length, mask.len, mask.sigset.length], [12, 8, 8]);
  assertEquals([mask.sigset[0], mask.sigset[7]], [1, 0x80]);
  assertEquals(new abi.KvmSignalMask(new Uint8Array(4)).sigset.length, 0);
});
