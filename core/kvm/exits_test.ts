import { assertEquals, assertThrows } from "@std/assert";
import { KVM_EXIT_IO, KVM_EXIT_MMIO } from "../abi/constants.ts";
import { KvmRun } from "../abi/run.ts";
import { createExits, type IoExit, type MmioExit } from "./exits.ts";

const DATA = 4096;

function exits(): { run: KvmRun; shared: Uint8Array; io: IoExit; mmio: MmioExit } {
  // Not at the start of its buffer, as it need not be.
  const shared = new Uint8Array(new ArrayBuffer(8192 + 24), 24);
  const run = new KvmRun(shared);
  const all = createExits(run, shared);
  return { run, shared, io: all[KVM_EXIT_IO] as IoExit, mmio: all[KVM_EXIT_MMIO] as MmioExit };
}

Deno.test("IoExit.readUint() and writeUint() have items of each size", () => {
  const { run, shared, io } = exits();
  for (const [size, value] of [[1, 0xfe], [2, 0xfedc], [4, 0xfedcba98]]) {
    Object.assign(run.io, { size, count: 3, data_offset: DATA });
    io.writeUint(value, 2);
    assertEquals([io.readUint(2), io.readUint()], [value, 0]);
    assertEquals(io.data[3 * size - 1], 0xfe);
    io.writeUint(2 ** 40 + 1);
    assertEquals(io.readUint(), 1);
    shared.fill(0, DATA);
  }
});

Deno.test("IoExit.readUint() and writeUint() refuse items that there are not", () => {
  const { run, shared, io } = exits();
  Object.assign(run.io, { size: 1, count: 2, data_offset: DATA });
  for (const item of [2, -1, NaN]) {
    assertThrows(() => io.readUint(item), RangeError, "there are 2");
    assertThrows(() => io.writeUint(1, item), RangeError, "there are 2");
  }
  assertEquals(shared[DATA + 2], 0);
});

Deno.test("MmioExit.readUint() and readBigUint() have all lengths", () => {
  const { run, mmio } = exits();
  run.mmio.data.set([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
  for (let len = 1; len <= 8; len++) {
    run.mmio.len = len;
    const value = BigInt.asUintN(8 * len, 0x8877665544332211n);
    assertEquals(mmio.readBigUint(), value);
    assertEquals(mmio.readUint(), Number(value));
  }
});

Deno.test("MmioExit.writeUint() takes numbers and bigints, negative ones too", () => {
  const { run, mmio } = exits();
  run.mmio.len = 8;
  for (const value of [0, 1, 0xffffffff, 2 ** 52 + 1, -1, -(2 ** 40)]) {
    mmio.writeUint(value);
    assertEquals(mmio.readBigUint(), BigInt.asUintN(64, BigInt(value)));
  }
  mmio.writeUint(0xfedcba9876543210n);
  run.mmio.len = 4;
  assertEquals([mmio.readUint(), mmio.data.length], [0x76543210, 4]);
});
