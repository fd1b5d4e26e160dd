import { assertEquals } from "@std/assert";
import { KvmRun } from "../abi/run.ts";
import { describeUnknownExit, makeUnknown } from "./exit_detail.ts";

/** A `kvm_run` with an exit of the kernel's, of which the union begins with the given 32-bit words. */
function exit(reason: number, words: number[]): Uint8Array {
  const run = new KvmRun({ exit_reason: reason });
  words.forEach((word, n) => run.view.setUint32(32 + 4 * n, word, true));
  makeUnknown(run.bytes);
  assertEquals(run.exit_reason, 0);
  assertEquals(run.hw.hardware_exit_reason, BigInt(reason));
  return run.bytes;
}

Deno.test("describeUnknownExit() names the instruction that the kernel cannot emulate", () => {
  const run = exit(17, [1, 4, 1, 0, 0x08ae0f03, 0xdeadbeef]);
  assertEquals(describeUnknownExit(run), "the kernel cannot emulate an instruction (0f ae 08)");
});

Deno.test("describeUnknownExit() gives the kernel's data where it has no other meaning", () => {
  const run = exit(17, [3, 2, 0x80000b0e, 0, 0x30, 0]);
  assertEquals(
    describeUnknownExit(run),
    "the processor left the guest while an event was delivered (80000b0e 30)",
  );
  assertEquals(describeUnknownExit(exit(17, [9, 0])), "an internal error of the kernel, number 9");
});

Deno.test("describeUnknownExit() gives the number of any other exit", () => {
  assertEquals(describeUnknownExit(exit(24, [2, 0])), "the kernel gives exit 24");
});
