import { assertEquals, assertThrows } from "@std/assert";
import { KvmRun } from "../abi/run.ts";
import { describeUnknownExit } from "./unknown_exit.ts";

function described(reason: bigint): string {
  return describeUnknownExit(new KvmRun({ hw: { hardware_exit_reason: reason } }).bytes);
}

Deno.test("describeUnknownExit() knows the numbers of both engines", () => {
  assertEquals(described(0x1000n), "an instruction was fetched where there is no memory");
  assertEquals(described(24n), "the kernel gives exit 24");
});

Deno.test("describeUnknownExit() refuses fewer bytes than kvm_run has", () => {
  assertThrows(() => describeUnknownExit(new Uint8Array(64)), RangeError, "kvm_run has 288 bytes, there are 64");
});
