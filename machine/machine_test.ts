import { assertEquals } from "@std/assert";
import { NullEnd } from "../devices/null_end.ts";
import { KvmMsrs } from "../mod.ts";
import { code, testOnBackends } from "../tests/cli_support.ts";
import { buildMachine, type BuiltMachine } from "./build.ts";
import { pcMemory } from "./memory_layout.ts";

const MIB = 2 ** 20;
const STAR = 0xc0000081;

/** A machine that begins with this code, at f000:fff0 after a jump. */
function machineWith(backend: "soft" | "kvm", program: Uint8Array): BuiltMachine {
  return buildMachine({
    backend,
    regions: [...pcMemory(2 * MIB), { slot: 4, base: 0xffff_0000, size: 0x10000 }],
    board: { serial: new NullEnd(), debugExit: 0x501 },
    start(vm) {
      vm.write(0xffff_fff0, code([["jmp 0:0x500", "ea 00 05 00 00"]]));
      vm.write(0x500, program);
    },
  });
}

testOnBackends(
  "Machine begins at the reset vector, and Machine.reset() does so again with all registers",
  async (backend) => {
    using built = machineWith(
      backend,
      code([["mov dx, 0x92", "ba 92 00"], ["mov al, 1", "b0 01"], ["out dx, al", "ee"]]),
    );
    const { machine } = built;
    const { vcpu } = machine;
    const state = (): unknown => [
      [...vcpu.getRegs().bytes],
      [...vcpu.getSregs().bytes],
      [...vcpu.getFpu().bytes],
      (() => {
        const msrs = new KvmMsrs([{ index: STAR }]);
        vcpu.getMsrs(msrs);
        return msrs.entries[0].data;
      })(),
    ];
    const before = state();
    const { end } = await machine.run({ reboot: false });
    assertEquals([end, vcpu.getRegs().rdx], [{ kind: "reset" }, 0x92n]);
    vcpu.setMsrs(new KvmMsrs([{ index: STAR, data: 0x1234n }]));
    machine.reset();
    assertEquals(state(), before);
    assertEquals((await machine.run({ reboot: false })).end, { kind: "reset" });
  },
);

testOnBackends("Machine.run() follows a reset until the guest has had enough", async (backend) => {
  using built = machineWith(
    backend,
    code([
      ["inc byte [0x4ff]", "fe 06 ff 04"],
      ["cmp byte [0x4ff], 5", "80 3e ff 04 05"],
      ["je end", "74 06"],
      ["mov al, 6; mov dx, 0xcf9", "b0 06 ba f9 0c"],
      ["out dx, al", "ee"],
      ["end: mov al, 5; mov dx, 0x501", "b0 05 ba 01 05"],
      ["out dx, al", "ee"],
    ]),
  );
  assertEquals((await built.machine.run()).end, { kind: "ended", code: 11 });
});

testOnBackends("Machine.run() ends by its signal and goes on after it, in a loop and in HLT", async (backend) => {
  for (const [name, bytes] of [["jmp $", "eb fe"], ["sti; hlt; jmp $", "fb f4 eb fe"]]) {
    using built = machineWith(backend, code([[name, bytes]]));
    const { machine } = built;
    // Nothing but the timer can wake the guest, in an hour, and it is not wired to anything that is unmasked.
    for (const [port, value] of [[0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1], [0x21, 0x7f]]) {
      machine.pc.ports.out(port, 1, value);
    }
    machine.pc.clock.schedule(3_600_000_000_000, () => {});
    for (let n = 0; n < 2; n++) {
      const { end, milliseconds } = await machine.run({ signal: AbortSignal.timeout(30) });
      assertEquals([end, milliseconds < 1000], [{ kind: "stopped" }, true]);
    }
    assertEquals((await machine.run({ timeoutMs: 30 })).end, { kind: "timeout" });
  }
});

testOnBackends("Machine.run() ends with a triple fault, or follows it like a reset", async (backend) => {
  const program = code([
    ["inc byte [0x4ff]", "fe 06 ff 04"],
    ["cmp byte [0x4ff], 3", "80 3e ff 04 03"],
    ["je end", "74 0f"],
    ["lidt [0x600]", "0f 01 1e 00 06"],
    ["mov eax, cr0; or al, 1", "0f 20 c0 0c 01"],
    ["mov cr0, eax", "0f 22 c0"],
    ["ud2", "0f 0b"],
    ["end: mov al, 5; mov dx, 0x501", "b0 05 ba 01 05"],
    ["out dx, al", "ee"],
  ]);
  for (const rebootOnCrash of [true, false]) {
    using built = machineWith(backend, program);
    const { end } = await built.machine.run({ rebootOnCrash });
    assertEquals([end.kind, end.kind === "ended" && end.code], rebootOnCrash ? ["ended", 11] : ["shutdown", false]);
  }
});
