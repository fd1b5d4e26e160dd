import { assert, assertEquals } from "@std/assert";
import { createSoftBackend, type Engine, type SoftVm } from "../core/engine/soft.ts";
import type { SoftVcpu } from "../core/engine/cpu.ts";
import { KvmRegs, KvmSregs } from "../mod.ts";

const SECTORS = 10_000;
const MEMORY = 0x10_0000;
const CANARY = 0xa5;
/** Exits that a guest may come to; the others of `kvm_run` need something that these machines do not have. */
const DOCUMENTED = new Set(["UNKNOWN", "IO", "HYPERCALL", "HLT", "MMIO", "SHUTDOWN", "INTR"]);
// deno-fmt-ignore
const NAMES = ["UNKNOWN", "EXCEPTION", "IO", "HYPERCALL", "DEBUG", "HLT", "MMIO", "IRQ_WINDOW_OPEN", "SHUTDOWN", "FAIL_ENTRY", "INTR"];

/** xorshift32. */
function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    return (x ^= x << 5) >>> 0;
  };
}

/** Boots random sectors on one machine and counts how they end. */
function boot(engine: Engine, sectors: number, seed: number, instructions: number): Map<string, number> {
  using backend = createSoftBackend({ engine });
  using vm = backend.createVm() as SoftVm;
  const before = vm.allocate(0x1_0000), memory = vm.allocate(MEMORY), after = vm.allocate(0x1_0000);
  for (const canary of [before, after]) canary.bytes.fill(CANARY);
  vm.map([{ gpa: 0, size: MEMORY, memory, offset: 0, log: false }]);
  const vcpu = vm.createVcpu(0) as SoftVcpu;
  const sregs = new Uint8Array(312), regs = new KvmRegs({ rip: 0x7c00n, rsp: 0x7c00n, rflags: 2n, rdx: 0x80n });
  vcpu.getSregs(sregs);
  const cs = new KvmSregs(sregs).cs;
  cs.base = 0n;
  cs.selector = 0;
  const next = random(seed), ends = new Map<string, number>();
  for (let n = 0; n < sectors; n++) {
    const ram = memory.bytes;
    ram.fill(0, 0, 0x1_0000);
    for (let i = 0; i < 512; i++) ram[0x7c00 + i] = next();
    vcpu.setSregs(sregs);
    vcpu.setRegs(regs.bytes);
    let reason = "";
    for (let exits = 0; exits < 20; exits++) {
      vcpu.run(instructions);
      reason = NAMES[vcpu.sharedView.getUint32(8, true)];
      assert(DOCUMENTED.has(reason), `sector ${n} of seed ${seed} ends in ${reason}`);
      if (reason !== "IO" && reason !== "MMIO") break;
    }
    ends.set(reason, (ends.get(reason) ?? 0) + 1);
  }
  for (const canary of [before, after]) {
    assert(canary.bytes.every((b) => b === CANARY), "the guest wrote outside its slot");
  }
  return ends;
}

Deno.test("run() random boot sectors end in documented exits and touch nothing outside their slot", () => {
  const ends = boot("auto", SECTORS, 0x6b766d31, 2000);
  assertEquals([...ends.values()].reduce((a, b) => a + b), SECTORS);
  assert(ends.size >= 3, `only ${[...ends.keys()]} were seen`);
});

Deno.test("run() random boot sectors end alike whichever executor runs them", () => {
  assertEquals(boot("translator", 100, 0x6b766d32, 100), boot("interpreter", 100, 0x6b766d32, 100));
});
