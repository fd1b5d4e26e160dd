/**
 * The system guests with some of their bytes changed: broken descriptors, gates, page tables and code in every mode. They
 * may crash, but only in documented ways.
 * @module
 */

import { assert } from "@std/assert";
import type { SoftVcpu } from "../core/engine/cpu.ts";
import { createSoftBackend, type SoftVm } from "../core/engine/soft.ts";
import { KvmRegs, KvmSregs } from "../mod.ts";

const GUESTS = ["segments", "tasks", "v86", "paging", "long", "debug"];
const MUTANTS = 600;
const LOAD = 0x8000, MEMORY = 0x10_0000;
const EXIT_IO = 2, EXIT_MMIO = 6;
/** UNKNOWN, IO, HYPERCALL, HLT, MMIO, SHUTDOWN, INTR: not FAIL_ENTRY, as no guest reaches an impossible state. */
const DOCUMENTED = new Set([0, EXIT_IO, 3, 5, EXIT_MMIO, 8, 10]);

/** xorshift32. */
function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    return (x ^= x << 5) >>> 0;
  };
}

Deno.test("run() system guests with changed bytes end in documented exits", () => {
  using backend = createSoftBackend({ engine: "interpreter" });
  using vm = backend.createVm() as SoftVm;
  const memory = vm.allocate(MEMORY);
  vm.map([{ gpa: 0, size: MEMORY, memory, offset: 0, log: false }]);
  const vcpu = vm.createVcpu(0) as SoftVcpu;
  const regs = new KvmRegs({ rip: BigInt(LOAD), rsp: 0x7c00n, rflags: 2n }), sregs = new Uint8Array(312);
  vcpu.getSregs(sregs);
  const { cs } = new KvmSregs(sregs);
  cs.base = 0n;
  cs.selector = 0;
  const images = GUESTS.map((name) => Deno.readFileSync(new URL(`./guests/${name}.bin`, import.meta.url)));
  const next = random(0x6b76_6d31);
  for (let n = 0; n < MUTANTS; n++) {
    const image = images[next() % images.length];
    memory.bytes.fill(0);
    memory.bytes.set(image, LOAD);
    for (let changes = 1 + next() % 12; changes > 0; changes--) memory.bytes[LOAD + next() % image.length] = next();
    vcpu.setSregs(sregs);
    vcpu.setRegs(regs.bytes);
    for (let exits = 0; exits < 200; exits++) {
      vcpu.run(20_000);
      const reason = vcpu.sharedView.getUint32(8, true);
      assert(DOCUMENTED.has(reason), `mutant ${n} ends in exit ${reason}`);
      if (reason !== EXIT_IO && reason !== EXIT_MMIO) break;
    }
  }
});
