import { assertEquals, assertThrows } from "@std/assert";
import { KvmSegment, KvmSregs } from "./regs.ts";
import {
  buildDescriptorTable,
  decodeDescriptor,
  encodeDescriptor,
  flatSegment,
  longModeRegisters,
  longModeSegments,
  protectedModeRegisters,
  protectedModeSegments,
  realModeSegment,
  realModeSegments,
} from "./segments.ts";

Deno.test("encodeDescriptor() gives the descriptors that everybody knows", () => {
  assertEquals(encodeDescriptor(flatSegment({ kind: "code" })), 0x00cf9b000000ffffn);
  assertEquals(encodeDescriptor(flatSegment({ kind: "data" })), 0x00cf93000000ffffn);
  assertEquals(encodeDescriptor(flatSegment({ kind: "code", bits: 64 })), 0x00af9b000000ffffn);
  assertEquals(encodeDescriptor(flatSegment({ kind: "data", bits: 64, dpl: 3 })), 0x00cff3000000ffffn);
  assertEquals(encodeDescriptor(flatSegment({ kind: "code", bits: 16 })), 0x008f9b000000ffffn);
  assertEquals(encodeDescriptor(realModeSegment("code", 0xf000)), 0x00009b0f0000ffffn);
  assertEquals(encodeDescriptor({ base: 0x12345678, limit: 0x67, type: 0xb, present: 1 }), 0x12008b3456780067n);
});

Deno.test("decodeDescriptor() is the inverse of encodeDescriptor()", () => {
  const segments = [
    new KvmSegment({ base: 0xfedcba98, limit: 0xabfff, type: 5, present: 1, dpl: 2, s: 1, avl: 1, g: 1 }),
    new KvmSegment({ base: 0x1000, limit: 0xfffff, type: 3, present: 1, dpl: 3, s: 1, db: 1, selector: 0x23 }),
    ...Object.values(longModeSegments()),
  ];
  for (const segment of segments) {
    assertEquals(decodeDescriptor(encodeDescriptor(segment), segment.selector).bytes, segment.bytes);
  }
});

Deno.test("decodeDescriptor() makes unusable what is not present", () => {
  const { present, unusable } = decodeDescriptor(0n);
  assertEquals([present, unusable], [0, 1]);
});

Deno.test("encodeDescriptor() refuses a limit that has no room", () => {
  assertThrows(() => encodeDescriptor({ limit: 0x100000 }), RangeError, "the limit 0x100000 needs the granularity bit");
});

Deno.test("buildDescriptorTable() gives system segments of long mode two places", () => {
  const tss = { base: 0x1_2345_6000n, limit: 0x67, type: 9, present: 1 };
  const words = (mode: "protected" | "long") => [
    ...new BigUint64Array(
      buildDescriptorTable([null, 0x1234n, tss, flatSegment({ kind: "data" })], mode).slice().buffer,
    ),
  ];
  const low = encodeDescriptor(tss);
  assertEquals(words("protected"), [0n, 0x1234n, low, 0x00cf93000000ffffn]);
  assertEquals(words("long"), [0n, 0x1234n, low, 1n, 0x00cf93000000ffffn]);
});

Deno.test("realModeSegments() have bases of 16 times the selector", () => {
  const { cs, ds, ss } = realModeSegments(0x7c0, 0x20);
  assertEquals([cs.base, cs.type, ds.base, ss.limit], [0x7c00n, 0xb, 0x200n, 0xffff]);
});

Deno.test("Segments and registers can be assigned to a KvmSregs", () => {
  const sregs = new KvmSregs();
  Object.assign(sregs, longModeSegments({ code: 0x1b, data: 0x23 }), longModeRegisters(0x2000));
  assertEquals([sregs.cs.l, sregs.cs.db, sregs.cs.dpl, sregs.cs.selector], [1, 0, 3, 0x1b]);
  assertEquals([sregs.gs.l, sregs.gs.db, sregs.gs.dpl, sregs.gs.selector], [0, 1, 3, 0x23]);
  assertEquals([sregs.cr0, sregs.cr3, sregs.cr4, sregs.efer], [0x80000031n, 0x2000n, 0x20n, 0x500n]);
  Object.assign(sregs, protectedModeSegments(), protectedModeRegisters());
  assertEquals([sregs.cs.l, sregs.cs.db, sregs.es.selector, sregs.cr0, sregs.efer], [0, 1, 0x10, 0x31n, 0n]);
});

Deno.test("longModeSegments() are segments of their own each", () => {
  const { ds, es } = longModeSegments();
  ds.base = 5n;
  assertEquals(es.base, 0n);
});
