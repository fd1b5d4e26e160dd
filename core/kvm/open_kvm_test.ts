import { assertEquals, assertThrows } from "@std/assert";
import { KvmError } from "./kvm_error.ts";
import { openKvm, type OpenKvmOptions } from "./open_kvm.ts";

Deno.test("openKvm() soft needs no permission", { permissions: "none" }, () => {
  using kvm = openKvm({ backend: "soft" });
  assertEquals([kvm.backend, kvm.getApiVersion()], ["soft", 12]);
});

Deno.test("openKvm() kvm without --allow-ffi throws one clear line", { permissions: "none" }, () => {
  const error = assertThrows(() => openKvm({ backend: "kvm" }), KvmError, "Cannot ");
  assertEquals(error.message.split("\n").length, 1);
});

Deno.test("openKvm() auto without --allow-ffi falls back to soft and says so once", { permissions: "none" }, () => {
  const said: string[] = [];
  using kvm = openKvm({ backend: "auto", onFallback: (reason) => said.push(reason) });
  assertEquals([kvm.backend, said.length], ["soft", 1]);
  assertEquals(said[0].includes("--allow-ffi") && said[0].endsWith("using the software engine"), true, said[0]);
});

Deno.test("openKvm() auto says so on the console once in a process", { permissions: "none" }, () => {
  const { error } = console;
  const said: unknown[] = [];
  console.error = (...values: unknown[]) => said.push(...values);
  try {
    for (let n = 0; n < 3; n++) openKvm()[Symbol.dispose]();
  } finally {
    console.error = error;
  }
  assertEquals(said.length, 1);
});

Deno.test("openKvm() takes an engine for the software engine, and for that alone", { permissions: "none" }, () => {
  for (const backend of ["soft", "auto", undefined] as const) {
    using kvm = openKvm({ backend, engine: "interpreter", onFallback: (reason) => assertEquals(reason, "") });
    assertEquals(kvm.backend, "soft");
  }
  const native = assertThrows(() => openKvm({ backend: "kvm", engine: "both" }), KvmError, "not of /dev/kvm");
  const unknown = { backend: "soft", engine: "fast" } as unknown as OpenKvmOptions;
  const error = assertThrows(() => openKvm(unknown), KvmError, 'there is no engine "fast"; use auto, interpreter');
  assertEquals([native.code, error.code], ["EINVAL", "EINVAL"]);
});

Deno.test("openKvm() refuses an unknown backend", () => {
  const options = { backend: "hard" } as unknown as OpenKvmOptions;
  const error = assertThrows(() => openKvm(options), KvmError, 'there is no backend "hard"; use soft, kvm or auto');
  assertEquals(error.code, "EINVAL");
});

Deno.test(
  "openKvm() timestamp is what RDTSC counts, and Vcpu.instructions what it is given",
  { permissions: "none" },
  () => {
    for (const engine of ["interpreter", "translator", "both"] as const) {
      using kvm = openKvm({ backend: "soft", engine, timestamp: (instructions) => 5 * 2 ** 32 + 10 * instructions });
      using vm = kvm.createVm();
      vm.setMemoryRegion({ slot: 0, guest_phys_addr: 0xffff0000, memory_size: 0x10000 });
      vm.write(0xfffffff0, Uint8Array.of(0x90, 0x0f, 0x31, 0xf4)); // nop; rdtsc; hlt
      using vcpu = vm.createVcpu(0);
      assertEquals(vcpu.instructions, 0);
      vcpu.run();
      const { rax, rdx } = vcpu.getRegs();
      assertEquals([rdx, rax, vcpu.instructions], [5n, 10n, 3]);
    }
  },
);
