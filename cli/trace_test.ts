import { assertEquals } from "@std/assert";
import { createExits } from "../core/kvm/exits.ts";
import { KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_MMIO, KVM_EXIT_UNKNOWN, KvmRun } from "../mod.ts";
import { traceLine } from "./trace.ts";

const shared = new Uint8Array(8192);
const run = new KvmRun(shared);
const exits = createExits(run, shared);

Deno.test("traceLine() shows each exit on one line", () => {
  assertEquals(traceLine(exits[KVM_EXIT_HLT], 0x7c05n), "KVM_RUN = KVM_EXIT_HLT rip=0x7c05");
  Object.assign(run.io, { direction: 1, size: 1, port: 0x3f8, count: 3, data_offset: 4096 });
  shared.set([0x48, 0x0a, 0x80], 4096);
  assertEquals(
    traceLine(exits[KVM_EXIT_IO], 0n),
    'KVM_RUN = KVM_EXIT_IO {out, port=0x3f8, size=1, count=3, data=48 0a 80 "H\\n."} rip=0x0',
  );
  Object.assign(run.io, { direction: 0, size: 4, count: 10 });
  assertEquals(traceLine(exits[KVM_EXIT_IO], 0n).endsWith('"...} rip=0x0'), true);
  Object.assign(run.mmio, { phys_addr: 0x30000n, len: 4, is_write: 1, data: [0x78, 0x56, 0x34, 0x12] });
  assertEquals(
    traceLine(exits[KVM_EXIT_MMIO], 1n),
    'KVM_RUN = KVM_EXIT_MMIO {write, addr=0x30000, len=4, data=78 56 34 12 "xV4."} rip=0x1',
  );
  run.hw.hardware_exit_reason = 17n;
  assertEquals(
    traceLine(exits[KVM_EXIT_UNKNOWN], 1n),
    "KVM_RUN = KVM_EXIT_UNKNOWN {hardware_exit_reason=0x11} rip=0x1",
  );
});
