import { assertEquals } from "@std/assert";
import { CR4, DR } from "../state.ts";
import { put32, put64 } from "./access.ts";
import { debugAddress, watchData, watchesData, writeDebug } from "./debug_registers.ts";
import { FakeMachine, faultOf } from "./fake_machine_test_util.ts";

Deno.test("writeDebug() keeps reserved bits as they are, and refuses upper halves of DR6 and DR7", () => {
  const m = new FakeMachine();
  writeDebug(m, 6, 0, 0);
  writeDebug(m, 7, -1 & ~0x2000, 0);
  assertEquals([m.u32[(DR + 48) >> 2], m.u32[(DR + 56) >> 2]], [0xffff_0ff0, 0xffff_07ff]);
  for (const n of [6, 7]) assertEquals(faultOf(() => writeDebug(m, n, 0, 1)), [13, 0]);
});

Deno.test("debugAddress() DR4 and DR5 are DR6 and DR7 without CR4.DE; there is no DR8; GD guards all", () => {
  const m = new FakeMachine();
  assertEquals(debugAddress(m, 4), DR + 48);
  assertEquals(debugAddress(m, 5), DR + 56);
  put32(m, CR4, 8);
  assertEquals(faultOf(() => debugAddress(m, 4)), [6, -1]);
  assertEquals(faultOf(() => debugAddress(m, 8)), [6, -1]);
  put32(m, DR + 56, 0x2400);
  assertEquals(faultOf(() => debugAddress(m, 0)), [1, 0x2000]);
});

Deno.test("watchData() meets what overlaps, by kind and aligned length", () => {
  const cases: [control: number, linear: number, size: number, write: boolean, hit: number][] = [
    [0xd_0002, 0x1000, 4, true, 1],
    [0xd_0002, 0xfff, 1, true, 0],
    [0xd_0002, 0xffd, 4, true, 1],
    [0xd_0002, 0x1003, 1, true, 1],
    [0xd_0002, 0x1004, 1, true, 0],
    [0xd_0002, 0x1000, 4, false, 0],
    [0xf_0001, 0x1000, 4, false, 1],
    [0xb_0002, 0x1007, 1, false, 1],
    [0xd_0000, 0x1000, 4, true, 0],
    [0x0_0002, 0x1000, 4, true, 0],
  ];
  for (const [control, linear, size, write, hit] of cases) {
    const m = new FakeMachine();
    put64(m, DR, 0x1002);
    put32(m, DR + 56, control);
    watchData(m, linear, size, write);
    assertEquals(m.traps, hit, `${control.toString(16)} ${linear.toString(16)}`);
    assertEquals(watchesData(m), (control & 3) !== 0 && (control & 0x1_0000) !== 0);
  }
});
