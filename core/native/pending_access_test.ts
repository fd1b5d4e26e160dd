import { assertEquals } from "@std/assert";
import { KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_IO_IN, KVM_EXIT_IO_OUT, KVM_EXIT_MMIO } from "../abi/constants.ts";
import { KvmRegs } from "../abi/regs.ts";
import { KvmRun } from "../abi/run.ts";
import type { StructInit } from "../abi/struct_view.ts";
import { answerOf, awaitsAnswer, mergeCompleted } from "./pending_access.ts";

/** The registers that `set` becomes. */
function merged(
  set: StructInit<KvmRegs>,
  before: StructInit<KvmRegs>,
  after: StructInit<KvmRegs>,
  data: Uint8Array | null = null,
): KvmRegs {
  const regs = new KvmRegs(set);
  mergeCompleted(regs.bytes, new KvmRegs(before).bytes, new KvmRegs(after).bytes, { data });
  return regs;
}

Deno.test("awaitsAnswer() is true for input and reads alone", () => {
  const shared = new Uint8Array(8192);
  const run = new KvmRun(shared);
  assertEquals(awaitsAnswer(shared), false);
  run.exit_reason = KVM_EXIT_IO;
  run.io.direction = KVM_EXIT_IO_OUT;
  assertEquals(awaitsAnswer(shared), false);
  run.io.direction = KVM_EXIT_IO_IN;
  assertEquals(awaitsAnswer(shared), true);
  run.exit_reason = KVM_EXIT_HLT;
  assertEquals(awaitsAnswer(shared), false);
  run.exit_reason = KVM_EXIT_MMIO;
  run.mmio.is_write = 1;
  assertEquals(awaitsAnswer(shared), false);
  run.mmio.is_write = 0;
  assertEquals(awaitsAnswer(shared), true);
});

Deno.test("answerOf() copies the data of one item of port input", () => {
  const shared = new Uint8Array(8192);
  const run = new KvmRun(shared);
  run.exit_reason = KVM_EXIT_IO;
  Object.assign(run.io, { direction: KVM_EXIT_IO_IN, size: 2, count: 1, data_offset: 4096n });
  shared.set([1, 2, 3], 4096);
  assertEquals(answerOf(shared).data, Uint8Array.of(1, 2));
  run.io.count = 2;
  assertEquals(answerOf(shared).data, null);
  run.exit_reason = KVM_EXIT_MMIO;
  assertEquals(answerOf(shared).data, null);
});

Deno.test("mergeCompleted() puts the data of IN into RAX, though that changed nothing", () => {
  const before = { rax: 0x1122, rip: 0x1000 }, after = { rax: 0x1122, rip: 0x1002 };
  assertEquals(merged({ rax: 0x7777, rip: 0x1000 }, before, after, Uint8Array.of(0x22)).rax, 0x7722n);
  assertEquals(merged({ rax: -1n, rip: 0x1000 }, before, after, Uint8Array.of(1, 2, 3, 4)).rax, 0x04030201n);
});

Deno.test("mergeCompleted() leaves RAX to INS, which moves RDI", () => {
  const regs = merged({ rax: 0x7777, rdi: 5 }, { rax: 1, rdi: 5 }, { rax: 1, rdi: 6, rip: 1 }, Uint8Array.of(9));
  assertEquals([regs.rax, regs.rdi, regs.rip], [0x7777n, 6n, 1n]);
});

Deno.test("mergeCompleted() leaves RAX to an access that is not complete", () => {
  assertEquals(merged({ rax: 0x7777 }, {}, {}, Uint8Array.of(9)).rax, 0x7777n);
});

Deno.test("mergeCompleted() takes changed bytes of a byte or word, and the whole of what is more", () => {
  assertEquals(merged({ rcx: 0x99887766 }, { rcx: 0x1122 }, { rcx: 0x1133 }).rcx, 0x99887733n);
  assertEquals(merged({ rcx: 0x99887766 }, { rcx: 0x1122 }, { rcx: 0x4433 }).rcx, 0x99884433n);
  assertEquals(merged({ rcx: -1n }, { rcx: 0x1122 }, { rcx: 0x5566_1122 }).rcx, 0x5566_1122n);
});

Deno.test("mergeCompleted() takes flags one by one", () => {
  assertEquals(merged({ rflags: 0x202 }, { rflags: 0x002 }, { rflags: 0x041 }).rflags, 0x241n);
});
