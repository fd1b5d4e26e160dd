import { assertEquals } from "@std/assert";
import { KVM_EXIT_DEBUG, KVM_EXIT_HLT, KVM_EXIT_INTR, KVM_EXIT_IO, KvmRegs, openKvm } from "../../mod.ts";
import { CODE, code, DATA, Guest, PAGE } from "../../tests/conformance/harness.ts";
import { Debugger } from "./debugger.ts";
import type { ResumeAction, StopReason } from "./gdb_target.ts";
import { monitor } from "./monitor.ts";

const CONTINUE: readonly ResumeAction[] = [{ kind: "continue" }];
const STEP: readonly ResumeAction[] = [{ kind: "step" }];

/** One increment after the other, then HLT. */
const LINE = code(`
  40 ; inc ax
  40 ; inc ax
  40 ; inc ax
  40 ; inc ax
  40 ; inc ax
  40 ; inc ax
  f4 ; hlt
`);

/** Writes to and reads from the data segment. */
const ACCESSES = code(`
  a2 00 00    ; mov [0], al
  a2 10 00    ; mov [0x10], al
  a0 10 00    ; mov al, [0x10]
  fe 06 11 00 ; inc byte [0x11]
  bf 0e 00    ; mov di, 0xe
  b9 08 00    ; mov cx, 8
  f3 aa       ; rep stosb
  f4          ; hlt
`);

const LOOP = code(`
  41    ; inc cx
  eb fd ; jmp short $-1
`);

/** A guest under the debugger, with what the gdb server would be told. */
class Debugged {
  readonly debug: Debugger;
  readonly stops: StopReason[] = [];

  constructor(readonly guest: Guest) {
    this.debug = new Debugger({ vm: guest.vm, vcpus: [guest.vcpu] });
    this.debug.onStop = (reason) => this.stops.push(reason);
  }

  /** Runs until the debugger stops it, or it halts; what gdb is told, and RIP. */
  go(actions: readonly ResumeAction[] = CONTINUE): (StopReason | number | string)[] {
    this.debug.resume(actions);
    for (let turns = 0; turns < 1000; turns++) {
      const exit = this.debug.run({ maxInstructions: 100_000 });
      const stop = this.stops.splice(0);
      if (stop.length > 0) return [...stop, Number(this.guest.regs.rip)];
      if (exit.reason === KVM_EXIT_HLT) return ["halted", Number(this.guest.regs.rip)];
    }
    return ["runs"];
  }
}

Deno.test("Debugger.run() stops at more breakpoints than the processor has, and goes on as ever without them", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, LINE);
  const debugged = new Debugged(guest);
  const addresses = [1, 2, 3, 4, 5, 6].map((n) => CODE + n);
  for (const address of addresses) assertEquals(debugged.debug.insert("software", BigInt(address), 1), "done");
  for (const address of addresses) {
    assertEquals(debugged.go(), [{ kind: "software" }, address]);
    debugged.debug.remove("software", BigInt(address), 1);
  }
  assertEquals(debugged.go(), ["halted", CODE + 7]);
  assertEquals(guest.regs.rax, 6n);
});

Deno.test("Debugger.run() steps one instruction, and a range until it is left", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, LINE);
  const debugged = new Debugged(guest);
  assertEquals(debugged.go(STEP), [{ kind: "step" }, CODE + 1]);
  const range: ResumeAction = { kind: "range", start: BigInt(CODE), end: BigInt(CODE + 4) };
  assertEquals(debugged.go([range]), [{ kind: "step" }, CODE + 4]);
  assertEquals(guest.regs.rflags & 0x100n, 0n);
});

Deno.test("Debugger.run() stops behind what writes, reads or touches watched data", () => {
  using kvm = openKvm({ backend: "soft" });
  const watch = (
    kind: "write" | "read" | "access",
    offset: number,
    length: number,
  ): (StopReason | number | string)[][] => {
    using guest = new Guest(kvm, ACCESSES, { data: 1, regs: { rax: 7 } });
    const debugged = new Debugged(guest);
    assertEquals(debugged.debug.insert(kind, BigInt(DATA + offset), length), "done");
    const seen = [];
    do seen.push(debugged.go()); while (seen.at(-1)![0] !== "halted" && seen.length < 20);
    assertEquals([...guest.vm.read(DATA + 0xe, 4)], [7, 7, 7, 7]);
    return seen;
  };
  const at = (kind: "write" | "read" | "access", offset: number, rip: number): (StopReason | number)[] => [
    { kind, address: BigInt(DATA + offset) },
    CODE + rip,
  ];
  const end = ["halted", CODE + 0x16];
  assertEquals(watch("write", 0x10, 1), [at("write", 0x10, 6), at("write", 0x10, 0x13), end]);
  assertEquals(watch("read", 0x10, 1), [at("read", 0x10, 9), end]);
  assertEquals(watch("read", 0x11, 1), [at("read", 0x11, 0xd), end]);
  assertEquals(watch("access", 0x11, 1), [at("access", 0x11, 0xd), at("access", 0x11, 0x13), end]);
  assertEquals(watch("access", 0x40, 8), [end]);
});

Deno.test("Debugger.run() sees watched data in code that is hot", () => {
  const hot = code(`
    41          ; inc cx
    75 fd       ; jnz short $-1
    89 0e 20 00 ; mov [0x20], cx
    ff 06 22 00 ; inc word [0x22]
    eb f3       ; jmp short $-11
  `);
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, hot, { data: 1 });
  const debugged = new Debugged(guest);
  guest.vcpu.run({ maxInstructions: 500_000 });
  debugged.debug.insert("write", BigInt(DATA + 0x22), 2);
  const before = guest.vm.read(DATA + 0x22, 2)[0];
  for (let n = 1; n <= 3; n++) {
    assertEquals(debugged.go(), [{ kind: "write", address: BigInt(DATA + 0x22) }, CODE + 0xb]);
    assertEquals(guest.vm.read(DATA + 0x22, 2)[0], before + n);
  }
});

Deno.test("Debugger.interrupt() stops a guest that computes for ever", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, LOOP);
  const debugged = new Debugged(guest);
  debugged.debug.resume(CONTINUE);
  assertEquals(debugged.debug.run({ maxInstructions: 1000 }).reason, KVM_EXIT_INTR);
  assertEquals(debugged.debug.paused(), undefined);
  debugged.debug.interrupt();
  assertEquals(debugged.stops, [{ kind: "interrupt" }]);
  assertEquals(debugged.debug.run().reason, KVM_EXIT_INTR);
  assertEquals(guest.regs.rcx, 500n);
});

Deno.test("Debugger.run() leaves the guest's own debug registers and single step as they are", () => {
  // The handler counts in DI, adds DR6 up in BX, and clears DR6 and DR7.
  const handler = code(`
    47                ; inc di
    0f 21 f0          ; mov eax, dr6
    01 c3             ; add bx, ax
    66 31 c0          ; xor eax, eax
    0f 23 f0          ; mov dr6, eax
    0f 23 f8          ; mov dr7, eax
    cf                ; iret
  `);
  const own = code(`
    68 02 01          ; push 0x102
    9d                ; popf
    41                ; inc cx
    41                ; inc cx
    68 02 00          ; push 2
    9d                ; popf
    66 b8 28 10 00 00 ; mov eax, 0x1028
    0f 23 c0          ; mov dr0, eax
    66 b8 01 00 00 00 ; mov eax, 1
    0f 23 f8          ; mov dr7, eax
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    90                ; nop
    f4                ; hlt
  `);
  using kvm = openKvm({ backend: "soft" });
  const outcome = (watched: boolean): unknown[] => {
    using guest = new Guest(kvm, own);
    guest.vm.write(0x2000, handler.bytes);
    guest.setVector(1, 0x2000);
    if (!watched) guest.expect(KVM_EXIT_HLT);
    else {
      const debugged = new Debugged(guest);
      debugged.debug.insert("hardware", BigInt(CODE + 5), 1);
      debugged.debug.insert("write", BigInt(DATA), 1);
      assertEquals(debugged.go(), [{ kind: "hardware" }, CODE + 5]);
      debugged.debug.remove("hardware", BigInt(CODE + 5), 1);
      let seen;
      for (let steps = 0; steps < 200; steps++) if ((seen = debugged.go(STEP))[0] === "halted") break;
      assertEquals(seen![0], "halted");
    }
    const { rdi, rcx, rbx, rip } = guest.regs;
    return [rdi, rcx, rbx & 0xf00fn, rip];
  };
  const plain = outcome(false);
  assertEquals(plain[0], 5n);
  assertEquals(outcome(true), plain);
});

Deno.test("Debugger.run() is told of port I/O as ever, also while it steps", () => {
  const io = code(`
    e4 10 ; in al, 0x10
    40    ; inc ax
    f4    ; hlt
  `);
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, io);
  const debugged = new Debugged(guest);
  debugged.debug.resume(STEP);
  const exit = debugged.debug.run();
  assertEquals([exit.reason, debugged.stops.length], [KVM_EXIT_IO, 0]);
  if (exit.reason === KVM_EXIT_IO) exit.data[0] = 5;
  assertEquals(debugged.debug.run().reason, KVM_EXIT_DEBUG);
  assertEquals([guest.regs.rip, guest.regs.rax], [BigInt(CODE + 2), 5n]);
  assertEquals(debugged.debug.exitsOf(0)[KVM_EXIT_IO], 1);
});

Deno.test("Debugger.run() has each processor do what gdb told it", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, LOOP);
  using second = guest.vm.createVcpu(1);
  second.setSregs(guest.vcpu.getSregs());
  second.setRegs(new KvmRegs({ rip: CODE, rflags: 2 }));
  const debug = new Debugger({ vm: guest.vm, vcpus: [guest.vcpu, second] });
  const stops: [string, number][] = [];
  debug.onStop = ({ kind }, thread) => stops.push([kind, thread]);
  assertEquals([debug.threadCount, debug.describe(1)], [2, "vCPU 1 [real]"]);
  debug.resume([{ kind: "stay" }, { kind: "step" }]);
  assertEquals(debug.run({ maxInstructions: 100 }, 0).reason, KVM_EXIT_INTR);
  assertEquals(debug.run({ maxInstructions: 100 }, 1).reason, KVM_EXIT_DEBUG);
  assertEquals(stops, [["step", 1]]);
  assertEquals([guest.regs.rcx, second.getRegs().rcx], [0n, 1n]);
  debug.insert("software", BigInt(CODE), 1);
  debug.resume([{ kind: "continue" }, { kind: "continue" }]);
  debug.run({ maxInstructions: 100 }, 1);
  assertEquals([stops.at(-1), second.getRegs().rip], [["software", 1], BigInt(CODE)]);
});

Deno.test("Debugger.failed() lets gdb look at a guest that cannot go on", async () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, LOOP);
  const debugged = new Debugged(guest);
  const failed = debugged.debug.failed("crash");
  assertEquals([debugged.stops, debugged.debug.isStopped], [[{ kind: "crash" }], true]);
  debugged.debug.kill();
  await failed;
  assertEquals([debugged.debug.killed, debugged.debug.paused()], [true, undefined]);
});

Deno.test("Debugger reads and writes memory through the page tables, page by page, or by physical address", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, code("f4 ; hlt", 64), {
    mode: "long",
    data: 2,
    sregs: () => {},
  });
  const entry = (page: number, target: number): void =>
    guest.vm.write(0xb000 + page * 8, new Uint8Array(BigUint64Array.of(BigInt(target) | 3n).buffer));
  guest.vm.write(0xa000 + 8, new Uint8Array(BigUint64Array.of(0xb003n).buffer)); // 2 MiB to 4 MiB in pages of 4 KiB
  entry(0, DATA + PAGE);
  entry(1, DATA);
  const { debug } = new Debugged(guest);
  const address = BigInt(0x200000 + PAGE - 2);
  assertEquals(debug.writeMemory(0, address, Uint8Array.of(1, 2, 3, 4)), true);
  assertEquals([...guest.vm.read(DATA + 2 * PAGE - 2, 2), ...guest.vm.read(DATA, 2)], [1, 2, 3, 4]);
  assertEquals([...debug.readMemory(0, address, 4)], [1, 2, 3, 4]);
  assertEquals(debug.readMemory(0, BigInt(0x200000 + 2 * PAGE - 3), 8).length, 3);
  assertEquals(debug.writeMemory(0, BigInt(0x200000 + 2 * PAGE - 1), Uint8Array.of(9, 9)), false);
  assertEquals(guest.vm.read(DATA + PAGE - 1, 1)[0], 0);
  debug.physicalMemory = true;
  assertEquals([...debug.readMemory(0, BigInt(DATA), 2)], [3, 4]);
});

Deno.test("monitor() shows registers, mappings, exits and physical memory, and explains itself", () => {
  using kvm = openKvm({ backend: "soft" });
  using guest = new Guest(kvm, LINE, { mode: "long" });
  const { debug } = new Debugged(guest);
  assertEquals(monitor(debug, "info regs").split("\n")[0].slice(0, 20), "RAX=0000000000000000");
  assertEquals(
    monitor(debug, "info mmu"),
    "4-level paging, cr3=0000000000008000\n" +
      "0000000000000000-0000000040000000 0000000040000000 -rwx -> 0000000000000000\n",
  );
  const pages = monitor(debug, "info tlb").split("\n");
  assertEquals([pages.length, pages[1]], [513, "0000000000200000: 0000000000200000 --P-----W"]);
  assertEquals(monitor(debug, "info exits"), "none yet\n");
  assertEquals(monitor(debug, "xp 0x1000 4"), "0000000000001000: 40 40 40 40\n");
  assertEquals(monitor(debug, "xp"), "It must be: monitor xp ADDRESS [BYTES]\n");
  assertEquals(monitor(debug, "phys on"), "addresses are physical\n");
  assertEquals([monitor(debug, "arch i386"), debug.architecture], ["i386\n", "i386"]);
  assertEquals(monitor(debug, "info regs 7").startsWith("It must be"), true);
  assertEquals(monitor(debug, "dance"), "There is no 'dance'; see 'monitor help'.\n");
  for (const line of ["info mmu", "info exits", "xp ADDRESS"]) {
    assertEquals(monitor(debug, "help").includes(line), true);
  }
});
