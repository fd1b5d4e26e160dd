import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { BACKENDS, testOnBackends } from "../../tests/cli_support.ts";
import { FakeBackend } from "../../tests/fake_backend.ts";
import * as abi from "../abi/mod.ts";
import { Kvm } from "./kvm.ts";
import { KvmError } from "./kvm_error.ts";
import { openKvm } from "./open_kvm.ts";
import type { Vcpu } from "./vcpu.ts";

const CODE = 0x1000;

// deno-fmt-ignore
const FOREVER = Uint8Array.of(
  0x40,             // inc ax
  0xeb, 0xfd,       // jmp $-1
);
// deno-fmt-ignore
const COUNT_DOWN = Uint8Array.of(
  0x66, 0x49,       // dec ecx
  0x75, 0xfc,       // jnz $-2
  0xe6, 0x80,       // out 0x80, al
  0xf4,             // hlt
);
// deno-fmt-ignore
const PORT_LOOP = Uint8Array.of(
  0xe6, 0x80,       // out 0x80, al
  0xeb, 0xfc,       // jmp $-2
);

/** A processor that is about to run `code` in real mode. */
class Machine implements Disposable {
  readonly vcpu: Vcpu;
  readonly #kvm: Kvm;
  readonly #vm;

  constructor(backend: "soft" | "kvm", code: Uint8Array, rcx = 0) {
    this.#kvm = openKvm({ backend });
    this.#vm = this.#kvm.createVm();
    this.#vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0, memory_size: 0x2000 });
    this.#vm.write(CODE, code);
    this.vcpu = this.#vm.createVcpu(0);
    this.vcpu.setSregs(Object.assign(this.vcpu.getSregs(), abi.realModeSegments()));
    this.vcpu.setRegs(new abi.KvmRegs({ rip: CODE, rcx, rflags: 2 }));
  }

  [Symbol.dispose](): void {
    this.#vm[Symbol.dispose]();
    this.#kvm[Symbol.dispose]();
  }
}

/** Loops that take several slices. */
const LONG = { soft: 50_000_000, kvm: 60_000 } as const;

testOnBackends("runAsync() gives exits as run() does, whatever slices the guest took", async (backend) => {
  using machine = new Machine(backend, COUNT_DOWN, LONG[backend]);
  const { vcpu } = machine;
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const exit = await vcpu.runAsync();
  clearInterval(timer);
  if (exit.reason !== abi.KVM_EXIT_IO) throw new Error(`unexpected exit ${exit.reason}`);
  assertEquals([exit.port, vcpu.getRegs().rcx_lo], [0x80, 0]);
  assert(ticks > 0, "the event loop had no turn");
  assertEquals((await vcpu.runAsync()).reason, abi.KVM_EXIT_HLT);
});

testOnBackends("runAsync() is rejected with the reason of its signal, and the guest can go on", async (backend) => {
  using machine = new Machine(backend, FOREVER);
  const { vcpu } = machine;
  const reason = new Error("enough");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 30);
  assertStrictEquals(await vcpu.runAsync({ signal: controller.signal }).catch((error) => error), reason);
  const error = await vcpu.runAsync({ signal: AbortSignal.timeout(20) }).catch((error) => error);
  assertEquals(error.name, "TimeoutError");
  const { rip } = vcpu.getRegs();
  assert(rip >= BigInt(CODE) && rip < BigInt(CODE + FOREVER.length));
});

testOnBackends("runAsync() runs nothing with a signal that is aborted", async (backend) => {
  using machine = new Machine(backend, PORT_LOOP);
  const { vcpu } = machine;
  const error = await vcpu.runAsync({ signal: AbortSignal.abort() }).catch((error) => error);
  assertEquals([error.name, vcpu.getRegs().rip], ["AbortError", BigInt(CODE)]);
});

testOnBackends("runAsync() gives the event loop its turn in spite of many exits", async (backend) => {
  using machine = new Machine(backend, PORT_LOOP);
  let over = false;
  setTimeout(() => over = true, 20);
  while (!over) assertEquals((await machine.vcpu.runAsync()).reason, abi.KVM_EXIT_IO);
});

testOnBackends("runAsync() of one processor cannot be under way twice, nor run() meanwhile", async (backend) => {
  using machine = new Machine(backend, FOREVER);
  const { vcpu } = machine;
  const controller = new AbortController();
  const first = vcpu.runAsync({ signal: controller.signal });
  assertEquals((await assertRejects(() => vcpu.runAsync(), KvmError, "runAsync() is under way")).code, "EBUSY");
  assertEquals(assertThrows(() => vcpu.run(), KvmError, "Cannot run on vCPU 0").code, "EBUSY");
  controller.abort();
  await assertRejects(() => first, DOMException);
});

testOnBackends("runAsync() ends with KVM_EXIT_INTR for a signal that is not blocked", async (backend) => {
  using machine = new Machine(backend, FOREVER);
  const { vcpu } = machine;
  setTimeout(() => vcpu.signal(10), 20);
  assertEquals((await vcpu.runAsync()).reason, abi.KVM_EXIT_INTR);
  vcpu.setSignalMask(new abi.KvmSignalMask(1n << 9n));
  setTimeout(() => vcpu.signal(10), 5);
  setTimeout(() => vcpu.setSignalMask(null), 40);
  const start = performance.now();
  assertEquals((await vcpu.runAsync()).reason, abi.KVM_EXIT_INTR);
  assert(performance.now() - start > 30, "the blocked signal ended it");
});

testOnBackends("runAsync() is rejected when the processor is closed meanwhile", async (backend) => {
  using machine = new Machine(backend, FOREVER);
  setTimeout(() => machine.vcpu[Symbol.dispose](), 20);
  assertEquals((await assertRejects(() => machine.vcpu.runAsync(), KvmError)).code, "EBADF");
});

testOnBackends("runAsync() lets several machines take turns, and each be aborted alone", async (backend) => {
  using a = new Machine(backend, FOREVER);
  using b = new Machine(backend, FOREVER);
  using c = new Machine(backend, FOREVER);
  const controller = new AbortController();
  const forever = b.vcpu.runAsync({ signal: controller.signal });
  const ended = await Promise.all(
    [a, c].map(({ vcpu }, n) =>
      vcpu.runAsync({ signal: AbortSignal.timeout(100 + 100 * n) }).catch((error) => error.name)
    ),
  );
  controller.abort("over");
  assertEquals([...ended, await forever.catch((reason) => reason)], ["TimeoutError", "TimeoutError", "over"]);
});

testOnBackends("run() behind runAsync() is not ended by its alarm", async (backend) => {
  using machine = new Machine(backend, COUNT_DOWN, 1);
  const { vcpu } = machine;
  assertEquals((await vcpu.runAsync()).reason, abi.KVM_EXIT_IO);
  vcpu.setRegs(new abi.KvmRegs({ rip: CODE, rcx: LONG[backend], rflags: 2 }));
  assertEquals(vcpu.run().reason, abi.KVM_EXIT_IO);
});

Deno.test("runAsync() stops after exactly maxInstructions", async () => {
  using machine = new Machine("soft", FOREVER);
  const { vcpu } = machine;
  for (const maxInstructions of [0, 1, 3, 2_000_002]) {
    vcpu.setRegs(new abi.KvmRegs({ rip: CODE, rflags: 2 }));
    assertEquals((await vcpu.runAsync({ maxInstructions })).reason, abi.KVM_EXIT_INTR);
    assertEquals(vcpu.getRegs().rax_lo, Math.ceil(maxInstructions / 2) & 0xffff);
  }
});

Deno.test("runAsync() refuses impossible options", async () => {
  using machine = new Machine("soft", FOREVER);
  for (
    const options of [{ maxInstructions: -1 }, { maxInstructions: NaN }, { slice: 0 }, { slice: 1001 }, { slice: NaN }]
  ) {
    assertEquals((await assertRejects(() => machine.vcpu.runAsync(options), KvmError)).code, "EINVAL");
  }
});

Deno.test("runAsync() adapts its slices to the speed of the guest", async () => {
  const backend = new FakeBackend();
  const vcpu = new Kvm(backend).createVm().createVcpu(0);
  const [fake] = backend.vms[0].vcpus;
  const limits: number[] = [];
  fake.onRun = (_vcpu, limit) => {
    limits.push(limit);
    const run = new abi.KvmRun(fake.shared);
    run.exit_reason = limits.length < 12 ? abi.KVM_EXIT_INTR : abi.KVM_EXIT_HLT;
    const end = performance.now() + limit / 100_000; // 100 000 instructions a millisecond
    while (performance.now() < end);
    return limits.length < 12 ? -abi.ERRNO.EINTR : 0;
  };
  assertEquals((await vcpu.runAsync({ slice: 4 })).reason, abi.KVM_EXIT_HLT);
  const { length, 0: first, 11: last } = limits;
  assertEquals([length, first], [12, 50_000]);
  assert(last > 150_000 && last <= 500_000, `slices of ${last} instructions`);
});

Deno.test("runAsync() passes on what the engine reports", async () => {
  const backend = new FakeBackend();
  const vcpu = new Kvm(backend).createVm().createVcpu(0);
  backend.vms[0].vcpus[0].onRun = () => -abi.ERRNO.ENOMEM;
  assertEquals((await assertRejects(() => vcpu.runAsync(), KvmError)).code, "ENOMEM");
  backend.vms[0].vcpus[0].onRun = () => 0;
  assertEquals((await vcpu.runAsync()).reason, abi.KVM_EXIT_UNKNOWN);
});

Deno.test({
  name: "alarm of one processor survives the end of another",
  ignore: BACKENDS.some(({ name, missing }) => name === "kvm" && missing !== undefined),
  async fn() {
    using a = new Machine("kvm", FOREVER);
    const running = a.vcpu.runAsync({ signal: AbortSignal.timeout(150) }).catch((error) => error.name);
    {
      using b = new Machine("kvm", FOREVER);
      await b.vcpu.runAsync({ signal: AbortSignal.timeout(30) }).catch(() => {});
    }
    assertEquals(await running, "TimeoutError");
  },
});
