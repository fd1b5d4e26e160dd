/**
 * Interpreter and translator in lockstep: the sample guests, the guests that check themselves, and random programs come to
 * the same on both.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { createLockstepBackend } from "../core/engine/lockstep.ts";
import type { BackendMemory, BackendVcpu } from "../core/kvm/backend.ts";
import { imageUrl } from "../guests/build.ts";
import { SAMPLES } from "../guests/samples.ts";
import { KVM_EXIT_IO, KVM_EXIT_MMIO, KvmRegs, KvmSregs } from "../mod.ts";
import { cli } from "./cli_support.ts";

const GUESTS = ["segments", "tasks", "v86", "paging", "long", "debug", "fpu"];
/** What a guest gives debug-exit when no check has failed. */
const SUCCESS = 1;
const MEMORY = 0x10_0000;
const SECTOR = 0x7c00, LOAD = 0x8000;

function guestPath(name: string): string {
  return decodeURIComponent(new URL(`./guests/${name}.bin`, import.meta.url).pathname);
}

for (const { image, options, output } of SAMPLES) {
  Deno.test(`${image} does the same on both executors`, async () => {
    const path = decodeURIComponent(imageUrl(image).pathname);
    const expected = { code: 0, stdout: output, stderr: "" };
    assertEquals(await cli(["run", "--engine", "both", "--timeout", "60", ...options, path]), expected);
  });
}

for (const name of GUESTS) {
  Deno.test(`${name}.bin does the same on both executors`, async () => {
    const options = ["--load", `${LOAD}`, "--mode", "real", "--debug-exit", "--timeout", "60"];
    const { code, stdout, stderr } = await cli(["run", "--engine", "both", ...options, guestPath(name)]);
    assertEquals(stdout.split("\n").filter((line) => line.startsWith("FAIL")), []);
    assertEquals([stderr, code], ["", SUCCESS]);
  });
}

for (const engine of ["auto", "interpreter", "translator"]) {
  Deno.test(`--engine ${engine} runs a guest`, async () => {
    const [{ image, output }] = SAMPLES;
    const { code, stdout } = await cli(["run", "--engine", engine, decodeURIComponent(imageUrl(image).pathname)]);
    assertEquals([code, stdout], [0, output]);
  });
}

/** xorshift32. */
function random(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    return (x ^= x << 5) >>> 0;
  };
}

/** Runs programs one after the other on one machine; the first byte of each is at `start`. */
function runAll(count: number, start: number, fill: (memory: BackendMemory) => void, instructions: number): void {
  using backend = createLockstepBackend({ slice: 64 });
  using vm = backend.createVm();
  const memory = vm.allocate(MEMORY);
  vm.map([{ gpa: 0, size: MEMORY, memory, offset: 0, log: false }]);
  using vcpu: BackendVcpu = vm.createVcpu(0);
  const sregs = new Uint8Array(312), regs = new KvmRegs({ rip: BigInt(start), rsp: 0x7c00n, rflags: 2n, rdx: 0x80n });
  vcpu.getSregs(sregs);
  const { cs } = new KvmSregs(sregs);
  cs.base = 0n;
  cs.selector = 0;
  const shared = new DataView(vcpu.shared.buffer);
  let answer = 0;
  for (let n = 0; n < count; n++) {
    memory.bytes.fill(0);
    fill(memory);
    vcpu.setSregs(sregs);
    vcpu.setRegs(regs.bytes);
    for (let exit = 0; exit < 200; exit++) {
      vcpu.run(instructions);
      const reason = shared.getUint32(8, true);
      if (reason !== KVM_EXIT_IO && reason !== KVM_EXIT_MMIO) break;
      shared.setUint32(reason === KVM_EXIT_IO ? 4096 : 40, Math.imul(answer++, 0x9e37_79b9), true);
    }
  }
}

Deno.test("random boot sectors do the same on both executors", () => {
  const next = random(0x6b76_6d33);
  runAll(40, SECTOR, ({ bytes }) => {
    for (let i = 0; i < 512; i++) bytes[SECTOR + i] = next();
  }, 100);
});

Deno.test("system guests with changed bytes do the same on both executors", () => {
  const images = GUESTS.map((name) => Deno.readFileSync(guestPath(name)));
  const next = random(0x6b76_6d34);
  runAll(60, LOAD, ({ bytes }) => {
    const image = images[next() % images.length];
    bytes.set(image, LOAD);
    for (let changes = 1 + next() % 12; changes > 0; changes--) bytes[LOAD + next() % image.length] = next();
  }, 300);
});

Deno.test("--engine is refused where it cannot be, in one line", async () => {
  for (const args of [["--engine", "fast"], ["--backend", "kvm", "--engine", "both"]]) {
    const { code, stderr } = await cli(["run", ...args, "image"]);
    assertEquals(code, 2);
    assert(/^kvm12: Cannot use [^\n]*--engine[^\n]*\n$/.test(stderr), stderr);
  }
});
