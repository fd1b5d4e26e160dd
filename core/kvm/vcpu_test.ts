import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FakeBackend, type FakeVcpu } from "../../tests/fake_backend.ts";
import * as abi from "../abi/mod.ts";
import type { VcpuExit } from "./exits.ts";
import { Kvm } from "./kvm.ts";
import { KvmError } from "./kvm_error.ts";
import type { Vcpu } from "./vcpu.ts";

/** A vCPU and the fake beneath it. */
function processor(): { vcpu: Vcpu; fake: FakeVcpu; kvm: Kvm } {
  const backend = new FakeBackend();
  const kvm = new Kvm(backend);
  const vcpu = kvm.createVm().createVcpu(0);
  return { vcpu, fake: backend.vms[0].vcpus[0], kvm };
}

function refuses(code: abi.ErrnoName, text: string, call: () => unknown): void {
  assertEquals(assertThrows(call, KvmError, text).code, code);
}

/** Runs, and expects an exit for `reason`. */
function runTo<R extends abi.KvmExitReason>(vcpu: Vcpu, reason: R): Extract<VcpuExit, { reason: R }> {
  const exit = vcpu.run();
  assertEquals(exit.reason as number, reason);
  return exit as Extract<VcpuExit, { reason: R }>;
}

/** Makes the next run end with what `fill` puts into `kvm_run`. */
function exitWith(fake: FakeVcpu, fill: (run: abi.KvmRun) => void): void {
  fake.onRun = () => {
    fill(new abi.KvmRun(fake.shared));
    return 0;
  };
}

Deno.test("run() gives the same object for the same reason", () => {
  const { vcpu, fake } = processor();
  for (let reason = 0; reason <= 10; reason++) {
    exitWith(fake, (run) => run.exit_reason = reason);
    const exit = vcpu.run();
    assertEquals(exit.reason as number, reason);
    assertStrictEquals(vcpu.run(), exit);
  }
});

Deno.test("run() gives KVM_EXIT_IO with the data itself", () => {
  const { vcpu, fake } = processor();
  const fill = (run: abi.KvmRun, size: number, count: number): void => {
    run.exit_reason = abi.KVM_EXIT_IO;
    Object.assign(run.io, { direction: abi.KVM_EXIT_IO_OUT, size, count, port: 0x3f8, data_offset: 4096n });
  };
  exitWith(fake, (run) => fill(run, 2, 3));
  fake.shared.set([1, 2, 3, 4, 5, 6], 4096);
  const exit = runTo(vcpu, abi.KVM_EXIT_IO);
  assertEquals([exit.direction as number, exit.size, exit.port, exit.count], [1, 2, 0x3f8, 3]);
  assertEquals([...exit.data], [1, 2, 3, 4, 5, 6]);
  exit.data[5] = 99;
  assertEquals(fake.shared[4101], 99);
  const { data } = exit;
  vcpu.run();
  assertStrictEquals(exit.data, data);
  exitWith(fake, (run) => fill(run, 1, 1));
  vcpu.run();
  assertEquals([...exit.data], [1]);
});

Deno.test("run() gives KVM_EXIT_MMIO with the data itself", () => {
  const { vcpu, fake } = processor();
  exitWith(fake, (run) => {
    run.exit_reason = abi.KVM_EXIT_MMIO;
    Object.assign(run.mmio, { phys_addr: 0x1_fee0_0000n, len: 4, is_write: 1, data: [1, 2, 3, 4] });
  });
  const exit = runTo(vcpu, abi.KVM_EXIT_MMIO);
  assertEquals([exit.phys_addr, exit.address, exit.len, exit.is_write], [0x1_fee0_0000n, 0x1_fee0_0000, 4, true]);
  assertEquals([...exit.data], [1, 2, 3, 4]);
  exit.data[0] = 9;
  assertEquals(fake.shared[40], 9);
  assertStrictEquals(exit.data, exit.data);
});

Deno.test("run() gives KVM_EXIT_HYPERCALL, whose ret can be set", () => {
  const { vcpu, fake } = processor();
  exitWith(fake, (run) => {
    run.exit_reason = abi.KVM_EXIT_HYPERCALL;
    Object.assign(run.hypercall, { args: [1n, 2n, 3n, 4n, 5n, 6n], longmode: 1 });
  });
  const exit = runTo(vcpu, abi.KVM_EXIT_HYPERCALL);
  assertEquals([[...exit.args], exit.longmode], [[1n, 2n, 3n, 4n, 5n, 6n], true]);
  exit.ret = 42n;
  assertEquals(new abi.KvmRun(fake.shared).hypercall.ret, 42n);
  assertEquals(exit.ret, 42n);
});

Deno.test("run() gives the numbers of UNKNOWN, FAIL_ENTRY and EXCEPTION", () => {
  const { vcpu, fake } = processor();
  exitWith(fake, (run) => {
    run.exit_reason = abi.KVM_EXIT_UNKNOWN;
    run.hw.hardware_exit_reason = 17n;
  });
  assertEquals(runTo(vcpu, abi.KVM_EXIT_UNKNOWN).hardware_exit_reason, 17n);
  exitWith(fake, (run) => {
    run.exit_reason = abi.KVM_EXIT_FAIL_ENTRY;
    run.fail_entry.hardware_entry_failure_reason = 33n;
  });
  assertEquals(runTo(vcpu, abi.KVM_EXIT_FAIL_ENTRY).hardware_entry_failure_reason, 33n);
  exitWith(fake, (run) => {
    run.exit_reason = abi.KVM_EXIT_EXCEPTION;
    Object.assign(run.ex, { exception: 14, error_code: 2 });
  });
  const { exception, error_code } = runTo(vcpu, abi.KVM_EXIT_EXCEPTION);
  assertEquals([exception, error_code], [14, 2]);
});

Deno.test("run() gives UNKNOWN for a reason that version 12 does not have", () => {
  const { vcpu, fake } = processor();
  exitWith(fake, (run) => run.exit_reason = 17);
  assertEquals(vcpu.run().reason as number, abi.KVM_EXIT_UNKNOWN);
});

Deno.test("run() gives an interruption as the exit INTR", () => {
  const { vcpu } = processor();
  vcpu.signal(10);
  assertEquals(vcpu.run().reason as number, abi.KVM_EXIT_INTR);
});

Deno.test("run() throws what the engine refuses", () => {
  const { vcpu, fake } = processor();
  fake.onRun = () => -abi.ERRNO.EFAULT;
  refuses("EFAULT", "Cannot run on vCPU 0", () => vcpu.run());
});

Deno.test("run() hands the limit down and refuses impossible ones", () => {
  const { vcpu, fake } = processor();
  const limits: number[] = [];
  fake.onRun = (_, limit) => (limits.push(limit), 0);
  vcpu.run();
  vcpu.run({});
  vcpu.run({ maxInstructions: 0 });
  vcpu.run({ maxInstructions: 1000 });
  assertEquals(limits, [Infinity, Infinity, 0, 1000]);
  for (const maxInstructions of [-1, NaN]) refuses("EINVAL", "no number of", () => vcpu.run({ maxInstructions }));
});

Deno.test("getRegs(), getSregs(), getFpu() give back what was set, into a given view too", () => {
  const { vcpu } = processor();
  vcpu.setRegs(new abi.KvmRegs({ rip: 5n }));
  vcpu.setSregs(new abi.KvmSregs({ cs: { base: 6n } }));
  vcpu.setFpu(new abi.KvmFpu({ mxcsr: 0x1f80 }));
  assertEquals([vcpu.getRegs().rip, vcpu.getSregs().cs.base, vcpu.getFpu().mxcsr], [5n, 6n, 0x1f80]);
  const regs = new abi.KvmRegs(new Uint8Array(200), 56);
  assertStrictEquals(vcpu.getRegs(regs), regs);
  assertEquals(regs.rip, 5n);
});

Deno.test("getMsrs() and setMsrs() count up to the first unknown", () => {
  const { vcpu } = processor();
  const msrs = new abi.KvmMsrs([{ index: 0x10, data: 1n }, { index: 0x174, data: 2n }, { index: 0x9999 }, {
    index: 0x10,
  }]);
  assertEquals(vcpu.setMsrs(msrs), 2);
  const got = new abi.KvmMsrs([{ index: 0x174 }, { index: 0x10 }]);
  assertEquals(vcpu.getMsrs(got), 2);
  assertEquals(got.entries.map((entry) => entry.data), [2n, 1n]);
  assertEquals(vcpu.getMsrs(new abi.KvmMsrs(0)), 0);
});

Deno.test("getMsrs() and setMsrs() refuse 256 entries and too few bytes", () => {
  const { vcpu } = processor();
  for (const call of [vcpu.getMsrs.bind(vcpu), vcpu.setMsrs.bind(vcpu)]) {
    refuses("E2BIG", "256 entries are more than 255", () => call(new abi.KvmMsrs(256)));
    assertEquals(call(new abi.KvmMsrs(255)), 0);
    const short = new abi.KvmMsrs(1);
    short.nmsrs = 2;
    refuses("EFAULT", "40 bytes are announced, 24 are there", () => call(short));
  }
});

Deno.test("setCpuid() takes 100 entries and refuses 101 and too few bytes", () => {
  const { vcpu, fake } = processor();
  vcpu.setCpuid(new abi.KvmCpuid(100));
  assertEquals(fake.kept.get("cpuid")!.length, 2400);
  refuses("E2BIG", "101 entries", () => vcpu.setCpuid(new abi.KvmCpuid(101)));
  const short = new abi.KvmCpuid(1);
  short.nent = 2;
  refuses("EFAULT", "announced", () => vcpu.setCpuid(short));
  vcpu.setCpuid(new abi.KvmCpuid(0));
  assertEquals(fake.kept.get("cpuid")!.length, 0);
});

Deno.test("translate() takes a view or an address", () => {
  const { vcpu } = processor();
  assertEquals(vcpu.translate(0x1234n).physical_address, 0x1234n);
  const view = new abi.KvmTranslation({ linear_address: 7n });
  assertStrictEquals(vcpu.translate(view), view);
  assertEquals(view.valid, 1);
});

Deno.test("interrupt() takes 0 to 255", () => {
  const { vcpu, fake } = processor();
  vcpu.interrupt(0);
  vcpu.interrupt(255);
  for (const irq of [256, -1, 0.5, NaN]) refuses("EINVAL", "there is no vector", () => vcpu.interrupt(irq));
  assertEquals(fake.calls, [["interrupt", 0], ["interrupt", 255]]);
});

Deno.test("setSignalMask() takes 8 bytes or null", () => {
  const { vcpu, fake } = processor();
  vcpu.setSignalMask(new abi.KvmSignalMask(0x102n));
  vcpu.setSignalMask(null);
  assertEquals(fake.calls, [["setSignalMask", [2, 1, 0, 0, 0, 0, 0, 0]], ["setSignalMask", null]]);
  const mask = new abi.KvmSignalMask(0n);
  for (const len of [0, 4, 7, 9, 128]) {
    mask.len = len;
    refuses("EINVAL", "a set has 8 bytes", () => vcpu.setSignalMask(mask));
  }
  const short = new abi.KvmSignalMask(new Uint8Array(8));
  short.len = 8;
  refuses("EFAULT", "12 bytes are announced, 8 are there", () => vcpu.setSignalMask(short));
});

Deno.test("signal() takes 1 to 64", () => {
  const { vcpu } = processor();
  for (const n of [0, 65, -1, 1.5]) refuses("EINVAL", "there is no signal", () => vcpu.signal(n));
  vcpu.signal(1);
  vcpu.signal(64);
});

Deno.test("debugGuest() hands the structure down", () => {
  const { vcpu, fake } = processor();
  const debug = new abi.KvmDebugGuest({ enabled: 1, singlestep: 1 });
  vcpu.debugGuest(debug);
  assertEquals(fake.kept.get("debug"), debug.bytes);
});

Deno.test("Vcpu closed gives EBADF", () => {
  const { vcpu, fake } = processor();
  vcpu[Symbol.dispose]();
  vcpu[Symbol.dispose]();
  assertEquals([vcpu.closed, fake.closed], [true, true]);
  const calls: (() => unknown)[] = [
    () => vcpu.run(),
    () => vcpu.kvmRun,
    () => vcpu.shared,
    () => vcpu.getRegs(),
    () => vcpu.setRegs(new abi.KvmRegs()),
    () => vcpu.getSregs(),
    () => vcpu.setSregs(new abi.KvmSregs()),
    () => vcpu.getFpu(),
    () => vcpu.setFpu(new abi.KvmFpu()),
    () => vcpu.getMsrs(new abi.KvmMsrs(0)),
    () => vcpu.setMsrs(new abi.KvmMsrs(0)),
    () => vcpu.setCpuid(new abi.KvmCpuid(0)),
    () => vcpu.translate(0n),
    () => vcpu.interrupt(0),
    () => vcpu.debugGuest(new abi.KvmDebugGuest()),
    () => vcpu.setSignalMask(null),
    () => vcpu.signal(1),
  ];
  for (const call of calls) refuses("EBADF", "it is closed", call);
});

Deno.test("getMsrIndexList() gives all, and the count with E2BIG", () => {
  const { kvm } = processor();
  assertEquals(kvm.getMsrIndexList().indices, [0x10, 0x174, 0xc0000080]);
  const exact = new abi.KvmMsrList(3);
  assertStrictEquals(kvm.getMsrIndexList(exact), exact);
  const large = new abi.KvmMsrList(10);
  assertEquals(kvm.getMsrIndexList(large).nmsrs, 3);
  const small = new abi.KvmMsrList(2);
  refuses("E2BIG", "there are 3 MSRs and room for 2", () => kvm.getMsrIndexList(small));
  assertEquals([small.nmsrs, small.indices], [3, [0, 0]]);
  const lying = new abi.KvmMsrList(1);
  lying.nmsrs = 50;
  refuses("EFAULT", "bytes for 1", () => kvm.getMsrIndexList(lying));
});
