import { assertEquals } from "@std/assert";
import { CR0, DS, ES, RFLAGS, SEG_LOW, SEG_READ, SEG_WRITE, SS } from "../state.ts";
import { MODE_FLAT, MODE_PROTECTED, MODE_STACK32, MODE_USER } from "../mode.ts";
import { attributesOf, baseOf, get64, limitOf, put32, segment, selectorOf } from "./access.ts";
import { FakeMachine } from "./fake_machine_test_util.ts";
import { cpl, modeOf, viewOf } from "./mode.ts";
import { deriveAll, loadSegment, putSegment, segmentAttributes, segmentBits } from "./segments.ts";

const NONE = -1, ALL = 0x2_0000_0000;

function bounds(m: FakeMachine, n: number): [low: number, read: number, write: number] {
  const at = segment(n);
  return [get64(m, at + SEG_LOW), get64(m, at + SEG_READ), get64(m, at + SEG_WRITE)];
}

Deno.test("putSegment() derives the access bounds from limit, type and mode", () => {
  const cases: [name: string, limit: number, attr: number, real: number[], protect: number[]][] = [
    ["data", 0xfff, 0x4093, [0, 0xfff, 0xfff], [0, 0xfff, 0xfff]],
    ["flat data", 0xffff_ffff, 0xc093, [0, ALL, ALL], [0, ALL, ALL]],
    ["read-only", 0xfff, 0x4091, [0, 0xfff, 0xfff], [0, 0xfff, NONE]],
    ["readable code", 0xffff, 0x9b, [0, 0xffff, 0xffff], [0, 0xffff, NONE]],
    ["execute-only", 0xffff, 0x99, [0, 0xffff, 0xffff], [0, NONE, NONE]],
    ["expand-down, 64 KiB", 0xfff, 0x97, [0x1000, 0xffff, 0xffff], [0x1000, 0xffff, 0xffff]],
    ["expand-down, 4 GiB", 0xfff, 0x4097, [0x1000, 0xffff_ffff, 0xffff_ffff], [0x1000, 0xffff_ffff, 0xffff_ffff]],
    ["not present", 0xfff, 0x4013, [0, 0xfff, 0xfff], [0, NONE, NONE]],
    ["unusable", 0xfff, 0x1_0000, [0, NONE, NONE], [0, NONE, NONE]],
  ];
  for (const [name, limit, attr, real, protect] of cases) {
    const m = new FakeMachine();
    putSegment(m, DS, 8, 0, limit, attr);
    assertEquals(bounds(m, DS), real as [number, number, number], `${name}, real mode`);
    put32(m, CR0, 0x11);
    deriveAll(m);
    assertEquals(bounds(m, DS), protect as [number, number, number], `${name}, protected mode`);
  }
});

Deno.test("loadSegment() real mode: the limit of protected mode stays (unreal mode)", () => {
  const m = new FakeMachine();
  putSegment(m, DS, 8, 0, 0xffff_ffff, 0xc093);
  loadSegment(m, DS, 0x1234);
  assertEquals([selectorOf(m, DS), baseOf(m, DS), limitOf(m, DS)], [0x1234, 0x1_2340, 0xffff_ffff]);
});

Deno.test("loadSegment() virtual-8086 mode: 64 KiB of DPL 3, without looking at a table", () => {
  const m = new FakeMachine();
  put32(m, CR0, 0x11);
  m.i32[RFLAGS >> 2] = 0x2_0002;
  loadSegment(m, ES, 0xffff);
  assertEquals([baseOf(m, ES), limitOf(m, ES), attributesOf(m, ES)], [0xf_fff0, 0xffff, 0xf3]);
  assertEquals(cpl(m), 3);
});

Deno.test("segmentBits() is the inverse of segmentAttributes()", () => {
  for (const attr of [0, 0xa09b, 0xc0f3, 0x1_0000, 0x1f0ff & 0x1f0ff, 0x8b]) {
    assertEquals(segmentAttributes(segmentBits(attr)), attr);
  }
});

Deno.test("modeOf() tells code and stack size, flat segments, ring 3 and protected mode", () => {
  const m = new FakeMachine();
  assertEquals(modeOf(m), 0);
  put32(m, CR0, 0x11);
  for (const n of [ES, SS, DS]) putSegment(m, n, 8, 0, 0xffff_ffff, 0xc0f3);
  assertEquals(modeOf(m), MODE_FLAT | MODE_STACK32 | MODE_USER | MODE_PROTECTED);
  assertEquals(viewOf(m), 2);
  putSegment(m, ES, 8, 0, 0xffff_ffff, 0xc0f1);
  assertEquals(modeOf(m), MODE_STACK32 | MODE_USER | MODE_PROTECTED);
});
