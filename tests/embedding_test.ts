/**
 * Machines in one process have nothing in common: eight at once do the same, to the instruction, as each does alone.
 * @module
 */

import { assertEquals } from "@std/assert";
import { boot } from "../machine/boot.ts";
import { KvmRegs } from "../mod.ts";

const IMAGE = new URL("machine/smp.bin", import.meta.url);
const LOAD = 0x8000, MEMORY = 0x10000;
/** Processors of each machine. */
const MACHINES = [1, 2, 3, 4, 4, 3, 2, 1];
const SUCCESS = 1;

/** Runs `smp.bin`; gives all that could differ. */
async function run(processors: number, image: Uint8Array, interpreted: boolean): Promise<unknown> {
  await using vm = boot({
    engine: interpreted ? "interpreter" : "auto",
    clock: "virtual",
    processors,
    regions: [{ slot: 0, base: 0, size: MEMORY }],
    board: { cmos: { memory: MEMORY }, debugExit: 0x501 },
    start(vm, vcpu) {
      vm.write(LOAD, image);
      const sregs = vcpu.getSregs();
      Object.assign(sregs.cs, { selector: 0, base: 0n });
      vcpu.setSregs(sregs);
      vcpu.setRegs(new KvmRegs({ rip: LOAD, rflags: 2 }));
    },
  });
  assertEquals(await vm.exitCode(), SUCCESS, vm.serial.text);
  const { machine, serial } = vm;
  const memory = new Uint8Array(MEMORY);
  machine.vm.read(0, memory);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", memory)).toHex();
  const instructions = machine.vcpus.map((vcpu) => vcpu.instructions);
  return { text: serial.text, instructions, time: machine.time.clock.now(), exits: (await vm.ended).exits, digest };
}

Deno.test("boot() eight machines at once: the same, to the instruction, as one after the other", async () => {
  const image = await Deno.readFile(IMAGE);
  const one = (processors: number, n: number): Promise<unknown> => run(processors, image, n % 2 === 1);
  const alone: unknown[] = [];
  for (const [n, processors] of MACHINES.entries()) alone.push(await one(processors, n));
  assertEquals(await Promise.all(MACHINES.map(one)), alone);
});
