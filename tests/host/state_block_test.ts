import { assertEquals, assertThrows } from "@std/assert";
import { GPR_NAMES, STATE_OFFSET, STATE_SIZE, StateBlock, TRAP } from "./state_block.ts";

Deno.test("StateBlock.reset() sets what is not zero after FNINIT", () => {
  const state = new StateBlock();
  state.bytes.fill(0xff);
  state.reset();
  assertEquals(state.x87("fcw"), 0x37f);
  assertEquals(state.x87("fsw"), 0);
  assertEquals(state.mxcsr, 0x1f80);
  assertEquals(state.flags, 0x202);
  assertEquals(state.trap, TRAP.none);
  assertEquals(state.bytes.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0), 10);
});

Deno.test("StateBlock accessors use the documented offsets", () => {
  const state = new StateBlock();
  const view = new DataView(state.bytes.buffer);
  GPR_NAMES.forEach((name, index) => {
    state.setGpr(name, -BigInt(index + 1));
    assertEquals(view.getBigInt64(index * 8, true), -BigInt(index + 1));
    assertEquals(state.gpr(name), (1n << 64n) - BigInt(index + 1));
  });
  (["rip", "rflags", "fsBase", "gsBase", "fip", "fdp"] as const).forEach((name, index) => {
    state.set(name, BigInt(index) + 0x1_0000_0000n);
    assertEquals(view.getBigUint64(STATE_OFFSET[name], true), state.get(name));
    assertEquals(state.get(name), BigInt(index) + 0x1_0000_0000n);
  });
  (["cs", "ds", "es", "ss", "fs", "gs"] as const).forEach((name, index) => {
    state.setSelector(name, 0xfff0 + index);
    assertEquals(view.getUint16(STATE_OFFSET.cs + index * 2, true), state.selector(name));
  });
  state.st(7).fill(1);
  state.xmm(15).fill(2);
  state.ymmHigh(15).fill(3);
  assertEquals(state.bytes[0x0c0 + 32 + 7 * 16], 1);
  assertEquals(state.bytes[0x0c0 + 160 + 15 * 16], 2);
  assertEquals(state.bytes[STATE_SIZE - 1], 3);
});

Deno.test("StateBlock.at() moves the view and refuses to leave the array", () => {
  const bytes = new Uint8Array(2 * STATE_SIZE + 16);
  const state = new StateBlock(bytes, STATE_SIZE + 16);
  state.setGpr("rax", 7n);
  assertEquals(bytes[STATE_SIZE + 16], 7);
  assertEquals(state.at(0).gpr("rax"), 0n);
  for (const offset of [-1, STATE_SIZE + 17, NaN]) {
    assertThrows(() => state.at(offset), RangeError, "Cannot view a state block");
  }
});
