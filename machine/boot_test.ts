import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { testOnBackends } from "../tests/cli_support.ts";
import { boot, type BootedMachine } from "./boot.ts";
import { ExpectError } from "./expect_error.ts";
import type { ClockKind } from "./time.ts";
import { pcMemory } from "./memory_layout.ts";

/** A guest of `tests/machine`, at 0x8000. */
function bootGuest(backend: "soft" | "kvm", name: string, clock: ClockKind = "real"): BootedMachine {
  const image = Deno.readFileSync(new URL(`../tests/machine/${name}.bin`, import.meta.url));
  return boot({
    backend,
    clock,
    regions: pcMemory(2 ** 21),
    board: { debugExit: 0x501, video: true },
    start(vm, vcpu, pc) {
      pc.vga?.setMode(3);
      vm.write(0x8000, image);
      const sregs = vcpu.getSregs();
      sregs.cs.base = 0n;
      sregs.cs.selector = 0;
      vcpu.setSregs(sregs);
      const regs = vcpu.getRegs();
      regs.rip = 0x8000n;
      vcpu.setRegs(regs);
    },
  });
}

testOnBackends("boot() talks with a guest over COM1", async (backend) => {
  await using vm = bootGuest(backend, "echo");
  vm.serial.write("name: ");
  await vm.serial.expect("name: ");
  vm.serial.write("x=42\n");
  assertEquals([...(await vm.serial.expect(/x=(\d+)\n/))], ["x=42\n", "42"]);
  vm.serial.write("Q");
  assertEquals(await vm.exitCode(), 1);
  assertEquals(vm.serial.text, "name: x=42\nQ");
});

Deno.test("SerialConsole.expect() says what came instead, and why nothing more will", async () => {
  await using vm = bootGuest("soft", "echo");
  vm.serial.write("one\ntwo\n");
  const late = await assertRejects(() => vm.serial.expect(/three/, { timeoutMs: 50 }), ExpectError);
  assertStringIncludes(late.message, "Cannot find /three/: 50 ms are over; this is on COM1:\none\ntwo");
  vm.serial.write("Q");
  const ended = await assertRejects(() => vm.serial.expect("three"), ExpectError);
  assertStringIncludes(ended.message, 'Cannot find "three": the guest has ended the machine with 1; ');
});

Deno.test("BootedMachine is stopped when it goes out of scope", async () => {
  let ended;
  {
    await using vm = bootGuest("soft", "echo");
    ended = vm.ended;
    await assertRejects(() => vm.exitCode({ timeoutMs: 20 }), ExpectError, "The machine still runs after 20 ms");
  }
  assertEquals((await ended).end, { kind: "stopped" });
});

Deno.test("BootedMachine.exitCode() refuses an end that is none of the guest's", async () => {
  await using vm = bootGuest("soft", "reset");
  await assertRejects(() => vm.exitCode(), ExpectError, "the guest has reset the machine");
});

testOnBackends("boot() types on the keyboard and looks at the screen", async (backend) => {
  await using vm = bootGuest(backend, "keys");
  vm.keyboard.type("Hi\n");
  await vm.screen.expect("2A 23 A3 AA 17 97 1C 9C");
  assertEquals(vm.screen.text(), "2A 23 A3 AA 17 97 1C 9C");
  vm.keyboard.press("ControlLeft", "AltLeft", "Delete");
  assertEquals((await vm.screen.expect(/1D 38 (.+) B8 9D/))[1], "E0 53 E0 D3");
  const frame = vm.screen.frame();
  assertEquals([frame?.width, frame?.height], [720, 400]);
  assertEquals([...(await vm.screen.png()).subarray(1, 4)], [0x50, 0x4e, 0x47]);
  const late = await assertRejects(() => vm.screen.expect("never", { timeoutMs: 50 }), ExpectError);
  assertStringIncludes(late.message, 'Cannot find "never": 50 ms are over; this is on the screen:\n2A 23');
  vm.keyboard.press("Escape");
  assertEquals(await vm.exitCode(), 1);
});

Deno.test("boot() with virtual time takes keys too, at the guest's next timer", async () => {
  await using vm = bootGuest("soft", "keys", "virtual");
  vm.keyboard.type("a");
  await vm.screen.expect("1E 9E");
  vm.keyboard.press("Escape");
  assertEquals(await vm.exitCode(), 1);
});
